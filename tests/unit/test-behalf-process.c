/*
 * Unit tests of supervise/process.c and behalf.c (R13): acts on processes by number, from inside on a child
 * of the sandbox, on the caller itself, on an outsider, on the tool and its threads, and on numbers that
 * nobody has; and listen().
 */
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "behalf-harness.h"

#ifndef __NR_process_madvise
#define __NR_process_madvise 440
#endif
#define IOPRIO_PROCESS	 1
#define IOPRIO_BE(level) ((2 << 13) | (level))

struct sched_attr_v0 {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static int error_of(long r)
{
	return r < 0 ? errno : 0;
}

static int set_limit(pid_t pid)
{
	struct rlimit limit = {7, 7};

	return error_of(syscall(__NR_prlimit64, pid, RLIMIT_CORE, &limit, NULL));
}

static int get_limit(pid_t pid)
{
	struct rlimit limit = {1, 1}, own;

	if (syscall(__NR_prlimit64, pid, RLIMIT_NOFILE, NULL, &limit) < 0)
		return errno;
	getrlimit(RLIMIT_NOFILE, &own);
	return limit.rlim_cur == own.rlim_cur && limit.rlim_max == own.rlim_max ? 0 : 200;
}

static int set_affinity(pid_t pid)
{
	cpu_set_t cpus;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	return error_of(syscall(__NR_sched_setaffinity, pid, sizeof(cpus), &cpus));
}

static int set_scheduler(pid_t pid)
{
	struct sched_param p = {0};

	return error_of(syscall(__NR_sched_setscheduler, pid, SCHED_BATCH, &p));
}

static int set_param(pid_t pid)
{
	struct sched_param p = {0};

	return error_of(syscall(__NR_sched_setparam, pid, &p));
}

/* Nicer than a run under nice(1), which an ordinary user could not take back. */
static int set_attr(pid_t pid)
{
	struct sched_attr_v0 a = {.size = sizeof(a), .policy = SCHED_BATCH, .nice = 18};

	return error_of(syscall(__NR_sched_setattr, pid, &a, 0));
}

static int set_priority(pid_t pid)
{
	return error_of(setpriority(PRIO_PROCESS, (id_t)pid, 19));
}

static int set_ioprio(pid_t pid)
{
	return error_of(syscall(__NR_ioprio_set, IOPRIO_PROCESS, pid, IOPRIO_BE(6)));
}

static int (*const acts[])(pid_t) = {set_limit, get_limit, set_affinity, set_scheduler,
				     set_param, set_attr,  set_priority, set_ioprio};

struct targets {
	pid_t outsider, tool, tool_thread, killer;
	int results[6][SL_ARRAY_LEN(acts)];
	int changed; /* what is seen on the child afterwards */
	int madvise[3];
};

static void *wait_forever(void *tid)
{
	*(volatile pid_t *)tid = (pid_t)syscall(__NR_gettid);
	pause();
	return NULL;
}

static pid_t start_sleeper(void)
{
	int ends[2];
	char byte;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (write(ends[1], "", 1) == 1)
			pause();
		_exit(0);
	}
	if (read(ends[0], &byte, 1) != 1)
		return -1;
	close(ends[0]);
	close(ends[1]);
	return pid;
}

static int advise(pid_t pid)
{
	struct iovec vec = {(void *)((uintptr_t)&acts & ~4095UL), 4096};
	int fd = (int)syscall(__NR_pidfd_open, pid, 0);

	return syscall(__NR_process_madvise, fd, &vec, 1UL, 20 /* MADV_COLD */, 0) < 0 ? errno : 0;
}

static int run_acts(void *arg)
{
	struct targets *t = arg;
	struct rlimit limit;
	volatile pid_t own_thread = 0;
	pthread_t thread;
	pid_t child = start_sleeper();
	pid_t pids[6] = {child, t->outsider, t->tool, t->tool_thread, t->killer, 0};

	if (child < 0 || pthread_create(&thread, NULL, wait_forever, (void *)&own_thread))
		return 1;
	while (!own_thread)
		sched_yield();
	pids[5] = own_thread;
	for (size_t i = 0; i < SL_ARRAY_LEN(pids); i++)
		for (size_t j = 0; j < SL_ARRAY_LEN(acts); j++)
			t->results[i][j] = acts[j](pids[i]);
	t->changed = syscall(__NR_prlimit64, child, RLIMIT_CORE, NULL, &limit) == 0 && limit.rlim_cur == 7 &&
		     sched_getscheduler(child) == SCHED_BATCH && getpriority(PRIO_PROCESS, (id_t)child) == 19;
	t->madvise[0] = advise(child);
	t->madvise[1] = advise(t->outsider);
	t->madvise[2] = advise(getpid());
	kill(child, SIGKILL);
	for (size_t j = 0; j < SL_ARRAY_LEN(acts); j++)
		if (acts[j](getpid()) || acts[j]((pid_t)syscall(__NR_gettid)) || acts[j](0))
			return 2;
	return 0;
}

struct expectation {
	int child, thread;
};

