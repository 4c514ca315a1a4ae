/* Unit tests of profile/write.h: the form of a written profile, and what reading it again gives. */
#include <check.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "profile/keys.h"
#include "profile/read.h"
#include "profile/write.h"

#define DATA SL_TEST_DATA "/profiles"

static char *format(const struct sl_profile *p)
{
	SL_STRBUF out = SL_STRBUF_INIT;

	sl_profile_format(&out, p, NULL);
	return sl_strbuf_detach(&out);
}

/* Parse a text that is good. */
static void parse(const char *text, struct sl_profile *p)
{
	struct sl_diags diags = {0};
	int r = sl_profile_parse(text, strlen(text), NULL, p, &diags);

	ck_assert_msg(r == 0, "%s\n%s: %s", text, diags.len ? diags.items[0].key : "",
		      diags.len ? diags.items[0].text : "");
	sl_diags_release(&diags);
}

static void check_equal_lists(const char *what, const struct sl_list *a, const struct sl_list *b)
{
	ck_assert_msg(a->len == b->len && a->present == b->present, "%s: %zu %d, %zu %d", what, a->len,
		      a->present, b->len, b->present);
	for (size_t i = 0; i < a->len; i++)
		ck_assert_str_eq(a->items[i].text, b->items[i].text);
}

static void check_equal(const struct sl_profile *a, const struct sl_profile *b)
{
	ck_assert_int_eq(a->version, b->version);
	for (size_t i = 0; i < SL_PROFILE_KEYS; i++) {
		const struct sl_key *key = &sl_keys[i];
		const void *va = sl_key_value_const(key, a), *vb = sl_key_value_const(key, b);

		if (key->type == SL_KEY_STRING)
			ck_assert_pstr_eq(*(char *const *)va, *(char *const *)vb);
		else if (key->type == SL_KEY_INT || key->type == SL_KEY_SIZE)
			ck_assert_int_eq(*(const int64_t *)va, *(const int64_t *)vb);
		else if (key->type == SL_KEY_BOOL)
			ck_assert_int_eq(*(const enum sl_tristate *)va, *(const enum sl_tristate *)vb);
		else if (key->type == SL_KEY_END)
			ck_assert_int_eq(*(const enum sl_on_end *)va, *(const enum sl_on_end *)vb);
		else if (key->type == SL_KEY_PRIVATE)
			ck_assert_int_eq(*(const bool *)va, *(const bool *)vb);
		else
			check_equal_lists(key->name, va, vb);
	}
}

START_TEST(test_version_2)
{
	static const char *const note_items[] = {"held back: /root", "two\nlines"};
	struct sl_strv notes = SL_STRV_INIT;
	struct sl_profile_header header = {"sandlock 1.0.0", "2026-11-24", "6.18.44", true, &notes};
	struct sl_profile p;
	SL_STRBUF out = SL_STRBUF_INIT;

	for (size_t i = 0; i < SL_ARRAY_LEN(note_items); i++)
		sl_strv_add(&notes, note_items[i]);
	sl_profile_init(&p, 2);
	p.program.exec = sl_xstrdup("/usr/bin/cat");
	sl_list_add(&p.program.args, "/etc/hostname", 0);
	sl_list_add(&p.program.env, "B=1", 0);
	sl_list_add(&p.program.env, "A.B=x", 0);
	sl_list_add(&p.program.env, "B=2", 0);
	sl_list_add(&p.filesystem.lists[SL_FS_READ], "/usr/b", 0);
	sl_list_add(&p.filesystem.lists[SL_FS_READ], "/etc/a\"b\\c\n", 0);
	sl_list_add(&p.filesystem.lists[SL_FS_READ], "/usr/b", 0);
	p.filesystem.tmp_private = true;
	p.limits.memory = (int64_t)512 << 20;
	p.limits.disk = 1000;
	sl_list_add(&p.limits.cpu_cores, "10", 0);
	sl_list_add(&p.limits.cpu_cores, "9", 0);
	sl_list_add(&p.network.allow_bind, "90-95", 0);
	sl_list_add(&p.network.allow_bind, "80", 0);
	sl_profile_sort(&p);
	sl_profile_format(&out, &p, &header);
	ck_assert_str_eq(sl_strbuf_str(&out), "# sandlock profile, version 2\n"
					      "# written by sandlock 1.0.0, 2026-11-24, kernel 6.18.44\n"
					      "# partial: the observation did not see everything\n"
					      "# held back: /root\n"
					      "# two?lines\n"
					      "\n"
					      "version = 2\n"
					      "\n"
					      "[program]\n"
					      "exec = \"/usr/bin/cat\"\n"
					      "args = [\"/etc/hostname\"]\n"
					      "\n"
					      "[program.env]\n"
					      "\"A.B\" = \"x\"\n"
					      "B = \"2\"\n"
					      "\n"
					      "[filesystem]\n"
					      "read = [\n"
					      "  \"/etc/a\\\"b\\\\c\\n\",\n"
					      "  \"/usr/b\",\n"
					      "]\n"
					      "tmp = \"private\"\n"
					      "\n"
					      "[network]\n"
					      "allow_bind = [80, \"90-95\"]\n"
					      "\n"
					      "[limits]\n"
					      "memory = \"512M\"\n"
					      "disk = \"1000\"\n"
					      "cpu_cores = [9, 10]\n");
	sl_strv_release(&notes);
	sl_profile_release(&p);
}
END_TEST

