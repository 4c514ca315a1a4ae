/* Unit tests of profile/read.h: the golden files of tests/data/profiles, and what no text file can hold well.
 */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "profile/keys.h"
#include "profile/read.h"
#include "profile/toml.h"
#include "profile/write.h"

#define DATA SL_TEST_DATA "/profiles"

/* The messages of a text, one a line; *ret_status gets what the parser returned. */
static char *messages(const char *text, size_t len, const char *name, int *ret_status)
{
	struct sl_diags diags = {0};
	struct sl_profile p;
	SL_STRBUF out = SL_STRBUF_INIT;
	int r = sl_profile_parse(text, len, name, &p, &diags);

	for (size_t i = 0; i < diags.len; i++) {
		if (diags.items[i].kind == SL_DIAG_NOTE)
			sl_strbuf_addstr(&out, "note: ");
		sl_diag_format(&out, name, &diags.items[i]);
		sl_strbuf_addch(&out, '\n');
	}
	sl_diags_release(&diags);
	if (r == 0)
		sl_profile_release(&p);
	*ret_status = r;
	return sl_strbuf_detach(&out);
}

static char *slurp(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "re");
	SL_STRBUF text = SL_STRBUF_INIT;
	char chunk[4096];
	size_t n;

	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		sl_strbuf_add(&text, chunk, n);
	fclose(f);
	if (ret_len)
		*ret_len = text.len;
	return sl_strbuf_detach(&text);
}

/* Each NAME.toml against NAME.expected. Names begin with "good" or "bad"; a good one may have notes. */
START_TEST(test_P1_golden)
{
	SL_CLOSEDIR DIR *dir = opendir(DATA);
	struct dirent *entry;
	int good = 0, bad = 0;

	ck_assert_msg(dir != NULL, "%s: %s", DATA, strerror(errno));
	while ((entry = readdir(dir))) {
		size_t stem = strlen(entry->d_name), len;
		SL_FREE char *path = NULL, *expected_path = NULL, *text = NULL, *expected = NULL, *got = NULL;
		int r;

		if (stem < 5 || strcmp(entry->d_name + stem - 5, ".toml") != 0)
			continue;
		path = sl_xasprintf("%s/%s", DATA, entry->d_name);
		expected_path = sl_xasprintf("%.*s.expected", (int)strlen(path) - 5, path);
		text = slurp(path, &len);
		got = messages(text, len, entry->d_name, &r);
		if (getenv("SL_TEST_UPDATE")) {
			FILE *f = fopen(expected_path, "we");

			ck_assert(f != NULL && fputs(got, f) >= 0 && fclose(f) == 0);
		}
		expected = slurp(expected_path, NULL);
		ck_assert_msg(!strcmp(got, expected), "%s:\n--- expected\n%s--- got\n%s", entry->d_name,
			      expected, got);
		if (!strncmp(entry->d_name, "good", 4)) {
			ck_assert_msg(r == 0, "%s: %s", entry->d_name, got);
			good++;
		} else {
			ck_assert_int_eq(r, -EINVAL);
			bad++;
		}
	}
	ck_assert_int_ge(good, 10);
	ck_assert_int_ge(bad, 20);
}
END_TEST

