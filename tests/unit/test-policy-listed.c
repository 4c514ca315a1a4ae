/*
 * test-policy-listed.c - the seccomp program under [syscalls] allow, and while learn counts calls, in the
 * simulator: what a list makes of each number, and that it only takes.
 */
#include <check.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "policy/bpf.h"
#include "policy/filter.h"

#include "net-plans.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

static const struct sl_filter_plan run_plan = {.listener = true, .attributes = true, .net = NET_NOTHING};
static const struct sl_filter_plan learn_plan = {.listener = true, .observe = true, .allow_sysv_ipc = true, .net = NET_LEARN};

#define A 0 /* allowed; else the expected errno */

static void build(struct sl_filter *f, const struct sl_filter_plan *plan)
{
	struct sl_error err = SL_ERROR_INIT;

	ck_assert_msg(sl_filter_build(plan, f, &err) == 0, "%s", err.text);
}

static uint32_t verdict_of(int expected)
{
	return expected == A ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | (uint32_t)expected;
}

/* [syscalls] allow: for each call, what a list that holds "@base", clone, mkdirat, mount and shmget makes of
 * it. */
START_TEST(listed_calls)
{
	static const struct {
		int nr, expected;
	} rows_listed[] = {
	    {__NR_read, A},
	    {__NR_execve, A},
	    {__NR_openat, A},
	    {__NR_newfstatat, A},
	    {__NR_clone, A},
	    {__NR_mkdirat, A},
	    /* not listed: with the errno of the table */
	    {__NR_unlinkat, EPERM},
	    {__NR_kill, EPERM},
	    {__NR_socket, EPERM},
	    {__NR_wait4, EPERM},
	    {__NR_fchmodat, EPERM},
	    {__NR_renameat2, ENOSYS},
	    {__NR_memfd_create, ENOSYS},
	    {__NR_copy_file_range, ENOSYS},
	    {__NR_openat2, ENOSYS},
	    {__NR_close_range, ENOSYS},
	    {462 /* mseal */, ENOSYS},
	    /* what is refused whatever is listed keeps its errno */
	    {__NR_mount, EPERM},
	    {__NR_shmget, ENOSYS},
	    {__NR_clone3, ENOSYS},
	    {__NR_bpf, EPERM},
#ifdef __x86_64__
	    /* a listed name admits its legacy forms, and no others */
	    {__NR_mkdir, A},
	    {__NR_fork, A},
	    {__NR_vfork, A},
	    {__NR_open, A},
	    {__NR_creat, A},
	    {__NR_stat, A},
	    {__NR_lstat, A},
	    {__NR_access, A},
	    {__NR_poll, A},
	    {__NR_dup2, A},
	    {__NR_rmdir, EPERM},
	    {__NR_rename, EPERM},
#endif
	};
	static const char *const names[] = {"@base", "clone", "mkdirat", "mount", "shmget", "socketcall"};
	static const uint64_t zero[6], newuser[6] = {CLONE_NEWUSER};
	struct sl_call_set set = SL_CALL_SET_INIT;
	struct sl_filter_plan plan = run_plan;
	struct sl_filter f;

	for (size_t i = 0; i < SL_ARRAY_LEN(names); i++)
		ck_assert_int_eq(sl_call_set_add_name(&set, names[i]), 0);
	ck_assert_int_eq(sl_call_set_add_name(&set, "opneat"), -ENOENT);
	plan.listed = &set;
	build(&f, &plan);
	for (size_t i = 0; i < SL_ARRAY_LEN(rows_listed); i++)
		ck_assert_msg(sl_filter_simulate(&f, ARCH, rows_listed[i].nr, zero) ==
				  verdict_of(rows_listed[i].expected),
			      "%s", sl_call_name(rows_listed[i].nr));
	/* the judges still judge */
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_clone, newuser), verdict_of(EPERM));
	/* and what is listed by number alone costs nothing */
	ck_assert(sl_bpf_const_allow(f.insns, f.len, ARCH, __NR_read));
	ck_assert(sl_bpf_const_allow(f.insns, f.len, ARCH, __NR_mkdirat));
	ck_assert_uint_lt(f.len, 600);
	sl_filter_release(&f);
}
END_TEST

/* How many instructions decide on a call by its number. */
static unsigned int steps(const struct sl_filter *f, uint32_t nr)
{
	uint32_t a = 0;
	unsigned int count = 0;

	for (size_t pc = 0; pc < f->len; pc++, count++) {
		const struct sock_filter *in = &f->insns[pc];

		if (in->code == (BPF_LD | BPF_W | BPF_ABS) && in->k > offsetof(struct seccomp_data, arch))
			break; /* a judge begins */
		switch (in->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			a = in->k == offsetof(struct seccomp_data, nr) ? nr : ARCH;
			break;
		case BPF_JMP | BPF_JA:
			pc += in->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == in->k ? in->jt : in->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= in->k ? in->jt : in->jf;
			break;
		default:
			return count;
		}
	}
	return count;
}

/* Any list: what it allows by number alone the kernel still caches, so such calls never run the program; and those that do run
 * it are found by a tree. */
