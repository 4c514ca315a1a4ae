/*
 * apply.c - doing the steps of a list of changes, each of which can be done again.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "base/path.h"
#include "view/copy-up.h"
#include "view/plan.h"

struct apply {
	struct sl_view_changes *c;
	int target;
	int progress;
	bool again; /* the step was begun by who was killed */
};

static int gate(const struct apply *a)
{
	return a->c->fault ? a->c->fault(a->c->arg) : 0;
}

void sl_view_changes_set_fault(struct sl_view_changes *c, int (*fault)(void *arg), void *arg)
{
	c->fault = fault;
	c->arg = arg;
}

/* ---- directories of the target ---- */

int sl_vplan_open_parent(int dir, const char *path, const char **ret_name)
{
	int fd = openat(dir, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	while (fd >= 0 && strchr(path, '/')) {
		SL_FREE char *part = sl_xstrndup(path, strcspn(path, "/"));
		int next = openat(fd, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		sl_close(fd);
		fd = next;
		path += strlen(part) + 1;
	}
	*ret_name = path;
	return fd < 0 ? -errno : fd;
}

static int open_dir(int target, const char *path)
{
	const char *name;
	SL_CLOSE int parent = sl_vplan_open_parent(target, path, &name);
	int fd;

	if (parent < 0 || !*name)
		return SL_TAKE_FD(parent);
	fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* For an owner who took its own rights away: a changed directory gets its final mode at the end. */
static void make_writable(int dir)
{
	char proc[SL_VSTORE_PROC];
	struct stat st;

	if (fstat(dir, &st) == 0 && (st.st_mode & 0700) != 0700)
		chmod(sl_vstore_proc(dir, proc), (st.st_mode & 07777) | 0700);
}

static int open_staging(const struct apply *a, const struct sl_vobject *o)
{
	char name[SL_VPLAN_STAGING];
	SL_CLOSE int dir = open_dir(a->target, o->staging);
	int fd;

	if (dir < 0)
		return dir;
	fd = openat(dir, sl_vplan_staging(a->c, name), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool is_there(int dir, const char *name, ino_t *ret_ino)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	*ret_ino = st.st_ino;
	return true;
}

/* Remove a name and what is below it; 0 where it is not there (any more). */
static int remove_tree(const struct apply *a, int dir, const char *name)
{
	SL_CLOSE int fd = -EBADF;
	int r = gate(a);

	if (r < 0)
		return r;
	make_writable(dir);
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -errno;
	fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	make_writable(fd);
	for (;;) {
		SL_CLOSEDIR DIR *d = NULL;
		struct dirent *e;
		int list = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		bool any = false;

		d = list < 0 ? NULL : fdopendir(list);
		if (!d) {
			r = -errno;
			sl_close(list);
			return r;
		}
		while ((e = readdir(d)) != NULL) {
			if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
				continue;
			any = true;
			r = remove_tree(a, fd, e->d_name);
			if (r < 0)
				return r;
		}
		if (!any)
			return unlinkat(dir, name, AT_REMOVEDIR) < 0 ? -errno : 0;
	}
}

/* ---- objects ---- */

static int open_object(const struct apply *a, const struct sl_vobject *o)
{
	char name[SL_VSTORE_NAME];
	int fd = openat(a->c->objects, sl_vstore_name(o->obj, name), O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The xattrs of the object behind from to the one behind fd. For an owner who may neither read the one nor
 * write the other by its mode: the modes are right again afterwards, the target's by the caller. */
static int apply_xattrs(const struct sl_vobject *o, int from, int fd)
{
	char proc[SL_VSTORE_PROC];
	bool closed = !S_ISLNK(o->mode) && !o->foreign && (o->mode & 0600) != 0600;
	int r;

	if (o->standin && !S_ISREG(o->mode))
		return 0;
	sl_vstore_proc(from, proc);
	if (closed && chmod(proc, (o->mode & 07777) | 0600) < 0)
		return -errno;
	if (!S_ISLNK(o->mode))
		make_writable(fd);
	r = sl_vcopy_xattrs(NULL, from, fd, true);
	if (closed && chmod(proc, o->mode & 07777) < 0 && r == 0)
		r = -errno;
	return r;
}

/* The attributes of an object to the object behind fd. */
static int apply_attributes(const struct apply *a, const struct sl_vobject *o, int fd)
{
	char proc[SL_VSTORE_PROC];
	SL_CLOSE int from = open_object(a, o);
	struct timespec times[2];
	struct stat st, old;
	int r = from < 0 ? from : gate(a);

	if (r < 0 || (r = apply_xattrs(o, from, fd)) < 0)
		return r;
	sl_vstore_proc(fd, proc);
	if (fstat(from, &st) < 0 || fstat(fd, &old) < 0)
		return -errno;
	if ((old.st_uid != o->uid || old.st_gid != o->gid) &&
	    fchownat(fd, "", o->uid, o->gid, AT_EMPTY_PATH) < 0)
		return -errno;
	/* Again, as chown takes set-id bits away. */
	if (fstat(fd, &old) < 0 ||
	    (!S_ISLNK(o->mode) && old.st_mode != o->mode && chmod(proc, o->mode & 07777) < 0))
		return -errno;
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (utimensat(AT_FDCWD, proc, times, 0) == 0)
		return 0;
	if (errno != EPERM || old.st_uid == geteuid())
		return -errno;
	/* What is somebody else's can only have been given the present. */
	if (old.st_mtim.tv_sec != st.st_mtim.tv_sec || old.st_mtim.tv_nsec != st.st_mtim.tv_nsec)
		r = utimensat(AT_FDCWD, proc, NULL, 0);
	return r < 0 ? -errno : 0;
}

/* Open the object to read, which is ours, but perhaps not readable by its mode: for the moment it is. */
static int open_contents(int path)
{
	char proc[SL_VSTORE_PROC];
	struct stat st;
	int fd = open(sl_vstore_proc(path, proc), O_RDONLY | O_CLOEXEC);

	if (fd >= 0 || errno != EACCES || fstat(path, &st) < 0)
		return fd < 0 ? -errno : fd;
	if (chmod(proc, (st.st_mode & 07777) | 0400) < 0)
		return -errno;
	fd = open(proc, O_RDONLY | O_CLOEXEC);
	if (chmod(proc, st.st_mode & 07777) < 0) {
		sl_close(fd);
		return -errno;
	}
	return fd < 0 ? -EACCES : fd;
}

int sl_view_changes_open(const struct sl_view_changes *c, const struct sl_view_change *e)
{
	char name[SL_VSTORE_NAME];
	SL_CLOSE int fd =
	    e->obj ? openat(c->objects, sl_vstore_name(e->obj, name), O_PATH | O_NOFOLLOW | O_CLOEXEC) : -ENOENT;

	if (fd < 0)
		return e->obj ? -errno : -ENOENT;
	return open_contents(fd);
}

/* The object's contents to the file behind an O_PATH descriptor. */
static int apply_contents(const struct apply *a, const struct sl_vobject *o, int fd)
{
	char proc[SL_VSTORE_PROC];
	SL_CLOSE int path = open_object(a, o), from = -EBADF, to = -EBADF;
	struct stat st;
	int r;

	if (path < 0)
		return path;
	from = open_contents(path);
	if (from < 0)
		return from;
	sl_vstore_proc(fd, proc);
	to = open(proc, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (to < 0 && errno == EACCES && fstat(fd, &st) == 0 && chmod(proc, (st.st_mode & 07777) | 0600) == 0)
		to = open(proc, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (to < 0)
		return -errno;
	r = gate(a);
	return r < 0 ? r : sl_vcopy_data(NULL, from, to, SL_VCOPY_ALL);
}

/* ---- steps ---- */

static int do_contents(const struct apply *a, const struct sl_vobject *o, int dir, const char *name)
{
	SL_CLOSE int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_ino != o->ino)
		return -ESTALE;
	if (o->contents && (r = apply_contents(a, o, fd)) < 0)
		return r;
	return apply_attributes(a, o, fd);
}

/* A directory of mode 0700, whatever the umask. */
static int make_dir(int dir, const char *name)
{
	return mkdirat(dir, name, 0700) < 0 || fchmodat(dir, name, 0700, 0) < 0 ? -errno : 0;
}

static int do_stage(const struct apply *a, const char *path)
{
	char name[SL_VPLAN_STAGING];
	SL_CLOSE int dir = open_dir(a->target, path);
	int r;

	if (dir < 0)
		return dir;
	make_writable(dir);
	r = make_dir(dir, sl_vplan_staging(a->c, name));
	return r == -EEXIST ? 0 : r;
}

static int do_unstage(const struct apply *a, const char *path)
{
	char name[SL_VPLAN_STAGING];
	SL_CLOSE int dir = open_dir(a->target, path);

	return dir < 0 ? dir : remove_tree(a, dir, sl_vplan_staging(a->c, name));
}

static int do_take(const struct apply *a, const struct sl_vobject *o, int dir, const char *name)
{
	char staged[SL_VSTORE_NAME];
	SL_CLOSE int staging = open_staging(a, o), fd = -EBADF;
	ino_t ino;

	if (staging < 0)
		return staging;
	sl_vstore_name(o->staged, staged);
	if (is_there(staging, staged, &ino))
		return 0;
	if (!is_there(dir, name, &ino))
		return -ENOENT;
	if (ino != o->ino)
		return -ESTALE;
	if (!S_ISDIR(o->mode) && !o->vacates)
		return linkat(dir, name, staging, staged, 0) < 0 ? -errno : 0;
	make_writable(dir);
	if (S_ISDIR(o->mode)) { /* moving needs write permission on the directory itself */
		fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		make_writable(fd);
	}
	return renameat(dir, name, staging, staged) < 0 ? -errno : 0;
}

static int do_remove(const struct apply *a, const struct sl_vstep *s)
{
	const char *name;
	SL_CLOSE int dir = sl_vplan_open_parent(a->target, s->path, &name);
	ino_t ino;

	if (dir < 0)
		return dir;
	if (!is_there(dir, name, &ino))
		return 0;
	return ino == s->ino ? remove_tree(a, dir, name) : -ESTALE;
}

/* Make a new object of the upper in staging, where its names can be linked from. */
static int do_make(const struct apply *a, const struct sl_vobject *o)
{
	char name[SL_VSTORE_NAME], target[PATH_MAX];
	SL_CLOSE int staging = open_staging(a, o), fd = -EBADF, from = open_object(a, o);
	ssize_t len;
	int r;

	if (staging < 0 || from < 0)
		return staging < 0 ? staging : from;
	sl_vstore_name(o->staged, name);
	unlinkat(staging, name, 0);
	if (S_ISLNK(o->mode)) {
		len = readlinkat(from, "", target, sizeof(target) - 1);
		if (len < 0)
			return -errno;
		target[len] = '\0';
		r = symlinkat(target, staging, name);
	} else {
		r = mknodat(staging, name, (o->mode & S_IFMT) | 0600, 0);
	}
	if (r < 0)
		return -errno;
	fd = openat(staging, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (S_ISREG(o->mode) && (r = apply_contents(a, o, fd)) < 0)
		return r;
	return apply_attributes(a, o, fd);
}

static int do_make_dir(const struct apply *a, int dir, const char *name)
{
	int r = make_dir(dir, name);
	struct stat st;

	if (r == -EEXIST && a->again && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return r;
}

/* Never over something that is there. */
static int rename_to_free(int from_dir, const char *from, int to_dir, const char *to)
{
	ino_t ino;

	if (syscall(__NR_renameat2, from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (is_there(to_dir, to, &ino))
		return -EEXIST;
	return renameat(from_dir, from, to_dir, to) < 0 ? -errno : 0;
}

static int do_move(const struct apply *a, const struct sl_vobject *o, int dir, const char *name)
{
	char staged[SL_VSTORE_NAME];
	SL_CLOSE int staging = open_staging(a, o);
	ino_t ino;
	int r;

	if (staging < 0)
		return staging;
	sl_vstore_name(o->staged, staged);
	if (a->again && !is_there(staging, staged, &ino) && is_there(dir, name, &ino))
		r = 0;
	else
		r = rename_to_free(staging, staged, dir, name);
	/* What make_writable() did; where there is an object, attributes follow. */
	if (r == 0 && S_ISDIR(o->mode) && !o->obj && (o->old_mode & 0700) != 0700 &&
	    fchmodat(dir, name, o->old_mode & 07777, 0) < 0)
		r = -errno;
	return r;
}

static int do_link(const struct apply *a, const struct sl_vobject *o, int dir, const char *name)
{
	char staged[SL_VSTORE_NAME];
	SL_CLOSE int staging = open_staging(a, o);
	ino_t ino, there;
	int error;

	if (staging < 0)
		return staging;
	sl_vstore_name(o->staged, staged);
	if (linkat(staging, staged, dir, name, 0) == 0)
		return 0;
	error = errno;
	if (error == EEXIST)
		return a->again && is_there(staging, staged, &ino) && is_there(dir, name, &there) &&
			       ino == there
			   ? 0
			   : -EEXIST;
	/* Who may not link what is not its own may still move it. */
	return error == EPERM && o->vacates ? rename_to_free(staging, staged, dir, name) : -error;
}

static int do_dir_attributes(const struct apply *a, const struct sl_vobject *o, const char *path)
{
	SL_CLOSE int dir = open_dir(a->target, path);

	return dir < 0 ? dir : apply_attributes(a, o, dir);
}

static int do_named(const struct apply *a, const struct sl_vstep *s, const struct sl_vobject *o)
{
	const char *name;
	SL_CLOSE int dir = sl_vplan_open_parent(a->target, s->path, &name);

	if (dir < 0)
		return dir;
	switch (s->op) {
	case SL_VSTEP_CONTENTS:
		return do_contents(a, o, dir, name);
	case SL_VSTEP_TAKE:
		return do_take(a, o, dir, name);
	default:
		break;
	}
	make_writable(dir);
	switch (s->op) {
	case SL_VSTEP_MAKE_DIR:
		return do_make_dir(a, dir, name);
	case SL_VSTEP_MOVE:
		return do_move(a, o, dir, name);
	default:
		return do_link(a, o, dir, name);
	}
}

static int do_step(const struct apply *a, const struct sl_vstep *s)
{
	const struct sl_vobject *o;

	if (s->op == SL_VSTEP_STAGE)
		return do_stage(a, s->path);
	if (s->op == SL_VSTEP_UNSTAGE)
		return do_unstage(a, s->path);
	if (s->op == SL_VSTEP_REMOVE)
		return do_remove(a, s);
	if (!s->object)
		return -EINVAL;
	o = &a->c->objs[s->object - 1];
	switch (s->op) {
	case SL_VSTEP_MAKE:
		return do_make(a, o);
	case SL_VSTEP_ATTRIBUTES:
		return do_dir_attributes(a, o, s->path);
	default:
		return do_named(a, s, o);
	}
}

/* ---- progress ---- */

void sl_vplan_read_progress(struct sl_view_changes *c)
{
	SL_CLOSE int fd = openat(c->upper, SL_VIEW_PROGRESS, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	uint64_t at;

	if (fd < 0 || read(fd, &at, sizeof(at)) != sizeof(at) || at > c->steps_len)
		return;
	c->done = (size_t)at;
	c->begun = true;
}

/* One write, which a kill does not tear. */
static int write_progress(const struct apply *a, uint64_t at)
{
	if (a->progress < 0)
		return 0;
	return pwrite(a->progress, &at, sizeof(at), 0) == sizeof(at) ? 0 : errno ? -errno : -EIO;
}

static int step_failed(const struct sl_vstep *s, int r, struct sl_error *err)
{
	SL_STRBUF path = SL_STRBUF_INIT;

	sl_escape(&path, s->path, strlen(s->path));
	if (r == -ESTALE || r == -EEXIST)
		return sl_error_set(err, -r, "/%s was changed by somebody else meanwhile",
				    sl_strbuf_str(&path));
	return sl_error_errno(err, -r, "cannot apply the change of /%s", sl_strbuf_str(&path));
}

int sl_view_changes_apply(struct sl_view_changes *c, int target, struct sl_error *err)
{
	SL_CLOSE int progress =
	    c->upper < 0 ? -EBADF
			 : openat(c->upper, SL_VIEW_PROGRESS, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct apply a = {.c = c, .target = target, .progress = progress};
	int r;

	if (c->upper >= 0 && progress < 0)
		return sl_error_errno(err, errno, "cannot write the progress");
	if (progress >= 0 && flock(progress, LOCK_EX | LOCK_NB) < 0)
		return sl_error_set(err, EBUSY, "another process applies these changes at the moment");
	if (progress >= 0)
		sl_vplan_read_progress(c); /* somebody may have gone on with it since it was loaded */
	for (size_t i = c->done; i < c->steps_len; i++) {
		a.again = c->begun;
		r = write_progress(&a, i);
		if (r == 0)
			r = gate(&a);
		c->done = i;
		c->begun = true;
		if (r == 0)
			r = do_step(&a, &c->steps[i]);
		if (r < 0)
			return step_failed(&c->steps[i], r, err);
		c->begun = false;
	}
	c->done = c->steps_len;
	return 0;
}

int sl_view_merge_down(struct sl_view *v, int target)
{
	struct sl_view_changes *c;
	struct sl_error err = SL_ERROR_INIT;
	int r = sl_view_changes_of(v, &c);

	if (r < 0)
		return r;
	r = sl_view_changes_apply(c, target, &err);
	sl_view_changes_free(c);
	return r;
}
