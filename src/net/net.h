/*
 * net.h - sockets on the command's behalf: the notified socket calls of a sandbox, decided on copies and done
 * here.
 *
 * Each call: the arguments are copied once, the caller's descriptor is taken (pidfd_getfd), the notification
 * must still be valid, then the copy is judged and the operation done on the open file that was taken. What
 * another thread does meanwhile to the memory, the address, the path or the descriptor number changes
 * nothing. Any error while deciding refuses. Nothing is ever continued here that a policy judges.
 *
 * Threads: calls come from the notifier's thread and are answered there where they cannot block. What may
 * block goes to a worker (worker.h), which answers when it is done. So a connect to a host that does not
 * answer delays nobody. What ought not to block can be made to by whoever shares the open file (its O_NONBLOCK, its SO_LINGER
 * when ours is the last descriptor); sl_watch_begin() bounds that.
 *
 * While learning (policy NULL) everything is allowed, and what was done is reported.
 */
#ifndef SL_NET_NET_H
#define SL_NET_NET_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "kernel/own-fd.h"
#include "kernel/resolve.h"
#include "policy/calls.h"
#include "policy/policy.h"

struct sl_resolver;
struct sl_workers;

enum sl_net_deed {
	SL_NET_MADE,	  /* socket, socketpair; only when refused */
	SL_NET_CONNECTED, /* connect, also of datagram sockets; MSG_FASTOPEN */
	SL_NET_SENT,	  /* a datagram */
	SL_NET_BOUND,
	SL_NET_LISTENED,
	SL_NET_JOINED, /* a multicast group: peer, with the socket's own port */
};

/* What was done, or refused. Strings are valid during the call. */
struct sl_net_event {
	enum sl_net_deed deed;
	pid_t tid;
	const char *call; /* the system call's name */
	int error;	  /* 0, or the positive errno that the caller gets */
	bool refused;	  /* by the policy */
	int family;	  /* of the socket */
	int type, protocol;
	bool has_peer; /* peer is what was reached, or bound to (its port) */
	struct sl_net_peer peer;
	const char *local; /* of an AF_UNIX socket: canonical path, "@name"; or NULL */
	bool own;	   /* … on which a process of the sandbox listens */
	bool fixed_port;   /* the socket was bound to a port of its caller's choice */
	uint64_t cookie;   /* of the socket; 0: unknown */
	int fd;		   /* the socket, ours, valid during the call */
	int caller_fd;	   /* its number in the caller */
};

struct sl_net {
	/* Set by the owner. */
	const struct sl_policy *policy; /* NULL: learning */
	bool refuse_all;		/* learning without a network: destinations and ports are refused */
	struct sl_net_plan plan;	/* the filter's */
	int ruleset_fd;			/* the command's domain, for paths that are bound; -EBADF: none */
	struct sl_resolver *resolver;	/* NULL: names are not judged */
	bool (*is_inside)(void *arg, pid_t pid); /* is the process in the sandbox? From any thread */
	void (*report)(void *arg, const struct sl_net_event *e); /* may be NULL; from any thread */
	void *arg;
	/* What an AF_UNIX path leads to where that is not what the file system has; NULL: it always is. 0 with
	 * ret->fd and ret->path; -EAGAIN: it is; -errno. In the notifier's thread. */
	int (*find_local)(void *arg, int listener, const struct seccomp_notif *n, const char *path,
			  struct sl_resolved *ret);
	void *find_arg;
	/* Its own. */
	struct timespec since; /* CLOCK_REALTIME_COARSE at the start */
	struct sl_workers *workers;
	struct sl_pidfds pidfds; /* of callers; the notifier's thread alone */
};

/* Before the first call, and after the last was received: what still blocks is given up, unanswered. */
void sl_net_start(struct sl_net *net);
void sl_net_stop(struct sl_net *net);

/* Answer a notified socket call (SL_OP_SOCKET, CONNECT, BIND, LISTEN, SEND, JOIN, …), now or later. False while learning, where the
 * caller may make the call itself: nothing was answered. */
bool sl_net_notify(struct sl_net *net, int listener, const struct seccomp_notif *n,
		   const struct sl_call *call);

#endif
