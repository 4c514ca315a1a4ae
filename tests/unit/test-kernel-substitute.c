/*
 * Unit tests of kernel/substitute.h: a child under a small program asks by getppid() for what its supervisor,
 * the test, then makes it do. Each test runs with calls that only fatal signals interrupt once they are
 * received (WAIT_KILLABLE_RECV), and with calls that any signal interrupts.
 */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "base/strbuf.h"
#include "kernel/own-fd.h"
#include "kernel/seccomp.h"
#include "kernel/substitute.h"
#include "kernel/tracee.h"
#include "policy/bpf.h"

/* What the argument of getppid() asks for. */
enum wish {
	WISH_CHDIR = 1, /* enter "/usr" */
	WISH_BAD_CHDIR, /* enter what is not there */
	WISH_TRUE,	/* execute /bin/true */
	WISH_SCRIPT,	/* execute /bin/sh -c 'exit 7' with argv and strings of the supervisor's */
	WISH_BAD_EXEC,
	WISH_AGAIN,   /* make the call again; the next time its result is 77 */
	WISH_KILL,    /* killed before the substituted call */
	WISH_KILL_IN, /* killed after the substitution began */
	WISH_NOTHING, /* result 4242 */
};

struct server {
	pid_t pid;
	int listener;
	struct sl_substitute_host host;
	struct seccomp_notif later[256];
	size_t later_len;
	size_t again, restarted, refused;
	int refused_with;
};

static const int notified[] = {__NR_getppid, __NR_chdir, __NR_fchdir, __NR_execve, __NR_execveat};

static void make_program(struct sl_bpf *b)
{
	sl_bpf_load_nr(b);
	for (size_t i = 0; i < SL_ARRAY_LEN(notified); i++) {
		size_t block = sl_bpf_if_eq(b, (uint32_t)notified[i]);

		sl_bpf_ret(b, SECCOMP_RET_USER_NOTIF);
		sl_bpf_end(b, block);
	}
	sl_bpf_ret(b, SECCOMP_RET_ALLOW);
}

static int load_interruptible(const struct sl_bpf *b)
{
	const struct sock_fprog program = {.len = (unsigned short)b->len, .filter = b->insns};

	return (int)syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    &program);
}

static void defer(void *arg, const struct seccomp_notif *n)
{
	struct server *v = arg;

	ck_assert_uint_lt(v->later_len, SL_ARRAY_LEN(v->later));
	v->later[v->later_len++] = *n;
}

static struct server *start(int (*run)(void), bool interruptible)
{
	struct server *v = sl_xcalloc(1, sizeof(*v));
	struct sl_bpf b = SL_BPF_INIT;
	int pipes[2], taken[2], number, pidfd;

	make_program(&b);
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(taken, O_CLOEXEC), 0);
	v->pid = fork();
	ck_assert_int_ge(v->pid, 0);
	if (v->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		number = interruptible ? load_interruptible(&b)
				       : sl_seccomp_load(b.insns, (unsigned short)b.len, 1);
		if (number < 0 || write(pipes[1], &number, sizeof(number)) != sizeof(number))
			_exit(251);
		close(taken[1]);
		if (read(taken[0], &number, 1) != 0)
			_exit(252);
		_exit(run());
	}
	ck_assert_int_eq(read(pipes[0], &number, sizeof(number)), sizeof(number));
	pidfd = sl_pidfd_open(v->pid);
	v->listener = (int)syscall(438 /* pidfd_getfd */, pidfd, number, 0);
	ck_assert_int_ge(v->listener, 0);
	close(pidfd);
	close(pipes[0]);
	close(pipes[1]);
	close(taken[0]);
	close(taken[1]);
	sl_bpf_release(&b);
	sl_notif_set_sync(v->listener);
	sl_substitute_host_init(&v->host, v->listener, defer, v);
	return v;
}

static int64_t chdir_to(struct sl_substitution *s, const char *path)
{
	uint64_t args[6] = {0};
	int64_t result = -ECANCELED;

	if (sl_substitute_place(s, strlen(path) + 1, &args[0]) == 0 &&
	    sl_tracee_write(sl_substitute_tid(s), args[0], path, strlen(path) + 1) == 0)
		sl_substitute_call(s, __NR_chdir, args, true, &result);
	return result;
}

