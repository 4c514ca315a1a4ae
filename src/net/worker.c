/*
 * worker.c - see worker.h. Threads are made when no idle one is there, and stay until the end.
 */
#include "net/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "kernel/seccomp.h"
#include "kernel/tracee.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

#define WORKERS_MAX  4096
#define STACK_BYTES  (256 * 1024)
/* How soon a signal to the caller is noticed. Looking costs tens of microseconds: with many that wait it is done less often. */
#define LOOK_EACH_NS  20000000L
#define LOOK_SHARE_NS 2000000L /* for each that waits */
#define LOOK_LAST_NS  500000000L

struct job {
	struct job *next;
	void (*run)(void *arg);
	void *arg;
};

struct sl_workers {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct job *first, **last;
	size_t idle, queued, count;
	long waiting;
	bool stop;
	pthread_t threads[WORKERS_MAX];
};

#define WATCH_EACH_NS 2000000

/* Each thread's timer, made when it waits first. */
static _Thread_local timer_t timer;
static _Thread_local bool has_timer;

/* Of a thread that is watched: does the timer run, does it do something, has it since the last tick? */
static _Thread_local volatile sig_atomic_t ticking, doing, has_done;

static void *worker_main(void *arg)
{
	struct sl_workers *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		struct job *job;

		w->idle++;
		while (!w->first && !w->stop)
			pthread_cond_wait(&w->work, &w->lock);
		w->idle--;
		job = w->first;
		if (!job)
			break;
		w->first = job->next;
		if (!w->first)
			w->last = &w->first;
		w->queued--;
		pthread_mutex_unlock(&w->lock);
		job->run(job->arg);
		free(job);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	sl_watch_release();
	return NULL;
}

struct sl_workers *sl_workers_new(void)
{
	struct sl_workers *w = sl_xcalloc(1, sizeof(*w));

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	w->last = &w->first;
	return w;
}

static bool add_thread(struct sl_workers *w)
{
	pthread_attr_t attr;
	bool made;

	if (w->count == WORKERS_MAX)
		return false;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	made = !pthread_create(&w->threads[w->count], &attr, worker_main, w);
	pthread_attr_destroy(&attr);
	if (made)
		w->count++;
	return made;
}

int sl_workers_run(struct sl_workers *w, void (*run)(void *arg), void *arg)
{
	struct job *job = sl_xcalloc(1, sizeof(*job));
	int r = 0;

	job->run = run;
	job->arg = arg;
	pthread_mutex_lock(&w->lock);
	if (w->idle <= w->queued && !add_thread(w)) {
		free(job);
		r = -EAGAIN;
	} else {
		*w->last = job;
		w->last = &job->next;
		w->queued++;
		pthread_cond_signal(&w->work);
	}
	pthread_mutex_unlock(&w->lock);
	return r;
}

/* Interrupted once, a thread may just have been about to block: again and again, until it has ended. */
static void end_thread(pthread_t thread)
{
	struct timespec until;

	do {
		pthread_kill(thread, SL_WORKER_SIGNAL);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 5000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
	} while (pthread_timedjoin_np(thread, NULL, &until));
}

void sl_workers_free(struct sl_workers *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	__atomic_store_n(&w->stop, true, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&w->work);
	pthread_mutex_unlock(&w->lock);
	for (size_t i = 0; i < w->count; i++)
		end_thread(w->threads[i]);
	pthread_cond_destroy(&w->work);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static void set_timer(long each_ns)
{
	const struct itimerspec spec = {.it_interval = {.tv_nsec = each_ns},
					.it_value = {.tv_nsec = each_ns}};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SL_WORKER_SIGNAL};

	if (!has_timer) {
		event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
		if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
			return;
		has_timer = true;
	}
	timer_settime(timer, 0, &spec, NULL);
}

void sl_watch_begin(void)
{
	doing = true;
	if (ticking)
		return;
	ticking = true;
	set_timer(WATCH_EACH_NS);
}

void sl_watch_end(void)
{
	has_done = true;
	doing = false;
}

void sl_watch_tick(void)
{
	if (ticking && !doing && !has_done) {
		set_timer(0);
		ticking = false;
	}
	has_done = false;
}

void sl_watch_release(void)
{
	if (has_timer)
		timer_delete(timer);
	has_timer = false;
	ticking = false;
}

int64_t sl_wait_send_timeout_us(int fd)
{
	struct timeval t = {0};
	socklen_t size = sizeof(t);

	if (getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, &size) < 0)
		return 0;
	return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

void sl_wait_begin(struct sl_wait *w, struct sl_workers *workers, int listener, uint64_t id, pid_t tid,
		   int64_t timeout_us)
{
	long waiting = __atomic_add_fetch(&workers->waiting, 1, __ATOMIC_RELAXED);

	*w = (struct sl_wait){.workers = workers, .listener = listener, .id = id, .tid = tid};
	if (timeout_us > 0) {
		clock_gettime(CLOCK_MONOTONIC, &w->until);
		w->until.tv_sec += timeout_us / 1000000;
		w->until.tv_nsec += timeout_us % 1000000 * 1000;
		if (w->until.tv_nsec >= 1000000000) {
			w->until.tv_sec++;
			w->until.tv_nsec -= 1000000000;
		}
	}
	set_timer(SL_MIN(SL_MAX(LOOK_EACH_NS, waiting * LOOK_SHARE_NS), LOOK_LAST_NS));
}

void sl_wait_end(struct sl_wait *w)
{
	set_timer(0);
	__atomic_sub_fetch(&w->workers->waiting, 1, __ATOMIC_RELAXED);
}

static bool is_over(const struct timespec *until)
{
	struct timespec now;

	if (!until->tv_sec)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > until->tv_sec || (now.tv_sec == until->tv_sec && now.tv_nsec >= until->tv_nsec);
}

int sl_wait_interrupted(struct sl_wait *w)
{
	if (__atomic_load_n(&w->workers->stop, __ATOMIC_ACQUIRE) || !sl_notif_valid(w->listener, w->id))
		return -ECANCELED;
	if (is_over(&w->until))
		return -ETIMEDOUT;
	/* One that was sent to the process may be another thread's to take: only what stays counts. */
	w->seen = sl_tracee_signal_pending(w->tid) ? w->seen + 1 : 0;
	return w->seen > 1 ? -EINTR : 0;
}
