/*
 * bpf.c - see bpf.h. Conditional jumps of classic BPF reach 255 instructions; a tree node whose lower half is
 * longer than that jumps there in two steps. Sizes are counted before anything is emitted, so every jump is
 * written once.
 */
#include "policy/bpf.h"

#include <assert.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

#define JUMP_MAX 255

/* Offset of the half-words of argument i; both architectures are little-endian. */
#define ARG_LOW(i)  ((uint32_t)(offsetof(struct seccomp_data, args) + (size_t)(i)*8))
#define ARG_HIGH(i) (ARG_LOW(i) + 4)
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "argument halves are swapped on a big-endian machine");

void sl_bpf_release(struct sl_bpf *b)
{
	free(b->insns);
	*b = SL_BPF_INIT;
}

static void reserve(struct sl_bpf *b, size_t more)
{
	if (b->len + more <= b->cap)
		return;
	b->cap = SL_MAX(b->len + more, b->cap ? b->cap * 2 : 64);
	b->insns = sl_xrealloc(b->insns, b->cap * sizeof(*b->insns));
}

static void emit(struct sl_bpf *b, unsigned code, uint32_t k, size_t jt, size_t jf)
{
	reserve(b, 1);
	b->insns[b->len++] = (struct sock_filter){(uint16_t)code, (uint8_t)jt, (uint8_t)jf, k};
}

void sl_bpf_load_nr(struct sl_bpf *b)
{
	emit(b, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
}

void sl_bpf_load_arch(struct sl_bpf *b)
{
	emit(b, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
}

void sl_bpf_load_low(struct sl_bpf *b, int arg)
{
	emit(b, BPF_LD | BPF_W | BPF_ABS, ARG_LOW(arg), 0, 0);
}

void sl_bpf_load_high(struct sl_bpf *b, int arg)
{
	emit(b, BPF_LD | BPF_W | BPF_ABS, ARG_HIGH(arg), 0, 0);
}

void sl_bpf_and(struct sl_bpf *b, uint32_t mask)
{
	emit(b, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
}

void sl_bpf_ret(struct sl_bpf *b, uint32_t ret)
{
	emit(b, BPF_RET | BPF_K, ret, 0, 0);
}

/* A block's token is its jump's index times two, plus one when the block is entered on "false". */
static size_t open_block(struct sl_bpf *b, unsigned jump, uint32_t k, bool when)
{
	emit(b, BPF_JMP | jump | BPF_K, k, 0, 0);
	return (b->len - 1) * 2 + !when;
}

size_t sl_bpf_if_eq(struct sl_bpf *b, uint32_t k)
{
	return open_block(b, BPF_JEQ, k, true);
}

size_t sl_bpf_if_ne(struct sl_bpf *b, uint32_t k)
{
	return open_block(b, BPF_JEQ, k, false);
}

size_t sl_bpf_if_ge(struct sl_bpf *b, uint32_t k)
{
	return open_block(b, BPF_JGE, k, true);
}

size_t sl_bpf_if_lt(struct sl_bpf *b, uint32_t k)
{
	return open_block(b, BPF_JGE, k, false);
}

size_t sl_bpf_if_any(struct sl_bpf *b, uint32_t k)
{
	return open_block(b, BPF_JSET, k, true);
}

size_t sl_bpf_if_none(struct sl_bpf *b, uint32_t k)
{
	return open_block(b, BPF_JSET, k, false);
}

void sl_bpf_end(struct sl_bpf *b, size_t block)
{
	struct sock_filter *jump = &b->insns[block / 2];
	size_t distance = b->len - block / 2 - 1;

	assert(distance <= JUMP_MAX);
	if (block % 2)
		jump->jt = (uint8_t)distance;
	else
		jump->jf = (uint8_t)distance;
}

static size_t node_size(size_t lower)
{
	return lower <= JUMP_MAX ? 1 : 2;
}

/* Instructions that emit_tree() makes for these runs. */
static size_t tree_size(const struct sl_bpf_run *runs, size_t count)
{
	size_t lower;

	if (count == 1)
		return runs[0].code ? runs[0].code->len : 1;
	lower = tree_size(runs, count / 2);
	return node_size(lower) + lower + tree_size(runs + count / 2, count - count / 2);
}

static void emit_tree(struct sl_bpf *b, const struct sl_bpf_run *runs, size_t count)
{
	size_t lower;

	if (count == 1 && runs[0].code) {
		reserve(b, runs[0].code->len);
		memcpy(b->insns + b->len, runs[0].code->insns, runs[0].code->len * sizeof(*b->insns));
		b->len += runs[0].code->len;
		return;
	}
	if (count == 1) {
		sl_bpf_ret(b, runs[0].ret);
		return;
	}
	lower = tree_size(runs, count / 2);
	if (node_size(lower) == 1) {
		emit(b, BPF_JMP | BPF_JGE | BPF_K, runs[count / 2].first, lower, 0);
	} else {
		emit(b, BPF_JMP | BPF_JGE | BPF_K, runs[count / 2].first, 0, 1);
		emit(b, BPF_JMP | BPF_JA, (uint32_t)lower, 0, 0);
	}
	emit_tree(b, runs, count / 2);
	emit_tree(b, runs + count / 2, count - count / 2);
}

void sl_bpf_tree(struct sl_bpf *b, const struct sl_bpf_run *runs, size_t count)
{
	assert(count > 0 && runs[0].first == 0);
	reserve(b, tree_size(runs, count));
	emit_tree(b, runs, count);
}

static bool jump_taken(const struct sock_filter *in, uint32_t a)
{
	switch (BPF_OP(in->code)) {
	case BPF_JEQ:
		return a == in->k;
	case BPF_JGE:
		return a >= in->k;
	default: /* BPF_JSET */
		return (a & in->k) != 0;
	}
}

/* The one interpreter. words: how many bytes of data may be looked at; beyond them *ret_opaque is set and 0
 * returned. */
static uint32_t interpret(const struct sock_filter *insns, size_t len, const struct seccomp_data *data,
			  size_t bytes, bool *ret_opaque)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < len; pc++) {
		const struct sock_filter *in = &insns[pc];

		switch (in->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (in->k % 4 || in->k + 4 > bytes) {
				*ret_opaque = true;
				return 0;
			}
			memcpy(&a, (const char *)data + in->k, sizeof(a));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= in->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += in->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
		case BPF_JMP | BPF_JGE | BPF_K:
		case BPF_JMP | BPF_JSET | BPF_K:
			pc += jump_taken(in, a) ? in->jt : in->jf;
			break;
		case BPF_RET | BPF_K:
			return in->k;
		default:
			return 0;
		}
	}
	return 0;
}

uint32_t sl_bpf_run(const struct sock_filter *insns, size_t len, const struct seccomp_data *data)
{
	bool opaque = false;

	return interpret(insns, len, data, sizeof(*data), &opaque);
}

bool sl_bpf_const_allow(const struct sock_filter *insns, size_t len, uint32_t arch, uint32_t nr)
{
	struct seccomp_data data = {.nr = (int)nr, .arch = arch};
	bool opaque = false;
	uint32_t ret =
	    interpret(insns, len, &data, offsetof(struct seccomp_data, instruction_pointer), &opaque);

	return !opaque && ret == SECCOMP_RET_ALLOW;
}
