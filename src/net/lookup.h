/*
 * lookup.h - our own look-ups of names: both kinds of address, over UDP and, where an answer was cut, over
 * TCP.
 */
#ifndef SL_NET_LOOKUP_H
#define SL_NET_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"
#include "net/nameservers.h"

/* Ask for the addresses of all names (normalized) at once and hand every matching reply to `reply`. A
 * nameserver that gives none within two seconds is followed by the next. Blocks; returns early
 * when stop_fd (may be -EBADF) becomes readable. Returns whether every question was answered. */
bool sl_lookup(const struct sl_nameservers *servers, const struct sl_strv *names, int stop_fd,
	       void (*reply)(void *arg, const void *msg, size_t len), void *arg);

#endif
