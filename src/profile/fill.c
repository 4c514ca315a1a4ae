/*
 * fill.c - see fill.h. One function a TOML type of the key table.
 */
#include "profile/fill.h"

#include <inttypes.h>
#include <string.h>

#include "base/path.h"
#include "profile/check.h"

/* The key that is being filled. */
struct slot {
	struct sl_fill *fill;
	const struct sl_key *key;
	void *value;
	char *name; /* "section.key" */
};

void sl_toml_describe(struct sl_strbuf *out, const struct sl_toml_node *node)
{
	switch (node->type) {
	case SL_TOML_TABLE:
		sl_strbuf_addstr(out, "a table");
		break;
	case SL_TOML_ARRAY:
		sl_strbuf_addstr(out, "a list");
		break;
	case SL_TOML_STRING:
		sl_strbuf_addstr(out, "the string ");
		sl_diag_quote(out, node->string, node->len);
		break;
	case SL_TOML_INTEGER:
		sl_strbuf_addf(out, "the integer %" PRId64, node->integer);
		break;
	case SL_TOML_BOOLEAN:
		sl_strbuf_addstr(out, node->boolean ? "true" : "false");
		break;
	case SL_TOML_FLOAT:
		sl_strbuf_addstr(out, "a floating-point number");
		break;
	case SL_TOML_TIME:
		sl_strbuf_addstr(out, "a date or time without quotes");
		break;
	}
}

static void bad_value(const struct slot *slot, const struct sl_toml_node *node, const char *expected)
{
	SL_STRBUF found = SL_STRBUF_INIT;

	sl_toml_describe(&found, node);
	sl_diags_addf(slot->fill->diags, SL_DIAG_ERROR, node->line, node->column, slot->name,
		      "found %s, expected %s", sl_strbuf_str(&found), expected);
}

/* A string without NUL, or NULL and an error. */
static const char *get_string(const struct slot *slot, const struct sl_toml_node *node, const char *expected)
{
	if (node->type != SL_TOML_STRING) {
		bad_value(slot, node, expected);
		return NULL;
	}
	if (memchr(node->string, '\0', node->len)) {
		bad_value(slot, node, "a string without NUL");
		return NULL;
	}
	return node->string;
}

/* The same, held to the key's check. */
static const char *get_checked(const struct slot *slot, const struct sl_toml_node *node, const char *expected)
{
	const char *text = get_string(slot, node, expected), *wrong = NULL;

	if (text && slot->key->check)
		wrong = slot->key->check(text, slot->fill->profile.version);
	if (!wrong)
		return text;
	bad_value(slot, node, wrong);
	return NULL;
}

static bool get_integer(const struct slot *slot, const struct sl_toml_node *node, int64_t *ret)
{
	SL_FREE char *expected = NULL;

	if (node->type == SL_TOML_INTEGER && node->integer >= slot->key->min &&
	    node->integer <= slot->key->max) {
		*ret = node->integer;
		return true;
	}
	if (slot->key->max == INT64_MAX)
		expected = sl_xasprintf("an integer from %" PRId64, slot->key->min);
	else
		expected =
		    sl_xasprintf("an integer from %" PRId64 " to %" PRId64, slot->key->min, slot->key->max);
	bad_value(slot, node, expected);
	return false;
}

static void fill_string(const struct slot *slot, const struct sl_toml_node *node)
{
	const char *text = get_checked(slot, node, "a string");

	if (text)
		*(char **)slot->value = sl_xstrdup(text);
}

static void fill_size(const struct slot *slot, const struct sl_toml_node *node)
{
	static const char expected[] =
	    "a size like \"512M\", or bytes as an integer, from 1 byte to 8388607T";
	int64_t bytes = 0;

	if (node->type == SL_TOML_INTEGER) {
		bytes = node->integer;
	} else {
		const char *text = get_string(slot, node, expected);

		if (!text)
			return;
		if (sl_size_parse(text, &bytes) < 0)
			bytes = 0;
	}
	if (bytes < 1)
		bad_value(slot, node, expected);
	else
		*(int64_t *)slot->value = bytes;
}

