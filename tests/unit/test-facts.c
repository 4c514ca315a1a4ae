/* Unit tests of observe/facts.h: the store, attribution, and what it costs. */
#include <check.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/path.h"
#include "observe/facts.h"

#define R SL_RIGHT_READ
#define L SL_RIGHT_LIST
#define X SL_RIGHT_EXEC
#define W SL_RIGHT_WRITE
#define C SL_RIGHT_CREATE
#define D SL_RIGHT_DELETE
#define I SL_RIGHT_IOCTL

static void print_fact(const struct sl_fact *fact, void *arg)
{
	static const char letters[] = "RLXWCDI";
	struct sl_strbuf *out = arg;

	sl_strbuf_addf(out, "%s%s ", out->len ? " " : "", fact->path);
	for (unsigned int i = 0; i < 7; i++)
		if (fact->rights & 1u << i)
			sl_strbuf_addch(out, letters[i]);
	if (fact->is_dir)
		sl_strbuf_addch(out, '/');
}

static char *facts_text(const struct sl_facts *f)
{
	struct sl_strbuf out = SL_STRBUF_INIT;

	sl_facts_each(f, print_fact, &out);
	return sl_strbuf_detach(&out);
}

/* One step of a table: '+' add (a directory where the path ends in '/'), 'm' made, 'g' gone, 'r' refer (rights are
 * its flags). */
struct op {
	char what;
	uint32_t rights;
	const char *path, *path2;
};