static void check_acts(const struct targets *t, struct expectation e)
{
	for (size_t j = 0; j < SL_ARRAY_LEN(acts); j++) {
		ck_assert_msg(t->results[0][j] == e.child, "act %zu on a child: %d", j, t->results[0][j]);
		for (size_t i = 1; i < 5; i++)
			ck_assert_msg(t->results[i][j] == EPERM, "act %zu on %zu: %d", j, i,
				      t->results[i][j]);
		ck_assert_msg(t->results[5][j] == e.thread, "act %zu on a thread: %d", j, t->results[5][j]);
	}
	ck_assert_int_eq(t->changed, e.child == 0);
	ck_assert_int_eq(t->madvise[1], EPERM);
}

/* What may be seen of the tool and outsiders from the test itself. */
static void check_untouched(pid_t pid)
{
	struct rlimit limit;

	ck_assert_int_eq(prlimit(pid, RLIMIT_CORE, NULL, &limit), 0);
	ck_assert(limit.rlim_cur != 7);
	ck_assert_int_eq(sched_getscheduler(pid), SCHED_OTHER);
	ck_assert_int_ne(getpriority(PRIO_PROCESS, (id_t)pid), 19);
}

static void run_all_acts(uid_t uid, struct expectation e)
{
	struct targets *t = shared_memory(sizeof(*t));
	struct confinement c = {.writable = "/var/tmp", .uid = uid};
	struct confined k;
	volatile pid_t thread_tid = 0;
	pthread_t thread;
	pid_t killer;

	t->outsider = start_sleeper(); /* before this process enters its domain */
	ck_assert_int_gt(t->outsider, 0);
	enter_outer_domain();
	killer = t->killer = start_sleeper();
	ck_assert_int_eq(pthread_create(&thread, NULL, wait_forever, (void *)&thread_tid), 0);
	while (!thread_tid)
		sched_yield();
	t->tool = getpid();
	t->tool_thread = thread_tid;
	confined_start(&k, &c, run_acts, t);
	k.behalf.killer_pid = killer;
	ck_assert_int_eq(confined_serve(&k), 0);
	check_acts(t, e);
	check_untouched(t->outsider);
	check_untouched(t->tool);
	check_untouched(t->tool_thread);
	check_untouched(t->killer);
	kill(t->killer, SIGKILL);
}

START_TEST(R13_acts_reach_the_sandbox_alone)
{
	run_all_acts(0, (struct expectation){0, 0});
}
END_TEST

/* A command of root's that became another user reaches nothing but itself by number. */
START_TEST(R13_another_user_reaches_itself)
{
	if (geteuid() == 0)
		run_all_acts(OTHER_UID, (struct expectation){EPERM, EPERM});
}
END_TEST

static int run_errors(void *arg SL_UNUSED)
{
	struct rlimit limit = {1, 1};
	struct sched_attr_v0 attr = {.size = 20000};
	struct sched_param high = {1000};
	pid_t child = start_sleeper(), gone = fork();
	int r = 0;

	if (gone == 0)
		_exit(0);
	waitpid(gone, NULL, 0);
#define EXPECT(error, call) (r = r ? r : error_of(call) == (error) ? 0 : __LINE__ - 180)
	EXPECT(ESRCH, syscall(__NR_prlimit64, gone, RLIMIT_CORE, NULL, &limit));
	EXPECT(ESRCH, setpriority(PRIO_PROCESS, (id_t)gone, 19));
	EXPECT(ESRCH, syscall(__NR_ioprio_set, IOPRIO_PROCESS, gone, IOPRIO_BE(1)));
	EXPECT(ESRCH, syscall(__NR_prlimit64, -5, RLIMIT_CORE, NULL, &limit));
	EXPECT(EINVAL, syscall(__NR_sched_setscheduler, -5, 0, &high));
	EXPECT(EFAULT, syscall(__NR_prlimit64, child, RLIMIT_CORE, (void *)16, NULL));
	EXPECT(EFAULT, syscall(__NR_prlimit64, child, RLIMIT_CORE, NULL, (void *)16));
	EXPECT(EINVAL, syscall(__NR_prlimit64, child, 99, NULL, &limit));
	EXPECT(EFAULT, syscall(__NR_sched_setaffinity, child, 8UL, (void *)16));
	EXPECT(EINVAL, syscall(__NR_sched_setscheduler, child, 0, NULL));
	EXPECT(EINVAL, syscall(__NR_sched_setscheduler, child, SCHED_FIFO, &high));
	EXPECT(EINVAL, syscall(__NR_sched_setparam, child, NULL));
	EXPECT(E2BIG, syscall(__NR_sched_setattr, child, &attr, 0));
	r = r ? r : attr.size >= 48 && attr.size < 4096 ? 0 : 199;
	EXPECT(EINVAL, syscall(__NR_ioprio_set, IOPRIO_PROCESS, child, 7 << 13));
	EXPECT(EPERM, setpriority(PRIO_PGRP, 0, 1));
	EXPECT(EPERM, setpriority(PRIO_USER, 0, 1));
	EXPECT(EBADF, syscall(__NR_process_madvise, 999, NULL, 0UL, 20, 0));
	EXPECT(EBADF, syscall(__NR_process_madvise, 0, NULL, 0UL, 20, 0));
	kill(child, SIGKILL);
	return r;
}

