/*
 * completion.c - the bash completion script, made from the same tables as everything else.
 *
 * The script needs nothing but bash; where the bash-completion package is loaded, the command of learn and
 * run is completed by its own completion.
 */
#include <string.h>

#include "cmd/message.h"
#include "cmd/options.h"
#include "cmd/values.h"
#include "kernel/landlock.h"

static const char FUNCTIONS[] =
    "_sandlock_words() { COMPREPLY+=($(compgen -W \"$1\" -- \"$cur\")); }\n"
    "\n"
    "_sandlock_files() {\n"
    "\tlocal IFS=$'\\n'\n"
    "\tcompopt -o filenames 2>/dev/null\n"
    "\tCOMPREPLY+=($(compgen \"$1\" -- \"$cur\"))\n"
    "}\n"
    "\n"
    "# Complete what the kind in $1 stands for; $2 is the index of the word.\n"
    "_sandlock_kind() {\n"
    "\tcase $1 in\n"
    "\tfile) _sandlock_files -f ;;\n"
    "\tdirectory) _sandlock_files -d ;;\n"
    "\tprofile) _sandlock_words \"$(sandlock profile list 2>/dev/null)\"; _sandlock_files -f ;;\n"
    "\tprotection) _sandlock_words \"$_sandlock_protections\" ;;\n"
    "\tsandbox) _sandlock_words \"$(sandlock ps 2>/dev/null | awk 'NR > 1 { print $1 }')\" ;;\n"
    "\tcommand)\n"
    "\t\tif declare -F _command_offset >/dev/null; then\n"
    "\t\t\t_command_offset \"$2\"\n"
    "\t\telif [ \"$2\" -eq \"$COMP_CWORD\" ]; then\n"
    "\t\t\t_sandlock_files -c\n"
    "\t\telse\n"
    "\t\t\t_sandlock_files -f\n"
    "\t\tfi ;;\n"
    "\tesac\n"
    "}\n"
    "\n"
    "_sandlock() {\n"
    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} i=2 word\n"
    "\tCOMPREPLY=()\n"
    "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
    "\t\t_sandlock_words \"$_sandlock_commands --help --version\"\n"
    "\t\treturn\n"
    "\tfi\n"
    "\tif [ \"$command\" = profile ]; then\n"
    "\t\tif [ \"$COMP_CWORD\" -eq 2 ]; then\n"
    "\t\t\t_sandlock_words \"$_sandlock_profile_commands --help\"\n"
    "\t\t\treturn\n"
    "\t\tfi\n"
    "\t\tcommand=\"profile ${COMP_WORDS[2]}\" i=3\n"
    "\tfi\n"
    "\t# Over the options and their values to the first operand, or to the word that is typed.\n"
    "\twhile [ \"$i\" -lt \"$COMP_CWORD\" ]; do\n"
    "\t\tword=${COMP_WORDS[i]}\n"
    "\t\tif [ \"$word\" = -- ]; then\n"
    "\t\t\t_sandlock_kind \"${_sandlock_operands[$command]}\" $((i + 1))\n"
    "\t\t\treturn\n"
    "\t\tfi\n"
    "\t\tcase $word in -*) ;; *) break ;; esac\n"
    "\t\tif [ -n \"${_sandlock_values[$command $word]}\" ]; then\n"
    "\t\t\ti=$((i + 1))\n"
    "\t\t\t[ \"${COMP_WORDS[i]}\" = = ] && i=$((i + 1))\n"
    "\t\t\tif [ \"$i\" -ge \"$COMP_CWORD\" ]; then\n"
    "\t\t\t\t[ \"$cur\" = = ] && cur=\n"
    "\t\t\t\t_sandlock_kind \"${_sandlock_values[$command $word]}\" \"$COMP_CWORD\"\n"
    "\t\t\t\treturn\n"
    "\t\t\tfi\n"
    "\t\tfi\n"
    "\t\ti=$((i + 1))\n"
    "\tdone\n"
    "\tcase $cur in\n"
    "\t-*)\n"
    "\t\tif [ \"$i\" -eq \"$COMP_CWORD\" ]; then\n"
    "\t\t\t_sandlock_words \"${_sandlock_options[$command]} --help\"\n"
    "\t\t\treturn\n"
    "\t\tfi ;;\n"
    "\tesac\n"
    "\t_sandlock_kind \"${_sandlock_operands[$command]}\" \"$i\"\n"
    "}\n"
    "complete -F _sandlock sandlock\n";

