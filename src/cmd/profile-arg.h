/*
 * profile-arg.h - profiles as they are named on the command line: a path, or a name in the user's directory.
 */
#ifndef SL_CMD_PROFILE_ARG_H
#define SL_CMD_PROFILE_ARG_H

#include <stdbool.h>

#include "profile/profile.h"

/* $XDG_CONFIG_HOME/sandlock/profiles, else below ~/.config; NULL where neither variable is usable. malloc'd.
 */
char *sl_profile_directory(void);

/* Is the text a path (has a '/' or ends in ".toml") and no name? */
bool sl_profile_is_path(const char *arg);

/* Is the text a plain file name: no '/', not "." or "..", not empty? */
bool sl_profile_name_valid(const char *name);

/* The file of a NAME or PATH, malloc'd; NULL after a line where a name cannot be one. */
char *sl_profile_arg_path(const char *arg);

/* Read a profile; every error is one line. Returns 0 or 125. *ret is untouched on failure. */
int sl_profile_load(const char *path, struct sl_profile *ret);

#endif
