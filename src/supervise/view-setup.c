/*
 * view-setup.c - what a view needs before the command starts: the upper directory, the Landlock ruleset, the
 * context of the calls.
 *
 * The ruleset is what makes learning harmless whatever the supervisor does: with it the command can write
 * only to character devices that keep nothing on a disk, to terminals, and below its private temporary
 * directory.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base/path.h"
#include "base/strbuf.h"
#include "kernel/capabilities.h"
#include "kernel/landlock.h"
#include "supervise/guard.h"
#include "supervise/sandbox.h"
#include "supervise/view-calls.h"

#define DEV_DEPTH   3
#define READ_RIGHTS (SL_LL_EXECUTE | SL_LL_READ_FILE | SL_LL_READ_DIR)
#define DEV_RIGHTS  (SL_LL_READ_FILE | SL_LL_WRITE_FILE | SL_LL_TRUNCATE | SL_LL_IOCTL_DEV)

/* ---- the upper ---- */

struct choice {
	char *path;
	uint64_t room;
	int fitness; /* nothing can be executed there: 0; in memory: 1; else 2 */
};

/* Take a directory that can be written into the choice if it is better than what was found before. */
static void consider(const char *path, struct choice *best)
{
	SL_FREE char *canonical = path && path[0] == '/' ? realpath(path, NULL) : NULL;
	struct statfs fs;
	uint64_t room;
	int fitness;

	if (!canonical || access(canonical, W_OK | X_OK) < 0 || statfs(canonical, &fs) < 0)
		return;
	fitness = fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC ? 1 : 2;
	if (fs.f_flags & ST_NOEXEC)
		fitness = 0;
	room = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
	if (best->path && (fitness < best->fitness || (fitness == best->fitness && room <= best->room)))
		return;
	free(best->path);
	best->path = SL_TAKE_PTR(canonical);
	best->room = room;
	best->fitness = fitness;
}

/* The roomiest of the usual places. */
static void choose(struct choice *ret)
{
	const char *home = getenv("HOME");
	SL_FREE char *cache = home ? sl_xasprintf("%s/.cache", home) : NULL;
	struct choice best = {0};

	consider(getenv("TMPDIR"), &best);
	consider("/var/tmp", &best);
	consider(getenv("XDG_CACHE_HOME") ? getenv("XDG_CACHE_HOME") : cache, &best);
	if (!best.path || best.fitness < 2)
		consider("/tmp", &best);
	*ret = best;
}

static void add_place(struct sl_strv *places, const char *path)
{
	SL_FREE char *canonical = path && path[0] == '/' ? realpath(path, NULL) : NULL;

	if (canonical && !sl_strv_contains(places, canonical))
		sl_strv_add(places, canonical);
}

void sl_view_upper_places(const char *storage, struct sl_strv *ret)
{
	const char *home = getenv("HOME");
	SL_FREE char *cache = home ? sl_xasprintf("%s/.cache", home) : NULL;

	add_place(ret, storage);
	add_place(ret, getenv("TMPDIR"));
	add_place(ret, "/var/tmp");
	add_place(ret, getenv("XDG_CACHE_HOME") ? getenv("XDG_CACHE_HOME") : cache);
	add_place(ret, "/tmp");
}

int sl_view_upper_make(const char *storage, struct sl_guard *guard, char **ret_path, struct sl_error *err)
{
	SL_FREE char *prefix = NULL;
	struct choice best = {0};
	int r;

	if (storage)
		best.path = realpath(storage, NULL);
	else
		choose(&best);
	if (!best.path && storage)
		return sl_error_errno(err, errno, "cannot keep the command's changes in \"%s\"", sl_esc(storage));
	if (!best.path)
		return sl_error_set(err, ENOENT,
				    "there is no directory to keep the command's changes in: "
				    "TMPDIR can name one");
	prefix = sl_xasprintf("%s/" SL_VIEW_UPPER, strcmp(best.path, "/") ? best.path : "");
	free(best.path);
	r = sl_guard_make(guard, prefix, ret_path, err);
	/* Who changes its identity executes what it has made. */
	if (r == 0 && geteuid() == 0 && chmod(*ret_path, 0711) < 0)
		return sl_error_errno(err, errno, "cannot open %s to others", sl_esc(*ret_path));
	return r;
}