/* One table: a text, and the one message it gives ("" for none). */
static const struct {
	const char *text, *message;
} cases[] = {
    {"", ""},
    {"\xef\xbb\xbfversion = 2\r\n[limits]\r\nopen_files = 8\r\n", ""},
    {"version = 1", ""},
    {"version = 3\nfuture = 1", "p:1:11: version: found the integer 3, expected the integer 1 or 2\n"},
    {"version = \"2\"", "p:1:11: version: found the string \"2\", expected the integer 1 or 2\n"},
    {"filesystem = { read = [\"/a\"] }", ""},
    {"filesystem.read = [\"/a\"]", ""},
    {"filesystem.\"read\" = [\"/a\"]", ""},
    {"[[filesystem]]\nread = []", "p:1:3: filesystem: found a list, expected a section\n"},
    {"filesystem = 1", "p:1:1: filesystem: found the integer 1, expected a section\n"},
    {"[filesystem]\nread = [\"/a\\u0000b\"]",
     "p:2:9: filesystem.read: found the string \"/a\\x00b\", expected a string without NUL\n"},
    {"[program]\nenv = { \"A=B\" = \"c\" }",
     "p:2:9: program.env: found the name \"A=B\", expected one that is not "
     "empty and without '=' and NUL\n"},
    {"[program.env]\nA = 1", "p:2:5: program.env: found the integer 1, expected a string\n"},
    {"[program]\nversion = 2", "p:2:1: program.version: found an unknown key, expected one of [program]; "
			       "\"version\" stands above the first "
			       "section\n"},
    {"[program]\n\"exec\\u0000\" = \"x\"",
     "p:2:1: program.exec\\x00: found an unknown key, expected one of [program]; did you mean \"exec\"?\n"},
    {"[filesytem]\nread = []", "p:1:2: filesytem: found an unknown section, expected a section of a profile; "
			       "did you mean \"filesystem\"?\n"},
    {"[network]\nread = []",
     "p:2:1: network.read: found an unknown key, expected one of [network]; did you mean "
     "\"filesystem.read\"?\n"},
};

START_TEST(test_cases)
{
	int r;
	SL_FREE char *got = messages(cases[_i].text, strlen(cases[_i].text), "p", &r);

	ck_assert_str_eq(got, cases[_i].message);
	ck_assert_int_eq(r, cases[_i].message[0] ? -EINVAL : 0);
}
END_TEST

