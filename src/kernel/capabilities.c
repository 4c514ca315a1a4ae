/*
 * capabilities.c - giving up what neither Landlock nor the seccomp program could judge (capabilities.h says why).
 */
#include "kernel/capabilities.h"

#include <linux/capability.h>
#include <linux/personality.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/macros.h"

#define KEEP(cap) (1ULL << (cap))

const uint64_t sl_capabilities_kept =
    /* files, as far as the profile lists them */
    KEEP(CAP_CHOWN) | KEEP(CAP_DAC_OVERRIDE) | KEEP(CAP_DAC_READ_SEARCH) | KEEP(CAP_FOWNER) | KEEP(CAP_FSETID) |
    KEEP(CAP_LEASE) | KEEP(CAP_LINUX_IMMUTABLE) | KEEP(CAP_MKNOD) | KEEP(CAP_SETFCAP) |
    /* identities */
    KEEP(CAP_SETGID) | KEEP(CAP_SETUID) | KEEP(CAP_SETPCAP) |
    /* processes of the sandbox, and their own limits */
    KEEP(CAP_KILL) | KEEP(CAP_SYS_PTRACE) | KEEP(CAP_SYS_NICE) | KEEP(CAP_SYS_RESOURCE) | KEEP(CAP_IPC_LOCK) |
    KEEP(CAP_IPC_OWNER) |
    /* ports, once the profile lists some */
    KEEP(CAP_NET_BIND_SERVICE);

/* Root's execve asks for the whole bounding set. no_new_privs refuses what is not held, but the kernel then also treats
 * the program as a set-user-ID one and clears its personality (PER_CLEAR_ON_SETID in cap_bprm_creds_from_file), address
 * randomization for one. So the bounding set shrinks too where there is a personality to keep. */
static void limit_bounding_set(uint64_t keep)
{
	int persona = (int)syscall(SYS_personality, 0xffffffffUL);

	if (!((unsigned int)persona & PER_CLEAR_ON_SETID))
		return; /* nothing to keep: spare every start the forty calls */
	for (unsigned long cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (!(keep & KEEP(cap)))
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

/* The calling thread keeps of its sets what is in keep. before: called where that takes some. 0 or -errno. */
static int keep_in_sets(uint64_t keep, void (*before)(uint64_t keep))
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
	bool changed = false;

	if (syscall(SYS_capget, &header, sets) < 0)
		return -errno;
	for (size_t i = 0; i < SL_ARRAY_LEN(sets); i++) {
		uint32_t kept = (uint32_t)(keep >> (32 * i));

		changed |= (sets[i].effective | sets[i].permitted | sets[i].inheritable) & ~kept;
		sets[i].effective &= kept;
		sets[i].permitted &= kept;
		sets[i].inheritable &= kept;
	}
	if (!changed)
		return 0;
	if (before)
		before(keep);
	if (syscall(SYS_capset, &header, sets) < 0)
		return -errno;
	return 0;
}

int sl_capabilities_limit(bool resource_limits)
{
	return keep_in_sets(sl_capabilities_kept & ~(resource_limits ? KEEP(CAP_SYS_RESOURCE) : 0), limit_bounding_set);
}

int sl_capabilities_drop_network(void)
{
	return keep_in_sets(~(KEEP(CAP_NET_ADMIN) | KEEP(CAP_NET_RAW) | KEEP(CAP_NET_BROADCAST)), NULL);
}
