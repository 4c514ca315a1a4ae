/*
 * profile.c - `sandlock profile …`: listing, checking and deleting profiles.
 */
#include <dirent.h>
#include <string.h>

#include "base/path.h"
#include "cmd/commands.h"
#include "cmd/message.h"
#include "cmd/profile-arg.h"
#include "cmd/profile-look.h"
#include "profile/idle.h"
#include "profile/read.h"
#include "sandlock.h"

/* Parse a command that has no options. */
static int parse(const struct sl_cmd *cmd, int argc, char **argv, char ***ret_operands)
{
	return sl_options_parse(cmd, argc, argv, NULL, ret_operands, NULL);
}

/* The names of the profiles in a directory, sorted; a directory that is not there has none. 0 or a status. */
static int read_names(const char *directory, struct sl_strv *names)
{
	SL_CLOSEDIR DIR *dir = opendir(directory);
	const struct dirent *entry;

	if (!dir && errno == ENOENT)
		return 0;
	if (!dir) {
		sl_say("%s: %s", sl_esc(directory), strerror(errno));
		return SANDLOCK_STATUS_FAILED;
	}
	while ((entry = readdir(dir))) {
		size_t len = strlen(entry->d_name);

		if (sl_profile_is_path(entry->d_name) && len > strlen(".toml"))
			sl_strv_take(names, sl_xstrndup(entry->d_name, len - strlen(".toml")));
	}
	sl_strv_sort_unique(names);
	return 0;
}

static int list(const struct sl_cmd *cmd, int argc, char **argv)
{
	SL_STRBUF text = SL_STRBUF_INIT;
	SL_FREE char *directory = NULL;
	struct sl_strv names = SL_STRV_INIT;
	char **operands;
	int status = parse(cmd, argc, argv, &operands);

	if (status != SL_PARSED)
		return status;
	directory = sl_profile_directory();
	if (!directory) {
		sl_say("no directory of profiles: neither XDG_CONFIG_HOME nor HOME is set");
		return SANDLOCK_STATUS_FAILED;
	}
	status = read_names(directory, &names);
	for (size_t i = 0; i < names.len; i++)
		sl_strbuf_addf(&text, "%s\n", sl_esc(names.items[i]));
	sl_strv_release(&names);
	return status ? status : sl_output(&text);
}

/* Append every error, note and line that can never matter of one file. Returns whether there was an error. */
static bool check_file(const char *path, struct sl_strbuf *lines)
{
	struct sl_diags diags = {0};
	struct sl_profile profile;
	int r;

	sl_profile_init(&profile, 2);
	r = sl_profile_read(path, &profile, &diags);
	if (r == 0)
		sl_profile_idle(&profile, &sl_profile_look, &diags);
	for (size_t i = 0; i < diags.len; i++) {
		static const char *const prefixes[] = {
		    [SL_DIAG_ERROR] = "", [SL_DIAG_NOTE] = "note: ", [SL_DIAG_WARNING] = "warning: "};

		sl_strbuf_addf(lines, "sandlock: %s", prefixes[diags.items[i].kind]);
		sl_diag_format(lines, path, &diags.items[i]);
		sl_strbuf_addch(lines, '\n');
	}
	sl_diags_release(&diags);
	sl_profile_release(&profile);
	return r < 0;
}

static int check(const struct sl_cmd *cmd, int argc, char **argv)
{
	char **operands;
	int status = parse(cmd, argc, argv, &operands);

	if (status != SL_PARSED)
		return status;
	status = 0;
	for (; *operands; operands++) {
		SL_STRBUF lines = SL_STRBUF_INIT;
		SL_FREE char *path = sl_profile_arg_path(*operands);

		if (!path || check_file(path, &lines))
			status = SANDLOCK_STATUS_FAILED;
		sl_say_lines(&lines);
	}
	return status;
}

static int delete (const struct sl_cmd *cmd, int argc, char **argv)
{
	SL_FREE char *path = NULL;
	char **operands;
	int status = parse(cmd, argc, argv, &operands);

	if (status != SL_PARSED)
		return status;
	if (!sl_profile_name_valid(operands[0]) || sl_profile_is_path(operands[0])) {
		sl_say("profile delete: \"%s\" is not the name of a profile", sl_esc(operands[0]));
		return SANDLOCK_STATUS_USAGE;
	}
	path = sl_profile_arg_path(operands[0]);
	if (!path)
		return SANDLOCK_STATUS_FAILED;
	if (unlink(path) == 0)
		return 0;
	sl_say("%s: %s", sl_esc(path), strerror(errno));
	return SANDLOCK_STATUS_FAILED;
}

const struct sl_cmd sl_cmd_profile_list = {
    .name = "profile list",
    .operands = "",
    .summary = "list the names of the user's profiles",
    .run = list,
};

const struct sl_cmd sl_cmd_profile_check = {
    .name = "profile check",
    .operands = "NAME|PATH...",
    .summary = "report every error of profiles, and lines that can never matter",
    .min_operands = 1,
    .max_operands = -1,
    .complete = SL_COMPLETE_PROFILE,
    .run = check,
};

const struct sl_cmd sl_cmd_profile_delete = {
    .name = "profile delete",
    .operands = "NAME",
    .summary = "delete one of the user's profiles",
    .min_operands = 1,
    .max_operands = 1,
    .complete = SL_COMPLETE_PROFILE,
    .run = delete,
};

/* Known, and refused by name. */
const struct sl_cmd sl_cmd_profile_explain = {
    .name = "profile explain",
    .operands = "NAME|PATH WHAT",
    .summary = "say whether something is allowed, and by which entry",
    .later = true,
};

const struct sl_cmd sl_cmd_profile_export = {
    .name = "profile export",
    .operands = "NAME|PATH",
    .summary = "write a profile in another tool's format",
    .later = true,
};

const struct sl_cmd sl_cmd_verify = {
    .name = "verify",
    .operands = "[--] [CMD [ARG...]]",
    .summary = "replay a command under a profile and report what it lacks",
    .later = true,
};
