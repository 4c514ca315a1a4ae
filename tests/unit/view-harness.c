/*
 * view-harness.c - see view-harness.h.
 */
#include "view-harness.h"

#include "base/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>

#include "supervise/sandbox.h"

#define NR_FCHMODAT2 452     /* newer than the headers */
#define OLD	     1000000 /* times below are given ones, and compared; others are "now" */

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "view-harness: %s: %m\n", what);
		abort();
	}
}

/* ---- the trees ---- */

static void make_file(int at, const char *path, const char *text, mode_t mode)
{
	int fd = openat(at, path, O_CREAT | O_WRONLY | O_EXCL | O_CLOEXEC, 0600);

	must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(fd, mode) == 0,
	     path);
	close(fd);
}

static void make_dir(int at, const char *path, mode_t mode)
{
	must(mkdirat(at, path, 0700) == 0 && fchmodat(at, path, mode, 0) == 0, path);
}

static void make_tree(int at, uid_t user)
{
	static const char *const all[] = {"a/b/c", "a/b/d", "a/b",   "a/c", "a/d", "a", "b/a", "b/b",
					  "b/c",   "b/d/a", "b/d/b", "b/d", "b",   "c", "d",   "."};

	make_dir(at, "a", 0755);
	make_dir(at, "a/b", 0777);
	make_file(at, "a/b/c", "deep", 0644);
	must(symlinkat("/nowhere", at, "a/b/d") == 0, "a/b/d");
	make_file(at, "a/c", "hello", 0666);
	must(symlinkat("../b", at, "a/d") == 0, "a/d");
	make_dir(at, "b", 02775);
	must(linkat(at, "a/c", at, "b/a", 0) == 0, "b/a");
	must(symlinkat("/a/b", at, "b/b") == 0, "b/b");
	must(mkfifoat(at, "b/c", 0600) == 0, "b/c");
	make_dir(at, "b/d", 01777);
	make_file(at, "b/d/a", "sticky", 0666);
	make_file(at, "b/d/b", "", 04755);
	make_file(at, "c", "top", 0640);
	must(symlinkat("a/b/", at, "d") == 0, "d");
	for (size_t i = 0; i < SL_ARRAY_LEN(all); i++) {
		struct timespec times[2] = {{.tv_sec = 10 + (time_t)i},
					    {.tv_sec = 100 + (time_t)i, .tv_nsec = 7}};

		/* An ordinary user's tree with a corner of root's in it. */
		if (user && strcmp(all[i], "b/d/a") != 0 && strcmp(all[i], "a/b/c") != 0 &&
		    strcmp(all[i], "b/d") != 0)
			must(fchownat(at, all[i], user, user, AT_SYMLINK_NOFOLLOW) == 0, all[i]);
		must(utimensat(at, all[i], times, AT_SYMLINK_NOFOLLOW) == 0, all[i]);
	}
	if (user) /* chown took them away */
		must(fchmodat(at, "b", 02775, 0) == 0 && fchmodat(at, "b/d/b", 04755, 0) == 0, "modes");
}

static void as_user(uid_t user)
{
	if (!user)
		return;
	must(setegid(user) == 0 && seteuid(user) == 0, "seteuid");
	prctl(PR_SET_DUMPABLE, 1);
}

static void as_root(uid_t user)
{
	if (user)
		must(seteuid(0) == 0 && setegid(0) == 0, "seteuid 0");
}

static uint64_t own_caps(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	must(syscall(SYS_capget, &header, data) == 0, "capget");
	return (uint64_t)data[1].effective << 32 | data[0].effective;
}

