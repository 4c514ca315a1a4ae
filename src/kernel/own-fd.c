/*
 * own-fd.c - see own-fd.h. Where the kernel has no call that takes an O_PATH descriptor, the path is
 * /proc/self/fd/N: a magic link of our own process, which jumps to the very object. Nothing of it is looked
 * up in a directory that anybody else can change.
 */
#include "kernel/own-fd.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/macros.h"
#include "kernel/tracee.h"

#ifndef __NR_pidfd_open
#define __NR_pidfd_open 434
#endif
#ifndef __NR_pidfd_getfd
#define __NR_pidfd_getfd 438
#endif
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif
#ifndef __NR_file_setattr
#define __NR_file_setattr 469
#endif
#define PIDFD_THREAD O_EXCL

struct own_name {
	char text[32];
};

static struct own_name own_name(int fd)
{
	struct own_name n;

	snprintf(n.text, sizeof(n.text), "/proc/self/fd/%d", fd);
	return n;
}

int sl_pidfd_open(pid_t tid)
{
	long fd = syscall(__NR_pidfd_open, tid, 0);

	/* What is no leader needs the flag; before it the error was EINVAL. */
	if (fd < 0 && (errno == ENOENT || errno == EINVAL))
		fd = syscall(__NR_pidfd_open, tid, PIDFD_THREAD);
	return fd < 0 ? -errno : (int)fd;
}

int sl_fd_take(pid_t tid, int fd)
{
	SL_CLOSE int pidfd = -EBADF;
	pid_t tgid;
	long taken;

	if (fd < 0)
		return -EBADF;
	pidfd = sl_pidfd_open(tid);
	if (pidfd == -EINVAL || pidfd == -ENOENT) {
		/* An old kernel: the leader has the same descriptors, but for threads that unshared them. */
		tgid = sl_tracee_tgid(tid);
		pidfd = tgid < 0 ? tgid : sl_pidfd_open(tgid);
	}
	if (pidfd < 0)
		return pidfd;
	taken = syscall(__NR_pidfd_getfd, pidfd, fd, 0);
	return taken < 0 ? -errno : (int)taken;
}

void sl_pidfds_release(struct sl_pidfds *p)
{
	for (size_t i = 0; i < SL_PIDFD_SLOTS; i++)
		if (p->slots[i].tid)
			sl_close(p->slots[i].fd);
	memset(p, 0, sizeof(*p));
}

int sl_fd_take_by(struct sl_pidfds *p, pid_t tid, int fd)
{
	size_t slot = (uint32_t)tid % SL_PIDFD_SLOTS;
	long taken = -1;

	if (fd < 0 || tid <= 0)
		return -EBADF;
	if (p->slots[slot].tid == tid) {
		taken = syscall(__NR_pidfd_getfd, p->slots[slot].fd, fd, 0);
		if (taken >= 0 || errno != ESRCH)
			return taken < 0 ? -errno : (int)taken;
	}
	if (p->slots[slot].tid)
		sl_close(p->slots[slot].fd);
	p->slots[slot].fd = sl_pidfd_open(tid);
	p->slots[slot].tid = p->slots[slot].fd < 0 ? 0 : tid;
	if (p->slots[slot].fd < 0)
		return sl_fd_take(tid, fd);
	taken = syscall(__NR_pidfd_getfd, p->slots[slot].fd, fd, 0);
	return taken < 0 ? -errno : (int)taken;
}

bool sl_fd_can_take(void)
{
	return syscall(__NR_pidfd_getfd, -1, 0, 0) < 0 && errno == EBADF;
}

int sl_fd_flags(pid_t tid, int fd)
{
	char name[48], text[512];
	SL_CLOSE int info = -EBADF;
	const char *line;
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/%d/fdinfo/%d", (int)tid, fd);
	info = open(name, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return errno == ENOENT ? -EBADF : -EPERM;
	n = read(info, text, sizeof(text) - 1);
	if (n < 0)
		return -EBADF;
	text[n] = '\0';
	line = strstr(text, "flags:");
	return line ? (int)strtol(line + strlen("flags:"), NULL, 8) : -EPERM;
}

int sl_fd_is_path(pid_t tid, int fd)
{
	struct stat st;
	char name[48];
	int flags;

	/* The permissions of the link are what the descriptor was opened for: fs/proc/fd.c. O_PATH is for nothing, but so
	 * is the access mode 3. */
	snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)tid, fd);
	if (lstat(name, &st) < 0)
		return errno == ENOENT ? -EBADF : -EPERM;
	if (st.st_mode & 0777)
		return 0;
	flags = sl_fd_flags(tid, fd);
	return flags < 0 ? flags : (flags & O_PATH) != 0;
}

int sl_fd_reopen(pid_t tid, int fd, int *ret_flags)
{
	char name[48];
	int object, flags;

	if (fd < 0)
		return -EBADF;
	flags = sl_fd_flags(tid, fd);
	if (flags < 0)
		return flags;
	snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)tid, fd);
	object = open(name, O_PATH | O_CLOEXEC);
	if (object < 0)
		return errno == ENOENT ? -EBADF : -EPERM;
	*ret_flags = flags;
	return object;
}

int sl_fd_read_anew(int fd)
{
	struct own_name name = own_name(fd);
	int r = open(name.text, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOATIME);

	if (r < 0 && errno == EPERM)
		r = open(name.text, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

int sl_fd_is_alone(int fd)
{
	/* Who breaks the lease sends a signal: one that only makes us look for children. */
	if (fcntl(fd, F_SETSIG, SIGCHLD) < 0)
		return -errno;
	if (fcntl(fd, F_SETLEASE, F_WRLCK) < 0)
		return errno == EAGAIN ? 0 : -errno;
	return fcntl(fd, F_SETLEASE, F_UNLCK) < 0 ? -errno : 1;
}

pid_t sl_pidfd_pid(int fd)
{
	char name[48], text[512];
	SL_CLOSE int info = -EBADF;
	const char *line;
	ssize_t n;
	long pid;

	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
	info = open(name, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return -errno;
	n = read(info, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	line = strstr(text, "\nPid:");
	if (!line)
		return -EBADF;
	pid = strtol(line + 5, NULL, 10);
	return pid > 0 ? (pid_t)pid : -ESRCH;
}

int sl_fd_chmod(int fd, mode_t mode)
{
	if (syscall(__NR_fchmodat2, fd, "", mode, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOSYS && errno != EPERM)
		return -errno;
	/* Before Linux 6.6, or under an outer filter that does not know the call. */
	return chmod(own_name(fd).text, mode) < 0 ? -errno : 0;
}

int sl_fd_chown(int fd, uid_t uid, gid_t gid)
{
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int sl_fd_utimes(int fd, const struct timespec times[2])
{
	/* The libc function refuses a null path, not an empty one. */
	return utimensat(fd, "", times, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

int sl_fd_setxattr(int fd, const char *name, const void *value, size_t size, int flags)
{
	return setxattr(own_name(fd).text, name, value, size, flags) < 0 ? -errno : 0;
}

int sl_fd_removexattr(int fd, const char *name)
{
	return removexattr(own_name(fd).text, name) < 0 ? -errno : 0;
}

int sl_fd_setattr(int fd, const void *attr, size_t size)
{
	return syscall(__NR_file_setattr, AT_FDCWD, own_name(fd).text, attr, size, 0) < 0 ? -errno : 0;
}