static const char *kind_name(enum sl_complete kind)
{
	static const char *const names[] = {
	    [SL_COMPLETE_NOTHING] = "nothing",	     [SL_COMPLETE_FILE] = "file",
	    [SL_COMPLETE_DIRECTORY] = "directory",   [SL_COMPLETE_PROFILE] = "profile",
	    [SL_COMPLETE_PROTECTION] = "protection", [SL_COMPLETE_SANDBOX] = "sandbox",
	    [SL_COMPLETE_COMMAND] = "command",
	};

	return names[kind];
}

/* NAME="word word": the commands whose names start with the prefix, without it; with none, the first words.
 */
static void add_commands(struct sl_strbuf *out, const char *variable, const char *prefix)
{
	const char *separator = "", *last = "";

	sl_strbuf_addf(out, "%s=\"", variable);
	for (const struct sl_cmd *const *cmd = sl_cmds; *cmd; cmd++) {
		const char *name = (*cmd)->name;
		size_t len;

		if (strncmp(name, prefix, strlen(prefix)) != 0 || (*cmd)->later)
			continue;
		name += strlen(prefix);
		len = strcspn(name, " ");
		if (strlen(last) >= len && !strncmp(last, name, len)) /* "profile" stands for many */
			continue;
		sl_strbuf_addf(out, "%s%.*s", separator, (int)len, name);
		separator = " ";
		last = name;
	}
	sl_strbuf_addstr(out, "\"\n");
}

static void add_option_words(struct sl_strbuf *out, const struct sl_cmd *cmd)
{
	sl_strbuf_addf(out, "\t[\"%s\"]=\"", cmd->name);
	for (const struct sl_option *o = cmd->options; o && o->name; o++)
		if (!o->later)
			sl_strbuf_addf(out, "%s--%s", o == cmd->options ? "" : " ", o->name);
	sl_strbuf_addstr(out, "\"\n");
}

static void add_value_kinds(struct sl_strbuf *out, const struct sl_cmd *cmd)
{
	for (const struct sl_option *o = cmd->options; o && o->name; o++) {
		if (o->later || !sl_value_kind(o->kind)->takes_value || o->kind == SL_OPTION_COUNT_OPTIONAL)
			continue;
		sl_strbuf_addf(out, "\t[\"%s --%s\"]=%s", cmd->name, o->name, kind_name(o->complete));
		if (o->letter)
			sl_strbuf_addf(out, " [\"%s -%c\"]=%s", cmd->name, o->letter, kind_name(o->complete));
		sl_strbuf_addch(out, '\n');
	}
}

void sl_completion_bash(struct sl_strbuf *out)
{
	const struct sl_cmd *const *cmd;

	sl_strbuf_addstr(out, "# bash completion for sandlock; made by `sandlock --completion bash`\n\n");
	add_commands(out, "_sandlock_commands", "");
	add_commands(out, "_sandlock_profile_commands", "profile ");
	sl_strbuf_addstr(out, "_sandlock_protections=\"");
	for (const struct sl_protection_row *p = sl_protections; p->name; p++)
		sl_strbuf_addf(out, "%s%s", p == sl_protections ? "" : " ", p->name);
	sl_strbuf_addstr(out, "\"\ndeclare -gA _sandlock_options=(\n");
	for (cmd = sl_cmds; *cmd; cmd++)
		add_option_words(out, *cmd);
	sl_strbuf_addstr(
	    out, ")\n# What the values of options are completed with.\ndeclare -gA _sandlock_values=(\n");
	for (cmd = sl_cmds; *cmd; cmd++)
		add_value_kinds(out, *cmd);
	sl_strbuf_addstr(out, ")\n# The same for operands.\ndeclare -gA _sandlock_operands=(\n");
	for (cmd = sl_cmds; *cmd; cmd++)
		sl_strbuf_addf(out, "\t[\"%s\"]=%s\n", (*cmd)->name, kind_name((*cmd)->complete));
	sl_strbuf_addf(out, ")\n\n%s", FUNCTIONS);
}