START_TEST(R13_errors_are_the_kernels)
{
	struct confinement c = {.writable = "/var/tmp"};

	ck_assert_int_eq(run_confined(&c, run_errors, NULL), 0);
}
END_TEST

static int run_pause(void *arg SL_UNUSED)
{
	return pause();
}

/* Who is inside, by the signal scope and, without one, by parent links: the same. */
START_TEST(R13_inside)
{
	struct confinement c = {.writable = "/var/tmp"};
	pid_t outsider = start_sleeper(), killer;
	struct confined k;
	int status;

	enter_outer_domain();
	killer = start_sleeper();
	confined_start(&k, &c, run_pause, NULL);
	k.behalf.killer_pid = killer;
	for (int scope = 0; scope < 2; scope++) {
		k.behalf.signal_scope = scope;
		ck_assert(sl_behalf_is_inside(&k.behalf, k.pid));
		ck_assert(!sl_behalf_is_inside(&k.behalf, killer));
		ck_assert(!sl_behalf_is_inside(&k.behalf, getpid()));
		ck_assert(!sl_behalf_is_inside(&k.behalf, getppid()));
		ck_assert(!sl_behalf_is_inside(&k.behalf, 1));
		ck_assert(!sl_behalf_is_inside(&k.behalf, 0));
		ck_assert(!sl_behalf_is_inside(&k.behalf, -1));
		ck_assert(!sl_behalf_is_inside(&k.behalf, INT_MAX));
	}
	k.behalf.signal_scope = true;
	ck_assert(!sl_behalf_is_inside(&k.behalf, outsider));
	kill(k.pid, SIGKILL);
	kill(killer, SIGKILL);
	waitpid(k.pid, &status, 0);
	close(k.listener);
}
END_TEST

static int run_listen(void *dir)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int inet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int inet6 = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in bound = {0};
	socklen_t size = sizeof(bound);

	snprintf(name.sun_path, sizeof(name.sun_path), "%s/socket", (char *)dir);
	if (error_of(listen(local, 1)) != EINVAL)
		return 1; /* not bound yet, as without a sandbox */
	if (bind(local, (struct sockaddr *)&name, sizeof(name)) || listen(local, 1))
		return 2;
	if (error_of(listen(inet, 1)) != EACCES || (inet6 >= 0 && error_of(listen(inet6, 1)) != EACCES))
		return 3;
	if (getsockname(inet, (struct sockaddr *)&bound, &size) || bound.sin_port)
		return 4;
	if (error_of(listen(999, 1)) != EBADF || error_of(listen(-1, 1)) != EBADF)
		return 5;
	return error_of(listen(open("/dev/null", O_RDONLY | O_CLOEXEC), 1)) == ENOTSOCK ? 0 : 6;
}

/* Run it without a network in a directory of its own, in which it binds "socket". */
static void check_listening(int (*run)(void *dir))
{
	char *dir = make_dir();
	struct confinement c = {.writable = dir, .no_network = true};
	char *name = sl_xasprintf("%s/socket", dir);
	int r = run_confined(&c, run, dir);

	ck_assert_int_eq(unlink(name), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	ck_assert_int_eq(r, 0);
	free(name);
	free(dir);
}

START_TEST(N6_listen_on_local_sockets_alone)
{
	check_listening(run_listen);
}
END_TEST

/* Another thread puts an internet socket under the number while listen() is judged. */
static volatile int finished;
static int swapped, swap_from[2];

static void *swap(void *unused)
{
	for (int i = 0; !finished; i ^= 1)
		dup2(swap_from[i], swapped);
	return unused;
}

static int run_listen_race(void *dir)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct sockaddr_in bound = {0};
	socklen_t size = sizeof(bound);
	pthread_t thread;
	int won = 0, lost = 0;

	snprintf(name.sun_path, sizeof(name.sun_path), "%s/socket", (char *)dir);
	swap_from[0] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	swap_from[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	swapped = dup(swap_from[0]);
	if (bind(swap_from[0], (struct sockaddr *)&name, sizeof(name)) ||
	    pthread_create(&thread, NULL, swap, NULL))
		return 1;
	for (int i = 0; i < 10000; i++)
		if (listen(swapped, 1) == 0)
			won++;
		else
			lost++;
	finished = 1;
	pthread_join(thread, NULL);
	if (getsockname(swap_from[1], (struct sockaddr *)&bound, &size) || bound.sin_port)
		return 2;
	return won && lost ? 0 : 3;
}

START_TEST(N6_listen_on_a_descriptor_that_changes)
{
	check_listening(run_listen_race);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    R13_acts_reach_the_sandbox_alone, R13_another_user_reaches_itself,
	    R13_errors_are_the_kernels,	      R13_inside,
	    N6_listen_on_local_sockets_alone, N6_listen_on_a_descriptor_that_changes,
	};

	return run_tests("behalf-process", tests, SL_ARRAY_LEN(tests));
}
