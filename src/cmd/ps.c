/*
 * ps.c - `sandlock ps`, `inspect` and `kill`: running sandboxes, through the registry.
 */
#include <string.h>

#include "base/path.h"
#include "cmd/commands.h"
#include "cmd/message.h"
#include "sandlock.h"
#include "supervise/registry.h"

struct ps {
	bool json;
};

static const struct sl_option ps_options[] = {
    {"json", 0, SL_OPTION_FLAG, NULL, false, SL_COMPLETE_NOTHING, offsetof(struct ps, json),
     "print a JSON array of what inspect prints"},
    {NULL},
};

static const struct sl_option inspect_options[] = {
    {"toml", 0, SL_OPTION_FLAG, NULL, true, SL_COMPLETE_NOTHING, 0, "print the profile as TOML"},
    {NULL},
};

static const char *or_dash(const char *text)
{
	return text && *text ? sl_esc(text) : "-";
}

/* A table whose name column is as wide as the longest name. */
static void print_table(struct sl_strbuf *out, const struct sl_sandbox_info *infos, size_t count)
{
	int width = (int)strlen("NAME");

	for (size_t i = 0; i < count; i++)
		width = SL_MAX(width, (int)strlen(infos[i].name));
	sl_strbuf_addf(out, "%-*s %8s  %-5s %9s  %-20s %s\n", width, "NAME", "PID", "MODE", "PROCESSES",
		       "STARTED", "COMMAND");
	for (size_t i = 0; i < count; i++)
		sl_strbuf_addf(out, "%-*s %8d  %-5s %9zu  %-20s %s\n", width, or_dash(infos[i].name),
			       (int)infos[i].pid, or_dash(infos[i].mode), infos[i].processes,
			       or_dash(infos[i].started), or_dash(infos[i].command));
}

/* Each sandbox's own answer is JSON already. */
static void print_json(struct sl_strbuf *out, const struct sl_sandbox_info *infos, size_t count)
{
	const char *separator = "";

	sl_strbuf_addch(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (!infos[i].json)
			continue;
		sl_strbuf_addf(out, "%s\n%s", separator, infos[i].json);
		separator = ",";
	}
	sl_strbuf_addstr(out, *separator ? "\n]\n" : "]\n");
}

static int ps(const struct sl_cmd *cmd, int argc, char **argv)
{
	SL_STRBUF text = SL_STRBUF_INIT;
	struct sl_error err = SL_ERROR_INIT;
	struct sl_sandbox_info *infos = NULL;
	struct ps options = {0};
	char **operands;
	size_t count = 0;
	int status = sl_options_parse(cmd, argc, argv, &options, &operands, NULL);

	if (status != SL_PARSED)
		return status;
	if (sl_registry_list(&infos, &count, &err) < 0) {
		sl_say("%s", err.text);
		return SANDLOCK_STATUS_FAILED;
	}
	if (options.json)
		print_json(&text, infos, count);
	else
		print_table(&text, infos, count);
	for (size_t i = 0; i < count; i++)
		sl_sandbox_info_release(&infos[i]);
	free(infos);
	return sl_output(&text);
}

/* The operand as a sandbox's name; a line and 2 where it cannot be one. */
static int parse_name(const struct sl_cmd *cmd, int argc, char **argv, const char **ret_name)
{
	char **operands;
	int status = sl_options_parse(cmd, argc, argv, NULL, &operands, NULL);

	if (status != SL_PARSED)
		return status;
	if (!sl_registry_name_valid(operands[0])) {
		sl_say("%s: \"%s\" is not the name of a sandbox", cmd->name, sl_esc(operands[0]));
		return SANDLOCK_STATUS_USAGE;
	}
	*ret_name = operands[0];
	return SL_PARSED;
}

static int registry_error(const char *name, int r, const struct sl_error *err)
{
	if (r == -ENOENT)
		sl_say("no sandbox \"%s\" is running", sl_esc(name));
	else
		sl_say("%s", err->text);
	return SANDLOCK_STATUS_FAILED;
}

static int inspect(const struct sl_cmd *cmd, int argc, char **argv)
{
	SL_STRBUF text = SL_STRBUF_INIT;
	struct sl_error err = SL_ERROR_INIT;
	struct sl_sandbox_info info = {0};
	const char *name = NULL;
	int r, status = parse_name(cmd, argc, argv, &name);

	if (status != SL_PARSED)
		return status;
	r = sl_registry_inspect(name, &info, &err);
	if (r < 0)
		return registry_error(name, r, &err);
	sl_strbuf_addf(&text, "%s\n", info.json ? info.json : "{}");
	sl_sandbox_info_release(&info);
	return sl_output(&text);
}

static int kill_sandbox(const struct sl_cmd *cmd, int argc, char **argv)
{
	struct sl_error err = SL_ERROR_INIT;
	const char *name = NULL;
	int r, status = parse_name(cmd, argc, argv, &name);

	if (status != SL_PARSED)
		return status;
	r = sl_registry_kill(name, &err);
	return r < 0 ? registry_error(name, r, &err) : 0;
}

const struct sl_cmd sl_cmd_ps = {
    .name = "ps",
    .operands = "",
    .summary = "list running sandboxes",
    .options = ps_options,
    .run = ps,
};

const struct sl_cmd sl_cmd_inspect = {
    .name = "inspect",
    .operands = "NAME",
    .summary = "print what is known of a running sandbox, as JSON",
    .options = inspect_options,
    .min_operands = 1,
    .max_operands = 1,
    .complete = SL_COMPLETE_SANDBOX,
    .run = inspect,
};

const struct sl_cmd sl_cmd_kill = {
    .name = "kill",
    .operands = "NAME",
    .summary = "end a running sandbox",
    .min_operands = 1,
    .max_operands = 1,
    .complete = SL_COMPLETE_SANDBOX,
    .run = kill_sandbox,
};
