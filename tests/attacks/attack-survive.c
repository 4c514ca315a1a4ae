/*
 * attack-survive.c - processes that try to outlive the tool, each in another way.
 *
 * usage: attack-survive all|WAY
 *
 * Prints "NAME: PID" for each process that it left behind, then "ready", then waits.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include "attack.h"

static int ready_pipe[2];
static const char *name;

/* Tell the test our number; the first process waits for it. */
static void announce(void)
{
	printf("%s: %d\n", name, (int)getpid());
	fflush(stdout);
	if (write(ready_pipe[1], "x", 1) != 1)
		_exit(1);
}

static void sit(void)
{
	announce();
	for (;;)
		pause();
}

static void ignore_all(void)
{
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_IGN);
	sit();
}

static void block_all(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	sit();
}

static void daemonize(void)
{
	setsid();
	if (fork())
		_exit(0);
	if (chdir("/") < 0)
		_exit(1);
	for (int fd = 0; fd < 3; fd++)
		fcntl(fd, F_GETFD);
	sit();
}

static void stopped(void)
{
	announce();
	raise(SIGSTOP);
	for (;;)
		pause();
}

static void stopped_daemon(void)
{
	setsid();
	if (fork())
		_exit(0);
	stopped();
}

/* In a ptrace stop, whose tracer is stopped itself. */
static void traced(void)
{
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		stopped();
	}
	waitpid(pid, NULL, 0);
	raise(SIGSTOP);
	for (;;)
		pause();
}

/* Waiting for a vfork child that never execs. */
static void in_vfork(void)
{
	announce();
	if (!vfork())
		for (;;)
			pause();
}

static void in_read(void)
{
	int fds[2];
	char byte;

	if (pipe(fds) < 0)
		_exit(1);
	announce();
	while (read(fds[0], &byte, 1) < 0)
		;
}

static void *spin(void *unused)
{
	for (;;)
		sched_yield();
	return unused;
}

/* A thread group whose leader has ended. */
static void dead_leader(void)
{
	pthread_t t;

	announce();
	if (pthread_create(&t, NULL, spin, NULL))
		_exit(1);
	pthread_exit(NULL);
}

/* Each child makes the next and ends: the number that is alive changes all the time. */
static void relay(void)
{
	setsid();
	announce();
	for (;;) {
		pid_t pid = fork();

		if (pid > 0)
			_exit(0);
	}
}

/* A child of the tool's own, beside the command. */
static void sibling(void)
{
	long pid = syscall(SYS_clone, CLONE_PARENT | SIGKILL, NULL, NULL, NULL, NULL);

	if (pid)
		_exit(0);
	sit();
}

/* One that asks to live when its parent does not. */
static void subreaper(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	sit();
}

static const struct {
	const char *name;
	void (*run)(void);
} ways[] = {
    {"ignore", ignore_all},
    {"block", block_all},
    {"daemon", daemonize},
    {"stopped", stopped},
    {"stopped-daemon", stopped_daemon},
    {"traced", traced},
    {"vfork", in_vfork},
    {"read", in_read},
    {"dead-leader", dead_leader},
    {"sibling", sibling},
    {"subreaper", subreaper},
    {"relay", relay},
};

static volatile sig_atomic_t handled;

static void handle(int signal_number)
{
	(void)signal_number;
	handled++;
}

/* The command makes its parent, the tool, its tracer: each signal would stop it and wait for the tool. */
static int trace_by_parent(void)
{
	long traced = ptrace(PTRACE_TRACEME, 0, NULL, NULL);

	signal(SIGUSR1, handle);
	alarm(ATTACK_SECONDS);
	printf("traceme: %s\n", traced < 0 ? strerrorname_np(errno) : "SUCCEEDED");
	raise(SIGUSR1);
	printf("handled: %d\n", (int)handled);
	/* once more, as a child of the tool's that is not the command */
	if (!fork()) {
		if (!fork()) {
			usleep(50000);
			ptrace(PTRACE_TRACEME, 0, NULL, NULL);
			raise(SIGUSR1);
			_exit(0);
		}
		_exit(0);
	}
	wait(NULL);
	return 0;
}

int main(int argc, char **argv)
{
	int left = 0;
	char byte;

	if (argc == 2 && !strcmp(argv[1], "traceme"))
		return trace_by_parent();
	if (argc != 2 || pipe(ready_pipe) < 0)
		return 2;
	for (size_t i = 0; i < ATTACK_LEN(ways); i++) {
		if (strcmp(argv[1], "all") && strcmp(argv[1], ways[i].name))
			continue;
		name = ways[i].name;
		left++;
		if (!fork()) {
			ways[i].run();
			_exit(0);
		}
	}
	for (int i = 0; i < left; i++)
		if (read(ready_pipe[0], &byte, 1) != 1)
			return 1;
	printf("command: %d\nready\n", (int)getpid());
	fflush(stdout);
	for (;;)
		pause();
}
