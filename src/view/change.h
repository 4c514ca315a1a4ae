/*
 * change.h - what the calls that make names share.
 */
#ifndef SL_VIEW_CHANGE_H
#define SL_VIEW_CHANGE_H

#include "view/walk.h"

/* What a new object gets in a directory. */
struct sl_vnew {
	mode_t mode; /* and type; the umask is applied */
	gid_t gid;
	bool lists; /* access lists from its directory */
};

/* The mode that was asked for, and its type, to what an object in dir gets (inode_init_owner()). -errno. */
int sl_vchange_begin(const struct sl_view_ctx *c, struct sl_vnode *dir, mode_t mode, struct sl_vnew *ret);

/* A node for an object of the upper that was just made, with that; fd: open on it, or invalid. Used once by the caller. On
 * failure the object is removed. */
int sl_vchange_adopt(const struct sl_view_ctx *c, struct sl_vnode *dir, uint32_t obj, int fd, const struct sl_vnew *made,
		     struct sl_vnode **ret);

/* filename_create(): where a new name is to be made. -EEXIST where it is there, whatever its slashes. */
int sl_vchange_prepare(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, bool is_dir,
		       struct sl_vwalk *ret);

/* Contents were changed for c: the set-user-ID and set-group-ID bits go as a write of its own takes them
 * (setattr_should_drop_suidgid()). n has its contents in the upper. -errno. */
int sl_vchange_written(const struct sl_view_ctx *c, struct sl_vnode *n);

#endif