static const struct {
	const char *name;
	struct op ops[12];
	const char *facts;
} tables[] = {
	{ "L6 plain facts", { { '+', R, "/etc/hostname" }, { '+', W, "/etc/hostname" }, { '+', L, "/etc/" } },
	  "/etc L/ /etc/hostname RW" },
	{ "L6 a new file counts on its directory",
	  { { '+', C, "/h" }, { 'm', 0, "/h/new" }, { '+', R | W, "/h/new" } }, "/h RC/" },
	{ "a tree that was made counts on what was there",
	  { { '+', C, "/h" }, { 'm', 0, "/h/a" }, { '+', C, "/h/a" }, { 'm', 0, "/h/a/b" }, { '+', L, "/h/a" },
	    { '+', X, "/h/a/b" }, { '+', D, "/h/a" } },
	  "/h LXCD/" },
	{ "below an unmarked name in a made tree", { { '+', C, "/h" }, { 'm', 0, "/h/a" }, { '+', R, "/h/a/b/c/d" } },
	  "/h RC/" },
	{ "L17 replaced: the first read keeps the name",
	  { { '+', R, "/h/f" }, { '+', C | D, "/h" }, { 'm', 0, "/h/f.tmp" }, { '+', W, "/h/f.tmp" },
	    { 'm', 0, "/h/f" }, { 'g', 0, "/h/f.tmp" }, { '+', R, "/h/f" } },
	  "/h RCD/ /h/f R" },
	{ "late facts on a temporary file", { { '+', C, "/h" }, { 'm', 0, "/h/t" }, { 'g', 0, "/h/t" },
					     { '+', R, "/h/t" } }, "/h RC/" },
	{ "late facts on a removed file that was there", { { '+', D, "/h" }, { 'g', 0, "/h/f" }, { '+', R, "/h/f" } },
	  "/h D/ /h/f R" },
	{ "removed and made again", { { '+', C | D, "/h" }, { 'g', 0, "/h/f" }, { 'm', 0, "/h/f" },
				     { '+', R, "/h/f" } }, "/h RCD/" },
	{ "a directory that was moved", { { '+', R, "/a/x" }, { '+', D, "/" }, { '+', C, "/b" }, { 'm', 0, "/b/a" },
					 { 'g', 0, "/a" }, { '+', R, "/b/a/x" } }, "/ D/ /a/x R /b RC/" },
	{ "write without create stays", { { 'm', 0, "/h/n" }, { '+', W, "/h/n" } }, "/h W/" },
	{ "write before create is covered", { { 'm', 0, "/h/n" }, { '+', W, "/h/n" }, { '+', C, "/h" } }, "/h C/" },
	{ "byte order, not tree order", { { '+', R, "/a/c" }, { '+', R, "/a-b" }, { '+', R, "/a" }, { '+', R, "/ab" },
					 { '+', R, "/a0" }, { '+', R, "/a/c/d" }, { '+', R, "/a/b.c" } },
	  "/a R /a-b R /a/b.c R /a/c R /a/c/d R /a0 R /ab R" },
	{ "the root", { { '+', C | L, "/" }, { 'm', 0, "/" }, { 'm', 0, "/x" }, { '+', R, "/x" } }, "/ RLC/" },
	{ "not a path", { { '+', R, "pipe:[12]" }, { '+', R, "" }, { '+', R, "//a//b" } }, "/a/b R" },
	{ "rename: the source gets what the destination has",
	  { { '+', D, "/s" }, { '+', C | L, "/d" }, { 'r', 0, "/s", "/d" } }, "/d LC/ /s LCD/" },
	{ "rename of a file: no directory rights",
	  { { '+', D, "/s" }, { '+', C | L | D, "/d" }, { 'r', SL_REFER_FILES, "/s", "/d" } }, "/d LCD/ /s CD/" },
	{ "rename: rights above count for both",
	  { { '+', R, "/h/" }, { '+', X, "/h/d/" }, { '+', D, "/h/s/" }, { 'r', SL_REFER_FILES, "/h/s", "/h/d" } },
	  "/h R/ /h/d XC/ /h/s XCD/" },
	{ "rename: a right above the destination alone",
	  { { '+', R, "/p/" }, { 'r', SL_REFER_FILES, "/s", "/p/d" } }, "/p R/ /p/d C/ /s RC/" },
	{ "exchange: both ways",
	  { { '+', R, "/a/" }, { '+', X, "/b/" }, { 'r', SL_REFER_EXCHANGE | SL_REFER_FILES, "/a", "/b" } },
	  "/a RXC/ /b RXC/" },
	{ "a chain of moves", { { '+', X, "/c/" }, { 'r', SL_REFER_FILES, "/a", "/b" },
			       { 'r', SL_REFER_FILES, "/b", "/c" } }, "/a XC/ /b XC/ /c XC/" },
	{ "a move that is inside what was made", { { '+', C, "/h/" }, { 'm', 0, "/h/a" }, { 'm', 0, "/h/b" },
						  { 'r', 0, "/h/a", "/h/b" } }, "/h C/" },
	{ "a move into what was made", { { '+', C, "/h/" }, { 'm', 0, "/h/a" }, { '+', R, "/h/a/x/" },
					{ 'r', SL_REFER_FILES, "/s", "/h/a" } }, "/h RC/ /s RC/" },
	{ "device control is leveled", { { '+', W | I, "/d/" }, { 'r', SL_REFER_FILES, "/s", "/d" } },
	  "/d WCI/ /s CI/" },
};

static bool ends_in_slash(const char *path)
{
	size_t len = strlen(path);

	return len && path[len - 1] == '/';
}

START_TEST(table)
{
	struct sl_facts *f = sl_facts_new();
	SL_FREE char *text = NULL;

	for (const struct op *op = tables[_i].ops; op->what; op++) {
		if (op->what == '+')
			sl_facts_add(f, op->rights, op->path, ends_in_slash(op->path), 7);
		else if (op->what == 'm')
			sl_facts_made(f, op->path);
		else if (op->what == 'g')
			sl_facts_gone(f, op->path);
		else
			sl_facts_refer(f, op->path, op->path2, op->rights);
	}
	text = facts_text(f);
	ck_assert_msg(!strcmp(text, tables[_i].facts), "%s:\n  got  %s\n  want %s", tables[_i].name, text,
		      tables[_i].facts);
	sl_facts_free(f);
}
END_TEST

