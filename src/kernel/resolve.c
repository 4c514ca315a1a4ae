/*
 * resolve.c - see resolve.h: the fast way, the choice between it and the walk, and canonical names.
 */
#include "kernel/resolve.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/path.h"
#include "kernel/resolve-walk.h"
#include "kernel/tracee.h"

#define DELETED	   " (deleted)"
#define ROOT_CACHE 256 /* thread ids whose root was compared */

/* The fast way has no answer: walk. MISSING: it met ENOENT behind a symbolic link, which may be our
 * /proc/self. No errno value is as large. */
#define NEED_WALK    (-100000)
#define WALK_MISSING (-100001)

/* What one call works on. */
struct job {
	pid_t tid;
	int base; /* O_PATH of the directory that path is relative to; AT_FDCWD for an absolute one */
	const char *path;
	const struct sl_resolve_opts *opts;
	struct sl_resolved *ret;
	bool named; /* ret->path is filled: with the object's name, or with that of its directory */
};

void sl_resolved_release(struct sl_resolved *r)
{
	r->fd = sl_close(r->fd);
	r->parent_fd = sl_close(r->parent_fd);
}

ssize_t sl_fd_path(int fd, char *buf, size_t size)
{
	char name[48];
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, buf, size);
	if (n < 0)
		return -errno;
	if ((size_t)n >= size)
		return -ENAMETOOLONG;
	buf[n] = '\0';
	return n;
}

/* The object that a canonical name leads to, as ourselves, no link followed. */
static int stat_name(const char *path, struct statx *ret)
{
	int r = statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_INO | STATX_MNT_ID, ret);

	return r < 0 ? -errno : 0;
}

static int stat_fd(int fd, struct statx *ret)
{
	return statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_NLINK | STATX_MNT_ID, ret) < 0 ? -errno : 0;
}

static bool same_device(const struct statx *a, const struct statx *b)
{
	return a->stx_dev_major == b->stx_dev_major && a->stx_dev_minor == b->stx_dev_minor;
}

static bool same_object(const struct statx *a, const struct statx *b)
{
	return a->stx_ino == b->stx_ino && same_device(a, b);
}

/* The text ends in " (deleted)". It may be the file's own name, and the kernel writes memfds and their like
 * as deleted files in the root directory: those are on a mount that has no place there. */
static int judge_deleted(struct sl_resolved *ret, size_t len)
{
	struct statx object, other;
	int r = stat_fd(ret->fd, &object);

	if (r < 0)
		return r;
	if (object.stx_nlink) {
		r = stat_name(ret->path, &other);
		if (r == 0 && same_object(&object, &other))
			return 0;
		if (r < 0 && r != -ENOENT && r != -ENOTDIR)
			return r;
	}
	ret->deleted = true;
	ret->path[len - strlen(DELETED)] = '\0';
	if (!strchr(ret->path + 1, '/')) {
		r = stat_name("/", &other);
		if (r < 0)
			return r;
		ret->anonymous = other.stx_mnt_id != object.stx_mnt_id || !same_device(&object, &other);
	}
	return 0;
}

int sl_resolve_name(struct sl_resolved *ret, int flags)
{
	size_t suffix = strlen(DELETED);
	struct statx object, other;
	ssize_t n = sl_fd_path(ret->fd, ret->path, sizeof(ret->path));
	int r;

	ret->anonymous = ret->deleted = false;
	if (n < 0)
		return (int)n;
	if (ret->path[0] != '/') {
		ret->anonymous = true;
		return 0;
	}
	if ((size_t)n > suffix && strcmp(ret->path + n - suffix, DELETED) == 0) {
		r = judge_deleted(ret, (size_t)n);
		if (r < 0)
			return r;
	}
	if (!(flags & SL_RESOLVE_VERIFY) || ret->deleted || ret->anonymous)
		return 0;
	if (stat_fd(ret->fd, &object) < 0 || stat_name(ret->path, &other) < 0 ||
	    !same_object(&object, &other) || object.stx_mnt_id != other.stx_mnt_id)
		return -ESTALE;
	return 0;
}

