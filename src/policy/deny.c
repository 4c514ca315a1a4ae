/*
 * deny.c - see deny.h: the set of denied names and objects. carve.c grants around them.
 *
 * Names are found as ourselves, before the command exists; nothing that is sandboxed by this profile can
 * change them afterwards, because every name that was walked through a symbolic link, and every directory
 * above a denied name, stays as it is (supervise/beside.h).
 */
#include "policy/deny.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"

#define LINKS_MAX 40 /* as many as the kernel follows */

static void item_release(struct sl_denied *i)
{
	free(i->path);
	free(i->where);
}

void sl_deny_release(struct sl_deny *d)
{
	for (size_t i = 0; i < d->count; i++)
		item_release(&d->items[i]);
	for (size_t i = 0; i < d->way_count; i++)
		free(d->ways[i].path);
	free(d->items);
	free(d->ways);
	free(d->natives);
	*d = (struct sl_deny){0};
}

static void item_add(struct sl_deny *d, const char *path, const struct stat *st, const char *where)
{
	struct sl_denied item = {
	    .path = sl_xstrdup(path), .kind = SL_DENIED_MISSING, .where = sl_xstrdup(where)};

	if (st) {
		item.kind = S_ISDIR(st->st_mode) ? SL_DENIED_DIRECTORY : SL_DENIED_FILE;
		item.links = S_ISDIR(st->st_mode) ? 1 : st->st_nlink;
		if (sl_object_id_of_path(path, &item.id) < 0)
			item.kind = SL_DENIED_MISSING;
	}
	if (d->count == d->cap) {
		d->cap = d->cap ? d->cap * 2 : 8;
		d->items = sl_xrealloc(d->items, d->cap * sizeof(*d->items));
	}
	d->items[d->count++] = item;
}

void sl_deny_add_name(struct sl_deny *d, const char *path, const struct sl_denied *like)
{
	struct stat st;

	item_add(d, path, lstat(path, &st) == 0 ? &st : NULL, like->where);
}

/* A walk along an entry: what was walked is canonical, what is left is not. */
struct walk {
	struct sl_strbuf at; /* without a trailing slash, so "" for "/" */
	char *rest;
	int links;
};

static void up(struct sl_strbuf *at)
{
	while (at->len && at->data[at->len - 1] != '/')
		at->len--;
	at->len -= at->len > 0;
	if (at->data)
		at->data[at->len] = '\0';
}

/* Put a symbolic link's target in the place of its name. */
static int follow(struct walk *w, const char *link, const char *after)
{
	char target[PATH_MAX];
	ssize_t n = readlink(link, target, sizeof(target) - 1);
	char *rest;

	if (n <= 0)
		return n < 0 ? -errno : -ENOENT;
	if (++w->links > LINKS_MAX)
		return -ELOOP;
	target[n] = '\0';
	rest = sl_xasprintf("%s/%s", target, after);
	free(w->rest);
	w->rest = rest;
	if (target[0] == '/')
		w->at.len = 0;
	else
		up(&w->at);
	if (w->at.data)
		w->at.data[w->at.len] = '\0';
	return 0;
}

/* What is missing is denied under the name that it would have. */
static void add_missing(struct sl_deny *d, const struct walk *w, const char *after, const char *where)
{
	SL_FREE char *whole = sl_xasprintf("%s/%s", sl_strbuf_str(&w->at), after);
	SL_STRBUF path = SL_STRBUF_INIT;

	sl_path_normalize(&path, whole);
	item_add(d, sl_strbuf_str(&path), NULL, where);
}