/* execve with argv from argv[], and an empty environment. */
static int64_t execute(struct sl_substitution *s, const char *path, const char *const argv[])
{
	char block[1024];
	uint64_t at, vector[8] = {0}, args[6] = {0};
	size_t used = sizeof(vector);
	int64_t result = -ECANCELED;

	if (sl_substitute_place(s, sizeof(block), &at) < 0)
		return -ECANCELED;
	for (size_t i = 0; argv[i]; i++) {
		vector[i] = at + used;
		used += (size_t)snprintf(block + used, sizeof(block) - used, "%s", argv[i]) + 1;
	}
	memcpy(block, vector, sizeof(vector));
	snprintf(block + used, sizeof(block) - used, "%s", path);
	ck_assert_int_eq(sl_tracee_write(sl_substitute_tid(s), at, block, sizeof(block)), 0);
	args[0] = at + used;
	args[1] = at;
	args[2] = at + sizeof(vector) - sizeof(vector[0]); /* a NULL */
	sl_substitute_call(s, __NR_execve, args, true, &result);
	return result;
}

static int64_t grant(struct server *v, struct sl_substitution *s, uint64_t wish)
{
	static const char *const argv_true[] = {"true", NULL};
	static const char *const argv_sh[] = {"sh", "-c", "exit $#", "a", "b", "c", NULL};

	switch (wish) {
	case WISH_CHDIR:
		return chdir_to(s, "/usr");
	case WISH_BAD_CHDIR:
		return chdir_to(s, "/nowhere/at/all");
	case WISH_TRUE:
		return execute(s, "/bin/true", argv_true);
	case WISH_SCRIPT:
		return execute(s, "/bin/sh", argv_sh);
	case WISH_BAD_EXEC:
		return execute(s, "/etc/passwd", argv_true);
	case WISH_AGAIN:
		return v->again++ % 2 ? 77 : SL_SUBSTITUTE_RESTART;
	case WISH_KILL_IN:
		kill(v->pid, SIGKILL);
		return chdir_to(s, "/usr");
	default:
		return 4242;
	}
}

static void serve_one(struct server *v, const struct seccomp_notif *n)
{
	struct sl_substitution *s;
	int r;

	if (n->data.nr != __NR_getppid || !n->data.args[0]) {
		sl_notif_continue(v->listener, n->id);
		return;
	}
	if (n->data.args[0] == WISH_KILL)
		kill(v->pid, SIGKILL);
	r = sl_substitute_begin(&v->host, n, &s);
	if (r < 0) {
		v->refused++;
		v->refused_with = -r;
		sl_notif_error(v->listener, n->id, -r);
	} else if (r > 0 || !sl_substitute_end(s, grant(v, s, n->data.args[0]))) {
		v->restarted++;
	}
}

/* Serve until nobody is under the program any more; the child's exit status, or minus its signal. */
static int finish(struct server *v)
{
	struct seccomp_notif n;
	int status;

	for (;;) {
		struct pollfd p = {.fd = v->listener, .events = POLLIN};

		if (v->later_len) {
			n = v->later[--v->later_len];
			serve_one(v, &n);
			continue;
		}
		if (poll(&p, 1, -1) < 0)
			continue;
		if (!(p.revents & POLLIN))
			break;
		if (sl_notif_recv(v->listener, &n) == 0)
			serve_one(v, &n);
	}
	ck_assert_int_eq(waitpid(v->pid, &status, __WALL), v->pid);
	close(v->listener);
	sl_substitute_host_release(&v->host);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static long wish(enum wish w)
{
	return syscall(__NR_getppid, (long)w, 2L, 3L, 4L, 5L, 6L);
}

static bool is_in(const char *dir)
{
	char cwd[PATH_MAX];

	return getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, dir);
}

