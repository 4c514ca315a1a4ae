/*
 * view.h - a file-system library over two trees: the lower, the real one, which is only read, and the upper,
 * a private directory that takes every change. It knows nothing of seccomp or of other processes.
 *
 * The calls are shaped like the kernel's and answer as the kernel would: 0 or a result, or the -errno of a
 * bare call. Paths are resolved component by component for a context, which says where "/" and the working
 * directory are, who asks, and with which umask.
 *
 * What is changed is kept in memory as nodes and names (node.h); the upper holds one flat file an object,
 * whatever the object's names are. So a directory is renamed without touching what is below it, a hard link
 * is two names of one node, and a whiteout is a name without a node. sl_view_merge_down() applies all of it
 * to a tree that is like the lower.
 *
 * Nobody else may change the lower while a view stands on it. Not thread-safe: one thread uses a view at a
 * time. An open of a FIFO or a device blocks as the bare one does.
 */
#ifndef SL_VIEW_VIEW_H
#define SL_VIEW_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>

struct sl_view;
struct sl_view_file; /* an open file, directory or O_PATH reference */

/* Who asks. caps has the bits of capabilities(7), effective. */
struct sl_view_creds {
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t groups_len;
	uint64_t caps;
};

/* What a walk met, where the caller wants to know. Set to zero before; text is the caller's to free. */
struct sl_view_trail {
	/* A name on the way is not the lower's, or a directory on it lets others in than the lower's. Where
	 * not, and the object itself is unchanged, the kernel's own call has the same outcome, errors
	 * included. */
	bool moved;
	/* The walk enters no procfs, wherever one is mounted (it means something else to each process): where a
	 * name below its root is asked for, the call ends with SL_VIEW_ELSEWHERE, and text is the absolute
	 * path of what would have been walked, symbolic links met so far resolved. */
	bool no_proc;
	char *text;
};
#define SL_VIEW_ELSEWHERE (-5000) /* no errno */

/* For whom a call is made. All members are the caller's and stay so. */
struct sl_view_ctx {
	struct sl_view *view;
	struct sl_view_file *root; /* "/" */
	struct sl_view_file *cwd;
	const struct sl_view_creds *creds;
	mode_t umask;
	struct sl_view_trail *trail; /* or NULL */
};

/* Make a view. lower and upper are directories, duplicated here; the upper must be empty and nobody else's.
 * When the view is freed, what it holds in the upper is removed. -errno. */
int sl_view_new(int lower, int upper, struct sl_view **ret);
void sl_view_free(struct sl_view *v); /* every file must be closed before */

/* Let every I/O on the upper ask first: a negative answer is its result, and the I/O is not done. For tests.
 */
void sl_view_set_fault(struct sl_view *v, int (*fault)(void *arg), void *arg);

/* The directories of the lower that were used last stay open and are not looked up again, until this is called:
 * now and then, where somebody else may change the lower after all. */
void sl_view_forget(struct sl_view *v);

/* Nothing is remembered of directories for which real() is true, by their path below the lower's root: others change
 * them all the time. Before anything there is looked up; NULL: there are none. */
void sl_view_set_real(struct sl_view *v, bool (*real)(const char *lower, void *arg), void *arg);

/* The view's root as an O_PATH file. */
int sl_view_root(struct sl_view *v, struct sl_view_file **ret);
void sl_view_close(struct sl_view_file *f); /* NULL is accepted */

/* The descriptor of an open regular or special file, owned by f; -EBADF for directories and O_PATH files. */
int sl_view_fd(const struct sl_view_file *f);

/* In all of the calls below `at` is the directory a relative path starts from; NULL is the working directory.
 * With AT_EMPTY_PATH in flags, "" is `at` itself: the f*() calls. */

/* openat2(2); flags and mode as for open(2), resolve: RESOLVE_*. O_TMPFILE too. */
int sl_view_openat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, int flags,
		   mode_t mode, uint64_t resolve, struct sl_view_file **ret);

/* Open what f stands for anew, as an open of /proc/self/fd/N does. flags without O_CREAT and O_TMPFILE. */
int sl_view_reopen(const struct sl_view_ctx *c, struct sl_view_file *f, int flags, struct sl_view_file **ret);

/* Names of a directory. pos is 0 at the start, else what the last call left; each open directory lists what
 * was there when its position 0 was read. Returns 1 with an entry, 0 at the end. name points into f, until
 * the next position 0. */
struct sl_view_dirent {
	const char *name;
	ino_t ino;
	unsigned char type; /* DT_* */
};
int sl_view_readdir(struct sl_view_file *f, uint64_t *pos, struct sl_view_dirent *ret);

int sl_view_mkdirat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, mode_t mode);
/* FIFOs, sockets and regular files; devices are -EPERM whoever asks. */
int sl_view_mknodat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, mode_t mode);
/* A socket, whose file is made by bind(arg, dir, name) in a directory of the upper: 0 or its -errno, then
 * nothing is there.
 */
int sl_view_make_socket(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path,
			int (*bind)(void *arg, int dir, const char *name), void *arg);
int sl_view_symlinkat(const struct sl_view_ctx *c, const char *target, struct sl_view_file *at,
		      const char *path);
int sl_view_linkat(const struct sl_view_ctx *c, struct sl_view_file *from_at, const char *from,
		   struct sl_view_file *to_at, const char *to, int flags);
/* flags: AT_REMOVEDIR or 0. */
int sl_view_unlinkat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, int flags);
/* flags: RENAME_NOREPLACE, RENAME_EXCHANGE. */
int sl_view_renameat2(const struct sl_view_ctx *c, struct sl_view_file *from_at, const char *from,
		      struct sl_view_file *to_at, const char *to, unsigned int flags);

/* flags: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH. */
int sl_view_statat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, int flags,
		   struct stat *ret);
/* statx(2): flags also AT_STATX_*; what the view has of its own in place of what is real. */
int sl_view_statx(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, int flags,
		  unsigned int mask, struct statx *ret);
int sl_view_statfs(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, int flags,
		   struct statfs *ret);
/* Permission of c->creds: give the real ids there for access(2), the effective ones for AT_EACCESS. */
int sl_view_accessat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, int mode,
		     int flags);
/* Returns the length put into buf, truncated to size. */
ssize_t sl_view_readlinkat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, char *buf,
			   size_t size);
int sl_view_chmodat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, mode_t mode,
		    int flags);
int sl_view_chownat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, uid_t uid,
		    gid_t gid, int flags);
/* times NULL: now. */
int sl_view_utimensat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path,
		      const struct timespec times[2], int flags);
int sl_view_truncate(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, off_t length);

/* xattr_flags: XATTR_CREATE, XATTR_REPLACE; flags as for statat. */
int sl_view_setxattrat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path,
		       const char *name, const void *value, size_t size, int xattr_flags, int flags);
ssize_t sl_view_getxattrat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path,
			   const char *name, void *value, size_t size, int flags);
ssize_t sl_view_listxattrat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path,
			    char *list, size_t size, int flags);
int sl_view_removexattrat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path,
			  const char *name, int flags);

/* Absolute path of an open file in the view, below the view's root, malloc'd. Of a file with several names
 * one of them. -ENOENT: it was removed, or (of a file with several lower names) none is known. */
int sl_view_path(const struct sl_view_file *f, char **ret);

/* Apply every change to the tree below target, which is the lower or is like it. The view serves no more
 * afterwards but for sl_view_close() and sl_view_free(). Contents are written in place, so hard links and
 * inode numbers of the target stay. -errno where something failed: the upper then still has everything, the
 * target has part of it. */
int sl_view_merge_down(struct sl_view *v, int target);

#endif
