/*
 * own-path.c - see own-path.h. A normal absolute path that openat2(2) can walk without meeting a symbolic
 * link is its own canonical name, and that is what profiles written by learn hold: one system call instead of
 * two. Everything else, and a kernel or outer sandbox without openat2, costs a readlink of /proc/self/fd.
 */
#include "kernel/own-path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/macros.h"
#include "base/path.h"
#include "kernel/resolve.h"

int sl_own_path_open_plain(const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
	long fd = syscall(__NR_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int sl_own_path_open(const char *path, char canonical[PATH_MAX])
{
	SL_CLOSE int fd = -EBADF;
	size_t len = strlen(path);
	ssize_t n;

	if (len >= PATH_MAX)
		return -ENAMETOOLONG;
	if (sl_path_is_normal(path)) {
		fd = sl_own_path_open_plain(path);
		if (fd >= 0) {
			memcpy(canonical, path, len + 1);
			return SL_TAKE_FD(fd);
		}
		if (fd == -ENOENT)
			return fd;
	}
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = sl_fd_path(fd, canonical, PATH_MAX);
	if (n < 0)
		return (int)n;
	return SL_TAKE_FD(fd);
}