static bool is_traced(void)
{
	char line[256];
	bool traced = true;
	FILE *f = fopen("/proc/thread-self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "TracerPid:", 10))
			traced = strtol(line + 10, NULL, 10) != 0;
	if (f)
		fclose(f);
	return traced;
}

static int run_chdir(void)
{
	sigset_t before, after;

	sigemptyset(&before);
	sigaddset(&before, SIGUSR2);
	sigprocmask(SIG_SETMASK, &before, NULL);
	for (int i = 0; i < 100; i++) {
		if (chdir("/") < 0 || wish(WISH_CHDIR) != 0 || !is_in("/usr"))
			return 1;
		if (wish(WISH_BAD_CHDIR) != -1 || errno != ENOENT || !is_in("/usr"))
			return 2;
		if (wish(WISH_NOTHING) != 4242)
			return 3;
	}
	sigprocmask(SIG_SETMASK, NULL, &after);
	if (sigismember(&after, SIGUSR2) != 1 || sigismember(&after, SIGUSR1) || is_traced())
		return 4;
	return 0;
}

START_TEST(chdir_is_the_callers)
{
	struct server *v = start(run_chdir, _i);

	ck_assert_int_eq(finish(v), 0);
	ck_assert_uint_eq(v->restarted, 0);
	free(v);
}
END_TEST

static int run_again(void)
{
	for (int i = 0; i < 10; i++)
		if (wish(WISH_AGAIN) != 77)
			return 1;
	return 0;
}

START_TEST(the_call_is_made_again)
{
	struct server *v = start(run_again, _i);

	ck_assert_int_eq(finish(v), 0);
	ck_assert_uint_eq(v->restarted, 10);
	free(v);
}
END_TEST

static int in_child(int (*run)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(run());
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int exec_true(void)
{
	wish(WISH_TRUE);
	return 9;
}

static int exec_script(void)
{
	wish(WISH_SCRIPT);
	return 9;
}

static void *exec_thread(void *arg)
{
	wish(WISH_SCRIPT);
	return arg;
}

/* Not the first thread executes: it takes the process's number. */
static int exec_in_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, exec_thread, NULL);
	while (pause())
		;
	return 1;
}

static int exec_fails(void)
{
	return wish(WISH_BAD_EXEC) == -1 && errno == EACCES ? 5 : 6;
}

static int run_exec(void)
{
	for (int i = 0; i < 20; i++)
		if (in_child(exec_true) != 0 || in_child(exec_script) != 2 || in_child(exec_in_thread) != 2 ||
		    in_child(exec_fails) != 5)
			return 1;
	return 0;
}

START_TEST(exec_is_the_callers)
{
	struct server *v = start(run_exec, _i);

	ck_assert_int_eq(finish(v), 0);
	free(v);
}
END_TEST

/* A child that shares our memory, on a stack of its own with other memory right below. */
static int vfork_side(void *arg)
{
	wish((enum wish)(intptr_t)arg);
	_exit(9);
}

static size_t mappings(void)
{
	char line[512];
	size_t n = 0;
	FILE *f = fopen("/proc/self/maps", "re");

	while (f && fgets(line, sizeof(line), f))
		n++;
	if (f)
		fclose(f);
	return n;
}

static int run_vfork(void)
{
	enum { AREA = 65536, STACK = 4096 };
	char *area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before = mappings(), grown;
	int status;

	memset(area, 0x5a, AREA - STACK);
	for (int i = 0; i < 50; i++) {
		pid_t pid = clone(vfork_side, area + AREA, CLONE_VM | CLONE_VFORK | SIGCHLD,
				  (void *)(intptr_t)(i % 2 ? WISH_SCRIPT : WISH_TRUE));

		if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
		    WEXITSTATUS(status) != (i % 2 ? 2 : 0))
			return 1;
	}
	for (size_t i = 0; i < AREA - STACK; i++)
		if (area[i] != 0x5a)
			return 2;
	/* One mapping was made, not one a call; the stacks may have split another. */
	grown = mappings() - before;
	return grown <= 2 ? 0 : 3;
}

START_TEST(memory_of_others_is_left_alone)
{
	struct server *v = start(run_vfork, _i);

	ck_assert_int_eq(finish(v), 0);
	free(v);
}
END_TEST

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

/* A timer that fires all the while: no call is lost or doubled, and no signal is swallowed. */
static int run_storm(void)
{
	const struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	int queued = 0;

	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGRTMIN, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 300 || (!alarms && i < 100000); i++)
		if (chdir("/") < 0 || wish(WISH_CHDIR) != 0 || !is_in("/usr") || wish(WISH_AGAIN) != 77)
			return 1;
	setitimer(ITIMER_REAL, &never, NULL);
	if (!alarms)
		return 2;
	alarms = 0;
	/* One is pending at each substitution: it is there when that is over. */
	for (int i = 0; i < 100; i++) {
		sigset_t set, old;

		sigemptyset(&set);
		sigaddset(&set, SIGRTMIN);
		sigprocmask(SIG_BLOCK, &set, &old);
		raise(SIGRTMIN);
		queued++;
		if (wish(WISH_CHDIR) != 0)
			return 3;
		sigprocmask(SIG_SETMASK, &old, NULL);
	}
	return alarms == queued ? 0 : 4;
}

