/*
 * test-supervise-tmpdir.c - removing a tree, whatever it holds, and nothing else.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "supervise/sandbox.h"

static char *top;

static void make(void)
{
	char template[] = "/var/tmp/sl-tree-XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(template));
	top = sl_xstrdup(template);
	ck_assert_int_eq(chdir(top), 0);
}

static void done(void)
{
	free(top);
}

static void expect_gone(void)
{
	ck_assert_int_eq(sl_tree_remove(top), 0);
	ck_assert_int_eq(access(top, F_OK), -1);
	ck_assert_int_eq(errno, ENOENT);
}

static void touch(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

START_TEST(empty_and_missing)
{
	expect_gone();
	ck_assert_int_eq(sl_tree_remove(top), 0);
}
END_TEST

START_TEST(files_of_every_kind)
{
	touch("file");
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	ck_assert_int_eq(symlink("/etc", "link"), 0);
	ck_assert_int_eq(symlink("nowhere", "dangling"), 0);
	ck_assert_int_eq(mkdir("dir", 0700), 0);
	touch("dir/file");
	touch("dir/.sl-0");
	ck_assert_int_eq(mkdir("dir/sub", 0700), 0);
	touch("dir/sub/x");
	touch(".sl-0");
	expect_gone();
	ck_assert_int_eq(access("/etc/passwd", F_OK), 0);
}
END_TEST

START_TEST(directories_without_rights)
{
	ck_assert_int_eq(mkdir("a", 0700), 0);
	ck_assert_int_eq(mkdir("a/b", 0700), 0);
	ck_assert_int_eq(mkdir("a/b/c", 0700), 0);
	touch("a/b/c/f");
	ck_assert_int_eq(chmod("a/b/c", 0), 0);
	ck_assert_int_eq(chmod("a/b", 0), 0);
	ck_assert_int_eq(chmod("a", 0500), 0);
	ck_assert_int_eq(chmod(".", 0500), 0);
	expect_gone();
}
END_TEST

START_TEST(deeper_than_path_max)
{
	char name[101];

	memset(name, 'd', 100);
	name[100] = '\0';
	for (int i = 0; i < 400; i++) {
		ck_assert_int_eq(mkdir(name, 0700), 0);
		ck_assert_int_eq(chdir(name), 0);
		touch("f");
	}
	expect_gone();
}
END_TEST

START_TEST(many_entries)
{
	char name[32];

	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "entry-%d", i);
		if (i % 3)
			touch(name);
		else
			ck_assert_int_eq(mkdir(name, 0700), 0);
	}
	expect_gone();
}
END_TEST

START_TEST(made_private_below_tmpdir)
{
	char *path = NULL;
	struct sl_error err = SL_ERROR_INIT;
	struct stat st;

	setenv("TMPDIR", top, 1);
	ck_assert_int_eq(sl_tmp_dir_make(NULL, &path, &err), 0);
	ck_assert_int_eq(strncmp(path, top, strlen(top)), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	free(path);
	setenv("TMPDIR", "/no/such/directory", 1);
	ck_assert_int_eq(sl_tmp_dir_make(NULL, &path, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "/no/such/directory"));
	expect_gone();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("supervise-tmpdir");
	TCase *t = tcase_create("remove");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, make, done);
	tcase_add_test(t, empty_and_missing);
	tcase_add_test(t, files_of_every_kind);
	tcase_add_test(t, directories_without_rights);
	tcase_add_test(t, deeper_than_path_max);
	tcase_add_test(t, many_entries);
	tcase_add_test(t, made_private_below_tmpdir);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