/* Is one of the components a number, as those of processes below /proc are? */
static bool has_number(const char *path)
{
	while (*path) {
		size_t digits;

		path += strspn(path, "/");
		digits = strspn(path, "0123456789");
		path += strcspn(path, "/");
		if (digits && path[-1] >= '0' && path[-1] <= '9')
			return true;
	}
	return false;
}

/* May the object behind fd, found through symbolic links, be in our own /proc entry instead of the caller's?
 * Another process's entry is walked once more for nothing; that is rare. */
static bool may_be_own(int fd, const char *name)
{
	struct statfs fs;

	return has_number(name) && (fstatfs(fd, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC);
}

/* Open as ourselves where that is the same as for the caller; j->ret->path and named are filled when the way
 * there told the name. Without symbolic links every answer, an error too, is the caller's. Behind one only a
 * success is, and only outside of our own /proc entry: "/proc/self/fd/9" may be missing for us and there for
 * the caller. */
static int open_fast(struct job *j, const char *path, int flags)
{
	uint64_t resolve = j->opts->resolve & ~(uint64_t)RESOLVE_CACHED;
	SL_CLOSE int fd = sl_open_path(j->base, path, flags, resolve | RESOLVE_NO_SYMLINKS);
	ssize_t n;

	j->named = false;
	if (fd >= 0) {
		j->named = j->base == AT_FDCWD && sl_path_is_normal(path);
		if (j->named)
			memcpy(j->ret->path, path, strlen(path) + 1);
		return SL_TAKE_FD(fd);
	}
	if (fd == -EAGAIN || fd == -ENOSYS || fd == -EPERM)
		return NEED_WALK;
	if (fd != -ELOOP || resolve & RESOLVE_NO_SYMLINKS)
		return fd;
	fd = sl_open_path(j->base, path, flags, resolve | RESOLVE_NO_MAGICLINKS);
	if (fd < 0)
		return fd == -ENOENT ? WALK_MISSING : NEED_WALK;
	n = sl_fd_path(fd, j->ret->path, sizeof(j->ret->path));
	if (n < 0 || may_be_own(fd, j->ret->path))
		return NEED_WALK;
	/* The text of a deleted object is judged by sl_resolve_name(). */
	j->named =
	    j->ret->path[0] == '/' && j->ret->path[n - 1] != ')' && !(j->opts->flags & SL_RESOLVE_VERIFY);
	return SL_TAKE_FD(fd);
}

/* Split path into its directory part, written to dir, and its last component, written to name. False where
 * there is no name that could be created or removed: "", "/", "." or "..", and where it is too long for the
 * caller's buffer. */
static bool split(const char *path, char dir[PATH_MAX], char name[NAME_MAX + 1])
{
	size_t end = strlen(path);
	size_t start, len;

	while (end && path[end - 1] == '/')
		end--;
	for (start = end; start && path[start - 1] != '/';)
		start--;
	len = end - start;
	if (!len || len > NAME_MAX ||
	    (path[start] == '.' && (len == 1 || (len == 2 && path[start + 1] == '.'))))
		return false;
	memcpy(name, path + start, len);
	name[len] = '\0';
	while (start > 1 && path[start - 1] == '/')
		start--;
	memcpy(dir, path, start);
	dir[start] = '\0';
	return true;
}

/* ENOENT behind a symbolic link: it is the caller's too if the directory that lacks the name is found to be
 * nobody's /proc entry. Loaders look for many names that are not there, so this saves walks. */
static int settle_missing(struct job *j)
{
	char path[PATH_MAX], dir[PATH_MAX], name[NAME_MAX + 1];

	memcpy(path, j->path, strlen(j->path) + 1);
	for (int depth = 0; depth < 4 && split(path, dir, name) && *dir; depth++) {
		SL_CLOSE int parent = open_fast(j, dir, O_DIRECTORY);
		SL_CLOSE int fd = -EBADF;

		if (parent >= 0) {
			fd = sl_open_path(parent, name, O_NOFOLLOW, RESOLVE_NO_SYMLINKS);
			return fd == -ENOENT ? -ENOENT : NEED_WALK;
		}
		if (parent != WALK_MISSING)
			return parent;
		memcpy(path, dir, strlen(dir) + 1);
	}
	return NEED_WALK;
}

static int fast_object(struct job *j)
{
	int fd = open_fast(j, j->path, j->opts->flags & SL_RESOLVE_NOFOLLOW ? O_NOFOLLOW : 0);

	if (fd == WALK_MISSING)
		return settle_missing(j);
	if (fd < 0)
		return fd;
	j->ret->fd = fd;
	return 0;
}

static int fast_parent(struct job *j)
{
	char dir[PATH_MAX];
	struct stat st;
	SL_CLOSE int fd = -EBADF;

	if (!split(j->path, dir, j->ret->name)) {
		j->ret->name[0] = '\0';
		fd = open_fast(j, j->path, 0);
		if (fd < 0)
			return fd;
		j->ret->fd = SL_TAKE_FD(fd);
		return 0;
	}
	if (*dir)
		fd = open_fast(j, dir, O_DIRECTORY);
	else
		fd = fcntl(j->base, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return *dir ? fd : -errno;
	j->ret->parent_fd = SL_TAKE_FD(fd);
	fd = sl_open_path(j->ret->parent_fd, j->ret->name, O_NOFOLLOW, j->opts->resolve & RESOLVE_NO_XDEV);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode) && !(j->opts->flags & SL_RESOLVE_NOFOLLOW))
		return NEED_WALK;
	if (j->ret->trailing_slash && !S_ISDIR(st.st_mode))
		return -ENOTDIR;
	j->ret->fd = SL_TAKE_FD(fd);
	return 0;
}

