/*
 * own-path.h - opening a path as ourselves and learning its canonical name in the same step. For profile entries and
 * other paths that the caller of the tool gave; never for a path that a sandboxed process gave (kernel/resolve.h).
 */
#ifndef SL_KERNEL_OWN_PATH_H
#define SL_KERNEL_OWN_PATH_H

#include <limits.h>

/* Open path (absolute, or relative to the working directory; a final symbolic link is followed) with O_PATH.
 * canonical receives the object's name: a path without symbolic links, or the kernel's text for an object that has
 * none ("pipe:[7]"). Returns the descriptor or -errno, canonical then undefined. */
int sl_own_path_open(const char *path, char canonical[PATH_MAX]);

/* Open a normal absolute path that is its own canonical name. -ELOOP where a symbolic link is on the way; where
 * openat2(2) is missing it is never opened. */
int sl_own_path_open_plain(const char *path);

#endif
