#include "base/strbuf.h"

#include <stdarg.h>
#include <string.h>

static _Noreturn void sl_oom(void)
{
	static const char msg[] = "sandlock: out of memory\n";
	ssize_t r SL_UNUSED = write(STDERR_FILENO, msg, sizeof(msg) - 1);

	abort();
}

void *sl_xmalloc(size_t n)
{
	return sl_xrealloc(NULL, n);
}

void *sl_xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		sl_oom();
	return p;
}

void *sl_xrealloc(void *p, size_t n)
{
	p = realloc(p, n ? n : 1);
	if (!p)
		sl_oom();
	return p;
}

char *sl_xstrndup(const char *s, size_t n)
{
	char *p = strndup(s, n);

	if (!p)
		sl_oom();
	return p;
}

char *sl_xstrdup(const char *s)
{
	return sl_xstrndup(s, strlen(s));
}

char *sl_xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *p;

	va_start(ap, fmt);
	if (vasprintf(&p, fmt, ap) < 0)
		sl_oom();
	va_end(ap);
	return p;
}

static void strbuf_grow(struct sl_strbuf *b, size_t more)
{
	size_t need = b->len + more + 1;

	if (need <= b->cap)
		return;
	b->cap = SL_MAX(need, b->cap ? b->cap * 2 : 64);
	b->data = sl_xrealloc(b->data, b->cap);
}

void sl_strbuf_release(struct sl_strbuf *b)
{
	free(b->data);
	*b = SL_STRBUF_INIT;
}

void sl_strbuf_reset(struct sl_strbuf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

void sl_strbuf_add(struct sl_strbuf *b, const void *bytes, size_t len)
{
	strbuf_grow(b, len);
	if (len)
		memcpy(b->data + b->len, bytes, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void sl_strbuf_addstr(struct sl_strbuf *b, const char *s)
{
	sl_strbuf_add(b, s, strlen(s));
}

void sl_strbuf_addch(struct sl_strbuf *b, char c)
{
	sl_strbuf_add(b, &c, 1);
}

void sl_strbuf_addf(struct sl_strbuf *b, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n > 0) {
		strbuf_grow(b, (size_t)n);
		vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	}
	va_end(again);
}

const char *sl_strbuf_str(const struct sl_strbuf *b)
{
	return b->data ? b->data : "";
}

char *sl_strbuf_detach(struct sl_strbuf *b)
{
	char *s = b->data ? b->data : sl_xstrdup("");

	*b = SL_STRBUF_INIT;
	return s;
}

void sl_strv_release(struct sl_strv *v)
{
	for (size_t i = 0; i < v->len; i++)
		free(v->items[i]);
	free(v->items);
	*v = SL_STRV_INIT;
}

void sl_strv_take(struct sl_strv *v, char *s)
{
	if (v->len + 2 > v->cap) {
		v->cap = v->cap ? v->cap * 2 : 8;
		v->items = sl_xrealloc(v->items, v->cap * sizeof(*v->items));
	}
	v->items[v->len++] = s;
	v->items[v->len] = NULL;
}

void sl_strv_add(struct sl_strv *v, const char *s)
{
	sl_strv_take(v, sl_xstrdup(s));
}

bool sl_strv_contains(const struct sl_strv *v, const char *s)
{
	for (size_t i = 0; i < v->len; i++)
		if (!strcmp(v->items[i], s))
			return true;
	return false;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void sl_strv_sort_unique(struct sl_strv *v)
{
	size_t out = 0;

	if (v->len < 2)
		return;
	qsort(v->items, v->len, sizeof(*v->items), compare_strings);
	for (size_t i = 0; i < v->len; i++) {
		if (out && !strcmp(v->items[out - 1], v->items[i]))
			free(v->items[i]);
		else
			v->items[out++] = v->items[i];
	}
	v->len = out;
	v->items[out] = NULL;
}

void sl_strv_copy(struct sl_strv *dst, const struct sl_strv *src)
{
	for (size_t i = 0; i < src->len; i++)
		sl_strv_add(dst, src->items[i]);
}