/* The name of parent_fd and "/name" behind it. */
static int name_in_parent(struct job *j)
{
	struct sl_resolved *ret = j->ret;
	size_t len, name_len = strlen(ret->name);
	int object = ret->fd;
	int r = 0;

	if (!j->named) {
		ret->fd = ret->parent_fd;
		r = sl_resolve_name(ret, j->opts->flags & SL_RESOLVE_VERIFY);
		ret->fd = object;
	}
	if (r < 0)
		return r;
	if (ret->deleted || ret->anonymous)
		return -ENOENT;
	len = strlen(ret->path);
	if (len == 1)
		len = 0; /* the root */
	if (len + 1 + name_len >= sizeof(ret->path))
		return -ENAMETOOLONG;
	ret->path[len] = '/';
	memcpy(ret->path + len + 1, ret->name, name_len + 1);
	return 0;
}

static int name_result(struct job *j)
{
	if (j->ret->parent_fd >= 0)
		return name_in_parent(j);
	return j->named ? 0 : sl_resolve_name(j->ret, j->opts->flags & SL_RESOLVE_VERIFY);
}

int sl_open_base(pid_t tid, int dirfd)
{
	char name[48];
	int fd;

	if (dirfd == AT_FDCWD)
		snprintf(name, sizeof(name), "/proc/%d/cwd", (int)tid);
	else if (dirfd >= 0)
		snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)tid, dirfd);
	else
		return -EBADF;
	fd = open(name, O_PATH | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return -errno;
	return dirfd == AT_FDCWD ? -ESRCH : -EBADF;
}

