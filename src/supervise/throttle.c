/*
 * throttle.c - the share of CPU time; see throttle.h.
 *
 * CPU time is read from the processes' clocks. What ended between two looks is known by the times of children
 * that their parents (we among them) waited for; those figures include what was seen before. So both sums are
 * made, and the larger is taken: what living processes used since the last look, and by how much the total
 * has grown.
 */
#include "supervise/throttle.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/strbuf.h"
#include "kernel/usage.h"
#include "supervise/members.h"

#define PERIOD_S     0.1
#define LOOK_MIN_S   0.002
#define HOLD_AGAIN_S 0.005 /* threads that wake up while the others are held */
#define PASSES_MAX   4

static double cpu_s_of(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) < 0)
		return 0;
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double children_cpu_s(void)
{
	struct rusage u;

	if (getrusage(RUSAGE_CHILDREN, &u) < 0)
		return 0;
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

void sl_throttle_init(struct sl_throttle *t, int64_t percent, const struct sl_behalf *who)
{
	cpu_set_t set;

	if (percent <= 0)
		return;
	t->share = (double)percent / 100;
	t->who = who;
	t->cpus = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
	t->total_s = children_cpu_s();
	t->begun_s = sl_now_s();
	t->next_s = t->begun_s + PERIOD_S / t->cpus * SL_MIN(t->share, 1.0);
}

void sl_throttle_release(struct sl_throttle *t)
{
	free(t->uses);
	free(t->held);
	*t = (struct sl_throttle){0};
}

struct measuring {
	const struct sl_throttle *throttle;
	struct sl_throttle_use *uses;
	size_t count, cap;
	double grown_s, total_s;
};

static int by_pid(const void *a, const void *b)
{
	const struct sl_throttle_use *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static void measure_one(pid_t pid, void *arg)
{
	struct measuring *m = arg;
	const struct sl_throttle *t = m->throttle;
	struct sl_throttle_use use = {pid, cpu_s_of(pid)};
	const struct sl_throttle_use *old = NULL;
	struct sl_usage_stat stat;

	if (t->use_count)
		old = bsearch(&use, t->uses, t->use_count, sizeof(*t->uses), by_pid);
	/* A smaller figure than before is another process's. */
	m->grown_s += old && old->cpu_s <= use.cpu_s ? use.cpu_s - old->cpu_s : use.cpu_s;
	m->total_s += use.cpu_s;
	if (sl_usage_stat(pid, &stat) == 0)
		m->total_s += (double)(stat.cpu_ticks - stat.own_ticks) / (double)sysconf(_SC_CLK_TCK);
	if (m->count == m->cap) {
		m->cap = m->cap ? 2 * m->cap : 64;
		m->uses = sl_xrealloc(m->uses, m->cap * sizeof(*m->uses));
	}
	m->uses[m->count++] = use;
}

/* CPU time used since the last look. */
static double measure(struct sl_throttle *t)
{
	struct measuring m = {.throttle = t, .total_s = children_cpu_s()};
	double used_s;

	sl_members_each(t->who, measure_one, &m);
	if (m.count)
		qsort(m.uses, m.count, sizeof(*m.uses), by_pid);
	free(t->uses);
	t->uses = m.uses;
	t->use_count = m.count;
	t->use_cap = m.cap;
	used_s = SL_MAX(m.grown_s, m.total_s - t->total_s);
	t->total_s = m.total_s;
	return used_s;
}

static struct sl_throttle_held *find_held(struct sl_throttle *t, pid_t tid)
{
	for (size_t i = 0; i < t->held_count; i++)
		if (t->held[i].tid == tid)
			return &t->held[i];
	return NULL;
}

static void drop_held(struct sl_throttle *t, struct sl_throttle_held *h)
{
	*h = t->held[--t->held_count];
}

/* Let the thread go if it has stopped; where it has not yet, its stop will come (sl_throttle_has_stopped). */
static bool let_go(const struct sl_throttle_held *h)
{
	if (h->by_signal)
		return kill(h->tid, SIGCONT) == 0 || errno == ESRCH;
	return ptrace(PTRACE_DETACH, h->tid, NULL, (void *)(intptr_t)h->signal) == 0;
}

void sl_throttle_let_go(struct sl_throttle *t)
{
	for (size_t i = t->held_count; i-- > 0;) {
		struct sl_throttle_held *h = &t->held[i];

		h->released = true;
		if (let_go(h))
			drop_held(t, h);
	}
	t->holding = false;
}

static void add_held(struct sl_throttle *t, struct sl_throttle_held held)
{
	if (t->held_count == t->held_cap) {
		t->held_cap = t->held_cap ? 2 * t->held_cap : 32;
		t->held = sl_xrealloc(t->held, t->held_cap * sizeof(*t->held));
	}
	t->held[t->held_count++] = held;
}

/* Hold a thread that runs. */
static void hold(struct sl_throttle *t, pid_t pid, pid_t tid)
{
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) == 0) {
		ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
		add_held(t, (struct sl_throttle_held){.tid = tid});
		return;
	}
	/* Somebody inside may have continued it: it is stopped again. */
	if (errno != ESRCH && kill(pid, SIGSTOP) == 0 && !find_held(t, pid))
		add_held(t, (struct sl_throttle_held){.tid = pid, .by_signal = true});
}

