/*
 * test-profile-volatile.c - names that are others at every run.
 */
#include <check.h>
#include <string.h>

#include "base/path.h"
#include "profile/volatile.h"

/* What is taken for what: N a number, D a date, H a hash, U a UUID, R random; "!" where that is sure. */
static const struct {
	const char *path, *stem;
} stems[] = {
    {"/x/a.txt", "/x/a.txt"},
    {"/usr/lib/libfoo.so.1.2.13", "/usr/lib/libfoo.so.1.2.13"},
    {"/usr/lib/python3.11/encodings/utf_8.cpython-311.pyc",
     "/usr/lib/python3.11/encodings/utf_8.cpython-N.pyc"},
    {"/run/x/1234/status", "/run/x/N/status"},
    {"/run/x/12/status", "/run/x/12/status"},
    {"/log/2026-11-25.log", "/log/!D.log"},
    {"/log/app-20261125.gz", "/log/app-!D.gz"},
    {"/log/app-20269925.gz", "/log/app-N.gz"},
    {"/o/ab/3f786850e387550fdab836ed7e6dc881de23001b", "/o/ab/!H"},
    {"/o/deadbeef", "/o/deadbeef"},
    {"/u/123e4567-e89b-12d3-a456-426614174000/x", "/u/!U/x"},
    {"/t/foo.aB3dE9", "/t/foo.R"},
    {"/t/tmpk3x_9q1z", "/t/R"},
    {"/t/MyClass.class", "/t/MyClass.class"},
    {"/t/foo.aBcDeF", "/t/foo.R"},
    {"/t/README", "/t/README"},
    {"/t/x86_64-linux-gnu", "/t/x86_64-linux-gnu"},
};

START_TEST(test_stem)
{
	SL_STRBUF raw = SL_STRBUF_INIT;
	SL_STRBUF shown = SL_STRBUF_INIT;
	bool sure = false, any = sl_volatile_stem(&raw, stems[_i].path, &sure);

	for (size_t i = 0; i < raw.len; i++) {
		if (raw.data[i] == '\x01')
			continue;
		if (i && raw.data[i - 1] == '\x01' && raw.data[i] != 'N' && raw.data[i] != 'R')
			sl_strbuf_addch(&shown, '!');
		sl_strbuf_addch(&shown, raw.data[i]);
	}
	ck_assert_str_eq(sl_strbuf_str(&shown), stems[_i].stem);
	ck_assert_int_eq(sure, strchr(stems[_i].stem, '!') != NULL);
	ck_assert_int_eq(any, strcmp(stems[_i].stem, stems[_i].path) != 0);
}
END_TEST

/* arg: what is there, separated by blanks. */
static bool exists(const char *path, void *arg)
{
	SL_FREE char *list = sl_xstrdup(arg);

	for (char *rest = list, *word; (word = strsep(&rest, " "));)
		if (!strcmp(word, path))
			return true;
	return false;
}

static void fill(struct sl_list *list, const char *words)
{
	SL_FREE char *copy = sl_xstrdup(words);

	for (char *rest = copy, *word; (word = strsep(&rest, " "));)
		if (*word)
			sl_list_add(list, word, 0);
}

static char *join(const struct sl_list *list)
{
	SL_STRBUF out = SL_STRBUF_INIT;

	for (size_t i = 0; i < list->len; i++)
		sl_strbuf_addf(&out, "%s%s", i ? " " : "", list->items[i].text);
	return sl_strbuf_detach(&out);
}

static const struct {
	const char *entries, *there, *out;
	size_t replaced;
} gone[] = {
    {"/q/job-4711 /q/fixed", "/q /q/fixed", "/q /q/fixed", 1},
    {"/q/job-4711", "/q /q/job-4711", "/q/job-4711", 0},
    {"/q/deleted", "/q", "/q/deleted", 0},
    {"/q/4711/in/a /q/4712/in/a", "/q", "/q", 2},
    {"/q/4711/in/a", "/q /q/4711", "/q/4711/in/a", 0},
    {"/tmp/foo.aB3dE9 /home/me/x-4711 /etc/x-4711 /proc/4711", "/tmp /home/me /etc /proc",
     "/etc/x-4711 /home/me/x-4711 /proc/4711 /tmp/foo.aB3dE9", 0},
    {"~/x-4711 /x-4711", "/", "/x-4711 ~/x-4711", 0},
};

START_TEST(test_gone)
{
	const struct sl_volatile_rules r = {
	    .homes = {"/home/me"}, .exists = exists, .arg = (void *)gone[_i].there};
	struct sl_collapses done = {0};
	SL_FREE char *out = NULL;
	struct sl_profile p;
	size_t replaced = 0;

	sl_profile_init(&p, 2);
	fill(&p.filesystem.lists[SL_FS_READ], gone[_i].entries);
	sl_profile_replace_gone(&p, &r, &done);
	sl_profile_sort(&p);
	out = join(&p.filesystem.lists[SL_FS_READ]);
	ck_assert_str_eq(out, gone[_i].out);
	for (size_t i = 0; i < done.len; i++)
		replaced += done.items[i].entries;
	ck_assert_uint_eq(replaced, gone[_i].replaced);
	sl_collapses_release(&done);
	sl_profile_release(&p);
}
END_TEST

static const struct {
	const char *entries, *differ, *there, *out;
} differing[] = {
    /* A date or a hash needs no other evidence; a number may be a version. */
    {"/l/a /l/2026-11-25.log /l/2026-11-26.log", "/l/2026-11-25.log /l/2026-11-26.log",
     "/l/2026-11-25.log /l/2026-11-26.log", "/l /l/a"},
    {"/l/lib-111 /l/lib-112", "/l/lib-111 /l/lib-112", "/l/lib-111 /l/lib-112", "/l/lib-111 /l/lib-112"},
    {"/l/run-111/x /l/run-112/x", "/l/run-111/x /l/run-112/x", "/l/run-112/x", "/l"},
    {"/l/run-111/x /l/run-112/y", "/l/run-111/x /l/run-112/y", "", "/l/run-111/x /l/run-112/y"},
    /* What every run needed stays by its name. */
    {"/l/2026-11-25.log /l/2026-11-26.log", "/l/2026-11-25.log", "", "/l/2026-11-25.log /l/2026-11-26.log"},
    {"/etc/2026-11-25 /etc/2026-11-26", "/etc/2026-11-25 /etc/2026-11-26", "",
     "/etc/2026-11-25 /etc/2026-11-26"},
};

START_TEST(test_differing)
{
	const struct sl_volatile_rules r = {.exists = exists, .arg = (void *)differing[_i].there};
	struct sl_list differ[SL_FS_DENY] = {0};
	struct sl_collapses done = {0};
	SL_FREE char *out = NULL;
	struct sl_profile p;

	sl_profile_init(&p, 2);
	fill(&p.filesystem.lists[SL_FS_EXEC], differing[_i].entries);
	fill(&differ[SL_FS_EXEC], differing[_i].differ);
	sl_profile_replace_differing(&p, differ, &r, &done);
	out = join(&p.filesystem.lists[SL_FS_EXEC]);
	ck_assert_str_eq(out, differing[_i].out);
	sl_list_release(&differ[SL_FS_EXEC]);
	sl_collapses_release(&done);
	sl_profile_release(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("profile-volatile");
	TCase *t = tcase_create("volatile");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, test_stem, 0, SL_ARRAY_LEN(stems));
	tcase_add_loop_test(t, test_gone, 0, SL_ARRAY_LEN(gone));
	tcase_add_loop_test(t, test_differing, 0, SL_ARRAY_LEN(differing));
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
