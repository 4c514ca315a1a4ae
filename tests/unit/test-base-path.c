/* Unit tests of base/path.h. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"

static const struct {
	const char *in, *out;
} normal_rows[] = {
	{ "/", "/" },		 { "//", "/" },		 { "/a//b/", "/a/b" },	 { "/a/./b", "/a/b" },
	{ "/a/../b", "/b" },	 { "/../a", "/a" },	 { "/a/b/..", "/a" },	 { "/a/..", "/" },
	{ "a/./b//c", "a/b/c" }, { "a/../b", "a/../b" }, { "", "." },
};

START_TEST(normalize)
{
	SL_STRBUF b = SL_STRBUF_INIT;

	sl_path_normalize(&b, normal_rows[_i].in);
	ck_assert_str_eq(sl_strbuf_str(&b), normal_rows[_i].out);
	if (normal_rows[_i].out[0] == '/')
		ck_assert(sl_path_is_normal(normal_rows[_i].out));
	if (normal_rows[_i].in[0] == '/' && strcmp(normal_rows[_i].in, normal_rows[_i].out))
		ck_assert(!sl_path_is_normal(normal_rows[_i].in));
}
END_TEST

START_TEST(within)
{
	ck_assert(sl_path_within("/a/b", "/a"));
	ck_assert(sl_path_within("/a", "/a"));
	ck_assert(sl_path_within("/a", "/"));
	ck_assert(!sl_path_within("/ab", "/a"));
	ck_assert(!sl_path_within("/", "/a"));
}
END_TEST

START_TEST(parts)
{
	SL_FREE char *d = sl_path_dirname("/a/b");
	SL_FREE char *r = sl_path_dirname("/a");

	ck_assert_str_eq(d, "/a");
	ck_assert_str_eq(r, "/");
	ck_assert_str_eq(sl_path_basename("/a/b"), "b");
}
END_TEST

START_TEST(escape)
{
	ck_assert_str_eq(sl_esc("a\nb\xff\x1b[31m\xc3\xa9\\"), "a\\nb\\xff\\x1b[31m\xc3\xa9\\\\");
	ck_assert(!sl_utf8_valid("\xc0\x80", 2));
	ck_assert(!sl_utf8_valid("\xed\xa0\x80", 3));
	ck_assert(sl_utf8_valid("\xf0\x9f\x98\x80", 4));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base-path");
	TCase *t = tcase_create("path");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, normalize, 0, (int)SL_ARRAY_LEN(normal_rows));
	tcase_add_test(t, within);
	tcase_add_test(t, parts);
	tcase_add_test(t, escape);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
