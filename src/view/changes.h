/*
 * changes.h - what a view differs by from its lower, as a list that outlives the view: shown, applied to the
 * lower, dropped.
 *
 * The list lies in the upper beside the objects (file "changes"). Applying it is a sequence of small steps,
 * each of which can be repeated; how far it came stands in the file "progress". So who was killed while
 * applying is succeeded by whoever applies next: it goes on with the step that was begun last. Nothing is
 * undone.
 *
 * What somebody else changed in the lower meanwhile is a conflict: found before the first step, then nothing
 * is applied. A name that appears later is not overwritten either, the step fails.
 */
#ifndef SL_VIEW_CHANGES_H
#define SL_VIEW_CHANGES_H

#include "base/error.h"
#include "view/view.h"

struct sl_view_changes;

#define SL_VIEW_CHANGES  "changes"  /* in the upper: the list */
#define SL_VIEW_PROGRESS "progress" /* in the upper, once applying was begun and until all is dropped */

enum sl_view_change_kind {
	SL_VIEW_ADDED = 'A',
	SL_VIEW_MODIFIED = 'M', /* contents or attributes */
	SL_VIEW_DELETED = 'D',	/* a directory with all below */
	SL_VIEW_RENAMED = 'R',
};

struct sl_view_change {
	enum sl_view_change_kind kind;
	char *path;	/* below the root, without a leading slash; of what was deleted its former one */
	char *from;	/* of RENAMED: its former path; else NULL */
	mode_t type;	/* S_IFMT */
	bool contents;	/* of MODIFIED: not the attributes alone */
	off_t size;	/* now, of regular files; of what was deleted 0 */
	off_t old_size; /* before, of regular files; of what was added 0 */
	uint32_t obj;	/* object in the upper that has the contents; 0: none, they are the lower's */
};

/* The list of a view, on which no file is open but for directories and references. Sorted by path. -errno. */
int sl_view_changes_of(struct sl_view *v, struct sl_view_changes **ret);
void sl_view_changes_free(struct sl_view_changes *c); /* NULL is accepted. What is in the upper stays */

size_t sl_view_changes_len(const struct sl_view_changes *c);
const struct sl_view_change *sl_view_changes_at(const struct sl_view_changes *c, size_t i);

/* The new contents of a regular file, opened to be read. -errno; -ENOENT where the change has none. */
int sl_view_changes_open(const struct sl_view_changes *c, const struct sl_view_change *e);

/* The lower's path when the list was made. */
const char *sl_view_changes_lower(const struct sl_view_changes *c);

/* Was applying begun? */
bool sl_view_changes_begun(const struct sl_view_changes *c);

/* Write the list to the upper and let the objects stay when the view is freed. Whole or not at all. -errno.
 */
int sl_view_changes_keep(struct sl_view *v, struct sl_view_changes *c);

/* Read the list of the upper behind a descriptor, which is duplicated. -ENOENT: there is none; -EINVAL: it is
 * none of ours or damaged. */
int sl_view_changes_load(int upper, struct sl_view_changes **ret);

/* Was anything that the list is about changed by somebody else? Each is told, with what is wrong with it.
 * Returns how many, or -errno. target: the lower. Not to be asked once applying was begun. */
int sl_view_changes_check(const struct sl_view_changes *c, int target,
			  void (*conflict)(void *arg, const char *path, const char *what), void *arg);

/* Apply the list, which must have been loaded or kept, or go on with it. -errno with err set: then it can be
 * gone on with; -EBUSY where somebody else does so at the moment. */
int sl_view_changes_apply(struct sl_view_changes *c, int target, struct sl_error *err);

/* Let each step and each part of one ask first: see sl_view_set_fault(). For tests. */
void sl_view_changes_set_fault(struct sl_view_changes *c, int (*fault)(void *arg), void *arg);

/* Remove the objects, the list and the progress from the upper. The list serves no more. -errno. */
int sl_view_changes_drop(struct sl_view_changes *c);

#endif
