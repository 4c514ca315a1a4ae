/*
 * opening.h - one open call of a confined process, copied: what stands behind its pointers is read here,
 * once.
 */
#ifndef SL_SUPERVISE_OPENING_H
#define SL_SUPERVISE_OPENING_H

#include <limits.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "policy/calls.h"

struct sl_opening {
	pid_t tid;
	int dirfd;
	uint64_t flags, mode, resolve; /* resolve: RESOLVE_* of openat2(2) */
	char path[PATH_MAX];
};

/* Copy the arguments of open, openat, openat2 or creat. False where the kernel will find them wrong, or where
 * they cannot be read. */
bool sl_opening_copy(struct sl_opening *o, const struct seccomp_notif *n, const struct sl_call *call);

/* The rights (SL_RIGHT_*) that opening an object takes that is there. */
uint32_t sl_opening_rights(const struct sl_opening *o, bool is_dir);

#endif