/* Each kind of value: a line that sets it, and whether it is good in version 1 and 2. */
static const struct {
	const char *section, *line;
	bool v1, v2;
} values[] = {
    {"filesystem", "read = [\"/a\", \"~/b\", \"~\"]", true, true},
    {"filesystem", "read = [\"a\"]", true, false},
    {"filesystem", "read = [\"~user/b\"]", true, false},
    {"filesystem", "read = [\"\"]", false, false},
    {"filesystem", "read = \"/a\"", false, false},
    {"filesystem", "read = [1]", false, false},
    {"filesystem", "read = [[\"/a\"]]", false, false},
    {"filesystem", "list = []", false, true},
    {"filesystem", "tmp = \"private\"", false, true},
    {"filesystem", "tmp = \"shared\"", false, false},
    {"filesystem", "tmp = true", false, false},
    {"filesystem", "chroot = \"/r\"", true, true},
    {"filesystem", "mount = [\"/v:/h\", \"/v:/h:ro\"]", true, true},
    {"filesystem", "mount = [\"/v:h\"]", true, false},
    {"filesystem", "mount = [\"/v:/h:rw\"]", false, false},
    {"filesystem", "mount = [\"/v\"]", false, false},
    {"filesystem", "mount = [\"v:/h\"]", false, false},
    {"filesystem", "mount = [\"/v:\"]", false, false},
    {"filesystem", "on_exit = \"commit\"\non_error = \"keep\"", true, true},
    {"filesystem", "on_exit = \"Commit\"", false, false},
    {"filesystem", "on_exit = true", false, false},
    {"program", "exec = \"ls\"", true, true},
    {"program", "exec = \"\"", false, false},
    {"program", "argv0 = \"\"", false, true},
    {"program", "args = [\"\", \"a b\", \"\\n\"]", true, true},
    {"program", "cwd = \"sub\"", true, false},
    {"program", "uid = 0\ngid = 0", true, true},
    {"program", "uid = 0", false, false},
    {"program", "gid = 0", false, false},
    {"program", "uid = -1\ngid = 4294967295", false, false},
    {"program", "clean_env = \"yes\"", false, false},
    {"program", "env = [\"A=B\"]", false, false},
    {"program", "env = {}", true, true},
    {"determinism", "random_seed = -1", false, false},
    {"determinism", "random_seed = 0x10", true, true},
    {"determinism", "time_start = \"2024-02-29T23:59:60.25+05:30\"", true, true},
    {"determinism", "time_start = \"2024-02-29 00:00:00z\"", true, true},
    {"determinism", "time_start = \"2023-02-29T00:00:00Z\"", false, false},
    {"determinism", "time_start = \"2100-02-29T00:00:00Z\"", false, false},
    {"determinism", "time_start = \"2024-01-01T24:00:00Z\"", false, false},
    {"determinism", "time_start = \"2024-01-01T00:00:00\"", false, false},
    {"determinism", "time_start = \"2024-01-01T00:00:00.Z\"", false, false},
    {"determinism", "time_start = \"2024-01-01T00:00:00Zx\"", false, false},
    {"determinism", "time_start = \"2024-01-01\"", false, false},
    {"determinism", "time_start = 2024-01-01T00:00:00Z", false, false},
    {"config", "name = \"\"", false, false},
    {"config", "workdir = \"w\"", true, false},
    {"network", "allow = [\"tcp://a.example:443\", \"udp://1.2.3.4\", \"icmp://*\", \":80\", \"*\"]", true,
     true},
    {"network",
     "allow = [\"[::1]:80,90-95\", \"fd00::/8\", \"::1\", \"10.0.0.0/8:*\", \"h\", \"::ffff:1.2.3.4\"]", true,
     true},
    {"network", "allow = [\"[fd00::/8]:1\", \"h.:1\", \"a_b\"]", true, true},
    {"network", "allow = [\"\"]", false, false},
    {"network", "allow = [\"tcp://\"]", false, false},
    {"network", "allow = [\"http://h\"]", false, false},
    {"network", "allow = [\"icmp://h:80\"]", false, false},
    {"network", "allow = [\"h:0\"]", false, false},
    {"network", "allow = [\"h:65536\"]", false, false},
    {"network", "allow = [\"h:\"]", false, false},
    {"network", "allow = [\"h:80,\"]", false, false},
    {"network", "allow = [\"h:90-80\"]", false, false},
    {"network", "allow = [\"h:80,*\"]", false, false},
    {"network", "allow = [\"h:*,80\"]", false, false},
    {"network", "allow = [\"[1.2.3.4]:80\"]", false, false},
    {"network", "allow = [\"[::1]80\"]", false, false},
    {"network", "allow = [\"[::1\"]", false, false},
    {"network", "allow = [\"1.2.3.4/33\"]", false, false},
    {"network", "allow = [\"1.2.3\"]", false, false},
    {"network", "allow = [\"256.1.1.1\"]", false, false},
    {"network", "allow = [\"*.example\"]", false, false},
    {"network", "allow = [\"a..b\"]", false, false},
    {"network", "allow = [\"h /x\"]", false, false},
    {"network", "allow = [\"::1/129\"]", false, false},
    {"network", "deny = [\"10.0.0.0/8\", \"*\", \"::1\", \":25\"]", true, true},
    {"network", "deny = [\"h\"]", false, false},
    {"network", "allow = [\"h\"]\ndeny = [\"10.0.0.1\"]", false, true},
    {"network", "allow = []\ndeny = [\"10.0.0.1\"]", true, true},
    {"network", "allow_bind = [80, \"80\", \"80,90-95\", 0]", true, true},
    {"network", "allow_bind = [\"*\"]", true, true},
    {"network", "allow_bind = [\"*\", 80]", false, false},
    {"network", "allow_bind = [65536]", false, false},
    {"network", "allow_bind = [-1]", false, false},
    {"network", "allow_bind = [\"80-\"]", false, false},
    {"network", "allow_bind = [\"\"]", false, false},
    {"network", "allow_bind = [\"95-90\"]", false, false},
    {"network", "allow_bind = 80", false, false},
    {"network", "deny_bind = [\"*\"]", false, false},
    {"network", "allow_bind = [80]\ndeny_bind = [81]", false, true},
    {"network", "unix = [\"/s\", \"@name\"]", false, true},
    {"network", "unix = [\"@\"]", false, false},
    {"network", "unix = [\"s\"]", false, false},
    {"network", "port_remap = false", true, true},
    {"http", "ports = [80, 8080]", true, true},
    {"http", "ports = [0]", false, false},
    {"http", "ports = [\"80\"]", false, false},
    {"http", "allow = [\"GET h\", \"* *\", \"POST h/a/*\", \"GET [::1]/x\", \"M-SEARCH 1.2.3.4/\"]", true,
     true},
    {"http", "allow = [\"GET\"]", false, false},
    {"http", "allow = [\"get h\"]", false, false},
    {"http", "allow = [\"GET h:80/\"]", false, false},
    {"http", "allow = [\"GET /x\"]", false, false},
    {"http", "allow = [\"GET h/a b\"]", false, false},
    {"http", "deny = [\"GET h/*/b\"]", false, false},
    {"http", "deny = [\"GET [1.2.3.4]/\"]", false, false},
    {"syscalls", "extra_allow = [\"sysv_ipc\"]", true, true},
    {"syscalls", "extra_allow = [\"shmget\"]", false, false},
    {"syscalls", "extra_deny = [\"mkdir\", \"clone3\", \"_llseek\"]", true, true},
    {"syscalls", "extra_deny = [\"Mkdir\"]", false, false},
    {"syscalls", "extra_deny = [\"\"]", false, false},
    {"syscalls", "extra_allow = [\"sysv_ipc\"]\nextra_deny = [\"sysv_ipc\"]", false, false},
    {"syscalls", "allow = [\"read\"]", false, true},
    {"syscalls", "allow = [\"@base\", \"clone\"]", false, true},
    {"syscalls", "allow = [\"@file\"]", false, false},
    {"limits", "memory = \"512M\"\ndisk = \"1gib\"", true, true},
    {"limits", "memory = 1048576", true, true},
    {"limits", "memory = \"512MB\"", false, false},
    {"limits", "memory = \"0\"", false, false},
    {"limits", "memory = 0", false, false},
    {"limits", "memory = 1.5", false, false},
    {"limits", "memory = \"8388608T\"", false, false},
    {"limits", "processes = 0", false, false},
    {"limits", "processes = \"5\"", false, false},
    {"limits", "open_files = 3\ncpu = 50\nnum_cpus = 2\ngpu_devices = [0]", true, true},
    {"limits", "cpu_cores = [0, 1023]", true, true},
    {"limits", "cpu_cores = [1024]", false, false},
    {"limits", "cpu_cores = [-1]", false, false},
    {"limits", "cpu_cores = [\"0\"]", false, false},
};

