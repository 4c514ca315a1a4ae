/*
 * resolve-walk.h - the inside of resolve.h: what its files share.
 */
#ifndef SL_KERNEL_RESOLVE_WALK_H
#define SL_KERNEL_RESOLVE_WALK_H

#include "kernel/resolve.h"

/* openat2(2) with O_PATH | O_CLOEXEC | flags, as ourselves. A descriptor or -errno. */
int sl_open_path(int dirfd, const char *path, int flags, uint64_t resolve);

/* Do both descriptors name the same object, reached through the same mount? */
bool sl_same_place(int a, int b);

struct sl_identity;

/* Walk path component by component. root, base: O_PATH descriptors of the caller's root and of the directory
 * that path is relative to; base may be invalid for an absolute path. identity: what sl_identity_assume()
 * saved when opts->creds were taken on; given up and taken on again where the caller may what its identity
 * alone may not. Fills fd, parent_fd, name and trailing_slash of *ret. */
int sl_walk(pid_t tid, int root, int base, const char *path, const struct sl_resolve_opts *opts,
	    struct sl_identity **identity, struct sl_resolved *ret);

#endif
