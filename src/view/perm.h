/*
 * perm.h - may the one who asks do this? As fs/namei.c and fs/attr.c of the kernel decide, on what the view
 * shows.
 */
#ifndef SL_VIEW_PERM_H
#define SL_VIEW_PERM_H

#include "view/node.h"

bool sl_vperm_cap(const struct sl_view_ctx *c, int cap); /* CAP_* */
bool sl_vperm_in_group(const struct sl_view_ctx *c, gid_t gid);

/* May the object be changed at all, whoever asks? -EROFS on a read-only mount; -EPERM for what is immutable,
 * and, but for append, for what can only be appended to. 0 for what the upper has. */
int sl_vperm_change(struct sl_vnode *n, bool append);

/* inode_permission(): want is of R_OK, W_OK, X_OK. 0, -EACCES or what stat failed with. */
int sl_vperm(const struct sl_view_ctx *c, struct sl_vnode *n, int want);

/* Does the object lie on a mount that lets nothing be executed (path_noexec())? What the view made is as the
 * directory that it lies below in the lower. */
bool sl_vperm_noexec(struct sl_vnode *n);

/* inode_owner_or_capable(). */
bool sl_vperm_owner(const struct sl_view_ctx *c, const struct stat *st);

/* May a name be made in dir? 0, -ENOENT (removed), -EACCES. */
int sl_vperm_create(const struct sl_view_ctx *c, struct sl_vnode *dir);

/* May the name of victim in dir be removed, by a call for directories or for others? 0, -EACCES, -EPERM
 * (sticky), -ENOTDIR, -EISDIR, -ENOENT. */
int sl_vperm_delete(const struct sl_view_ctx *c, struct sl_vnode *dir, struct sl_vnode *victim,
		    bool want_dir);

/* fs.protected_symlinks: may the last symbolic link of a path be followed? 0 or -EACCES. */
int sl_vperm_follow(const struct sl_view_ctx *c, struct sl_vnode *dir, struct sl_vnode *link);

/* fs.protected_hardlinks. 0 or -EPERM. */
int sl_vperm_hardlink(const struct sl_view_ctx *c, struct sl_vnode *n);

/* fs.protected_regular, fs.protected_fifos: open with O_CREAT of what is there. 0 or -EACCES. */
int sl_vperm_sticky_create(const struct sl_view_ctx *c, struct sl_vnode *dir, struct sl_vnode *n);

/* Read the fs.protected_* settings; one that cannot be read counts as off. */
void sl_vperm_read_settings(struct sl_view *v);

#endif
