/*
 * start.h - why a program did not start under a policy.
 */
#ifndef SL_CMD_START_H
#define SL_CMD_START_H

#include "policy/policy.h"
#include "profile/profile.h"

/* After an execve of the file at path (absolute) that was refused: one line for each grant that the program,
 * its interpreters (#!) or its ELF loader lack, with the entry that would give it. Returns how many lines
 * were said: 0 where the policy lets it start. */
int sl_start_explain(const struct sl_policy *policy, const struct sl_profile *profile, const char *path);

#endif
