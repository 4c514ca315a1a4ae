/*
 * change.h - what the calls that make names share.
 */
#ifndef SL_VIEW_CHANGE_H
#define SL_VIEW_CHANGE_H

#include "view/walk.h"

/* A node for a new object of the upper with the owner and mode that it gets in dir (inode_init_owner(), umask
 * applied). Used once by the caller. On failure the object is removed. */
int sl_vchange_adopt(const struct sl_view_ctx *c, struct sl_vnode *dir, uint32_t obj, mode_t mode,
		     struct sl_vnode **ret);

/* filename_create(): where a new name is to be made. -EEXIST where it is there, whatever its slashes. */
int sl_vchange_prepare(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, bool is_dir,
		       struct sl_vwalk *ret);

/* Contents were changed for c: the set-user-ID and set-group-ID bits go as a write of its own takes them
 * (setattr_should_drop_suidgid()). n has its contents in the upper. -errno. */
int sl_vchange_written(const struct sl_view_ctx *c, struct sl_vnode *n);

#endif
