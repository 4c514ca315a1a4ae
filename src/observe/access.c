/*
 * access.c - opening and truncating: what open(2), openat2(2) and truncate(2) are about to do.
 *
 * The order of the checks is the kernel's (fs/namei.c: do_open, may_open, lookup_open): a wrong one would only show
 * in the error's name in a trace. What cannot be seen from outside, such as a FIFO without a reader or a driver that
 * refuses, counts as success.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/path.h"
#include "kernel/usage.h"
#include "observe/event.h"

#define TTY_CONTROLLING makedev(5, 0)
#define PROCESS_TTY	7 /* field of /proc/PID/stat */
#define OPEN_FLAGS_KNOWN                                                                                     \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | O_DIRECT |    \
	 O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE | FASYNC | 0100000)

/* The bits of the flags that decide what an open does to names and rights. */
#define OPEN_FLAGS_ACCESS                                                                                    \
	(O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_PATH | O_TMPFILE)

struct opening {
	int flags;
	uint64_t resolve; /* openat2's RESOLVE_* */
};

static bool reads(int flags)
{
	return (flags & O_ACCMODE) != O_WRONLY;
}

/* O_ACCMODE 3 asks for both and gives neither, but for ioctl. */
static bool writes(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY;
}

/* Copy openat2's structure as copy_struct_from_user() does. */
static int read_how(struct sl_event *e, struct opening *ret)
{
	struct open_how how;
	uint64_t size = e->n->data.args[3];
	char rest[256];
	int r;

	if (size < sizeof(how))
		return -EINVAL;
	if (size > sizeof(how) + sizeof(rest))
		return -E2BIG;
	r = sl_tracee_read(e->tid, e->n->data.args[2], &how, sizeof(how));
	if (r < 0)
		return r;
	if (size > sizeof(how)) {
		r = sl_tracee_read(e->tid, e->n->data.args[2] + sizeof(how), rest, size - sizeof(how));
		if (r < 0)
			return r;
		for (size_t i = 0; i < size - sizeof(how); i++)
			if (rest[i])
				return -E2BIG;
	}
	if (how.flags & ~(uint64_t)OPEN_FLAGS_KNOWN)
		return -EINVAL;
	*ret = (struct opening){ .flags = (int)how.flags, .resolve = how.resolve };
	return 0;
}

static int read_opening(struct sl_event *e, struct opening *ret)
{
	if (e->op == SL_OP_CREAT) {
		*ret = (struct opening){ .flags = O_CREAT | O_WRONLY | O_TRUNC };
		return 0;
	}
	if (e->op == SL_OP_OPENAT2)
		return read_how(e, ret);
	*ret = (struct opening){ .flags = (int)e->n->data.args[e->call->flags_arg] };
	return 0;
}

/* Has the caller a controlling terminal? /dev/tty cannot be opened without one (ENXIO). */
static bool has_terminal(pid_t tid)
{
	uint64_t number;

	return sl_usage_field(tid, PROCESS_TTY, &number) < 0 || number;
}

/* Terminals: whatever they are opened for, every libc asks for their settings (TCGETS), which Landlock counts as a
 * device's ioctl. */
static bool is_terminal(const struct stat *st)
{
	unsigned int major_number = major(st->st_rdev);

	return S_ISCHR(st->st_mode) && (major_number == 4 || major_number == 5 ||
					(major_number >= 136 && major_number <= 143));
}

static uint32_t rights_of(int flags, const struct stat *st)
{
	uint32_t rights = 0;

	if (S_ISDIR(st->st_mode))
		return SL_RIGHT_LIST;
	if (reads(flags))
		rights |= SL_RIGHT_READ;
	if (writes(flags) || flags & O_TRUNC)
		rights |= SL_RIGHT_WRITE;
	if (is_terminal(st))
		rights |= SL_RIGHT_IOCTL;
	return rights;
}

