/*
 * path.h - lexical work on path strings; nothing here touches a file system.
 */
#ifndef SL_BASE_PATH_H
#define SL_BASE_PATH_H

#include <stdbool.h>

#include "base/strbuf.h"

/* Is path equal to dir or below it? Both absolute and normal. "/" holds everything. */
bool sl_path_within(const char *path, const char *dir);

/* Append the lexically normal form of path: no "//", "/./", trailing slash; ".." is resolved textually, so
 * only for paths without symbolic links (profile entries as typed, canonical paths). */
void sl_path_normalize(struct sl_strbuf *out, const char *path);

/* Is path absolute and in the form sl_path_normalize gives? */
bool sl_path_is_normal(const char *path);

/* Parent of a normal absolute path as a new string; "/" for "/". */
char *sl_path_dirname(const char *path);

/* Last component of a normal path, a pointer into it. */
const char *sl_path_basename(const char *path);

/* Append s with everything but printable ASCII and valid UTF-8 letters escaped (\n, \t, \\, \xNN): for messages. */
void sl_escape(struct sl_strbuf *out, const char *s, size_t len);

/* The escaped string in one of four rotating static buffers (truncated at 4 KiB): for one-line messages. */
const char *sl_esc(const char *s);

/* Is s valid UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF)? */
bool sl_utf8_valid(const char *s, size_t len);

#endif
