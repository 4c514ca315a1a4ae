/*
 * net-plans.h - the network part of filter plans as tests need them for static initialisers. test-policy-net-plan.c
 * compares them with what sl_net_plan_make() gives.
 */
#ifndef SL_TESTS_NET_PLANS_H
#define SL_TESTS_NET_PLANS_H

/* Nothing listed, with a supervisor. */
#define NET_NOTHING                                                                                          \
	{.judged = true,                                                                                     \
	 .connect = SL_NET_NOTIFY,                                                                           \
	 .bind = SL_NET_PASS,                                                                                \
	 .listen = SL_NET_NOTIFY,                                                                            \
	 .send_to = SL_NET_PASS,                                                                             \
	 .send_null = SL_NET_PASS,                                                                           \
	 .send_message = SL_NET_PASS,                                                                        \
	 .fast_open = SL_NET_NOTIFY,                                                                         \
	 .tcp = true,                                                                                        \
	 .local_stream = true,                                                                               \
	 .route = true,                                                                                      \
	 .signals = true,                                                                                    \
	 .kernel_bind = true}

/* Nothing listed, and nobody answers. */
#define NET_NESTED                                                                                           \
	{.judged = true,                                                                                     \
	 .connect = SL_NET_REFUSE,                                                                           \
	 .bind = SL_NET_PASS,                                                                                \
	 .listen = SL_NET_PASS,                                                                              \
	 .send_to = SL_NET_PASS,                                                                             \
	 .send_null = SL_NET_PASS,                                                                           \
	 .send_message = SL_NET_PASS,                                                                        \
	 .fast_open = SL_NET_REFUSE,                                                                         \
	 .local_stream = true,                                                                               \
	 .route = true,                                                                                      \
	 .kernel_bind = true}

/* Learning. */
#define NET_LEARN                                                                                            \
	{.connect = SL_NET_NOTIFY,                                                                           \
	 .bind = SL_NET_NOTIFY,                                                                              \
	 .listen = SL_NET_NOTIFY,                                                                            \
	 .send_to = SL_NET_NOTIFY,                                                                           \
	 .send_null = SL_NET_NOTIFY,                                                                         \
	 .send_message = SL_NET_NOTIFY,                                                                      \
	 .fast_open = SL_NET_NOTIFY,                                                                         \
	 .tcp = true,                                                                                        \
	 .udp = true,                                                                                        \
	 .icmp = true,                                                                                       \
	 .local_stream = true,                                                                               \
	 .local_datagram = true,                                                                             \
	 .signals = true,                                                                                    \
	 .sources = true,                                                                                    \
	 .route = true}

#endif
