/*
 * profile-look.c - see profile-look.h. Nothing here decides what a profile allows: a wrong answer leaves a
 * line too many in it.
 */
#include "cmd/profile-look.h"

#include <fts.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "cmd/message.h"
#include "cmd/program.h"
#include "profile/check.h"
#include "profile/keys.h"

/* So many objects below a directory are looked at for device nodes. */
#define DEVICE_SEARCH_MAX 100000

/* The path with "~" as $HOME; malloc'd. */
static char *expand(const char *path)
{
	const char *home = getenv("HOME");

	if (path[0] != '~' || (path[1] && path[1] != '/') || !home)
		return sl_xstrdup(path);
	return sl_xasprintf("%s%s", home, path + 1);
}

static bool is_file(const char *path, SL_UNUSED void *arg)
{
	SL_FREE char *full = expand(path);
	struct stat st;

	return stat(full, &st) == 0 && !S_ISDIR(st.st_mode);
}

/* Is there a symbolic link below dir on the way to path that leads out of it? What is not there leads nowhere
 * else. */
static bool leaves(const char *path, const char *dir, SL_UNUSED void *arg)
{
	SL_FREE char *full = expand(path), *full_dir = expand(dir);
	SL_FREE char *real_dir = realpath(full_dir, NULL);
	size_t shortest = strlen(full_dir);

	if (!strcmp(full_dir, "/") || !real_dir)
		return false;
	/* The nearest directory above that is there tells, for what may come into being later. */
	while (strlen(full) > shortest) {
		SL_FREE char *real = realpath(full, NULL);
		char *slash;

		if (real)
			return !sl_path_within(real, real_dir);
		/* Not to be seen, or a link to nothing: nobody knows. */
		if (errno != ENOENT)
			return true;
		slash = strrchr(full, '/');
		if (!slash)
			return true;
		*slash = '\0';
	}
	return false;
}

static bool is_device(const char *path, SL_UNUSED void *arg)
{
	SL_FREE char *full = expand(path);
	struct stat st;

	return stat(full, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode));
}

static void devices(const char *dir, struct sl_strv *ret, SL_UNUSED void *arg)
{
	SL_FREE char *full = expand(dir);
	char *const roots[] = {full, NULL};
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	size_t objects = 0;
	const FTSENT *e;

	while (fts && objects++ < DEVICE_SEARCH_MAX && (e = fts_read(fts)))
		if (e->fts_info == FTS_DEFAULT &&
		    (S_ISCHR(e->fts_statp->st_mode) || S_ISBLK(e->fts_statp->st_mode)))
			sl_strv_add(ret, e->fts_path);
	if (fts)
		fts_close(fts);
}

const struct sl_look sl_profile_look = {
    .is_file = is_file, .leaves = leaves, .is_device = is_device, .devices = devices};

static bool is_relative(const char *text)
{
	return text && text[0] != '/' && !(text[0] == '~' && (text[1] == '/' || !text[1]));
}

static void make_one(const struct sl_key *key, char **text)
{
	char *absolute;

	if (!is_relative(*text))
		return;
	absolute = sl_absolute(NULL, *text);
	sl_warn("%s.%s: \"%s\" is taken from here: \"%s\"", key->section, key->name, sl_esc(*text),
		sl_esc(absolute));
	free(*text);
	*text = absolute;
}

void sl_profile_make_absolute(struct sl_profile *p)
{
	for (size_t i = 0; i < SL_PROFILE_KEYS; i++) {
		const struct sl_key *key = &sl_keys[i];
		struct sl_list *list;

		if (key->check != sl_check_path)
			continue;
		if (key->type == SL_KEY_STRING) {
			make_one(key, sl_key_value(key, p));
			continue;
		}
		list = sl_key_value(key, p);
		for (size_t j = 0; j < list->len; j++)
			make_one(key, &list->items[j].text);
	}
}
