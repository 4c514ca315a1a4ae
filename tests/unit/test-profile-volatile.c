/*
 * test-profile-volatile.c - names that are others at every run.
 */
#include <check.h>
#include <string.h>

#include "base/path.h"
#include "profile/volatile.h"

/* What is taken for what: N a number, D a date, H a hash, F its first digits, U a UUID, R random; "!" where that is sure. */
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
    {"/o/ab/3f786850e387550fdab836ed7e6dc881de23001b", "/o/!F/!H"},
    {"/o/deadbeef", "/o/deadbeef"},
    {"/u/123e4567-e89b-12d3-a456-426614174000/x", "/u/!U/x"},
    {"/t/foo.aB3dE9", "/t/foo.R"},
    {"/t/tmpk3x_9q1z", "/t/tmpR"},
    {"/t/MyClass.class", "/t/MyClass.class"},
    {"/t/foo.aBcDeF", "/t/foo.R"},
    {"/t/README", "/t/README"},
    {"/t/x86_64-linux-gnu", "/t/x86_64-linux-gnu"},
    {"/n/_cacache/content-v2/sha512/0a/f3/6d1f0cd1e2a3b4c5d6e7f8", "/n/_cacache/content-v2/sha512/!F/!F/!H"},
    {"/c/target/debug/.fingerprint/serde-3f2a1b4c5d6e7f80/lib-serde",
     "/c/target/debug/.fingerprint/serde-!H/lib-serde"},
    {"/n/_logs/2026-11-25T12_34_56_789Z-debug-0.log", "/n/_logs/!D-debug-0.log"},
    {"/l/core.4711", "/l/core.N"},
    {"/l/go-build1234567890/b001/exe", "/l/go-buildN/b001/exe"},
    {"/l/backup20261125.tar", "/l/backup!D.tar"},
    {"/l/tmp.aBcDeFgHiJ", "/l/tmp.R"},
    {"/p/pgsql_tmp/pgsql_tmp1234.0", "/p/pgsql_tmp/pgsql_tmpR.0"},
};

/* Names that stay, of real systems: nothing in them changes, or nothing that would be believed without a look. */
static const struct {
	const char *path;
	bool guess; /* taken for something, but not sure of it */
} stable[] = {
    {"/usr/lib/libfoo-1.2.3.so.4", false},
    {"/usr/lib/gcc/x86_64-linux-gnu/12/cc1plus", false},
    {"/usr/bin/x86_64-linux-gnu-gcc-12", false},
    {"/usr/bin/python3.11", false},
    {"/usr/lib/libX11.so.6.4.0", false},
    {"/usr/lib/libQt5Core.so.5.15.8", false},
    {"/usr/lib/libLLVM-14.so.1", false},
    {"/usr/lib/libabsl_base.so.20220623.0.0", true},
    {"/usr/lib/modules/6.1.192-2/kernel/drivers/gpu/drm/i915/i915.ko", false},
    {"/usr/lib/firmware/iwlwifi-7265D-29.ucode", false},
    {"/usr/lib/firmware/rtl_nic/rtl8168h-2.fw", false},
    {"/usr/lib/python3/dist-packages/win32com/base64url.py", false},
    {"/usr/lib/python3.11/encodings/iso8859_15.py", false},
    {"/usr/bin/sha256sum", false},
    {"/usr/bin/md5sum", false},
    {"/usr/share/mysql/utf8mb4_general_ci.xml", false},
    {"/usr/share/backgrounds/lines-1920x1080.png", false},
    {"/usr/share/icons/hicolor/48x48/apps/org.gnome.Nautilus.svg", false},
    {"/usr/share/fonts/truetype/dejavu/DejaVuSans-BoldOblique.ttf", false},
    {"/usr/share/zoneinfo/Etc/GMT+12", false},
    {"/home/me/2024-report.txt", false},
    {"/home/me/photos/IMG_2041.jpg", false},
    {"/home/me/CamelCase/MyHTTPServer2.java", false},
    {"/etc/apt/sources.list.d/debian-12.sources", false},
    {"/etc/systemd/system/getty@tty1.service", false},
    {"/etc/cron.daily/tmpreaper", false},
    {"/usr/lib/tmpfiles.d/systemd-nologin.conf", false},
    {"/var/lib/dpkg/info/libc6:amd64.md5sums", false},
    {"/var/lib/postgresql/15/main/PG_VERSION", false},
    {"/usr/lib/jvm/java-17-openjdk-amd64/lib/server/libjvm.so", false},
    {"/usr/share/applications/org.kde.KWrite.desktop", false},
    {"/usr/share/dbus-1/services/org.x.MyApps", false},
    {"/home/me/x.md5sum", false},
    {"/srv/decade/facade/deadbeef/c0ffee", false},
};

START_TEST(test_stable)
{
	SL_STRBUF stem = SL_STRBUF_INIT;
	bool sure = false, any = sl_volatile_stem(&stem, stable[_i].path, &sure);

	ck_assert_msg(any == stable[_i].guess, "%s", stable[_i].path);
	ck_assert_msg(!sure || stable[_i].guess, "%s", stable[_i].path);
}
END_TEST

static unsigned int state;

static unsigned int rnd(unsigned int below)
{
	state = state * 1103515245u + 12345u;
	return (state >> 16) % below;
}