START_TEST(test_P1_values)
{
	for (int version = 1; version <= 2; version++) {
		SL_FREE char *text =
		    sl_xasprintf("version = %d\n[%s]\n%s\n", version, values[_i].section, values[_i].line);
		int r;
		SL_FREE char *got = messages(text, strlen(text), "p", &r);

		ck_assert_msg((r == 0) == (version == 1 ? values[_i].v1 : values[_i].v2), "%s%s", text, got);
		ck_assert_msg(r == 0 || !strncmp(got, "p:", 2), "%s%s", text, got);
	}
}
END_TEST

/* Parse a text that is good. */
static void parse(const char *text, struct sl_profile *p)
{
	struct sl_diags diags = {0};
	int r = sl_profile_parse(text, strlen(text), "p", p, &diags);

	ck_assert_msg(r == 0, "%s: %s", text, diags.len ? diags.items[0].text : "?");
	sl_diags_release(&diags);
}

START_TEST(test_model)
{
	struct sl_profile p;
	const struct sl_list *list;

	parse("[filesystem]\nread = [\n  \"/b\",\n  \"/a\",\n  \"/b\",\n]\nwrite = []\n"
	      "[network]\nallow_bind = [\"080, 90 - 95\", 0, \"7-7\"]\n"
	      "[program]\nenv = { B = \"2\", A = \"1=2\" }\nno_coredump = false\n"
	      "[limits]\nmemory = \"2GiB\"\ncpu_cores = [10, 9]\n",
	      &p);
	ck_assert_int_eq(p.version, 1);
	ck_assert_str_eq(p.file, "p");
	list = &p.filesystem.lists[SL_FS_READ];
	ck_assert_uint_eq(list->len, 3);
	ck_assert_str_eq(list->items[0].text, "/b");
	ck_assert_int_eq(list->items[0].line, 3);
	ck_assert(p.filesystem.lists[SL_FS_WRITE].present && !p.filesystem.lists[SL_FS_LIST].present);
	list = &p.network.allow_bind;
	ck_assert_uint_eq(list->len, 4);
	ck_assert_str_eq(list->items[0].text, "80");
	ck_assert_str_eq(list->items[1].text, "90-95");
	ck_assert_str_eq(list->items[3].text, "7");
	ck_assert_str_eq(p.program.env.items[0].text, "B=2");
	ck_assert_str_eq(p.program.env.items[1].text, "A=1=2");
	ck_assert_int_eq(p.program.no_coredump, SL_FALSE);
	ck_assert_int_eq(p.program.clean_env, SL_UNSET);
	ck_assert_int_eq(p.limits.memory, (int64_t)2 << 30);
	ck_assert(p.limits.disk == SL_INT_UNSET);
	sl_profile_sort(&p);
	list = &p.filesystem.lists[SL_FS_READ];
	ck_assert_uint_eq(list->len, 2);
	ck_assert_str_eq(list->items[1].text, "/b");
	ck_assert_int_eq(list->items[1].line, 3);
	ck_assert_str_eq(p.limits.cpu_cores.items[0].text, "9");
	ck_assert_str_eq(p.program.env.items[0].text, "A=1=2");
	sl_profile_release(&p);
}
END_TEST