static int make_top(const char *top, const char *name, uid_t user)
{
	SL_FREE char *path = sl_xasprintf("%s/%s", top, name);
	int fd;

	must(mkdir(path, 0700) == 0 && chmod(path, 0755) == 0, path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(fd >= 0, path);
	if (strcmp(name, "upper") != 0)
		make_tree(fd, user);
	else if (user)
		must(fchown(fd, user, user) == 0, path);
	return fd;
}

void world_make(struct world *w, const char *in, uid_t user)
{
	static gid_t groups[64];
	int n;

	*w = (struct world){.real_cwd = -EBADF, .user = user};
	w->top = sl_xasprintf("%s/world-XXXXXX", in);
	must(mkdtemp(w->top) != NULL && chmod(w->top, 0755) == 0, w->top);
	w->real = make_top(w->top, "real", user);
	w->lower = make_top(w->top, "lower", user);
	w->upper = make_top(w->top, "upper", user);
	as_user(user);
	n = getgroups(64, groups);
	w->creds = (struct sl_view_creds){.uid = geteuid(),
					  .gid = getegid(),
					  .groups = groups,
					  .groups_len = n > 0 ? (size_t)n : 0,
					  .caps = own_caps()};
	must(sl_view_new(w->lower, w->upper, &w->view) == 0 && sl_view_root(w->view, &w->root) == 0 &&
		 sl_view_root(w->view, &w->cwd) == 0,
	     "sl_view_new");
	w->ctx = (struct sl_view_ctx){
	    .view = w->view, .root = w->root, .cwd = w->cwd, .creds = &w->creds, .umask = 022};
	umask(022);
	for (int i = 0; i < SLOTS; i++)
		w->real_fd[i] = -EBADF;
}

void world_close_all(struct world *w)
{
	for (int i = 0; i < SLOTS; i++) {
		w->real_fd[i] = sl_close(w->real_fd[i]);
		sl_view_close(w->file[i]);
		w->file[i] = NULL;
	}
}

void world_done(struct world *w)
{
	world_close_all(w);
	sl_view_close(w->cwd);
	sl_view_close(w->root);
	sl_view_free(w->view);
	sl_close(w->real_cwd);
	as_root(w->user);
	close(w->real);
	close(w->lower);
	close(w->upper);
	must(sl_tree_remove(w->top) == 0, "removing the trees");
	free(w->top);
}

void world_make_apart(struct world *w)
{
	char dir[] = "/var/tmp/sl-view-XXXXXX";

	must(mkdtemp(dir) != NULL, dir);
	world_make(w, dir, 0);
}

void world_done_apart(struct world *w)
{
	SL_FREE char *dir = sl_path_dirname(w->top);

	world_done(w);
	must(rmdir(dir) == 0, dir);
}

/* ---- the real side ---- */

static int in_root(const struct world *w, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
	    .flags = (unsigned int)(flags | O_CLOEXEC), .mode = mode, .resolve = RESOLVE_IN_ROOT | resolve};
	long fd;

	/* A rename anywhere in the machine makes ".." unsure of its root, says the kernel: EAGAIN. */
	do
		fd = syscall(SYS_openat2, w->real, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN);
	return fd < 0 ? -errno : (int)fd;
}

/* The path from the real root for one that may start in the working directory. false: that is gone. */
static bool real_path(const struct world *w, const char *path, char *ret, size_t size)
{
	char proc[64], at[PATH_MAX], root[PATH_MAX];
	ssize_t at_len, root_len;

	if (w->real_cwd < 0 || *path == '/' || !*path) {
		snprintf(ret, size, "%s", path);
		return true;
	}
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", w->real_cwd);
	at_len = readlink(proc, at, sizeof(at) - 1);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", w->real);
	root_len = readlink(proc, root, sizeof(root) - 1);
	must(at_len >= root_len && root_len > 0, "cwd");
	at[at_len] = '\0';
	if (strstr(at, " (deleted)"))
		return false;
	snprintf(ret, size, "/%s/%s", at + root_len, path);
	return true;
}

/* The directory of the last name, for the calls that do not follow it. "/" alone is not given to these calls.
 */
static int real_parent(const struct world *w, const char *path, const char **ret_name)
{
	SL_FREE char *dir = NULL;
	const char *end = path + strlen(path), *name;
	int fd;

	while (end > path && end[-1] == '/')
		end--;
	for (name = end; name > path && name[-1] != '/';)
		name--;
	*ret_name = name;
	if (name == path) {
		fd = fcntl(w->real, F_DUPFD_CLOEXEC, 0);
		return fd < 0 ? -errno : fd;
	}
	dir = sl_xstrndup(path, (size_t)(name - path));
	fd = in_root(w, dir, O_PATH | O_DIRECTORY, 0, 0);
	/* The kernel asks for search permission when it gets to a name, before it knows that it is the last.
	 */
	if (fd >= 0 && syscall(SYS_faccessat2, fd, "", X_OK, AT_EMPTY_PATH | AT_EACCESS) < 0) {
		int r = -errno;

		sl_close(fd);
		return r;
	}
	return fd;
}

