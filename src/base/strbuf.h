/*
 * strbuf.h - a growing byte buffer that is always NUL-terminated, and a vector of strings.
 *
 * Allocation failure aborts with a message (see sl_oom): nothing here returns ENOMEM, so callers stay
 * readable. Neither is used between fork and exec.
 */
#ifndef SL_BASE_STRBUF_H
#define SL_BASE_STRBUF_H

#include <stdbool.h>

#include "base/macros.h"

struct sl_strbuf {
	char *data; /* NULL while empty */
	size_t len; /* bytes, without the NUL */
	size_t cap;
};

#define SL_STRBUF_INIT ((struct sl_strbuf){ 0 })
#define SL_STRBUF SL_CLEANUP(sl_strbuf_release) struct sl_strbuf

void sl_strbuf_release(struct sl_strbuf *b);
void sl_strbuf_reset(struct sl_strbuf *b); /* empties, keeps the memory */
void sl_strbuf_add(struct sl_strbuf *b, const void *bytes, size_t len);
void sl_strbuf_addstr(struct sl_strbuf *b, const char *s);
void sl_strbuf_addch(struct sl_strbuf *b, char c);
void sl_strbuf_addf(struct sl_strbuf *b, const char *fmt, ...) SL_PRINTF(2, 3);
/* The text ("" while empty); valid until the next change. */
const char *sl_strbuf_str(const struct sl_strbuf *b);
/* Hand the malloc'd text over and reset the buffer; never NULL. */
char *sl_strbuf_detach(struct sl_strbuf *b);

/* A vector of malloc'd strings; items[len] is always NULL once anything was added. */
struct sl_strv {
	char **items;
	size_t len;
	size_t cap;
};

#define SL_STRV_INIT ((struct sl_strv){ 0 })

void sl_strv_release(struct sl_strv *v);
void sl_strv_add(struct sl_strv *v, const char *s);
void sl_strv_take(struct sl_strv *v, char *s); /* takes ownership of s */
bool sl_strv_contains(const struct sl_strv *v, const char *s);
void sl_strv_sort_unique(struct sl_strv *v); /* byte order */
void sl_strv_copy(struct sl_strv *dst, const struct sl_strv *src); /* appends */

/* malloc and friends that abort with "out of memory" instead of returning NULL. */
void *sl_xmalloc(size_t n);
void *sl_xcalloc(size_t n, size_t size);
void *sl_xrealloc(void *p, size_t n);
char *sl_xstrdup(const char *s);
char *sl_xstrndup(const char *s, size_t n);
char *sl_xasprintf(const char *fmt, ...) SL_PRINTF(1, 2);

#endif
