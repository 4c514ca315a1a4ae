/*
 * guard.h - a process that removes an upper (view/view.h) if the one that made it ends without having dealt with it.
 *
 * The killer does so while a command runs; this one is there before and afterwards too. It is told to go through a socket,
 * because from inside of the outer domain nothing can be signalled that was made before.
 */
#ifndef SL_SUPERVISE_GUARD_H
#define SL_SUPERVISE_GUARD_H

#include <sys/types.h>

#include "base/error.h"

struct sl_guard {
	pid_t pid; /* 0: none runs */
	int fd;	   /* a byte written to it dismisses the guard */
};

#define SL_GUARD_INIT ((struct sl_guard){.fd = -EBADF})

/* Start it. When the calling process ends the upper is removed, unless its changes were begun to be applied
 * (view/changes.h): then whoever comes next goes on with that. It is no child that wait() without __WALL sees. 0 or -errno with
 * err (may be NULL) set. */
int sl_guard_start(const char *upper, struct sl_guard *ret, struct sl_error *err);

/* Dismiss it, and reap it. */
void sl_guard_stop(struct sl_guard *g);

#endif
