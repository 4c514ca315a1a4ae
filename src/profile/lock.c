/*
 * lock.c - one at a time may read a profile, add to it and put it back.
 *
 * The lock is flock(2) on the file itself. Replacing gives the name to another file, so whoever waited looks
 * again whether the one that it has locked still has the name.
 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/path.h"
#include "profile/write.h"

int sl_profile_lock(const char *path, int *ret_fd, struct sl_error *err)
{
	for (;;) {
		SL_CLOSE int fd = -EBADF;
		struct stat now, locked;

		/* Nothing is there, or nothing that can be read and added to. */
		if (stat(path, &now) < 0 || !S_ISREG(now.st_mode))
			return 0;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd < 0 && (errno == ENOENT || errno == EACCES))
			return 0;
		if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &locked) < 0)
			return sl_error_errno(err, errno, "cannot lock \"%s\"", sl_esc(path));
		if (stat(path, &now) == 0 && now.st_dev == locked.st_dev && now.st_ino == locked.st_ino) {
			*ret_fd = SL_TAKE_FD(fd);
			return 0;
		}
	}
}
