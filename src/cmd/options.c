/*
 * options.c - parsing of option tables, and the help that is made from them.
 */
#include "cmd/options.h"

#include <string.h>

#include "base/path.h"
#include "cmd/message.h"
#include "cmd/values.h"
#include "sandlock.h"

#define HELP_COLUMN 32

/* What is being parsed. An option is named in messages as it was typed. */
struct parse {
	const struct sl_cmd *cmd;
	char **argv;
	int argc, next; /* next: the word to be read next */
	void *ret;
};

static int usage_error(const char *option, const char *what)
{
	sl_say("%s: %s", sl_esc(option), what);
	return SANDLOCK_STATUS_USAGE;
}

static const struct sl_option *find_long(const struct sl_cmd *cmd, const char *name, size_t len)
{
	for (const struct sl_option *o = cmd->options; o && o->name; o++)
		if (!strncmp(o->name, name, len) && !o->name[len])
			return o;
	return NULL;
}

static const struct sl_option *find_letter(const struct sl_cmd *cmd, char letter)
{
	for (const struct sl_option *o = cmd->options; o && o->name; o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

static int print_help(const struct sl_cmd *cmd)
{
	SL_STRBUF text = SL_STRBUF_INIT;

	sl_options_help(&text, cmd);
	return sl_output(&text);
}

static int store(const struct parse *p, const struct sl_option *o, const char *typed, const char *value)
{
	const struct sl_value_kind *kind = sl_value_kind(o->kind);

	/* Of an option that is not built only a count is checked: the rest is its builder's to define. */
	if (!o->later || o->kind == SL_OPTION_COUNT_OPTIONAL) {
		if (kind->store(value, (char *)p->ret + o->offset) < 0) {
			sl_say("%s: \"%s\" is not %s", sl_esc(typed), sl_esc(value ? value : ""),
			       kind->expected);
			return SANDLOCK_STATUS_USAGE;
		}
	}
	return o->later ? usage_error(typed, "not supported yet") : SL_PARSED;
}

/* The word after an option, as its value. */
static const char *next_word(struct parse *p)
{
	return p->next < p->argc ? p->argv[p->next++] : NULL;
}

/* "--name", "--name=value". */
static int parse_long(struct parse *p, const char *word)
{
	const char *equals = strchr(word, '='), *value = equals ? equals + 1 : NULL;
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	SL_FREE char *typed = sl_xstrndup(word, len);
	const struct sl_option *o = find_long(p->cmd, word + 2, len - 2);

	if (!o && !strcmp(word, "--help"))
		return print_help(p->cmd);
	if (!o)
		return usage_error(typed, "unknown option");
	if (!sl_value_kind(o->kind)->takes_value)
		return value ? usage_error(typed, "takes no value") : store(p, o, typed, NULL);
	if (!value && o->kind != SL_OPTION_COUNT_OPTIONAL) {
		value = next_word(p);
		if (!value)
			return usage_error(typed, o->later ? "not supported yet" : "needs a value");
	}
	return store(p, o, typed, value);
}

/* "-x", "-xvalue", "-x value", and flags in one cluster: "-vq". */
static int parse_short(struct parse *p, const char *word)
{
	for (const char *s = word + 1; *s; s++) {
		const char typed[] = {'-', *s, '\0'};
		const struct sl_option *o = find_letter(p->cmd, *s);
		const char *value;
		int status;

		if (!o && *s == 'h')
			return print_help(p->cmd);
		if (!o)
			return usage_error(*s & 0x80 ? word : typed, "unknown option");
		if (sl_value_kind(o->kind)->takes_value) {
			value = s[1] ? s + 1 : next_word(p);
			if (!value)
				return usage_error(typed, o->later ? "not supported yet" : "needs a value");
			return store(p, o, typed, value);
		}
		status = store(p, o, typed, NULL);
		if (status != SL_PARSED)
			return status;
	}
	return SL_PARSED;
}

static int check_operands(const struct sl_cmd *cmd, char **operands, int count)
{
	if (count < cmd->min_operands) {
		sl_say("%s: needs %s (see `sandlock %s --help`)", cmd->name, cmd->operands, cmd->name);
		return SANDLOCK_STATUS_USAGE;
	}
	if (cmd->max_operands >= 0 && count > cmd->max_operands) {
		sl_say("%s: unexpected argument \"%s\"", cmd->name, sl_esc(operands[cmd->max_operands]));
		return SANDLOCK_STATUS_USAGE;
	}
	return SL_PARSED;
}

int sl_options_parse(const struct sl_cmd *cmd, int argc, char **argv, void *ret, char ***ret_operands,
		     int *ret_count)
{
	struct parse p = {cmd, argv, argc, 0, ret};
	int kept = 0; /* operands so far, moved to the front of argv */
	bool ended = false;

	while (p.next < argc && !ended) {
		char *word = argv[p.next++];
		int status = SL_PARSED;

		if (word[0] != '-' || !word[1]) {
			argv[kept++] = word;
			ended = cmd->runs_program;
		} else if (!strcmp(word, "--")) {
			ended = true;
		} else {
			status = word[1] == '-' ? parse_long(&p, word) : parse_short(&p, word);
		}
		if (status != SL_PARSED)
			return status;
	}
	while (p.next < argc)
		argv[kept++] = argv[p.next++];
	argv[kept] = NULL;
	*ret_operands = argv;
	if (ret_count)
		*ret_count = kept;
	return check_operands(cmd, argv, kept);
}

static void help_row(struct sl_strbuf *out, const struct sl_option *o)
{
	size_t start = out->len;

	if (o->letter)
		sl_strbuf_addf(out, "  -%c, ", o->letter);
	else
		sl_strbuf_addstr(out, "      ");
	sl_strbuf_addf(out, "--%s", o->name);
	if (o->kind == SL_OPTION_COUNT_OPTIONAL)
		sl_strbuf_addf(out, "[=%s]", o->arg);
	else if (o->arg)
		sl_strbuf_addf(out, " %s", o->arg);
	if (out->len - start + 2 > HELP_COLUMN) {
		sl_strbuf_addch(out, '\n');
		start = out->len;
	}
	while (out->len - start < HELP_COLUMN)
		sl_strbuf_addch(out, ' ');
	sl_strbuf_addf(out, "%s\n", o->help);
}

static void help_section(struct sl_strbuf *out, const struct sl_cmd *cmd, bool later, const char *title)
{
	bool titled = false;

	for (const struct sl_option *o = cmd->options; o && o->name; o++) {
		if (o->later != later)
			continue;
		if (!titled)
			sl_strbuf_addf(out, "\n%s:\n", title);
		titled = true;
		help_row(out, o);
	}
}

void sl_options_help(struct sl_strbuf *out, const struct sl_cmd *cmd)
{
	const char *options = cmd->options && cmd->options->name ? " [OPTION...]" : "";

	sl_strbuf_addf(out, "usage: sandlock %s%s%s%s\n\n%c%s.\n", cmd->name, options,
		       *cmd->operands ? " " : "", cmd->operands, cmd->summary[0] - 'a' + 'A',
		       cmd->summary + 1);
	if (cmd->later)
		sl_strbuf_addstr(out, "This command is not supported yet.\n");
	help_section(out, cmd, false, "options");
	help_section(out, cmd, true, "not supported yet");
}
