/*
 * features.c - asking the kernel for its seccomp features.
 *
 * A flag is known when a filter load with it and no program fails for the missing program (EFAULT): the
 * kernel checks flags first and never gets as far as a change. What can only be asked of a listener goes by
 * the kernel's version: ADDFD with SEND came with 5.14, synchronous wake-ups with 6.6.
 */
#include "kernel/features.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

const struct sl_kernel_feature sl_kernel_feature_rows[] = {
    {"filter", SL_FEATURE_FILTER, true, "nothing can be run"},
    {"listener", SL_FEATURE_LISTENER, true, "learn cannot observe, run cannot answer attribute calls"},
    {"ADDFD with SEND", SL_FEATURE_ADDFD_SEND, false, "entries below /proc/self do not hold"},
    {"WAIT_KILLABLE_RECV", SL_FEATURE_WAIT_KILLABLE, false,
     "signals can restart a call that is being answered"},
    {"SYNC_WAKE_UP", SL_FEATURE_SYNC_WAKE_UP, false, "learn is slower"},
    {NULL, 0, false, NULL},
};

static bool flag_known(unsigned long flags)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, NULL) < 0 && errno == EFAULT;
}

bool sl_kernel_at_least(unsigned long major, unsigned long minor)
{
	struct utsname u;
	unsigned long have_major, have_minor;
	char *end;

	if (uname(&u) < 0)
		return false;
	have_major = strtoul(u.release, &end, 10);
	have_minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
	return have_major > major || (have_major == major && have_minor >= minor);
}

unsigned int sl_kernel_features(void)
{
	uint32_t notify = SECCOMP_RET_USER_NOTIF;
	unsigned int have = 0;

	if (flag_known(0))
		have |= SL_FEATURE_FILTER;
	if (flag_known(SECCOMP_FILTER_FLAG_NEW_LISTENER) &&
	    syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &notify) == 0)
		have |= SL_FEATURE_LISTENER;
	if (flag_known(SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV))
		have |= SL_FEATURE_WAIT_KILLABLE;
	if (sl_kernel_at_least(5, 14))
		have |= SL_FEATURE_ADDFD_SEND;
	if (sl_kernel_at_least(6, 6))
		have |= SL_FEATURE_SYNC_WAKE_UP;
	return have;
}
