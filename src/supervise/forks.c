/*
 * forks.c - counting and refusing forks; see forks.h.
 *
 * Why `bound` cannot be too low. At a look, first the threads whose fork may be under way are counted (u),
 * then the processes are listed. Each fork that was continued since the look before, or may have been under
 * way then
 * (`continued`), has made a process that is listed now and was not then (one of `fresh`), or one that has
 * ended, or is not seen: then its thread was among u. So at most min(u, continued - fresh) processes are
 * there, or will be, that the list does not have.
 */
#include "supervise/forks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/strbuf.h"
#include "kernel/seccomp.h"
#include "kernel/usage.h"
#include "supervise/members.h"

/* How long a fork waits for others that may be under way. */
#define WAIT_S 0.5

/* Dead children that nobody has asked for hold a number and little else. Beyond this they count. */
#define ZOMBIES_MAX 1024

void sl_forks_release(struct sl_forks *f)
{
	free(f->seen);
	free(f->under_way);
	free(f->waiting);
	*f = (struct sl_forks){0};
}

static bool is_fork(int nr)
{
	switch (nr) {
	case __NR_clone:
#ifdef __NR_fork
	case __NR_fork:
	case __NR_vfork:
#endif
		return true;
	default:
		return false;
	}
}

/* Is the thread's last fork over? A thread that runs may be anywhere. */
static bool is_over(pid_t tid)
{
	int nr = -1;

	switch (sl_usage_call(tid, &nr)) {
	case SL_USAGE_GONE:
		return true;
	case SL_USAGE_CALL:
		return !is_fork(nr);
	case SL_USAGE_UNKNOWN:
	default:
		return false;
	}
}

static void drop_finished(struct sl_forks *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->under_way_count; i++)
		if (!is_over(f->under_way[i]))
			f->under_way[kept++] = f->under_way[i];
	f->under_way_count = kept;
}

/* The thread calls again: whatever it called before is over. */
static void forget(struct sl_forks *f, pid_t tid)
{
	for (size_t i = 0; i < f->under_way_count; i++) {
		if (f->under_way[i] != tid)
			continue;
		f->under_way[i] = f->under_way[--f->under_way_count];
		return;
	}
}

static void add_under_way(struct sl_forks *f, pid_t tid)
{
	if (f->under_way_count == f->under_way_cap) {
		f->under_way_cap = f->under_way_cap ? 2 * f->under_way_cap : 16;
		f->under_way = sl_xrealloc(f->under_way, f->under_way_cap * sizeof(*f->under_way));
	}
	f->under_way[f->under_way_count++] = tid;
}

/* One look at the processes. */
struct look {
	struct sl_fork_seen *seen;
	size_t count, cap;
	int64_t living, zombies;
};

static void see(pid_t pid, void *arg)
{
	struct look *look = arg;
	struct sl_usage_stat stat;
	bool known = sl_usage_stat(pid, &stat) == 0;

	if (look->count == look->cap) {
		look->cap = look->cap ? 2 * look->cap : 64;
		look->seen = sl_xrealloc(look->seen, look->cap * sizeof(*look->seen));
	}
	/* What cannot be looked at has ended, or hides: it counts as alive. */
	if (known && (stat.state == 'Z' || stat.state == 'X') && stat.threads <= 1)
		look->zombies++;
	else
		look->living++;
	look->seen[look->count++] = (struct sl_fork_seen){pid, known ? stat.started : 0};
}

