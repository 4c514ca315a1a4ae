/*
 * network.h - what was done with sockets, as facts and as profile entries.
 *
 * Only what succeeded is a fact. A connect that goes on in the background counts when it is done and the
 * caller still has the socket (net-watch.c).
 *
 * A datagram socket's connect counts when something was sent on it or came back, or when it stays connected
 * for a while. What is written with write(2) is not seen. So a connect counts as well that can be no probe of
 * getaddrinfo(3), which compares the addresses of a name in this way where there are several, and closes its
 * socket at once.
 *
 * An address becomes the names by which look-ups of the run gave it, if they did.
 *
 * Everything may be called from any thread.
 */
#ifndef SL_OBSERVE_NETWORK_H
#define SL_OBSERVE_NETWORK_H

#include "net/net.h"
#include "observe/observe.h"

struct sl_net_facts;
struct sl_names;

struct sl_net_facts *sl_net_facts_new(void);
void sl_net_facts_free(struct sl_net_facts *f);

void sl_net_facts_event(struct sl_net_facts *f, const struct sl_net_event *e);

/* A peer that was reached. */
void sl_net_facts_peer(struct sl_net_facts *f, const struct sl_net_peer *peer);

/* The run is over: name what it reached. names may be NULL. hosts_read: /etc/hosts was read. */
void sl_net_facts_settle(struct sl_net_facts *f, struct sl_names *names, bool hosts_read);

/* Add [network] entries. */
void sl_net_facts_to_profile(struct sl_net_facts *f, struct sl_profile *profile);

/* Watching connects (net-watch.c). */
struct sl_net_watch;
struct sl_net_watch *sl_net_watch_new(struct sl_net_facts *f);
/* A connect is under way (tcp), or a datagram socket was connected. hold: keep it, so that it can be looked at after its
 * caller has closed it; not where that would keep a port from being bound again. */
void sl_net_watch_add(struct sl_net_watch *w, const struct sl_net_event *e, bool hold);
/* Look once more at everything, then forget it. */
void sl_net_watch_settle(struct sl_net_watch *w);
void sl_net_watch_free(struct sl_net_watch *w);

/* run --explain: say what was refused, with the line that would grant it; once each. */
void sl_net_explain(struct sl_observer *o, const struct sl_net_event *e);

#endif