static void hold_threads(pid_t pid, void *arg)
{
	struct sl_throttle *t = arg;
	char path[64];
	SL_CLOSEDIR DIR *tasks = NULL;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
		struct sl_usage_stat stat;
		struct sl_throttle_held *h = tid > 0 ? find_held(t, tid) : NULL;

		if (h && !h->by_signal)
			h->released = false; /* its stop was late; now it is wanted again */
		else if (tid > 0 && sl_usage_stat(tid, &stat) == 0 && stat.state == 'R')
			hold(t, pid, tid);
	}
}

/* Hold all that run. Who is just being made by one that is held is found in the next pass. */
static void hold_all(struct sl_throttle *t)
{
	size_t before;
	int passes = 0;

	do {
		before = t->held_count;
		sl_members_each(t->who, hold_threads, t);
	} while (t->held_count > before && ++passes < PASSES_MAX);
	t->holding = true;
}

static void begin_period(struct sl_throttle *t, double at_s)
{
	t->begun_s = at_s;
	t->used_s = 0;
}

void sl_throttle_tick(struct sl_throttle *t, double at_s)
{
	double right_s, left_s;

	if (t->share <= 0 || at_s < t->next_s)
		return;
	t->used_s += measure(t);
	right_s = t->begun_s + t->used_s / t->share; /* when the share is right again */
	at_s = sl_now_s();
	if (t->used_s >= t->share * PERIOD_S && at_s < right_s) {
		hold_all(t);
		t->next_s = SL_MIN(right_s, sl_now_s() + HOLD_AGAIN_S);
		return;
	}
	if (t->holding || at_s >= t->begun_s + PERIOD_S) {
		sl_throttle_let_go(t);
		begin_period(t, at_s);
	}
	left_s = (t->share * PERIOD_S - t->used_s) / t->cpus;
	t->next_s = at_s + SL_MIN(SL_MAX(left_s, LOOK_MIN_S), PERIOD_S);
}

bool sl_throttle_has_stopped(struct sl_throttle *t, pid_t tid, int status)
{
	struct sl_throttle_held *h = t->held_count ? find_held(t, tid) : NULL;
	int event = status >> 16;

	if (!h)
		return false;
	if (WIFEXITED(status) || WIFSIGNALED(status)) {
		drop_held(t, h);
		return false;
	}
	if (h->by_signal)
		return true; /* stopped or continued by us */
	if (WIFSTOPPED(status) && event == 0)
		h->signal = WSTOPSIG(status);
	if (h->released && let_go(h))
		drop_held(t, h);
	return true;
}
