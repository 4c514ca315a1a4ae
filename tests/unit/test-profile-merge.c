/*
 * test-profile-merge.c - merging and comparing: properties over generated profiles, judged by an evaluator
 * that knows nothing of how merging is done.
 */
#include <check.h>
#include <string.h>

#include "base/path.h"
#include "profile/destination.h"
#include "profile/diff.h"
#include "profile/merge.h"
#include "profile/read.h"
#include "profile/write.h"

#define ROUNDS	 300
#define PROFILES 50

/* The tree over which rights are compared: every path of up to three of these names. */
static const char *const names[] = {"a", "b", "c"};

struct tree {
	char paths[1 + 3 + 9 + 27][16];
	size_t count;
};

static void grow(struct tree *t, const char *above, int depth)
{
	for (size_t i = 0; i < SL_ARRAY_LEN(names) && depth; i++) {
		char path[16];

		snprintf(path, sizeof(path), "%s/%s", above, names[i]);
		memcpy(t->paths[t->count++], path, sizeof(path));
		grow(t, path, depth - 1);
	}
}

static unsigned int state;

static unsigned int rnd(unsigned int below)
{
	state = state * 1103515245u + 12345u;
	return (state >> 16) % below;
}

static const char *const destinations[] = {
    "*:443", "tcp://a.example:443", "a.example:80,443", "10.1.0.0/16", "10.1.2.3:80", "udp://10.1.2.3", "icmp://*", "A.example.",
};
static const char *const requests[] = {"GET a.example/x", "GET a.example/*", "* a.example", "POST *", "GET *"};

static void generate(struct sl_profile *p, const struct tree *t, int version)
{
	sl_profile_init(p, version);
	for (unsigned int n = rnd(12); n; n--) {
		unsigned int key = version == 1 ? (rnd(2) ? SL_FS_READ : SL_FS_WRITE) : rnd(SL_FS_DENY);

		sl_list_add(&p->filesystem.lists[key], t->paths[rnd((unsigned int)t->count)], 0);
	}
	if (rnd(2))
		p->limits.memory = 1 + rnd(1000);
	if (rnd(4))
		p->limits.open_files = 1 + rnd(100);
	if (rnd(3) == 0)
		sl_list_add(&p->filesystem.lists[SL_FS_DENY], t->paths[rnd((unsigned int)t->count)], 0);
	if (rnd(3) == 0)
		sl_list_add(&p->network.allow_bind, rnd(4) ? "80-90" : "*", 0);
	if (rnd(3) == 0)
		sl_list_add(&p->network.allow_bind, "85", 0);
	if (p->network.allow_bind.len > 1 && !strcmp(p->network.allow_bind.items[0].text, "*"))
		sl_list_release(&p->network.allow_bind);
	for (unsigned int n = rnd(4); n; n--)
		sl_list_add(&p->network.allow, destinations[rnd(SL_ARRAY_LEN(destinations))], 0);
	if (!p->network.allow.len && rnd(6) == 0)
		sl_list_add(&p->network.deny, rnd(2) ? "10.0.0.0/8" : "10.1.0.0/16:80", 0);
	for (unsigned int n = rnd(3) ? 0 : rnd(4); n; n--)
		sl_list_add(&p->http.allow, requests[rnd(SL_ARRAY_LEN(requests))], 0);
}

/* What one key allows on a path, each entry looked at in turn. */
static bool allows(const struct sl_profile *p, unsigned int right, const char *path)
{
	for (unsigned int key = 0; key < SL_FS_DENY; key++)
		for (size_t i = 0; i < p->filesystem.lists[key].len; i++) {
			const char *entry = p->filesystem.lists[key].items[i].text;
			size_t len = strlen(entry);
			bool same = !strcmp(entry, path);
			bool within = same || (!strncmp(entry, path, len) && path[len] == '/');
			bool gives = key == right;

			if (p->version == 1)
				gives = key == SL_FS_WRITE || right == SL_FS_READ || right == SL_FS_LIST ||
					right == SL_FS_EXEC;
			else if (key == SL_FS_READ && right == SL_FS_LIST)
				gives = true;
			else if (key == SL_FS_CREATE && right == SL_FS_WRITE)
				gives = !same;
			if (within && gives)
				return true;
		}
	return false;
}

