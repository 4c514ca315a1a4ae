/*
 * tracee.c - see tracee.h. Memory goes through process_vm_readv(2), one system call without a descriptor;
 * where that is refused (a kernel built without it, an outer sandbox) through /proc/TID/mem, which the kernel
 * guards in the same way.
 *
 * Credentials are parsed from one read of /proc/TID/status. The kernel escapes the process's name there, so
 * no line of that file can be forged by the process.
 */
#include "kernel/tracee.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/macros.h"

/* The smallest page of any architecture: never reading past a multiple of it never touches an unasked page.
 */
#define PAGE 4096u
/* Most paths are shorter: a whole page would cost more to copy than it saves. */
#define FIRST_READ 256u
/* Holds every status file with SL_GROUPS_MAX groups; one that fills it is refused. */
#define STATUS_SIZE 8192

/* /proc/TID/mem for read or write. A thread that is gone is -ESRCH, one that is closed to us -EPERM. */
static int open_mem(pid_t tid, int flags)
{
	char name[48];
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/mem", (int)tid);
	fd = open(name, flags | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	return errno == ENOENT ? -ESRCH : errno == EACCES ? -EPERM : -errno;
}

/* Bytes copied from the front, which may be fewer than asked; -EFAULT where there is none. */
static ssize_t read_some(pid_t tid, uint64_t addr, void *buf, size_t len)
{
	struct iovec local = {.iov_base = buf, .iov_len = len};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)addr, .iov_len = len};
	ssize_t n = process_vm_readv(tid, &local, 1, &remote, 1, 0);
	SL_CLOSE int fd = -EBADF;

	if (n > 0)
		return n;
	if (n == 0)
		return -EFAULT;
	if (errno != EPERM && errno != ENOSYS)
		return -errno;
	fd = open_mem(tid, O_RDONLY);
	if (fd < 0)
		return fd;
	n = pread(fd, buf, len, (off_t)addr);
	if (n > 0)
		return n;
	return n == 0 || errno == EIO || errno == EINVAL ? -EFAULT : -errno;
}

int sl_tracee_read(pid_t tid, uint64_t addr, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read_some(tid, addr + done, (char *)buf + done, len - done);

		if (n < 0)
			return (int)n;
		done += (size_t)n;
	}
	return 0;
}

int sl_tracee_writev(pid_t tid, const struct iovec *remote, const struct iovec *local, size_t count)
{
	size_t len = 0;
	ssize_t n;

	for (size_t i = 0; i < count; i++)
		len += local[i].iov_len;
	if (!len)
		return 0;
	/* Never through /proc/TID/mem: that would write where the tracee itself may not. */
	n = process_vm_writev(tid, local, count, remote, count, 0);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EFAULT;
}

int sl_tracee_write(pid_t tid, uint64_t addr, const void *buf, size_t len)
{
	const struct iovec local = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
	const struct iovec remote = {.iov_base = (void *)(uintptr_t)addr, .iov_len = len};

	return sl_tracee_writev(tid, &remote, &local, 1);
}

ssize_t sl_tracee_read_string(pid_t tid, uint64_t addr, char *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		size_t to_page_end = PAGE - (size_t)((addr + done) % PAGE);
		size_t want = SL_MIN(size - done, to_page_end);
		ssize_t n;
		const char *end;

		if (!done)
			want = SL_MIN(want, FIRST_READ);
		n = read_some(tid, addr + done, buf + done, want);
		if (n < 0)
			return n;
		end = memchr(buf + done, '\0', (size_t)n);
		if (end)
			return end - buf;
		done += (size_t)n;
	}
	return -ENAMETOOLONG;
}

/* The whole text of /proc/TID/status. */
static int read_status(pid_t tid, char text[STATUS_SIZE])
{
	char name[48];
	SL_CLOSE int fd = -EBADF;
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/%d/status", (int)tid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, text, STATUS_SIZE);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ESRCH;
	if (n == STATUS_SIZE)
		return -E2BIG;
	text[n] = '\0';
	return 0;
}

/* Behind the key ("Uid:") of the line that begins with it, or NULL. */
static const char *status_value(const char *text, const char *key)
{
	size_t len = strlen(key);

	while (text) {
		if (strncmp(text, key, len) == 0)
			return text + len;
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return NULL;
}

/* The next number of the line at *at; false at its end. */
static bool next_number(const char **at, int base, uint64_t *ret)
{
	char *end;

	while (**at == ' ' || **at == '\t')
		(*at)++;
	if (**at == '\n' || !**at)
		return false;
	errno = 0;
	*ret = strtoull(*at, &end, base);
	if (errno || end == *at)
		return false;
	*at = end;
	return true;
}

/* count numbers of the line with that key; false where one is missing. */
static bool status_numbers(const char *text, const char *key, int base, uint64_t *ret, size_t count)
{
	const char *at = status_value(text, key);

	if (!at)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!next_number(&at, base, &ret[i]))
			return false;
	return true;
}

