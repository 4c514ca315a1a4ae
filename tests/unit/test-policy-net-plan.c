/* test-policy-net-plan.c - which part of network rules is the kernel's, and that the filter answers socket()
 * as planned. */
#include <check.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "policy/filter.h"

#include "net-plans.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

static void compile(const char *allow, const char *bind, const char *socket_name, struct sl_net_rules *ret)
{
	struct sl_profile p;

	sl_profile_init(&p, 2);
	if (allow)
		sl_list_add(&p.network.allow, allow, 0);
	if (bind)
		sl_list_add(&p.network.allow_bind, bind, 0);
	if (socket_name)
		sl_list_add(&p.network.unix_sockets, socket_name, 0);
	ck_assert_int_eq(sl_net_rules_compile(&p, ret, NULL), 0);
	sl_profile_release(&p);
}

static const struct {
	const char *allow, *bind, *local;
	bool supervised, tmp;
	enum sl_net_verdict connect, bind_call, send_to;
	bool lacks;
} cases[] = {
    {"tcp://*:443", NULL, NULL, true, false, SL_NET_PASS, SL_NET_PASS, SL_NET_PASS, false},
    {"tcp://*", "8080", NULL, true, false, SL_NET_PASS, SL_NET_PASS, SL_NET_PASS, false},
    {"tcp://*:443", NULL, NULL, true, true, SL_NET_NOTIFY, SL_NET_PASS, SL_NET_PASS, false},
    {"tcp://*:443", NULL, "@x", true, false, SL_NET_NOTIFY, SL_NET_PASS, SL_NET_NOTIFY, false},
    {"tcp://10.0.0.1:443", NULL, NULL, true, false, SL_NET_NOTIFY, SL_NET_PASS, SL_NET_PASS, false},
    {"*:443", NULL, NULL, true, false, SL_NET_NOTIFY, SL_NET_NOTIFY, SL_NET_NOTIFY, false},
    {"tcp://host.example:443", NULL, NULL, true, false, SL_NET_NOTIFY, SL_NET_NOTIFY, SL_NET_NOTIFY, false},
    {"tcp://*:443", NULL, NULL, false, false, SL_NET_PASS, SL_NET_PASS, SL_NET_PASS, false},
    {"tcp://*:443", "0", NULL, false, true, SL_NET_PASS, SL_NET_PASS, SL_NET_PASS, false},
    {"tcp://*:443", "80", NULL, false, false, SL_NET_PASS, SL_NET_PASS, SL_NET_PASS, true},
    {"tcp://10.0.0.1:443", NULL, NULL, false, false, SL_NET_REFUSE, SL_NET_PASS, SL_NET_PASS, true},
    {NULL, NULL, "@x", false, false, SL_NET_REFUSE, SL_NET_PASS, SL_NET_PASS, true},
};

START_TEST(N6_tiers)
{
	SL_CLEANUP(sl_net_rules_release) struct sl_net_rules r = SL_NET_RULES_INIT;
	struct sl_net_plan_input in = {.rules = &r,
				       .listener = cases[_i].supervised,
				       .can_take = cases[_i].supervised,
				       .landlock_tcp = true,
				       .private_tmp = cases[_i].tmp};
	struct sl_net_plan plan;

	compile(cases[_i].allow, cases[_i].bind, cases[_i].local, &r);
	sl_net_plan_make(&in, &plan);
	ck_assert_int_eq(plan.connect, cases[_i].connect);
	ck_assert_int_eq(plan.bind, cases[_i].bind_call);
	ck_assert_int_eq(plan.send_to, cases[_i].send_to);
	ck_assert_int_eq(sl_net_plan_lacks(&in, &plan) != NULL, cases[_i].lacks);
	/* Where nobody judges a connect by its address there is no AF_UNIX socket to connect. */
	ck_assert(plan.connect != SL_NET_PASS || !plan.local_stream);
	/* Where nobody judges an address there is no socket that could send to one. */
	ck_assert(plan.send_message == SL_NET_NOTIFY || (!plan.udp && !plan.icmp && !plan.local_datagram));
}
END_TEST

static bool same(const struct sl_net_plan *a, const struct sl_net_plan *b)
{
	return a->connect == b->connect && a->bind == b->bind && a->listen == b->listen &&
	       a->send_to == b->send_to && a->send_null == b->send_null &&
	       a->send_message == b->send_message && a->fast_open == b->fast_open && a->tcp == b->tcp &&
	       a->udp == b->udp && a->icmp == b->icmp && a->local_stream == b->local_stream &&
	       a->local_datagram == b->local_datagram && a->route == b->route && a->judged == b->judged &&
	       a->signals == b->signals && a->kernel_connect == b->kernel_connect &&
	       a->kernel_bind == b->kernel_bind;
}

START_TEST(the_tests_plans_are_real)
{
	static const struct sl_net_plan nothing = NET_NOTHING, nested = NET_NESTED, learn = NET_LEARN;
	SL_CLEANUP(sl_net_rules_release) struct sl_net_rules r = SL_NET_RULES_INIT;
	struct sl_net_plan_input in = {.rules = &r, .listener = true, .can_take = true, .landlock_tcp = true};
	struct sl_net_plan plan;

	sl_net_plan_make(&in, &plan);
	ck_assert(same(&plan, &nothing));
	in.listener = false;
	sl_net_plan_make(&in, &plan);
	ck_assert(same(&plan, &nested));
	in = (struct sl_net_plan_input){.listener = true, .can_take = true};
	sl_net_plan_make(&in, &plan);
	ck_assert(same(&plan, &learn));
}
END_TEST

START_TEST(N6_the_filter_answers_socket_as_planned)
{
	SL_CLEANUP(sl_net_rules_release) struct sl_net_rules r = SL_NET_RULES_INIT;
	SL_CLEANUP(sl_filter_release) struct sl_filter f = {0};
	struct sl_net_plan_input in = {.rules = &r,
				       .listener = cases[_i].supervised,
				       .can_take = cases[_i].supervised,
				       .landlock_tcp = true,
				       .private_tmp = cases[_i].tmp};
	struct sl_filter_plan plan = {.listener = cases[_i].supervised, .attributes = true};

	compile(cases[_i].allow, cases[_i].bind, cases[_i].local, &r);
	sl_net_plan_make(&in, &plan.net);
	ck_assert_int_eq(sl_filter_build(&plan, &f, NULL), 0);
	for (uint64_t family = 0; family < 50; family++)
		for (uint64_t type = 0; type < 12; type++)
			for (uint64_t protocol = 0; protocol < 265; protocol++) {
				const uint64_t args[6] = {family, type | SOCK_CLOEXEC, protocol};
				int error =
				    sl_net_plan_socket(&plan.net, (int)family, (int)type, (int)protocol);
				uint32_t verdict =
				    error ? SECCOMP_RET_ERRNO | (uint32_t)error : SECCOMP_RET_ALLOW;

				ck_assert_msg(sl_filter_simulate(&f, ARCH, __NR_socket, args) == verdict,
					      "socket(%d, %d, %d) is not %d", (int)family, (int)type,
					      (int)protocol, error);
			}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy-net-plan");
	TCase *t = tcase_create("plan");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, N6_tiers, 0, (int)SL_ARRAY_LEN(cases));
	tcase_add_test(t, the_tests_plans_are_real);
	tcase_add_loop_test(t, N6_the_filter_answers_socket_as_planned, 0, (int)SL_ARRAY_LEN(cases));
	suite_add_tcase(s, t);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
