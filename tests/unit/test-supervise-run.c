/*
 * test-supervise-run.c - whole runs through the library: outcomes, set-up of the process, time limits, what
 * is left.
 *
 * Each test forks (libcheck does): the tool's Landlock domain cannot be left again.
 */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "kernel/landlock.h"
#include "policy/policy.h"
#include "supervise/sandbox.h"

extern char **environ;

struct setup {
	struct sl_command command;
	struct sl_sandbox_options options;
	struct sl_policy policy;
	struct sl_outcome outcome;
	struct sl_error err;
	char *argv[5];
};

/* A policy under which everything can be read and executed, /tmp and /var/tmp be written. */
static void allow_reading(struct setup *s)
{
	struct sl_policy_options options = {.landlock_abi = sl_landlock_abi()};
	struct sl_profile profile;

	sl_profile_init(&profile, 2);
	sl_list_add(&profile.filesystem.lists[SL_FS_READ], "/", 0);
	sl_list_add(&profile.filesystem.lists[SL_FS_EXEC], "/", 0);
	for (int key = SL_FS_WRITE; key <= SL_FS_DELETE; key++) {
		sl_list_add(&profile.filesystem.lists[key], "/tmp", 0);
		sl_list_add(&profile.filesystem.lists[key], "/var/tmp", 0);
	}
	ck_assert_int_eq(sl_policy_build(&profile, &options, &s->policy, &s->options.ruleset_fd, &s->err), 0);
	s->options.policy = &s->policy;
	s->options.mode = "run";
	sl_profile_release(&profile);
}

/* The script is run by the shell. */
static void prepare(struct setup *s, const char *script)
{
	*s = (struct setup){
	    .argv = {"sh", "-c", (char *)script, NULL},
	    .options = {.mode = "learn", .ruleset_fd = -EBADF, .status_fd = -EBADF},
	};
	s->command = (struct sl_command){
	    .file = "/bin/sh",
	    .argv = s->argv,
	    .envp = environ,
	    .open_files = SL_INT_UNSET,
	};
}

static void run(struct setup *s)
{
	sl_sandbox_run(&s->command, &s->options, &s->outcome, &s->err);
	sl_policy_release(&s->policy);
	s->options.ruleset_fd = sl_close(s->options.ruleset_fd);
}

static void run_policy(struct setup *s, const char *script)
{
	prepare(s, script);
	allow_reading(s);
	run(s);
}

