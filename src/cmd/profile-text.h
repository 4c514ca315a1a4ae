/*
 * profile-text.h - profiles as texts, for commands that change one: the comments of the old text go into the
 * new.
 */
#ifndef SL_CMD_PROFILE_TEXT_H
#define SL_CMD_PROFILE_TEXT_H

#include "profile/profile.h"
#include "profile/write.h"

/* Append the whole file. 0, or 125 after a line. */
int sl_profile_text_read(const char *path, struct sl_strbuf *text);

/* Parse a text; every error is one line. 0 or 125; *ret is untouched on failure. */
int sl_profile_text_parse(const struct sl_strbuf *text, const char *name, struct sl_profile *ret);

/* Write a profile, with a header or without (NULL), and put the comments of old_text into it where they
 * stood. The result is parsed again: what is appended to ret always loads. 0, or 125 after a line. */
int sl_profile_text_renew(const struct sl_strbuf *old_text, const struct sl_profile *profile,
			  const struct sl_profile_header *header, struct sl_strbuf *ret);

/* Put the text in place, or print it where out is NULL. 0, or 125 after a line. */
int sl_profile_text_write(struct sl_outfile *out, const struct sl_strbuf *text);

#endif