/* Is the thread's root ours? 1, 0 or -errno. A yes is kept: see the top of resolve.h. */
static int same_root(pid_t tid)
{
	static _Thread_local pid_t known[ROOT_CACHE];
	pid_t *slot = &known[(uint32_t)tid % ROOT_CACHE];
	struct statx own, its;
	char name[48];

	if (*slot == tid)
		return 1;
	snprintf(name, sizeof(name), "/proc/%d/root", (int)tid);
	if (statx(AT_FDCWD, name, 0, STATX_INO | STATX_MNT_ID, &its) < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	if (stat_name("/", &own) < 0)
		return -errno;
	if (!same_object(&own, &its) || own.stx_mnt_id != its.stx_mnt_id)
		return 0;
	*slot = tid;
	return 1;
}

/* O_PATH of the thread's root. */
static int open_root(pid_t tid, bool same)
{
	char name[48] = "/";
	int fd;

	if (!same)
		snprintf(name, sizeof(name), "/proc/%d/root", (int)tid);
	fd = open(name, O_PATH | O_CLOEXEC);
	return fd >= 0 ? fd : errno == ENOENT ? -ESRCH : -errno;
}

/* With the caller's identity. root: its root where it is not ours, else invalid. */
static int look_up(struct job *j, int root, struct sl_identity **identity)
{
	SL_CLOSE int own_root = -EBADF;
	int r = NEED_WALK;

	if (root < 0 && !j->opts->may_use_link)
		r = j->opts->flags & SL_RESOLVE_PARENT ? fast_parent(j) : fast_object(j);
	if (r != NEED_WALK && r != WALK_MISSING)
		return r;
	sl_resolved_release(j->ret);
	j->ret->name[0] = '\0';
	j->named = false;
	if (root < 0) {
		own_root = open_root(j->tid, true);
		if (own_root < 0)
			return own_root;
	}
	return sl_walk(j->tid, root < 0 ? own_root : root, j->base, j->path, j->opts, identity, j->ret);
}

static int resolve_job(struct job *j)
{
	struct sl_identity *identity = NULL;
	SL_CLOSE int root = -EBADF;
	int r = same_root(j->tid);

	if (r == 0) {
		root = open_root(j->tid, false);
		r = root;
	}
	if (r >= 0 && j->opts->creds)
		r = sl_identity_assume(j->opts->creds, &identity);
	if (r < 0)
		return r;
	r = look_up(j, root, &identity);
	sl_identity_restore(identity);
	return r < 0 ? r : name_result(j);
}

int sl_resolve_with(pid_t tid, int dirfd, const char *path, const struct sl_resolve_opts *opts,
		    struct sl_resolved *ret)
{
	struct job j = {.tid = tid, .base = AT_FDCWD, .path = path, .opts = opts, .ret = ret};
	size_t len = strlen(path);
	int r;

	ret->fd = ret->parent_fd = -EBADF;
	ret->name[0] = '\0';
	ret->anonymous = ret->deleted = ret->trailing_slash = false;
	if (!len && opts->flags & SL_RESOLVE_EMPTY) {
		r = ret->fd = sl_open_base(tid, dirfd);
		if (r >= 0)
			r = sl_resolve_name(ret, opts->flags & SL_RESOLVE_VERIFY);
	} else if (!len || len >= PATH_MAX) {
		return len ? -ENAMETOOLONG : -ENOENT;
	} else if (*path == '/' && opts->resolve & RESOLVE_BENEATH) {
		return opts->resolve & RESOLVE_IN_ROOT ? -EINVAL : -EXDEV;
	} else {
		ret->trailing_slash = path[len - 1] == '/';
		if (*path != '/' || opts->resolve & RESOLVE_IN_ROOT)
			j.base = sl_open_base(tid, dirfd);
		r = j.base < 0 && j.base != AT_FDCWD ? j.base : resolve_job(&j);
		sl_close(j.base);
	}
	if (r < 0)
		sl_resolved_release(ret);
	return SL_MIN(r, 0);
}

int sl_resolve(pid_t tid, int dirfd, const char *path, int flags, struct sl_resolved *ret)
{
	struct sl_resolve_opts opts = {.flags = flags};

	return sl_resolve_with(tid, dirfd, path, &opts, ret);
}

int sl_resolve_fd(pid_t tid, int fd, struct sl_resolved *ret)
{
	return fd < 0 ? -EBADF : sl_resolve(tid, fd, "", SL_RESOLVE_EMPTY, ret);
}