static int by_pid(const void *a, const void *b)
{
	const struct sl_fork_seen *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static uint64_t count_fresh(const struct sl_forks *f, const struct look *look)
{
	uint64_t fresh = 0;

	for (size_t i = 0; i < look->count; i++) {
		const struct sl_fork_seen *old =
		    f->seen ? bsearch(&look->seen[i], f->seen, f->seen_count, sizeof(*f->seen), by_pid)
			    : NULL;

		fresh += !old || old->started != look->seen[i].started;
	}
	return fresh;
}

static void look_around(struct sl_forks *f, const struct sl_behalf *who)
{
	struct look look = {.seen = NULL};
	uint64_t fresh, unseen;

	drop_finished(f);
	sl_members_each(who, see, &look);
	if (look.count)
		qsort(look.seen, look.count, sizeof(*look.seen), by_pid);
	fresh = count_fresh(f, &look);
	unseen = f->continued > fresh ? f->continued - fresh : 0;
	unseen = SL_MIN(unseen, (uint64_t)f->under_way_count);
	free(f->seen);
	f->seen = look.seen;
	f->seen_count = look.count;
	f->seen_cap = look.cap;
	f->continued = unseen;
	f->zombies = look.zombies;
	f->bound = look.living + (int64_t)unseen;
}

/* The command's own process is there before any fork. */
static void begin(struct sl_forks *f, const struct sl_behalf *who)
{
	struct sl_usage_stat stat = {.started = 0};

	if (f->seen)
		return;
	sl_usage_stat(who->root_pid, &stat);
	f->seen = sl_xcalloc(1, sizeof(*f->seen));
	f->seen[0] = (struct sl_fork_seen){who->root_pid, stat.started};
	f->seen_count = f->seen_cap = 1;
	f->bound = 1;
	f->peak = 1;
}

enum verdict {
	VERDICT_CONTINUE,
	VERDICT_REFUSE,
	VERDICT_WAIT, /* there is room if the forks that may be under way are over */
};

static enum verdict judge(struct sl_forks *f, const struct sl_behalf *who)
{
	if (f->bound < f->limit && f->zombies < ZOMBIES_MAX)
		return VERDICT_CONTINUE;
	look_around(f, who);
	if (f->zombies >= ZOMBIES_MAX)
		return VERDICT_REFUSE;
	if (f->bound < f->limit)
		return VERDICT_CONTINUE;
	return f->bound - (int64_t)f->continued < f->limit ? VERDICT_WAIT : VERDICT_REFUSE;
}

static void go_on(struct sl_forks *f, int listener, const struct seccomp_notif *n)
{
	f->bound++;
	f->continued++;
	add_under_way(f, (pid_t)n->pid);
	sl_notif_continue(listener, n->id);
}

static void let_wait(struct sl_forks *f, const struct seccomp_notif *n)
{
	if (f->waiting_count == f->waiting_cap) {
		f->waiting_cap = f->waiting_cap ? 2 * f->waiting_cap : 16;
		f->waiting = sl_xrealloc(f->waiting, f->waiting_cap * sizeof(*f->waiting));
	}
	f->waiting[f->waiting_count++] = (struct sl_fork_waiting){*n, sl_now_s() + WAIT_S};
}

void sl_forks_notify(struct sl_forks *f, const struct sl_behalf *who, int listener,
		     const struct seccomp_notif *n)
{
	begin(f, who);
	forget(f, (pid_t)n->pid);
	switch (f->waiting_count ? VERDICT_WAIT : judge(f, who)) {
	case VERDICT_CONTINUE:
		go_on(f, listener, n);
		break;
	case VERDICT_WAIT:
		let_wait(f, n);
		break;
	case VERDICT_REFUSE:
	default:
		sl_notif_error(listener, n->id, EAGAIN);
		break;
	}
}

void sl_forks_retry(struct sl_forks *f, const struct sl_behalf *who, int listener)
{
	size_t done = 0;

	for (; done < f->waiting_count; done++) {
		const struct sl_fork_waiting *w = &f->waiting[done];
		enum verdict verdict;

		if (!sl_notif_valid(listener, w->n.id))
			continue;
		verdict = judge(f, who);
		if (verdict == VERDICT_WAIT && sl_now_s() < w->until_s)
			break;
		if (verdict == VERDICT_CONTINUE)
			go_on(f, listener, &w->n);
		else
			sl_notif_error(listener, w->n.id, EAGAIN);
	}
	f->waiting_count -= done;
	memmove(f->waiting, f->waiting + done, f->waiting_count * sizeof(*f->waiting));
}

void sl_forks_count(struct sl_forks *f, const struct sl_behalf *who)
{
	begin(f, who);
	if (f->bound >= f->peak) {
		look_around(f, who);
		/* All that is there, and the one that is about to be. */
		f->bound = (int64_t)f->seen_count;
	}
	f->bound++;
	f->peak = SL_MAX(f->peak, f->bound);
}
