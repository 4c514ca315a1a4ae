/*
 * Unit tests of observe/exec.c: what each way to start a program leaves in the profile. Every program is really
 * started, so that a prediction is compared with what the kernel did.
 */
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "observe-harness.h"

static char true_path[PATH_MAX], shell_path[PATH_MAX], loader_path[PATH_MAX];

static void find_programs(void)
{
	ck_assert_ptr_nonnull(realpath("/bin/true", true_path));
	ck_assert_ptr_nonnull(realpath("/bin/sh", shell_path));
#if defined(__x86_64__)
	ck_assert_ptr_nonnull(realpath("/lib64/ld-linux-x86-64.so.2", loader_path));
#else
	ck_assert_ptr_nonnull(realpath("/lib/ld-linux-aarch64.so.1", loader_path));
#endif
}

/* Start it in a child: its status, or 200 + errno where exec fails. */
static int status_of(int (*start)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		start();
		_exit(100 + errno);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static int exec_path(const char *path)
{
	char *argv[] = { (char *)path, NULL }, *envp[] = { NULL };

	return execve(path, argv, envp);
}

#define START(name, path)                                                                                    \
	static int start_##name(void)                                                                        \
	{                                                                                                    \
		return exec_path(path);                                                                      \
	}                                                                                                    \
	static int run_##name(void)                                                                          \
	{                                                                                                    \
		return status_of(start_##name);                                                              \
	}

START(program, "/bin/true")
START(script, "./script")
START(spaced, "./spaced")
START(chain, "./chain")
START(deep, "./s6")
START(too_deep, "./s5")
START(not_so_deep, "./s4")
START(plain, "./plain")
START(orphan, "./orphan")
START(closed, "./closed")
START(directory, "./dir")
START(link, "./link")
START(empty, "./empty")
START(nothing, "./nothing")

static int start_by_fd(void)
{
	char *argv[] = { "true", NULL }, *envp[] = { NULL };

	return (int)syscall(__NR_execveat, open("/bin/true", O_PATH | O_CLOEXEC), "", argv, envp, AT_EMPTY_PATH);
}

static int run_by_fd(void)
{
	return status_of(start_by_fd);
}

static int start_script_by_fd(void)
{
	char *argv[] = { "script", NULL }, *envp[] = { NULL };

	return (int)syscall(__NR_execveat, open("script", O_PATH), "", argv, envp, AT_EMPTY_PATH);
}

static int run_script_by_fd(void)
{
	return status_of(start_script_by_fd);
}

static int start_script_by_closed_fd(void)
{
	char *argv[] = { "script", NULL }, *envp[] = { NULL };

	return (int)syscall(__NR_execveat, open("script", O_PATH | O_CLOEXEC), "", argv, envp, AT_EMPTY_PATH);
}

static int run_script_by_closed_fd(void)
{
	return status_of(start_script_by_closed_fd);
}

static int start_nofollow(void)
{
	char *argv[] = { "link", NULL }, *envp[] = { NULL };

	return (int)syscall(__NR_execveat, AT_FDCWD, "link", argv, envp, AT_SYMLINK_NOFOLLOW);
}

static int run_nofollow(void)
{
	return status_of(start_nofollow);
}

static int copy_true(int out)
{
	int in = open("/bin/true", O_RDONLY);

	while (sendfile(out, in, NULL, 1 << 20) > 0)
		;
	close(in);
	return out;
}

static int start_memfd(void)
{
	char *argv[] = { "true", NULL }, *envp[] = { NULL };

	return (int)syscall(__NR_execveat, copy_true(memfd_create("program", MFD_CLOEXEC)), "", argv, envp,
			    AT_EMPTY_PATH);
}

static int run_memfd(void)
{
	return status_of(start_memfd);
}

static int start_made(void)
{
	return exec_path("dir/made");
}

static int run_made(void)
{
	int fd = open("dir/made", O_CREAT | O_WRONLY | O_CLOEXEC, 0777);

	close(copy_true(fd));
	return status_of(start_made);
}

static int start_loader(void)
{
	char *argv[] = { loader_path, true_path, NULL }, *envp[] = { NULL };

	return execve(loader_path, argv, envp);
}

static int run_loader(void)
{
	return status_of(start_loader);
}

static int run_spawn(void)
{
	char *argv[] = { "true", NULL }, *envp[] = { NULL };
	int status;
	pid_t pid;

	if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, envp))
		return 1;
	waitpid(pid, &status, 0);
	return status;
}

static void *thread_exec(void *arg)
{
	(void)arg;
	exec_path("/bin/true");
	return NULL;
}

/* A thread that is not the first one execs: it takes the first one's number. */
static int run_thread(void)
{
	pthread_t thread;
	int status;
	pid_t pid = fork();

	if (!pid) {
		pthread_create(&thread, NULL, thread_exec, NULL);
		pause();
	}
	waitpid(pid, &status, 0);
	return status;
}

static void stage(void)
{
	char text[PATH_MAX];

	harness_put("script", "#!/bin/sh\nexit 0\n", 0777);
	harness_put("spaced", "#! \t/bin/sh -e  \nexit 0\n", 0777);
	harness_put("chain", "#!./script\n", 0777);
	harness_put("plain", "exit 0\n", 0777);
	harness_put("empty", "", 0777);
	harness_put("orphan", "#!/nowhere/sh\n", 0777);
	harness_put("closed", "#!/bin/sh\n", 0666);
	harness_put("s0", "#!/bin/true\n", 0777);
	for (int i = 1; i <= 6; i++) {
		snprintf(text, sizeof(text), "s%d", i);
		snprintf(text + 8, sizeof(text) - 8, "#!./s%d\n", i - 1);
		harness_put(text, text + 8, 0777);
	}
	ck_assert_int_eq(mkdir("dir", 0777), 0);
	ck_assert_int_eq(symlink("/bin/true", "link"), 0);
}

