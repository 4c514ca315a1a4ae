/*
 * test-profile-calls.c - names of system calls in profiles: that they are portable, what merge and diff make
 * of lists of them, and what a list stands for by number.
 */
#include <check.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "policy/call-set.h"
#include "profile/call-names.h"
#include "profile/diff.h"
#include "profile/merge.h"
#include "profile/read.h"

static int on(uint32_t arch, const char *name)
{
	return seccomp_syscall_resolve_name_arch(arch, name);
}

/* Every member is portable, but for what one architecture alone needs; in byte order, none twice. */
START_TEST(base_is_portable)
{
	for (size_t i = 0; sl_call_base[i]; i++) {
		const char *name = sl_call_base[i];

		ck_assert_str_eq(sl_call_portable(name), name);
		ck_assert(sl_call_in_base(name));
		if (i)
			ck_assert_int_lt(strcmp(sl_call_base[i - 1], name), 0);
		ck_assert_int_ge(on(SCMP_ARCH_X86_64, name), 0);
		if (strcmp(name, "arch_prctl") != 0)
			ck_assert_int_ge(on(SCMP_ARCH_AARCH64, name), 0);
	}
	ck_assert(sl_call_in_base("stat") && sl_call_in_base("open") && sl_call_in_base("poll"));
	ck_assert(!sl_call_in_base("mkdir") && !sl_call_in_base("clone") && !sl_call_in_base("@base"));
}
END_TEST

/* Every call of x86_64 up to the last one with a number of its own has a name that aarch64 has too, but for
 * those that mean its hardware, do nothing any more, or are refused. */
START_TEST(names_are_portable)
{
	static const char *const own[] = {"_sysctl",
					  "afs_syscall",
					  "arch_prctl",
					  "create_module",
					  "epoll_ctl_old",
					  "epoll_wait_old",
					  "get_kernel_syms",
					  "get_thread_area",
					  "getpmsg",
					  "ioperm",
					  "iopl",
					  "modify_ldt",
					  "putpmsg",
					  "query_module",
					  "security",
					  "set_thread_area",
					  "sysfs",
					  "tuxcall",
					  "uselib",
					  "ustat",
					  "vserver"};
	size_t checked = 0;

	for (int nr = 0; nr <= 334; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, nr);
		const char *portable = name ? sl_call_portable(name) : NULL;
		bool is_own = false;

		for (size_t i = 0; name && i < SL_ARRAY_LEN(own); i++)
			is_own = is_own || !strcmp(own[i], name);
		if (name && !is_own) {
			ck_assert_msg(on(SCMP_ARCH_AARCH64, portable) >= 0, "%s", name);
			ck_assert_str_eq(sl_call_portable(portable), portable);
			if (on(SCMP_ARCH_AARCH64, name) >= 0)
				ck_assert_str_eq(portable, name);
			checked++;
		}
		free(name);
	}
	ck_assert_uint_gt(checked, 300);
}
END_TEST

static void profile_of(struct sl_profile *p, const char *text)
{
	struct sl_diags diags = {0};
	SL_FREE char *whole = sl_xasprintf("version = 2\n[syscalls]\n%s\n", text);

	sl_profile_init(p, 2);
	ck_assert_msg(sl_profile_parse(whole, strlen(whole), "p.toml", p, &diags) == 0, "%s", text);
	sl_diags_release(&diags);
}

static char *listed(const struct sl_profile *p)
{
	SL_STRBUF out = SL_STRBUF_INIT;

	if (!p->syscalls.allow.present)
		return sl_xstrdup("none");
	for (size_t i = 0; i < p->syscalls.allow.len; i++)
		sl_strbuf_addf(&out, "%s%s", i ? " " : "", p->syscalls.allow.items[i].text);
	return sl_strbuf_detach(&out);
}

