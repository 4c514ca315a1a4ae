/*
 * judge.h - what the judges of the seccomp program share. A judge appends code that looks at the arguments of
 * one call and ends in a verdict; filter.c puts it at its call's leaf.
 */
#ifndef SL_POLICY_JUDGE_H
#define SL_POLICY_JUDGE_H

#include <linux/seccomp.h>

#include "policy/bpf.h"
#include "policy/filter.h"

typedef void sl_judge(struct sl_bpf *b, const struct sl_filter_plan *plan, const struct sl_call *call);

static inline uint32_t sl_verdict_refuse(int error)
{
	return SECCOMP_RET_ERRNO | ((uint32_t)error & SECCOMP_RET_DATA);
}

/* End with ret where the accumulator is k, is not k, has any of the bits. */
static inline void sl_judge_eq(struct sl_bpf *b, uint32_t k, uint32_t ret)
{
	size_t block = sl_bpf_if_eq(b, k);

	sl_bpf_ret(b, ret);
	sl_bpf_end(b, block);
}

static inline void sl_judge_ne(struct sl_bpf *b, uint32_t k, uint32_t ret)
{
	size_t block = sl_bpf_if_ne(b, k);

	sl_bpf_ret(b, ret);
	sl_bpf_end(b, block);
}

static inline void sl_judge_any(struct sl_bpf *b, uint32_t bits, uint32_t ret)
{
	size_t block = sl_bpf_if_any(b, bits);

	sl_bpf_ret(b, ret);
	sl_bpf_end(b, block);
}

/* The judges of sockets (filter-net.c). */
sl_judge sl_judge_socket, sl_judge_socketpair, sl_judge_connect, sl_judge_bind, sl_judge_listen,
    sl_judge_send, sl_judge_receive, sl_judge_setsockopt;

#endif
