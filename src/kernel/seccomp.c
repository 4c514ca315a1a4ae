/*
 * seccomp.c - loading a program and answering its notifications with raw system calls: libseccomp 2.5.4 knows
 * neither WAIT_KILLABLE_RECV nor ADDFD with SEND nor synchronous wake-ups.
 *
 * WAIT_KILLABLE_RECV (Linux 5.19) keeps signals from interrupting a call that the supervisor has already
 * received: without it a caller with a busy signal handler would see its call restart again and again.
 * SPEC_ALLOW leaves speculation mitigations as they are; since 5.16 that is the default, before it cost every
 * program some percent.
 */
#include "kernel/seccomp.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS	   SECCOMP_IOW(4, __u64)
#endif

static int load(unsigned long flags, const struct sock_fprog *program)
{
	long r = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);

	return r < 0 ? -errno : (int)r;
}

int sl_seccomp_load(const struct sock_filter *insns, unsigned short len, int listener)
{
	const struct sock_fprog program = {.len = len, .filter = (struct sock_filter *)insns};
	unsigned long flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	int r;

	if (!listener)
		return load(flags, &program);
	flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	r = load(flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
	if (r == -EINVAL)
		r = load(flags, &program);
	return r;
}

void sl_notif_set_sync(int listener)
{
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

int sl_notif_recv(int listener, struct seccomp_notif *ret)
{
	struct seccomp_notif n;

	memset(&n, 0, sizeof(n)); /* the kernel refuses anything else */
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0)
		return -errno;
	*ret = n;
	return 0;
}

int sl_notif_valid(int listener, uint64_t id)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

static int answer(int listener, struct seccomp_notif_resp *resp)
{
	int r;

	do
		r = ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, resp);
	while (r < 0 && errno == EINTR);
	return r < 0 && errno != ENOENT ? -errno : 0;
}

int sl_notif_continue(int listener, uint64_t id)
{
	struct seccomp_notif_resp resp = {.id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

	return answer(listener, &resp);
}

int sl_notif_return(int listener, uint64_t id, int64_t value)
{
	struct seccomp_notif_resp resp = {.id = id, .val = value};

	return answer(listener, &resp);
}

int sl_notif_error(int listener, uint64_t id, int error)
{
	struct seccomp_notif_resp resp = {.id = id, .error = -error};

	return answer(listener, &resp);
}

static int add_fd(int listener, const struct seccomp_notif_addfd *add)
{
	int r;

	do
		r = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, add);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

int sl_notif_add_fd(int listener, uint64_t id, int fd, uint32_t cloexec)
{
	const struct seccomp_notif_addfd add = {.id = id, .srcfd = (uint32_t)fd, .newfd_flags = cloexec};

	return add_fd(listener, &add);
}

int sl_notif_replace_fd(int listener, uint64_t id, int fd, int number, uint32_t cloexec)
{
	const struct seccomp_notif_addfd add = {
	    .id = id,
	    .flags = SECCOMP_ADDFD_FLAG_SETFD,
	    .srcfd = (uint32_t)fd,
	    .newfd = (uint32_t)number,
	    .newfd_flags = cloexec,
	};
	int r = add_fd(listener, &add);

	return SL_MIN(r, 0);
}

int sl_notif_send_fd(int listener, uint64_t id, int fd, uint32_t cloexec)
{
	const struct seccomp_notif_addfd add = {
	    .id = id,
	    .flags = SECCOMP_ADDFD_FLAG_SEND,
	    .srcfd = (uint32_t)fd,
	    .newfd_flags = cloexec,
	};
	sigset_t all, saved;
	int r;

	/* Interrupted after it has begun, the call leaves an answer behind that is 0 and without the descriptor. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	r = add_fd(listener, &add);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	return r < 0 && r != -ENOENT ? r : 0;
}
