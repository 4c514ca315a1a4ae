/*
 * bpf.h - a small classic-BPF assembler for seccomp programs, and a simulator of the same subset.
 *
 * Code is appended to a struct sl_bpf. A condition opens a block that is executed when it holds and closed by
 * sl_bpf_end(), which sets the jump over it; blocks nest, and one block is at most 255 instructions. A
 * decision over many values of one word is a balanced binary tree of ">=" comparisons over sorted runs of
 * equal outcome, with short chains of "==" for single values among others. Only instructions that the
 * kernel's constant-action analysis understands are used to look at the call number, so a call that is
 * allowed by its number alone never runs the program (seccomp_is_const_allow(), Linux 5.11).
 */
#ifndef SL_POLICY_BPF_H
#define SL_POLICY_BPF_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sl_bpf {
	struct sock_filter *insns; /* NULL while empty */
	size_t len, cap;
};

#define SL_BPF_INIT ((struct sl_bpf){0})
void sl_bpf_release(struct sl_bpf *b);

/* Load a word of struct seccomp_data into the accumulator: the number, the architecture, the low half of an
 * argument, its high half. */
void sl_bpf_load_nr(struct sl_bpf *b);
void sl_bpf_load_arch(struct sl_bpf *b);
void sl_bpf_load_low(struct sl_bpf *b, int arg);
void sl_bpf_load_high(struct sl_bpf *b, int arg);

/* Keep only these bits of the accumulator. */
void sl_bpf_and(struct sl_bpf *b, uint32_t mask);

/* End with this SECCOMP_RET_* value. */
void sl_bpf_ret(struct sl_bpf *b, uint32_t ret);

/* Open a block for accumulator == k, != k, >= k, any bit of k set. Returns what sl_bpf_end()
 * takes. */
size_t sl_bpf_if_eq(struct sl_bpf *b, uint32_t k);
size_t sl_bpf_if_ne(struct sl_bpf *b, uint32_t k);
size_t sl_bpf_if_ge(struct sl_bpf *b, uint32_t k);
size_t sl_bpf_if_any(struct sl_bpf *b, uint32_t k);
void sl_bpf_end(struct sl_bpf *b, size_t block);

/* One outcome for the values from first up to the next run's first: the code (copied), or ret where it is
 * NULL. */
struct sl_bpf_run {
	uint32_t first;
	uint32_t ret;
	const struct sl_bpf *code;
};

/* Append a tree over count runs, sorted by first; runs[0].first must be 0. The accumulator holds the value
 * and is kept for the code. */
void sl_bpf_tree(struct sl_bpf *b, const struct sl_bpf_run *runs, size_t count);

/* Let every branch that ends with a verdict go to the last such end in its reach, and drop what nothing
 * reaches any more. The program answers as before. */
void sl_bpf_share_ends(struct sl_bpf *b);

struct seccomp_data;

/* Run a program. Returns its verdict; 0 (SECCOMP_RET_KILL_THREAD) for one that the kernel would not load,
 * runs off its end, or uses an instruction that is not emitted here. */
uint32_t sl_bpf_run(const struct sock_filter *insns, size_t len, const struct seccomp_data *data);

/* Is the verdict SECCOMP_RET_ALLOW for this number whatever the arguments? What the kernel finds when it
 * caches. */
bool sl_bpf_const_allow(const struct sock_filter *insns, size_t len, uint32_t arch, uint32_t nr);

#endif
