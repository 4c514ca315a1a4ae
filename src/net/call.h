/*
 * call.h - the inside of src/net: one notified call while it is decided and done.
 */
#ifndef SL_NET_CALL_H
#define SL_NET_CALL_H

#include "kernel/tracee.h"
#include "net/address.h"
#include "net/net.h"

/* Errors of the kernel's that its own return code makes of a pending signal: the call is made again, or fails
 * with EINTR. */
#define SL_ERESTARTSYS 512

struct sl_net_call {
	struct sl_net *net;
	int listener;
	struct seccomp_notif n;
	const struct sl_call *call;
	pid_t tid;
	int fd; /* the caller's socket, ours */
	int family, type, protocol;
};

/* Answer with a result (0 or more), or a negative errno. */
void sl_net_answer(const struct sl_net_call *c, int64_t result);

/* The protocol that rules call the socket's; false for sockets that no rule speaks of. */
bool sl_net_call_protocol(const struct sl_net_call *c, enum sl_net_protocol *ret);

/* Report; e->deed and what is special are set, the rest is filled in. */
void sl_net_call_report(const struct sl_net_call *c, struct sl_net_event *e, int error);

/* Is the open file one that calls wait for? */
bool sl_net_call_waits(const struct sl_net_call *c);

/* Does the caller still wait? */
bool sl_net_call_valid(const struct sl_net_call *c);

/* Where an address of any leads: 0.0.0.0 and :: name the machine itself, by the address that the socket is
 * bound to if it is. Rewrites *a to what is reached, so that what is judged is what is done. */
void sl_net_name_any(const struct sl_net_call *c, struct sl_address *a);

/* Judge an internet address for this socket. 0, or -errno: -EACCES where it is refused, -EAGAIN where names
 * have to be looked up first (judge again when that is done, with final set). *ret_peer is filled wherever
 * there is one. */
int sl_net_judge(const struct sl_net_call *c, const struct sl_address *a, bool final,
		 struct sl_net_peer *ret_peer);

/* Look the rules' names up. Blocks: in a worker only. 0; -SL_ERESTARTSYS where the caller has a signal, -ECANCELED where
 * nobody waits any more: no answer is due then. */
int sl_net_look_up(const struct sl_net_call *c);

/* An AF_UNIX address, resolved and judged. */
struct sl_local {
	struct sl_address address; /* for our own call: /proc/self/fd/N, or the abstract name */
	char *name;		   /* canonical path or "@name" */
	int object;		   /* O_PATH of what the path leads to */
	int held; /* the sandbox's own socket that has the name, held while it is connected to */
	bool own;
};
#define SL_LOCAL_INIT ((struct sl_local){.object = -EBADF, .held = -EBADF})
void sl_local_release(struct sl_local *l);
/* 0 or -errno: -EACCES where it is refused. l->name is set where there is one, in either case. */
int sl_local_judge(const struct sl_net_call *c, const struct sl_address *a, struct sl_local *ret);

/* Take on the caller's identity for a call on a local socket, whose peer is told about it. */
struct sl_peer_identity {
	struct sl_creds *own;	   /* of this thread, where other ids were taken on */
	struct sl_identity *files; /* else */
};
int sl_peer_identity_assume(const struct sl_net_call *c, struct sl_peer_identity *ret);
void sl_peer_identity_restore(struct sl_peer_identity *p);

/* The calls. The result to answer with, or SL_LATER: a worker answers, and has the descriptor. */
#define SL_LATER INT64_MIN
#define SL_GO_ON (INT64_MIN + 1) /* let the caller make the call itself: while learning, or where registers are all of it */
int64_t sl_net_connect(struct sl_net_call *c);
int64_t sl_net_bind(struct sl_net_call *c);
int64_t sl_net_listen(struct sl_net_call *c);
int64_t sl_net_send(struct sl_net_call *c);
int64_t sl_net_async(struct sl_net_call *c);
int64_t sl_net_receive(struct sl_net_call *c);
int64_t sl_net_join(struct sl_net_call *c);

/* Bind a path in the caller's directory, as the caller, under the command's own Landlock domain
 * (bind-path.c). */
int64_t sl_net_bind_path(struct sl_net_call *c, const struct sl_address *a);

#endif
