/*
 * read.h - TOML text to struct sl_profile, with every error of the file.
 */
#ifndef SL_PROFILE_READ_H
#define SL_PROFILE_READ_H

#include "profile/profile.h"

/* What a profile can say that is valid but worth a line: keys that are known and not built yet (a note), and, only where
 * it was asked for (profile/idle.h), what can never matter (a warning). */
enum sl_diag_kind { SL_DIAG_ERROR, SL_DIAG_NOTE, SL_DIAG_WARNING };

struct sl_diag {
	enum sl_diag_kind kind;
	int line, column; /* 1-based; 0 when the whole file is meant */
	char *key;	  /* "filesystem.read", or NULL */
	char *text;	  /* one escaped line: what was found, what was expected */
};

struct sl_diags {
	struct sl_diag *items;
	size_t len, cap;
};

void sl_diags_release(struct sl_diags *d);

/* Append "FILE:LINE:COLUMN: key: text" (parts that are absent left out) for message number i. */
void sl_diag_format(struct sl_strbuf *out, const char *file, const struct sl_diag *d);

/* Read the profile at path (not a FIFO, directory or device; at most 16 MiB; bounded nesting) into *ret_profile.
 * Returns 0; -EINVAL with at least one SL_DIAG_ERROR in diags; or another -errno with one error in diags when
 * the file could not be read. diags may also receive notes on success. *ret_profile is untouched on failure. */
int sl_profile_read(const char *path, struct sl_profile *ret_profile, struct sl_diags *diags);

/* The same from memory; name is used in messages. */
int sl_profile_parse(const char *text, size_t len, const char *name, struct sl_profile *ret_profile,
		     struct sl_diags *diags);

/* The first key that is set in the profile but that this version cannot enforce, as "section.key" with its line,
 * or NULL. run refuses it by name: "section.key: not supported yet". Values that equal the default behaviour
 * (uid/gid equal to the real ones, on_exit without workdir …) do not count. */
const char *sl_profile_unsupported(const struct sl_profile *p, int *ret_line);

/* "512M", "1GiB", "4096" to bytes; -EINVAL on anything else, -ERANGE past INT64_MAX. */
int sl_size_parse(const char *text, int64_t *ret_bytes);

#endif
