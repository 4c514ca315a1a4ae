/*
 * resolve-walk.c - a path walked component by component, as fs/namei.c does it, for one thread that is not
 * ourselves.
 *
 * Each component is opened with O_PATH | O_NOFOLLOW relative to the one before, so the kernel checks
 * permissions and finds mounts, and never follows a link. What a link means is decided here:
 *
 * - text: put in front of what remains of the path, "/" being the caller's root;
 * - "self" and "thread-self" in the root of procfs: the caller's numbers instead of ours;
 * - a magic link of procfs (fd/N, cwd, root, exe, ns/x …): followed by the kernel, which jumps to the object
 * of the process whose entry the link is in. As the kernel asks whether WE may do that, the entry must not be
 * our own, and somebody else's only if the caller may follow it.
 *
 * The numbers below /proc mean what we take them for only if that procfs shows our own process under our own
 * number: in another pid namespace's every link is refused.
 *
 * Limits are the kernel's: 40 links in all, PATH_MAX a link's text; a component's length is judged by its
 * file system.
 */
#include "kernel/resolve-walk.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "base/strbuf.h"
#include "kernel/tracee.h"

#define MAX_LINKS      40
#define PROC_ROOT_INO  1
#define PROC_DEPTH     5      /* of a magic link below the root of procfs: PID/task/TID/fd/N */
#define F_NOSYMFOLLOW  0x2000 /* statfs f_flags: mounted with nosymfollow */
#define SCOPED	       (RESOLVE_BENEATH | RESOLVE_IN_ROOT)
#define STICKY_FOR_ALL (S_ISVTX | S_IWOTH)

struct walk {
	pid_t tid;
	const struct sl_resolve_opts *opts;
	struct sl_identity **identity; /* ours, where the caller's was taken on */
	int root;		       /* the caller's, or where RESOLVE_BENEATH and IN_ROOT end */
	int cur;		       /* the directory that the next component is looked up in */
	int links;
	bool root_known;       /* the kernel has needed the root so far */
	struct sl_strbuf rest; /* what is still to be walked, from pos on */
	size_t pos;
	char name[PATH_MAX]; /* the component at hand */
	bool last, trailing; /* it is the last one; slashes follow it */
	struct sl_resolved *ret;
};

