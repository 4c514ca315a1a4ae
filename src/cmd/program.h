/*
 * program.h - which program is started, with which arguments and environment: the same for learn and run, and
 * the same as without sandlock (execvp(3), env(1)).
 */
#ifndef SL_CMD_PROGRAM_H
#define SL_CMD_PROGRAM_H

#include "profile/profile.h"
#include "supervise/sandbox.h"

struct sl_program {
	char *file; /* for execve: as it was given, or as PATH gave it; relative to cwd */
	char *path; /* the same, absolute */
	struct sl_strv argv, envp;
	char *cwd; /* NULL: the caller's */
};

void sl_program_release(struct sl_program *p);

/* Set up from [program] of the profile, which sl_setup_apply() has changed; words is the command line's
 * command, or empty for the profile's own; shell its --exec-shell, or NULL. Returns 0, or after one line the
 * exit status: 2 where there is no command or there are two, 125 where cwd is no directory, 126 or 127 where
 * the program cannot be had. */
int sl_program_find(const struct sl_profile *profile, char **words, const char *shell,
		    struct sl_program *ret);

/* Set a variable of the command's environment. */
void sl_program_setenv(struct sl_program *p, const char *name, const char *value);

/* The value of a variable in the command's environment, or NULL. */
const char *sl_program_getenv(const struct sl_program *p, const char *name);

/* The program, with what the profile says about its process, for the sandbox; borrows from both. */
struct sl_command sl_program_command(const struct sl_program *p, const struct sl_profile *profile);

/* After an execve that ended in ENOEXEC: let /bin/sh run the file, as execvp does. */
void sl_program_use_shell(struct sl_program *p);

/* path made absolute as it stands, without looking at links: relative to base, or to the working directory
 * with NULL. "." and leading ".." are taken out, other ".." are kept: a link may stand before them. */
char *sl_absolute(const char *base, const char *path);

#endif
