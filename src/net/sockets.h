/*
 * sockets.h - which AF_UNIX sockets are the sandbox's own: those that a process of it holds.
 */
#ifndef SL_NET_SOCKETS_H
#define SL_NET_SOCKETS_H

#include "net/call.h"

/* A descriptor of the socket that has this name, taken from a process of the sandbox: for an abstract name
 * its bytes, for a path the object that it was bound to. -EACCES where no such process has it, or where that
 * cannot be found out. */
int sl_own_socket_hold(const struct sl_net_call *c, const struct sl_address *a, int object);

#endif
