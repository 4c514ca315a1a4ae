/*
 * profile-show.c - `sandlock profile show`: what a profile grants, sorted, without what other entries give;
 * coloured for a person.
 */
#include <string.h>

#include "cmd/commands.h"
#include "cmd/message.h"
#include "cmd/profile-arg.h"
#include "cmd/profile-look.h"
#include "profile/merge.h"
#include "profile/write.h"
#include "sandlock.h"

#define BOLD  "\033[1m"
#define CYAN  "\033[36m"
#define GREEN "\033[32m"
#define PLAIN "\033[0m"

/* Is stdout a terminal whose user wants colours (no-color.org)? */
static bool wants_colour(void)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0 && !(no && *no);
}

static void add_coloured(struct sl_strbuf *out, const char *colour, const char *text, size_t len)
{
	sl_strbuf_addstr(out, colour);
	sl_strbuf_add(out, text, len);
	sl_strbuf_addstr(out, PLAIN);
}

/* Bytes of a string with its quotes, as the writer makes them: on one line, with backslashes. */
static size_t string_length(const char *s)
{
	const char *p = s + 1;

	while (*p && *p != '"')
		p += *p == '\\' && p[1] ? 2 : 1;
	return (size_t)(p - s) + (*p == '"');
}

/* Headers bold, names of keys cyan, strings green. */
static void colour(struct sl_strbuf *out, const char *text)
{
	while (*text) {
		size_t line = strcspn(text, "\n"), name = strcspn(text, " =\n");
		const char *end = text + line;

		if (*text == '[' && line > 1 && text[1] != '\n') {
			add_coloured(out, BOLD, text, line);
			text = end;
		} else if (*text != ' ' && *text != ']' && *text != '"' && name < line) {
			add_coloured(out, CYAN, text, name);
			text += name;
		}
		while (text < end) {
			size_t len = *text == '"' ? string_length(text) : strcspn(text, "\"\n");

			if (*text == '"')
				add_coloured(out, GREEN, text, len);
			else
				sl_strbuf_add(out, text, len);
			text += len;
		}
		if (*text)
			sl_strbuf_addch(out, *text++);
	}
}

static int show(const struct sl_cmd *cmd, int argc, char **argv)
{
	SL_STRBUF text = SL_STRBUF_INIT;
	SL_STRBUF coloured = SL_STRBUF_INIT;
	SL_FREE char *path = NULL;
	struct sl_profile profile, effective;
	const struct sl_profile *const in[] = {&profile};
	struct sl_strv notes = SL_STRV_INIT;
	char **operands;
	int status = sl_options_parse(cmd, argc, argv, NULL, &operands, NULL);

	if (status != SL_PARSED)
		return status;
	path = sl_profile_arg_path(operands[0]);
	if (!path)
		return SANDLOCK_STATUS_FAILED;
	sl_profile_init(&profile, 2);
	status = sl_profile_load(path, &profile);
	if (!status) {
		sl_profile_merge(in, 1, &sl_profile_look, &effective, &notes);
		/* A list that is empty grants what none does. */
		for (unsigned int key = 0; key < SL_FS_DENY; key++)
			effective.filesystem.lists[key].present &= effective.filesystem.lists[key].len > 0;
		sl_profile_format(&text, &effective, NULL);
		if (wants_colour())
			colour(&coloured, sl_strbuf_str(&text));
		status = sl_output(coloured.len ? &coloured : &text);
		sl_profile_release(&effective);
	}
	sl_strv_release(&notes);
	sl_profile_release(&profile);
	return status;
}

const struct sl_cmd sl_cmd_profile_show = {
    .name = "profile show",
    .operands = "NAME|PATH",
    .summary = "print what a profile grants, as it is understood",
    .min_operands = 1,
    .max_operands = 1,
    .complete = SL_COMPLETE_PROFILE,
    .run = show,
};
