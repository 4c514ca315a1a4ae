/*
 * substitute.h - letting a caller that waits in a seccomp notification make another system call than the one
 * it asked for.
 *
 * Some calls cannot be done on behalf: only a thread itself can enter a directory or execute a program. The
 * caller is seized with ptrace, its call is answered so that it stops before it is back in user mode, and it
 * is made to execute its own `syscall` instruction again with other registers, as often as needed. At the end
 * it has its registers back, with the result in their place, and nobody traces it. To itself, its parent and
 * its threads nothing happened but one call.
 *
 * - Signals are kept blocked meanwhile, so they are pending and arrive after the call, where they would have.
 * What cannot be blocked, SIGSTOP and a group stop, gives the call up: the caller stops as it should and
 * makes its call anew once it is continued. So it is with whatever the kernel asks to be restarted.
 * - The substituted call passes the seccomp program. Its own notification is continued here; those of other
 * callers that arrive meanwhile are handed to host->defer, for later.
 * - What the registers say the caller cannot change. What they point to, its other threads can: a substituted
 * call must be one that the caller may make anyway, whatever its strings say by then.
 *
 * ptrace belongs to a thread: all of one substitution is done by one thread, which has no children of its
 * own. Other threads of the process that wait for children must hold host->lock while they do: a stop of a
 * child is anybody's whose wait comes first. A caller that dies meanwhile is left for them to reap.
 */
#ifndef SL_KERNEL_SUBSTITUTE_H
#define SL_KERNEL_SUBSTITUTE_H

#include <linux/seccomp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SL_PLACES 64

/* Who serves the listener. */
struct sl_substitute_host {
	int listener;
	pthread_mutex_t lock; /* held from begin to end */
	void (*defer)(void *arg, const struct seccomp_notif *n);
	void *arg;

	/* Memory that was mapped into callers for strings, by the stack of their image; only hints. */
	struct {
		uint64_t stack, addr, size;
	} places[SL_PLACES];
	unsigned int next_place;
	uint64_t mark[2]; /* begins each such mapping; random */
};

void sl_substitute_host_init(struct sl_substitute_host *host, int listener,
			     void (*defer)(void *arg, const struct seccomp_notif *n), void *arg);
void sl_substitute_host_release(struct sl_substitute_host *host);

struct sl_substitution;

/* Take hold of the caller of a received notification. 0: it stands before its call, sl_substitute_end() must
 * follow. 1: it makes its call anew or is gone, the notification is dealt with. -errno: nothing happened and
 * the notification still wants its answer; -EPERM where ptrace is forbidden or somebody else traces the
 * caller. */
int sl_substitute_begin(struct sl_substitute_host *host, const struct seccomp_notif *n,
			struct sl_substitution **ret);

/* Memory of the caller's that nobody else uses, size bytes at *ret_addr, until the end. Each call gives the
 * same place. 0; -ENOMEM; -ECANCELED as below. */
int sl_substitute_place(struct sl_substitution *s, size_t size, uint64_t *ret_addr);

/* Make a system call. notified: the seccomp program notifies it. 0 with the call's result in *ret_result,
 * which is 0 for an execve that succeeded; -ECANCELED: the caller is gone or must make its call anew, only
 * the end is left to do. */
int sl_substitute_call(struct sl_substitution *s, int nr, const uint64_t args[6], bool notified,
		       int64_t *ret_result);

/* The thread id of the caller, which an execve makes its process id. */
pid_t sl_substitute_tid(const struct sl_substitution *s);

/* The arguments of the call that is being substituted may be made again by the caller itself: end so. */
#define SL_SUBSTITUTE_RESTART INT64_MIN

/* Let go of the caller, its call's result being result (a value or -errno), or to make it anew. Frees s. True
 * where the call has that result; false where the caller is gone or makes its call anew. */
bool sl_substitute_end(struct sl_substitution *s, int64_t result);

#endif
