/*
 * diff.h - what one profile allows and another does not.
 */
#ifndef SL_PROFILE_DIFF_H
#define SL_PROFILE_DIFF_H

#include "profile/cover.h"

enum sl_change_kind {
	SL_CHANGE_WIDENED,  /* b allows it, a does not */
	SL_CHANGE_NARROWED, /* a allows it, b does not */
	SL_CHANGE_MOVED,    /* the same right on the same name elsewhere, or on another version of it */
};

struct sl_change {
	enum sl_change_kind kind;
	const struct sl_key *key;
	char *before, *after; /* what a and b say; NULL where that one says nothing */
};

struct sl_changes {
	struct sl_change *items;
	size_t len, cap;
};

/* Append every difference in what a and b allow, in the order of the keys, in each widened, narrowed, moved.
 * [program], [config] and [determinism] say what is run and how, not what it may do, and are left out. What
 * cannot be ordered counts as widened. look may be NULL. */
void sl_profile_diff(const struct sl_profile *a, const struct sl_profile *b, const struct sl_look *look,
		     struct sl_changes *ret);
void sl_changes_release(struct sl_changes *c);

#endif
