/*
 * handle.h - between the view and real descriptors: for who serves processes that have some open.
 *
 * What a process of the view holds is real all the same: a descriptor of a lower object that it opened by
 * itself, one of an upper object that it was given, or, of a directory, the lower's own or, where only the
 * upper has it, an empty stand-in there. Each leads back to the object of the view (sl_view_find), whatever
 * became of its name since.
 */
#ifndef SL_VIEW_HANDLE_H
#define SL_VIEW_HANDLE_H

#include "view/view.h"

struct sl_vnode;

/* Was anything changed at all? Does not become false again. */
bool sl_view_is_changed(const struct sl_view *v);

/* The object of the view behind a real descriptor of a lower or an upper object, as an O_PATH file. -EXDEV:
 * none of the view's (a pipe, a file of another mount namespace, one that was removed from the lower);
 * -ENOENT: of the upper, but without a name and in nobody's use any more. Such a descriptor may be used as it
 * is: nobody else has the object. */
int sl_view_find(struct sl_view *v, int fd, struct sl_view_file **ret);

/* Type of the object, S_IFMT. */
mode_t sl_view_type(const struct sl_view_file *f);

/* Was the object made in the view? */
bool sl_view_is_new(const struct sl_view_file *f);

/* Is what sl_view_real_fd() opens in the upper? */
bool sl_view_is_upper(const struct sl_view_file *f);

/* A new descriptor of the real object, opened with flags as we may; with O_PATH nothing is asked. Of a
 * directory: the lower's, however changed, else the stand-in. Writing flags are for who copied it up. */
int sl_view_real_fd(struct sl_view_file *f, int flags);

/* The path of that object, malloc'd: to execute it, or to enter it. Before, what has the lower's contents but
 * may be executed by others than the lower's is copied. */
int sl_view_real_path(struct sl_view_file *f, char **ret);

/* The lower's path, malloc'd. -errno. */
int sl_view_lower_path(const struct sl_view *v, char **ret);

/* The directory with the objects of the upper; the view's own. Below it an object is a number. */
const char *sl_view_upper_path(const struct sl_view *v);

/* Told when the contents of a lower file, a node of node.h, have been copied up: the view's own open files get
 * descriptors of the copy (the numbers, flags and positions stay), but who else has the lower's open reads what
 * is old. */
void sl_view_set_copied(struct sl_view *v, void (*copied)(struct sl_vnode *n, void *arg), void *arg);

/* Let the name at the end of path, below the lower's root and without symbolic links on the way, not be seen:
 * not listed, not found, untouched by merging down. No change as far as sl_view_is_changed() is concerned. */
int sl_view_hide(struct sl_view *v, const char *path);

#endif
