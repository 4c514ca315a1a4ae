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

/* Walk path component by component. base: O_PATH descriptor of the directory that it is relative to; may be -EBADF for
 * an absolute path. Fills fd, parent_fd, name and trailing_slash of *ret. */
int sl_walk(pid_t tid, int base, const char *path, const struct sl_resolve_opts *opts, struct sl_resolved *ret);

#endif
