/*
 * learn-settle.h - what learn makes of the observation on the way to the file.
 */
#ifndef SL_CMD_LEARN_SETTLE_H
#define SL_CMD_LEARN_SETTLE_H

#include "cmd/learn.h"

struct sl_settled {
	struct sl_observation seen;
	struct sl_profile result;      /* what is written */
	struct sl_collapses collapses; /* that the options asked for */
	struct sl_collapses changing;  /* names that are others at every run */
	struct sl_strv notes;	       /* what merging says */
	struct sl_strv header;	       /* the counts, for the top of the file */
};
void sl_settled_release(struct sl_settled *s);

/* Let wider entries absorb narrower ones. */
void sl_learn_absorb(struct sl_profile *p);

/* Replace, in what was learned, names that were there for this run alone. */
void sl_learn_replace_gone(const struct sl_learn *l, struct sl_profile *p, struct sl_settled *s);

/* Settle s->result: names that differ between runs, or from old (NULL: nothing was merged); collapsing;
 * counting; the header. */
void sl_learn_settle(const struct sl_learn *l, const struct sl_profile *old, struct sl_settled *s);

/* Append what there is to say about it. */
void sl_learn_settle_say(const struct sl_learn *l, const struct sl_settled *s, struct sl_strbuf *lines);

#endif