START_TEST(test_P2_lists_of_system_calls)
{
	static const struct {
		const char *a, *b, *merged;
	} rows[] = {
	    {"allow = [\"@base\", \"clone\"]", "allow = [\"@base\", \"wait4\"]", "@base clone wait4"},
	    {"allow = [\"@base\"]", "allow = [\"read\", \"kill\"]", "@base kill"},
	    {"allow = [\"mkdir\"]", "allow = [\"mkdirat\"]", "mkdirat"},
	    {"allow = [\"mkdir\"]", "allow = [\"rmdir\"]", "mkdir rmdir"},
	    {"allow = [\"@base\", \"open\"]", "allow = []", "@base"},
	    {"allow = []", "allow = []", ""},
	    {"allow = [\"@base\"]", "", "none"},
	    {"", "", "none"},
	};

	for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++)
		for (int turned = 0; turned < 2; turned++) {
			struct sl_profile a, b, merged;
			const struct sl_profile *in[] = {&a, &b};
			struct sl_strv notes = SL_STRV_INIT;
			SL_FREE char *text = NULL;

			profile_of(&a, turned ? rows[i].b : rows[i].a);
			profile_of(&b, turned ? rows[i].a : rows[i].b);
			sl_profile_merge(in, 2, NULL, &merged, &notes);
			text = listed(&merged);
			ck_assert_str_eq(text, rows[i].merged);
			ck_assert_uint_eq(notes.len, !strcmp(text, "none") && *rows[i].a ? 1U : 0U);
			sl_strv_release(&notes);
			sl_profile_release(&a);
			sl_profile_release(&b);
			sl_profile_release(&merged);
		}
}
END_TEST

START_TEST(test_P3_lists_of_system_calls)
{
	static const struct {
		const char *a, *b;
		size_t widened, narrowed;
	} rows[] = {
	    {"allow = [\"@base\", \"clone\"]", "allow = [\"@base\", \"wait4\"]", 1, 1},
	    {"allow = [\"@base\", \"read\"]", "allow = [\"@base\"]", 0, 0},
	    {"allow = [\"fork\", \"open\"]", "allow = [\"clone\", \"creat\"]", 0, 0},
	    {"allow = [\"@base\"]", "allow = [\"@base\", \"stat\", \"dup2\"]", 0, 0},
	    {"allow = [\"read\", \"kill\"]", "allow = [\"@base\"]", 1, 1},
	    {"allow = [\"@base\"]", "", 1, 0},
	    {"", "allow = []", 0, 1},
	    {"allow = []", "allow = [\"kill\"]", 1, 0},
	};

	for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
		struct sl_changes changes = {0};
		struct sl_profile a, b;
		size_t widened = 0;

		profile_of(&a, rows[i].a);
		profile_of(&b, rows[i].b);
		sl_profile_diff(&a, &b, NULL, &changes);
		for (size_t j = 0; j < changes.len; j++)
			widened += changes.items[j].kind == SL_CHANGE_WIDENED;
		ck_assert_msg(widened == rows[i].widened && changes.len - widened == rows[i].narrowed,
			      "row %zu", i);
		sl_changes_release(&changes);
		sl_profile_release(&a);
		sl_profile_release(&b);
	}
}
END_TEST

/* What "@base" stands for by number is what its members stand for by name. */
START_TEST(base_by_number)
{
	struct sl_call_set base = SL_CALL_SET_INIT, named = SL_CALL_SET_INIT;

	sl_call_set_add_base(&base);
	for (size_t i = 0; sl_call_base[i]; i++)
		ck_assert_int_eq(sl_call_set_add_name(&named, sl_call_base[i]), 0);
	ck_assert_mem_eq(&base, &named, sizeof(base));
	for (int nr = 0; nr <= SL_CALL_LAST; nr++)
		ck_assert(!sl_call_name(nr) ||
			  sl_call_set_has(&base, nr) == sl_call_in_base(sl_call_name(nr)));
	ck_assert(!sl_call_set_has(&base, -1) && !sl_call_set_has(&base, 1 << 30));
	ck_assert_int_eq(sl_call_set_add_name(&base, "sysv_ipc"), -ENOENT);
	ck_assert_int_eq(sl_call_set_add_name(&base, ""), -ENOENT);
}
END_TEST

/* A name of x86_64 alone stands for the portable call wherever it is read. */
START_TEST(families_by_number)
{
	struct sl_call_set a = SL_CALL_SET_INIT, b = SL_CALL_SET_INIT;

	ck_assert_int_eq(sl_call_set_add_name(&a, "rmdir"), 0);
	ck_assert_int_eq(sl_call_set_add_name(&b, "unlinkat"), 0);
	ck_assert(sl_call_set_has(&a, __NR_unlinkat));
	ck_assert_mem_eq(&a, &b, sizeof(a));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("profile-calls");
	TCase *t = tcase_create("profile-calls");
	SRunner *r;
	int failed;

	tcase_add_test(t, base_is_portable);
	tcase_add_test(t, names_are_portable);
	tcase_add_test(t, test_P2_lists_of_system_calls);
	tcase_add_test(t, test_P3_lists_of_system_calls);
	tcase_add_test(t, base_by_number);
	tcase_add_test(t, families_by_number);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