static void same_rights(const struct tree *t, const struct sl_profile *merged,
			const struct sl_profile *const *in, size_t count)
{
	for (size_t i = 0; i < t->count; i++)
		for (unsigned int right = 0; right < SL_FS_DENY; right++) {
			bool any = false;

			for (size_t j = 0; j < count; j++)
				any |= allows(in[j], right, t->paths[i]);
			ck_assert_msg(allows(merged, right, t->paths[i]) == any, "%s on %s: %d",
				      sl_fs_key_name(right), t->paths[i], any);
		}
}

/* Does the profile let every request and every connection of that destination through? */
static bool allows_destination(const struct sl_profile *p, const char *text)
{
	return p->network.allow.len ? sl_destinations_cover(&p->network.allow, text) != NULL : p->network.deny.len > 0;
}

static bool allows_request(const struct sl_profile *p, const char *rule)
{
	bool allowed = !p->http.allow.len && allows_destination(p, "tcp://a.example:443");

	for (size_t i = 0; i < p->http.allow.len; i++)
		allowed |= sl_http_rule_covers(p->http.allow.items[i].text, rule);
	return allowed;
}

static void same_network(const struct sl_profile *merged, const struct sl_profile *const *in, size_t count)
{
	for (size_t i = 0; i < SL_ARRAY_LEN(destinations); i++) {
		bool any = false;

		for (size_t j = 0; j < count; j++)
			any |= allows_destination(in[j], destinations[i]);
		ck_assert_msg(!any || allows_destination(merged, destinations[i]), "%s", destinations[i]);
		ck_assert_msg(any || !sl_list_contains(&merged->network.allow, destinations[i]), "%s", destinations[i]);
	}
	for (size_t i = 0; i < SL_ARRAY_LEN(requests); i++)
		for (size_t j = 0; j < count; j++)
			ck_assert_msg(!allows_request(in[j], "GET a.example/x") ||
					  allows_request(merged, "GET a.example/x"),
				      "%s", requests[i]);
}

static char *merged_text(const struct sl_profile *const *in, size_t count, struct sl_profile *ret)
{
	SL_STRBUF text = SL_STRBUF_INIT;
	struct sl_strv notes = SL_STRV_INIT;
	struct sl_profile loaded;
	struct sl_diags diags = {0};

	sl_profile_merge(in, count, NULL, ret, &notes);
	sl_profile_format(&text, ret, NULL);
	ck_assert_int_eq(sl_profile_parse(sl_strbuf_str(&text), text.len, "merged", &loaded, &diags), 0);
	sl_profile_release(&loaded);
	sl_diags_release(&diags);
	sl_strv_release(&notes);
	return sl_strbuf_detach(&text);
}

START_TEST(test_P2_commutative_associative_idempotent)
{
	struct tree t = {0};

	grow(&t, "", 3);
	state = 1;
	for (int round = 0; round < ROUNDS; round++) {
		struct sl_profile p[3], ab, ba, aa, abc, ab_c, a_bc, bc;

		for (size_t i = 0; i < 3; i++)
			generate(&p[i], &t, rnd(3) ? 2 : 1);
		SL_FREE char *t_ab = merged_text((const struct sl_profile *[]){&p[0], &p[1]}, 2, &ab);
		SL_FREE char *t_ba = merged_text((const struct sl_profile *[]){&p[1], &p[0]}, 2, &ba);
		SL_FREE char *t_aa = merged_text((const struct sl_profile *[]){&ab, &ab}, 2, &aa);
		SL_FREE char *t_bc = merged_text((const struct sl_profile *[]){&p[1], &p[2]}, 2, &bc);
		SL_FREE char *t_abc =
		    merged_text((const struct sl_profile *[]){&p[0], &p[1], &p[2]}, 3, &abc);
		SL_FREE char *t_ab_c = merged_text((const struct sl_profile *[]){&ab, &p[2]}, 2, &ab_c);
		SL_FREE char *t_a_bc = merged_text((const struct sl_profile *[]){&p[0], &bc}, 2, &a_bc);

		ck_assert_str_eq(t_ab, t_ba);
		ck_assert_str_eq(t_ab, t_aa);
		ck_assert_str_eq(t_abc, t_ab_c);
		ck_assert_str_eq(t_abc, t_a_bc);
		ck_assert_ptr_nonnull(t_bc);
		same_rights(&t, &ab, (const struct sl_profile *[]){&p[0], &p[1]}, 2);
		same_network(&ab, (const struct sl_profile *[]){&p[0], &p[1]}, 2);
		same_network(&abc, (const struct sl_profile *[]){&p[0], &p[1], &p[2]}, 3);
		same_rights(&t, &abc, (const struct sl_profile *[]){&p[0], &p[1], &p[2]}, 3);
		for (size_t i = 0; i < 3; i++)
			sl_profile_release(&p[i]);
		sl_profile_release(&ab);
		sl_profile_release(&ba);
		sl_profile_release(&aa);
		sl_profile_release(&abc);
		sl_profile_release(&ab_c);
		sl_profile_release(&a_bc);
		sl_profile_release(&bc);
	}
}
END_TEST

