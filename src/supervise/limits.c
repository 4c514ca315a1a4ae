/*
 * limits.c - when to measure memory, and what follows; see limits.h.
 *
 * How often: the kernel cannot give out pages faster than FASTEST, so a sandbox that uses `used` of `limit`
 * needs (limit - used) / FASTEST to reach it, and need not be looked at before. A look that takes long is
 * made less often, so that looking never costs more than about a twentieth of a CPU.
 */
#include "supervise/limits.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/path.h"
#include "profile/write.h"

#define FASTEST	       (4.0 * 1024 * 1024 * 1024) /* bytes a second */
#define INTERVAL_MIN_S 0.002
#define INTERVAL_MAX_S 0.1
#define LEARN_S	       0.03
#define COST_FACTOR    20

/* Seconds to the next look, the last of which took cost_s. */
static double next_interval_s(const struct sl_limits_watch *w, double cost_s)
{
	double s = w->learn ? LEARN_S : (double)(w->memory_bytes - w->meter.total_bytes) / FASTEST;

	s = SL_MIN(SL_MAX(s, INTERVAL_MIN_S), INTERVAL_MAX_S);
	return SL_MAX(s, cost_s * COST_FACTOR);
}

void sl_limits_init(struct sl_limits_watch *w, int64_t memory_bytes, const char *tmp_dir, const struct sl_behalf *who,
		    const struct sl_segment_makers *makers, bool learn)
{
	w->learn = learn;
	w->enabled = learn || memory_bytes > 0;
	if (!w->enabled)
		return;
	w->memory_bytes = learn ? INT64_MAX : memory_bytes;
	w->meter = (struct sl_memory_meter){.who = who, .makers = makers, .tmp_dir = tmp_dir, .keep_peak = learn};
	sl_memory_meter_init(&w->meter);
	w->last_s = sl_now_s();
	w->next_s = w->last_s + next_interval_s(w, 0);
}

void sl_limits_release(struct sl_limits_watch *w)
{
	if (w->enabled)
		sl_memory_meter_release(&w->meter);
	w->enabled = false;
}

void sl_limits_make_room(pid_t pid, uint64_t bytes)
{
	struct rlimit limit;

	if (prlimit(pid, RLIMIT_DATA, NULL, &limit) < 0 || limit.rlim_cur >= limit.rlim_max)
		return;
	limit.rlim_cur = bytes < limit.rlim_max - limit.rlim_cur ? limit.rlim_cur + bytes : limit.rlim_max;
	prlimit(pid, RLIMIT_DATA, &limit, NULL);
}

void sl_limits_name_of(pid_t pid, char *name, size_t size)
{
	char path[64];
	SL_FCLOSE FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	f = fopen(path, "re");
	if (!f || !fgets(name, (int)size, f))
		snprintf(name, size, "?");
	name[strcspn(name, "\n")] = '\0';
}

void sl_limits_say(int64_t memory_bytes, const char *name, pid_t pid, char *ret, size_t size)
{
	SL_STRBUF limit = SL_STRBUF_INIT;

	sl_size_format(&limit, memory_bytes);
	snprintf(ret, size, "memory limit %s reached by %s (%d)", sl_strbuf_str(&limit), sl_esc(name), (int)pid);
}

static void say_who(struct sl_limits_watch *w)
{
	char name[32];

	sl_limits_name_of(w->meter.largest, name, sizeof(name));
	sl_limits_say(w->memory_bytes, name, w->meter.largest, w->text, sizeof(w->text));
}

/* Over the limit in two looks: in one, a process that forks can have been counted twice. */
static bool is_over(struct sl_limits_watch *w)
{
	for (int i = 0; i < 2; i++) {
		sl_memory_measure(&w->meter, w->memory_bytes);
		if (w->meter.total_bytes <= w->memory_bytes)
			return false;
	}
	return true;
}

bool sl_limits_may_end(struct sl_limits_watch *w)
{
	double at_s = sl_now_s();

	if (!w->enabled || (at_s - w->last_s) * FASTEST < (double)(w->memory_bytes - w->meter.total_bytes))
		return true;
	w->last_s = at_s;
	return !is_over(w);
}

bool sl_limits_tick(struct sl_limits_watch *w, double at_s)
{
	double start_s, cost_s;

	if (!w->enabled || w->over || at_s < w->next_s)
		return false;
	start_s = sl_now_s();
	w->over = is_over(w);
	w->peak_bytes = SL_MAX(w->peak_bytes, w->meter.total_bytes);
	if (w->over) {
		say_who(w);
		return true;
	}
	cost_s = sl_now_s() - start_s;
	w->next_s = sl_now_s() + next_interval_s(w, cost_s);
	return false;
}
