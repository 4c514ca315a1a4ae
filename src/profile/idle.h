/*
 * idle.h - lines of a profile that can never matter.
 */
#ifndef SL_PROFILE_IDLE_H
#define SL_PROFILE_IDLE_H

#include "profile/cover.h"
#include "profile/read.h"

/* Append a warning for each entry that changes nothing: another one gives it, a deny takes it, it stands
 * twice, it asks of a file what only directories have, or it denies what nothing grants. Notes may be in ret
 * before. look may be NULL. */
void sl_profile_idle(const struct sl_profile *p, const struct sl_look *look, struct sl_diags *ret);

#endif
