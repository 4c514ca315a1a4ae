/*
 * registry.h - running sandboxes: each listens on an abstract AF_UNIX socket "sandlock/UID/NAME", so nothing on
 * disk can go stale. ps lists /proc/net/unix, inspect and kill talk to the socket; the peer's uid is checked on
 * both sides (own uid, or root).
 */
#ifndef SL_SUPERVISE_REGISTRY_H
#define SL_SUPERVISE_REGISTRY_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* What inspect answers, as one JSON object: name, mode, pid (tool), command_pid, profile, argv, started
 * (RFC 3339), processes (pid, name, state of each process in the sandbox). */
struct sl_sandbox_info {
	char *name, *mode, *profile, *command, *started;
	pid_t pid, command_pid;
	size_t processes;
	char *json; /* the whole answer */
};
void sl_sandbox_info_release(struct sl_sandbox_info *i);

/* Bind and listen for this sandbox: a descriptor, -EADDRINUSE where the name is taken, or -errno. */
int sl_registry_listen(const char *name, struct sl_error *err);

/* Is the text usable as a name: 1-64 of [A-Za-z0-9._-], not starting with '.' or '-'? */
bool sl_registry_name_valid(const char *name);

/* All running sandboxes of the calling user (of everybody, for root): an array, its length in *ret_len. */
int sl_registry_list(struct sl_sandbox_info **ret, size_t *ret_len, struct sl_error *err);

/* One by name. -ENOENT where none runs. */
int sl_registry_inspect(const char *name, struct sl_sandbox_info *ret, struct sl_error *err);

/* End a sandbox: SIGTERM to its command, SIGKILL to all of it after a second; waits until it is gone. */
int sl_registry_kill(const char *name, struct sl_error *err);

#endif