START_TEST(test_version_1)
{
	struct sl_profile p;
	SL_FREE char *text = NULL;

	sl_profile_init(&p, 1);
	p.program.exec = sl_xstrdup("make");
	p.program.argv0 = sl_xstrdup("no key of version 1");
	sl_list_add(&p.filesystem.lists[SL_FS_READ], "/usr", 0);
	sl_list_add(&p.filesystem.lists[SL_FS_READ], "/etc", 0);
	sl_list_add(&p.filesystem.lists[SL_FS_LIST], "/no key of version 1", 0);
	p.filesystem.lists[SL_FS_DENY].present = true;
	sl_profile_sort(&p);
	text = format(&p);
	ck_assert_str_eq(
	    text, "[program]\nexec = \"make\"\n\n[filesystem]\nread = [\"/etc\", \"/usr\"]\ndeny = []\n");
	sl_profile_release(&p);
}
END_TEST

/* Arguments stand in one line while it is short. */
START_TEST(test_long_arguments)
{
	struct sl_profile p;
	SL_FREE char *text = NULL;

	sl_profile_init(&p, 2);
	for (int i = 0; i < 20; i++)
		sl_list_add(&p.program.args, "argument", 0);
	text = format(&p);
	ck_assert_ptr_nonnull(strstr(text, "args = [\n  \"argument\",\n  \"argument\",\n"));
	sl_profile_release(&p);
}
END_TEST

static const struct {
	int64_t bytes;
	const char *text;
} sizes[] = {
    {1, "1"},
    {1023, "1023"},
    {1024, "1K"},
    {1536, "1536"},
    {1536 << 10, "1536K"},
    {(int64_t)1 << 40, "1T"},
    {(int64_t)1 << 50, "1024T"},
    {INT64_MAX, "9223372036854775807"},
};

START_TEST(test_sizes)
{
	SL_FREE char *line = sl_xasprintf("memory = \"%s\"\n", sizes[_i].text);
	SL_FREE char *text = NULL;
	struct sl_profile p;
	int64_t again;

	sl_profile_init(&p, 1);
	p.limits.memory = sizes[_i].bytes;
	text = format(&p);
	ck_assert_ptr_nonnull(strstr(text, line));
	ck_assert_int_eq(sl_size_parse(sizes[_i].text, &again), 0);
	ck_assert_int_eq(again, sizes[_i].bytes);
	sl_profile_release(&p);
}
END_TEST

