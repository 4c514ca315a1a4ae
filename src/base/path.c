#include "base/path.h"

#include <string.h>

bool sl_path_within(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (len == 1 && dir[0] == '/')
		return path[0] == '/';
	return !strncmp(path, dir, len) && (path[len] == '\0' || path[len] == '/');
}

void sl_path_normalize(struct sl_strbuf *out, const char *path)
{
	bool absolute = path[0] == '/';
	size_t base = out->len;

	if (absolute)
		sl_strbuf_addch(out, '/');
	while (*path) {
		size_t n;

		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n == 0)
			break;
		if (n == 2 && path[0] == '.' && path[1] == '.' && absolute) {
			while (out->len > base + 1 && out->data[out->len - 1] != '/')
				out->len--;
			if (out->len > base + 1)
				out->len--;
			out->data[out->len] = '\0';
		} else if (!(n == 1 && path[0] == '.')) {
			if (out->len > base && out->data[out->len - 1] != '/')
				sl_strbuf_addch(out, '/');
			sl_strbuf_add(out, path, n);
		}
		path += n;
	}
	if (out->len == base)
		sl_strbuf_addch(out, '.');
}

bool sl_path_is_normal(const char *path)
{
	const char *p = path;

	if (*p != '/')
		return false;
	if (!p[1])
		return true;
	while (*p == '/') {
		size_t n = strcspn(++p, "/");

		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += n;
	}
	return true;
}

char *sl_path_dirname(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path)
		return sl_xstrdup("/");
	return sl_xstrndup(path, (size_t)(slash - path));
}

const char *sl_path_basename(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Length of the valid UTF-8 sequence at s (1..4), or 0. */
static size_t utf8_sequence(const unsigned char *s, size_t len)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 :
		   s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

bool sl_utf8_valid(const char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = utf8_sequence((const unsigned char *)s + i, len - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

void sl_escape(struct sl_strbuf *out, const char *s, size_t len)
{
	const unsigned char *u = (const unsigned char *)s;

	for (size_t i = 0; i < len;) {
		size_t n = utf8_sequence(u + i, len - i);

		if (u[i] == '\n') {
			sl_strbuf_addstr(out, "\\n");
			i++;
		} else if (u[i] == '\t') {
			sl_strbuf_addstr(out, "\\t");
			i++;
		} else if (u[i] == '\\') {
			sl_strbuf_addstr(out, "\\\\");
			i++;
		} else if (n == 0 || u[i] < 0x20 || u[i] == 0x7f || (n == 2 && u[i] == 0xc2 && u[i + 1] < 0xa0)) {
			sl_strbuf_addf(out, "\\x%02x", u[i]);
			i++;
		} else {
			sl_strbuf_add(out, s + i, n);
			i += n;
		}
	}
}

const char *sl_esc(const char *s)
{
	static _Thread_local char ring[4][4096];
	static _Thread_local unsigned next;
	char *slot = ring[next++ % 4];
	SL_STRBUF b = SL_STRBUF_INIT;

	sl_escape(&b, s, strlen(s));
	snprintf(slot, sizeof(ring[0]), "%s", sl_strbuf_str(&b));
	return slot;
}
