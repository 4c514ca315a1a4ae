/*
 * survivors.h - what the run made in a protected directory and left there.
 */
#ifndef SL_OBSERVE_SURVIVORS_H
#define SL_OBSERVE_SURVIVORS_H

#include "observe/store.h"

/* What was done to anything below each node: SL_RIGHT_* by node id, malloc'd. */
uint8_t *sl_survivors_uses(const struct sl_facts *f);

/* The rights that the object which the run made under this name needs by that name, as far as sl_facts_left() found it:
 * what was done to it and, for a directory, below it. 0 when it is gone, or is neither a file nor a directory. */
uint8_t sl_survivor_rights(const struct sl_facts *f, const uint8_t *uses, uint32_t id, bool *ret_is_dir);

#endif
