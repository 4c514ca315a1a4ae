/*
 * diag.h - collecting what is wrong with a profile.
 */
#ifndef SL_PROFILE_DIAG_H
#define SL_PROFILE_DIAG_H

#include "profile/read.h"

/* At most so many errors of one file are kept; one more says that there are others. */
#define SL_DIAGS_MAX 1000

/* Append one message; key may be NULL. What the format inserts must be escaped already (sl_esc). */
void sl_diags_addf(struct sl_diags *d, enum sl_diag_kind kind, int line, int column, const char *key,
		   const char *fmt, ...) SL_PRINTF(6, 7);

/* Append s in quotes, escaped, and cut after some sixty bytes: for "found …". */
void sl_diag_quote(struct sl_strbuf *out, const char *s, size_t len);

#endif