static void fill_bool(const struct slot *slot, const struct sl_toml_node *node)
{
	if (node->type != SL_TOML_BOOLEAN)
		bad_value(slot, node, "true or false");
	else
		*(enum sl_tristate *)slot->value = node->boolean ? SL_TRUE : SL_FALSE;
}

static void fill_end(const struct slot *slot, const struct sl_toml_node *node)
{
	static const char expected[] = "\"commit\", \"abort\" or \"keep\"";
	const char *text = get_string(slot, node, expected);
	enum sl_on_end end = text ? sl_on_end_parse(text) : SL_END_UNSET;

	if (text && end == SL_END_UNSET)
		bad_value(slot, node, expected);
	*(enum sl_on_end *)slot->value = end;
}

static void fill_private(const struct slot *slot, const struct sl_toml_node *node)
{
	const char *text = get_string(slot, node, "\"private\"");

	if (text && strcmp(text, "private") != 0)
		bad_value(slot, node, "\"private\"");
	*(bool *)slot->value = text && !strcmp(text, "private");
}

static void add_number(const struct slot *slot, int64_t number, int line)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, number);
	sl_list_add(slot->value, text, line);
}

/* One element of a list of ports. */
static void fill_port(const struct slot *slot, const struct sl_toml_node *node)
{
	const char *text, *wrong;
	int64_t number;

	if (node->type == SL_TOML_INTEGER) {
		if (get_integer(slot, node, &number))
			add_number(slot, number, node->line);
		return;
	}
	text = get_string(slot, node, "a port as an integer or a string");
	wrong = text ? sl_ports_add(slot->value, text, node->line) : NULL;
	if (wrong)
		bad_value(slot, node, wrong);
}

static void fill_list(const struct slot *slot, const struct sl_toml_node *node)
{
	struct sl_list *list = slot->value;

	if (node->type != SL_TOML_ARRAY) {
		bad_value(slot, node,
			  slot->key->type == SL_KEY_STRINGS ? "a list of strings"
			  : slot->key->type == SL_KEY_INTS  ? "a list of integers"
							    : "a list of ports");
		return;
	}
	list->present = true;
	for (size_t i = 0; i < node->count; i++) {
		const struct sl_toml_node *item = &node->children[i];
		const char *text;
		int64_t number;

		if (slot->key->type == SL_KEY_PORTS) {
			fill_port(slot, item);
		} else if (slot->key->type == SL_KEY_INTS) {
			if (get_integer(slot, item, &number))
				add_number(slot, number, item->line);
		} else {
			text = get_checked(slot, item, "a string");
			if (text)
				sl_list_add(list, text, item->line);
		}
	}
}

static void fill_env(const struct slot *slot, const struct sl_toml_node *node)
{
	struct sl_list *list = slot->value;

	if (node->type != SL_TOML_TABLE) {
		bad_value(slot, node, "a table of strings, like { LANG = \"C\" }");
		return;
	}
	list->present = true;
	for (size_t i = 0; i < node->count; i++) {
		const struct sl_toml_node *item = &node->children[i];
		SL_STRBUF text = SL_STRBUF_INIT;
		const char *value;

		if (!item->key_len || memchr(item->key, '\0', item->key_len) || strchr(item->key, '=')) {
			sl_diag_quote(&text, item->key, item->key_len);
			sl_diags_addf(slot->fill->diags, SL_DIAG_ERROR, item->key_line, item->key_column,
				      slot->name,
				      "found the name %s, expected one that is not empty and without '='"
				      " and NUL",
				      sl_strbuf_str(&text));
			continue;
		}
		value = get_string(slot, item, "a string");
		if (!value)
			continue;
		sl_strbuf_addf(&text, "%s=%s", item->key, value);
		sl_list_add(list, sl_strbuf_str(&text), item->line);
	}
}

