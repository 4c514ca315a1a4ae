/*
 * Unit tests of kernel/seccomp.h: a child under a small program makes calls, the test is its supervisor. The
 * child says the listener's number through a pipe and the test takes it with pidfd_getfd.
 */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "kernel/seccomp.h"
#include "policy/bpf.h"

#ifndef __NR_pidfd_open
#define __NR_pidfd_open 434
#endif
#ifndef __NR_pidfd_getfd
#define __NR_pidfd_getfd 438
#endif

/* Notify getppid and dup; allow the rest. */
static void make_program(struct sl_bpf *b)
{
	size_t block;

	sl_bpf_load_nr(b);
	block = sl_bpf_if_eq(b, __NR_getppid);
	sl_bpf_ret(b, SECCOMP_RET_USER_NOTIF);
	sl_bpf_end(b, block);
	block = sl_bpf_if_eq(b, __NR_dup);
	sl_bpf_ret(b, SECCOMP_RET_USER_NOTIF);
	sl_bpf_end(b, block);
	sl_bpf_ret(b, SECCOMP_RET_ALLOW);
}

struct child {
	pid_t pid;
	int listener;
};

static struct child start(int (*run)(void))
{
	struct sl_bpf b = SL_BPF_INIT;
	struct child c = {.listener = -EBADF};
	int pipes[2], taken[2], number, pidfd;

	make_program(&b);
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(taken, O_CLOEXEC), 0);
	c.pid = fork();
	ck_assert_int_ge(c.pid, 0);
	if (c.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
			_exit(250);
		number = sl_seccomp_load(b.insns, (unsigned short)b.len, 1);
		if (number < 0 || write(pipes[1], &number, sizeof(number)) != sizeof(number))
			_exit(251);
		/* Stay until the listener was taken: run() may end at once. */
		close(taken[1]);
		if (read(taken[0], &number, 1) != 0)
			_exit(252);
		_exit(run());
	}
	ck_assert_int_eq(read(pipes[0], &number, sizeof(number)), sizeof(number));
	pidfd = (int)syscall(__NR_pidfd_open, c.pid, 0);
	c.listener = (int)syscall(__NR_pidfd_getfd, pidfd, number, 0);
	ck_assert_int_ge(c.listener, 0);
	close(pidfd);
	close(pipes[0]);
	close(pipes[1]);
	close(taken[0]);
	close(taken[1]);
	sl_bpf_release(&b);
	sl_notif_set_sync(c.listener);
	return c;
}

