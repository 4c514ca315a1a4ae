/*
 * tmpdir.c - the private temporary directory: made, and removed whatever the command left in it.
 *
 * Removing takes no memory and two descriptors whatever the depth: a directory that is not empty gives its
 * own directories to the top, under new names, and is then empty. So it may run in the killer, after fork.
 * Nothing follows a symbolic link, and nothing on another file system is touched.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/path.h"
#include "supervise/guard.h"
#include "supervise/sandbox.h"

int sl_tmp_dir_make(struct sl_guard *guard, char **ret_path, struct sl_error *err)
{
	const char *base = getenv("TMPDIR");
	SL_FREE char *canonical = NULL;
	SL_FREE char *prefix = NULL, *path = NULL;

	if (!base || !*base)
		base = "/tmp";
	canonical = realpath(base, NULL);
	if (!canonical)
		return sl_error_errno(err, errno, "cannot use the temporary directory %s", sl_esc(base));
	prefix = sl_xasprintf("%s/sandlock-", strcmp(canonical, "/") ? canonical : "");
	if (guard)
		return sl_guard_make(guard, prefix, ret_path, err);
	path = sl_xasprintf("%sXXXXXX", prefix);
	if (!mkdtemp(path)) /* mode 0700 */
		return sl_error_errno(err, errno, "cannot make a temporary directory in %s",
				      sl_esc(canonical));
	*ret_path = SL_TAKE_PTR(path);
	return 0;
}

struct removal {
	int top;	    /* the tree's directory */
	dev_t dev;	    /* its file system */
	unsigned long next; /* number for the next new name in it */
};

/* Append the decimal number, with a NUL: snprintf is not for after fork. */
static void put_number(char *at, unsigned long n)
{
	char digits[24];
	size_t len = 0;

	do
		digits[len++] = (char)('0' + n % 10);
	while (n /= 10);
	while (len)
		*at++ = digits[--len];
	*at = '\0';
}

/* Open a directory for reading, giving ourselves the right to where its mode does not. */
static int open_dir(int at, const char *name)
{
	char link[sizeof("/proc/self/fd/") + 24] = "/proc/self/fd/";
	SL_CLOSE int handle = -EBADF;
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	handle = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (handle < 0)
		return fd;
	/* Writing and searching are needed as well, and to be moved a directory must be writable itself. */
	if (fd >= 0 && fstat(handle, &st) == 0 && (st.st_mode & S_IRWXU) == S_IRWXU)
		return fd;
	put_number(link + strlen(link), (unsigned long)handle);
	chmod(link, S_IRWXU);
	return fd >= 0 ? fd : openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Root's command may have made a file or directory of its own unchangeable (FS_IOC_SETFLAGS). Names of such a directory cannot
 * be removed, and no name of such a file. Did this take the flags away? */
static bool make_changeable(int at, const char *name)
{
	struct stat st;
	SL_CLOSE int fd = -EBADF;
	int flags;

	/* Nothing else has flags, and opening a FIFO or a device is no way to ask. The processes that could have
	 * exchanged it are gone. */
	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return false;
	fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 || !(flags & (FS_IMMUTABLE_FL | FS_APPEND_FL)))
		return false;
	flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
	return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

/* The same for an entry and the directory that it is in. */
static bool make_removable(int dir, const char *name)
{
	bool entry = make_changeable(dir, name);

	return make_changeable(dir, ".") || entry;
}

/* unlinkat(), once more where such flags stood in the way. */
static int unlink_stubborn(int dir, const char *name, int flags)
{
	if (unlinkat(dir, name, flags) == 0)
		return 0;
	if (errno != EPERM)
		return -1;
	if (make_removable(dir, name))
		return unlinkat(dir, name, flags);
	errno = EPERM;
	return -1;
}

/* Move a directory that cannot be removed yet up to the top. */
static int move_up(struct removal *r, int dir, const char *name)
{
	char fresh[32] = ".sl-";
	int e;

	sl_close(open_dir(dir, name));
	for (int tries = 0; tries < 1000; tries++) {
		put_number(fresh + 4, r->next++);
		if (syscall(SYS_renameat2, dir, name, r->top, fresh, 1U /* RENAME_NOREPLACE */) == 0)
			return 0;
		e = errno;
		if (e != EEXIST && (e != EPERM || !make_removable(dir, name)))
			return -e;
	}
	return -EEXIST;
}

static int empty_dir(struct removal *r, int dir);

/* Remove one entry of dir; directories that are not empty are emptied (in the top) or moved to the top. */
static int remove_entry(struct removal *r, int dir, const char *name)
{
	SL_CLOSE int child = -EBADF;
	struct stat st;
	int e;

	if (unlink_stubborn(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	e = errno;
	if (e != EISDIR && e != EPERM)
		return -e;
	if (unlink_stubborn(dir, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno == ENOTDIR)
		return -e;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -errno;
	if (dir != r->top)
		return move_up(r, dir, name);
	child = open_dir(dir, name);
	if (child < 0 || fstat(child, &st) < 0)
		return -errno;
	if (st.st_dev != r->dev)
		return -EXDEV;
	e = empty_dir(r, child);
	if (unlink_stubborn(dir, name, AT_REMOVEDIR) == 0)
		return 0;
	return e < 0 ? e : -errno;
}

/* Remove what is in dir, starting over until a pass finds nothing or everything left refuses. */
static int empty_dir(struct removal *r, int dir)
{
	_Alignas(struct dirent64) char buffer[4096];
	int result, removed;

	do {
		long n;

		result = removed = 0;
		lseek(dir, 0, SEEK_SET);
		while ((n = syscall(SYS_getdents64, dir, buffer, sizeof(buffer))) > 0) {
			for (long at = 0; at < n;) {
				const struct dirent64 *entry = (const struct dirent64 *)(buffer + at);
				int one;

				at += entry->d_reclen;
				if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
					continue;
				one = remove_entry(r, dir, entry->d_name);
				result = one < 0 ? one : result;
				removed += one == 0;
			}
		}
		if (n < 0)
			return -errno;
	} while (removed);
	return result;
}

int sl_tree_remove(const char *path)
{
	SL_CLOSE int top = -EBADF;
	struct removal r;
	struct stat st;
	int e;

	if (rmdir(path) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST && errno != EPERM)
		return -errno;
	make_changeable(AT_FDCWD, path);
	top = open_dir(AT_FDCWD, path);
	if (top < 0 || fstat(top, &st) < 0)
		return -errno;
	r = (struct removal){.top = top, .dev = st.st_dev};
	e = empty_dir(&r, top);
	if (rmdir(path) == 0)
		return 0;
	return e < 0 ? e : -errno;
}