/* Every good file of the tree: what is written is read as the same, and written again as the same bytes. */
START_TEST(test_P1_fixed_point)
{
	SL_CLOSEDIR DIR *dir = opendir(DATA);
	struct dirent *entry;
	int count = 0;

	while ((entry = readdir(dir))) {
		SL_FREE char *path = sl_xasprintf("%s/%s", DATA, entry->d_name);
		SL_FREE char *first = NULL, *second = NULL;
		struct sl_diags diags = {0};
		struct sl_profile p, again;

		if (strncmp(entry->d_name, "good", 4) != 0 || !strstr(entry->d_name, ".toml"))
			continue;
		ck_assert_int_eq(sl_profile_read(path, &p, &diags), 0);
		sl_list_sort_env(&p.program.env);
		first = format(&p);
		parse(first, &again);
		check_equal(&p, &again);
		second = format(&again);
		ck_assert_str_eq(first, second);
		sl_profile_release(&p);
		sl_profile_release(&again);
		sl_diags_release(&diags);
		count++;
	}
	ck_assert_int_ge(count, 10);
}
END_TEST

static uint64_t state;

/* A number below n (splitmix64). */
static unsigned int pick(unsigned int n)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (unsigned int)((z ^ (z >> 31)) >> 33) % n;
}

/* Random text of pieces that are hard to quote. */
static char *random_text(const char *prefix)
{
	static const char *const pieces[] = {
	    "a", "/", "\"", "\\",  "'",	  "\n",	    "\t", "\x01", "\x7f",    "é",	  "\u2028",
	    "#", "]", "=",  "x.y", "'''", "\"\"\"", " ",  "\r\n", "\\u0041", "\U0010ffff"};
	SL_STRBUF text = SL_STRBUF_INIT;

	sl_strbuf_addstr(&text, prefix);
	for (unsigned int n = pick(12); n; n--)
		sl_strbuf_addstr(&text, pieces[pick(SL_ARRAY_LEN(pieces))]);
	return sl_strbuf_detach(&text);
}

/* Good values of the keys whose check takes no random text. */
static const struct {
	const char *key, *values[4];
} samples[] = {
    {"time_start", {"2026-01-01T00:00:00Z", "1999-12-31t23:59:59.5-01:00", "2000-02-29 00:00:00z", NULL}},
    {"mount", {"/v:/h", "/v:/h:ro", "/:/", NULL}},
    {"unix", {"/run/x", "@x", "@a b", NULL}},
    {"extra_allow", {"sysv_ipc", NULL}},
    {"extra_deny", {"bpf", "mkdir", "rmdir", NULL}},
    {"allow_bind", {"1", "80-90", "0", NULL}},
    {"deny_bind", {"443", "1-1023", NULL}},
};

static char *random_value(const struct sl_key *key)
{
	const char *const *values = NULL;
	unsigned int count = 0;

	for (size_t i = 0; i < SL_ARRAY_LEN(samples); i++)
		if (!strcmp(samples[i].key, key->name))
			values = samples[i].values;
	if (!strcmp(key->section, "network") && !values)
		return sl_xstrdup(pick(2) ? "10.0.0.0/8" : "tcp://[::1]:80");
	if (!strcmp(key->section, "http"))
		return sl_xstrdup(pick(2) ? "GET h/x*" : "* *");
	if (!strcmp(key->section, "syscalls") && !values)
		return sl_xstrdup(pick(2) ? "read" : "openat2");
	if (!values)
		return random_text(key->check ? "/" : "");
	while (values[count])
		count++;
	return sl_xstrdup(values[pick(count)]);
}

static void random_list(const struct sl_key *key, struct sl_list *list)
{
	for (unsigned int n = pick(5); n; n--) {
		SL_FREE char *value = key->type == SL_KEY_INTS
					  ? sl_xasprintf("%u", (unsigned int)key->min + pick(1000))
					  : random_value(key);
		SL_FREE char *name = sl_xasprintf("%s%u", pick(2) ? "N" : "é \"\n", pick(9));
		SL_FREE char *variable = sl_xasprintf("%s=%s", name, value);

		sl_list_add(list, key->type == SL_KEY_ENV ? variable : value, 0);
	}
	list->present = true;
}

