/*
 * lock.c - one at a time may read a profile, add to it and put it back.
 *
 * The lock is flock(2) on the file itself. Replacing gives the name to another file, so whoever waited looks
 * again whether the one that it has locked still has the name. Where there is no file yet the directory in
 * which it will be made is locked: of several that make it at once each then finds what the one before has
 * made.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/path.h"
#include "profile/write.h"

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The directory of what path leads to, open for locking, or -errno. */
static int open_directory(const char *path)
{
	SL_FREE char *target = sl_outfile_target(path);
	char *slash = target ? strrchr(target, '/') : NULL;
	int fd;

	if (!target)
		return -errno;
	if (slash)
		slash[slash == target] = '\0';
	fd = open(slash ? target : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sl_profile_lock(const char *path, int *ret_fd, struct sl_error *err)
{
	for (;;) {
		SL_CLOSE int fd = -EBADF;
		struct stat now, locked;
		bool there = stat(path, &now) == 0;

		if (there && !S_ISREG(now.st_mode))
			return 0;
		fd = there ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : open_directory(path);
		if (there && fd < 0 && errno == ENOENT)
			continue;
		/* Opening for writing will say what is wrong; who may not read it cannot add to it. */
		if (fd < 0 && (!there || errno == EACCES))
			return 0;
		if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &locked) < 0)
			return sl_error_errno(err, errno, "cannot lock \"%s\"", sl_esc(path));
		if (there != (stat(path, &now) == 0) || (there && !is_same(&now, &locked)))
			continue;
		*ret_fd = SL_TAKE_FD(fd);
		return 0;
	}
}
