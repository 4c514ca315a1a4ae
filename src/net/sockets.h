/*
 * sockets.h - which AF_UNIX sockets and TCP listeners are the sandbox's own: those that a process of it holds.
 */
#ifndef SL_NET_SOCKETS_H
#define SL_NET_SOCKETS_H

#include "net/call.h"

/* A descriptor of the socket that has this name, taken from a process of the sandbox: for an abstract name
 * its bytes, for a path the object that it was bound to. -EACCES where no such process has it, or where that
 * cannot be found out. */
int sl_own_socket_hold(const struct sl_net_call *c, const struct sl_address *a, int object);

/* A descriptor of the socket with this inode number (sockfs) and cookie, taken from a process of the sandbox, or -EACCES. */
int sl_own_socket_take(const struct sl_net_call *c, uint32_t inode, uint64_t cookie);

/* A descriptor of the listener that a TCP connection to a loopback address (IPv4 as ::ffff:a.b.c.d) would reach, if a
 * process of the sandbox holds it and nobody else can get the port meanwhile (listeners.c); or -EACCES. */
int sl_own_listener_hold(const struct sl_net_call *c, const struct in6_addr *address, uint16_t port);

/* Does it still listen there, and nobody else? Asked after the connection was made. */
bool sl_own_listener_listens(int fd, const struct in6_addr *address, uint16_t port);

#endif
