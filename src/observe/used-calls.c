/*
 * used-calls.c - see used-calls.h. While learning, the seccomp program notifies every call that is none of
 * "@base" and that would be allowed; what is refused whatever a profile lists is refused at once and needs no
 * line.
 */
#include "observe/used-calls.h"

#include "profile/call-names.h"

void sl_used_calls_to_profile(const struct sl_call_set *seen, struct sl_profile *profile)
{
	struct sl_list *allow = &profile->syscalls.allow;

	sl_list_add(allow, SL_CALL_BASE, 0);
	for (int nr = 0; nr <= SL_CALL_LAST; nr++) {
		const struct sl_call *call = sl_call_by_nr(nr);
		const char *name = sl_call_set_has(seen, nr) ? sl_call_name(nr) : NULL;

		if (name && !(call && call->treat == SL_TREAT_IPC))
			sl_list_add(allow, sl_call_portable(name), 0);
	}
	sl_list_sort_unique(allow);
	sl_call_list_absorb(allow);
}
