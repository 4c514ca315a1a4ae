/*
 * values.h - option values: one row a kind, from text to the member that holds it.
 */
#ifndef SL_CMD_VALUES_H
#define SL_CMD_VALUES_H

#include "cmd/options.h"

struct sl_value_kind {
	bool takes_value;
	const char *expected; /* what follows `"x" is not ` in the message for a bad value */
	/* Store the value (NULL for a flag, or an optional value that is not there). Returns 0 or -EINVAL. */
	int (*store)(const char *value, void *member);
};

/* The row of a kind. */
const struct sl_value_kind *sl_value_kind(enum sl_option_kind kind);

#endif