int sl_open_path(int dirfd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {.flags = (uint32_t)(O_PATH | O_CLOEXEC | flags), .resolve = resolve};
	long fd = syscall(__NR_openat2, dirfd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* What needs no resolve flag works without openat2, which an old kernel or an outer sandbox lacks. */
static int open_plain(int dirfd, const char *name, int flags)
{
	int fd = openat(dirfd, name, O_PATH | O_CLOEXEC | flags);

	return fd < 0 ? -errno : fd;
}

static int open_with(int dirfd, const char *name, int flags, uint64_t resolve)
{
	return resolve ? sl_open_path(dirfd, name, flags, resolve) : open_plain(dirfd, name, flags);
}

static int place_of(int fd, struct statx *ret)
{
	return statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, ret) < 0 ? -errno : 0;
}

static bool same_mount(const struct statx *a, const struct statx *b)
{
	/* Without STATX_MNT_ID (before 5.8) both are 0, and the device has to do. */
	return a->stx_mnt_id == b->stx_mnt_id && a->stx_dev_major == b->stx_dev_major &&
	       a->stx_dev_minor == b->stx_dev_minor;
}

bool sl_same_place(int a, int b)
{
	struct statx x, y;

	return place_of(a, &x) == 0 && place_of(b, &y) == 0 && x.stx_ino == y.stx_ino && same_mount(&x, &y);
}

/* RESOLVE_NO_XDEV: may the walk go from one descriptor to the other? */
static int check_xdev(const struct walk *w, int from, int to)
{
	struct statx x, y;

	if (!(w->opts->resolve & RESOLVE_NO_XDEV))
		return 0;
	if (place_of(from, &x) < 0 || place_of(to, &y) < 0)
		return -EACCES;
	return same_mount(&x, &y) ? 0 : -EXDEV;
}

static void set_cur(struct walk *w, int fd)
{
	sl_close(w->cur);
	w->cur = fd;
}

static int dup_path(int fd)
{
	int r = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return r < 0 ? -errno : r;
}

static int jump_to_root(struct walk *w)
{
	int fd, r;

	if (w->opts->resolve & RESOLVE_BENEATH)
		return -EXDEV;
	/* As nd_jump_root() has it: with a root that it did not look up yet, any directory is on another
	 * mount. */
	if (w->opts->resolve & RESOLVE_NO_XDEV && w->cur >= 0 && !w->root_known)
		return -EXDEV;
	w->root_known = true;
	fd = dup_path(w->root);
	if (fd < 0)
		return fd;
	r = w->cur >= 0 ? check_xdev(w, w->cur, fd) : 0;
	if (r < 0) {
		sl_close(fd);
		return r;
	}
	set_cur(w, fd);
	return 0;
}

/* Put text in the place of the component at hand. */
static int substitute(struct walk *w, const char *text)
{
	struct sl_strbuf rest = SL_STRBUF_INIT;

	if (!*text)
		return -ENOENT;
	sl_strbuf_addstr(&rest, text);
	sl_strbuf_addstr(&rest, sl_strbuf_str(&w->rest) + w->pos);
	sl_strbuf_release(&w->rest);
	w->rest = rest;
	w->pos = 0;
	return *text == '/' ? jump_to_root(w) : 0;
}

/* Does this procfs (a descriptor of its root) number processes as we do? */
static bool proc_is_ours(int proc_root)
{
	char own[16], text[16];
	ssize_t n = readlinkat(proc_root, "self", text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	text[n] = '\0';
	snprintf(own, sizeof(own), "%d", (int)getpid());
	return strcmp(own, text) == 0;
}

static bool is_proc_root(int fd)
{
	struct statfs fs;
	struct stat st;

	return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC && fstat(fd, &st) == 0 &&
	       st.st_ino == PROC_ROOT_INO;
}

/* The thread group whose entry in procfs dir is, or is in. */
static pid_t entry_tgid(int dir)
{
	SL_CLOSE int up = dup_path(dir);
	SL_CLOSE int fd = -EBADF;
	char text[512]; /* the number stands near the top */
	const char *line;
	ssize_t n;

	for (int i = 0; up >= 0 && !is_proc_root(up); i++) {
		int next = i < PROC_DEPTH ? open_plain(up, "..", O_DIRECTORY) : -EACCES;

		sl_close(up);
		up = next;
	}
	if (up < 0 || !proc_is_ours(up))
		return -EACCES;
	fd = openat(dir, "status", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		fd = openat(dir, "../status", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -EACCES;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -ESRCH;
	text[n] = '\0';
	line = strstr(text, "\nTgid:"); /* the name's own newlines are escaped */
	return line ? (pid_t)strtol(line + 6, NULL, 10) : -EACCES;
}

/* Whose entry the walk is in, asked as ourselves: nothing that the caller named is opened for that. */
static pid_t current_entry(struct walk *w)
{
	bool other = *w->identity;
	pid_t tgid;

	sl_identity_restore(SL_TAKE_PTR(*w->identity));
	tgid = entry_tgid(w->cur);
	if (other && sl_identity_assume(w->opts->creds, w->identity) < 0)
		return -EPERM;
	return tgid;
}

/* Open a component. In its own /proc entry a process may look whatever its identity and dumpability, so what
 * is closed there to the identity that was taken on is tried with ours. */
static int open_component(struct walk *w, const char *name, int flags, uint64_t resolve)
{
	int fd = open_with(w->cur, name, flags, resolve);
	pid_t caller;

	if (fd != -EACCES || !*w->identity)
		return fd;
	caller = sl_tracee_tgid(w->tid);
	if (caller < 0 || current_entry(w) != caller || !*w->identity)
		return fd;
	sl_identity_restore(SL_TAKE_PTR(*w->identity));
	fd = open_with(w->cur, name, flags, resolve);
	if (sl_identity_assume(w->opts->creds, w->identity) < 0) {
		sl_close(fd);
		return -EPERM;
	}
	return fd;
}

/* May the caller follow a magic link of the entry that the walk is in? */
static int check_magic(struct walk *w)
{
	pid_t owner = current_entry(w);
	pid_t caller;

	if (owner < 0)
		return owner;
	caller = sl_tracee_tgid(w->tid);
	if (caller < 0)
		return caller;
	if (owner == caller)
		return 0;
	if (owner == getpid())
		return -EACCES;
	return !w->opts->may_follow || w->opts->may_follow(owner, w->opts->arg) ? 0 : -EACCES;
}

static int finish(struct walk *w, int fd)
{
	w->ret->fd = fd;
	return 1;
}

static int follow_magic(struct walk *w)
{
	SL_CLOSE int fd = -EBADF;
	int r;

	if (w->opts->resolve & RESOLVE_NO_MAGICLINKS)
		return -ELOOP;
	if (w->opts->resolve & SCOPED)
		return -EXDEV;
	r = check_magic(w);
	if (r < 0)
		return r;
	fd = open_component(w, w->name, 0, 0);
	if (fd < 0)
		return fd;
	r = check_xdev(w, w->cur, fd);
	if (r < 0)
		return r;
	if (w->last && !w->trailing)
		return finish(w, SL_TAKE_FD(fd));
	set_cur(w, SL_TAKE_FD(fd));
	return 0;
}

static int follow_text(struct walk *w, int link)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(link, "", text, sizeof(text));

	if (n < 0)
		return -errno;
	if (n == PATH_MAX)
		return -ENAMETOOLONG;
	text[n] = '\0';
	return substitute(w, text);
}

static int follow_proc(struct walk *w, int link)
{
	bool thread = strcmp(w->name, "thread-self") == 0;
	char text[64];
	pid_t tgid;
	int probe;

	if (is_proc_root(w->cur)) {
		if (!thread && strcmp(w->name, "self") != 0)
			return follow_text(w, link);
		tgid = sl_tracee_tgid(w->tid);
		if (tgid < 0)
			return tgid;
		if (!proc_is_ours(w->cur))
			return -EACCES;
		if (thread)
			snprintf(text, sizeof(text), "%d/task/%d", (int)tgid, (int)w->tid);
		else
			snprintf(text, sizeof(text), "%d", (int)tgid);
		return substitute(w, text);
	}
	/* The kernel knows its own magic links. */
	probe = open_component(w, w->name, 0, RESOLVE_NO_MAGICLINKS);
	if (probe == -ELOOP || probe == -ENOSYS || probe == -EPERM)
		return follow_magic(w);
	sl_close(probe);
	return follow_text(w, link);
}

/* fs.protected_symlinks: the last link of a path, in a sticky directory that everybody may write. Whether it
 * is on is not for everybody to read, so the kernel is asked: it checks that before where the link leads. */
static int check_protected(const struct walk *w, const struct stat *link)
{
	struct stat dir;
	int probe;

	if (!w->last || fstat(w->cur, &dir) < 0 || (dir.st_mode & STICKY_FOR_ALL) != STICKY_FOR_ALL ||
	    dir.st_uid == link->st_uid)
		return 0;
	probe = sl_open_path(w->cur, w->name, 0, RESOLVE_NO_MAGICLINKS | RESOLVE_BENEATH);
	sl_close(probe);
	return probe == -EACCES ? -EACCES : 0;
}

static int follow(struct walk *w, int link, const struct stat *st)
{
	struct statfs fs;
	int r;

	if (w->links++ >= MAX_LINKS || w->opts->resolve & RESOLVE_NO_SYMLINKS)
		return -ELOOP;
	if (w->opts->may_use_link && !w->opts->may_use_link(w->cur, w->opts->arg))
		return -EXDEV;
	if (fstatfs(link, &fs) < 0)
		return -errno;
	if (fs.f_flags & F_NOSYMFOLLOW)
		return -ELOOP;
	r = check_protected(w, st);
	if (r < 0)
		return r;
	return fs.f_type == PROC_SUPER_MAGIC ? follow_proc(w, link) : follow_text(w, link);
}

/* The last component stands in the directory at hand, or would. */
static int finish_name(struct walk *w, int fd)
{
	size_t len = strlen(w->name);

	w->ret->trailing_slash = w->trailing;
	if (w->opts->flags & SL_RESOLVE_PARENT) {
		if (len > NAME_MAX) {
			sl_close(fd);
			return -ENAMETOOLONG;
		}
		memcpy(w->ret->name, w->name, len + 1);
		w->ret->parent_fd = SL_TAKE_FD(w->cur);
	}
	return finish(w, fd);
}

/* A component that is a name. 1: it was the last one and *ret is filled; 0: go on. */
static int step_name(struct walk *w)
{
	int flags = w->opts->flags;
	SL_CLOSE int fd = open_component(w, w->name, O_NOFOLLOW, 0);
	struct stat st;
	bool follows;
	int r;

	if (fd == -ENOENT && w->last && flags & SL_RESOLVE_PARENT)
		return finish_name(w, -EBADF);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	r = check_xdev(w, w->cur, fd);
	if (r < 0)
		return r;
	follows = !w->last || !(flags & SL_RESOLVE_NOFOLLOW) || (w->trailing && !(flags & SL_RESOLVE_PARENT));
	if (S_ISLNK(st.st_mode) && follows)
		return follow(w, fd, &st);
	if ((!w->last || w->trailing) && !S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (w->last)
		return finish_name(w, SL_TAKE_FD(fd));
	set_cur(w, SL_TAKE_FD(fd));
	return 0;
}

/* "." and "..": the kernel asks for search permission for them too. */
static int step_dots(struct walk *w)
{
	bool up = w->name[1] == '.';
	bool top = up && sl_same_place(w->cur, w->root);
	SL_CLOSE int fd = -EBADF;
	int r;

	w->root_known |= up;
	fd = open_component(w, up && !top ? ".." : ".", O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	if (top && w->opts->resolve & RESOLVE_BENEATH)
		return -EXDEV;
	r = check_xdev(w, w->cur, fd);
	if (r < 0)
		return r;
	set_cur(w, SL_TAKE_FD(fd));
	return 0;
}

/* Cut the next component from the rest. False at its end. */
static bool next_component(struct walk *w)
{
	const char *rest = sl_strbuf_str(&w->rest);
	size_t at = w->pos + strspn(rest + w->pos, "/");
	size_t len = strcspn(rest + at, "/");

	if (!len)
		return false;
	/* No piece of the rest is longer than a path or a link's text, which are shorter than PATH_MAX. */
	len = SL_MIN(len, sizeof(w->name) - 1);
	memcpy(w->name, rest + at, len);
	w->name[len] = '\0';
	w->pos = at + len;
	w->trailing = rest[w->pos] == '/';
	w->last = !rest[w->pos + strspn(rest + w->pos, "/")];
	return true;
}

static int walk_all(struct walk *w)
{
	struct stat st;
	int r = 0;

	while (next_component(w)) {
		bool dots = strcmp(w->name, ".") == 0 || strcmp(w->name, "..") == 0;

		r = dots ? step_dots(w) : step_name(w);
		if (r)
			return r < 0 ? r : 0;
	}
	if (fstat(w->cur, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	w->ret->fd = SL_TAKE_FD(w->cur);
	return 0;
}

int sl_walk(pid_t tid, int root, int base, const char *path, const struct sl_resolve_opts *opts,
	    struct sl_identity **identity, struct sl_resolved *ret)
{
	struct walk w = {.tid = tid, .opts = opts, .identity = identity, .cur = -EBADF, .ret = ret};
	int r;

	w.root = dup_path(opts->resolve & SCOPED ? base : root);
	if (w.root < 0)
		return w.root;
	sl_strbuf_addstr(&w.rest, path);
	if (*path == '/') {
		r = jump_to_root(&w);
	} else {
		w.cur = dup_path(base);
		r = SL_MIN(w.cur, 0);
	}
	if (r == 0)
		r = walk_all(&w);
	sl_close(w.cur);
	sl_close(w.root);
	sl_strbuf_release(&w.rest);
	return r;
}