/* What stands in the profile of exec, but for what makes the program itself run. */
enum { PROGRAM = 1, SHELL = 2, LOADER = 4 };

static const struct {
	const char *name;
	int (*run)(void);
	int status;
	const char *expect; /* of the fresh directory */
	int exec;	    /* which of the machine's programs are executable; the others must not be */
} cases[] = {
	{ "L1 program and loader", run_program, 0, "", PROGRAM | LOADER },
	{ "L13 script", run_script, 0, "read D/script\nexec D/script\n", SHELL | LOADER },
	{ "L13 spaces and an argument", run_spaced, 0, "read D/spaced\nexec D/spaced\n", SHELL | LOADER },
	{ "L13 a script's script", run_chain, 0,
	  "read D/chain\nread D/script\nexec D/chain\nexec D/script\n", SHELL | LOADER },
	{ "L4 too deep", run_deep, 100 + ELOOP, "", 0 },
	{ "L4 one too deep", run_too_deep, 100 + ELOOP, "", 0 },
	{ "the kernel's depth", run_not_so_deep, 0,
	  "read D/s0\nread D/s1\nread D/s2\nread D/s3\nread D/s4\nexec D/s0\nexec D/s1\nexec D/s2\nexec D/s3\n"
	  "exec D/s4\n",
	  PROGRAM | LOADER },
	{ "ENOEXEC is a script for shells", run_plain, 100 + ENOEXEC, "read D/plain\nexec D/plain\n", 0 },
	{ "an empty file", run_empty, 100 + ENOEXEC, "read D/empty\nexec D/empty\n", 0 },
	{ "L4 no interpreter", run_orphan, 100 + ENOENT, "", 0 },
	{ "L4 not executable", run_closed, 100 + EACCES, "", 0 },
	{ "L4 a directory", run_directory, 100 + EACCES, "", 0 },
	{ "L4 nothing there", run_nothing, 100 + ENOENT, "", 0 },
	{ "L13 a link is its target", run_link, 0, "", PROGRAM | LOADER },
	{ "L4 a link that is not followed", run_nofollow, 100 + ELOOP, "", 0 },
	{ "by descriptor", run_by_fd, 0, "", PROGRAM | LOADER },
	{ "script by descriptor", run_script_by_fd, 0, "read D/script\nexec D/script\n", SHELL | LOADER },
	{ "L4 script by a descriptor that exec closes", run_script_by_closed_fd, 100 + ENOENT, "", 0 },
	{ "memfd", run_memfd, 0, "", LOADER },
	{ "L11 made by the run", run_made, 0, "read D/dir\nexec D/dir\ncreate D/dir\n", LOADER },
	{ "the loader as a program", run_loader, 0, "", LOADER },
	{ "L12 vfork child", run_spawn, 0, "", PROGRAM | LOADER },
	{ "L12 exec by a second thread", run_thread, 0, "", PROGRAM | LOADER },
};

static void run_case(int i, bool other)
{
	struct harness_options options = { .other_identity = other };
	SL_FREE char *text = NULL;
	struct harness h;
	size_t own = 0;

	find_programs();
	harness_begin(&h);
	stage();
	harness_run(&h, &options, cases[i].run);
	text = harness_text(&h);
	ck_assert_msg(h.status == cases[i].status, "%s: status %d", cases[i].name, h.status);
	ck_assert_msg(!strcmp(text, cases[i].expect), "%s:\ngot\n%swant\n%s", cases[i].name, text, cases[i].expect);
	ck_assert_msg(harness_has(&h, SL_FS_EXEC, true_path) == !!(cases[i].exec & PROGRAM), "%s: program",
		      cases[i].name);
	ck_assert_msg(harness_has(&h, SL_FS_EXEC, shell_path) == !!(cases[i].exec & SHELL), "%s: shell", cases[i].name);
	ck_assert_msg(harness_has(&h, SL_FS_EXEC, loader_path) == !!(cases[i].exec & LOADER), "%s: loader",
		      cases[i].name);
	if (cases[i].exec & LOADER)
		ck_assert(harness_has(&h, SL_FS_READ, loader_path));
	for (const char *at = text; (at = strstr(at, "exec ")); at++)
		own++;
	ck_assert_uint_eq(h.profile.filesystem.lists[SL_FS_EXEC].len,
			  own + (size_t)__builtin_popcount((unsigned int)cases[i].exec));
	harness_end(&h);
}

START_TEST(test_L1_L4_L12_L13_exec)
{
	run_case(_i, false);
}
END_TEST

START_TEST(test_L1_L4_L12_L13_exec_as_another_user)
{
	run_case(_i, true);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("observer-exec");
	TCase *t = tcase_create("exec");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, test_L1_L4_L12_L13_exec, 0, (int)SL_ARRAY_LEN(cases));
	tcase_add_loop_test(t, test_L1_L4_L12_L13_exec_as_another_user, 0, (int)SL_ARRAY_LEN(cases));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