START_TEST(test_P2_fifty_in_random_orders)
{
	struct tree t = {0};
	struct sl_profile p[PROFILES], ret;
	const struct sl_profile *in[PROFILES];
	SL_FREE char *first = NULL;

	grow(&t, "", 3);
	state = 7;
	for (size_t i = 0; i < PROFILES; i++) {
		generate(&p[i], &t, i % 5 ? 2 : 1);
		in[i] = &p[i];
	}
	first = merged_text(in, PROFILES, &ret);
	same_rights(&t, &ret, in, PROFILES);
	same_network(&ret, in, PROFILES);
	sl_profile_release(&ret);
	for (int round = 0; round < 20; round++) {
		SL_FREE char *text = NULL;

		for (unsigned int i = PROFILES - 1; i; i--) {
			unsigned int j = rnd(i + 1);
			const struct sl_profile *other = in[i];

			in[i] = in[j];
			in[j] = other;
		}
		text = merged_text(in, PROFILES, &ret);
		ck_assert_str_eq(text, first);
		sl_profile_release(&ret);
	}
	for (size_t i = 0; i < PROFILES; i++)
		sl_profile_release(&p[i]);
}
END_TEST

START_TEST(test_P2_hundred_thousand_entries)
{
	struct sl_profile a, b, ret;
	struct sl_strv notes = SL_STRV_INIT;

	sl_profile_init(&a, 2);
	sl_profile_init(&b, 2);
	for (unsigned int i = 0; i < 50000; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/usr/share/d%u/e/f%u", i % 300, i);
		sl_list_add(&a.filesystem.lists[i % SL_FS_DENY], path, 0);
		snprintf(path, sizeof(path), "/opt/d%u/e/f%u", i % 300, i);
		sl_list_add(&b.filesystem.lists[i % SL_FS_DENY], path, 0);
	}
	sl_list_add(&b.filesystem.lists[SL_FS_READ], "/opt/d1", 0);
	sl_profile_merge((const struct sl_profile *[]){&a, &b}, 2, NULL, &ret, &notes);
	ck_assert(!sl_list_contains(&ret.filesystem.lists[SL_FS_LIST], "/opt/d1/e/f1"));
	ck_assert(sl_list_contains(&ret.filesystem.lists[SL_FS_LIST], "/opt/d7/e/f7"));
	sl_profile_release(&a);
	sl_profile_release(&b);
	sl_profile_release(&ret);
	sl_strv_release(&notes);
}
END_TEST

/* Leave nothing but what allows() knows. */
static void keep_grants(struct sl_profile *p)
{
	sl_list_release(&p->filesystem.lists[SL_FS_DENY]);
	sl_list_release(&p->network.allow);
	sl_list_release(&p->network.deny);
	sl_list_release(&p->network.allow_bind);
	sl_list_release(&p->http.allow);
}

