/*
 * acl.h - access control lists where the kernel applies them by itself: permission, and what a new object
 * inherits.
 */
#ifndef SL_VIEW_ACL_H
#define SL_VIEW_ACL_H

#include "view/node.h"

/* The verdict of the object's access list on want (of R_OK, W_OK, X_OK): 0 or -EACCES; 1 where it has none.
 */
int sl_vacl_check(const struct sl_view_ctx *c, struct sl_vnode *n, const struct stat *st, int want);

/* Whether a directory has a default list: 0 or 1. Then the umask does not apply to what is made in it.
 * -errno. */
int sl_vacl_has_default(struct sl_vnode *dir);

/* posix_acl_create(): give a new object, which has its owner but not its mode yet, the lists that it inherits
 * from dir. *mode is what the caller asked for, and then what is left of it. -errno. */
int sl_vacl_inherit(struct sl_vnode *dir, struct sl_vnode *n, mode_t *mode);

#endif
