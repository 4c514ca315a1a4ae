/*
 * used-calls.h - from the system calls that were seen to [syscalls] allow.
 */
#ifndef SL_OBSERVE_USED_CALLS_H
#define SL_OBSERVE_USED_CALLS_H

#include "policy/call-set.h"
#include "profile/profile.h"

/* Add "@base" and the portable names of the others to the profile's list. The System V IPC calls are left to
 * their group in extra_allow. */
void sl_used_calls_to_profile(const struct sl_call_set *seen, struct sl_profile *profile);

#endif