static void expect_exit(struct setup *s, int code)
{
	ck_assert_msg(s->outcome.kind == SL_OUTCOME_EXITED, "kind %d code %d: %s", s->outcome.kind,
		      s->outcome.code, s->err.text);
	ck_assert_int_eq(s->outcome.code, code);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* No child of ours is left, seen or unseen by a plain wait. */
static void expect_no_children(void)
{
	ck_assert_int_eq(waitpid(-1, NULL, __WALL | WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}

START_TEST(exit_status_under_a_policy)
{
	struct setup s;

	run_policy(&s, "exit 7");
	expect_exit(&s, 7);
	ck_assert_int_eq(sl_outcome_status(&s.outcome), 7);
	expect_no_children();
}
END_TEST

START_TEST(exit_status_without_a_policy)
{
	struct setup s;

	prepare(&s, "exit 9");
	run(&s);
	expect_exit(&s, 9);
	expect_no_children();
}
END_TEST

START_TEST(observed_run)
{
	struct sl_observer_options observe = {0};
	struct sl_observation seen = {0};
	struct sl_profile profile;
	struct setup s;
	struct sl_observer *o = sl_observer_new(&observe);

	prepare(&s, "read line < /etc/hostname; exit 3");
	s.options.observer = o;
	run(&s);
	expect_exit(&s, 3);
	sl_profile_init(&profile, 2);
	sl_observer_finish(o, &profile, &seen);
	ck_assert(sl_list_contains(&profile.filesystem.lists[SL_FS_READ], "/etc/hostname"));
	ck_assert_uint_ge(profile.filesystem.lists[SL_FS_EXEC].len, 1);
	sl_observation_release(&seen);
	sl_profile_release(&profile);
	sl_observer_free(o);
	expect_no_children();
}
END_TEST

START_TEST(twenty_runs_in_one_process)
{
	/* More than the sixteen layers that Landlock allows. */
	for (int i = 0; i < 20; i++) {
		struct setup s;

		prepare(&s, "exit 0");
		run(&s);
		expect_exit(&s, 0);
	}
}
END_TEST

START_TEST(killed_by_a_signal)
{
	struct setup s;

	run_policy(&s, "kill -9 $$");
	ck_assert_int_eq(s.outcome.kind, SL_OUTCOME_SIGNALED);
	ck_assert_int_eq(s.outcome.code, SIGKILL);
	ck_assert_int_eq(sl_outcome_status(&s.outcome), 137);
}
END_TEST

START_TEST(not_found_and_not_executable)
{
	struct setup s;

	prepare(&s, "");
	allow_reading(&s);
	s.command.file = "/no/such/program";
	run(&s);
	ck_assert_int_eq(s.outcome.kind, SL_OUTCOME_NOT_STARTED);
	ck_assert_int_eq(sl_outcome_status(&s.outcome), 127);
	ck_assert_ptr_nonnull(strstr(s.err.text, "/no/such/program"));

	prepare(&s, "");
	allow_reading(&s);
	s.command.file = "/etc/passwd";
	run(&s);
	ck_assert_int_eq(sl_outcome_status(&s.outcome), 126);
	expect_no_children();
}
END_TEST

START_TEST(script_without_interpreter_line)
{
	char path[] = "/var/tmp/sl-script-XXXXXX";
	int fd = mkstemp(path);
	struct setup s;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "exit $(($1 + 1))\n", 17), 17);
	fchmod(fd, 0755);
	close(fd);
	prepare(&s, "");
	allow_reading(&s);
	s.command.file = path;
	s.argv[0] = "script";
	s.argv[1] = "41";
	s.argv[2] = NULL;
	run(&s);
	unlink(path);
	expect_exit(&s, 42);
}
END_TEST

START_TEST(R2_timeout_ends_the_tree)
{
	double start = now_s();
	struct setup s;

	prepare(
	    &s,
	    "trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 60; sleep 60' & while :; do sleep 60; done");
	allow_reading(&s);
	s.options.timeout_s = 0.3;
	run(&s);
	ck_assert_int_eq(s.outcome.kind, SL_OUTCOME_TIMEOUT);
	ck_assert_int_eq(sl_outcome_status(&s.outcome), 124);
	ck_assert(now_s() - start < 2.3);
	ck_assert_uint_ge(s.outcome.killed, 2);
	expect_no_children();
}
END_TEST

START_TEST(R2_what_is_left_running_is_ended)
{
	double start = now_s();
	struct setup s;

	run_policy(&s, "setsid sh -c '(sleep 77 & sleep 77) & exit 0' >/dev/null 2>&1; exit 5");
	expect_exit(&s, 5);
	ck_assert_uint_ge(s.outcome.killed, 2);
	ck_assert(now_s() - start >= 0.9 && now_s() - start < 10);
	expect_no_children();
}
END_TEST

START_TEST(what_ends_by_itself_is_not_killed)
{
	struct setup s;

	run_policy(&s, "(sleep 0.2) & exit 0");
	expect_exit(&s, 0);
	ck_assert_uint_eq(s.outcome.killed, 0);
}
END_TEST

START_TEST(R13_the_tool_cannot_be_signalled)
{
	struct setup s;
	char script[128];

	snprintf(script, sizeof(script),
		 "kill -0 %d 2>/dev/null && exit 1; kill -9 %d 2>/dev/null && exit 2; exit 0", (int)getpid(),
		 (int)getppid());
	prepare(&s, script);
	allow_reading(&s);
	run(&s);
	expect_exit(&s, 0);
}
END_TEST

START_TEST(L22_setup_of_the_process)
{
	struct setup s;

	prepare(&s, "[ $(ulimit -n) = 33 ] || exit 1\n"
		    "[ $(ulimit -c) = 0 ] || exit 2\n"
		    "[ $(pwd -P) = /usr ] || exit 3\n"
		    "grep -q 'Cpus_allowed_list:.0$' /proc/self/status || exit 4\n"
		    "grep -q 'THP_enabled:.0' /proc/self/status || exit 5\n"
		    "[ $(cat /proc/self/personality) = 00040000 ] || exit 6");
	allow_reading(&s);
	s.command.open_files = 33;
	s.command.no_coredump = s.command.no_huge_pages = s.command.no_randomize_memory = true;
	s.command.cwd = "/usr";
	struct sl_list cores = {0};
	sl_list_add(&cores, "0", 0);
	s.command.cpu_cores = &cores;
	run(&s);
	sl_list_release(&cores);
	expect_exit(&s, 0);
	ck_assert_int_eq(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
}
END_TEST

START_TEST(L22_signals_and_descriptors_are_the_callers)
{
	struct setup s;
	static const char *const patterns[] = {"^SigBlk:.0000000000000200$", "^SigIgn:.*[08]0010800$"};
	sigset_t mask;
	int high = fcntl(0, F_DUPFD, 200);

	/* USR1 (10) blocked, USR2 (12) and CHLD (17) ignored, whatever the runner of this test ignores. What
	 * posix_spawn() started ignores the C library's own signals, 32 and 33, too. */
	for (int n = 1; n < 32; n++)
		signal(n, SIG_DFL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	for (size_t i = 0; i < SL_ARRAY_LEN(patterns); i++) {
		prepare(&s, "");
		allow_reading(&s);
		s.command.file = "/bin/grep";
		s.argv[0] = "grep";
		s.argv[1] = "-q";
		s.argv[2] = (char *)patterns[i];
		s.argv[3] = "/proc/self/status";
		run(&s);
		ck_assert_msg(s.outcome.kind == SL_OUTCOME_EXITED && s.outcome.code == 0, "%s: kind %d code %d: %s",
			      patterns[i], s.outcome.kind, s.outcome.code, s.err.text);
	}
	prepare(&s, "[ -e /proc/self/fd/200 ]");
	allow_reading(&s);
	run(&s);
	ck_assert_int_ge(high, 200);
	expect_exit(&s, 0);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	ck_assert(sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGTERM));
}
END_TEST

START_TEST(L22_no_descriptor_of_the_tool)
{
	struct setup s;
	char out[] = "/var/tmp/sl-fds-XXXXXX";
	int fd = mkstemp(out);
	char text[4096];
	ssize_t n;

	/* What the caller had open is kept: here nothing but the standard three. */
	for (int other = 3; other < 1000; other++)
		if (other != fd)
			close(other);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	prepare(&s, "");
	s.command.file = "/bin/ls";
	s.argv[0] = "ls";
	s.argv[1] = "/proc/self/fd";
	s.argv[2] = NULL;
	allow_reading(&s);
	dup2(fd, 1);
	run(&s);
	expect_exit(&s, 0);
	n = pread(fd, text, sizeof(text) - 1, 0);
	unlink(out);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	/* and the directory that ls itself has open, on the lowest free number */
	ck_assert_str_eq(text, "0\n1\n2\n3\n");
}
END_TEST

START_TEST(renames_across_directories)
{
	struct setup s;

	run_policy(&s,
		   "d=$(mktemp -d /var/tmp/sl-ren-XXXXXX) && mkdir $d/a $d/b && echo x > $d/a/f && "
		   "/usr/bin/perl -e 'rename(\"$ARGV[0]/a/f\", \"$ARGV[0]/b/f\") or die $!' $d && rm -r $d");
	expect_exit(&s, 0);
}
END_TEST

START_TEST(stdout_goes_to_stderr)
{
	char out[] = "/var/tmp/sl-out-XXXXXX", err[] = "/var/tmp/sl-err-XXXXXX";
	int out_fd = mkstemp(out), err_fd = mkstemp(err), saved = dup(2);
	struct setup s;
	struct stat st;

	prepare(&s, "echo hello");
	s.command.stdout_to_stderr = true;
	dup2(out_fd, 1);
	dup2(err_fd, 2);
	run(&s);
	dup2(saved, 2);
	ck_assert_int_eq(write(1, "x", 1), 1);
	expect_exit(&s, 0);
	fstat(out_fd, &st);
	ck_assert_int_eq(st.st_size, 1);
	fstat(err_fd, &st);
	ck_assert_int_eq(st.st_size, 6);
	unlink(out);
	unlink(err);
}
END_TEST

START_TEST(status_lines)
{
	struct setup s;
	int fds[2];
	char text[1024];
	ssize_t n;

	ck_assert_int_eq(pipe2(fds, 0), 0);
	prepare(&s, "exit 4");
	s.options.status_fd = fds[1];
	s.options.name = "unit-status";
	run(&s);
	n = read(fds[0], text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_ptr_nonnull(strstr(text, "{\"event\":\"start\",\"name\":\"unit-status\""));
	ck_assert_ptr_nonnull(strstr(text, "\n{\"event\":\"end\",\"reason\":\"exited\",\"status\":4"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("supervise-run");
	TCase *t = tcase_create("run");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 30);
	tcase_add_test(t, exit_status_under_a_policy);
	tcase_add_test(t, exit_status_without_a_policy);
	tcase_add_test(t, observed_run);
	tcase_add_test(t, twenty_runs_in_one_process);
	tcase_add_test(t, killed_by_a_signal);
	tcase_add_test(t, not_found_and_not_executable);
	tcase_add_test(t, script_without_interpreter_line);
	tcase_add_test(t, R2_timeout_ends_the_tree);
	tcase_add_test(t, R2_what_is_left_running_is_ended);
	tcase_add_test(t, what_ends_by_itself_is_not_killed);
	tcase_add_test(t, R13_the_tool_cannot_be_signalled);
	tcase_add_test(t, L22_setup_of_the_process);
	tcase_add_test(t, L22_signals_and_descriptors_are_the_callers);
	tcase_add_test(t, L22_no_descriptor_of_the_tool);
	tcase_add_test(t, renames_across_directories);
	tcase_add_test(t, stdout_goes_to_stderr);
	tcase_add_test(t, status_lines);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
