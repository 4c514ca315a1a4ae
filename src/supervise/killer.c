/*
 * killer.c - the killer: waits for the tool's end, then ends the sandbox.
 *
 * It is a fork of the tool with memory of its own (the out-of-memory killer ends all that share memory at
 * once), in the outer domain, in a session of its own, with every signal blocked and every descriptor closed
 * but a pidfd of the tool. No confined process can signal or trace it. It makes only async-signal-safe calls.
 *
 * With the signal scope one kill(-1, SIGKILL) is all: the kernel walks the task list under its lock, refuses
 * every process outside the domain, leaves the caller out, and a fork that was under way fails (copy_process
 * checks for a pending SIGKILL under the same lock). Before that, a signal 0 to the new parent must be
 * refused. That parent is always outside: it adopted us because the tool is gone, and the tool was the only
 * subreaper inside from which we descend. Where the parent is in another pid namespace (0) there is nothing
 * to try; the tool had made its own proof. Where the tool was process 1 of a pid namespace, its end is the
 * end of them all, the killer's too.
 *
 * Without the scope the processes are found by what a Landlock domain always limits: those that may be traced
 * from the outer domain are in it. get_robust_list(2) asks exactly that and has no effect. Each is killed
 * through a pidfd that was opened before asking, until a whole pass finds none. A process that made itself
 * undumpable escapes that, which is part of what "degraded" means.
 */
#include "supervise/killer.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/path.h"
#include "supervise/sandbox.h"

#define REMOVE_TRIES 50
#define PASSES_MAX   1000

static void nap_ms(long ms)
{
	const struct timespec t = {.tv_nsec = ms * 1000000};

	nanosleep(&t, NULL);
}

/* Decimal digits to a pid; 0 for anything else. */
static pid_t parse_pid(const char *s)
{
	long pid = 0;

	for (; *s >= '0' && *s <= '9' && pid < INT_MAX / 10; s++)
		pid = pid * 10 + (*s - '0');
	return *s ? 0 : (pid_t)pid;
}

static bool may_trace(pid_t pid)
{
	void *head;
	size_t len;

	return syscall(SYS_get_robust_list, pid, &head, &len) == 0;
}

static bool has_ended(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* Kill the process if it is in the domain: the pidfd makes sure that it is the one that was asked about. A zombie that
 * nobody reaps is none. */
static bool kill_if_inside(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	bool killed = fd >= 0 && !has_ended(fd) && may_trace(pid) &&
		      syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;

	sl_close(fd);
	return killed;
}

/* One pass over /proc: did it kill anything? */
static bool kill_pass(int proc)
{
	_Alignas(struct dirent64) char buffer[16384];
	pid_t self = getpid();
	bool any = false;
	long n;

	lseek(proc, 0, SEEK_SET);
	while ((n = syscall(SYS_getdents64, proc, buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < n;) {
			const struct dirent64 *entry = (const struct dirent64 *)(buffer + at);
			pid_t pid = parse_pid(entry->d_name);

			at += entry->d_reclen;
			if (pid > 1 && pid != self && kill_if_inside(pid))
				any = true;
		}
	}
	return any;
}

static void kill_traceable(void)
{
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t parent = getppid();

	/* Never without a border that is seen to hold. */
	if (proc < 0 || parent <= 0 || may_trace(parent))
		return;
	for (int i = 0; i < PASSES_MAX && kill_pass(proc); i++)
		nap_ms(1);
	close(proc);
}

static void kill_sandbox(enum sl_domain_kind domain)
{
	pid_t parent = getppid();

	if (domain == SL_DOMAIN_TRACE)
		kill_traceable();
	if (domain != SL_DOMAIN_SIGNAL)
		return;
	if (parent > 0 && kill(parent, 0) == 0)
		return;
	kill(-1, SIGKILL);
}

/* What was killed may need a moment to be gone, and makes files until then. */
static void remove_dir(const char *path)
{
	for (int i = 0; path && i < REMOVE_TRIES && sl_tree_remove(path) < 0; i++)
		nap_ms(20);
}

static void remove_group(const struct sl_cgroup *group)
{
	for (int i = 0; i < REMOVE_TRIES && !sl_cgroup_end(group); i++)
		nap_ms(20);
}

__attribute__((noreturn)) static void killer_main(int tool_fd, enum sl_domain_kind domain,
						  const char *const dirs[2], const struct sl_cgroup *group)
{
	struct pollfd tool = {.fd = 0, .events = POLLIN};

	/* Nothing of the caller's may be kept open or busy: pipes, a terminal, a mounted file system. */
	setsid();
	if (tool_fd != 0 && dup2(tool_fd, 0) < 0)
		_exit(1);
	close_range(1, ~0U, 0);
	if (chdir("/") < 0)
		_exit(1);
	prctl(PR_SET_NAME, "sandlock-killer", 0, 0, 0);
	while (poll(&tool, 1, -1) < 1)
		;
	sl_cgroup_kill(group);
	kill_sandbox(domain);
	remove_group(group);
	remove_dir(dirs[0]);
	remove_dir(dirs[1]);
	_exit(0);
}

int sl_killer_start(enum sl_domain_kind domain, const char *const dirs[2], const struct sl_cgroup *group,
		    struct sl_killer *ret, struct sl_error *err)
{
	SL_CLOSE int tool_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int fd = -EBADF;
	long pid;

	if (tool_fd < 0)
		return sl_error_errno(err, errno, "cannot open a pidfd of myself");
	/* No exit signal, so a "clone child" (wait(2)); the raw call, so without handlers of pthread_atfork.
	 */
	pid = syscall(SYS_clone, (unsigned long)CLONE_PIDFD, NULL, &fd, NULL, NULL);
	if (pid < 0)
		return sl_error_errno(err, errno, "cannot make the killer process");
	if (pid == 0)
		killer_main(tool_fd, domain, dirs, group);
	ret->pid = (pid_t)pid;
	ret->fd = fd;
	return 0;
}

void sl_killer_kill(const struct sl_killer *k)
{
	if (k->pid > 0)
		kill(k->pid, SIGKILL);
}

void sl_killer_stop(struct sl_killer *k)
{
	sl_killer_kill(k);
	if (k->pid > 0) {
		while (waitpid(k->pid, NULL, __WALL) < 0 && errno == EINTR)
			;
	}
	k->pid = 0;
	k->fd = sl_close(k->fd);
}