/* What a profile asks for that cannot be had, and where. */
static const struct {
	const char *text, *key;
	int line;
} unsupported[] = {
    {"[filesystem]\nread = [\"/a\"]", NULL, 0},
    {"[network]\nallow = []\nport_remap = false\nallow_bind = []\n[http]\nports = []", NULL, 0},
    {"[network]\nallow = [\"h\"]", NULL, 0},
    {"[network]\nport_remap = true", "network.port_remap", 2},
    {"[limits]\nnum_cpus = 5\n[network]\nallow = [\"h\"]", "limits.num_cpus", 2},
    {"[filesystem]\ndeny = [\"/a\"]", NULL, 0},
    {"[filesystem]\non_exit = \"keep\"", NULL, 0},
    {"[filesystem]\non_exit = \"keep\"\n[config]\nworkdir = \"/w\"", NULL, 0},
    {"version = 2\n[syscalls]\nallow = []", NULL, 0},
    {"[syscalls]\nextra_allow = [\"sysv_ipc\"]\nextra_deny = [\"bpf\"]", NULL, 0},
    {"[determinism]\ndeterministic_dirs = false\nno_randomize_memory = true", NULL, 0},
    {"[determinism]\ndeterministic_dirs = true", "determinism.deterministic_dirs", 2},
    {"[program]\nuid = 4294967290\ngid = 4294967290", "program.uid", 2},
    {"[limits]\nopen_files = 9\ncpu_cores = [0]", NULL, 0},
};

START_TEST(test_unsupported)
{
	struct sl_profile p;
	const char *key;
	int line = 0;

	parse(unsupported[_i].text, &p);
	key = sl_profile_unsupported(&p, &line);
	ck_assert_pstr_eq(key, unsupported[_i].key);
	ck_assert_int_eq(line, unsupported[_i].line);
	sl_profile_release(&p);
}
END_TEST

