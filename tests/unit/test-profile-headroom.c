/*
 * Unit tests of profile/headroom.h: values that users see, and that no limit is below what was used.
 */
#include <check.h>
#include <stdlib.h>

#include "base/macros.h"
#include "profile/headroom.h"

#define MIB (1LL << 20)

START_TEST(test_R7_memory)
{
	static const struct {
		int64_t used, limit;
	} rows[] = {
	    {0, 32 * MIB},	    {25 * MIB, 32 * MIB},     {26 * MIB, 48 * MIB},
	    {40 * MIB, 64 * MIB},   {60 * MIB, 96 * MIB},     {100 * MIB, 128 * MIB},
	    {103 * MIB, 192 * MIB}, {1000 * MIB, 1536 * MIB}, {INT64_MAX, INT64_MAX},
	};

	for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++)
		ck_assert_int_eq(sl_headroom_memory(rows[i].used), rows[i].limit);
	for (int64_t used = 1; used < INT64_MAX / 16; used = used * 3 + 1) {
		int64_t limit = sl_headroom_memory(used);

		ck_assert(limit >= used + used / 4 && (limit <= 2 * used || limit == 32 * MIB));
	}
}
END_TEST

START_TEST(test_R7_counts)
{
	ck_assert_int_eq(sl_headroom_processes(0), 4);
	ck_assert_int_eq(sl_headroom_processes(1), 4);
	ck_assert_int_eq(sl_headroom_processes(3), 6);
	ck_assert_int_eq(sl_headroom_processes(INT64_MAX), INT32_MAX);
	ck_assert_int_eq(sl_headroom_open_files(64), 256);
	ck_assert_int_eq(sl_headroom_open_files(256), 512);
	ck_assert_int_eq(sl_headroom_open_files(INT64_MAX), INT32_MAX);
}
END_TEST

START_TEST(test_cpu)
{
	static const int64_t steps[] = {1, 2, 5, 10, 20, 50, 100, 200, 500};

	ck_assert_int_eq(sl_headroom_cpu_seconds(0), 1);
	for (size_t i = 1; i < SL_ARRAY_LEN(steps); i++) {
		ck_assert_int_eq(sl_headroom_cpu_seconds((double)steps[i] - 0.5), steps[i]);
		ck_assert_int_eq(sl_headroom_cpu_seconds((double)steps[i]), steps[i]);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("profile-headroom");
	TCase *t = tcase_create("headroom");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, test_R7_memory);
	tcase_add_test(t, test_R7_counts);
	tcase_add_test(t, test_cpu);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
