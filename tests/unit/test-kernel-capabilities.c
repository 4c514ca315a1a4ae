/*
 * test-kernel-capabilities.c - what is given up is gone, for exec and user number 0 too; what is kept works.
 */
#include <check.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/capabilities.h"

/* Effective capabilities of the calling process. */
static uint64_t effective(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2];

	ck_assert_int_eq(syscall(SYS_capget, &header, sets), 0);
	return sets[0].effective | (uint64_t)sets[1].effective << 32;
}

/* The tests fork by themselves: each may give its capabilities up. */
START_TEST(R6_only_kept_ones_stay)
{
	uint64_t before = effective();

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(sl_capabilities_limit(false), 0);
	ck_assert_uint_eq(effective(), before & sl_capabilities_kept);
	/* again: nothing left to do */
	ck_assert_int_eq(sl_capabilities_limit(false), 0);
	ck_assert_uint_eq(effective(), before & sl_capabilities_kept);
}
END_TEST

START_TEST(R6_an_exec_gives_none_back)
{
	uint64_t before = effective();
	char line[256];
	unsigned long long found = 1;
	FILE *f;
	int fds[2];

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(sl_capabilities_limit(false), 0);
	ck_assert_int_eq(pipe(fds), 0);
	if (!fork()) {
		dup2(fds[1], 1);
		execl("/bin/cat", "cat", "/proc/self/status", NULL);
		_exit(1);
	}
	close(fds[1]);
	f = fdopen(fds[0], "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &found) == 1)
			break;
	fclose(f);
	wait(NULL);
	ck_assert_uint_eq(found, before & sl_capabilities_kept);
}
END_TEST

/* The list itself: what reaches past the boundary is not in it. */
START_TEST(R6_what_reaches_outside_is_not_kept)
{
	static const int gone[] = {CAP_SYS_ADMIN,   CAP_PERFMON,    CAP_NET_ADMIN,  CAP_NET_RAW,
				   CAP_SYS_MODULE,  CAP_SYS_RAWIO,  CAP_SYS_BOOT,   CAP_SYS_TIME,
				   CAP_SYS_CHROOT,  CAP_BPF,	    CAP_MAC_ADMIN,  CAP_MAC_OVERRIDE,
				   CAP_SYSLOG,	    CAP_SYS_PACCT,  CAP_SYS_TTY_CONFIG, CAP_CHECKPOINT_RESTORE};

	ck_assert_uint_eq(sl_capabilities_kept >> gone[_i] & 1, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kernel-capabilities");
	TCase *tc = tcase_create("capabilities");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, R6_only_kept_ones_stay);
	tcase_add_test(tc, R6_an_exec_gives_none_back);
	tcase_add_loop_test(tc, R6_what_reaches_outside_is_not_kept, 0, 16);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
