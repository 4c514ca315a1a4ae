/*
 * test-view-random.c - the same random calls on a real directory and on a view of a copy: results, errors,
 * what was read, and everything that can be seen afterwards must be the same; then the view is merged down
 * and the trees compared.
 *
 * SL_VIEW_SEED=n runs the one sequence of that seed, SL_VIEW_SECONDS=n bounds each test's time, SL_VIEW_DIR
 * says where (its file system is what is compared with). A failing sequence is printed after every step that
 * it does not need was taken out.
 */
#include <check.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>

#include "view-harness.h"
#include "view/changes.h"

#define STEPS 24
#define USER  54321 /* no account is needed */

static uint64_t rng;

static unsigned int pick(unsigned int n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned int)((rng >> 20) % n);
}

/* A path of at most three names. ".." is harmless: both sides stop it at their root. */
static void pick_path(char *path, size_t size, bool may_be_empty)
{
	unsigned int names = 1 + pick(3);
	size_t len = 0;

	path[0] = '\0';
	if (may_be_empty && pick(60) == 0)
		return;
	if (pick(6) == 0)
		len += (size_t)snprintf(path, size, "/");
	for (unsigned int i = 0; i < names; i++) {
		unsigned int kind = pick(40);

		if (kind == 0)
			len += (size_t)snprintf(path + len, size - len, ".");
		else if (kind < 3)
			len += (size_t)snprintf(path + len, size - len, "..");
		else if (kind == 3 && pick(8) == 0)
			len += (size_t)snprintf(path + len, size - len, "%0*d", 256 - (int)pick(2), 0);
		else
			len += (size_t)snprintf(path + len, size - len, "%c", 'a' + (int)pick(4));
		if (len >= size - 40)
			return;
		if (i + 1 < names || pick(14) == 0)
			len += (size_t)snprintf(path + len, size - len, "%s", pick(20) ? "/" : "//");
	}
}

static int pick_open_flags(void)
{
	static const int access[] = {O_RDONLY, O_RDONLY, O_WRONLY, O_RDWR};
	int flags = access[pick(4)];

	if (pick(3) == 0)
		flags |= O_CREAT;
	if (pick(6) == 0)
		flags |= O_EXCL & (flags & O_CREAT ? -1 : 0);
	if (pick(6) == 0)
		flags |= O_TRUNC;
	if (pick(8) == 0)
		flags |= O_APPEND;
	if (pick(8) == 0)
		flags |= O_NOFOLLOW;
	if (pick(8) == 0)
		flags |= O_DIRECTORY;
	if (pick(10) == 0) /* openat2(2), which the real side uses, refuses what open(2) ignores */
		flags = O_PATH | (flags & (O_NOFOLLOW | O_DIRECTORY));
	return flags;
}

static void pick_step(struct step *s, bool user)
{
	static const mode_t modes[] = {0644,  0600,  0755,  0777,  0,	 0400,
				       01777, 02755, 04755, 06711, 0200, 0666};
	static const mode_t kinds[] = {S_IFREG, S_IFIFO, S_IFSOCK, 0, S_IFDIR};
	static const int renames[] = {
	    0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_EXCHANGE | RENAME_NOREPLACE};

	*s = (struct step){.op = (enum op)pick(OP_COUNT), .slot = (int)pick(SLOTS), .mode = modes[pick(12)]};
	if (pick(4) == 0)
		s->op = OP_RENAME;
	/* Below a directory of which an ancestor is closed to it a user can work on, but the harness cannot
	 * name it. */
	if (user && s->op == OP_CHDIR)
		s->op = OP_MKDIR;
	pick_path(s->path, sizeof(s->path), true);
	pick_path(s->other, sizeof(s->other), true);
	/* "/" alone has no last name to give to these calls within the real directory. */
	if (strspn(s->path, "/") == strlen(s->path) && *s->path)
		snprintf(s->path, sizeof(s->path), "/a");
	s->flags = (int)pick(2);
	if (s->op == OP_OPEN)
		s->flags = pick_open_flags();
	else if (s->op == OP_RENAME)
		s->flags = renames[pick(6)];
	else if (s->op == OP_MKNOD)
		s->mode |= kinds[pick(5)];
	else if (s->op == OP_SETXATTR)
		s->flags = pick(3) ? 0 : pick(2) ? XATTR_CREATE : XATTR_REPLACE;
	else if (s->op == OP_WRITE)
		s->flags = (int)pick(50);
}

