/*
 * profile-arg.c - from a word on the command line to a profile.
 */
#include "cmd/profile-arg.h"

#include <string.h>

#include "base/path.h"
#include "cmd/message.h"
#include "profile/read.h"
#include "sandlock.h"

#define SUFFIX ".toml"

char *sl_profile_directory(void)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	/* A relative path there is to be ignored (XDG Base Directory Specification). */
	if (config && config[0] == '/')
		return sl_xasprintf("%s/sandlock/profiles", config);
	if (home && home[0] == '/')
		return sl_xasprintf("%s/.config/sandlock/profiles", home);
	return NULL;
}

bool sl_profile_is_path(const char *arg)
{
	size_t len = strlen(arg), suffix = strlen(SUFFIX);

	return strchr(arg, '/') || (len >= suffix && !strcmp(arg + len - suffix, SUFFIX));
}

bool sl_profile_name_valid(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

char *sl_profile_arg_path(const char *arg)
{
	SL_FREE char *directory = NULL;

	if (sl_profile_is_path(arg))
		return sl_xstrdup(arg);
	if (!sl_profile_name_valid(arg)) {
		sl_say("\"%s\" is not the name of a profile", sl_esc(arg));
		return NULL;
	}
	directory = sl_profile_directory();
	if (!directory) {
		sl_say("no directory of profiles: neither XDG_CONFIG_HOME nor HOME is set");
		return NULL;
	}
	return sl_xasprintf("%s/%s" SUFFIX, directory, arg);
}

int sl_profile_load(const char *path, struct sl_profile *ret)
{
	SL_STRBUF lines = SL_STRBUF_INIT;
	struct sl_diags diags = {0};
	int r = sl_profile_read(path, ret, &diags);

	for (size_t i = 0; r < 0 && i < diags.len; i++) {
		if (diags.items[i].kind != SL_DIAG_ERROR)
			continue;
		sl_strbuf_addstr(&lines, "sandlock: ");
		sl_diag_format(&lines, path, &diags.items[i]);
		sl_strbuf_addch(&lines, '\n');
	}
	sl_diags_release(&diags);
	sl_say_lines(&lines);
	return r < 0 ? SANDLOCK_STATUS_FAILED : 0;
}
