/*
 * killer.h - process K, which ends the sandbox when the tool ends, however that happens.
 */
#ifndef SL_SUPERVISE_KILLER_H
#define SL_SUPERVISE_KILLER_H

#include <sys/types.h>

#include "base/error.h"
#include "kernel/cgroup.h"
#include "supervise/domain.h"

struct sl_killer {
	pid_t pid; /* 0: none runs */
	int fd;	   /* pidfd: readable when it has ended */
};

#define SL_KILLER_INIT ((struct sl_killer){.fd = -EBADF})

/* Make the killer from the calling thread, which is in the outer domain and in no notification. Both directories
 * (or NULL) and the group (which may be none) are removed after the sandbox has been killed. It is no child that wait() without __WALL sees, so that
 * waiting for "any child" ends with the sandbox. Returns 0 or -errno with err set. */
int sl_killer_start(enum sl_domain_kind domain, const char *const dirs[2], const struct sl_cgroup *group,
		    struct sl_killer *ret, struct sl_error *err);

/* Send the killer its end without waiting for it; sl_killer_stop() reaps it. */
void sl_killer_kill(const struct sl_killer *k);

/* End the killer without its doing anything, and reap it. */
void sl_killer_stop(struct sl_killer *k);

#endif