static int parse_groups(const char *text, struct sl_creds *creds)
{
	const char *at = status_value(text, "Groups:");
	uint64_t group;

	if (!at)
		return -EPROTO;
	creds->group_count = 0;
	while (next_number(&at, 10, &group)) {
		if (creds->group_count == SL_GROUPS_MAX)
			return -E2BIG;
		creds->groups[creds->group_count++] = (gid_t)group;
	}
	return *at == '\n' ? 0 : -EPROTO;
}

int sl_tracee_creds(pid_t tid, struct sl_creds *ret)
{
	char text[STATUS_SIZE] = "";
	uint64_t uid[4], gid[4], caps, mask, tgid, ppid;
	int r = read_status(tid, text);

	if (r < 0)
		return r;
	if (!status_numbers(text, "Umask:", 8, &mask, 1) || !status_numbers(text, "Tgid:", 10, &tgid, 1) ||
	    !status_numbers(text, "PPid:", 10, &ppid, 1) || !status_numbers(text, "Uid:", 10, uid, 4) ||
	    !status_numbers(text, "Gid:", 10, gid, 4) || !status_numbers(text, "CapEff:", 16, &caps, 1))
		return -EPROTO; /* an exiting thread has no umask any more */
	r = parse_groups(text, ret);
	if (r < 0)
		return r;
	ret->uid = (uid_t)uid[0];
	ret->euid = (uid_t)uid[1];
	ret->fsuid = (uid_t)uid[3];
	ret->gid = (gid_t)gid[0];
	ret->egid = (gid_t)gid[1];
	ret->fsgid = (gid_t)gid[3];
	ret->cap_effective = caps;
	ret->umask = (mode_t)mask;
	ret->tgid = (pid_t)tgid;
	ret->ppid = (pid_t)ppid;
	return 0;
}

static pid_t status_pid(pid_t tid, const char *key)
{
	char text[STATUS_SIZE] = "";
	uint64_t value;
	int r = read_status(tid, text);

	if (r < 0)
		return r;
	return status_numbers(text, key, 10, &value, 1) ? (pid_t)value : -EPROTO;
}

pid_t sl_tracee_tgid(pid_t tid)
{
	return status_pid(tid, "Tgid:");
}

pid_t sl_tracee_ppid(pid_t pid)
{
	return status_pid(pid, "PPid:");
}

bool sl_tracee_is_descendant(pid_t pid, pid_t ancestor)
{
	/* Parent links cannot form a circle, but they change while they are followed: bound the way all the
	 * same. */
	for (int steps = 0; pid > 0 && steps < 65536; steps++) {
		if (pid == ancestor)
			return true;
		pid = sl_tracee_ppid(pid);
	}
	return false;
}

pid_t sl_proc_pid(const char *path, const char **ret_rest)
{
	char *end;
	long value;

	if (strncmp(path, "/proc/", 6) != 0 || path[6] < '1' || path[6] > '9')
		return 0;
	errno = 0;
	value = strtol(path + 6, &end, 10);
	if (errno || value > INT32_MAX || (*end && *end != '/'))
		return 0;
	*ret_rest = end;
	return (pid_t)value;
}

bool sl_tracee_may_be_undumpable(void)
{
	static int known = -1;
	struct sl_creds creds;

	if (known < 0)
		known = sl_tracee_creds((pid_t)syscall(SYS_gettid), &creds) == 0 &&
			creds.cap_effective >> CAP_SYS_PTRACE & 1;
	return known;
}

static uint64_t status_mask(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	return at ? strtoull(at + strlen(name), NULL, 16) : 0;
}

bool sl_tracee_signal_pending(pid_t tid)
{
	char name[48], status[4096];
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/status", (int)tid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, status, sizeof(status) - 1);
	close(fd);
	if (n <= 0)
		return false;
	status[n] = '\0';
	return (status_mask(status, "\nSigPnd:") | status_mask(status, "\nShdPnd:")) &
	       ~(status_mask(status, "\nSigBlk:") | status_mask(status, "\nSigIgn:"));
}
