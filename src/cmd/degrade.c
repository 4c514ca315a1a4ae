/*
 * degrade.c - the table of protections against the kernel's ABI.
 */
#include "cmd/degrade.h"

#include "cmd/message.h"
#include "kernel/landlock.h"
#include "sandlock.h"

int sl_degrade_check(int abi, uint64_t disabled, uint64_t degradable)
{
	int status = 0;

	if (abi < 1) {
		sl_say("this kernel has no Landlock, or it is disabled: no file right can be enforced");
		return SANDLOCK_STATUS_FAILED;
	}
	for (const struct sl_protection_row *p = sl_protections; p->name; p++) {
		if (abi >= p->min_abi || (disabled & p->bit))
			continue;
		if (degradable & p->bit) {
			sl_warn("%s is not enforced by this kernel (Landlock ABI %d): %s", p->name, abi,
				p->without);
			continue;
		}
		sl_say("%s would not be enforced by this kernel (Landlock ABI %d, needs %d): %s; "
		       "--allow-degraded %s lets it be",
		       p->name, abi, p->min_abi, p->without, p->name);
		status = SANDLOCK_STATUS_FAILED;
	}
	return status;
}