START_TEST(news_and_marks)
{
	struct sl_facts *f = sl_facts_new();
	char longest[PATH_MAX + 1];

	ck_assert(sl_facts_add(f, R, "/a/b", false, 1));
	ck_assert(!sl_facts_add(f, R, "/a/b", false, 2));
	ck_assert(sl_facts_add(f, W, "/a/b", false, 2));
	ck_assert(!sl_facts_is_made(f, "/a/b"));
	sl_facts_made(f, "/a/n");
	ck_assert(sl_facts_is_made(f, "/a/n"));
	ck_assert(sl_facts_is_made(f, "/a/n/below/it"));
	ck_assert(!sl_facts_is_made(f, "/a/nn"));
	ck_assert(!sl_facts_is_made(f, "/other/x"));
	memset(longest, 'x', PATH_MAX);
	longest[0] = '/';
	longest[PATH_MAX] = '\0';
	ck_assert(!sl_facts_add(f, R, longest, false, 1));
	longest[PATH_MAX - 1] = '\0';
	ck_assert(sl_facts_add(f, R, longest, false, 1));
	sl_facts_free(f);
}
END_TEST

/*
 * The model: made names in a plain list, facts as text lines; everything is compared by strings.
 */
struct model {
	struct sl_strv made;
	struct {
		char *path;
		uint32_t rights;
	} facts[512];
	size_t len;
};

static bool model_made(const struct model *m, const char *path)
{
	for (size_t i = 0; i < m->made.len; i++)
		if (sl_path_within(path, m->made.items[i]))
			return true;
	return false;
}

static void model_add(struct model *m, uint32_t rights, const char *path)
{
	char *at = sl_xstrdup(path);
	size_t i;

	if (model_made(m, at))
		rights &= ~(uint32_t)I;
	while (model_made(m, at)) {
		char *up = sl_path_dirname(at);

		free(at);
		at = up;
	}
	for (i = 0; i < m->len; i++)
		if (!strcmp(m->facts[i].path, at))
			break;
	if (i < m->len) {
		free(at);
	} else {
		m->facts[m->len++].path = at;
		m->facts[i].rights = 0;
	}
	m->facts[i].rights |= rights;
}

static void random_path(char *out, size_t size, unsigned int *seed)
{
	int depth = 1 + rand_r(seed) % 4;
	size_t len = 0;

	for (int i = 0; i < depth; i++)
		len += (size_t)snprintf(out + len, size - len, "/%c%s", 'a' + rand_r(seed) % 3,
					rand_r(seed) % 4 ? "" : "-");
}

struct check {
	const struct model *model;
	size_t seen;
	char last[64];
};

static void check_fact(const struct sl_fact *fact, void *arg)
{
	struct check *c = arg;
	size_t i;

	ck_assert_int_lt(strcmp(c->last, fact->path), 0);
	snprintf(c->last, sizeof(c->last), "%s", fact->path);
	for (i = 0; i < c->model->len; i++)
		if (!strcmp(c->model->facts[i].path, fact->path))
			break;
	ck_assert_msg(i < c->model->len, "%s is not in the model", fact->path);
	if (fact->rights & C && !(fact->rights & I))
		ck_assert_uint_eq(fact->rights, c->model->facts[i].rights & ~(uint32_t)W);
	else
		ck_assert_uint_eq(fact->rights | (fact->rights & C ? W : 0),
				  c->model->facts[i].rights | (fact->rights & C ? W : 0));
	c->seen++;
}