START_TEST(test_P3_widened_is_what_the_evaluator_finds)
{
	struct tree t = {0};

	grow(&t, "", 3);
	state = 3;
	for (int round = 0; round < ROUNDS; round++) {
		struct sl_profile a, b, ret;
		struct sl_changes none = {0}, changes = {0};
		struct sl_strv notes = SL_STRV_INIT;
		bool found = false, wider = false;

		generate(&a, &t, rnd(2) ? 2 : 1);
		generate(&b, &t, rnd(2) ? 2 : 1);
		keep_grants(&a);
		keep_grants(&b);
		a.limits.memory = b.limits.memory = a.limits.open_files = b.limits.open_files = SL_INT_UNSET;
		sl_profile_diff(&a, &b, NULL, &changes);
		for (size_t i = 0; i < changes.len; i++)
			found |= changes.items[i].kind != SL_CHANGE_NARROWED;
		for (size_t i = 0; i < t.count; i++)
			for (unsigned int right = 0; right < SL_FS_DENY; right++)
				wider |= allows(&b, right, t.paths[i]) && !allows(&a, right, t.paths[i]);
		ck_assert_int_eq(found, wider);
		sl_profile_merge((const struct sl_profile *[]){&a, &b}, 2, NULL, &ret, &notes);
		sl_profile_diff(&ret, &b, NULL, &none);
		for (size_t i = 0; i < none.len; i++)
			ck_assert_int_eq(none.items[i].kind, SL_CHANGE_NARROWED);
		sl_changes_release(&none);
		sl_changes_release(&changes);
		sl_strv_release(&notes);
		sl_profile_release(&a);
		sl_profile_release(&b);
		sl_profile_release(&ret);
	}
}
END_TEST

START_TEST(test_P2_learned)
{
	struct tree t = {0};

	grow(&t, "", 3);
	state = 11;
	for (int round = 0; round < ROUNDS; round++) {
		struct sl_profile old, learned, once, twice;
		struct sl_strv notes = SL_STRV_INIT;

		generate(&old, &t, 2);
		generate(&learned, &t, 2);
		old.program.exec = sl_xstrdup("/old");
		learned.program.exec = sl_xstrdup("/learned");
		if (rnd(2))
			sl_list_add(&old.syscalls.allow, "read", 0);
		sl_list_add(&learned.syscalls.allow, "write", 0);
		sl_profile_merge_learned(&old, &learned, NULL, &once, &notes);
		ck_assert_str_eq(once.program.exec, "/old");
		ck_assert_uint_eq(once.syscalls.allow.len, old.syscalls.allow.len ? 2 : 0);
		ck_assert_int_eq(once.limits.memory, old.limits.memory == SL_INT_UNSET
							 ? SL_INT_UNSET
							 : SL_MAX(old.limits.memory, learned.limits.memory));
		same_rights(&t, &once, (const struct sl_profile *[]){&old, &learned}, 2);
		sl_profile_merge_learned(&once, &learned, NULL, &twice, &notes);
		for (unsigned int key = 0; key < SL_FS_DENY; key++)
			ck_assert_uint_eq(once.filesystem.lists[key].len, twice.filesystem.lists[key].len);
		sl_strv_release(&notes);
		sl_profile_release(&old);
		sl_profile_release(&learned);
		sl_profile_release(&once);
		sl_profile_release(&twice);
	}
}
END_TEST

static bool is_device(const char *path, void *arg SL_UNUSED)
{
	return !strcmp(path, "/d/console");
}

static void devices(const char *dir, struct sl_strv *ret, void *arg SL_UNUSED)
{
	if (!strcmp(dir, "/d"))
		sl_strv_add(ret, "/d/console");
}

START_TEST(test_P2_devices_of_version_1)
{
	const struct sl_look look = {.is_device = is_device, .devices = devices};
	struct sl_strv notes = SL_STRV_INIT;
	struct sl_profile a, b, ret;
	const struct sl_list *write = &ret.filesystem.lists[SL_FS_WRITE];

	sl_profile_init(&a, 1);
	sl_profile_init(&b, 2);
	sl_list_add(&a.filesystem.lists[SL_FS_WRITE], "/d", 0);
	sl_list_add(&b.filesystem.lists[SL_FS_WRITE], "/d/file", 0);
	sl_profile_merge((const struct sl_profile *[]){&a, &b}, 2, &look, &ret, &notes);
	ck_assert_uint_eq(write->len, 2);
	ck_assert(sl_list_contains(write, "/d") && sl_list_contains(write, "/d/console"));
	sl_strv_release(&notes);
	sl_profile_release(&a);
	sl_profile_release(&b);
	sl_profile_release(&ret);
}
END_TEST

