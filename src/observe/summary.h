/*
 * summary.h - what learn says on stderr about the profile that it wrote.
 */
#ifndef SL_OBSERVE_SUMMARY_H
#define SL_OBSERVE_SUMMARY_H

#include "observe/observe.h"

/* Append the summary: whole lines, each with the prefix "sandlock: ". First the entries by key, then granted ÷ used,
 * then the entries that open most beyond what was used, then the notes as warnings. */
void sl_summary_format(struct sl_strbuf *out, const struct sl_observation *o, const struct sl_profile *p);

/* Append the warnings alone: they are said also where the summary is not. */
void sl_summary_warnings(struct sl_strbuf *out, const struct sl_observation *o);

#endif