static bool differ(struct sl_strbuf *why, const char *what, long real, const struct sl_strbuf *a, long view,
		   const struct sl_strbuf *b)
{
	const char *x = sl_strbuf_str(a), *y = sl_strbuf_str(b);

	if (real == view && strcmp(x, y) == 0)
		return false;
	while (*x && *x == *y) { /* to the first line that differs */
		const char *nx = strchr(x, '\n'), *ny = strchr(y, '\n');

		if (!nx || !ny || nx - x != ny - y || strncmp(x, y, (size_t)(nx - x)) != 0)
			break;
		x = nx + 1;
		y = ny + 1;
	}
	sl_strbuf_addf(why, "%s: bare %ld %.*s, view %ld %.*s", what, real, (int)strcspn(x, "\n"), x, view,
		       (int)strcspn(y, "\n"), y);
	return true;
}

static bool differ_now(struct world *w, struct sl_strbuf *why, const char *what)
{
	SL_STRBUF a = SL_STRBUF_INIT, b = SL_STRBUF_INIT;

	snapshot_real(&a, w->real);
	snapshot_view(&b, w);
	return differ(why, what, 0, &a, 0, &b);
}

/* ---- failing I/O of the upper ---- */

struct fault {
	int left; /* I/Os until the one that fails; negative: none does */
	bool met;
};

static int fail_io(void *arg)
{
	struct fault *f = arg;

	if (f->left < 0 || f->left-- > 0)
		return 0;
	f->met = true;
	return -ENOSPC;
}

/* Let each I/O of the step fail in turn; nothing may have changed then, and the caller is told. Leaves the
 * step undone but for the last try, in which nothing failed: its result. */
static bool do_with_faults(struct world *w, const struct step *s, struct sl_strbuf *out, long *ret,
			   struct sl_strbuf *why)
{
	SL_STRBUF before = SL_STRBUF_INIT;

	snapshot_view(&before, w);
	for (int n = 0;; n++) {
		struct fault f = {.left = n};
		SL_STRBUF after = SL_STRBUF_INIT;

		sl_strbuf_reset(out);
		sl_view_set_fault(w->view, fail_io, &f);
		*ret = view_do(w, s, out);
		sl_view_set_fault(w->view, NULL, NULL);
		if (!f.met)
			return true;
		if (*ret != -ENOSPC) {
			sl_strbuf_addf(why, "I/O %d of the upper failed unnoticed: %ld", n, *ret);
			return false;
		}
		snapshot_view(&after, w);
		if (differ(why, "after a failed I/O", 0, &before, 0, &after))
			return false;
	}
}

/* ---- sequences ---- */

enum how {
	PLAIN,
	FAULTS,
	KILLED, /* applying the changes is killed again and again, and gone on with */
};

static bool run_steps(struct world *w, const struct step *steps, size_t n, enum how how,
		      struct sl_strbuf *why)
{
	for (size_t i = 0; i < n; i++) {
		SL_STRBUF a = SL_STRBUF_INIT, b = SL_STRBUF_INIT;
		long real, view;

		real = real_do(w, &steps[i], &a);
		if (real == -ESTALE)
			continue; /* in a directory that is gone the harness has no paths */
		if (how != FAULTS)
			view = view_do(w, &steps[i], &b);
		else if (!do_with_faults(w, &steps[i], &b, &view, why))
			return false;
		if (differ(why, "result", real, &a, view, &b))
			return false;
		if ((how == FAULTS || i % 4 == 3 || i + 1 == n) && differ_now(w, why, "then"))
			return false;
	}
	return true;
}

static unsigned int until_killed;

static int kill_at_gate(void *arg SL_UNUSED)
{
	if (--until_killed == 0)
		_exit(9);
	return 0;
}

/* One attempt to apply what is kept in the upper, by a process that is killed at a passage. Its result; 9: it
 * was. */
static int apply_until_killed(const struct world *w, unsigned int passages)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct sl_error err = SL_ERROR_INIT;
		struct sl_view_changes *c;
		int r = sl_view_changes_load(w->upper, &c);

		if (r == 0) {
			until_killed = passages;
			sl_view_changes_set_fault(c, kill_at_gate, NULL);
			r = sl_view_changes_apply(c, w->lower, &err);
			if (r < 0)
				fprintf(stderr, "%s\n", err.text);
		}
		_exit(r < 0 ? 1 : 0);
	}
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Keep the changes, then apply them in many attempts. */
static int merge_killed(struct world *w)
{
	struct sl_view_changes *c;
	int r = sl_view_changes_of(w->view, &c);

	if (r < 0)
		return r;
	r = sl_view_changes_keep(w->view, c);
	sl_view_changes_free(c);
	if (r < 0)
		return r;
	for (unsigned int passages = 2;; passages = 2 + pick(4)) {
		r = apply_until_killed(w, passages);
		if (r != 9)
			break;
	}
	if (r == 0 && (r = sl_view_changes_load(w->upper, &c)) == 0) {
		r = sl_view_changes_len(c) && !sl_view_changes_begun(c) ? -EINVAL : sl_view_changes_drop(c);
		sl_view_changes_free(c);
	}
	return r;
}