static const struct {
	const char *allow[2], *deny, *http[2], *out, *requests;
	size_t notes;
} networks[] = {
	{{"10.0.0.0/8", "10.1.2.3:80"}, NULL, {NULL, NULL}, "10.0.0.0/8", "", 0},
	{{"10.1.2.3", "::ffff:10.1.0.0/112"}, NULL, {NULL, NULL}, "::ffff:10.1.0.0/112", "", 0},
	{{"tcp://a.example:443", "A.EXAMPLE."}, NULL, {NULL, NULL}, "A.EXAMPLE.", "", 0},
	{{"udp://a:53", "tcp://a:1-100"}, NULL, {NULL, NULL}, "tcp://a:1-100 udp://a:53", "", 0},
	{{"10.1.0.0/16:80", NULL}, "10.0.0.0/8", {NULL, NULL}, "", "", 1},
	{{"a.example:443", "b.example"}, NULL, {"GET b.example/x", NULL}, "a.example:443 b.example", "* b.example", 1},
	{{"10.1.2.3", "[2001:db8::1]:80"}, NULL, {NULL, "GET b/x"}, "10.1.2.3 [2001:db8::1]:80", "* 10.1.2.3 GET b/x", 1},
	{{"10.1.2.0/24", NULL}, NULL, {NULL, "GET b/x"}, "10.1.2.0/24", "* *", 1},
	{{"udp://b", NULL}, NULL, {NULL, "GET b/x"}, "udp://b", "GET b/x", 0},
	{{NULL, NULL}, NULL, {"GET b/x*", "GET b/xy"}, "", "GET b/x*", 0},
};

static char *join(const struct sl_list *list)
{
	SL_STRBUF out = SL_STRBUF_INIT;

	for (size_t i = 0; i < list->len; i++)
		sl_strbuf_addf(&out, "%s%s", i ? " " : "", list->items[i].text);
	return sl_strbuf_detach(&out);
}

START_TEST(test_P2_network)
{
	struct sl_strv notes = SL_STRV_INIT;
	struct sl_profile p[2], ret;
	SL_FREE char *out = NULL, *requests_out = NULL;

	for (size_t i = 0; i < 2; i++) {
		sl_profile_init(&p[i], 2);
		if (networks[_i].allow[i])
			sl_list_add(&p[i].network.allow, networks[_i].allow[i], 0);
		if (networks[_i].http[i])
			sl_list_add(&p[i].http.allow, networks[_i].http[i], 0);
	}
	if (networks[_i].deny)
		sl_list_add(&p[1].network.deny, networks[_i].deny, 0);
	sl_profile_merge((const struct sl_profile *[]){&p[0], &p[1]}, 2, NULL, &ret, &notes);
	out = join(&ret.network.allow);
	requests_out = join(&ret.http.allow);
	ck_assert_str_eq(out, networks[_i].out);
	ck_assert_str_eq(requests_out, networks[_i].requests);
	ck_assert_uint_eq(notes.len, networks[_i].notes);
	sl_strv_release(&notes);
	sl_profile_release(&p[0]);
	sl_profile_release(&p[1]);
	sl_profile_release(&ret);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("profile-merge");
	TCase *tc = tcase_create("merge");
	SRunner *runner = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_P2_commutative_associative_idempotent);
	tcase_add_test(tc, test_P2_fifty_in_random_orders);
	tcase_add_test(tc, test_P2_hundred_thousand_entries);
	tcase_add_test(tc, test_P2_learned);
	tcase_add_test(tc, test_P2_devices_of_version_1);
	tcase_add_loop_test(tc, test_P2_network, 0, SL_ARRAY_LEN(networks));
	tcase_add_test(tc, test_P3_widened_is_what_the_evaluator_finds);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
