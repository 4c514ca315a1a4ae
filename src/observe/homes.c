/*
 * homes.c - where the user's home is: programs take it from the environment or from the account.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "observe/observe.h"

/* The home directory that /etc/passwd gives to the user. Not getpwuid(): a static program cannot load what
 * that needs. */
static char *account_home(void)
{
	SL_FCLOSE FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *entry;

	while (f && (entry = fgetpwent(f)))
		if (entry->pw_uid == getuid())
			return entry->pw_dir[0] == '/' ? realpath(entry->pw_dir, NULL) : NULL;
	return NULL;
}

enum sl_sensitivity sl_homes_sensitivity(char *const homes[2], const char *path)
{
	enum sl_sensitivity a = sl_path_sensitivity(path, homes[0]), b = sl_path_sensitivity(path, homes[1]);

	return SL_MAX(a, b);
}

void sl_homes(char *ret[2])
{
	const char *env = getenv("HOME");

	ret[0] = env && env[0] == '/' ? realpath(env, NULL) : NULL;
	ret[1] = account_home();
}