static bool run_sequence(const char *dir, const struct step *steps, size_t n, uid_t user, enum how how,
			 struct sl_strbuf *why)
{
	SL_STRBUF a = SL_STRBUF_INIT, b = SL_STRBUF_INIT, before = SL_STRBUF_INIT, after = SL_STRBUF_INIT;
	struct world w;
	bool same;
	int r;

	world_make(&w, dir, user);
	snapshot_real(&before, w.lower);
	same = run_steps(&w, steps, n, how, why);
	if (same) {
		world_close_all(&w);
		snapshot_real(&after, w.lower);
		same = !differ(why, "the lower changed", 0, &before, 0, &after);
	}
	if (same) {
		r = how == KILLED ? merge_killed(&w) : sl_view_merge_down(w.view, w.lower);
		snapshot_real(&a, w.real);
		snapshot_real(&b, w.lower);
		same = !differ(why, "after merging down", 0, &a, r, &b);
	}
	world_done(&w);
	return same;
}

/* Take out every step without which the sequence still fails. */
static size_t shrink(const char *dir, struct step *steps, size_t n, uid_t user, enum how how)
{
	for (bool again = true; again;) {
		again = false;
		for (size_t i = 0; i < n; i++) {
			SL_STRBUF why = SL_STRBUF_INIT;
			struct step without[STEPS];

			memcpy(without, steps, i * sizeof(*steps));
			memcpy(without + i, steps + i + 1, (n - i - 1) * sizeof(*steps));
			if (run_sequence(dir, without, n - 1, user, how, &why))
				continue;
			memcpy(steps, without, --n * sizeof(*steps));
			again = true;
			i--;
		}
	}
	return n;
}

static void fail_with(const char *dir, struct step *steps, uint64_t seed, uid_t user, enum how how)
{
	SL_STRBUF text = SL_STRBUF_INIT, why = SL_STRBUF_INIT;
	size_t n = shrink(dir, steps, STEPS, user, how);

	run_sequence(dir, steps, n, user, how, &why);
	for (size_t i = 0; i < n; i++) {
		sl_strbuf_addstr(&text, "\n  ");
		step_print(&text, &steps[i]);
	}
	ck_abort_msg("SL_VIEW_SEED=%llu user %u: %s%s", (unsigned long long)seed, user, sl_strbuf_str(&why),
		     sl_strbuf_str(&text));
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run_many(uid_t user, enum how how, unsigned int most, double seconds)
{
	const char *fixed = getenv("SL_VIEW_SEED"), *longer = getenv("SL_VIEW_SECONDS");
	const char *place = getenv("SL_VIEW_DIR");
	SL_FREE char *dir = sl_xasprintf("%s/sl-view-XXXXXX", place ? place : "/var/tmp");
	uint64_t seed = fixed ? strtoull(fixed, NULL, 10) : (uint64_t)time(NULL) * 1000003;
	double end;
	unsigned int done = 0;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chmod(dir, 0755), 0);
	if (longer) {
		seconds = strtod(longer, NULL);
		most = UINT32_MAX;
	}
	for (end = now() + seconds; done < (fixed ? 1 : most) && now() < end; done++, seed++) {
		SL_STRBUF why = SL_STRBUF_INIT;
		struct step steps[STEPS];

		rng = seed * 0x9e3779b97f4a7c15ULL + 1;
		for (size_t i = 0; i < STEPS; i++)
			pick_step(&steps[i], user || geteuid());
		if (!run_sequence(dir, steps, STEPS, user, how, &why))
			fail_with(dir, steps, seed, user, how);
	}
	ck_assert_uint_gt(done, 0);
	ck_assert_int_eq(rmdir(dir), 0);
	printf("%u sequences of %d steps, last seed %llu, user %u\n", done, STEPS,
	       (unsigned long long)(seed - 1), user);
}

START_TEST(as_started)
{
	run_many(0, PLAIN, 3000, 8);
}
END_TEST

START_TEST(as_ordinary_user)
{
	run_many(geteuid() ? 0 : USER, PLAIN, 2000, 7);
}
END_TEST

START_TEST(with_failing_upper)
{
	run_many(0, FAULTS, 100, 5);
}
END_TEST

START_TEST(killed_while_applying)
{
	run_many(0, KILLED, 300, 5);
}
END_TEST

START_TEST(killed_as_ordinary_user)
{
	run_many(geteuid() ? 0 : USER, KILLED, 300, 4);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("view-random");
	TCase *t = tcase_create("random");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 0); /* bounded by itself */
	tcase_add_test(t, as_started);
	tcase_add_test(t, as_ordinary_user);
	tcase_add_test(t, with_failing_upper);
	tcase_add_test(t, killed_while_applying);
	tcase_add_test(t, killed_as_ordinary_user);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