static int finish(struct child *c)
{
	int status;

	ck_assert_int_eq(waitpid(c->pid, &status, 0), c->pid);
	c->listener = sl_close(c->listener);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static struct seccomp_notif receive(const struct child *c, int nr)
{
	struct seccomp_notif n;

	ck_assert_int_eq(sl_notif_recv(c->listener, &n), 0);
	ck_assert_int_eq(n.data.nr, nr);
	ck_assert_int_eq((int)n.pid, c->pid);
	ck_assert(sl_notif_valid(c->listener, n.id));
	return n;
}

static int run_answers(void)
{
	if (syscall(__NR_getppid) != -1 || errno != ENOTTY)
		return 1;
	if (syscall(__NR_getppid) != 4242)
		return 2;
	if (syscall(__NR_getppid) != (long)syscall(__NR_getpid) && syscall(__NR_getpid) > 1)
		return 0; /* continued: the real parent, not ourselves */
	return 3;
}

START_TEST(answers)
{
	struct child c = start(run_answers);

	ck_assert_int_eq(sl_notif_error(c.listener, receive(&c, __NR_getppid).id, ENOTTY), 0);
	ck_assert_int_eq(sl_notif_return(c.listener, receive(&c, __NR_getppid).id, 4242), 0);
	ck_assert_int_eq(sl_notif_continue(c.listener, receive(&c, __NR_getppid).id), 0);
	ck_assert_int_eq(finish(&c), 0);
}
END_TEST

static int run_descriptor(void)
{
	char text[8];
	long fd = syscall(__NR_dup, 99);

	if (fd < 0)
		return 1;
	if (fcntl((int)fd, F_GETFD) != FD_CLOEXEC)
		return 2;
	if (read((int)fd, text, 2) != 2 || text[0] != 'h')
		return 3;
	fd = syscall(__NR_dup, 99);
	return fd >= 0 && fcntl((int)fd, F_GETFD) == 0 ? 0 : 4;
}

START_TEST(descriptor)
{
	struct child c = start(run_descriptor);
	struct seccomp_notif n;
	int pipes[2];

	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	ck_assert_int_eq(write(pipes[1], "hi", 2), 2);
	n = receive(&c, __NR_dup);
	ck_assert_int_eq(sl_notif_send_fd(c.listener, n.id, -1, 0), -EBADF);
	ck_assert(sl_notif_valid(c.listener, n.id));
	ck_assert_int_eq(sl_notif_send_fd(c.listener, n.id, pipes[0], O_CLOEXEC), 0);
	ck_assert_int_eq(sl_notif_send_fd(c.listener, receive(&c, __NR_dup).id, pipes[0], 0), 0);
	ck_assert_int_eq(finish(&c), 0);
	close(pipes[0]);
	close(pipes[1]);
}
END_TEST

#define SENT 5000

/* Number 0 is closed: whoever is told 0 has got nothing. */
static int run_many(void)
{
	for (int i = 0; i < SENT; i++) {
		long fd = syscall(__NR_dup, 99);

		if (fd <= 0 || fcntl((int)fd, F_GETFD) < 0)
			return 1;
		close((int)fd);
	}
	return 0;
}

static void tick(int sig)
{
	(void)sig;
}

/* Signals that arrive while a descriptor is sent do not make the caller believe that it got number 0. */
START_TEST(interrupted)
{
	const struct itimerval often = {.it_interval.tv_usec = 50, .it_value.tv_usec = 50}, never = {{0}};
	const struct sigaction action = {.sa_handler = tick};
	struct child c = start(run_many);
	struct seccomp_notif n;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), r;

	ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
	for (int i = 0; i < SENT; i++) {
		do
			r = sl_notif_recv(c.listener, &n);
		while (r == -EINTR);
		if (r < 0 || sl_notif_send_fd(c.listener, n.id, fd, 0) < 0)
			break;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	ck_assert_int_eq(finish(&c), 0);
	close(fd);
}
END_TEST

static int run_forever(void)
{
	syscall(__NR_getppid);
	return 1;
}

/* The caller dies while it waits: answers are nobody's error. */
START_TEST(gone)
{
	struct child c = start(run_forever);
	struct seccomp_notif n = receive(&c, __NR_getppid);
	struct pollfd p = {.fd = c.listener, .events = POLLIN};
	int status;

	ck_assert_int_eq(kill(c.pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(c.pid, &status, 0), c.pid);
	ck_assert(!sl_notif_valid(c.listener, n.id));
	ck_assert_int_eq(sl_notif_error(c.listener, n.id, EPERM), 0);
	ck_assert_int_eq(sl_notif_continue(c.listener, n.id), 0);
	ck_assert_int_eq(sl_notif_return(c.listener, n.id, 0), 0);
	ck_assert_int_eq(sl_notif_send_fd(c.listener, n.id, 0, 0), 0);
	ck_assert_int_eq(poll(&p, 1, 10000), 1);
	ck_assert(p.revents & POLLHUP);
	close(c.listener);
}
END_TEST

static int run_busy(void)
{
	struct sl_bpf b = SL_BPF_INIT;
	int r;

	sl_bpf_ret(&b, SECCOMP_RET_ALLOW);
	r = sl_seccomp_load(b.insns, 1, 1);
	if (r != -EBUSY)
		return 1;
	r = sl_seccomp_load(b.insns, 1, 0);
	if (r != 0)
		return 2;
	sl_bpf_release(&b);
	sl_bpf_load_nr(&b);
	return sl_seccomp_load(b.insns, 1, 0) == -EINVAL ? 0 : 3; /* no return at its end */
}

START_TEST(nested)
{
	struct child c = start(run_busy);

	ck_assert_int_eq(finish(&c), 0);
}
END_TEST

START_TEST(not_a_listener)
{
	struct seccomp_notif n = {.pid = 7};
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(sl_notif_recv(fd, &n), -ENOTTY);
	ck_assert_int_eq((int)n.pid, 7);
	ck_assert_int_eq(sl_notif_continue(-1, 1), -EBADF);
	ck_assert(!sl_notif_valid(fd, 1));
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kernel-seccomp");
	TCase *t = tcase_create("seccomp");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, answers);
	tcase_add_test(t, descriptor);
	tcase_add_test(t, interrupted);
	tcase_add_test(t, gone);
	tcase_add_test(t, nested);
	tcase_add_test(t, not_a_listener);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