START_TEST(test_own_ids)
{
	SL_FREE char *text = sl_xasprintf("[program]\nuid = %u\ngid = %u\n", getuid(), getgid());
	struct sl_profile p;

	parse(text, &p);
	ck_assert_ptr_null(sl_profile_unsupported(&p, NULL));
	sl_profile_release(&p);
}
END_TEST

/* A row is missing where the array's length is not the table's. */
START_TEST(test_table_is_full)
{
	for (size_t i = 0; i < SL_PROFILE_KEYS; i++) {
		ck_assert_ptr_nonnull(sl_keys[i].section);
		ck_assert_ptr_eq(sl_key_find(sl_keys[i].section, sl_keys[i].name), &sl_keys[i]);
	}
}
END_TEST

/* Processor time: the machine may have other work. */
static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Sanitizers cost what they cost; the figures are those of the plain build. */
#if defined(__SANITIZE_ADDRESS__)
#define SLOW 20
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLOW 20
#endif
#endif
#ifndef SLOW
#define SLOW 1
#endif

static void check_cost(const char *what, double start, double limit)
{
	double took = seconds() - start;
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	ck_assert_msg(took < limit * SLOW, "%s took %.2f s", what, took);
	ck_assert_msg(SLOW > 1 || usage.ru_maxrss < 200 << 10, "%s took %ld KiB", what, usage.ru_maxrss);
}

/* Hostile texts of a few dozen MB, made of a repeated part between two others. */
static const struct {
	const char *name, *head, *part, *tail;
	size_t bytes;
	const char *message; /* the beginning of the only message; NULL where the text is good */
} hostile[] = {
    {"one key", "", "a", " = 1", 50 << 20, "p: not a TOML file: found more than 16 MiB"},
    {"one key below the limit", "", "a", " = 1", 15 << 20, "p:1:1: not a TOML file: found a word longer"},
    {"one string", "[config]\nname = \"", "a", "\"", 15 << 20,
     "p:2:8: not a TOML file: found a string longer"},
    {"a long string", "[config]\nname = \"", "a", "\"", 1000 << 10, NULL},
    {"lists", "a = ", "[", "", 1 << 20, "p:1:21: not a TOML file: found lists or tables nested"},
    {"tables", "a = ", "{a=", "", 1 << 20, "p:1:53: not a TOML file: found lists or tables nested"},
    {"dots", "", "a.", "a = 1", 1 << 20, "p:1:34: not a TOML file: found a key of more than 17 parts"},
    {"dotted header", "[", "a.", "a]", 1 << 20, "p:1:35: not a TOML file: found a key of more than 17 parts"},
    {"quoted dots", "", "\"a\".", "a = 1", 1 << 20,
     "p:1:68: not a TOML file: found a key of more than 17 parts"},
    {"values", "[limits]\ncpu_cores = [", "1,", "]", 15 << 20,
     "p:2:1000009: not a TOML file: found more than"},
    {"empty values", "a = [", ",", "]", 15 << 20, "p:1:500004: not a TOML file: found more than"},
    {"bad values", "[filesystem]\nread = [", "1,", "]", 900 << 10,
     "p:2:9: filesystem.read: found the integer 1"},
    {"newlines", "", "\n", "x", 15 << 20, "p:15728641:"},
    {"comment", "#", "x", "\n", 15 << 20, NULL},
    {"spaces", "", " ", "", 15 << 20, "p:1:1: not a TOML file: found a word longer"},
    {"keys", "", "a=1\n", "", 1 << 20, "p:2:3: not a TOML file: "},
    {"quotes", "", "\"", "", 15 << 20, "p:1:"},
    {"NUL", "", "\0", "", 5, "p:1:1: not a TOML file: found a NUL byte"},
};

