/*
 * comments.c - carrying a person's comments from one text of a profile to the next.
 *
 * Both texts were parsed, so the lines at which keys and entries stand are known; the texts themselves are
 * only looked through for comments and for the headers of sections. A comment belongs to the next of these
 * that follows, or to the one on its own line.
 */
#include <string.h>

#include "profile/keys.h"
#include "profile/merge.h"
#include "profile/write.h"

/* Something that comments stand at, by its place in the text. */
struct anchor {
	int line;
	char *name; /* the same in both texts: "[section]", "section.key", "section.key=entry" */
};

struct anchors {
	struct anchor *items;
	size_t len, cap;
};

/* One line of a text: where its comment starts, and whether it is all comment. */
struct line {
	const char *start, *comment; /* comment NULL: none */
	size_t len;
	bool whole;  /* nothing but blanks before the comment */
	bool inside; /* within a list or a string of several lines */
};

struct lines {
	struct line *items;
	size_t len, cap;
};

static void anchors_add(struct anchors *a, int line, char *name)
{
	if (a->len == a->cap) {
		a->cap = a->cap ? a->cap * 2 : 64;
		a->items = sl_xrealloc(a->items, a->cap * sizeof(*a->items));
	}
	a->items[a->len++] = (struct anchor){line, name};
}

static void anchors_release(struct anchors *a)
{
	for (size_t i = 0; i < a->len; i++)
		free(a->items[i].name);
	free(a->items);
}

/* Skip a string that starts at p. Returns its end; line breaks in it are left to the caller. */
static const char *skip_string(const char *p, const char *end)
{
	char quote = *p;
	bool triple = end - p >= 3 && p[1] == quote && p[2] == quote;

	p += triple ? 3 : 1;
	while (p < end) {
		if (*p == '\\' && quote == '"' && end - p >= 2) {
			p += 2;
		} else if (*p == quote && !triple) {
			return p + 1;
		} else if (triple && end - p >= 3 && p[0] == quote && p[1] == quote && p[2] == quote) {
			p += 3;
			/* Up to two quotes may stand just before the closing ones. */
			while (p < end && *p == quote)
				p++;
			return p;
		} else {
			p++;
		}
	}
	return end;
}

static struct line *lines_add(struct lines *l, const char *start, bool inside)
{
	if (l->len == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->items = sl_xrealloc(l->items, l->cap * sizeof(*l->items));
	}
	l->items[l->len] = (struct line){.start = start, .inside = inside};
	return &l->items[l->len++];
}

/* Split a text that is good TOML into lines. */
static void split(const char *text, struct lines *ret)
{
	const char *end = text + strlen(text), *p = text;
	struct line *line = lines_add(ret, p, false);
	int depth = 0;

	while (p < end) {
		const char *next = p + 1;

		if (*p == '"' || *p == '\'') {
			next = skip_string(p, end);
			for (; p < next; p++)
				if (*p == '\n') {
					line->len = (size_t)(p - line->start);
					line = lines_add(ret, p + 1, true);
				}
			continue;
		}
		if (*p == '#') {
			next = strchrnul(p, '\n');
			line->comment = p;
			line->whole = (size_t)(p - line->start) == strspn(line->start, " \t");
		} else if (*p == '[') {
			depth++;
		} else if (*p == ']') {
			depth--;
		} else if (*p == '\n') {
			line->len = (size_t)(p - line->start);
			line = lines_add(ret, next, depth > 0);
		}
		p = next;
	}
	line->len = (size_t)(end - line->start);
	/* What follows the last line break is no line. */
	if (!line->len)
		ret->len--;
}

/* "[section]" as the line would be written, or NULL. */
static char *section_name(const struct line *l)
{
	const char *p = l->start + strspn(l->start, " \t"), *end = l->start + l->len;
	const char *close = p < end ? memchr(p, ']', (size_t)(end - p)) : NULL;
	SL_STRBUF name = SL_STRBUF_INIT;

	if (l->inside || !close || *p != '[')
		return NULL;
	for (; p <= close; p++)
		if (*p != ' ' && *p != '\t' && *p != '"' && *p != '\'')
			sl_strbuf_addch(&name, *p);
	return sl_strbuf_detach(&name);
}