/* What O_CREAT does with what is in a sticky directory (fs/namei.c: may_create_in_sticky; proc(5)). */
static int protected_in_sticky(struct sl_event *e, int fd, const struct stat *st)
{
	int level = S_ISREG(st->st_mode)    ? sl_protection_level(SL_PROTECTED_REGULAR) :
		    S_ISFIFO(st->st_mode) ? sl_protection_level(SL_PROTECTED_FIFOS) :
					    0;
	char path[PATH_MAX], *slash;
	struct stat dir;

	if (!level || e->lenient || st->st_uid == sl_may_fsuid(e))
		return 0;
	if (sl_fd_path(fd, path, sizeof(path)) < 1 || !(slash = strrchr(path, '/')))
		return 0;
	slash[slash == path] = '\0';
	if (stat(path, &dir) < 0 || !(dir.st_mode & S_ISVTX) || dir.st_uid == st->st_uid)
		return 0;
	return dir.st_mode & S_IWOTH || (level > 1 && dir.st_mode & S_IWGRP) ? -EACCES : 0;
}

static int check_kind(struct sl_event *e, int flags, int fd, const struct stat *st)
{
	if (S_ISLNK(st->st_mode))
		return -ELOOP; /* O_NOFOLLOW */
	if (S_ISDIR(st->st_mode) && (flags & (O_CREAT | O_TRUNC) || writes(flags)))
		return -EISDIR;
	if (flags & O_DIRECTORY && !S_ISDIR(st->st_mode))
		return -ENOTDIR;
	if (S_ISSOCK(st->st_mode) || (S_ISCHR(st->st_mode) && !st->st_rdev))
		return -ENXIO; /* a whiteout is no device */
	if (S_ISCHR(st->st_mode) && st->st_rdev == TTY_CONTROLLING && !has_terminal(e->tid))
		return -ENXIO;
	return flags & O_CREAT ? protected_in_sticky(e, fd, st) : 0;
}

static bool in_own_proc(const struct sl_event *e, const char *path)
{
	char own[64];

	snprintf(own, sizeof(own), "/proc/%d", e->caller.tgid);
	return sl_path_within(path, own);
}

static int open_existing(struct sl_event *e, int flags, const struct sl_resolved *r)
{
	int mode = (reads(flags) ? R_OK : 0) | (writes(flags) || flags & O_TRUNC ? W_OK : 0);
	struct stat st;
	int error;

	if (fstat(r->fd, &st) < 0)
		return -errno;
	e->fifo = S_ISFIFO(st.st_mode);
	error = check_kind(e, flags, r->fd, &st);
	if (error < 0)
		return error;
	if (r->trailing_slash && !S_ISDIR(st.st_mode))
		return -ENOTDIR;
	error = sl_may_access(e, r->fd, mode);
	if (error == -EACCES && e->differs && in_own_proc(e, r->path))
		error = 0; /* a process may always look into its own descriptors, even when it is not dumpable */
	if (error < 0)
		return error;
	if (flags & O_NOATIME && (error = sl_may_own(e, &st)) < 0)
		return error;
	if (!r->anonymous)
		sl_event_use(e, rights_of(flags, &st), r->path, S_ISDIR(st.st_mode));
	return 0;
}

static int open_new(struct sl_event *e, int flags, const struct sl_resolved *at)
{
	uint32_t rights = (reads(flags) ? SL_RIGHT_READ : 0u) | (writes(flags) ? SL_RIGHT_WRITE : 0u);
	SL_FREE char *dir = NULL;
	int r;

	if (at->trailing_slash || !at->name[0])
		return -EISDIR;
	r = sl_may_create(e, at);
	if (r < 0)
		return r;
	dir = sl_path_dirname(at->path);
	sl_event_use(e, SL_RIGHT_CREATE, dir, true);
	sl_event_made(e, at->path);
	sl_event_use(e, rights, at->path, false);
	return 0;
}

