/*
 * bpf.c - see bpf.h. The kernel checks, converts and compiles a program at each start, so it is kept short:
 * an outcome stands once behind a chunk of the tree, and all its comparisons branch there. Conditional jumps
 * of classic BPF reach 255 instructions; what does not fit is halved into two chunks, the upper one entered
 * in two steps.
 */
#include "policy/bpf.h"

#include <assert.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

#define JUMP_MAX  255
#define CHAIN_MAX 4 /* exceptions in a bucket: what a call costs grows with it, the program shrinks */

/* Offset of the low half of argument i; both architectures are little-endian. */
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

size_t sl_bpf_if_any(struct sl_bpf *b, uint32_t k)
{
	return open_block(b, BPF_JSET, k, true);
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

/* Values that are told apart by a chain of "==" in front of what holds for all the others. */
struct bucket {
	const struct sl_bpf_run *runs;
	size_t count;
	const struct sl_bpf_run *base; /* the outcome of all values that are no exception */
};

/* A branch whose outcome is not placed yet. */
struct branch {
	size_t jump; /* index of the instruction */
	bool when;   /* taken on "true" */
	const struct sl_bpf_run *outcome;
};

struct tree {
	struct sl_bpf *b;
	const struct sl_bpf_run *runs_end;
	struct bucket *buckets;
	size_t bucket_count;
	struct branch *branches;
	size_t branch_count;
	bool too_far; /* a jump of this chunk did not reach */
};

static bool same_outcome(const struct sl_bpf_run *x, const struct sl_bpf_run *y)
{
	if (!x->code || !y->code)
		return !x->code && !y->code && x->ret == y->ret;
	return x->code == y->code ||
	       (x->code->len == y->code->len &&
		!memcmp(x->code->insns, y->code->insns, x->code->len * sizeof(*x->code->insns)));
}

static bool is_single(const struct tree *t, const struct sl_bpf_run *run)
{
	return run + 1 < t->runs_end && run[1].first == run->first + 1;
}

/* The longest bucket with this base that starts at a run. */
static struct bucket fill_bucket(const struct tree *t, const struct sl_bpf_run *start,
				 const struct sl_bpf_run *base)
{
	const struct sl_bpf_run *run = start;

	for (size_t exceptions = 0; run < t->runs_end; run++)
		if (!same_outcome(run, base) && (!is_single(t, run) || exceptions++ == CHAIN_MAX))
			break;
	return (struct bucket){start, (size_t)(run - start), base};
}

static void make_buckets(struct tree *t, const struct sl_bpf_run *runs)
{
	while (runs < t->runs_end) {
		struct bucket bucket = fill_bucket(t, runs, runs);

		if (is_single(t, runs)) {
			struct bucket other = fill_bucket(t, runs, runs + 1);

			if (other.count > bucket.count)
				bucket = other;
		}
		t->buckets[t->bucket_count++] = bucket;
		runs += bucket.count;
	}
}

/* One outcome for all its values: nothing to emit, it is only jumped to. */
static bool is_plain(const struct bucket *bucket)
{
	for (size_t i = 0; i < bucket->count; i++)
		if (!same_outcome(&bucket->runs[i], bucket->base))
			return false;
	return true;
}

static void branch_to(struct tree *t, size_t jump, bool when, const struct sl_bpf_run *outcome)
{
	t->branches[t->branch_count++] = (struct branch){jump, when, outcome};
}

/* The branch leads to what is emitted next. */
static void land(struct tree *t, size_t jump, bool when)
{
	size_t distance = t->b->len - jump - 1;

	t->too_far |= distance > JUMP_MAX;
	*(when ? &t->b->insns[jump].jt : &t->b->insns[jump].jf) = (uint8_t)distance;
}

static void emit_chain(struct tree *t, const struct bucket *bucket)
{
	size_t last = 0;

	for (size_t i = 0; i < bucket->count; i++) {
		const struct sl_bpf_run *run = &bucket->runs[i];

		if (same_outcome(run, bucket->base))
			continue;
		last = t->b->len;
		emit(t->b, BPF_JMP | BPF_JEQ | BPF_K, run->first, 0, 0);
		branch_to(t, last, true, run);
	}
	branch_to(t, last, false, bucket->base);
}

static void emit_nodes(struct tree *t, const struct bucket *buckets, size_t count)
{
	const struct bucket *upper = buckets + count / 2;
	size_t jump = t->b->len;

	if (count == 1) {
		emit_chain(t, buckets);
		return;
	}
	emit(t->b, BPF_JMP | BPF_JGE | BPF_K, upper->runs->first, 0, 0);
	if (count / 2 == 1 && is_plain(buckets))
		branch_to(t, jump, false, buckets->base);
	else
		emit_nodes(t, buckets, count / 2);
	if (count - count / 2 == 1 && is_plain(upper)) {
		branch_to(t, jump, true, upper->base);
	} else {
		land(t, jump, true);
		emit_nodes(t, upper, count - count / 2);
	}
}

static void emit_outcome(struct sl_bpf *b, const struct sl_bpf_run *run)
{
	if (!run->code) {
		sl_bpf_ret(b, run->ret);
		return;
	}
	reserve(b, run->code->len);
	memcpy(b->insns + b->len, run->code->insns, run->code->len * sizeof(*b->insns));
	b->len += run->code->len;
}

/* Comparisons, and each outcome once behind them. Returns false, with nothing emitted, if a jump does not
 * reach. */
static bool emit_chunk(struct tree *t, const struct bucket *buckets, size_t count)
{
	size_t start = t->b->len;

	t->branch_count = 0;
	t->too_far = false;
	if (count == 1 && is_plain(buckets))
		emit_outcome(t->b, buckets->base);
	else
		emit_nodes(t, buckets, count);
	for (size_t i = 0; i < t->branch_count; i++) {
		const struct sl_bpf_run *outcome = t->branches[i].outcome;

		if (!outcome)
			continue;
		for (size_t j = i; j < t->branch_count; j++) {
			struct branch *branch = &t->branches[j];

			if (!branch->outcome || !same_outcome(branch->outcome, outcome))
				continue;
			land(t, branch->jump, branch->when);
			branch->outcome = NULL;
		}
		emit_outcome(t->b, outcome);
	}
	if (t->too_far)
		t->b->len = start;
	return !t->too_far;
}

static void emit_tree(struct tree *t, const struct bucket *buckets, size_t count)
{
	size_t jump;

	if (emit_chunk(t, buckets, count))
		return;
	assert(count > 1);
	emit(t->b, BPF_JMP | BPF_JGE | BPF_K, buckets[count / 2].runs->first, 0, 1);
	jump = t->b->len;
	emit(t->b, BPF_JMP | BPF_JA, 0, 0, 0);
	emit_tree(t, buckets, count / 2);
	t->b->insns[jump].k = (uint32_t)(t->b->len - jump - 1);
	emit_tree(t, buckets + count / 2, count - count / 2);
}

void sl_bpf_tree(struct sl_bpf *b, const struct sl_bpf_run *runs, size_t count)
{
	struct tree t = {.b = b, .runs_end = runs + count};

	assert(count > 0 && runs[0].first == 0);
	t.buckets = sl_xcalloc(count, sizeof(*t.buckets));
	/* At most one branch a run, and one a bucket for its base or node. */
	t.branches = sl_xcalloc(2 * count, sizeof(*t.branches));
	make_buckets(&t, runs);
	emit_tree(&t, t.buckets, t.bucket_count);
	free(t.buckets);
	free(t.branches);
}

static bool is_ret(const struct sock_filter *in)
{
	return in->code == (BPF_RET | BPF_K);
}

static bool is_branch(const struct sock_filter *in)
{
	return BPF_CLASS(in->code) == BPF_JMP && BPF_OP(in->code) != BPF_JA;
}

/* Where a branch of the instruction at pc goes instead of to an end that has equals behind it. */
static uint8_t last_end(const struct sl_bpf *b, const size_t *next, size_t pc, uint8_t distance)
{
	size_t to = pc + 1 + distance;

	if (is_ret(&b->insns[to]))
		while (next[to] && next[to] - pc - 1 <= JUMP_MAX)
			to = next[to];
	return (uint8_t)(to - pc - 1);
}

/* For each end the next one with the same verdict, or 0. */
static void link_ends(const struct sl_bpf *b, size_t *next)
{
	for (size_t i = 0; i < b->len; i++)
		for (size_t j = i + 1; is_ret(&b->insns[i]) && !next[i] && j < b->len; j++)
			if (is_ret(&b->insns[j]) && b->insns[j].k == b->insns[i].k)
				next[i] = j;
}

/* Set place[i] to one more than the index that instruction i will have, or 0 where none leads to it. */
static size_t place_reached(const struct sl_bpf *b, size_t *place)
{
	size_t count = 0;

	place[0] = 1;
	for (size_t i = 0; i < b->len; i++) {
		const struct sock_filter *in = &b->insns[i];

		if (!place[i])
			continue;
		place[i] = ++count;
		if (is_branch(in))
			place[i + 1 + in->jt] = place[i + 1 + in->jf] = 1;
		else if (BPF_CLASS(in->code) == BPF_JMP)
			place[i + 1 + in->k] = 1;
		else if (!is_ret(in))
			place[i + 1] = 1;
	}
	return count;
}

void sl_bpf_share_ends(struct sl_bpf *b)
{
	size_t *next = sl_xcalloc(b->len, sizeof(*next)), *place = sl_xcalloc(b->len, sizeof(*place));
	size_t count;

	link_ends(b, next);
	for (size_t i = 0; i < b->len; i++)
		if (is_branch(&b->insns[i])) {
			b->insns[i].jt = last_end(b, next, i, b->insns[i].jt);
			b->insns[i].jf = last_end(b, next, i, b->insns[i].jf);
		}
	count = place_reached(b, place);
	for (size_t i = 0; i < b->len; i++) {
		struct sock_filter in = b->insns[i];

		if (!place[i])
			continue;
		if (is_branch(&in)) {
			in.jt = (uint8_t)(place[i + 1 + in.jt] - place[i] - 1);
			in.jf = (uint8_t)(place[i + 1 + in.jf] - place[i] - 1);
		} else if (BPF_CLASS(in.code) == BPF_JMP) {
			in.k = (uint32_t)(place[i + 1 + in.k] - place[i] - 1);
		}
		b->insns[place[i] - 1] = in;
	}
	b->len = count;
	free(next);
	free(place);
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
