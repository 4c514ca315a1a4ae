/*
 * notify-loop.c - the least that an observed call can cost: a child opens and closes a file under a filter that
 * notifies openat, and its parent does nothing but receive and answer "continue".
 *
 * usage: bench-notify-loop FILE COUNT
 *
 * One supervising thread, blocking SECCOMP_IOCTL_NOTIF_RECV, synchronous wake-ups where the kernel has them (6.6).
 * Prints the nanoseconds of one open and close, the best of five parts. What learn adds to this is its own cost.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

#define PARTS 5

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int die(const char *what)
{
	fprintf(stderr, "bench-notify-loop: %s: %s\n", what, strerror(errno));
	_exit(1);
}

/* Load a filter that notifies openat only. Returns the listener. */
static int load_filter(void)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_openat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(insns) / sizeof(insns[0]), .filter = insns };
	long listener;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		die("no_new_privs");
	listener = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	if (listener < 0)
		die("seccomp");
	return (int)listener;
}

static void send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(sock, &msg, 0) < 0)
		die("sendmsg");
}

static int receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c;
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) < 0 || !(c = CMSG_FIRSTHDR(&msg)))
		die("recvmsg");
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static int child(int sock, const char *path, size_t count)
{
	double best = 0;
	int listener = load_filter();

	send_fd(sock, listener);
	close(listener);
	for (int part = 0; part < PARTS; part++) {
		double start = now_ns(), one;

		for (size_t i = 0; i < count / PARTS; i++) {
			int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);

			if (fd < 0)
				die(path);
			close(fd);
		}
		one = (now_ns() - start) / (double)(count / PARTS);
		if (!part || one < best)
			best = one;
	}
	printf("%.2f\n", best);
	fflush(stdout);
	return 0;
}

/* Receive and answer until the child and its filter are gone (ENOENT). */
static void loop(int listener)
{
	struct seccomp_notif n;
	struct seccomp_notif_resp r;

	ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	for (;;) {
		memset(&n, 0, sizeof(n));
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n)) {
			if (errno == EINTR)
				continue;
			return;
		}
		memset(&r, 0, sizeof(r));
		r.id = n.id;
		r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
	}
}

int main(int argc, char **argv)
{
	size_t count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	int pair[2], status, listener;
	pid_t pid;

	if (count < PARTS) {
		fprintf(stderr, "usage: bench-notify-loop FILE COUNT\n");
		return 2;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		die("socketpair");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		_exit(child(pair[1], argv[1], count));
	close(pair[1]);
	listener = receive_fd(pair[0]);
	loop(listener);
	close(listener);
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return 1;
	return WEXITSTATUS(status);
}
