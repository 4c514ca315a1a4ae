/*
 * network.h - what was done with sockets, as facts and as profile entries.
 *
 * Only what succeeded is a fact. A datagram socket's connect counts when something is sent on it, or when it
 * stays connected for a while: the probes of getaddrinfo(3) close theirs at once. A connect that goes on in
 * the background counts when it is done and the caller still has the socket (net-watch.c).
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

/* The run is over: name what it reached. names may be NULL. */
void sl_net_facts_settle(struct sl_net_facts *f, struct sl_names *names);

/* Add [network] entries. */
void sl_net_facts_to_profile(struct sl_net_facts *f, struct sl_profile *profile);

/* Watching connects (net-watch.c). */
struct sl_net_watch;
struct sl_net_watch *sl_net_watch_new(struct sl_net_facts *f);
/* A connect is under way (tcp), or a datagram socket was connected. */
void sl_net_watch_add(struct sl_net_watch *w, const struct sl_net_event *e);
/* Look once more at everything, then forget it. */
void sl_net_watch_settle(struct sl_net_watch *w);
void sl_net_watch_free(struct sl_net_watch *w);

/* run --explain: say what was refused, with the line that would grant it; once each. */
void sl_net_explain(struct sl_observer *o, const struct sl_net_event *e);

#endif