static void fill_key(struct sl_fill *f, const struct sl_key *key, const struct sl_toml_node *node)
{
	SL_FREE char *name = sl_xasprintf("%s.%s", key->section, key->name);
	struct slot slot = {f, key, sl_key_value(key, &f->profile), name};
	size_t index = sl_key_index(key);

	f->where[index].line = f->profile.key_lines[index] = node->line;
	f->where[index].column = node->column;
	switch (key->type) {
	case SL_KEY_STRING:
		fill_string(&slot, node);
		break;
	case SL_KEY_INT:
		get_integer(&slot, node, slot.value);
		break;
	case SL_KEY_SIZE:
		fill_size(&slot, node);
		break;
	case SL_KEY_BOOL:
		fill_bool(&slot, node);
		break;
	case SL_KEY_END:
		fill_end(&slot, node);
		break;
	case SL_KEY_PRIVATE:
		fill_private(&slot, node);
		break;
	case SL_KEY_STRINGS:
	case SL_KEY_INTS:
	case SL_KEY_PORTS:
		fill_list(&slot, node);
		break;
	case SL_KEY_ENV:
		fill_env(&slot, node);
		break;
	}
}

/* Append a key as it could stand in a message: "section.key", escaped and cut. */
static char *full_name(const char *section, const struct sl_toml_node *node)
{
	SL_STRBUF name = SL_STRBUF_INIT;

	if (section)
		sl_strbuf_addf(&name, "%s.", section);
	sl_escape(&name, node->key, SL_MIN(node->key_len, (size_t)80));
	return sl_strbuf_detach(&name);
}

static void unknown_key(struct sl_fill *f, const char *section, const struct sl_toml_node *node)
{
	SL_FREE char *name = full_name(section, node);
	const char *near = sl_nearest_key(section, node->key, f->profile.version);
	SL_STRBUF hint = SL_STRBUF_INIT;

	if (!strcmp(node->key, "version"))
		sl_strbuf_addstr(&hint, "; \"version\" stands above the first section");
	else if (near)
		sl_strbuf_addf(&hint, "; did you mean \"%s\"?", near);
	sl_diags_addf(f->diags, SL_DIAG_ERROR, node->key_line, node->key_column, name,
		      "found an unknown key, expected one of [%s]%s", section, sl_strbuf_str(&hint));
}

static void fill_section(struct sl_fill *f, const struct sl_toml_node *section)
{
	for (size_t i = 0; i < section->count; i++) {
		const struct sl_toml_node *node = &section->children[i];
		const struct sl_key *key = sl_key_find(section->key, node->key);

		/* A key that holds NUL is unknown, whatever stands before the NUL. */
		if (!key || strlen(node->key) != node->key_len) {
			unknown_key(f, section->key, node);
		} else if (!sl_key_in_version(key, f->profile.version)) {
			SL_FREE char *name = full_name(section->key, node);

			sl_diags_addf(
			    f->diags, SL_DIAG_ERROR, node->key_line, node->key_column, name,
			    "found a key of version 2 in a file of version 1, expected \"version = 2\" at "
			    "its top");
		} else {
			fill_key(f, key, node);
		}
	}
}

void sl_fill_root(struct sl_fill *f, const struct sl_toml_node *root)
{
	for (size_t i = 0; i < root->count; i++) {
		const struct sl_toml_node *node = &root->children[i];
		bool whole = strlen(node->key) == node->key_len;
		SL_FREE char *name = full_name(NULL, node);
		SL_STRBUF found = SL_STRBUF_INIT;
		const char *near;

		if (whole && !strcmp(node->key, "version"))
			continue;
		if (!whole || !sl_key_section_exists(node->key)) {
			near = sl_nearest_section(node->key) ?: sl_nearest_key("", node->key, f->profile.version);
			sl_diags_addf(f->diags, SL_DIAG_ERROR, node->key_line, node->key_column, name,
				      "found an unknown %s, expected a section of a profile%s%s%s",
				      node->type == SL_TOML_TABLE ? "section" : "key",
				      near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
		} else if (node->type != SL_TOML_TABLE) {
			sl_toml_describe(&found, node);
			sl_diags_addf(f->diags, SL_DIAG_ERROR, node->key_line, node->key_column, name,
				      "found %s, expected a section", sl_strbuf_str(&found));
		} else {
			fill_section(f, node);
		}
	}
}
