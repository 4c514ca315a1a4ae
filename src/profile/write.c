/*
 * write.c - a profile as TOML text. The order is the key table's, so the same profile gives the same bytes.
 */
#include "profile/write.h"

#include <inttypes.h>
#include <string.h>

#include "profile/keys.h"

/* A list of words or numbers in version 2 stays on its line up to this width; paths and rules never do. */
#define LINE_WIDTH 100

void sl_toml_quote(struct sl_strbuf *out, const char *s)
{
	static const char named[] = "\bb\tt\nn\ff\rr\"\"\\\\";

	sl_strbuf_addch(out, '"');
	for (; *s; s++) {
		const char *n = named;

		while (*n && *n != *s)
			n += 2;
		if (*n) {
			sl_strbuf_addch(out, '\\');
			sl_strbuf_addch(out, n[1]);
		} else if ((unsigned char)*s < 0x20 || *s == 0x7f) {
			sl_strbuf_addf(out, "\\u%04X", (unsigned int)*s);
		} else {
			sl_strbuf_addch(out, *s);
		}
	}
	sl_strbuf_addch(out, '"');
}

void sl_size_format(struct sl_strbuf *out, int64_t bytes)
{
	static const char units[] = "KMGT";
	int unit = -1;

	while (unit < 3 && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	sl_strbuf_addf(out, "%" PRId64, bytes);
	if (unit >= 0)
		sl_strbuf_addch(out, units[unit]);
}

static void write_size(struct sl_strbuf *out, int64_t bytes)
{
	sl_strbuf_addch(out, '"');
	sl_size_format(out, bytes);
	sl_strbuf_addch(out, '"');
}

static void write_item(struct sl_strbuf *out, const struct sl_key *key, const char *text)
{
	bool number = key->type == SL_KEY_INTS ||
		      (key->type == SL_KEY_PORTS && text[strspn(text, "0123456789")] == '\0' && text[0]);

	if (number)
		sl_strbuf_addstr(out, text);
	else
		sl_toml_quote(out, text);
}

static void write_inline(struct sl_strbuf *out, const struct sl_key *key, const struct sl_list *list)
{
	sl_strbuf_addch(out, '[');
	for (size_t i = 0; i < list->len; i++) {
		if (i)
			sl_strbuf_addstr(out, ", ");
		write_item(out, key, list->items[i].text);
	}
	sl_strbuf_addch(out, ']');
}

static void write_lines(struct sl_strbuf *out, const struct sl_key *key, const struct sl_list *list)
{
	sl_strbuf_addstr(out, "[\n");
	for (size_t i = 0; i < list->len; i++) {
		sl_strbuf_addstr(out, "  ");
		write_item(out, key, list->items[i].text);
		sl_strbuf_addstr(out, ",\n");
	}
	sl_strbuf_addch(out, ']');
}

/* The arguments of the command, and numbers, are read as one line where they fit in one. */
static void write_list(struct sl_strbuf *out, const struct sl_profile *p, const struct sl_key *key)
{
	const struct sl_list *list = sl_key_value_const(key, p);
	size_t width = strlen(key->name) + strlen(" = []");
	bool wordy = list == &p->program.args || key->type != SL_KEY_STRINGS;

	for (size_t i = 0; i < list->len && width <= LINE_WIDTH; i++)
		width += strlen(list->items[i].text) + strlen("\"\", ");
	if (p->version == 1 || !list->len || (wordy && width <= LINE_WIDTH))
		write_inline(out, key, list);
	else
		write_lines(out, key, list);
}

static void write_value(struct sl_strbuf *out, const struct sl_profile *p, const struct sl_key *key)
{
	const void *value = sl_key_value_const(key, p);

	switch (key->type) {
	case SL_KEY_STRING:
		sl_toml_quote(out, *(char *const *)value);
		break;
	case SL_KEY_INT:
		sl_strbuf_addf(out, "%" PRId64, *(const int64_t *)value);
		break;
	case SL_KEY_SIZE:
		write_size(out, *(const int64_t *)value);
		break;
	case SL_KEY_BOOL:
		sl_strbuf_addstr(out, *(const enum sl_tristate *)value == SL_TRUE ? "true" : "false");
		break;
	case SL_KEY_END:
		sl_toml_quote(out, sl_on_end_name(*(const enum sl_on_end *)value));
		break;
	case SL_KEY_PRIVATE:
		sl_toml_quote(out, "private");
		break;
	case SL_KEY_STRINGS:
	case SL_KEY_INTS:
	case SL_KEY_PORTS:
	case SL_KEY_ENV: /* write_env */
		write_list(out, p, key);
		break;
	}
}

static bool is_bare_key(const char *name)
{
	return name[0] &&
	       !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")];
}

/* [program.env], in both versions. A table holds a name once, so the last of each name is sought in a copy.
 */
static void write_env(struct sl_strbuf *out, const struct sl_list *env)
{
	struct sl_list sorted = {0};

	for (size_t i = 0; i < env->len; i++)
		sl_list_add(&sorted, env->items[i].text, 0);
	sl_list_sort_env(&sorted);
	sl_strbuf_addstr(out, "[program.env]\n");
	for (size_t i = 0; i < sorted.len; i++) {
		const char *text = sorted.items[i].text, *sign = strchrnul(text, '=');
		SL_FREE char *name = sl_xstrndup(text, (size_t)(sign - text));

		if (is_bare_key(name))
			sl_strbuf_addstr(out, name);
		else
			sl_toml_quote(out, name);
		sl_strbuf_addstr(out, " = ");
		sl_toml_quote(out, *sign ? sign + 1 : "");
		sl_strbuf_addch(out, '\n');
	}
	sl_list_release(&sorted);
}

/* One line of the header; what would end the comment does not get into it. */
static void write_comment(struct sl_strbuf *out, const char *text)
{
	sl_strbuf_addstr(out, "# ");
	for (; *text; text++)
		sl_strbuf_addch(out, ((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f ? '?'
												     : *text);
	sl_strbuf_addch(out, '\n');
}

#define HEADER_FIRST   "sandlock profile, version "
#define HEADER_WRITTEN "written by sandlock "
#define HEADER_PARTIAL "partial: the observation did not see everything"

bool sl_profile_header_owns(const char *line, bool fresh)
{
	static const char *const always[] = {"# " HEADER_FIRST, "# " HEADER_PARTIAL};
	static const char *const own[] = {"# " HEADER_WRITTEN, "# " SL_HEADER_OBSERVED};

	for (size_t i = 0; i < SL_ARRAY_LEN(always); i++)
		if (!strncmp(line, always[i], strlen(always[i])))
			return true;
	for (size_t i = 0; fresh && i < SL_ARRAY_LEN(own); i++)
		if (!strncmp(line, own[i], strlen(own[i])))
			return true;
	return false;
}

bool sl_profile_text_is_partial(const char *text)
{
	for (; *text == '#' || *text == '\n' || *text == '\r'; text = *text ? text + 1 : text) {
		if (!strncmp(text, "# " HEADER_PARTIAL, strlen("# " HEADER_PARTIAL)))
			return true;
		text = strchrnul(text, '\n');
		if (!*text)
			break;
	}
	return false;
}

static void write_header(struct sl_strbuf *out, int version, const struct sl_profile_header *header)
{
	SL_STRBUF line = SL_STRBUF_INIT;
	const char *separator = "";

	if (!header->only_partial)
		sl_strbuf_addf(out, "# " HEADER_FIRST "%d\n", version);
	if (header->tool_version) {
		sl_strbuf_addf(&line, "written by %s", header->tool_version);
		separator = ", ";
	}
	if (header->date) {
		sl_strbuf_addf(&line, "%s%s", separator, header->date);
		separator = ", ";
	}
	if (header->kernel)
		sl_strbuf_addf(&line, "%skernel %s", separator, header->kernel);
	if (line.len)
		write_comment(out, sl_strbuf_str(&line));
	if (header->partial)
		write_comment(out, HEADER_PARTIAL);
	for (size_t i = 0; header->notes && i < header->notes->len; i++)
		write_comment(out, header->notes->items[i]);
}

void sl_profile_format(struct sl_strbuf *out, const struct sl_profile *p,
		       const struct sl_profile_header *header)
{
	const char *section = "";
	size_t start = out->len;

	if (header)
		write_header(out, p->version, header);
	if (p->version != 1)
		sl_strbuf_addf(out, "%sversion = %d\n", header ? "\n" : "", p->version);
	for (size_t i = 0; i < SL_PROFILE_KEYS; i++) {
		const struct sl_key *key = &sl_keys[i];

		if (!sl_key_in_version(key, p->version) || !sl_key_is_set(key, p))
			continue;
		if (key->type == SL_KEY_ENV || strcmp(section, key->section) != 0) {
			if (out->len > start)
				sl_strbuf_addch(out, '\n');
			section = key->section;
			if (key->type != SL_KEY_ENV)
				sl_strbuf_addf(out, "[%s]\n", section);
		}
		if (key->type == SL_KEY_ENV) {
			write_env(out, sl_key_value_const(key, p));
			continue;
		}
		sl_strbuf_addf(out, "%s = ", key->name);
		write_value(out, p, key);
		sl_strbuf_addch(out, '\n');
	}
}