static void random_key(const struct sl_key *key, struct sl_profile *p)
{
	void *value = sl_key_value(key, p);

	if (key->type == SL_KEY_STRING)
		*(char **)value = random_value(key);
	else if (key->type == SL_KEY_INT)
		*(int64_t *)value = key->min + pick((unsigned int)SL_MIN(key->max - key->min, 1000000));
	else if (key->type == SL_KEY_SIZE)
		*(int64_t *)value = (int64_t)(1 + pick(3000)) << (pick(5) * 10);
	else if (key->type == SL_KEY_BOOL)
		*(enum sl_tristate *)value = pick(2) ? SL_TRUE : SL_FALSE;
	else if (key->type == SL_KEY_END)
		*(enum sl_on_end *)value = (enum sl_on_end)(1 + pick(3));
	else if (key->type == SL_KEY_PRIVATE)
		*(bool *)value = true;
	else
		random_list(key, value);
}

/* A random profile that is good. */
static void random_profile(struct sl_profile *p)
{
	sl_profile_init(p, 1 + (int)pick(2));
	for (size_t i = 0; i < SL_PROFILE_KEYS; i++)
		if (sl_key_in_version(&sl_keys[i], p->version) && pick(3))
			random_key(&sl_keys[i], p);
	/* What the keys forbid one another. */
	if (p->version == 1) {
		sl_list_release(&p->network.deny);
		sl_list_release(&p->network.deny_bind);
	}
	if ((p->program.uid == SL_INT_UNSET) != (p->program.gid == SL_INT_UNSET))
		p->program.uid = p->program.gid = 1;
	sl_profile_sort(p);
}

START_TEST(test_P1_generated_profiles)
{
	for (int i = 0; i < 500; i++) {
		struct sl_profile p, again, copy;
		SL_FREE char *first = NULL, *second = NULL, *third = NULL;

		state = (uint64_t)_i * 1000 + (uint64_t)i;
		random_profile(&p);
		first = format(&p);
		parse(first, &again);
		check_equal(&p, &again);
		second = format(&again);
		ck_assert_str_eq(first, second);
		sl_profile_init(&copy, p.version);
		sl_profile_copy(&copy, &p);
		third = format(&copy);
		ck_assert_str_eq(first, third);
		sl_profile_release(&p);
		sl_profile_release(&again);
		sl_profile_release(&copy);
	}
}
END_TEST

START_TEST(test_to_version_1)
{
	struct sl_profile p, v1;
	SL_FREE char *text = NULL;

	parse("version = 2\n[program]\nexec = \"x\"\nargv0 = \"y\"\n[filesystem]\nread = [\"/a\", "
	      "\"/w\"]\nlist = [\"/l\", "
	      "\"/a\"]\nexec = [\"/x\"]\nwrite = [\"/w\"]\ncreate = [\"/c\"]\ndelete = [\"/c\", "
	      "\"/l\"]\ndeny = [\"/a/b\"]\n"
	      "tmp = \"private\"\n[limits]\nmemory = \"1G\"\n[syscalls]\nallow = [\"read\"]\n",
	      &p);
	sl_profile_to_v1(&p, &v1);
	text = format(&v1);
	ck_assert_str_eq(text, "[program]\nexec = \"x\"\n\n[filesystem]\nread = [\"/a\", \"/x\"]\n"
			       "write = [\"/c\", \"/l\", \"/tmp\", \"/w\"]\ndeny = [\"/a/b\"]\n\n[limits]\n"
			       "memory = \"1G\"\n");
	sl_profile_release(&p);
	sl_profile_release(&v1);
}
END_TEST

START_TEST(test_quote)
{
	SL_STRBUF out = SL_STRBUF_INIT;

	sl_toml_quote(&out, "a\"\\\b\t\n\f\r\x01\x1f\x7fé");
	ck_assert_str_eq(sl_strbuf_str(&out), "\"a\\\"\\\\\\b\\t\\n\\f\\r\\u0001\\u001F\\u007Fé\"");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("profile-write");
	TCase *tcase = tcase_create("write");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_version_2);
	tcase_add_test(tcase, test_version_1);
	tcase_add_test(tcase, test_long_arguments);
	tcase_add_loop_test(tcase, test_sizes, 0, (int)SL_ARRAY_LEN(sizes));
	tcase_add_test(tcase, test_P1_fixed_point);
	tcase_add_loop_test(tcase, test_P1_generated_profiles, 0, 4);
	tcase_add_test(tcase, test_to_version_1);
	tcase_add_test(tcase, test_quote);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
