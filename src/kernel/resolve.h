/*
 * resolve.h - resolving a path as another process would: its root, its working directory or descriptor, its
 * /proc/self, its magic links. Never as the supervisor itself.
 *
 * The fast way is one openat2(O_PATH, RESOLVE_NO_SYMLINKS), which depends on nobody's identity; a normal
 * absolute path that it can walk is its own canonical name. Behind a symbolic link a second one with
 * RESOLVE_NO_MAGICLINKS and a readlink of the result follow. Where that meets a magic link, or may have gone
 * through the supervisor's own /proc entry, the path is walked component by component with /proc/self,
 * /proc/thread-self and magic links substituted for the caller. Every open is O_PATH: no FIFO, device or
 * terminal is opened.
 *
 * Search permission of directories, and the protection of symbolic links in sticky directories, are checked
 * by the kernel against OUR file-system identity. Whoever needs the caller's exact answer gives its
 * credentials in sl_resolve_opts: they are taken on for the walk, after the caller's /proc entry, which a
 * caller that is not dumpable keeps closed to its own identity, was opened with ours.
 *
 * The caller's root is compared with ours once per thread id and kept: what runs in a sandbox can neither
 * chroot nor change its mount namespace. A caller with another root is resolved by the walk, within that
 * root.
 */
#ifndef SL_KERNEL_RESOLVE_H
#define SL_KERNEL_RESOLVE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

enum sl_resolve_flags {
	SL_RESOLVE_NOFOLLOW = 1 << 0, /* the last component's symbolic link is the object */
	SL_RESOLVE_PARENT = 1 << 1, /* the last component need not exist: resolve its directory (see below) */
	SL_RESOLVE_EMPTY = 1 << 2,  /* AT_EMPTY_PATH: "" is the descriptor itself */
	SL_RESOLVE_VERIFY =
	    1 << 3, /* for whoever decides by name: -ESTALE where the canonical name does not lead
		     * back to the object (covered by a mount, outside of our root, renamed
		     * meanwhile). Deleted and anonymous objects are only marked as such. */
};

struct sl_resolved {
	int fd;	       /* O_PATH descriptor of the object; -EBADF when it does not exist (PARENT only) */
	int parent_fd; /* with PARENT: O_PATH of the directory that holds (or would hold) the name */
	char
	    name[NAME_MAX + 1]; /* with PARENT: the last component; "" where there is none ("/", "..", ".") */
	char
	    path[PATH_MAX]; /* canonical path of the object, or parent/name; kernel text for anonymous ones */
	bool anonymous; /* pipe, socket, memfd, anon_inode: path does not begin with '/' or is a deleted memfd
			 */
	bool deleted; /* the name is gone (st_nlink 0 or " (deleted)"); path is the last name, suffix removed
		       */
	mode_t type; /* S_IFMT, where a view answers: then fd may be missing all the same */
	bool trailing_slash; /* the path ended in '/'; with PARENT that of the last symbolic link followed */
};

#define SL_RESOLVED_INIT ((struct sl_resolved){.fd = -EBADF, .parent_fd = -EBADF})
void sl_resolved_release(struct sl_resolved *r);

/* Resolve path relative to dirfd (AT_FDCWD: the working directory) of thread tid. Returns 0 or the -errno
 * that the kernel would give the caller (-ENOENT, -ENOTDIR, -EACCES, -ELOOP, -ENAMETOOLONG, -EBADF …); -ESRCH
 * when the thread is gone; -EACCES (or -EPERM) also where /proc/TID is closed to us, as that of a process
 * that is not dumpable is to an ordinary user. On failure *ret holds nothing.
 *
 * With SL_RESOLVE_PARENT, for calls that create, remove or rename:
 * - A missing last component is success with fd -EBADF: parent_fd, name and path say what would be made.
 * Without NOFOLLOW a last symbolic link is followed, so for a dangling one they name its target, which is
 * where open(O_CREAT) makes the file.
 * - Where the last component is ".", ".." or missing ("/"), and where a magic link was followed to its
 * object, name is
 *   "" and parent_fd -EBADF: there is nothing to create or remove under that name; fd is the object.
 * - Of a trailing slash only trailing_slash remains: mkdir("x/") is fine, open("x/", O_CREAT) is EISDIR. What
 * exists under the name and is no directory is -ENOTDIR, a symbolic link too under NOFOLLOW; that mkdir would
 * say EEXIST, and open(O_CREAT) EISDIR, is left to callers that care which error it is.
 * - In a directory that is itself removed every name is -ENOENT. */
int sl_resolve(pid_t tid, int dirfd, const char *path, int flags, struct sl_resolved *ret);

/* The same with the caller's own restrictions. -EPERM also where its identity cannot be taken on. */
struct sl_creds;
struct sl_resolve_opts {
	int flags; /* SL_RESOLVE_* */
	const struct sl_creds
	    *creds;	  /* the caller's; NULL: permissions are checked for the present identity */
	uint64_t resolve; /* RESOLVE_* of the caller's openat2(2); RESOLVE_CACHED is ignored */
	/* May the caller follow magic links (fd, cwd, root, exe …) in the /proc entry of this process (a
	 * thread group)? Asked for other processes than its own. NULL: those that the kernel lets us follow,
	 * but never our own. */
	bool (*may_follow)(pid_t tgid, void *arg);
	/* May a symbolic link in this directory be followed? -EXDEV where it may not. NULL: each may. */
	bool (*may_use_link)(int dir, void *arg);
	void *arg;
};
int sl_resolve_with(pid_t tid, int dirfd, const char *path, const struct sl_resolve_opts *opts,
		    struct sl_resolved *ret);

/* The object behind a descriptor of the thread. -EBADF. */
int sl_resolve_fd(pid_t tid, int fd, struct sl_resolved *ret);

/* O_PATH of the thread's working directory (AT_FDCWD) or of the object behind its descriptor. -ESRCH, -EBADF, -errno. */
int sl_open_base(pid_t tid, int dirfd);

/* Canonical path of any descriptor of our own, " (deleted)" kept. Length or -errno (-ENAMETOOLONG). */
ssize_t sl_fd_path(int fd, char *buf, size_t size);

/* Fill path, anonymous and deleted of *ret from ret->fd, a descriptor of our own. flags: SL_RESOLVE_VERIFY or
 * 0. */
int sl_resolve_name(struct sl_resolved *ret, int flags);

#endif