START_TEST(attribution_property)
{
	unsigned int seed = (unsigned int)_i * 7919u + 1u;
	struct sl_facts *f = sl_facts_new();
	struct model m = { 0 };
	struct check c = { .model = &m };
	size_t with_rights = 0;
	char path[64];

	for (int i = 0; i < 200; i++) {
		int what = rand_r(&seed) % 10;
		uint32_t rights = 1u << (rand_r(&seed) % 7);

		random_path(path, sizeof(path), &seed);
		ck_assert_int_eq(sl_facts_is_made(f, path), model_made(&m, path));
		if (what == 0) {
			sl_facts_made(f, path);
			sl_strv_add(&m.made, path);
		} else if (what == 1) {
			sl_facts_gone(f, path);
		} else {
			sl_facts_add(f, rights, path, false, i);
			model_add(&m, rights, path);
		}
	}
	sl_facts_each(f, check_fact, &c);
	for (size_t i = 0; i < m.len; i++) {
		with_rights += m.facts[i].rights != 0;
		free(m.facts[i].path);
	}
	ck_assert_uint_eq(c.seen, with_rights);
	sl_strv_release(&m.made);
	sl_facts_free(f);
}
END_TEST

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void count_fact(const struct sl_fact *fact, void *arg)
{
	*(size_t *)arg += fact->rights == R;
}

/* R14: 100 000 distinct paths in 2 000 directories, under 100 bytes each; adding again holds nothing more. */
START_TEST(many_paths)
{
	size_t n = 100000, before, held = 0, seen = 0, news = 0;
	struct sl_facts *f = sl_facts_new();
	size_t base = sl_facts_memory(f);
	char path[128];
	double t0, t1 = 0, t2, t3;

	before = mallinfo2().uordblks + mallinfo2().hblkhd;
	t0 = now_s();
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < n; i++) {
			snprintf(path, sizeof(path), "/usr/share/project/src/module-%zu/unit-%zu/some-file-%zu.c", i % 40,
				 i % 2000, i);
			news += sl_facts_add(f, R, path, false, 1);
		}
		if (round == 0) {
			held = sl_facts_memory(f);
			t1 = now_s();
		}
	}
	t2 = now_s();
	ck_assert_uint_eq(news, n);
	sl_facts_each(f, count_fact, &seen);
	t3 = now_s();
	ck_assert_uint_eq(seen, n);
	ck_assert_uint_eq(held, sl_facts_memory(f));
	ck_assert_uint_lt((held - base) / n, 100);
	if (mallinfo2().arena) /* the sanitizers' allocator does not count */
		ck_assert_uint_lt((mallinfo2().uordblks + mallinfo2().hblkhd - before) / n, 100);
	printf("facts: %zu bytes a path; added in %.0f ns, again in %.0f ns (with snprintf), visited in %.0f ms\n",
	       held / n, (t1 - t0) / (double)n * 1e9, (t2 - t1) / (double)n * 1e9, (t3 - t2) * 1e3);
	t0 = now_s();
	for (size_t i = 0; i < 1000000; i++)
		news += sl_facts_add(f, R, path, false, 1);
	printf("facts: one known fact again: %.0f ns\n", (now_s() - t0) * 1e3);
	sl_facts_free(f);
}
END_TEST

/* Pairs are held once, however often they are said. */
START_TEST(many_renames)
{
	struct sl_facts *f = sl_facts_new();
	char src[64], dst[64];
	size_t held = 0;

	for (int i = 0; i < 100000; i++) {
		snprintf(src, sizeof(src), "/s/%d", i % 100);
		snprintf(dst, sizeof(dst), "/d/%d", i % 77);
		sl_facts_refer(f, src, dst, SL_REFER_FILES);
		if (i == 20000)
			held = sl_facts_memory(f);
	}
	ck_assert_uint_eq(held, sl_facts_memory(f));
	sl_facts_free(f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("facts");
	TCase *t = tcase_create("facts");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, table, 0, (int)SL_ARRAY_LEN(tables));
	tcase_add_test(t, news_and_marks);
	tcase_add_loop_test(t, attribution_property, 0, 300);
	tcase_add_test(t, many_paths);
	tcase_add_test(t, many_renames);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
