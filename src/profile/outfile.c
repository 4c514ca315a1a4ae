/*
 * outfile.c - an output file that is prepared before the command runs and put in place at the end, or not at
 * all.
 *
 * The text goes into a file without a name (O_TMPFILE) in the directory of the target; at commit it is
 * written, synced, linked and renamed over the target. So whatever ends the process before commit, SIGKILL
 * too, leaves no name behind, and until the rename the old file is whole. Where the file system has no
 * O_TMPFILE, opening proves that the directory can be written with a file that is removed at once, and the
 * temporary name exists only during commit.
 *
 * A device, a FIFO or a socket is no file to replace (that would put a file where /dev/null was): it is
 * opened now and written to at commit.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "profile/write.h"

#define LINKS_MAX  40 /* what the kernel follows in one path */
#define NAME_TRIES 100

struct sl_outfile {
	char *path; /* as given, for messages */
	char *name; /* last component of the target, in dir */
	int dir;    /* O_PATH on the target's directory; -EBADF where the text is written straight into fd */
	int fd;	    /* the file without a name, or the device; -EBADF where commit makes it */
	bool replaces; /* there was a file at open time: its mode and owner are kept */
	mode_t mode;   /* of that file, or for open(2) */
	uid_t uid;
	gid_t gid;
};

void sl_outfile_free(struct sl_outfile *o)
{
	if (!o)
		return;
	sl_close(o->fd);
	sl_close(o->dir);
	free(o->name);
	free(o->path);
	free(o);
}

static void cleanup_outfile(struct sl_outfile **o)
{
	sl_outfile_free(*o);
}

static int out_error(struct sl_error *err, int code, const struct sl_outfile *o)
{
	return sl_error_errno(err, code, "%s", sl_esc(o->path));
}

char *sl_outfile_target(const char *path)
{
	SL_FREE char *target = sl_xstrdup(path);

	for (int i = 0; i < LINKS_MAX; i++) {
		char link[PATH_MAX];
		ssize_t n = readlink(target, link, sizeof(link) - 1);
		const char *slash = strrchr(target, '/');
		char *next;

		if (n < 0)
			return errno == EINVAL || errno == ENOENT ? SL_TAKE_PTR(target) : NULL;
		link[n] = '\0';
		if (link[0] == '/' || !slash)
			next = sl_xstrdup(link);
		else
			next = sl_xasprintf("%.*s/%s", (int)(slash - target), target, link);
		free(target);
		target = next;
	}
	errno = ELOOP;
	return NULL;
}

/* Set o->dir and o->name from the path of the target. */
static int open_directory(struct sl_outfile *o, const char *target)
{
	const char *slash = strrchr(target, '/');
	SL_FREE char *dir = NULL;

	o->name = sl_xstrdup(slash ? slash + 1 : target);
	if (!o->name[0] || !strcmp(o->name, ".") || !strcmp(o->name, ".."))
		return -EISDIR;
	if (strlen(o->name) > NAME_MAX)
		return -ENAMETOOLONG;
	dir = !slash		? sl_xstrdup(".")
	      : slash == target ? sl_xstrdup("/")
				: sl_xstrndup(target, (size_t)(slash - target));
	o->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return o->dir < 0 ? -errno : 0;
}

/* A name in the directory that nobody else has. */
static int temporary_name(char *name, size_t size)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -errno;
	snprintf(name, size, ".sandlock-%016" PRIx64, random);
	return 0;
}

/* Make a file under a new temporary name. Returns the descriptor. */
static int create_named(const struct sl_outfile *o, char *name, size_t size)
{
	for (int i = 0; i < NAME_TRIES; i++) {
		int r = temporary_name(name, size);
		int fd;

		if (r < 0)
			return r;
		fd = openat(o->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, o->replaces ? 0600 : 0666);
		if (fd >= 0 || errno != EEXIST)
			return fd < 0 ? -errno : fd;
	}
	return -EEXIST;
}

/* Give the new file the mode and owner of the one that it replaces. Who may not give files away keeps the
 * group where possible; where not, the group gets no more than others had. */
static int adopt_attributes(const struct sl_outfile *o, int fd)
{
	mode_t mode = o->mode & 07777;
	struct stat st;

	if (!o->replaces)
		return 0;
	if (fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_uid != o->uid || st.st_gid != o->gid) && fchown(fd, o->uid, o->gid) < 0) {
		mode &= 01777;
		if (st.st_gid != o->gid && fchown(fd, (uid_t)-1, o->gid) < 0)
			mode &= (mode_t)~070 | ((mode & 07) << 3);
	}
	return fchmod(fd, mode) < 0 ? -errno : 0;
}

