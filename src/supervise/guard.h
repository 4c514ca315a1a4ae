/*
 * guard.h - a process that removes directories of the tool's if it ends without having dealt with them: uppers (view/view.h),
 * and learn's private temporary directory.
 *
 * The killer does so while a command runs; this one is there before the first of them is made, and afterwards too. It is
 * told to go through a socket, because from inside of the outer domain nothing can be signalled that was made before. run's
 * private directory goes without it: it would take a fifth of a millisecond to find an empty directory that a kill in the
 * first one left.
 */
#ifndef SL_SUPERVISE_GUARD_H
#define SL_SUPERVISE_GUARD_H

#include <sys/types.h>

#include "base/error.h"

struct sl_guarded;

struct sl_guard {
	pid_t pid; /* 0: none runs */
	int fd;	   /* a byte written to it dismisses the guard */
	struct sl_guarded *dirs; /* shared with it */
};

#define SL_GUARD_INIT ((struct sl_guard){.fd = -EBADF})

/* Make a directory, mode 0700, under a new name that begins with prefix: its path in *ret_path, malloc'd. When the calling
 * process ends it is removed with all that is in it, unless its changes were begun to be applied (view/changes.h): then
 * whoever comes next goes on with that. The first call starts the guard, while the tool has one thread; it is no child that
 * wait() without __WALL sees. 0 or -errno with err set. */
int sl_guard_make(struct sl_guard *g, const char *prefix, char **ret_path, struct sl_error *err);

/* The same for a directory that is there. err may be NULL. */
int sl_guard_add(struct sl_guard *g, const char *path, struct sl_error *err);

/* Dismiss it, and reap it. */
void sl_guard_stop(struct sl_guard *g);

#endif