/* In a template: % a digit, @ a hexadecimal one, # one of a-z and 0-9 and _, * one of A-Z, a-z, 0-9. The rest stays. */
static void fill_in(struct sl_strbuf *out, const char *template)
{
	static const char all[] = "0123456789abcdef";
	static const char python[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	static const char mixed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	for (; *template; template++)
		switch (*template) {
		case '%':
			sl_strbuf_addch(out, (char)('1' + rnd(9)));
			break;
		case '@':
			sl_strbuf_addch(out, all[rnd(16)]);
			break;
		case '#':
			sl_strbuf_addch(out, python[rnd(sizeof(python) - 1)]);
			break;
		case '*':
			sl_strbuf_addch(out, mixed[rnd(sizeof(mixed) - 1)]);
			break;
		default:
			sl_strbuf_addch(out, *template);
		}
}

/* Names that programs make up, and how many of a hundred have the stem that most have. What chance makes look like a word
 * is not found. */
static const struct {
	const char *template;
	unsigned int percent;
} made_up[] = {
    {"/w/.git/objects/@@/@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@", 99},
    {"/w/.git/objects/pack/pack-@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@.idx", 99},
    {"/c/npm/_cacache/index-v5/@@/@@/@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@", 99},
    {"/c/pip/http-v2/@/@/@/@/@/@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@.body", 99},
    {"/c/pip/wheels/@@/@@/@@/@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@/x.whl", 99},
    {"/w/target/debug/.fingerprint/serde-@@@@@@@@@@@@@@@@/dep-lib-serde", 98},
    {"/w/target/debug/deps/libserde-@@@@@@@@@@@@@@@@.rmeta", 98},
    {"/c/ccache/@/@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@-%%%%%.o", 99},
    {"/w/__pycache__/m.cpython-311.pyc.%%%%%%%%%%%%%%%", 99},
    {"/t/tmp########/x", 85},
    {"/t/tmp.**********", 90},
    {"/t/x.******", 70},
    {"/t/systemd-private-@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@-x.service-******", 70},
    {"/d/base/pgsql_tmp/pgsql_tmp%%%%%.0", 99},
    {"/d/pg_wal/0000000100000000000000@@", 90},
    {"/usr/lib/debug/.build-id/@@/@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@.debug", 99},
    {"/t/go-build%%%%%%%%%%/b001", 99},
    {"/w/x.%%%%.lock", 99},
    {"/w/@@@@@@@@-@@@@-4@@@-8@@@-@@@@@@@@@@@@", 99},
    {"/l/x-2026-11-2%T1%:2%:3%.log", 99},
    {"/l/x-2026112%-1%2%3%.log", 99},
};

#define MADE 400

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

START_TEST(test_made_up)
{
	char *stems_of[MADE];
	unsigned int most = 0, same = 0;

	state = 11;
	for (size_t i = 0; i < MADE; i++) {
		SL_STRBUF path = SL_STRBUF_INIT;
		SL_STRBUF stem = SL_STRBUF_INIT;

		fill_in(&path, made_up[_i].template);
		sl_volatile_stem(&stem, sl_strbuf_str(&path), NULL);
		stems_of[i] = sl_strbuf_detach(&stem);
	}
	qsort(stems_of, MADE, sizeof(*stems_of), compare_text);
	for (size_t i = 0; i < MADE; i++) {
		same = i && !strcmp(stems_of[i - 1], stems_of[i]) ? same + 1 : 1;
		most = SL_MAX(most, same);
	}
	for (size_t i = 0; i < MADE; i++)
		free(stems_of[i]);
	ck_assert_msg(most * 100 >= made_up[_i].percent * MADE, "%s: %u of %d", made_up[_i].template, most, MADE);
}
END_TEST

/* Whatever the bytes: it ends, and what is not volatile stays as it is. */
START_TEST(test_any_bytes)
{
	static const char bytes[] = "aZ09.-_/x:tmp \xff";

	state = 5;
	for (int round = 0; round < 20000; round++) {
		SL_STRBUF path = SL_STRBUF_INIT;
		SL_STRBUF stem = SL_STRBUF_INIT;

		for (unsigned int n = rnd(40); n; n--)
			sl_strbuf_addch(&path, bytes[rnd(sizeof(bytes) - 1)]);
		if (!sl_volatile_stem(&stem, sl_strbuf_str(&path), NULL))
			ck_assert_str_eq(sl_strbuf_str(&stem), sl_strbuf_str(&path));
	}
}
END_TEST

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
    /* The first digits of a hash are known by the hash below them. */
    {"/o/ab/3f786850e387550fdab836ed7e6dc881de2300", "/o", "/o", 1},
    {"/o/ab/README", "/o", "/o/ab/README", 0},
    {"/dev/disk/by-uuid/123e4567-e89b-12d3-a456-426614174000", "/dev/disk/by-uuid",
     "/dev/disk/by-uuid/123e4567-e89b-12d3-a456-426614174000", 0},
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
    {"/o/ab/3f786850e387550fdab836ed7e6dc881de2300 /o/7/3f786850e387550fdab836ed7e6dc881de2300 /o/c1/4f786850e387550fdab836ed",
     "/o/ab/3f786850e387550fdab836ed7e6dc881de2300 /o/c1/4f786850e387550fdab836ed", "",
     "/o /o/7/3f786850e387550fdab836ed7e6dc881de2300"},
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
	tcase_add_loop_test(t, test_stable, 0, SL_ARRAY_LEN(stable));
	tcase_add_loop_test(t, test_made_up, 0, SL_ARRAY_LEN(made_up));
	tcase_add_test(t, test_any_bytes);
	tcase_add_loop_test(t, test_gone, 0, SL_ARRAY_LEN(gone));
	tcase_add_loop_test(t, test_differing, 0, SL_ARRAY_LEN(differing));
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
