/*
 * worker.h - threads for calls that may block, and waiting in them as the caller would: until the call is
 * done, its timeout is over, the caller gets a signal or is killed, or the run ends.
 *
 * A worker blocks in the system call itself, on the caller's own open file, whose flags are not touched. A
 * timer of its own interrupts it now and then so that it can look at the caller.
 */
#ifndef SL_NET_WORKER_H
#define SL_NET_WORKER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct sl_workers;

/* The signal that interrupts a worker. Whoever starts workers installs a handler without SA_RESTART, which calls
 * sl_watch_tick(). */
#define SL_WORKER_SIGNAL SIGURG

struct sl_workers *sl_workers_new(void);

/* Interrupt and end all. NULL is fine. */
void sl_workers_free(struct sl_workers *w);

/* Run job(arg) in a worker. 0, or -EAGAIN where there are too many. */
int sl_workers_run(struct sl_workers *w, void (*job)(void *arg), void *arg);

/* A thread that is to serve others soon, around what it does for one: a system call that ought not to wait and does all the
 * same, because somebody changed the open file meanwhile, ends with EINTR after some milliseconds. The timer runs on for
 * as long as there is always something to do, so this costs nothing for each. */
void sl_watch_begin(void);
void sl_watch_end(void);
void sl_watch_tick(void); /* in the signal's handler */
void sl_watch_release(void); /* before the thread ends */

/* While a blocking call is made for a caller. */
struct sl_wait {
	struct sl_workers *workers;
	int listener;
	uint64_t id;
	pid_t tid;
	struct timespec until; /* of the socket's timeout; tv_sec 0: none */
	unsigned int seen;     /* how often a signal was pending */
};

/* How long a socket waits for what is sent, or for a connection (SO_SNDTIMEO); 0: for ever. */
int64_t sl_wait_send_timeout_us(int fd);

/* In a worker. timeout_us: of the socket, 0: none. */
void sl_wait_begin(struct sl_wait *w, struct sl_workers *workers, int listener, uint64_t id, pid_t tid,
		   int64_t timeout_us);
void sl_wait_end(struct sl_wait *w);

/* The call was interrupted (EINTR): 0: make it again; -ETIMEDOUT: its time is over; -EINTR: the caller has a
 * signal; -ECANCELED: nobody waits for the answer any more. */
int sl_wait_interrupted(struct sl_wait *w);

#endif
