/*
 * resolve.h - resolving a path as another process would: its root, its working directory or descriptor, its
 * /proc/self, its magic links. Never as the supervisor itself.
 *
 * The fast way is one openat2(O_PATH, RESOLVE_NO_MAGICLINKS) and a readlink of the result. Where that meets a
 * magic link, or ends in the supervisor's own /proc entry, the path is walked component by component with
 * /proc/self, /proc/thread-self and magic links substituted for the caller.
 */
#ifndef SL_KERNEL_RESOLVE_H
#define SL_KERNEL_RESOLVE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

enum sl_resolve_flags {
	SL_RESOLVE_NOFOLLOW = 1 << 0,	/* the last component's symbolic link is the object */
	SL_RESOLVE_PARENT = 1 << 1,	/* the last component need not exist: resolve its directory (see below) */
	SL_RESOLVE_EMPTY = 1 << 2,	/* AT_EMPTY_PATH: "" is the descriptor itself */
};

struct sl_resolved {
	int fd;		     /* O_PATH descriptor of the object; -EBADF when it does not exist (PARENT only) */
	int parent_fd;	     /* with PARENT: O_PATH of the directory that holds (or would hold) the name */
	char name[NAME_MAX + 1]; /* with PARENT: the last component; "" where there is none ("/", "..", ".") */
	char path[PATH_MAX]; /* canonical path of the object, or parent/name; kernel text for anonymous ones */
	bool anonymous;	     /* pipe, socket, memfd, anon_inode: path does not begin with '/' or is a deleted memfd */
	bool deleted;	     /* the name is gone (st_nlink 0 or " (deleted)"); path is the last name, suffix removed */
	bool trailing_slash; /* the raw path ended in '/' */
};

#define SL_RESOLVED_INIT ((struct sl_resolved){ .fd = -EBADF, .parent_fd = -EBADF })
void sl_resolved_release(struct sl_resolved *r);

/* Resolve path relative to dirfd (AT_FDCWD: the working directory) of thread tid. Returns 0 or the -errno that the
 * kernel would give the caller (-ENOENT, -ENOTDIR, -EACCES, -ELOOP, -ENAMETOOLONG, -EBADF …).
 * With SL_RESOLVE_PARENT a missing last component is success with fd -EBADF. */
int sl_resolve(pid_t tid, int dirfd, const char *path, int flags, struct sl_resolved *ret);

/* The object behind a descriptor of the thread. */
int sl_resolve_fd(pid_t tid, int fd, struct sl_resolved *ret);

/* Canonical path of any descriptor of our own, " (deleted)" kept. Length or -errno. */
ssize_t sl_fd_path(int fd, char *buf, size_t size);

#endif
