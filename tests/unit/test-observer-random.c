/*
 * Property test of the observer's predictions: a child makes thousands of random calls in one directory, and the
 * outcome that was predicted for each, which stands in the trace, must be what the kernel answered. As ourselves, and
 * as another user in a directory that holds root's files.
 *
 * All names stay inside the fresh directory: components are a to d, links lead to those.
 */
#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "observe-harness.h"

#define CALLS 2000

/* What the kernel answered, written by the child. */
static struct {
	size_t len;
	int error[CALLS]; /* 0 or errno */
} *answers;

static unsigned int seed;

static int one_of(int n)
{
	return rand_r(&seed) % n;
}

/* A path of one to three components in one of four rotating buffers. */
static const char *some_path(void)
{
	static char paths[4][64];
	static unsigned int next;
	char *path = paths[next++ % 4];
	int len = 0, depth = 1 + one_of(6) / 2;

	for (int i = 0; i < depth; i++)
		len += snprintf(path + len, 64 - (size_t)len, "%s%c", i ? "/" : "", one_of(12) ? 'a' + one_of(4) : '.');
	if (!one_of(12))
		snprintf(path + len, 64 - (size_t)len, "/");
	return path;
}

static int some_flags(void)
{
	static const struct {
		int flag, one_in;
	} flags[] = { { O_CREAT, 2 },	  { O_EXCL, 10 },	{ O_TRUNC, 7 },	   { O_DIRECTORY, 12 },
		      { O_NOFOLLOW, 10 }, { O_TMPFILE, 25 }, { O_NOATIME, 20 } };
	int r = one_of(3);

	for (size_t i = 0; i < SL_ARRAY_LEN(flags); i++)
		if (!one_of(flags[i].one_in))
			r |= flags[i].flag;
	return r | O_CLOEXEC;
}

static int some_mode(void)
{
	static const int modes[] = { 0777, 0777, 0777, 0700, 0555, 0, 01777 };

	return modes[one_of((int)SL_ARRAY_LEN(modes))];
}

static const char *some_target(void)
{
	static const char *const targets[] = { "a", "b/c", "./d", "nowhere", "" };

	return targets[one_of((int)SL_ARRAY_LEN(targets))];
}

static int some_call(void)
{
	int fd;

	switch (one_of(17)) {
	default:
		fd = openat(AT_FDCWD, some_path(), some_flags(), some_mode());
		if (fd >= 0)
			close(fd);
		return fd;
	case 0:
	case 1:
	case 2:
		return mkdirat(AT_FDCWD, some_path(), (mode_t)some_mode());
	case 3:
		return symlinkat(some_target(), AT_FDCWD, some_path());
	case 4:
		return linkat(AT_FDCWD, some_path(), AT_FDCWD, some_path(), one_of(2) ? AT_SYMLINK_FOLLOW : 0);
	case 5:
	case 6:
		return unlinkat(AT_FDCWD, some_path(), 0);
	case 7:
		return unlinkat(AT_FDCWD, some_path(), AT_REMOVEDIR);
	case 8:
	case 9:
		return renameat(AT_FDCWD, some_path(), AT_FDCWD, some_path());
	case 10:
		return (int)syscall(__NR_renameat2, AT_FDCWD, some_path(), AT_FDCWD, some_path(), one_of(5));
	case 11:
		return truncate(some_path(), one_of(3) - 1);
	case 12:
		return fchmodat(AT_FDCWD, some_path(), (mode_t)some_mode(), 0);
	case 13:
		return fchownat(AT_FDCWD, some_path(), (uid_t)one_of(3) - 1, (gid_t)-1, one_of(2) ? AT_SYMLINK_NOFOLLOW : 0);
	case 14:
		return utimensat(AT_FDCWD, some_path(), NULL, one_of(2) ? AT_SYMLINK_NOFOLLOW : 0);
	}
}

static int random_calls(void)
{
	for (int i = 0; i < CALLS; i++) {
		int r = some_call();

		answers->error[answers->len++] = r < 0 ? errno : 0;
	}
	return 0;
}

static void compare_line(const char *line, size_t i)
{
	json_t *object = json_loads(line, 0, NULL);
	const char *outcome = json_string_value(json_object_get(object, "outcome"));
	bool predicted = outcome && !strcmp(outcome, "ok");

	ck_assert_ptr_nonnull(object);
	/* Whether a directory that we may not list holds something cannot be seen. */
	if (geteuid() != 0 && answers->error[i] == ENOTEMPTY)
		predicted = false;
	ck_assert_msg(predicted == !answers->error[i], "call %zu: the kernel said %s of %s", i,
		      answers->error[i] ? strerror(answers->error[i]) : "ok", line);
	json_decref(object);
}

static void run_random(bool other)
{
	struct harness_options options = { .other_identity = other, .trace = "/dev/null" };
	char trace[128], line[8192];
	SL_FCLOSE FILE *f = NULL;
	struct harness h;
	size_t n = 0, succeeded = 0;

	answers = mmap(NULL, sizeof(*answers), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(answers, MAP_FAILED);
	harness_begin(&h);
	ck_assert_int_eq(mkdir("b", 0777), 0);
	harness_put("b/c", "x", 0644);
	harness_put("c", "x", 0600);
	snprintf(trace, sizeof(trace), "%s.trace", h.dir);
	options.trace = trace;
	harness_run(&h, &options, random_calls);
	ck_assert_int_eq(h.status, 0);
	f = fopen(trace, "re");
	ck_assert_ptr_nonnull(f);
	unlink(trace);
	while (fgets(line, sizeof(line), f))
		compare_line(line, n++);
	ck_assert_uint_eq(n, CALLS);
	for (size_t i = 0; i < n; i++)
		succeeded += !answers->error[i];
	ck_assert_uint_gt(succeeded, CALLS / 50);
	harness_end(&h);
	munmap(answers, sizeof(*answers));
}

START_TEST(test_L4_random_calls)
{
	seed = (unsigned int)_i + 1;
	run_random(false);
}
END_TEST

START_TEST(test_L4_random_calls_as_another_user)
{
	seed = (unsigned int)_i + 1001;
	run_random(true);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("observer-random");
	TCase *t = tcase_create("random");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, test_L4_random_calls, 0, 5);
	tcase_add_loop_test(t, test_L4_random_calls_as_another_user, 0, 5);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