START_TEST(signals_arrive_afterwards)
{
	struct server *v = start(run_storm, _i);

	ck_assert_int_eq(finish(v), 0);
	free(v);
}
END_TEST

/* The child is stopped and continued all the while by its own child. */
static int run_stops(void)
{
	pid_t self = getpid(), other = fork();
	int status, result = 0;

	if (other == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			kill(self, SIGSTOP);
			sched_yield();
			kill(self, SIGCONT);
			sched_yield();
		}
	}
	for (int i = 0; i < 200 && !result; i++)
		if (chdir("/") < 0 || wish(WISH_CHDIR) != 0 || !is_in("/usr"))
			result = 1;
	kill(other, SIGKILL);
	kill(self, SIGCONT);
	waitpid(other, &status, 0);
	return is_traced() ? 2 : result;
}

/* The stops of the child are not to be taken by this test's own wait, which is for its end. */
START_TEST(stops_are_stops)
{
	struct server *v = start(run_stops, _i);

	ck_assert_int_eq(finish(v), 0);
	free(v);
}
END_TEST

static int run_killed(void)
{
	wish(WISH_KILL);
	return 1;
}

static int run_killed_in(void)
{
	wish(WISH_KILL_IN);
	return 1;
}

START_TEST(a_caller_that_is_killed)
{
	struct server *v = start(run_killed, _i);

	ck_assert_int_eq(finish(v), -SIGKILL);
	free(v);
	v = start(run_killed_in, _i);
	ck_assert_int_eq(finish(v), -SIGKILL);
	free(v);
}
END_TEST

static int traced_side(void)
{
	raise(SIGSTOP);
	return wish(WISH_CHDIR) == -1 && errno == EPERM ? 3 : 4;
}

/* The child traces its own child, as a debugger in the sandbox does. */
static int run_tracer(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		_exit(traced_side());
	}
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status))
		ptrace(PTRACE_CONT, pid, NULL, NULL);
	return WIFEXITED(status) && WEXITSTATUS(status) == 3 ? 0 : 1;
}

START_TEST(somebody_else_traces)
{
	struct server *v = start(run_tracer, _i);

	ck_assert_int_eq(finish(v), 0);
	ck_assert_uint_eq(v->refused, 1);
	ck_assert_int_eq(v->refused_with, EPERM);
	free(v);
}
END_TEST

#define THREADS	   4
#define EACH_CALLS 250

static void *call_often(void *arg)
{
	for (int i = 0; i < EACH_CALLS; i++) {
		if (wish(i % 5 ? WISH_CHDIR : WISH_NOTHING) != (i % 5 ? 0 : 4242))
			*(int *)arg = 1;
		if (i % 16 == 0 && syscall(__NR_getppid, 0L) <= 0)
			*(int *)arg = 2;
	}
	return NULL;
}

static int run_threads(void)
{
	pthread_t threads[THREADS];
	int results[THREADS] = {0};

	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, call_often, &results[i]);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		if (results[i])
			return results[i];
	}
	return is_in("/usr") ? 0 : 3;
}

START_TEST(many_calls_of_many_threads)
{
	struct server *v = start(run_threads, _i);

	ck_assert_int_eq(finish(v), 0);
	free(v);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kernel-substitute");
	TCase *tc = tcase_create("substitute");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 100);
	tcase_add_loop_test(tc, chdir_is_the_callers, 0, 2);
	tcase_add_loop_test(tc, the_call_is_made_again, 0, 2);
	tcase_add_loop_test(tc, exec_is_the_callers, 0, 2);
	tcase_add_loop_test(tc, memory_of_others_is_left_alone, 0, 2);
	tcase_add_loop_test(tc, signals_arrive_afterwards, 0, 2);
	tcase_add_loop_test(tc, stops_are_stops, 0, 2);
	tcase_add_loop_test(tc, a_caller_that_is_killed, 0, 2);
	tcase_add_loop_test(tc, somebody_else_traces, 0, 2);
	tcase_add_loop_test(tc, many_calls_of_many_threads, 0, 2);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
