/*
 * forward-tcp.h - one program's TCP connection to a stand-in: a query is read, forwarded over a connection of
 * its own, its reply written back, and so on. Used by the thread of forward.c alone.
 */
#ifndef SL_NET_FORWARD_TCP_H
#define SL_NET_FORWARD_TCP_H

#include <poll.h>
#include <stdint.h>

#include "net/names.h"
#include "net/nameservers.h"

struct sl_forward_tcp;

/* Take over an accepted, non-blocking connection. */
struct sl_forward_tcp *sl_forward_tcp_new(int client, const struct sl_nameserver *server);
void sl_forward_tcp_free(struct sl_forward_tcp *s);

/* Has the client not sent anything yet? */
bool sl_forward_tcp_is_silent(const struct sl_forward_tcp *s);

/* What to wait for. */
struct pollfd sl_forward_tcp_poll(const struct sl_forward_tcp *s);

/* Go on as far as is possible without waiting. False: the connection has ended. */
bool sl_forward_tcp_serve(struct sl_forward_tcp *s, struct sl_names *names);

/* When (CLOCK_MONOTONIC, milliseconds) the last byte moved. */
int64_t sl_forward_tcp_active_ms(const struct sl_forward_tcp *s);

#endif