static void add_stat(struct sl_strbuf *out, const struct stat *st)
{
	sl_strbuf_addf(out, "%06o %u:%u links %u", st->st_mode, st->st_uid, st->st_gid,
		       (unsigned int)st->st_nlink);
	if (!S_ISDIR(st->st_mode))
		sl_strbuf_addf(out, " size %lld", (long long)st->st_size);
	if (st->st_mtim.tv_sec < OLD)
		sl_strbuf_addf(out, " mtime %lld.%ld", (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	else
		sl_strbuf_addstr(out, " mtime now");
}

static long result(long r)
{
	return r < 0 ? -errno : r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(struct sl_strv *v)
{
	if (v->len)
		qsort(v->items, v->len, sizeof(*v->items), by_name);
}

static long list_real(int fd, struct sl_strv *names)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;

	must(d != NULL, "fdopendir");
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			sl_strv_take(names, sl_xasprintf("%s %d", e->d_name, e->d_type));
	}
	closedir(d);
	sort(names);
	return 0;
}

/* Calls on the object of a path, which the kernel has resolved. */
static long real_object(struct world *w, const struct step *s, int fd, struct sl_strbuf *out)
{
	struct timespec times[2] = {{.tv_sec = 5}, {.tv_sec = 1000 + s->slot, .tv_nsec = 123456789}};
	char proc[64], buf[256];
	struct stat st;
	long r;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	must(fstat(fd, &st) == 0, "fstat");
	switch (s->op) {
	case OP_STAT:
		add_stat(out, &st);
		return 0;
	case OP_ACCESS:
		return result(syscall(SYS_faccessat2, fd, "", (int)s->mode & 7, AT_EMPTY_PATH | AT_EACCESS));
	case OP_READLINK:
		if (!S_ISLNK(st.st_mode))
			return -EINVAL;
		r = readlinkat(fd, "", buf, sizeof(buf));
		if (r > 0)
			sl_strbuf_add(out, buf, (size_t)r);
		return result(r);
	case OP_CHMOD:
		return result(chmod(proc, s->mode));
	case OP_CHOWN:
		return result(fchownat(fd, "", s->slot & 1 ? 1234 : (uid_t)-1,
				       s->slot & 2 ? w->creds.gid : (gid_t)-1, AT_EMPTY_PATH));
	case OP_UTIMES:
		return result(utimensat(AT_FDCWD, proc, s->slot == 0 ? NULL : times, 0));
	case OP_TRUNCATE:
		return result(truncate(proc, (off_t)s->mode));
	case OP_SETXATTR:
		return result(setxattr(proc, "user.x", s->other, strlen(s->other), s->flags));
	case OP_GETXATTR:
		r = getxattr(proc, "user.x", buf, sizeof(buf));
		if (r > 0)
			sl_strbuf_add(out, buf, (size_t)r);
		return result(r);
	case OP_REMOVEXATTR:
		return result(removexattr(proc, "user.x"));
	default:
		abort();
	}
}

static long real_link(struct world *w, const struct step *s, const char *from, const char *to)
{
	const char *name;
	SL_CLOSE int fd = in_root(w, from, O_PATH | (s->flags ? 0 : O_NOFOLLOW), 0, 0);
	SL_CLOSE int dir = fd < 0 ? -EBADF : real_parent(w, to, &name);

	if (fd < 0 || dir < 0)
		return fd < 0 ? fd : dir;
	return result(linkat(fd, "", dir, name, AT_EMPTY_PATH));
}

static long real_rename(struct world *w, const struct step *s, const char *from, const char *to)
{
	const char *name, *to_name;
	SL_CLOSE int dir = *from ? real_parent(w, from, &name) : -ENOENT;
	SL_CLOSE int to_dir = dir < 0 ? -EBADF : real_parent(w, to, &to_name);

	/* Bad flags come before any path; so does an empty path before the other's directory. */
	if (renameat2(w->real, "", w->real, "", (unsigned int)s->flags) < 0 && errno == EINVAL)
		return -EINVAL;
	if (dir < 0 || to_dir < 0)
		return dir < 0 ? dir : to_dir;
	return result(renameat2(dir, name, to_dir, to_name, (unsigned int)s->flags));
}

static long real_name(struct world *w, const struct step *s, const char *path)
{
	const char *name;
	SL_CLOSE int dir = real_parent(w, path, &name);

	if (s->op == OP_MKNOD && S_ISDIR(s->mode)) /* refused before the path is looked at */
		return result(mknodat(w->real, "", s->mode, 0));
	if (s->op == OP_SYMLINK && !*s->other)
		return -ENOENT; /* likewise */
	if (dir < 0)
		return dir;
	switch (s->op) {
	case OP_MKDIR:
		return result(mkdirat(dir, name, s->mode));
	case OP_MKNOD:
		return result(mknodat(dir, name, s->mode, 0));
	case OP_SYMLINK:
		return result(symlinkat(s->other, dir, name));
	case OP_UNLINK:
		return result(unlinkat(dir, name, 0));
	case OP_RMDIR:
		return result(unlinkat(dir, name, AT_REMOVEDIR));
	case OP_FLINK:
		return result(linkat(w->real_fd[s->slot], "", dir, name, AT_EMPTY_PATH));
	default:
		abort();
	}
}

static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";

/* Calls on an open file by a descriptor, the same on both sides. */
static long fd_do(const struct step *s, int fd, struct sl_strbuf *out)
{
	char buf[64];
	long r;

	switch (s->op) {
	case OP_WRITE:
		return result(pwrite(fd, text, 1 + s->mode % 30, (off_t)s->flags % 50));
	case OP_READ:
		r = pread(fd, buf, sizeof(buf), (off_t)s->mode % 8);
		if (r > 0)
			sl_strbuf_add(out, buf, (size_t)r);
		return result(r);
	case OP_FTRUNCATE:
		return result(ftruncate(fd, (off_t)s->mode % 100));
	default:
		abort();
	}
}

static bool is_open_file(const struct world *w, const struct step *s)
{
	return w->file[s->slot] && sl_view_fd(w->file[s->slot]) >= 0;
}

static long real_slot(struct world *w, const struct step *s, struct sl_strbuf *out)
{
	int fd = w->real_fd[s->slot];
	struct stat st;

	if (fd < 0)
		return 0;
	switch (s->op) {
	case OP_CLOSE:
		w->real_fd[s->slot] = sl_close(fd);
		return 0;
	case OP_FSTAT:
		must(fstat(fd, &st) == 0, "fstat");
		add_stat(out, &st);
		return 0;
	case OP_FCHMOD: /* also O_PATH, as the view has one call for both */
		return result(syscall(NR_FCHMODAT2, fd, "", s->mode, AT_EMPTY_PATH));
	default:
		return is_open_file(w, s) ? fd_do(s, fd, out) : 0;
	}
}

static long real_open(struct world *w, const struct step *s, const char *path, struct sl_strbuf *out)
{
	SL_CLEANUP(sl_strv_release) struct sl_strv names = SL_STRV_INIT;
	int flags = s->op == OP_TMPFILE ? O_TMPFILE | O_RDWR : s->flags;
	bool makes = flags & O_CREAT || s->op == OP_TMPFILE;
	int fd;

	if (s->op == OP_READDIR)
		flags = O_RDONLY | O_DIRECTORY;
	else if (s->op == OP_CHDIR)
		flags = O_PATH | O_DIRECTORY;
	fd = in_root(w, path, flags | (flags & O_PATH ? 0 : O_NONBLOCK), makes ? s->mode & 07777 : 0, 0);
	if (fd < 0)
		return fd;
	if (s->op == OP_READDIR) {
		list_real(fd, &names);
		for (size_t i = 0; i < names.len; i++)
			sl_strbuf_addf(out, "%s,", names.items[i]);
	} else if (s->op == OP_CHDIR) {
		sl_close(w->real_cwd);
		w->real_cwd = fd;
	} else {
		sl_close(w->real_fd[s->slot]);
		w->real_fd[s->slot] = fd;
	}
	return 0;
}

long real_do(struct world *w, const struct step *s, struct sl_strbuf *out)
{
	char path[PATH_MAX + 400], other[PATH_MAX + 400];
	int flags = O_PATH;
	SL_CLOSE int fd = -EBADF;

	if (!real_path(w, s->path, path, sizeof(path)) || !real_path(w, s->other, other, sizeof(other)))
		return -ESTALE;
	switch (s->op) {
	case OP_CLOSE:
	case OP_WRITE:
	case OP_READ:
	case OP_FSTAT:
	case OP_FTRUNCATE:
	case OP_FCHMOD:
		return real_slot(w, s, out);
	case OP_OPEN:
	case OP_TMPFILE:
	case OP_CHDIR:
	case OP_READDIR:
		return real_open(w, s, path, out);
	case OP_LINK:
		return real_link(w, s, path, other);
	case OP_RENAME:
		return real_rename(w, s, path, other);
	case OP_FLINK:
		return w->real_fd[s->slot] < 0 ? 0 : real_name(w, s, path);
	case OP_MKDIR:
	case OP_MKNOD:
	case OP_SYMLINK:
	case OP_UNLINK:
	case OP_RMDIR:
		return real_name(w, s, path);
	default:
		break;
	}
	if (s->op == OP_READLINK ||
	    (s->flags && (s->op == OP_STAT || s->op == OP_CHOWN || s->op == OP_UTIMES)))
		flags |= O_NOFOLLOW;
	fd = in_root(w, path, flags, 0, 0);
	return fd < 0 ? fd : real_object(w, s, fd, out);
}

/* ---- the view ---- */

static long view_list(struct world *w, struct sl_view_file *at, const char *path, struct sl_strv *names)
{
	struct sl_view_file *f = NULL;
	struct sl_view_dirent e;
	uint64_t pos = 0;
	int r = sl_view_openat(&w->ctx, at, path, O_RDONLY | O_DIRECTORY, 0, 0, &f);

	while (r >= 0 && (r = sl_view_readdir(f, &pos, &e)) > 0) {
		if (strcmp(e.name, ".") != 0 && strcmp(e.name, "..") != 0)
			sl_strv_take(names, sl_xasprintf("%s %d", e.name, e.type));
	}
	sl_view_close(f);
	sort(names);
	return r;
}

static long view_attributes(struct world *w, const struct step *s, struct sl_strbuf *out)
{
	struct timespec times[2] = {{.tv_sec = 5}, {.tv_sec = 1000 + s->slot, .tv_nsec = 123456789}};
	const struct sl_view_ctx *c = &w->ctx;
	int nofollow = s->flags ? AT_SYMLINK_NOFOLLOW : 0;
	char buf[256];
	struct stat st;
	long r;

	switch (s->op) {
	case OP_STAT:
		r = sl_view_statat(c, NULL, s->path, nofollow, &st);
		if (r == 0)
			add_stat(out, &st);
		return r;
	case OP_ACCESS:
		return sl_view_accessat(c, NULL, s->path, (int)s->mode & 7, 0);
	case OP_READLINK:
		r = sl_view_readlinkat(c, NULL, s->path, buf, sizeof(buf));
		if (r > 0)
			sl_strbuf_add(out, buf, (size_t)r);
		return r;
	case OP_CHMOD:
		return sl_view_chmodat(c, NULL, s->path, s->mode, 0);
	case OP_CHOWN:
		return sl_view_chownat(c, NULL, s->path, s->slot & 1 ? 1234 : (uid_t)-1,
				       s->slot & 2 ? w->creds.gid : (gid_t)-1, nofollow);
	case OP_UTIMES:
		return sl_view_utimensat(c, NULL, s->path, s->slot == 0 ? NULL : times, nofollow);
	case OP_TRUNCATE:
		return sl_view_truncate(c, NULL, s->path, (off_t)s->mode);
	case OP_SETXATTR:
		return sl_view_setxattrat(c, NULL, s->path, "user.x", s->other, strlen(s->other), s->flags,
					  0);
	case OP_GETXATTR:
		r = sl_view_getxattrat(c, NULL, s->path, "user.x", buf, sizeof(buf), 0);
		if (r > 0)
			sl_strbuf_add(out, buf, (size_t)r);
		return r;
	case OP_REMOVEXATTR:
		return sl_view_removexattrat(c, NULL, s->path, "user.x", 0);
	default:
		abort();
	}
}

static long view_slot(struct world *w, const struct step *s, struct sl_strbuf *out)
{
	struct sl_view_file *f = w->file[s->slot];
	struct stat st;
	long r;

	if (!f)
		return 0;
	switch (s->op) {
	case OP_CLOSE:
		sl_view_close(f);
		w->file[s->slot] = NULL;
		return 0;
	case OP_FSTAT:
		r = sl_view_statat(&w->ctx, f, "", AT_EMPTY_PATH, &st);
		if (r == 0)
			add_stat(out, &st);
		return r;
	case OP_FCHMOD:
		return sl_view_chmodat(&w->ctx, f, "", s->mode, AT_EMPTY_PATH);
	case OP_FLINK:
		return sl_view_linkat(&w->ctx, f, "", NULL, s->path, AT_EMPTY_PATH);
	default:
		return is_open_file(w, s) ? fd_do(s, sl_view_fd(f), out) : 0;
	}
}

static long view_open(struct world *w, const struct step *s)
{
	struct sl_view_file *f = NULL;
	int flags = s->op == OP_TMPFILE ? O_TMPFILE | O_RDWR : s->flags;
	int r;

	if (s->op == OP_CHDIR)
		flags = O_PATH | O_DIRECTORY;
	r = sl_view_openat(&w->ctx, NULL, s->path, flags | (flags & O_PATH ? 0 : O_NONBLOCK), s->mode & 07777,
			   0, &f);
	if (r < 0)
		return r;
	if (s->op == OP_CHDIR) {
		sl_view_close(w->cwd);
		w->cwd = f;
		w->ctx.cwd = f;
	} else {
		sl_view_close(w->file[s->slot]);
		w->file[s->slot] = f;
	}
	return 0;
}

long view_do(struct world *w, const struct step *s, struct sl_strbuf *out)
{
	SL_CLEANUP(sl_strv_release) struct sl_strv names = SL_STRV_INIT;
	const struct sl_view_ctx *c = &w->ctx;
	long r;

	switch (s->op) {
	case OP_CLOSE:
	case OP_WRITE:
	case OP_READ:
	case OP_FSTAT:
	case OP_FTRUNCATE:
	case OP_FCHMOD:
	case OP_FLINK:
		return view_slot(w, s, out);
	case OP_OPEN:
	case OP_TMPFILE:
	case OP_CHDIR:
		return view_open(w, s);
	case OP_READDIR:
		r = view_list(w, NULL, s->path, &names);
		for (size_t i = 0; i < names.len; i++)
			sl_strbuf_addf(out, "%s,", names.items[i]);
		return r;
	case OP_LINK:
		return sl_view_linkat(c, NULL, s->path, NULL, s->other, s->flags ? AT_SYMLINK_FOLLOW : 0);
	case OP_RENAME:
		return sl_view_renameat2(c, NULL, s->path, NULL, s->other, (unsigned int)s->flags);
	case OP_MKDIR:
		return sl_view_mkdirat(c, NULL, s->path, s->mode);
	case OP_MKNOD:
		return sl_view_mknodat(c, NULL, s->path, s->mode);
	case OP_SYMLINK:
		return sl_view_symlinkat(c, s->other, NULL, s->path);
	case OP_UNLINK:
		return sl_view_unlinkat(c, NULL, s->path, 0);
	case OP_RMDIR:
		return sl_view_unlinkat(c, NULL, s->path, AT_REMOVEDIR);
	default:
		return view_attributes(w, s, out);
	}
}

/* ---- what is there ---- */

struct inodes {
	ino_t seen[128];
	size_t len;
};

/* Names of one inode get one number on either side. */
static void add_inode(struct sl_strbuf *out, struct inodes *in, const struct stat *st)
{
	size_t i = 0;

	if (S_ISDIR(st->st_mode))
		return;
	while (i < in->len && in->seen[i] != st->st_ino)
		i++;
	if (i == in->len && in->len < SL_ARRAY_LEN(in->seen))
		in->seen[in->len++] = st->st_ino;
	sl_strbuf_addf(out, " inode %zu", i);
}

static void add_content(struct sl_strbuf *out, int fd)
{
	char buf[256];
	ssize_t n = fd < 0 ? 0 : read(fd, buf, sizeof(buf));

	if (fd < 0)
		sl_strbuf_addf(out, " unreadable %d", -fd);
	else if (n > 0) {
		sl_strbuf_addstr(out, " \"");
		for (ssize_t i = 0; i < n; i++)
			sl_strbuf_addch(out, buf[i] ? buf[i] : '~');
		sl_strbuf_addstr(out, "\"");
	}
}

static void walk_real(struct sl_strbuf *out, const struct world *w, const char *path, struct inodes *in)
{
	SL_CLEANUP(sl_strv_release) struct sl_strv names = SL_STRV_INIT;
	SL_CLOSE int fd = in_root(w, path, O_PATH | O_NOFOLLOW, 0, 0);
	char buf[256], proc[64];
	struct stat st;
	ssize_t n;
	int list;

	sl_strbuf_addf(out, "%s ", path);
	if (fd < 0) {
		sl_strbuf_addf(out, "error %d\n", -fd);
		return;
	}
	must(fstat(fd, &st) == 0, path);
	add_stat(out, &st);
	add_inode(out, in, &st);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
		n = getxattr(proc, "user.x", buf, sizeof(buf));
		sl_strbuf_addf(out, " xattr %d %.*s", n < 0 ? errno : 0, (int)SL_MAX(n, 0), buf);
	}
	if (S_ISLNK(st.st_mode) && (n = readlinkat(fd, "", buf, sizeof(buf))) > 0)
		sl_strbuf_addf(out, " -> %.*s", (int)n, buf);
	if (S_ISREG(st.st_mode)) {
		int file = in_root(w, path, O_RDONLY, 0, 0);

		add_content(out, file);
		sl_close(file);
	}
	sl_strbuf_addch(out, '\n');
	if (!S_ISDIR(st.st_mode))
		return;
	list = in_root(w, path, O_RDONLY | O_DIRECTORY, 0, 0);
	if (list < 0) {
		sl_strbuf_addf(out, "  list: %d\n", -list);
		return;
	}
	list_real(list, &names);
	for (size_t i = 0; i < names.len; i++) {
		SL_FREE char *child =
		    sl_xasprintf("%s/%.*s", path, (int)strcspn(names.items[i], " "), names.items[i]);

		walk_real(out, w, child, in);
	}
}

