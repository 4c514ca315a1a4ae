/*
 * test-view-handle.c - from the view to real descriptors and paths, and back.
 */
#include <check.h>
#include <fcntl.h>
#include <string.h>

#include "view-harness.h"
#include "view/handle.h"

static struct world w;

static void make(void)
{
	world_make_apart(&w);
}

static void done(void)
{
	world_done_apart(&w);
}

static void expect_path_of(int fd, const char *path)
{
	struct sl_view_file *f = NULL;
	SL_FREE char *got = NULL;

	ck_assert_int_eq(sl_view_find(w.view, fd, &f), 0);
	ck_assert_int_eq(sl_view_path(f, &got), 0);
	ck_assert_str_eq(got, path);
	sl_view_close(f);
}

static bool moved(struct sl_view_file *at, const char *path)
{
	struct sl_view_trail trail = {0};
	struct sl_view_ctx c = w.ctx;
	struct stat st;

	c.trail = &trail;
	sl_view_statat(&c, at, path, 0, &st);
	return trail.moved;
}

START_TEST(walks_tell_what_they_met)
{
	static const struct {
		const char *path;
		bool moved;
	} after[] = {
	    {"a/c", false},    {"a/b/c", false}, {"a", false},	 {"a/new", true},  {"a/new/x", true},
	    {"a/none", false}, {"b/a", false},	 {"d/c", false}, {"b/link", true}, {"gone", true},
	};

	ck_assert(!sl_view_is_changed(w.view));
	ck_assert(!moved(NULL, "d/c"));
	ck_assert_int_eq(sl_view_mkdirat(&w.ctx, NULL, "a/new", 0755), 0);
	ck_assert_int_eq(sl_view_linkat(&w.ctx, NULL, "c", NULL, "b/link", 0), 0);
	ck_assert_int_eq(sl_view_mknodat(&w.ctx, NULL, "gone", S_IFIFO | 0600), 0);
	ck_assert(sl_view_is_changed(w.view));
	for (size_t i = 0; i < SL_ARRAY_LEN(after); i++)
		ck_assert_msg(moved(NULL, after[i].path) == after[i].moved, "%s", after[i].path);
	/* Another mode lets others in or not. */
	ck_assert_int_eq(sl_view_chmodat(&w.ctx, NULL, "a", 0700, 0), 0);
	ck_assert(moved(NULL, "a/c"));
}
END_TEST

START_TEST(moved_directory_is_met_by_its_parent)
{
	struct sl_view_file *b = NULL;

	ck_assert_int_eq(sl_view_openat(&w.ctx, NULL, "a/b", O_PATH, 0, 0, &b), 0);
	ck_assert_int_eq(sl_view_renameat2(&w.ctx, NULL, "a/b", NULL, "moved", 0), 0);
	ck_assert(!moved(b, "c"));
	ck_assert(moved(b, "../c"));
	ck_assert(moved(NULL, "a/b"));
	sl_view_close(b);
}
END_TEST

