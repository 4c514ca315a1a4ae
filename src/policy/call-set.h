/*
 * call-set.h - a set of system calls by number: what [syscalls] allow lists, "@base", what learn has seen.
 */
#ifndef SL_POLICY_CALL_SET_H
#define SL_POLICY_CALL_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/calls.h"

struct sl_call_set {
	uint64_t words[SL_CALL_LAST / 64 + 1];
};

#define SL_CALL_SET_INIT ((struct sl_call_set){{0}})

/* Out of range (a number of x32, a newer call) is in no set and added to none. */
static inline bool sl_call_set_has(const struct sl_call_set *s, int nr)
{
	return nr >= 0 && nr <= SL_CALL_LAST && (s->words[nr / 64] >> (nr % 64) & 1);
}

static inline void sl_call_set_add(struct sl_call_set *s, int nr)
{
	if (nr >= 0 && nr <= SL_CALL_LAST)
		s->words[nr / 64] |= 1ULL << (nr % 64);
}

/* Add what a name of [syscalls] allow stands for here: "@base", or a call by any of its names with all that
 * have its portable one (profile/call-names.h). A call of other architectures adds nothing. 0, or -ENOENT for
 * a name that no architecture has. */
int sl_call_set_add_name(struct sl_call_set *s, const char *name);

/* Without these the command could not even be executed, take a signal or end: they are in every list. */
void sl_call_set_add_start(struct sl_call_set *s);

/* Add the members of "@base", by all their names. */
void sl_call_set_add_base(struct sl_call_set *s);

/* The errno with which a call that is not listed is refused: ENOSYS where callers know how to do without it
 * on an older kernel, EPERM where a missing call would only be taken for a broken system. */
int sl_call_unlisted_errno(int nr);

#endif
