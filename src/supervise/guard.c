/*
 * guard.c - see guard.h.
 *
 * Like the killer it is a fork with memory of its own, in a session of its own, with every signal blocked, every
 * descriptor closed but two, and makes only async-signal-safe calls.
 */
#include "supervise/guard.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/macros.h"
#include "supervise/sandbox.h"
#include "view/changes.h"

#define REMOVE_TRIES 50

static bool is_begun(const char *upper)
{
	int dir = open(upper, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool begun = dir >= 0 && faccessat(dir, SL_VIEW_PROGRESS, F_OK, AT_SYMLINK_NOFOLLOW) == 0;

	sl_close(dir);
	return begun;
}

__attribute__((noreturn)) static void guard_main(int owner, int word, const char *upper)
{
	const struct timespec nap = {.tv_nsec = 20000000};
	struct pollfd fds[] = {{.fd = 0, .events = POLLIN}, {.fd = 1, .events = POLLIN}};

	setsid();
	/* Two numbers that neither has. */
	owner = fcntl(owner, F_DUPFD, 10);
	word = fcntl(word, F_DUPFD, 10);
	if (owner < 0 || word < 0 || dup2(owner, 0) < 0 || dup2(word, 1) < 0)
		_exit(1);
	close_range(2, ~0U, 0);
	if (chdir("/") < 0)
		_exit(1);
	prctl(PR_SET_NAME, "sandlock-guard", 0, 0, 0);
	while (poll(fds, 2, -1) < 1)
		;
	if (fds[1].revents & POLLIN)
		_exit(0);
	while (poll(fds, 1, -1) < 1) /* its end is closed, it itself is about to be gone */
		;
	for (int i = 0; !is_begun(upper) && i < REMOVE_TRIES && sl_tree_remove(upper) < 0; i++)
		nanosleep(&nap, NULL); /* who was killed with it may need a moment to be gone */
	_exit(0);
}

int sl_guard_start(const char *upper, struct sl_guard *ret, struct sl_error *err)
{
	SL_CLOSE int owner = (int)syscall(SYS_pidfd_open, getpid(), 0);
	sigset_t all, old;
	int ends[2];
	long pid;

	if (owner < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return sl_error_errno(err, errno, "cannot watch over \"%s\"", upper);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	pid = syscall(SYS_clone, 0UL, NULL, NULL, NULL, NULL); /* no exit signal: a "clone child" (wait(2)) */
	if (pid == 0)
		guard_main(owner, ends[0], upper);
	sigprocmask(SIG_SETMASK, &old, NULL);
	sl_close(ends[0]);
	if (pid < 0) {
		sl_close(ends[1]);
		return sl_error_errno(err, errno, "cannot make the guard process");
	}
	*ret = (struct sl_guard){(pid_t)pid, ends[1]};
	return 0;
}

void sl_guard_stop(struct sl_guard *g)
{
	if (g->pid > 0) {
		send(g->fd, "", 1, MSG_NOSIGNAL);
		while (waitpid(g->pid, NULL, __WALL) < 0 && errno == EINTR)
			;
	}
	g->pid = 0;
	g->fd = sl_close(g->fd);
}
