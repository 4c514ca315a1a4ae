/*
 * learn.h - one `sandlock learn`: its options, and what learn.c (the run) and learn-write.c (the profile)
 * share.
 */
#ifndef SL_CMD_LEARN_H
#define SL_CMD_LEARN_H

#include <stdio.h>

#include "cmd/program.h"
#include "cmd/setup.h"
#include "observe/observe.h"
#include "profile/collapse.h"
#include "profile/profile.h"
#include "profile/write.h"
#include "supervise/guard.h"
#include "supervise/sandbox.h"

struct sl_learn {
	/* From the command line. */
	struct sl_setup setup;
	const char *output, *trace_path, *merge;
	bool in_place, keep_failed, shared_tmp, no_network, verbose, quiet, commit;
	bool observe_syscalls; /* --learn-syscalls, or the profile of --merge lists them */
	bool observe_limits;   /* --learn-limits, or the profile of --merge has some */
	bool force_collapse;
	int64_t repeat, collapse; /* collapse 0: not asked for */
	struct sl_list collapse_prefix;
	int profile_version;
	/* Made from it. */
	struct sl_profile profile; /* version 2; what the options say first, then what was observed */
	struct sl_program program;
	struct sl_outfile *out; /* NULL: stdout */
	FILE *trace;
	char *tmp_dir;
	struct sl_view *view; /* between two runs: what the one before has changed */
	bool last_run;
	struct sl_guard guard; /* of upper and tmp_dir */
	char *upper; /* of the run at hand; NULL with --in-place */
	struct sl_observer *observer;
	struct sl_peaks peaks; /* of all runs */
	struct sl_strv prefixes; /* canonical --collapse-prefix */
	char *homes[2];		 /* canonical, or NULL */
};

/* The profile that --merge adds to, as it is at the end. */
struct sl_merge_base {
	struct sl_strbuf text;
	struct sl_profile old;
	int lock; /* held until released, so that nobody else adds to it meanwhile */
};
void sl_merge_base_release(struct sl_merge_base *base);

/* Before the run, with --merge: read the old profile, set the output to it where there is no other, and see what has to
 * be observed for it. Returns 0, or after a line 125 or 2. */
int sl_learn_merge_open(struct sl_learn *l);

/* After the run: lock the output, read the old profile again, and put it with what was learned (l->profile) into *ret;
 * notes receives what merging says. Returns 0, or after a line 125 or 2; *ret is then untouched. */
int sl_learn_merge(struct sl_learn *l, struct sl_merge_base *base, struct sl_profile *ret, struct sl_strv *notes);

/* Before the run: check the options about collapsing. Returns 0, or 2 after a line. */
int sl_learn_collapse_open(struct sl_learn *l);

/* After the run: collapse the entries of *p as the options say, and append what was done to *ret. */
void sl_learn_collapse(const struct sl_learn *l, struct sl_profile *p, struct sl_collapses *ret);

/* Append a line on each collapse, with what it opens that was not used. */
void sl_learn_collapse_say(const struct sl_learn *l, const struct sl_collapses *done,
			   const struct sl_observation *seen, struct sl_strbuf *lines);

/* After each run: keep what was used at the most. */
void sl_learn_peaks(struct sl_learn *l, const struct sl_peaks *run);

/* After the last: make limits of it where they were asked for, and append to the comments of the header what has none. */
void sl_learn_limits(struct sl_learn *l, struct sl_strv *comments);

/* Append to the summary what the last run used. */
void sl_learn_peaks_say(const struct sl_learn *l, const struct sl_outcome *outcome, struct sl_strbuf *lines);

/* Before the run: the command as the profile's [program], and the entries of -r and -w. What is no UTF-8, and
 * so cannot be written, is left out with a warning. */
void sl_learn_program(struct sl_learn *l);

/* After the run: turn what was observed into the profile, write it, and say what there is to say. Returns 0,
 * or 125 after a line. */
int sl_learn_write(struct sl_learn *l, const struct sl_outcome *outcome);

#endif
