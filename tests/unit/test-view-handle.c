/*
 * test-view-handle.c - from the view to real descriptors and paths, and back.
 */
#include <check.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>

#include "view-harness.h"
#include "view/handle.h"

static struct world w;
static char dir[64];

static void make(void)
{
	snprintf(dir, sizeof(dir), "/var/tmp/sl-view-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	world_make(&w, dir, 0);
}

static void done(void)
{
	world_done(&w);
	ck_assert_int_eq(rmdir(dir), 0);
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

START_TEST(changes_are_met)
{
	static const struct {
		const char *path;
		bool met;
	} after[] = {
	    {"a/c", false}, {"a/b/c", false}, {"a", true}, {"a/new", true}, {"a/none", false},
	    {"b/a", false}, {"b", true},      {"c", true}, {"d/c", false},  {"b/gone", true},
	};
	struct stat st;

	ck_assert(!sl_view_is_changed(w.view));
	sl_view_watch(w.view);
	ck_assert_int_eq(sl_view_statat(&w.ctx, NULL, "d/c", 0, &st), 0);
	ck_assert(!sl_view_met_change(w.view));
	ck_assert_int_eq(sl_view_mkdirat(&w.ctx, NULL, "a/new", 0755), 0);
	ck_assert_int_eq(sl_view_linkat(&w.ctx, NULL, "c", NULL, "b/gone", 0), 0);
	ck_assert(sl_view_is_changed(w.view));
	for (size_t i = 0; i < SL_ARRAY_LEN(after); i++) {
		sl_view_watch(w.view);
		sl_view_statat(&w.ctx, NULL, after[i].path, 0, &st);
		ck_assert_msg(sl_view_met_change(w.view) == after[i].met, "%s", after[i].path);
	}
	/* Another mode lets others in or not. */
	ck_assert_int_eq(sl_view_chmodat(&w.ctx, NULL, "a", 0700, 0), 0);
	sl_view_watch(w.view);
	ck_assert_int_eq(sl_view_statat(&w.ctx, NULL, "a/c", 0, &st), 0);
	ck_assert(sl_view_met_change(w.view));
}
END_TEST

START_TEST(moved_directory_is_a_change)
{
	struct sl_view_file *b = NULL;
	struct stat st;

	ck_assert_int_eq(sl_view_openat(&w.ctx, NULL, "a/b", O_PATH, 0, 0, &b), 0);
	ck_assert_int_eq(sl_view_renameat2(&w.ctx, NULL, "a/b", NULL, "moved", 0), 0);
	sl_view_watch(w.view);
	ck_assert_int_eq(sl_view_statat(&w.ctx, b, "c", 0, &st), 0);
	ck_assert(!sl_view_met_change(w.view));
	ck_assert_int_eq(sl_view_statat(&w.ctx, b, "../c", 0, &st), 0);
	ck_assert(sl_view_met_change(w.view));
	sl_view_watch(w.view);
	ck_assert_int_eq(sl_view_statat(&w.ctx, NULL, "a/b", 0, &st), -ENOENT);
	ck_assert(sl_view_met_change(w.view));
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
	SL_FREE char *path = NULL, *real = NULL;
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

START_TEST(places)
{
	static const struct {
		const char *path;
		int flags;
		const char *result; /* NULL: no object */
		const char *name;
		int r;
	} cases[] = {
	    {"a/c", 0, "/a/c", "c", 0},
	    {"d/c", 0, "/a/b/c", "c", 0},
	    {"a/none", SL_VIEW_LAST, NULL, "none", 0},
	    {"a/none", SL_VIEW_CREATE, NULL, "none", 0},
	    {"a/none", 0, NULL, "", -ENOENT},
	    {"d", SL_VIEW_LAST, "/d", "d", 0},
	    {"a/..", SL_VIEW_LAST, "/", "", 0},
	    {"a/.", SL_VIEW_LAST, "/a", "", 0},
	    {"/", SL_VIEW_LAST, "/", "", 0},
	    {"", AT_EMPTY_PATH, "/", "", 0},
	};

	ck_assert_int_eq(sl_view_symlinkat(&w.ctx, "a/b", NULL, "d2"), 0);
	ck_assert_int_eq(sl_view_unlinkat(&w.ctx, NULL, "d", 0), 0);
	ck_assert_int_eq(sl_view_symlinkat(&w.ctx, "a/b", NULL, "d"), 0);
	for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
		struct sl_view_place p = {0};
		SL_FREE char *path = NULL;

		ck_assert_msg(sl_view_resolve(&w.ctx, NULL, cases[i].path, cases[i].flags, 0, &p) ==
				  cases[i].r,
			      "%s", cases[i].path);
		if (cases[i].r == 0) {
			ck_assert_int_eq(sl_view_place_path(&p, &path), 0);
			ck_assert_str_eq(p.name, cases[i].name);
			ck_assert(!p.file == !cases[i].result);
			if (cases[i].result)
				ck_assert_str_eq(path, cases[i].result);
		}
		sl_view_place_release(&p);
	}
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

/* Links of /proc as another process sees them: one says something else, one leads to a file without a path.
 */
static int follow_proc(const struct sl_view_ctx *c, const char *lower, int fd, char **ret_text,
		       struct sl_view_file **ret_file)
{
	(void)fd;
	if (strcmp(lower, "proc/self") == 0) {
		*ret_text = sl_xstrdup("1");
		return 0;
	}
	if (strcmp(lower, "proc/1/cwd") == 0 || strcmp(lower, "proc/1/exe") == 0) {
		struct sl_view_ctx plain = *c;
		int r = sl_view_openat(&plain, c->root, lower[7] == 'c' ? "etc" : "etc/passwd", O_PATH, 0, 0,
				       ret_file);

		return r < 0 ? r : 1;
	}
	return -EACCES;
}

START_TEST(links_of_proc)
{
	static const struct {
		const char *path;
		uint64_t resolve;
		int flags, r;
		const char *same;
	} cases[] = {
	    {"/proc/self/status", 0, 0, 0, "/proc/1/status"},
	    {"/proc/self/cwd/hostname", 0, 0, 0, "/etc/hostname"},
	    {"/proc/self/cwd/../etc", 0, 0, 0, "/etc"},
	    {"/proc/1/exe", 0, 0, 0, "/etc/passwd"},
	    {"/proc/1/exe/", 0, 0, -ENOTDIR, NULL},
	    {"/proc/1/exe/x", 0, 0, -ENOTDIR, NULL},
	    {"/proc/1/exe", 0, O_DIRECTORY, -ENOTDIR, NULL},
	    {"/proc/1/cwd", RESOLVE_NO_MAGICLINKS, 0, -ELOOP, NULL},
	    {"/proc/1/root/etc", 0, 0, -EACCES, NULL},
	};
	int lower = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct sl_view_ctx c = w.ctx;

	ck_assert_int_eq(sl_view_new(lower, w.upper, &c.view), 0);
	ck_assert_int_eq(sl_view_root(c.view, &c.root), 0);
	c.cwd = c.root;
	c.follow = follow_proc;
	for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
		struct sl_view_file *f = NULL;
		struct stat st, same;

		ck_assert_msg(sl_view_openat(&c, NULL, cases[i].path, O_PATH | cases[i].flags, 0,
					     cases[i].resolve, &f) == cases[i].r,
			      "%s", cases[i].path);
		if (cases[i].r == 0) {
			ck_assert_int_eq(sl_view_statat(&c, f, "", AT_EMPTY_PATH, &st), 0);
			ck_assert_int_eq(stat(cases[i].same, &same), 0);
			ck_assert(st.st_dev == same.st_dev && st.st_ino == same.st_ino);
		}
		sl_view_close(f);
	}
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
	tcase_add_test(t, changes_are_met);
	tcase_add_test(t, moved_directory_is_a_change);
	tcase_add_test(t, lower_descriptors_are_found);
	tcase_add_test(t, removed_lower_directory_is_found_dead);
	tcase_add_test(t, upper_descriptors_are_found);
	tcase_add_test(t, real_objects_of_the_lower);
	tcase_add_test(t, places);
	tcase_add_test(t, hidden_name_is_not_there);
	tcase_add_test(t, links_of_proc);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
