/*
 * identity.c - taking on another process's file-system identity in the calling thread (tracee.h).
 *
 * The libc wrappers change every thread, so these are the raw calls, each of which the kernel applies to the
 * calling thread alone: setgroups, setfsgid, setfsuid, capset. What they did is read back before anything is
 * done with it. Where it cannot be undone the process is ended: the kernel then refuses what would have been
 * answered, which is the safe side.
 *
 * The usual case is a caller that has exactly our identity. Ours is read once a thread and kept; the
 * comparison costs no system call.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/macros.h"
#include "kernel/tracee.h"

/* Not to be mistaken for success or an id: setfsuid and setfsgid answer this one with the present id. */
#define NO_CHANGE ((uint32_t)-1)

struct sl_identity {
	struct sl_creds own;
	uint64_t cap_permitted, cap_inheritable;
};

/* This thread's own identity outside of assume/restore. Kept because it is compared with every caller's;
 * nothing else in the tool changes it. */
static _Thread_local struct {
	bool known;
	struct sl_creds creds;
} kept;

struct cap_sets {
	uint64_t effective, permitted, inheritable;
};

static int get_caps(struct cap_sets *ret)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	if (syscall(__NR_capget, &header, data) < 0)
		return -errno;
	ret->effective = data[0].effective | (uint64_t)data[1].effective << 32;
	ret->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	ret->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return 0;
}

static int set_caps(const struct cap_sets *caps)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
	    {(uint32_t)caps->effective, (uint32_t)caps->permitted, (uint32_t)caps->inheritable},
	    {(uint32_t)(caps->effective >> 32), (uint32_t)(caps->permitted >> 32),
	     (uint32_t)(caps->inheritable >> 32)},
	};

	return syscall(__NR_capset, &header, data) < 0 ? -errno : 0;
}

static bool same_groups(const struct sl_creds *a, const struct sl_creds *b)
{
	/* The kernel keeps them sorted. */
	return a->group_count == b->group_count &&
	       memcmp(a->groups, b->groups, (size_t)a->group_count * sizeof(a->groups[0])) == 0;
}

static bool same_identity(const struct sl_creds *a, const struct sl_creds *b)
{
	return a->fsuid == b->fsuid && a->fsgid == b->fsgid && a->cap_effective == b->cap_effective &&
	       same_groups(a, b);
}

static int own_creds(const struct sl_creds **ret)
{
	int r;

	if (!kept.known) {
		r = sl_tracee_creds((pid_t)syscall(__NR_gettid), &kept.creds);
		if (r < 0)
			return r;
		kept.known = true;
	}
	*ret = &kept.creds;
	return 0;
}

/* Groups, fsgid, fsuid, then the capabilities, which those calls need. */
static bool change(const struct sl_creds *to, const struct sl_creds *from, const struct cap_sets *caps)
{
	struct cap_sets now = {0};

	if (!same_groups(to, from) && syscall(__NR_setgroups, to->group_count, to->groups) < 0)
		return false;
	syscall(__NR_setfsgid, to->fsgid);
	syscall(__NR_setfsuid, to->fsuid);
	if (set_caps(caps) < 0)
		return false;
	return (gid_t)syscall(__NR_setfsgid, NO_CHANGE) == to->fsgid &&
	       (uid_t)syscall(__NR_setfsuid, NO_CHANGE) == to->fsuid && get_caps(&now) == 0 &&
	       now.effective == caps->effective && now.permitted == caps->permitted;
}

static bool groups_are(const struct sl_creds *creds)
{
	gid_t now[SL_GROUPS_MAX];
	long n = syscall(__NR_getgroups, SL_GROUPS_MAX, now);

	return n == creds->group_count && memcmp(now, creds->groups, (size_t)n * sizeof(now[0])) == 0;
}

int sl_identity_assume(const struct sl_creds *creds, struct sl_identity **ret_saved)
{
	const struct sl_creds *own;
	struct sl_identity *saved;
	struct cap_sets caps = {0};
	int r = own_creds(&own);

	if (r < 0)
		return -EPERM;
	if (same_identity(creds, own)) {
		*ret_saved = NULL;
		return 0;
	}
	if (get_caps(&caps) < 0)
		return -EPERM;
	saved = malloc(sizeof(*saved));
	if (!saved)
		return -EPERM;
	saved->own = *own;
	saved->cap_permitted = caps.permitted;
	saved->cap_inheritable = caps.inheritable;
	caps.effective = creds->cap_effective & own->cap_effective;
	if (!change(creds, own, &caps) || !groups_are(creds)) {
		sl_identity_restore(saved);
		return -EPERM;
	}
	*ret_saved = saved;
	return 0;
}

void sl_identity_restore(struct sl_identity *saved)
{
	struct cap_sets caps;
	struct sl_creds unknown = {.group_count = -1}; /* sets the groups again, whatever they are */

	if (!saved)
		return;
	caps = (struct cap_sets){saved->own.cap_effective, saved->cap_permitted, saved->cap_inheritable};
	/* The capabilities first: setting the ids back needs them. A process that has none set no groups
	 * either. */
	if (set_caps(&caps) < 0 ||
	    !change(&saved->own, groups_are(&saved->own) ? &saved->own : &unknown, &caps) ||
	    !groups_are(&saved->own))
		abort();
	free(saved);
}