/* ---- the ruleset ---- */

struct rules {
	int fd;
	uint64_t handled;
	const struct sl_policy *policy; /* of a run: only what it grants, and what it leaves to the supervisor */
};

static int add(const struct rules *r, int path_fd, uint64_t rights)
{
	return path_fd < 0 ? -errno : sl_landlock_add_path(r->fd, path_fd, rights & r->handled);
}

/* Character devices that a command may use while learning: those that keep nothing. The others lead to disks
 * and flash memory, to the kernel's own memory, or change the machine (include/linux/major.h, devices.txt).
 */
bool sl_view_device_is_safe(dev_t rdev)
{
	unsigned int major_nr = major(rdev), minor_nr = minor(rdev);

	switch (major_nr) {
	case 1: /* null, zero, full, random, urandom */
		return minor_nr == 3 || minor_nr == 5 || (minor_nr >= 7 && minor_nr <= 9);
	case 4: /* terminals */
	case 5:
	case 13: /* input */
	case 14: /* sound */
	case 29: /* frame buffers */
	case 81: /* video */
	case 116:
	case 166: /* serial lines */
	case 188:
	case 195: /* graphics */
	case 226:
		return true;
	default:
		return major_nr >= 136 && major_nr <= 143; /* pseudo-terminals */
	}
}

/* The rights on a device, or on /dev/pts. */
static uint64_t device_rights(const struct rules *r, int fd)
{
	struct sl_access access;
	char path[PATH_MAX];

	if (!r->policy)
		return DEV_RIGHTS;
	if (sl_fd_path(fd, path, sizeof(path)) < 0 || !sl_policy_is_viewed(r->policy, path))
		return 0;
	access = (struct sl_access){SL_RIGHT_WRITE, path};
	if (!sl_policy_allows(r->policy, &access, NULL))
		return 0;
	access.right = SL_RIGHT_READ;
	return sl_policy_allows(r->policy, &access, NULL) ? DEV_RIGHTS : DEV_RIGHTS & ~SL_LL_READ_FILE;
}

/* A rule for each such device below a directory on the file system dev. */
static int add_devices(const struct rules *r, int dir, dev_t dev, int depth)
{
	int list = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	SL_CLOSEDIR DIR *d = list < 0 ? NULL : fdopendir(list);
	const struct dirent *e;
	int error = 0;

	if (!d) {
		sl_close(list);
		return 0; /* closed to us, so to the command */
	}
	while (error == 0 && (e = readdir(d))) {
		SL_CLOSE int fd = -EBADF;
		struct stat st;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		fd = openat(dir, e->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0)
			continue;
		if (S_ISCHR(st.st_mode) && sl_view_device_is_safe(st.st_rdev))
			error = add(r, fd, device_rights(r, fd));
		else if (S_ISDIR(st.st_mode) && st.st_dev == dev && depth < DEV_DEPTH)
			error = add_devices(r, fd, dev, depth + 1);
	}
	return error;
}