/* One component. 1 while there is more, 0 at the end, -errno. */
static int step(struct sl_deny *d, struct walk *w, const char *where)
{
	const char *name = w->rest + strspn(w->rest, "/");
	size_t len = strcspn(name, "/");
	SL_FREE char *after = sl_xstrdup(name + len);
	bool last = !after[strspn(after, "/")];
	struct stat st;

	if (!len)
		return 0;
	if (len == 2 && !strncmp(name, "..", 2)) {
		up(&w->at);
	} else if (len > 1 || *name != '.') {
		if (len > NAME_MAX || w->at.len + len + 2 > PATH_MAX)
			return -ENAMETOOLONG;
		sl_strbuf_addf(&w->at, "/%.*s", (int)len, name);
		if (lstat(sl_strbuf_str(&w->at), &st) < 0) {
			add_missing(d, w, after, where);
			return 0;
		}
		if (S_ISLNK(st.st_mode)) {
			SL_FREE char *link = sl_xstrdup(sl_strbuf_str(&w->at));
			int r = follow(w, link, after);

			if (!sl_path_within(link, "/proc"))
				item_add(d, link, &st, where);
			return r < 0 ? r : 1;
		}
	}
	memmove(w->rest, after, strlen(after) + 1);
	return !last;
}

int sl_deny_add(struct sl_deny *d, const char *text, const char *where)
{
	struct walk w = {.at = SL_STRBUF_INIT, .rest = sl_xstrdup(text)};
	size_t before = d->count;
	struct stat st;
	int r;

	do
		r = step(d, &w, where);
	while (r > 0);
	/* The walk ended on what is there, unless it added what is missing. */
	if (r == 0 && (d->count == before || d->items[d->count - 1].kind != SL_DENIED_MISSING)) {
		const char *path = w.at.len ? sl_strbuf_str(&w.at) : "/";

		item_add(d, path, lstat(path, &st) == 0 ? &st : NULL, where);
	}
	sl_strbuf_release(&w.at);
	free(w.rest);
	return r;
}

static int compare_items(const void *a, const void *b)
{
	return strcmp(((const struct sl_denied *)a)->path, ((const struct sl_denied *)b)->path);
}

void sl_deny_sort(struct sl_deny *d)
{
	size_t kept = 0;

	if (d->count)
		qsort(d->items, d->count, sizeof(*d->items), compare_items);
	for (size_t i = 0; i < d->count; i++) {
		if (kept && !strcmp(d->items[kept - 1].path, d->items[i].path))
			item_release(&d->items[i]);
		else
			d->items[kept++] = d->items[i];
	}
	d->count = kept;
}

/* The index of the first item whose path is not before the first len bytes of path. */
static size_t lower_bound(const struct sl_deny *d, const char *path, size_t len)
{
	size_t low = 0, high = d->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strncmp(d->items[middle].path, path, len) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct sl_denied *sl_deny_on(const struct sl_deny *d, const char *path)
{
	size_t len = d->count ? strlen(path) : 0;

	while (len) {
		size_t i = lower_bound(d, path, len);

		if (i < d->count && !strncmp(d->items[i].path, path, len) && !d->items[i].path[len])
			return &d->items[i];
		if (len == 1)
			break;
		while (path[len - 1] != '/')
			len--;
		len -= len > 1;
	}
	return NULL;
}

bool sl_deny_below(const struct sl_deny *d, const char *path)
{
	size_t len = strlen(path);

	/* Siblings such as "/a-b" sort between "/a" and "/a/b". */
	for (size_t i = d->count ? lower_bound(d, path, len) : 0; i < d->count; i++) {
		const char *other = d->items[i].path;

		if (strncmp(other, path, len) != 0)
			return false;
		if (other[len] && (other[len] == '/' || len == 1))
			return true;
	}
	return false;
}

const struct sl_denied *sl_deny_object(const struct sl_deny *d, const struct sl_object_id *id)
{
	for (size_t i = 0; i < d->count; i++) {
		const struct sl_denied *item = &d->items[i];

		if (item->kind != SL_DENIED_MISSING && !sl_object_id_compare(&item->id, id) &&
		    (!item->id.known || !id->known || sl_object_id_same(&item->id, id)))
			return item;
	}
	return NULL;
}