START_TEST(R3_a_list_costs_nothing)
{
	struct sl_filter_plan plan = run_plan;
	struct sl_filter plain, listed;
	unsigned int seed = 17;

	build(&plain, &plan);
	for (unsigned int round = 0; round < 60; round++) {
		struct sl_call_set set = SL_CALL_SET_INIT;

		if (round % 2)
			sl_call_set_add_base(&set);
		for (int nr = 0; nr <= SL_CALL_LAST; nr++) {
			seed = seed * 1103515245U + 12345U;
			if ((seed >> 16) % 60 < round)
				sl_call_set_add(&set, nr);
		}
		plan.listed = &set;
		build(&listed, &plan);
		for (uint32_t nr = 0; nr <= SL_CALL_LAST; nr++) {
			if (sl_call_set_has(&set, (int)nr))
				ck_assert_msg(sl_bpf_const_allow(plain.insns, plain.len, ARCH, nr) ==
						  sl_bpf_const_allow(listed.insns, listed.len, ARCH, nr),
					      "%s", sl_call_name((int)nr));
			ck_assert_msg(steps(&listed, nr) <= 18, "%u: %u", nr, steps(&listed, nr));
		}
		sl_filter_release(&listed);
	}
	sl_filter_release(&plain);
}
END_TEST

/* Whatever is listed, nothing is allowed that would be refused without a list, at any number. */
START_TEST(list_only_takes)
{
	static const uint64_t args[][6] = {
	    {0}, {1, 1, 1, 1, 1, 1}, {CLONE_NEWUSER, 0x5412, 7}, {AF_PACKET, 3}};
	struct sl_call_set all = SL_CALL_SET_INIT, none = SL_CALL_SET_INIT, some = SL_CALL_SET_INIT;
	struct sl_filter_plan plan = run_plan;
	struct sl_filter plain, whole, empty, part;
	unsigned int seed = 4711;

	for (int nr = 0; nr <= SL_CALL_LAST; nr++) {
		sl_call_set_add(&all, nr);
		seed = seed * 1103515245U + 12345U;
		if (seed >> 16 & 1)
			sl_call_set_add(&some, nr);
	}
	build(&plain, &plan);
	plan.listed = &all;
	build(&whole, &plan);
	plan.listed = &none;
	build(&empty, &plan);
	plan.listed = &some;
	build(&part, &plan);
	for (int nr = -1; nr <= SL_CALL_LAST + 2; nr++)
		for (size_t i = 0; i < SL_ARRAY_LEN(args); i++) {
			uint32_t bare = sl_filter_simulate(&plain, ARCH, nr, args[i]);
			uint32_t gone =
			    sl_filter_simulate(&empty, ARCH, nr, args[i]) & SECCOMP_RET_ACTION_FULL;

			ck_assert_uint_eq(sl_filter_simulate(&whole, ARCH, nr, args[i]), bare);
			ck_assert_uint_eq(gone, SECCOMP_RET_ERRNO);
			if (sl_call_set_has(&some, nr))
				ck_assert_uint_eq(sl_filter_simulate(&part, ARCH, nr, args[i]), bare);
			else
				ck_assert_uint_eq(sl_filter_simulate(&part, ARCH, nr, args[i]) &
						      SECCOMP_RET_ACTION_FULL,
						  SECCOMP_RET_ERRNO);
		}
	sl_filter_release(&plain);
	sl_filter_release(&whole);
	sl_filter_release(&empty);
	sl_filter_release(&part);
}
END_TEST

/* extra_deny holds over the list; with an observer that explains, what is not listed is notified, never
 * allowed. */
START_TEST(list_and_others)
{
	static const uint64_t zero[6];
	struct sl_call_set set = SL_CALL_SET_INIT;
	struct sl_strv names = SL_STRV_INIT;
	struct sl_filter_plan plan = run_plan;
	struct sl_filter f;

	sl_call_set_add_base(&set);
	sl_strv_add(&names, "ioctl");
	sl_strv_add(&names, "kill");
	plan.listed = &set;
	plan.extra_deny = &names;
	plan.observe = true;
	build(&f, &plan);
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_ioctl, zero), verdict_of(EPERM));
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_kill, zero), verdict_of(EPERM));
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_setsid, zero), SECCOMP_RET_USER_NOTIF);
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_mount, zero), verdict_of(EPERM));
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_read, zero), SECCOMP_RET_ALLOW);
	sl_filter_release(&f);
	sl_strv_release(&names);
}
END_TEST

/* While calls are counted, all but those of "@base" are notified; what is refused stays refused. */
START_TEST(counted_calls)
{
	static const uint64_t zero[6];
	struct sl_filter_plan plan = learn_plan;
	struct sl_call_set base = SL_CALL_SET_INIT;
	struct sl_filter f, plain;

	sl_call_set_add_base(&base);
	plan.count_calls = true;
	build(&f, &plan);
	build(&plain, &learn_plan);
	for (int nr = 0; nr <= SL_CALL_LAST; nr++) {
		uint32_t counted = sl_filter_simulate(&f, ARCH, nr, zero);
		uint32_t bare = sl_filter_simulate(&plain, ARCH, nr, zero);

		if (bare != SECCOMP_RET_ALLOW || sl_call_set_has(&base, nr))
			ck_assert_uint_eq(counted, bare);
		else
			ck_assert_msg(counted == SECCOMP_RET_USER_NOTIF, "%s", sl_call_name(nr));
	}
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_socket, (uint64_t[6]){AF_INET, SOCK_STREAM}),
			  SECCOMP_RET_USER_NOTIF);
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_socket, (uint64_t[6]){AF_PACKET, SOCK_RAW}),
			  verdict_of(EPERM));
	sl_filter_release(&f);
	sl_filter_release(&plain);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy-listed");
	TCase *t = tcase_create("policy-listed");
	SRunner *r;
	int failed;

	tcase_add_test(t, listed_calls);
	tcase_add_test(t, list_only_takes);
	tcase_add_test(t, R3_a_list_costs_nothing);
	tcase_add_test(t, list_and_others);
	tcase_add_test(t, counted_calls);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
