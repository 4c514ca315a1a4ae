/*
 * test-profile-collapse.c - collapsing: properties over generated profiles, each judged by looking at every
 * entry.
 */
#include <check.h>
#include <string.h>

#include "base/path.h"
#include "profile/collapse.h"
#include "profile/sensitive.h"

#define ROUNDS 2000
#define HOME   "/home/me"

static unsigned int state;

static unsigned int rnd(unsigned int below)
{
	state = state * 1103515245u + 12345u;
	return (state >> 16) % below;
}

/* Where entries are made, sensitive places among them. */
static const char *const places[] = {
    "",		  "/etc",	"/usr",	  "/usr/lib",  "/usr/lib/x",	 "/usr/share", "/usr/share/doc",
    HOME,	  HOME "/.ssh", "/srv",	  "/srv/site", "/srv/site/.aws", "/var/lib",   "/dev",
    "/proc/self", "/opt/a-b",	"/opt/a", "/tmp",
};
static const char *const names[] = {"a", "a-b", "b", "c", "d", "e/f", "e/g", "e/h/i"};

static void generate(struct sl_profile *p)
{
	sl_profile_init(p, rnd(4) ? 2 : 1);
	for (unsigned int n = rnd(60); n; n--) {
		unsigned int key = p->version == 1 ? (rnd(2) ? SL_FS_READ : SL_FS_WRITE) : rnd(SL_FS_DENY);
		SL_FREE char *path =
		    sl_xasprintf("%s/%s", places[rnd(SL_ARRAY_LEN(places))], names[rnd(SL_ARRAY_LEN(names))]);

		sl_list_add(&p->filesystem.lists[key], path, 0);
	}
	if (rnd(3) == 0)
		sl_list_add(&p->filesystem.lists[SL_FS_READ], "~/x", 0);
	if (rnd(3) == 0)
		sl_list_add(&p->filesystem.lists[SL_FS_DENY], "/srv/site/a", 0);
}

static bool covered(const struct sl_list *list, const char *path)
{
	for (size_t i = 0; i < list->len; i++)
		if (sl_path_within(path, list->items[i].text))
			return true;
	return false;
}

/* Names right in a directory. */
static size_t names_in(const struct sl_list *list, const char *dir)
{
	size_t count = 0;

	for (size_t i = 0; i < list->len; i++) {
		SL_FREE char *parent = sl_path_dirname(list->items[i].text);

		count += list->items[i].text[0] == '/' && !strcmp(parent, dir);
	}
	return count;
}

static bool is_sensitive(const struct sl_profile *p, const char *dir)
{
	static const char *const kernels[] = {"/proc", "/sys", "/dev"};

	for (size_t i = 0; i < SL_ARRAY_LEN(kernels); i++)
		if (sl_path_within(dir, kernels[i]))
			return true;
	for (unsigned int key = 0; key < SL_FS_DENY; key++)
		for (size_t i = 0; i < p->filesystem.lists[key].len; i++) {
			const char *path = p->filesystem.lists[key].items[i].text;

			if ((strstr(path, "/.ssh") || strstr(path, "/.aws")) && sl_path_within(path, dir))
				return true;
		}
	return sl_path_sensitivity(dir, HOME) != SL_SENSITIVE_NOT;
}

static void same_lists(const struct sl_profile *a, const struct sl_profile *b)
{
	for (unsigned int key = 0; key < SL_FS_KEY_COUNT; key++) {
		const struct sl_list *x = &a->filesystem.lists[key], *y = &b->filesystem.lists[key];

		ck_assert_uint_eq(x->len, y->len);
		for (size_t i = 0; i < x->len; i++)
			ck_assert_str_eq(x->items[i].text, y->items[i].text);
	}
}

static void copy(struct sl_profile *dst, const struct sl_profile *src, bool shuffled)
{
	sl_profile_init(dst, src->version);
	sl_profile_copy(dst, src);
	for (unsigned int key = 0; shuffled && key < SL_FS_DENY; key++) {
		struct sl_list *l = &dst->filesystem.lists[key];

		for (size_t i = l->len; i > 1; i--) {
			size_t j = rnd((unsigned int)i);
			struct sl_entry e = l->items[i - 1];

			l->items[i - 1] = l->items[j];
			l->items[j] = e;
		}
	}
}

