/*
 * message.h - what the commands say: messages on stderr, one line each with the prefix "sandlock: ", and
 * results on stdout, whole or reported as an error.
 */
#ifndef SL_CMD_MESSAGE_H
#define SL_CMD_MESSAGE_H

#include "base/strbuf.h"

/* Print "sandlock: TEXT" as one line, in one write. Text from outside is escaped by the caller (sl_esc). */
void sl_say(const char *fmt, ...) SL_PRINTF(1, 2);

/* The same with "warning: " before the text. */
void sl_warn(const char *fmt, ...) SL_PRINTF(1, 2);

/* Write text that consists of whole lines, prefixes included, to stderr. */
void sl_say_lines(const struct sl_strbuf *lines);

/* Write the whole text to stdout. Returns 0, or SANDLOCK_STATUS_FAILED after a message: a result that did not
 * get where it should go (full disk, closed pipe) is a failure. */
int sl_output(const struct sl_strbuf *text);

#endif
