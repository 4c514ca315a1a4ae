/*
 * main.c - finds the command by its name and hands over. Nothing is set up that not every command needs:
 * `run` is to start within half a millisecond.
 */
#include <fcntl.h>
#include <string.h>

#include "base/path.h"
#include "cmd/commands.h"
#include "cmd/message.h"
#include "cmd/options.h"
#include "sandlock.h"

const struct sl_cmd *const sl_cmds[] = {
    &sl_cmd_learn,
    &sl_cmd_run,
    &sl_cmd_verify,
    &sl_cmd_profile_show,
    &sl_cmd_profile_list,
    &sl_cmd_profile_check,
    &sl_cmd_profile_delete,
    &sl_cmd_profile_diff,
    &sl_cmd_profile_merge,
    &sl_cmd_profile_explain,
    &sl_cmd_profile_export,
    &sl_cmd_workdir_list,
    &sl_cmd_workdir_diff,
    &sl_cmd_workdir_apply,
    &sl_cmd_workdir_drop,
    &sl_cmd_check,
    &sl_cmd_ps,
    &sl_cmd_inspect,
    &sl_cmd_kill,
    NULL,
};

/*
 * A standard descriptor that the caller closed must not become some file of ours. It is filled with
 * /dev/null, which refuses writing here (so that a lost message or result is an error) and is closed again
 * for the command.
 */
static void fill_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
			_exit(SANDLOCK_STATUS_FAILED);
}

static int help(void)
{
	SL_STRBUF text = SL_STRBUF_INIT;

	sl_strbuf_addstr(&text, "usage: sandlock COMMAND [OPTION...] [ARGUMENT...]\n\n"
				"Learn what a command needs, then run it with exactly that.\n\ncommands:\n");
	for (const struct sl_cmd *const *cmd = sl_cmds; *cmd; cmd++)
		sl_strbuf_addf(&text, "  %-18s%s%s\n", (*cmd)->name, (*cmd)->summary,
			       (*cmd)->later ? " (not supported yet)" : "");
	sl_strbuf_addstr(
	    &text,
	    "\n`sandlock COMMAND --help` lists a command's options; see also sandlock(1).\n\noptions:\n"
	    "      --help                    print this\n"
	    "      --version                 print the version\n");
	return sl_output(&text);
}

static int version(void)
{
	SL_STRBUF text = SL_STRBUF_INIT;

	sl_strbuf_addf(&text, "sandlock %s\n", sandlock_version());
	return sl_output(&text);
}

/* The script that is installed for bash; made by the build, so no part of the help. */
static int completion(const char *shell)
{
	SL_STRBUF text = SL_STRBUF_INIT;

	if (!shell || strcmp(shell, "bash") != 0) {
		sl_say("--completion: needs the name of a shell: bash");
		return SANDLOCK_STATUS_USAGE;
	}
	sl_completion_bash(&text);
	return sl_output(&text);
}

/* Does the command's name stand at the start of the words? Returns how many words it has, or 0. */
static int name_matches(const struct sl_cmd *cmd, int argc, char **argv)
{
	const char *name = cmd->name;
	int words = 0;

	while (*name) {
		size_t len = strcspn(name, " ");

		if (words == argc || strlen(argv[words]) != len || strncmp(argv[words], name, len) != 0)
			return 0;
		words++;
		name += len + (name[len] == ' ');
	}
	return words;
}

static int refuse_later(const struct sl_cmd *cmd, int argc, char **argv)
{
	if (argc && (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))) {
		SL_STRBUF text = SL_STRBUF_INIT;

		sl_options_help(&text, cmd);
		return sl_output(&text);
	}
	sl_say("%s: not supported yet", cmd->name);
	return SANDLOCK_STATUS_USAGE;
}

/* "profile" alone, with --help, or with a word that it does not know. */
static int profile_group(const char *word)
{
	SL_STRBUF text = SL_STRBUF_INIT;

	if (word && strcmp(word, "--help") != 0 && strcmp(word, "-h") != 0) {
		sl_say("profile: unknown command \"%s\" (see `sandlock profile --help`)", sl_esc(word));
		return SANDLOCK_STATUS_USAGE;
	}
	if (!word) {
		sl_say("profile: needs a command (see `sandlock profile --help`)");
		return SANDLOCK_STATUS_USAGE;
	}
	sl_strbuf_addstr(&text, "usage: sandlock profile COMMAND [OPTION...] [ARGUMENT...]\n\ncommands:\n");
	for (const struct sl_cmd *const *cmd = sl_cmds; *cmd; cmd++)
		if (!strncmp((*cmd)->name, "profile ", strlen("profile ")))
			sl_strbuf_addf(&text, "  %-18s%s%s\n", (*cmd)->name + strlen("profile "),
				       (*cmd)->summary, (*cmd)->later ? " (not supported yet)" : "");
	return sl_output(&text);
}

int main(int argc, char **argv)
{
	fill_standard_descriptors();
	if (argc < 2) {
		sl_say("needs a command (see `sandlock --help`)");
		return SANDLOCK_STATUS_USAGE;
	}
	for (const struct sl_cmd *const *cmd = sl_cmds; *cmd; cmd++) {
		int words = name_matches(*cmd, argc - 1, argv + 1);

		if (words && (*cmd)->later)
			return refuse_later(*cmd, argc - 1 - words, argv + 1 + words);
		if (words)
			return (*cmd)->run(*cmd, argc - 1 - words, argv + 1 + words);
	}
	if (!strcmp(argv[1], "profile"))
		return profile_group(argv[2]);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return help();
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
		return version();
	if (!strcmp(argv[1], "--completion"))
		return completion(argv[2]);
	sl_say(argv[1][0] == '-' ? "%s: unknown option" : "%s: unknown command (see `sandlock --help`)",
	       sl_esc(argv[1]));
	return SANDLOCK_STATUS_USAGE;
}