/* What must hold of every result. */
static void judge(const struct sl_profile *before, const struct sl_profile *after,
		  const struct sl_collapse_rules *r, const struct sl_collapses *done)
{
	size_t fresh = 0;

	for (unsigned int key = 0; key < SL_FS_DENY; key++) {
		const struct sl_list *old = &before->filesystem.lists[key],
				     *new = &after->filesystem.lists[key];
		bool changes = key == SL_FS_WRITE || key == SL_FS_CREATE || key == SL_FS_DELETE;

		for (size_t i = 0; i < old->len; i++)
			ck_assert_msg(covered(new, old->items[i].text), "lost %s", old->items[i].text);
		for (size_t i = 0; i < new->len; i++) {
			const char *path = new->items[i].text;
			SL_FREE char *parent = path[0] == '/' ? sl_path_dirname(path) : sl_xstrdup("");

			if (path[0] == '/' && r->files && names_in(new, parent) >= r->files)
				ck_assert_msg(is_sensitive(before, parent) || !strcmp(parent, "/") ||
						  (changes && !strcmp(parent, "/tmp")),
					      "left in %s", parent);
			if (sl_list_contains(old, path))
				continue;
			fresh++;
			if (!r->force)
				ck_assert_msg(!is_sensitive(before, path), "opened %s", path);
			ck_assert_msg(!changes || strcmp(path, "/tmp") != 0, "opened %s", path);
			for (size_t j = 0; j < r->prefixes->len; j++)
				ck_assert((!r->force && is_sensitive(before, r->prefixes->items[j])) ||
					  !sl_path_within(path, r->prefixes->items[j]) ||
					  !strcmp(path, r->prefixes->items[j]));
		}
	}
	for (size_t i = 0; i < done->len; i++) {
		const struct sl_collapse *c = &done->items[i];
		bool prefix = sl_strv_contains(r->prefixes, c->dir);

		ck_assert(sl_list_contains(&after->filesystem.lists[c->key], c->dir));
		ck_assert_uint_ge(c->entries, prefix ? 1 : r->files);
		fresh -= !sl_list_contains(&before->filesystem.lists[c->key], c->dir);
	}
	ck_assert_uint_eq(fresh, 0);
}

START_TEST(test_P6_generated)
{
	static const char *const dirs[] = {"/srv", "/usr/share", "/opt/a", "/etc", HOME, "/"};

	state = 7;
	for (int round = 0; round < ROUNDS; round++) {
		struct sl_strv prefixes = SL_STRV_INIT;
		struct sl_collapse_rules r = {
		    .files = rnd(5), .prefixes = &prefixes, .force = rnd(3) == 0, .homes = {HOME}};
		struct sl_collapses done = {0}, again = {0}, other = {0};
		struct sl_profile before, after, shuffled;

		if (rnd(2))
			sl_strv_add(&prefixes, dirs[rnd(SL_ARRAY_LEN(dirs))]);
		if (rnd(4) == 0)
			sl_strv_add(&prefixes, dirs[rnd(SL_ARRAY_LEN(dirs))]);
		generate(&before);
		copy(&after, &before, false);
		sl_profile_collapse(&after, &r, &done);
		judge(&before, &after, &r, &done);
		copy(&shuffled, &before, true);
		sl_profile_collapse(&shuffled, &r, &other);
		same_lists(&after, &shuffled);
		ck_assert_uint_eq(done.len, other.len);
		for (size_t i = 0; i < done.len; i++)
			ck_assert_uint_eq(done.items[i].entries, other.items[i].entries);
		sl_profile_release(&shuffled);
		copy(&shuffled, &after, false);
		sl_profile_collapse(&shuffled, &r, &again);
		same_lists(&after, &shuffled);
		ck_assert_uint_eq(again.len, 0);
		sl_collapses_release(&done);
		sl_collapses_release(&again);
		sl_collapses_release(&other);
		sl_profile_release(&before);
		sl_profile_release(&after);
		sl_profile_release(&shuffled);
		sl_strv_release(&prefixes);
	}
}
END_TEST

