/*
 * members.h - the processes of a running sandbox, seen from the tool.
 */
#ifndef SL_SUPERVISE_MEMBERS_H
#define SL_SUPERVISE_MEMBERS_H

#include <stddef.h>
#include <sys/types.h>

#include "supervise/behalf.h"

/* Call visit for every process that is inside now. Returns how many there were. */
size_t sl_members_each(const struct sl_behalf *who, void (*visit)(pid_t pid, void *arg), void *arg);

/* Send a signal to all of them. With the signal scope this is one kill(-1), which also reaches the killer (it
 * blocks all that can be blocked); without it, one pass over the processes: repeat it until none is left. */
void sl_members_signal(const struct sl_behalf *who, int sig);

#endif