START_TEST(test_hostile)
{
	double start;
	SL_STRBUF text = SL_STRBUF_INIT;
	SL_FREE char *got = NULL;
	size_t part = SL_MAX(strlen(hostile[_i].part), (size_t)1);
	int r;

	sl_strbuf_addstr(&text, hostile[_i].head);
	while (text.len < hostile[_i].bytes)
		sl_strbuf_add(&text, hostile[_i].part, part);
	sl_strbuf_addstr(&text, hostile[_i].tail);
	start = seconds();
	got = messages(sl_strbuf_str(&text), text.len, "p", &r);
	if (hostile[_i].message)
		ck_assert_msg(!strncmp(got, hostile[_i].message, strlen(hostile[_i].message)), "%s: %.200s",
			      hostile[_i].name, got);
	ck_assert_int_eq(r, hostile[_i].message ? -EINVAL : 0);
	check_cost(hostile[_i].name, start, 2);
}
END_TEST

START_TEST(test_bytes_that_are_not_text)
{
	static const char nul[] = "version = 2\n# a\0b\n", bad[] = "a = 1\n# \xc3(\n";
	int r;
	SL_FREE char *first = messages(nul, sizeof(nul) - 1, "p", &r);
	SL_FREE char *second = messages(bad, sizeof(bad) - 1, "p", &r);

	ck_assert_str_eq(first, "p:2:4: not a TOML file: found a NUL byte, expected text\n");
	ck_assert_str_eq(second, "p:2:3: not a TOML file: found bytes that are not UTF-8, expected text\n");
}
END_TEST

/* A profile as large as learn writes one: under a second, sorted too. */
START_TEST(test_many_entries)
{
	SL_STRBUF text = SL_STRBUF_INIT, again = SL_STRBUF_INIT;
	struct sl_profile p;
	double start;

	sl_strbuf_addstr(&text, "version = 2\n[filesystem]\nread = [\n");
	for (int i = 0; i < 100000; i++)
		sl_strbuf_addf(&text, "  \"/usr/share/some/where/%d/file-%d\",\n", i % 100, i);
	sl_strbuf_addstr(&text, "]\n");
	start = seconds();
	parse(sl_strbuf_str(&text), &p);
	sl_profile_sort(&p);
	sl_profile_format(&again, &p, NULL);
	check_cost("100 000 entries", start, 1);
	ck_assert_uint_eq(p.filesystem.lists[SL_FS_READ].len, 100000);
	ck_assert_uint_eq(again.len, text.len + 1);
	sl_profile_release(&p);
}
END_TEST