/* O_TMPFILE: a file without a name in that directory. */
static int open_unnamed(struct sl_event *e, int flags, const struct sl_resolved *r)
{
	struct stat st;
	int error;

	if ((flags & O_TMPFILE) != O_TMPFILE || !writes(flags) || flags & O_CREAT)
		return -EINVAL;
	if (fstat(r->fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	error = sl_may_access(e, r->fd, W_OK | X_OK);
	if (error < 0)
		return error;
	sl_event_use(e, SL_RIGHT_CREATE | (reads(flags) ? SL_RIGHT_READ : 0u), r->path, true);
	return 0;
}

static int resolve_open(struct sl_event *e, const struct opening *o, struct sl_resolved *ret)
{
	struct sl_resolve_opts opts = { .resolve = o->resolve };

	/* A dangling symbolic link is followed by O_CREAT, which makes its target. */
	if (o->flags & O_CREAT)
		opts.flags |= SL_RESOLVE_PARENT;
	if (o->flags & O_NOFOLLOW || (o->flags & O_CREAT && o->flags & O_EXCL))
		opts.flags |= SL_RESOLVE_NOFOLLOW;
	return sl_event_resolve_path(e, sl_event_dirfd(e, 0), e->raw[0], &opts, ret);
}

static int predict_open(struct sl_event *e, const struct opening *o, struct sl_resolved *at)
{
	int flags = o->flags, r;

	if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
		return -EINVAL;
	r = resolve_open(e, o, at);
	if (r < 0)
		return r;
	if ((flags & O_TMPFILE) & ~O_DIRECTORY)
		return open_unnamed(e, flags, at);
	if (at->fd < 0)
		return open_new(e, flags, at);
	if (flags & O_CREAT && flags & O_EXCL)
		return -EEXIST;
	return open_existing(e, flags, at);
}

/* May a path be held in the cache? Not where it depends on who asks: /proc/self, descriptors, terminals, whether it
 * is written in the path or hidden behind a symbolic link; and not where each call makes something. */
static bool cacheable(const struct sl_event *e, const struct opening *o, const struct sl_resolved *at)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS };
	const char *path = e->raw[0];
	int fd;

	if (path[0] != '/' || at->fd < 0 || at->anonymous || e->fifo || o->resolve || e->step_count > 1 ||
	    (o->flags & O_TMPFILE) & ~O_DIRECTORY)
		return false;
	if (!strncmp(path, "/proc", 5) || !strncmp(path, "/dev", 4) || !strncmp(at->path, "/proc/", 6) ||
	    !strncmp(at->path, "/dev/", 5))
		return false;
	if (!strcmp(path, at->path))
		return true;
	fd = (int)syscall(__NR_openat2, AT_FDCWD, path, &how, sizeof(how));
	sl_close(fd);
	return fd >= 0;
}

int sl_observe_open(struct sl_event *e)
{
	SL_CLEANUP(sl_resolved_release) struct sl_resolved at = SL_RESOLVED_INIT;
	bool use_cache = !e->differs && !e->o->options.trace;
	struct sl_cache_key key = { { 0 } };
	struct opening o;
	int r = read_opening(e, &o);

	if (r < 0)
		return r;
	if (o.flags & O_PATH)
		return SL_NOTHING;
	r = sl_event_read_path(e, 0);
	if (r < 0)
		return r;
	if (use_cache && e->raw[0][0] == '/') {
		key = sl_cache_key(&e->o->cache, e->raw[0], strlen(e->raw[0]), (uint64_t)o.flags & OPEN_FLAGS_ACCESS);
		e->held = sl_cache_holds(&e->o->cache, &key, e->o->now_ms);
		if (e->held)
			return SL_NOTHING;
	}
	r = predict_open(e, &o, &at);
	if (r == 0 && use_cache && cacheable(e, &o, &at))
		e->cache_key = key;
	return r;
}

int sl_observe_truncate(struct sl_event *e)
{
	SL_CLEANUP(sl_resolved_release) struct sl_resolved at = SL_RESOLVED_INIT;
	struct stat st;
	int r;

	if ((int64_t)e->n->data.args[1] < 0)
		return -EINVAL;
	r = sl_event_resolve(e, 0, 0, &at);
	if (r < 0)
		return r;
	if (fstat(at.fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	r = sl_may_access(e, at.fd, W_OK);
	if (r < 0)
		return r;
	sl_event_use(e, SL_RIGHT_WRITE, at.path, false);
	return 0;
}
