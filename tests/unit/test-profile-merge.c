/*
 * test-profile-merge.c - merging and comparing: properties over generated profiles, judged by an evaluator
 * that knows nothing of how merging is done.
 */
#include <check.h>
#include <string.h>
#include <time.h>

#include "base/path.h"
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
	struct timespec from, to;
	double took;

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
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	sl_profile_merge((const struct sl_profile *[]){&a, &b}, 2, NULL, &ret, &notes);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	took = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	ck_assert_msg(took < 1, "%g s", took);
	ck_assert(!sl_list_contains(&ret.filesystem.lists[SL_FS_LIST], "/opt/d1/e/f1"));
	ck_assert(sl_list_contains(&ret.filesystem.lists[SL_FS_LIST], "/opt/d7/e/f7"));
	sl_profile_release(&a);
	sl_profile_release(&b);
	sl_profile_release(&ret);
	sl_strv_release(&notes);
}
END_TEST

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
		for (size_t i = 0; i < SL_FS_KEY_COUNT; i++)
			if (i == SL_FS_DENY) {
				sl_list_release(&a.filesystem.lists[i]);
				sl_list_release(&b.filesystem.lists[i]);
			}
		sl_list_release(&a.network.allow_bind);
		sl_list_release(&b.network.allow_bind);
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
	tcase_add_test(tc, test_P3_widened_is_what_the_evaluator_finds);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
