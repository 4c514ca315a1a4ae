/*
 * control.h - the side of a running sandbox that answers ps, inspect and kill.
 *
 * One request a connection, a line: "inspect" is answered with one line of JSON; "kill" asks the run to end,
 * and the connection stays open until it has. Nothing here blocks: a client that does not read or write costs
 * its descriptor.
 */
#ifndef SL_SUPERVISE_CONTROL_H
#define SL_SUPERVISE_CONTROL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "supervise/behalf.h"
#include "supervise/sandbox.h"

#define SL_CONTROL_CLIENTS_MAX 16
#define SL_CONTROL_FDS_MAX     (1 + SL_CONTROL_CLIENTS_MAX)

struct sl_control_client {
	int fd;
	char request[32];
	size_t request_len;
	char *reply; /* NULL until the request is whole */
	size_t reply_len, sent;
	bool waits; /* for the end of the run */
};

struct sl_control {
	int fd; /* -EBADF: nobody listens */
	const char *name;
	const struct sl_command *command;
	const struct sl_sandbox_options *options;
	const struct sl_behalf *who;
	time_t started;
	struct sl_control_client clients[SL_CONTROL_CLIENTS_MAX];
	size_t client_count;
	bool kill_requested;
};

#define SL_CONTROL_INIT ((struct sl_control){.fd = -EBADF})

/* Fill fds (at least SL_CONTROL_FDS_MAX) with what to wait for. Returns how many. */
size_t sl_control_poll(const struct sl_control *c, struct pollfd *fds);

/* Act on what sl_control_poll's descriptors reported. */
void sl_control_serve(struct sl_control *c, const struct pollfd *fds, size_t count);

void sl_control_release(struct sl_control *c);

#endif
