/*
 * options.h - the one table per command from which parsing, --help, bash completion and the check of the
 * manual come.
 *
 * Parsing is GNU's: --opt=value and --opt value, -o value and -ovalue, flags in one cluster, "--" ends
 * options. For commands that start a program the first word that is no option ends them too: what follows is
 * that program's.
 */
#ifndef SL_CMD_OPTIONS_H
#define SL_CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

/* What an option's value is, and the type of the member that receives it. */
enum sl_option_kind {
	SL_OPTION_FLAG,		  /* no value; bool */
	SL_OPTION_STRING,	  /* const char *, borrowed from the command line, not empty */
	SL_OPTION_LIST,		  /* struct sl_list; one entry each time */
	SL_OPTION_ENV,		  /* struct sl_list of KEY=VALUE */
	SL_OPTION_SECONDS,	  /* double, 0 or more, with a fraction */
	SL_OPTION_SIZE,	  /* int64_t: bytes, from a number with a unit */
	SL_OPTION_COUNT,	  /* int64_t, 1 or more */
	SL_OPTION_COUNT_OPTIONAL, /* the same, but --opt without a value stands too */
	SL_OPTION_DESCRIPTOR,	  /* int: an open descriptor */
	SL_OPTION_CPUS,		  /* struct sl_list of decimal numbers, from "0,2-3" */
	SL_OPTION_NAME,		  /* const char *: the name of a running sandbox */
	SL_OPTION_PROTECTION,	  /* uint64_t: SL_PROTECT_* bits */
	SL_OPTION_DISABLE,	  /* the same, of those that can be left out */
	SL_OPTION_SYSCALL,	  /* struct sl_list of system call names or groups */
	SL_OPTION_VERSION,	  /* int: 1 or 2 */
	SL_OPTION_ON_END,	  /* enum sl_on_end */
};

/* What a value or an operand can be completed with. */
enum sl_complete {
	SL_COMPLETE_NOTHING,
	SL_COMPLETE_FILE,
	SL_COMPLETE_DIRECTORY,
	SL_COMPLETE_PROFILE,	/* names of profiles, and files */
	SL_COMPLETE_PROTECTION, /* names of protections */
	SL_COMPLETE_SANDBOX,	/* names of running sandboxes */
	SL_COMPLETE_COMMAND,	/* a program and its arguments */
};

struct sl_option {
	const char *name; /* long name without dashes */
	char letter;	  /* short name, or 0 */
	enum sl_option_kind kind;
	const char *arg; /* the value's name in the help; NULL for a flag */
	bool later;	 /* known, its value is checked, and then it is refused: "not supported yet" */
	enum sl_complete complete;
	size_t offset;	  /* of the member in the command's struct */
	const char *help; /* one line, without a full stop */
};

/* One command. Words of its name are separated by one space. */
struct sl_cmd {
	const char *name;
	const char *operands;		 /* for the usage line */
	const char *summary;		 /* one line, without a full stop */
	const struct sl_option *options; /* ends with a NULL name; may be NULL */
	bool later;			 /* known, and refused: "not supported yet" */
	bool runs_program;		 /* the first operand ends the options */
	int min_operands, max_operands;	 /* max -1: any number */
	enum sl_complete complete;	 /* its operands */
	/* argv[0] is the first word after the command's name. */
	int (*run)(const struct sl_cmd *cmd, int argc, char **argv);
};

/* Every command, in the order of the help; ends with a NULL name. */
extern const struct sl_cmd *const sl_cmds[];

/* Status of sl_options_parse when the command is to go on. */
#define SL_PARSED (-1)

/* Parse argv into the command's struct at ret, which holds the defaults. *ret_operands receives what follows
 * the options (a NULL-terminated part of argv, which may have been reordered), *ret_count (may be NULL) how
 * many. Returns SL_PARSED; or the exit status, after the help was printed (0) or one line said what is wrong
 * (2). */
int sl_options_parse(const struct sl_cmd *cmd, int argc, char **argv, void *ret, char ***ret_operands,
		     int *ret_count);

/* Append what `sandlock CMD --help` prints. */
void sl_options_help(struct sl_strbuf *out, const struct sl_cmd *cmd);

/* Append the bash completion script. */
void sl_completion_bash(struct sl_strbuf *out);

#endif
