/*
 * toml-bounds.c - what a text must hold to before toml++ sees it.
 *
 * One pass that knows strings, comments and brackets, and is wrong on no valid document. On a text that is
 * not valid TOML it may take a string for something else; then toml++ reports the error, and the bounds still
 * hold for all of the text, since what is counted outside of strings is counted wherever the pass is.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "profile/toml.h"

struct scan {
	const char *text, *end, *p;
	const char *line_start;
	int line;
	size_t values;
	int nesting, dots;
	struct sl_toml_error *err;
};

static int fail(const struct scan *s, const char *fmt, ...) SL_PRINTF(2, 3);

static int fail(const struct scan *s, const char *fmt, ...)
{
	va_list ap;

	s->err->line = s->line;
	s->err->column = 1;
	for (const char *p = s->line_start; p < s->p; p++)
		s->err->column += ((unsigned char)*p & 0xc0) != 0x80;
	va_start(ap, fmt);
	vsnprintf(s->err->text, sizeof(s->err->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static void newline(struct scan *s)
{
	s->line++;
	s->line_start = s->p + 1;
}

/* How many bytes the character takes that begins with this byte, as far as the byte tells. */
static size_t character_length(unsigned char c)
{
	return c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* Is the text UTF-8 without NUL? */
static int check_bytes(struct scan *s)
{
	size_t len = (size_t)(s->end - s->text);

	if (!memchr(s->text, '\0', len) && sl_utf8_valid(s->text, len))
		return 0;
	while (s->p < s->end) {
		size_t n = SL_MIN(character_length((unsigned char)*s->p), (size_t)(s->end - s->p));

		if (!*s->p)
			return fail(s, "found a NUL byte, expected text");
		if (!sl_utf8_valid(s->p, n))
			return fail(s, "found bytes that are not UTF-8, expected text");
		if (*s->p == '\n')
			newline(s);
		s->p += n;
	}
	return 0;
}

/* Skip a string that begins at s->p; s->p is left behind it, or at the newline or end that cut it short. */
static int skip_string(struct scan *s)
{
	const char *start = s->p;
	char quote = *start;
	bool multi = s->end - start >= 3 && start[1] == quote && start[2] == quote;
	struct scan at_start = *s;

	/* No valid text has a quote right behind a word or a string; toml++ would go on into the string in search of
	 * the word's end, with the characters that skip_plain is afraid of. */
	if (start > s->text && !strchr(" \t[]{}.,=\n\xbf", start[-1]))
		return fail(s, "found a quote right behind other text");
	for (s->p += multi ? 3 : 1; s->p < s->end; s->p++) {
		if (*s->p == '\\' && quote == '"' && s->p + 1 < s->end && s->p[1] != '\n') {
			s->p++;
		} else if (*s->p == '\n') {
			if (!multi)
				break;
			newline(s);
		} else if (*s->p == quote) {
			if (!multi || (s->end - s->p >= 3 && s->p[1] == quote && s->p[2] == quote)) {
				s->p += multi ? 3 : 1;
				/* Up to two quotes may stand before the closing three. */
				for (int i = 0; multi && i < 2 && s->p < s->end && *s->p == quote; i++)
					s->p++;
				break;
			}
		}
	}
	if ((size_t)(s->p - start) > SL_TOML_STRING_MAX)
		return fail(&at_start, "found a string longer than %zu bytes", SL_TOML_STRING_MAX);
	return 0;
}

/* Skip bytes that mean nothing here: a bare key, a number, spaces. All of them are ASCII in TOML 1.0, and
 * toml++ asks of other characters, with undefined behaviour for some, whether they are spaces. */
static int skip_plain(struct scan *s)
{
	size_t len = 0;

	while (s->p + len < s->end && !strchr("#\"'[]{}.,=\n", s->p[len])) {
		if ((unsigned char)s->p[len] >= 0x80) {
			s->p += len;
			return fail(
			    s, "found a character that is not ASCII, expected it in quotes or a comment");
		}
		len++;
	}
	if (len > SL_TOML_KEY_MAX)
		return fail(s, "found a word longer than %zu bytes", SL_TOML_KEY_MAX);
	s->p += len;
	return 0;
}

static int skip_mark(struct scan *s)
{
	switch (*s->p) {
	case '[':
	case '{':
		s->dots = 0;
		s->values++;
		if (++s->nesting > SL_TOML_NESTING_MAX)
			return fail(s, "found lists or tables nested more than %d deep", SL_TOML_NESTING_MAX);
		break;
	case ']':
	case '}':
		if (s->nesting > 0)
			s->nesting--;
		break;
	case '.':
		s->values++;
		if (++s->dots > SL_TOML_DOTS_MAX)
			return fail(s, "found a key of more than %d parts", SL_TOML_DOTS_MAX + 1);
		break;
	case '\n':
		newline(s);
		s->dots = 0;
		break;
	default:
		s->dots = 0;
		s->values++;
		break;
	}
	if (s->values > SL_TOML_VALUES_MAX)
		return fail(s, "found more than %d values", SL_TOML_VALUES_MAX);
	s->p++;
	return 0;
}

int sl_toml_check_bounds(const char *text, size_t len, struct sl_toml_error *err)
{
	struct scan s = {
	    .text = text, .end = text + len, .p = text, .line_start = text, .line = 1, .err = err};
	int r;

	if (len > SL_TOML_BYTES_MAX) {
		*err = (struct sl_toml_error){0};
		snprintf(err->text, sizeof(err->text), "found more than %zu MiB, expected a profile",
			 SL_TOML_BYTES_MAX >> 20);
		return -EINVAL;
	}
	if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		s.p = s.line_start = text + 3;
	r = len ? check_bytes(&s) : 0;
	while (r == 0 && s.p < s.end) {
		if (*s.p == '#')
			s.p = memchr(s.p, '\n', (size_t)(s.end - s.p)) ?: s.end;
		else if (*s.p == '"' || *s.p == '\'')
			r = skip_string(&s);
		else if (strchr("[]{}.,=\n", *s.p))
			r = skip_mark(&s);
		else
			r = skip_plain(&s);
	}
	return r;
}