static int add_all_devices(const struct rules *r)
{
	SL_CLOSE int dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	SL_CLOSE int pts = open("/dev/pts", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int e = 0;

	if (dev >= 0 && fstat(dev, &st) == 0)
		e = add_devices(r, dev, st.st_dev, 0);
	if (e == 0 && pts >= 0) /* new ones too */
		e = add(r, pts, device_rights(r, pts));
	return e;
}

static int add_all(const struct rules *r, const char *tmp_dir)
{
	SL_CLOSE int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	SL_CLOSE int tmp = tmp_dir ? open(tmp_dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -EBADF;
	int e = add(r, root, READ_RIGHTS);

	if (e == 0)
		e = add_all_devices(r);
	if (e == 0 && tmp_dir)
		e = add(r, tmp, r->handled & ~(SL_LL_MAKE_CHAR | SL_LL_MAKE_BLOCK));
	return e;
}

int sl_view_ruleset(const char *tmp_dir, uint64_t disabled, struct sl_error *err)
{
	int abi = sl_landlock_abi(), r;
	/* Without TRUNCATE a file could be cut to nothing, without REFER moved: nothing may be left out. */
	struct sl_landlock_masks masks = sl_landlock_masks(abi, disabled | SL_PROTECT_ABSTRACT_UNIX);
	SL_CLOSE int fd = -EBADF;

	if (abi < 3)
		return sl_error_set(err, ENOTSUP,
				    "this kernel's Landlock (ABI %d) cannot keep a command from cutting "
				    "files: learn needs ABI 3 (Linux 6.2), or --in-place",
				    abi);
	masks.net = 0;
	fd = sl_landlock_create(&masks);
	if (fd < 0)
		return sl_error_errno(err, -fd, "cannot make a Landlock ruleset");
	r = add_all(&(struct rules){.fd = fd, .handled = masks.fs}, tmp_dir);
	if (r < 0)
		return sl_error_errno(err, -r, "cannot add a rule to a Landlock ruleset");
	return SL_TAKE_FD(fd);
}

char *sl_view_shelf(const struct sl_view_calls *v)
{
	SL_FREE char *path = sl_xasprintf("%s/" SL_VIEW_SHELF, sl_view_upper_path(v->view));

	/* Whoever may reach the objects may reach it; the umask is not asked. */
	return (mkdir(path, 0711) < 0 && errno != EEXIST) || chmod(path, 0711) < 0 ? NULL : SL_TAKE_PTR(path);
}

int sl_view_rules(const struct sl_view_calls *v, int ruleset_fd, uint64_t disabled, struct sl_error *err)
{
	const int abi = sl_landlock_abi();
	const struct rules rules = {
	    .fd = ruleset_fd, .handled = sl_landlock_masks(abi, disabled).fs, .policy = v->policy};
	SL_FREE char *path = NULL;
	SL_CLOSE int shelf = -EBADF;
	int r;

	if (!(rules.handled & SL_LL_TRUNCATE))
		return sl_error_set(err, ENOTSUP,
				    "this kernel's Landlock (ABI %d) does not keep a command from cutting files, "
				    "which a view of its changes needs (ABI 3, Linux 6.2)",
				    abi);
	path = sl_view_shelf(v);
	if (!path)
		return sl_error_errno(err, errno, "cannot make a directory in \"%s\"", sl_esc(v->upper));
	shelf = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = add(&rules, shelf, SL_LL_EXECUTE | SL_LL_READ_FILE); /* the kernel asks for both */
	if (r == 0)
		r = add_all_devices(&rules);
	return r < 0 ? sl_error_errno(err, -r, "cannot add a rule to a Landlock ruleset") : 0;
}

/* ---- the context ---- */

static int open_view(struct sl_view_calls *v, struct sl_error *err)
{
	SL_CLOSE int lower = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	SL_CLOSE int upper = open(v->upper, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	SL_FREE char *parent = sl_path_dirname(v->upper);
	bool is_new = !v->view;
	int r;

	if (lower < 0 || upper < 0 || stat(parent, &v->upper_parent) < 0)
		return sl_error_errno(err, errno, "cannot open %s", sl_esc(v->upper));
	r = is_new ? sl_view_new(lower, upper, &v->view) : 0;
	if (r == 0) {
		sl_view_set_real(v->view, sl_view_stays_real, v);
		r = sl_view_root(v->view, &v->root);
	}
	if (r == 0 && is_new)
		r = sl_view_hide(v->view, v->upper);
	return r < 0 ? sl_error_errno(err, -r, "cannot make a view of the file system") : 0;
}

static int read_own_identity(struct sl_view_calls *v, struct sl_error *err)
{
	uid_t real, effective, saved;
	int r;

	v->own_creds = sl_xcalloc(1, sizeof(*v->own_creds));
	r = sl_tracee_creds((pid_t)syscall(__NR_gettid), v->own_creds);
	if (r < 0)
		return sl_error_errno(err, -r, "cannot read my own identity");
	v->own = (struct sl_view_creds){
	    .uid = v->own_creds->fsuid,
	    .gid = v->own_creds->fsgid,
	    .groups = v->own_creds->groups,
	    .groups_len = (size_t)v->own_creds->group_count,
	    .caps = v->own_creds->cap_effective & sl_capabilities_kept,
	};
	v->one_identity = getresuid(&real, &effective, &saved) == 0 && real && real == effective && real == saved &&
			  v->own_creds->fsuid == real && !v->own_creds->cap_effective;
	return 0;
}

int sl_view_calls_new(const char *upper, const char *tmp_dir, struct sl_view *view,
		      struct sl_observer *observer, const struct sl_behalf *behalf, struct sl_view_calls **ret,
		      struct sl_error *err)
{
	struct sl_view_calls *v = sl_xcalloc(1, sizeof(*v));
	int r;

	v->view = view;
	v->upper = sl_xstrdup(upper);
	v->tmp_dir = tmp_dir ? sl_xstrdup(tmp_dir) : NULL;
	v->observer = observer;
	v->umasks.lost = !observer; /* then umask(2) is not notified */
	v->behalf = behalf;
	v->policy = behalf->policy;
	r = open_view(v, err);
	if (r == 0)
		sl_view_readers_init(v);
	if (r == 0)
		r = read_own_identity(v, err);
	if (r < 0) {
		sl_view_calls_free(v);
		return r;
	}
	if (observer && !v->policy)
		sl_observer_set_view(observer,
				     &(struct sl_observer_view){sl_view_observe_resolve, v, v->upper});
	*ret = v;
	return 0;
}

int sl_view_calls_type(void *view_calls, const char *path, mode_t *ret)
{
	struct sl_view_calls *v = view_calls;
	struct sl_view_ctx c = {.view = v->view, .root = v->root, .cwd = v->root, .creds = &v->own};
	struct stat st;
	int r = sl_view_statat(&c, NULL, path, AT_SYMLINK_NOFOLLOW, &st);

	if (r < 0)
		return r;
	*ret = st.st_mode & S_IFMT;
	return 0;
}

static void remove_shelf(const struct sl_view_calls *v)
{
	SL_FREE char *path = v->view ? sl_xasprintf("%s/" SL_VIEW_SHELF, sl_view_upper_path(v->view)) : NULL;

	if (path)
		sl_tree_remove(path);
}

void sl_view_calls_free(struct sl_view_calls *v)
{
	if (!v)
		return;
	remove_shelf(v);
	if (v->observer && !v->policy)
		sl_observer_set_view(v->observer, &(struct sl_observer_view){0});
	sl_view_forget_stood(v);
	sl_view_programs_release(v);
	sl_view_fifo_release(v);
	sl_view_readers_release(v);
	for (size_t i = 0; i < v->unnamed_len; i++) {
		sl_view_close(v->unnamed[i].file);
		free(v->unnamed[i].path);
	}
	for (size_t i = 0; i < v->listing_count; i++)
		sl_view_close(v->listings[i].file);
	free(v->unnamed);
	free(v->listings);
	sl_view_close(v->root);
	if (v->view)
		sl_view_set_real(v->view, NULL, NULL);
	if (v->keep)
		*v->keep = v->view;
	else
		sl_view_free(v->view);
	free(v->own_creds);
	free(v->upper);
	free(v->tmp_dir);
	free(v);
}
