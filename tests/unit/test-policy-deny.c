/*
 * test-policy-deny.c - what is denied by name and by object, what a grant above it leaves to the kernel and
 * to the supervisor, without a sandbox.
 */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy/policy.h"
#include "supervise/sandbox.h"

static char top[64];

static const char *at(const char *name)
{
	static char path[4][128];
	static unsigned int turn;
	char *out = path[turn++ % 4];

	snprintf(out, sizeof(path[0]), "%s/%s", top, name);
	return out;
}

static void put(const char *name)
{
	int fd = open(at(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

/* TOP/d/{a,secret,sub/{b,hard},deep/er/inner}, TOP/out/c; hard is another name of secret, link leads to
 * d/sub. */
static void set_up(void)
{
	static const char *const directories[] = {"d", "d/sub", "d/deep", "d/deep/er", "out"};

	snprintf(top, sizeof(top), "/var/tmp/sl-deny-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	for (size_t i = 0; i < SL_ARRAY_LEN(directories); i++)
		ck_assert_int_eq(mkdir(at(directories[i]), 0700), 0);
	put("d/a");
	put("d/secret");
	put("d/sub/b");
	put("d/deep/er/inner");
	put("out/c");
	ck_assert_int_eq(link(at("d/secret"), at("d/sub/hard")), 0);
	ck_assert_int_eq(symlink("d/sub", at("link")), 0);
}

static void tear_down(void)
{
	sl_tree_remove(top);
}

/* All rights on TOP/d, these names denied. */
static void build(struct sl_policy *p, const char *const *denied)
{
	const struct sl_policy_options options = {0};
	struct sl_error err = SL_ERROR_INIT;
	struct sl_profile profile;
	int fd = -1;

	sl_profile_init(&profile, 2);
	for (enum sl_fs_key key = SL_FS_READ; key < SL_FS_DENY; key++)
		sl_list_add(&profile.filesystem.lists[key], at("d"), 0);
	for (; *denied; denied++)
		sl_list_add(&profile.filesystem.lists[SL_FS_DENY], at(*denied), 0);
	*p = SL_POLICY_INIT;
	ck_assert_msg(sl_policy_build(&profile, &options, p, &fd, &err) == 0, "%s", err.text);
	sl_profile_release(&profile);
}

static bool reads(const struct sl_policy *p, const char *name)
{
	return sl_policy_allows(p, &(struct sl_access){SL_RIGHT_READ, at(name)}, NULL);
}

START_TEST(test_R5_names)
{
	static const char *const denied[] = {"d/secret", "d/deep/er/inner", "d/none/at/all", NULL};
	static const struct {
		const char *name;
		bool reads, held;
	} rows[] = {
	    {"d/a", true, false},
	    {"d/secret", false, true},
	    {"d/secret/below", false, true},
	    {"d/secret2", true, false},
	    {"d/sub/b", true, false},
	    {"d/sub/hard", false, true},
	    {"d/sub", true, true}, /* hard is in it */
	    {"d/deep", true, true},
	    {"d/deep/er", true, true},
	    {"d/deep/er/inner", false, true},
	    {"d/deep/er/other", true, false},
	    {"d/none", true, true},
	    {"d/none/at/all", false, true},
	    {"d/none/other", true, false},
	    {"d", true, true},
	    {"out/c", false, false},
	};
	struct sl_policy p;

	build(&p, denied);
	for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
		ck_assert_msg(reads(&p, rows[i].name) == rows[i].reads, "%s", rows[i].name);
		ck_assert_msg(sl_policy_holds_name(&p, at(rows[i].name)) == rows[i].held, "%s", rows[i].name);
	}
	sl_policy_release(&p);
}
END_TEST

/* What the kernel has by itself, and what is left to the supervisor; an object that took another's place is a
 * new one. */
START_TEST(test_R5_beside)
{
	static const char *const denied[] = {"d/secret", NULL};
	struct sl_object_id id;
	struct sl_beside b;
	struct sl_policy p;

	build(&p, denied);
	ck_assert(sl_policy_beside(&p, at("d/a"), &b));
	ck_assert(b.native & SL_RIGHT_READ && b.native & SL_RIGHT_WRITE);
	put("d/new");
	ck_assert(sl_policy_beside(&p, at("d/new"), &b));
	ck_assert(!(b.native & (SL_RIGHT_READ | SL_RIGHT_WRITE)) && b.granted & SL_RIGHT_READ);
	ck_assert(sl_policy_beside(&p, at("d"), &b));
	ck_assert(!(b.native & (SL_RIGHT_CREATE | SL_RIGHT_DELETE)) && b.granted & SL_RIGHT_CREATE);
	ck_assert(b.native & SL_RIGHT_LIST); /* a file cannot be listed */
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(unlink(at("d/a")), 0);
		put("d/a");
		ck_assert(sl_policy_beside(&p, at("d/a"), &b));
		ck_assert(!(b.native & SL_RIGHT_READ) && b.granted & SL_RIGHT_READ);
	}
	ck_assert(!sl_policy_beside(&p, at("out/c"), &b));
	ck_assert_uint_eq(b.granted, 0);
	ck_assert_int_eq(rename(at("d/secret"), at("out/moved")), 0);
	ck_assert_int_eq(sl_object_id_of_path(at("out/moved"), &id), 0);
	ck_assert_ptr_nonnull(sl_deny_object(&p.deny, &id));
	sl_policy_release(&p);
}
END_TEST

/* Links are denied with what they lead to; a directory with all below; nothing is left on a way to one. */
START_TEST(test_R5_links_and_directories)
{
	static const char *const denied[] = {"link/b", "d/deep", NULL};
	struct sl_beside b;
	struct sl_policy p;

	build(&p, denied);
	ck_assert(sl_policy_holds_name(&p, at("link")));
	ck_assert(!reads(&p, "d/sub/b") && reads(&p, "d/sub/hard") && !reads(&p, "d/deep/er/inner"));
	ck_assert(sl_policy_beside(&p, at("d"), &b));
	ck_assert(!b.native && b.granted & SL_RIGHT_LIST);
	sl_policy_release(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy-deny");
	TCase *t = tcase_create("policy-deny");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, test_R5_names);
	tcase_add_test(t, test_R5_beside);
	tcase_add_test(t, test_R5_links_and_directories);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
