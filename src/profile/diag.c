/*
 * diag.c - the list of messages about a profile. Its length is bounded, whatever the file holds.
 */
#include "profile/diag.h"

#include <stdarg.h>

#include "base/path.h"

#define QUOTE_MAX 60

void sl_diags_release(struct sl_diags *d)
{
	for (size_t i = 0; i < d->len; i++) {
		free(d->items[i].key);
		free(d->items[i].text);
	}
	free(d->items);
	*d = (struct sl_diags){0};
}

static void diags_take(struct sl_diags *d, struct sl_diag diag)
{
	if (d->len == d->cap) {
		d->cap = d->cap ? d->cap * 2 : 8;
		d->items = sl_xrealloc(d->items, d->cap * sizeof(*d->items));
	}
	d->items[d->len++] = diag;
}

void sl_diags_addf(struct sl_diags *d, enum sl_diag_kind kind, int line, int column, const char *key,
		   const char *fmt, ...)
{
	struct sl_diag diag = {kind, line, column, NULL, NULL};
	va_list ap;

	if (d->len > SL_DIAGS_MAX)
		return;
	if (d->len == SL_DIAGS_MAX) {
		diag.text = sl_xasprintf("more follows; only the first %d are listed", SL_DIAGS_MAX);
		diags_take(d, diag);
		return;
	}
	va_start(ap, fmt);
	if (vasprintf(&diag.text, fmt, ap) < 0)
		diag.text = sl_xstrdup("out of memory");
	va_end(ap);
	diag.key = key ? sl_xstrdup(key) : NULL;
	diags_take(d, diag);
}

void sl_diag_format(struct sl_strbuf *out, const char *file, const struct sl_diag *d)
{
	if (file)
		sl_strbuf_addf(out, "%s:", sl_esc(file));
	if (d->line > 0)
		sl_strbuf_addf(out, "%d:", d->line);
	if (d->line > 0 && d->column > 0)
		sl_strbuf_addf(out, "%d:", d->column);
	if (file || d->line > 0)
		sl_strbuf_addch(out, ' ');
	if (d->key)
		sl_strbuf_addf(out, "%s: ", d->key);
	sl_strbuf_addstr(out, d->text);
}

void sl_diag_quote(struct sl_strbuf *out, const char *s, size_t len)
{
	size_t shown = len;

	if (len > QUOTE_MAX) {
		/* Not in the middle of a character. */
		for (shown = QUOTE_MAX; shown > 0 && ((unsigned char)s[shown] & 0xc0) == 0x80;)
			shown--;
	}
	sl_strbuf_addch(out, '"');
	sl_escape(out, s, shown);
	sl_strbuf_addstr(out, shown < len ? "...\"" : "\"");
}