static int compare_anchors(const void *a, const void *b)
{
	const struct anchor *x = a, *y = b;

	/* Of one line, the key before its entries: its name is the shorter one. */
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int compare_names(const void *a, const void *b)
{
	const struct anchor *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

static char *entry_name(const struct sl_key *key, const char *text)
{
	bool path = !strcmp(key->section, "filesystem");
	SL_FREE char *normal = path ? sl_cover_normal(text) : NULL;

	if (key->type == SL_KEY_ENV)
		return sl_xasprintf("%s.%s=%.*s", key->section, key->name, (int)strcspn(text, "="), text);
	return sl_xasprintf("%s.%s=%s", key->section, key->name, path ? normal : text);
}

static void collect(const struct sl_profile *p, const struct lines *lines, struct anchors *ret)
{
	bool top = true;

	for (size_t i = 0; i < lines->len; i++) {
		char *name = section_name(&lines->items[i]);

		if (name)
			anchors_add(ret, (int)i + 1, name);
		else if (top && !strncmp(lines->items[i].start, "version", strlen("version")))
			anchors_add(ret, (int)i + 1, sl_xstrdup("version"));
		top &= !name;
	}
	for (size_t i = 0; i < SL_PROFILE_KEYS; i++) {
		const struct sl_key *key = &sl_keys[i];
		const struct sl_list *list = sl_key_is_list(key) ? sl_key_value_const(key, p) : NULL;

		if (p->key_lines[i])
			anchors_add(ret, p->key_lines[i], sl_xasprintf("%s.%s", key->section, key->name));
		for (size_t j = 0; list && j < list->len; j++)
			if (list->items[j].line)
				anchors_add(ret, list->items[j].line, entry_name(key, list->items[j].text));
	}
	if (ret->len)
		qsort(ret->items, ret->len, sizeof(*ret->items), compare_anchors);
}

/* The anchor of the comment on that line (1-based), or NULL for one after everything. */
static const struct anchor *anchor_of(const struct anchors *a, const struct line *l, int line)
{
	size_t low = 0, high = a->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (a->items[middle].line < line)
			low = middle + 1;
		else
			high = middle;
	}
	/* Before the end of a list, what follows belongs to something else. */
	if (l->inside && low && (low == a->len || !strchr(a->items[low].name, '=')))
		return &a->items[low - 1];
	return low < a->len ? &a->items[low] : NULL;
}

/* The line in the new text for an anchor of the old one: of the same name, of the key of an entry that is
 * gone, or of the section; 0 for none. by_name is sorted so. */
static int new_line(const struct anchors *by_name, const struct anchor *old)
{
	SL_FREE char *name = sl_xstrdup(old->name);

	for (;;) {
		struct anchor want = {.line = 0, .name = name};
		size_t low = 0, high = by_name->len;
		char *cut;

		while (low < high) {
			size_t middle = low + (high - low) / 2;

			if (compare_names(&by_name->items[middle], &want) < 0)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < by_name->len && !strcmp(by_name->items[low].name, name))
			return by_name->items[low].line;
		cut = strchr(name, '=');
		if (!cut)
			return 0;
		*cut = '\0';
	}
}

/* Add a comment to those above a line, with the line's own indentation. */
static void put_above(struct sl_strbuf *above, const struct line *at, const struct line *from)
{
	size_t end = from->len - (size_t)(from->comment - from->start);

	if (at)
		sl_strbuf_add(above, at->start, strspn(at->start, " \t"));
	if (end && from->comment[end - 1] == '\r')
		end--;
	sl_strbuf_add(above, from->comment, end);
	sl_strbuf_addch(above, '\n');
}

/* Sort the comments of the old text to the lines of the new one; above has one buffer a line and one for the
 * end. */
static void place(const struct lines *from, const struct anchors *old, const struct lines *to,
		  const struct anchors *by_name, struct sl_strbuf *above, const struct line **behind)
{
	int first = old->len ? old->items[0].line : (int)from->len + 1;
	size_t header = 0;

	while (header < to->len && to->items[header].comment)
		header++;

	for (size_t i = 0; i < from->len; i++) {
		const struct line *l = &from->items[i];
		const struct anchor *anchor;
		int line;

		if (!l->comment)
			continue;
		/* What the tool wrote above everything may no longer be true, or has been written anew. */
		if ((int)i + 1 < first && sl_profile_header_owns(l->comment, header > 1))
			continue;
		anchor = anchor_of(old, l, (int)i + 1);
		line = anchor ? new_line(by_name, anchor) : 0;
		/* What else stands there is about the file: it follows the tool's own. */
		if ((int)i + 1 < first && l->whole && header < to->len)
			line = (int)header + 1;
		if (line && !l->whole && !behind[line - 1] && anchor->line == (int)i + 1)
			behind[line - 1] = l;
		else
			put_above(&above[line ? (size_t)line - 1 : to->len],
				  line ? &to->items[line - 1] : NULL, l);
	}
}

void sl_profile_keep_comments(const char *old_text, const struct sl_profile *before, const char *new_text,
			      const struct sl_profile *after, struct sl_strbuf *out)
{
	struct lines from = {0}, to = {0};
	struct anchors old = {0}, new = {0};
	SL_FREE struct sl_strbuf *above = NULL;
	SL_FREE const struct line **behind = NULL;

	split(old_text, &from);
	split(new_text, &to);
	collect(before, &from, &old);
	collect(after, &to, &new);
	if (new.len)
		qsort(new.items, new.len, sizeof(*new.items), compare_names);
	above = sl_xcalloc(to.len + 1, sizeof(*above));
	behind = sl_xcalloc(to.len + 1, sizeof(*behind));
	place(&from, &old, &to, &new, above, behind);
	for (size_t i = 0; i <= to.len; i++) {
		sl_strbuf_addstr(out, sl_strbuf_str(&above[i]));
		sl_strbuf_release(&above[i]);
		if (i == to.len)
			break;
		sl_strbuf_add(out, to.items[i].start, to.items[i].len);
		if (behind[i]) {
			sl_strbuf_addstr(out, " ");
			put_above(out, NULL, behind[i]);
		} else {
			sl_strbuf_addch(out, '\n');
		}
	}
	anchors_release(&old);
	anchors_release(&new);
	free(from.items);
	free(to.items);
}