static const struct {
	const char *in, *files, *prefix, *out;
} cases[] = {
    /* Upward while enough names are there; a hyphen sorts before the slash. */
    {"/o/a-b/1 /o/a-b/2 /o/a/1 /o/a/2", "2", "", "/o"},
    {"/o/a/1 /o/a/2 /o/b", "2", "", "/o"},
    {"/o/a/1 /o/a/2 /o/a/3 /o/b/1", "3", "", "/o/a /o/b/1"},
    {"/o/a/deep/1 /o/a/2 /o/a/3", "2", "", "/o/a"},
    {"/o/1 /o/2 /o/3", "4", "", "/o/1 /o/2 /o/3"},
    {"/a /b /c", "1", "", "/a /b /c"},
    {"/usr/lib/1 /usr/lib/2 /usr/lib/p/1 /usr/lib/p/2", "2", "", "/usr/lib/1 /usr/lib/2 /usr/lib/p"},
    {"/srv/x/1 /srv/x/2 /srv/x/.ssh/id", "2", "", "/srv/x/.ssh/id /srv/x/1 /srv/x/2"},
    {"/proc/self/1 /proc/self/2", "2", "", "/proc/self/1 /proc/self/2"},
    {"/u/s/1 /u/s/t/2 /u/sx", "", "/u/s", "/u/s /u/sx"},
    {"/u/s", "", "/u/s", "/u/s"},
    {"/u/x/1", "", "/u/s", "/u/x/1"},
    {"/etc/1", "", "/etc", "/etc/1"},
    {HOME "/1 ~/2", "", HOME, HOME "/1 ~/2"},
};

/* Each right by itself, and each alike. */
START_TEST(test_P6_case)
{
	static const enum sl_fs_key keys[] = {SL_FS_READ, SL_FS_CREATE, SL_FS_DELETE};
	enum sl_fs_key key = keys[_i % (int)SL_ARRAY_LEN(keys)];
	int at = _i / (int)SL_ARRAY_LEN(keys);
	struct sl_strv prefixes = SL_STRV_INIT;
	struct sl_collapse_rules r = {.prefixes = &prefixes, .homes = {HOME}};
	struct sl_collapses done = {0};
	SL_FREE char *in = sl_xstrdup(cases[at].in);
	SL_STRBUF out = SL_STRBUF_INIT;
	struct sl_list *list;
	struct sl_profile p;

	r.files = *cases[at].files ? (size_t)(*cases[at].files - '0') : 0;
	if (*cases[at].prefix)
		sl_strv_add(&prefixes, cases[at].prefix);
	sl_profile_init(&p, 2);
	list = &p.filesystem.lists[key];
	for (char *rest = in, *word; (word = strsep(&rest, " "));)
		sl_list_add(list, word, 0);
	sl_profile_collapse(&p, &r, &done);
	for (size_t i = 0; i < list->len; i++)
		sl_strbuf_addf(&out, "%s%s", i ? " " : "", list->items[i].text);
	ck_assert_str_eq(sl_strbuf_str(&out), cases[at].out);
	sl_collapses_release(&done);
	sl_profile_release(&p);
	sl_strv_release(&prefixes);
}
END_TEST

static bool leaves_from_b(const char *path, const char *dir SL_UNUSED, void *arg SL_UNUSED)
{
	return strstr(path, "/b") != NULL;
}

static bool store_in_x(const char *dir, void *arg SL_UNUSED)
{
	return !strcmp(dir, "/x");
}

START_TEST(test_P6_what_only_the_file_system_knows)
{
	const struct sl_look look = {.leaves = leaves_from_b};
	struct sl_strv prefixes = SL_STRV_INIT;
	struct sl_collapse_rules r = {
	    .files = 2, .prefixes = &prefixes, .look = &look, .holds_store = store_in_x};
	struct sl_collapses done = {0};
	struct sl_list *read;
	struct sl_profile p;

	sl_strv_add(&prefixes, "/x");
	sl_profile_init(&p, 2);
	read = &p.filesystem.lists[SL_FS_READ];
	for (const char *const *s =
		 (const char *const[]){"/o/a", "/o/b", "/o/c", "/q/a", "/q/b", "/x/a", "/x/c", NULL};
	     *s; s++)
		sl_list_add(read, *s, 0);
	sl_profile_collapse(&p, &r, &done);
	ck_assert_uint_eq(read->len, 6);
	for (const char *const *s = (const char *const[]){"/o", "/o/b", "/q/a", "/q/b", "/x/a", "/x/c", NULL};
	     *s; s++)
		ck_assert_msg(sl_list_contains(read, *s), "%s", *s);
	ck_assert_uint_eq(done.len, 1);
	ck_assert_uint_eq(done.items[0].entries, 2);
	sl_collapses_release(&done);
	sl_profile_release(&p);
	sl_strv_release(&prefixes);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("profile-collapse");
	TCase *t = tcase_create("collapse");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_P6_generated);
	tcase_add_loop_test(t, test_P6_case, 0, 3 * SL_ARRAY_LEN(cases));
	tcase_add_test(t, test_P6_what_only_the_file_system_knows);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
