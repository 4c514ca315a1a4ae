/*
 * learn-collapse.c - `learn --collapse`, `--collapse-prefix`: the checks that need the file system, before
 * the run, and what is said about each collapse after it.
 */
#include <fts.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "cmd/learn-settle.h"
#include "cmd/message.h"
#include "cmd/profile-look.h"
#include "profile/sensitive.h"
#include "sandlock.h"

/* So many objects are looked at for a store of credentials below a directory. */
#define SEARCH_MAX 200000

enum search { SEARCH_NONE, SEARCH_FOUND, SEARCH_ENDED };

/* Look for a store of credentials at or below a directory; *ret (may be NULL) receives its path. */
static enum search find_store(const char *dir, char **ret)
{
	SL_FREE char *copy = sl_xstrdup(dir);
	char *const roots[] = {copy, NULL};
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT | FTS_XDEV, NULL);
	enum search found = SEARCH_NONE;
	size_t objects = 0;
	FTSENT *e;

	while (fts && found == SEARCH_NONE && (e = fts_read(fts))) {
		if (++objects > SEARCH_MAX)
			found = SEARCH_ENDED;
		else if (e->fts_info == FTS_D &&
			 sl_path_sensitivity(e->fts_path, NULL) == SL_SENSITIVE_PROTECTED)
			found = SEARCH_FOUND;
		if (found == SEARCH_FOUND && ret)
			*ret = sl_xstrdup(e->fts_path);
	}
	if (fts)
		fts_close(fts);
	return found;
}

static enum sl_sensitivity sensitivity_of(const struct sl_learn *l, const char *path)
{
	enum sl_sensitivity a = sl_path_sensitivity(path, l->homes[0]),
			    b = sl_path_sensitivity(path, l->homes[1]);

	return SL_MAX(a, b);
}

/* One --collapse-prefix, by its canonical path. 0 or 2. */
static int add_prefix(struct sl_learn *l, const char *text)
{
	SL_FREE char *path = realpath(text, NULL);
	SL_FREE char *store = NULL;
	struct stat st;

	if (path && stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
		free(SL_TAKE_PTR(path));
		errno = ENOTDIR;
	}
	if (!path) {
		sl_say("--collapse-prefix: \"%s\": %s", sl_esc(text), strerror(errno));
		return SANDLOCK_STATUS_USAGE;
	}
	if (!l->force_collapse && sensitivity_of(l, path) != SL_SENSITIVE_NOT) {
		sl_say("--collapse-prefix: \"%s\" is sensitive: only --force-sensitive-collapse opens it",
		       sl_esc(path));
		return SANDLOCK_STATUS_USAGE;
	}
	if (!l->force_collapse && find_store(path, &store) == SEARCH_FOUND) {
		sl_say("--collapse-prefix: \"%s\" holds \"%s\", which is sensitive: only "
		       "--force-sensitive-collapse opens it",
		       sl_esc(path), sl_esc(store));
		return SANDLOCK_STATUS_USAGE;
	}
	sl_strv_take(&l->prefixes, SL_TAKE_PTR(path));
	return 0;
}

int sl_learn_collapse_open(struct sl_learn *l)
{
	int status = 0;

	if (l->force_collapse && !l->collapse_prefix.len) {
		sl_say("--force-sensitive-collapse: needs --collapse-prefix");
		return SANDLOCK_STATUS_USAGE;
	}
	sl_homes(l->homes);
	for (size_t i = 0; i < l->collapse_prefix.len && !status; i++)
		status = add_prefix(l, l->collapse_prefix.items[i].text);
	sl_strv_sort_unique(&l->prefixes);
	return status;
}

/* What could not be looked through to its end may hold a store. */
static bool holds_store(const char *dir, void *arg SL_UNUSED)
{
	return find_store(dir, NULL) != SEARCH_NONE;
}

void sl_learn_collapse(const struct sl_learn *l, struct sl_profile *p, struct sl_collapses *ret)
{
	const struct sl_collapse_rules rules = {
	    .files = (size_t)l->collapse,
	    .prefixes = &l->prefixes,
	    .force = l->force_collapse,
	    .homes = {l->homes[0], l->homes[1]},
	    .look = &sl_profile_look,
	    .holds_store = holds_store,
	};

	if (!l->collapse && !l->prefixes.len)
		return;
	sl_profile_collapse(p, &rules, ret);
	if (ret->len)
		sl_learn_absorb(p);
}

static const struct sl_opening *opening_of(const struct sl_observation *seen, const struct sl_collapse *c)
{
	for (size_t i = 0; i < seen->opening_count; i++)
		if (seen->openings[i].key == c->key && !strcmp(seen->openings[i].path, c->dir))
			return &seen->openings[i];
	return NULL;
}

void sl_learn_collapse_say(const struct sl_learn *l, const struct sl_collapses *done,
			   const struct sl_observation *seen, struct sl_strbuf *lines)
{
	for (size_t i = 0; i < done->len; i++) {
		const struct sl_collapse *c = &done->items[i];
		const struct sl_opening *opening = opening_of(seen, c);
		bool sensitive = sensitivity_of(l, c->dir) != SL_SENSITIVE_NOT;

		if (l->quiet && !sensitive)
			continue;
		sl_strbuf_addf(lines, "sandlock: %scollapsed %zu %s%s: ", sensitive ? "warning: " : "",
			       c->entries, c->entries == 1 ? "entry" : "entries",
			       sensitive ? " into a sensitive directory" : "");
		if (opening)
			sl_opening_format(lines, opening);
		else
			sl_strbuf_addf(lines, "%s on %s opens %s", sl_fs_key_name(c->key), sl_esc(c->dir),
				       seen->granted_more ? "what was not looked through, there is too much"
							  : "nothing that was not used");
		sl_strbuf_addch(lines, '\n');
	}
}