/* Make the file without a name, or prove that one can be made. */
static int prepare(struct sl_outfile *o)
{
	char name[64];
	int fd = openat(o->dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, o->replaces ? 0600 : 0666);

	if (fd >= 0) {
		o->fd = fd;
		return adopt_attributes(o, fd);
	}
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT)
		return -errno;
	fd = create_named(o, name, sizeof(name));
	if (fd < 0)
		return fd;
	sl_close(fd);
	return unlinkat(o->dir, name, 0) < 0 ? -errno : 0;
}

/* Look at what stands at the path. */
static int inspect(struct sl_outfile *o)
{
	SL_FREE char *target = NULL;
	struct stat st, again;
	int r;

	if (!o->path[0])
		return -ENOENT;
	if (stat(o->path, &st) < 0) {
		if (errno != ENOENT)
			return -errno;
	} else if (S_ISDIR(st.st_mode)) {
		return -EISDIR;
	} else if (!S_ISREG(st.st_mode)) {
		o->fd = open(o->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		return o->fd < 0 ? -errno : 0;
	} else {
		o->replaces = true;
		o->mode = st.st_mode;
		o->uid = st.st_uid;
		o->gid = st.st_gid;
	}
	target = sl_outfile_target(o->path);
	if (!target)
		return -errno;
	r = open_directory(o, target);
	if (r < 0 || !o->replaces)
		return r;
	/* A link of /proc that leads to a file which has no such name any more. */
	if (fstatat(o->dir, o->name, &again, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (again.st_dev != st.st_dev || again.st_ino != st.st_ino)
		return -ESTALE;
	/* Renaming would replace it all the same; that is not what somebody who made it read-only wants. */
	return faccessat(o->dir, o->name, W_OK, AT_EACCESS) < 0 ? -errno : 0;
}

int sl_outfile_open(const char *path, struct sl_outfile **ret, struct sl_error *err)
{
	SL_CLEANUP(cleanup_outfile) struct sl_outfile *o = sl_xcalloc(1, sizeof(*o));
	int r;

	o->dir = o->fd = -EBADF;
	o->path = sl_xstrdup(path);
	r = inspect(o);
	if (r == 0 && o->fd < 0)
		r = prepare(o);
	if (r < 0)
		return out_error(err, -r, o);
	*ret = SL_TAKE_PTR(o);
	return 0;
}

/* Give the file without a name that name. AT_EMPTY_PATH needs a privilege on older kernels, /proc a mounted
 * /proc. */
static int link_file(const struct sl_outfile *o, const char *name)
{
	char self[64];

	if (linkat(o->fd, "", o->dir, name, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno == EEXIST)
		return -EEXIST;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", o->fd);
	return linkat(AT_FDCWD, self, o->dir, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* Rename the temporary over the target; on failure it is removed. */
static int rename_over(const struct sl_outfile *o, const char *temporary)
{
	int code;

	if (renameat(o->dir, temporary, o->dir, o->name) == 0)
		return 0;
	code = errno;
	unlinkat(o->dir, temporary, 0);
	return -code;
}

static int put_in_place(const struct sl_outfile *o)
{
	char name[64];
	int r = -EEXIST;

	/* Nothing to replace: one step, no temporary name. */
	if (!o->replaces) {
		r = link_file(o, o->name);
		if (r != -EEXIST)
			return r;
	}
	for (int i = 0; i < NAME_TRIES && r == -EEXIST; i++) {
		r = temporary_name(name, sizeof(name));
		if (r == 0)
			r = link_file(o, name);
	}
	return r < 0 ? r : rename_over(o, name);
}

/* Without O_TMPFILE. */
static int commit_named(const struct sl_outfile *o, const char *text, size_t len)
{
	char name[64];
	SL_CLOSE int fd = create_named(o, name, sizeof(name));
	int r;

	if (fd < 0)
		return fd;
	r = adopt_attributes(o, fd);
	if (r == 0)
		r = sl_write_all(fd, text, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0)
		return rename_over(o, name);
	unlinkat(o->dir, name, 0);
	return r;
}

/* The new name shall survive a crash too; a directory that cannot be read cannot be synced. */
static void sync_directory(const struct sl_outfile *o)
{
	SL_CLOSE int fd = openat(o->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		(void)fsync(fd);
}

int sl_outfile_commit(struct sl_outfile *o, const char *text, size_t len, struct sl_error *err)
{
	int r;

	if (o->fd < 0) {
		r = commit_named(o, text, len);
	} else {
		r = sl_write_all(o->fd, text, len);
		if (r == 0 && o->dir >= 0 && fsync(o->fd) < 0)
			r = -errno;
		if (r == 0 && o->dir >= 0)
			r = put_in_place(o);
	}
	if (r < 0)
		return out_error(err, -r, o);
	if (o->dir >= 0)
		sync_directory(o);
	return 0;
}