void snapshot_real(struct sl_strbuf *out, int root)
{
	struct world w = {.real = root};
	struct inodes in = {0};

	walk_real(out, &w, ".", &in);
}

static void walk_view(struct sl_strbuf *out, struct world *w, const char *path, struct inodes *in)
{
	SL_CLEANUP(sl_strv_release) struct sl_strv names = SL_STRV_INIT;
	const struct sl_view_ctx *c = &w->ctx;
	struct sl_view_file *f = NULL;
	char buf[256];
	struct stat st;
	ssize_t n;
	long r = sl_view_statat(c, w->root, path, AT_SYMLINK_NOFOLLOW, &st);

	sl_strbuf_addf(out, "%s ", path);
	if (r < 0) {
		sl_strbuf_addf(out, "error %ld\n", -r);
		return;
	}
	add_stat(out, &st);
	add_inode(out, in, &st);
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
		n = sl_view_getxattrat(c, w->root, path, "user.x", buf, sizeof(buf), 0);
		sl_strbuf_addf(out, " xattr %d %.*s", n < 0 ? -(int)n : 0, (int)SL_MAX(n, 0), buf);
	}
	if (S_ISLNK(st.st_mode) && (n = sl_view_readlinkat(c, w->root, path, buf, sizeof(buf))) > 0)
		sl_strbuf_addf(out, " -> %.*s", (int)n, buf);
	if (S_ISREG(st.st_mode)) {
		int e = sl_view_openat(c, w->root, path, O_RDONLY, 0, 0, &f);

		add_content(out, e < 0 ? e : sl_view_fd(f));
		sl_view_close(f);
	}
	sl_strbuf_addch(out, '\n');
	if (!S_ISDIR(st.st_mode))
		return;
	r = view_list(w, w->root, path, &names);
	if (r < 0)
		sl_strbuf_addf(out, "  list: %ld\n", -r);
	for (size_t i = 0; i < names.len; i++) {
		SL_FREE char *child =
		    sl_xasprintf("%s/%.*s", path, (int)strcspn(names.items[i], " "), names.items[i]);

		walk_view(out, w, child, in);
	}
}

void snapshot_view(struct sl_strbuf *out, struct world *w)
{
	struct inodes in = {0};

	walk_view(out, w, ".", &in);
}

void step_print(struct sl_strbuf *out, const struct step *s)
{
	static const char *const names[OP_COUNT] = {
	    "open",   "tmpfile", "close",    "write",	 "read",     "fstat",	    "ftruncate",
	    "fchmod", "flink",	 "chdir",    "mkdir",	 "mknod",    "symlink",	    "link",
	    "unlink", "rmdir",	 "rename",   "stat",	 "access",   "readlink",    "chmod",
	    "chown",  "utimes",	 "truncate", "setxattr", "getxattr", "removexattr", "readdir",
	};

	sl_strbuf_addf(out, "%s slot %d flags %#o mode %#o \"%.40s\" \"%.40s\"", names[s->op], s->slot,
		       (unsigned int)s->flags, s->mode, s->path, s->other);
}
