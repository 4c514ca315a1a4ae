/*
 * learn-limits.c - `learn --learn-limits`: what the command used at the most, as limits with room above.
 *
 * What the kernel counts in any case, the memory of the largest process and the CPU time, is in the summary of every run. It
 * is not in the file unasked: no two runs use the same, and two runs of one command shall write the same profile.
 */
#include "cmd/learn.h"
#include "profile/write.h"
#include "profile/headroom.h"

void sl_learn_peaks(struct sl_learn *l, const struct sl_peaks *run)
{
	struct sl_peaks *most = &l->peaks;

	most->memory_bytes = SL_MAX(most->memory_bytes, run->memory_bytes);
	most->processes = SL_MAX(most->processes, run->processes);
	most->descriptors = SL_MAX(most->descriptors, run->descriptors);
	most->cpu_s = SL_MAX(most->cpu_s, run->cpu_s);
}

void sl_learn_limits(struct sl_learn *l, struct sl_strv *comments)
{
	struct sl_profile *p = &l->profile;

	if (!l->observe_limits)
		return;
	p->limits.memory = sl_headroom_memory(l->peaks.memory_bytes);
	p->limits.processes = sl_headroom_processes(l->peaks.processes);
	/* What the command was limited to while it was learned stays. */
	if (p->limits.open_files == SL_INT_UNSET)
		p->limits.open_files = sl_headroom_open_files(l->peaks.descriptors);
	sl_strv_take(comments, sl_xasprintf(SL_HEADER_OBSERVED "at most %lld s of CPU time",
					    (long long)sl_headroom_cpu_seconds(l->peaks.cpu_s)));
}

void sl_learn_peaks_say(const struct sl_learn *l, const struct sl_outcome *outcome, struct sl_strbuf *lines)
{
	SL_STRBUF memory = SL_STRBUF_INIT;

	sl_size_format(&memory, SL_MAX(outcome->max_rss_kib >> 10, 1) << 20);
	sl_strbuf_addf(lines, "sandlock: used at the most %s of memory in one process, and %.1f s of CPU time%s\n",
		       sl_strbuf_str(&memory), outcome->peaks.cpu_s,
		       l->observe_limits ? "" : "; --learn-limits makes limits of what is used");
}
