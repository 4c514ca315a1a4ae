/*
 * Unit tests of supervise/view-image.h against the kernel itself: each "#!" line is executed, with an
 * interpreter that prints its arguments, and taken apart; and a program whose copy asks for another ELF
 * interpreter is run.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/strbuf.h"
#include "supervise/view-image.h"

static char dir[] = "/var/tmp/sl-image-XXXXXX";

static void set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void tear_down(void)
{
	SL_FREE char *script = sl_xasprintf("%s/script", dir);
	SL_FREE char *loader = sl_xasprintf("%s/loader", dir);

	unlink(script);
	unlink(loader);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void make_file(const char *path, const char *data, size_t len)
{
	SL_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fchmod(fd, 0755), 0);
	ck_assert_int_eq(sl_write_all(fd, data, len), 0);
}

/* What it writes to its standard output when it is executed; or the -errno of execve. */
static int run(const char *path, char *const argv[], char *out, size_t size)
{
	char *const env[] = {NULL};
	int pipes[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(pipes[1], 1);
		execve(path, argv, env);
		_exit(errno);
	}
	close(pipes[1]);
	while ((n = read(pipes[0], out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	close(pipes[0]);
	out[len] = '\0';
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void compare(const char *line, size_t len)
{
	SL_FREE char *path = sl_xasprintf("%s/script", dir);
	char *const argv[] = {(char *)"x", (char *)"tail", NULL};
	char said[1024], expected[1024];
	struct sl_script script;
	int r = sl_script_parse(line, len < SL_SCRIPT_BYTES ? len : SL_SCRIPT_BYTES, &script), bare;

	make_file(path, line, len);
	bare = run(path, argv, said, sizeof(said));
	if (bare == -ENOENT || bare == -EACCES ||
	    bare == -ENOTDIR) { /* no such interpreter: the line was understood */
		ck_assert_msg(r == 0 && strcmp(script.interpreter, "/bin/echo") != 0, "%s: %d", line, r);
		return;
	}
	ck_assert_msg(r == bare, "%s: %d, the kernel says %d", line, r, bare);
	if (r < 0)
		return;
	ck_assert_str_eq(script.interpreter, "/bin/echo");
	snprintf(expected, sizeof(expected), "%s%s%s tail\n", script.argument, script.has_argument ? " " : "",
		 path);
	ck_assert_str_eq(said, expected);
}

START_TEST(lines_of_scripts)
{
	static const char *const lines[] = {
	    "#!/bin/echo\n",
	    "#!/bin/echo",
	    "#! /bin/echo\n",
	    "#!\t /bin/echo \t\n",
	    "#!/bin/echo one\n",
	    "#!/bin/echo one two  three \t \n",
	    "#!/bin/echo one",
	    "#!/bin/echo \n",
	    "#!\n",
	    "#! \t\n",
	    "#!",
	    "#! ",
	    "#!/nowhere\n",
	    "#!/bin/echo -x\n",
	    "#!/bin/echo\r\n",
	    "#!\n/bin/echo\n",
	};

	for (size_t i = 0; i < SL_ARRAY_LEN(lines); i++)
		compare(lines[i], strlen(lines[i]));
	compare("#!/bin/echo\0one\n", 16);
	compare("#!/bin/echo o\0ne\n", 17);
}
END_TEST

START_TEST(lines_that_are_cut)
{
	static const char *const starts[] = {"#!/bin/", "#!", "#!/bin/echo ", "#!"};
	char line[600];

	for (size_t len = SL_SCRIPT_BYTES - 4; len < SL_SCRIPT_BYTES + 4; len++) {
		for (size_t kind = 0; kind < SL_ARRAY_LEN(starts); kind++) {
			memset(line, kind == 1 ? ' ' : 'a', sizeof(line) - 1);
			line[sizeof(line) - 1] = '\0';
			for (size_t i = 0; starts[kind][i]; i++)
				line[i] = starts[kind][i];
			if (kind == 3)
				line[200] = ' ';
			line[len - 1] = '\n';
			compare(line, len);
			compare(line, len - 1);
		}
	}
}
END_TEST

START_TEST(lines_at_random)
{
	static const char *const parts[] = {" ", "\t", "/bin/echo", "a", "\n", "  ", "x/", "bb b"};

	srandom(7);
	for (int i = 0; i < 300; i++) {
		SL_STRBUF line = SL_STRBUF_INIT;

		sl_strbuf_addstr(&line, random() % 2 ? "#!" : "#!/bin/echo");
		for (long n = random() % 7; n > 0; n--)
			sl_strbuf_addstr(&line, parts[(size_t)random() % SL_ARRAY_LEN(parts)]);
		compare(line.data, line.len);
	}
}
END_TEST

static char *copy_of(const char *from, const char *name)
{
	char *path = sl_xasprintf("%s/%s", dir, name);
	SL_CLOSE int fd = open(from, O_RDONLY | O_CLOEXEC);
	char buf[65536];
	SL_STRBUF all = SL_STRBUF_INIT;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		sl_strbuf_add(&all, buf, (size_t)n);
	ck_assert_int_eq((int)n, 0);
	make_file(path, all.data, all.len);
	return path;
}

START_TEST(another_elf_interpreter)
{
	SL_CLOSE int fd = open("/bin/cat", O_RDONLY | O_CLOEXEC);
	char *const argv[] = {(char *)"cat", (char *)"/proc/self/maps", NULL};
	SL_FREE char *loader = NULL, *program = NULL;
	static char said[65536];
	struct sl_elf_asks asks;

	ck_assert_int_eq(sl_elf_asks(fd, &asks), 1);
	loader = copy_of(asks.interpreter, "loader");
	ck_assert_int_eq(sl_elf_copy(fd, &asks, dir, loader, &program), 0);
	ck_assert_int_eq(run(program, argv, said, sizeof(said)), 0);
	ck_assert_ptr_nonnull(strstr(said, loader));
	ck_assert_ptr_null(strstr(said, asks.interpreter));
	unlink(program);
}
END_TEST

START_TEST(no_elf_program)
{
	SL_CLOSE int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	SL_FREE char *path = sl_xasprintf("%s/script", dir);
	SL_CLOSE int cut = -EBADF;
	struct sl_elf_asks asks;

	ck_assert_int_eq(sl_elf_asks(fd, &asks), 0);
	make_file(path, "\177ELF\2\1\1", 7);
	cut = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(sl_elf_asks(cut, &asks), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("supervise-view-image");
	TCase *tc = tcase_create("image");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, lines_of_scripts);
	tcase_add_test(tc, lines_that_are_cut);
	tcase_add_test(tc, lines_at_random);
	tcase_add_test(tc, another_elf_interpreter);
	tcase_add_test(tc, no_elf_program);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