/* Files that are none. */
START_TEST(test_kinds_of_file)
{
	char dir[] = "/tmp/test-profile-XXXXXX";
	struct sl_diags diags = {0};
	struct sl_profile p;
	SL_FREE char *fifo = NULL, *missing = NULL, *large = NULL;
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	fifo = sl_xasprintf("%s/fifo", dir);
	missing = sl_xasprintf("%s/missing", dir);
	large = sl_xasprintf("%s/large", dir);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	fd = open(large, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_eq(ftruncate(fd, (off_t)1 << 40), 0);
	close(fd);
	ck_assert_int_eq(sl_profile_read(dir, &p, &diags), -EISDIR);
	ck_assert_int_eq(sl_profile_read(fifo, &p, &diags), -EINVAL);
	ck_assert_int_eq(sl_profile_read(missing, &p, &diags), -ENOENT);
	ck_assert_int_eq(sl_profile_read("/dev/zero", &p, &diags), -EINVAL);
	ck_assert_int_eq(sl_profile_read(large, &p, &diags), -EFBIG);
	ck_assert_uint_eq(diags.len, 5);
	ck_assert_str_eq(diags.items[0].text, "found a directory, expected a file");
	ck_assert_str_eq(diags.items[1].text, "found a FIFO, expected a file");
	ck_assert_str_eq(diags.items[3].text, "found a device, expected a file");
	sl_diags_release(&diags);
	unlink(fifo);
	unlink(large);
	rmdir(dir);
}
END_TEST

/* Many errors are bounded, and the last message says so. */
START_TEST(test_errors_are_bounded)
{
	SL_STRBUF text = SL_STRBUF_INIT;
	struct sl_diags diags = {0};
	struct sl_profile p;

	sl_strbuf_addstr(&text, "[filesystem]\nread = [");
	for (int i = 0; i < 5000; i++)
		sl_strbuf_addstr(&text, "1,");
	sl_strbuf_addstr(&text, "]\n");
	ck_assert_int_eq(sl_profile_parse(sl_strbuf_str(&text), text.len, "p", &p, &diags), -EINVAL);
	ck_assert_uint_eq(diags.len, 1001);
	ck_assert_str_eq(diags.items[1000].text, "more follows; only the first 1000 are listed");
	sl_diags_release(&diags);
}
END_TEST

/* A message is one line whatever was found. */
START_TEST(test_messages_are_escaped)
{
	static const char text[] = "[filesystem]\n\"re\\nad\\u001b\" = 1\n[config]\nname = 1\n"
				   "[http]\nallow = [\"\\u001b[31m\\n\\u202e\"]\n";
	int r;
	SL_FREE char *got = messages(text, strlen(text), "p\n", &r);
	size_t lines = 0;

	ck_assert_ptr_null(strchr(got, '\033'));
	for (const char *s = got; *s; s++)
		lines += *s == '\n';
	ck_assert_uint_eq(lines, 3);
}
END_TEST

static const struct {
	const char *text;
	int64_t bytes; /* or -errno */
} sizes[] = {
    {"0", 0},
    {"4096", 4096},
    {"1k", 1024},
    {"512M", (int64_t)512 << 20},
    {"1GiB", (int64_t)1 << 30},
    {"1gIb", (int64_t)1 << 30},
    {"8388607T", (int64_t)8388607 << 40},
    {"8388608T", -ERANGE},
    {"9223372036854775807", INT64_MAX},
    {"9223372036854775808", -ERANGE},
    {"99999999999999999999999K", -ERANGE},
    {"", -EINVAL},
    {"M", -EINVAL},
    {"-1", -EINVAL},
    {"+1", -EINVAL},
    {" 1", -EINVAL},
    {"1 M", -EINVAL},
    {"1MB", -EINVAL},
    {"1Mi", -EINVAL},
    {"1MiBs", -EINVAL},
    {"1.5G", -EINVAL},
    {"1P", -EINVAL},
    {"0x10", -EINVAL},
    {"99999999999999999999999X", -EINVAL},
};

START_TEST(test_sizes)
{
	int64_t bytes = 77;
	int r = sl_size_parse(sizes[_i].text, &bytes);

	ck_assert_int_eq(r, sizes[_i].bytes < 0 ? (int)sizes[_i].bytes : 0);
	ck_assert_int_eq(bytes, sizes[_i].bytes < 0 ? 77 : sizes[_i].bytes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("profile-read");
	TCase *tcase = tcase_create("read");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, test_P1_golden);
	tcase_add_loop_test(tcase, test_cases, 0, (int)SL_ARRAY_LEN(cases));
	tcase_add_loop_test(tcase, test_P1_values, 0, (int)SL_ARRAY_LEN(values));
	tcase_add_test(tcase, test_model);
	tcase_add_loop_test(tcase, test_unsupported, 0, (int)SL_ARRAY_LEN(unsupported));
	tcase_add_test(tcase, test_own_ids);
	tcase_add_test(tcase, test_table_is_full);
	tcase_add_loop_test(tcase, test_hostile, 0, (int)SL_ARRAY_LEN(hostile));
	tcase_add_test(tcase, test_bytes_that_are_not_text);
	tcase_add_test(tcase, test_many_entries);
	tcase_add_test(tcase, test_kinds_of_file);
	tcase_add_test(tcase, test_errors_are_bounded);
	tcase_add_test(tcase, test_messages_are_escaped);
	tcase_add_loop_test(tcase, test_sizes, 0, (int)SL_ARRAY_LEN(sizes));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