START_TEST(lower_descriptors_are_found)
{
	int top = openat(w.lower, "a", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int below = openat(w.lower, "a/b", O_PATH | O_CLOEXEC);
	int file = openat(w.lower, "a/b/c", O_RDONLY | O_CLOEXEC);
	int pipe_fds[2];
	struct sl_view_file *f = NULL;
	SL_FREE char *path = NULL;
	struct stat st;

	expect_path_of(w.lower, "/");
	expect_path_of(top, "/a");
	expect_path_of(below, "/a/b");
	expect_path_of(file, "/a/b/c");
	ck_assert_int_eq(sl_view_renameat2(&w.ctx, NULL, "a", NULL, "b/z", 0), 0);
	expect_path_of(top, "/b/z");
	expect_path_of(below, "/b/z/b");
	expect_path_of(file, "/b/z/b/c");
	ck_assert_int_eq(sl_view_renameat2(&w.ctx, NULL, "b/z/b/c", NULL, "file", 0), 0);
	expect_path_of(file, "/file");
	ck_assert_int_eq(sl_view_unlinkat(&w.ctx, NULL, "file", 0), 0);
	ck_assert_int_eq(sl_view_find(w.view, file, &f), 0);
	ck_assert_int_eq(sl_view_path(f, &path), -ENOENT);
	ck_assert_int_eq(sl_view_statat(&w.ctx, f, "", AT_EMPTY_PATH, &st), 0);
	ck_assert_uint_eq(st.st_nlink, 0);
	sl_view_close(f);
	ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	ck_assert_int_eq(sl_view_find(w.view, pipe_fds[0], &f), -EXDEV);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(top);
	close(below);
	close(file);
}
END_TEST

START_TEST(removed_lower_directory_is_found_dead)
{
	int below;
	struct sl_view_file *f = NULL;
	struct stat st;

	ck_assert_int_eq(mkdirat(w.lower, "empty", 0755), 0);
	below = openat(w.lower, "empty", O_PATH | O_CLOEXEC);
	ck_assert_int_eq(sl_view_unlinkat(&w.ctx, NULL, "empty", AT_REMOVEDIR), 0);
	ck_assert_int_eq(sl_view_mkdirat(&w.ctx, NULL, "empty", 0755), 0);
	ck_assert_int_eq(sl_view_find(w.view, below, &f), 0);
	ck_assert_int_eq(sl_view_statat(&w.ctx, f, "", AT_EMPTY_PATH, &st), 0);
	ck_assert_uint_eq(st.st_nlink, 0);
	ck_assert_int_eq(sl_view_mkdirat(&w.ctx, f, "x", 0755), -ENOENT);
	sl_view_close(f);
	close(below);
}
END_TEST

START_TEST(upper_descriptors_are_found)
{
	struct sl_view_file *f = NULL, *found = NULL;
	SL_FREE char *real = NULL;
	struct stat st, object;
	int fd, standin;

	ck_assert_int_eq(sl_view_mkdirat(&w.ctx, NULL, "dir", 0755), 0);
	ck_assert_int_eq(sl_view_openat(&w.ctx, NULL, "dir", O_PATH, 0, 0, &f), 0);
	ck_assert(sl_view_is_new(f) && sl_view_is_upper(f) && S_ISDIR(sl_view_type(f)));
	standin = sl_view_real_fd(f, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(standin, 0);
	sl_view_close(f);
	expect_path_of(standin, "/dir");
	ck_assert_int_eq(sl_view_openat(&w.ctx, NULL, "dir/file", O_CREAT | O_RDWR, 0755, 0, &f), 0);
	fd = dup(sl_view_fd(f));
	ck_assert_int_eq(sl_view_real_path(f, &real), 0);
	ck_assert_int_eq(stat(real, &object), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert(object.st_ino == st.st_ino && object.st_mode == st.st_mode);
	sl_view_close(f);
	ck_assert_int_eq(sl_view_renameat2(&w.ctx, NULL, "dir", NULL, "b/moved", 0), 0);
	expect_path_of(fd, "/b/moved/file");
	expect_path_of(standin, "/b/moved");
	ck_assert_int_eq(sl_view_unlinkat(&w.ctx, NULL, "b/moved/file", 0), 0);
	ck_assert_int_eq(sl_view_find(w.view, fd, &found), -ENOENT);
	close(fd);
	close(standin);
}
END_TEST

START_TEST(real_objects_of_the_lower)
{
	struct sl_view_file *f = NULL;
	SL_FREE char *real = NULL, *expected = sl_xasprintf("%s/lower/a/b", w.top);
	struct stat st, lower;
	int fd;

	ck_assert_int_eq(sl_view_mknodat(&w.ctx, NULL, "a/b/new", S_IFIFO | 0600), 0);
	ck_assert_int_eq(sl_view_openat(&w.ctx, NULL, "a/b", O_PATH, 0, 0, &f), 0);
	ck_assert(!sl_view_is_new(f) && !sl_view_is_upper(f));
	fd = sl_view_real_fd(f, O_RDONLY | O_DIRECTORY);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(fstatat(w.lower, "a/b", &lower, 0), 0);
	ck_assert(st.st_ino == lower.st_ino);
	ck_assert_int_eq(sl_view_real_path(f, &real), 0);
	ck_assert_str_eq(real, expected);
	close(fd);
	sl_view_close(f);
}
END_TEST

START_TEST(hidden_name_is_not_there)
{
	struct sl_view_file *a = NULL;
	struct sl_view_dirent e;
	struct stat st;
	uint64_t pos = 0;

	ck_assert_int_eq(mkdirat(w.lower, "a/secret", 0700), 0);
	ck_assert_int_eq(sl_view_hide(w.view, "/a/secret"), 0);
	ck_assert(!sl_view_is_changed(w.view));
	ck_assert_int_eq(sl_view_statat(&w.ctx, NULL, "a/secret", 0, &st), -ENOENT);
	ck_assert_int_eq(sl_view_openat(&w.ctx, NULL, "a", O_RDONLY | O_DIRECTORY, 0, 0, &a), 0);
	while (sl_view_readdir(a, &pos, &e) == 1)
		ck_assert_str_ne(e.name, "secret");
	sl_view_close(a);
	ck_assert_int_eq(sl_view_mkdirat(&w.ctx, NULL, "a/new", 0755), 0);
	ck_assert_int_eq(sl_view_merge_down(w.view, w.lower), 0);
	ck_assert_int_eq(fstatat(w.lower, "a/secret", &st, 0), 0);
	ck_assert_int_eq(fstatat(w.lower, "a/new", &st, 0), 0);
}
END_TEST

START_TEST(closed_file_system_is_not_entered)
{
	static const struct {
		const char *path, *text;
	} cases[] = {
	    {"/proc/self/status", "/proc/self/status"},
	    {"/dev/fd/7", "/proc/self/fd/7"},
	    {"/proc/../proc//1", "/proc/1"},
	};
	int lower = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct sl_view_trail trail = {0};
	struct sl_view_ctx c = w.ctx;
	struct stat st;

	trail.no_proc = true;
	ck_assert_int_eq(sl_view_new(lower, w.upper, &c.view), 0);
	ck_assert_int_eq(sl_view_root(c.view, &c.root), 0);
	c.cwd = c.root;
	c.trail = &trail;
	for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
		ck_assert_int_eq(sl_view_statat(&c, NULL, cases[i].path, 0, &st), SL_VIEW_ELSEWHERE);
		ck_assert_str_eq(trail.text, cases[i].text);
	}
	ck_assert_int_eq(sl_view_mkdirat(&c, NULL, "/proc/x", 0755), SL_VIEW_ELSEWHERE);
	ck_assert_str_eq(trail.text, "/proc/x");
	ck_assert_int_eq(sl_view_statat(&c, NULL, "/proc", 0, &st), 0);
	free(trail.text);
	sl_view_close(c.root);
	sl_view_free(c.view);
	close(lower);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("view-handle");
	TCase *t = tcase_create("view-handle");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, make, done);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, walks_tell_what_they_met);
	tcase_add_test(t, moved_directory_is_met_by_its_parent);
	tcase_add_test(t, lower_descriptors_are_found);
	tcase_add_test(t, removed_lower_directory_is_found_dead);
	tcase_add_test(t, upper_descriptors_are_found);
	tcase_add_test(t, real_objects_of_the_lower);
	tcase_add_test(t, hidden_name_is_not_there);
	tcase_add_test(t, closed_file_system_is_not_entered);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
