/*
 * collapse.c - see collapse.h.
 *
 * The entries of one key stand in an array in byte order, where all that is below one directory is
 * contiguous. The levels of the tree are gone through from the deepest up: what one level collapses to counts
 * in the next one. A level is never looked at again, so one pass is the fixed point.
 */
#include "profile/collapse.h"

#include <string.h>

#include "base/path.h"
#include "profile/sensitive.h"

struct item {
	char *path;
	size_t depth;	/* of its components */
	size_t entries; /* what it stands for: 1 unless it came of a collapse */
	bool collapsed, gone;
};

struct collapse {
	const struct sl_collapse_rules *rules;
	const struct sl_strv *secrets; /* entries in stores of credentials, of any key, sorted */
	struct item *items;
	size_t len, cap;
	size_t sorted; /* of them; what is added comes behind */
	bool changes;  /* the right is one to change what is there */
};

static size_t depth_of(const char *path)
{
	size_t depth = 0;

	for (; *path; path++)
		depth += *path == '/' && path[1];
	return depth;
}

static void item_add(struct collapse *c, const char *path, size_t entries, bool collapsed)
{
	if (c->len == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 64;
		c->items = sl_xrealloc(c->items, c->cap * sizeof(*c->items));
	}
	c->items[c->len++] = (struct item){sl_xstrdup(path), depth_of(path), entries, collapsed, false};
}

static int compare_items(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->path, ((const struct item *)b)->path);
}

/* Take out what is gone, sort, and unite what has one path. */
static void tidy(struct collapse *c)
{
	size_t kept = 0;

	if (c->len > 1)
		qsort(c->items, c->len, sizeof(*c->items), compare_items);
	for (size_t i = 0; i < c->len; i++) {
		struct item *it = &c->items[i];
		struct item *last = kept ? &c->items[kept - 1] : NULL;

		if (it->gone) {
			free(it->path);
		} else if (last && !strcmp(last->path, it->path)) {
			if (it->collapsed)
				last->entries = it->entries + (last->collapsed ? last->entries : 0);
			last->collapsed |= it->collapsed;
			free(it->path);
		} else {
			c->items[kept++] = *it;
		}
	}
	c->len = c->sorted = kept;
}

/* The first item that does not sort before text. */
static size_t lower_bound(const struct collapse *c, const char *text)
{
	size_t low = 0, high = c->sorted;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(c->items[middle].path, text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_below(const char *path, const char *dir)
{
	return strcmp(path, dir) != 0 && sl_path_within(path, dir);
}

static bool leads_out(const struct collapse *c, const char *path, const char *dir)
{
	const struct sl_look *look = c->rules->look;

	return look && look->leaves && look->leaves(path, dir, look->arg);
}

/* Is a store of credentials known to stand at or below dir? */
static bool has_store(const struct collapse *c, const char *dir)
{
	for (size_t i = 0; i < c->secrets->len; i++)
		if (sl_path_within(c->secrets->items[i], dir))
			return true;
	return c->rules->holds_store && c->rules->holds_store(dir, c->rules->arg);
}

static enum sl_sensitivity sensitivity(const struct sl_collapse_rules *r, const char *dir)
{
	enum sl_sensitivity a = sl_path_sensitivity(dir, r->homes[0]),
			    b = sl_path_sensitivity(dir, r->homes[1]);

	return SL_MAX(a, b);
}

static bool may_collapse(const struct collapse *c, const char *dir)
{
	static const char *const kernels[] = {"/proc", "/sys", "/dev"};

	for (size_t i = 0; i < SL_ARRAY_LEN(kernels); i++)
		if (sl_path_within(dir, kernels[i]))
			return false;
	if (c->changes && sl_path_is_shared_tmp(dir))
		return false;
	return sensitivity(c->rules, dir) == SL_SENSITIVE_NOT && !has_store(c, dir);
}

/* Let dir stand for every item below it that does not lead out. Returns how many entries that were. */
static size_t absorb(struct collapse *c, const char *dir)
{
	SL_FREE char *below = sl_xasprintf("%s/", strcmp(dir, "/") != 0 ? dir : "");
	size_t entries = 0;

	for (size_t i = lower_bound(c, below);
	     i < c->sorted && !strncmp(c->items[i].path, below, strlen(below)); i++) {
		struct item *it = &c->items[i];

		if (it->gone || !is_below(it->path, dir) || leads_out(c, it->path, dir))
			continue;
		it->gone = true;
		entries += it->entries;
	}
	return entries;
}

/* Collapse the items from..to, names of one directory, where they are enough. */
static void collapse_names(struct collapse *c, size_t from, size_t to)
{
	SL_FREE char *dir = sl_path_dirname(c->items[from].path);
	size_t names = 0, entries;

	for (size_t i = from; i < to; i++)
		names += c->items[i].depth == c->items[from].depth && !c->items[i].gone;
	if (names < c->rules->files || !may_collapse(c, dir))
		return;
	names = 0;
	for (size_t i = from; i < to; i++)
		names += c->items[i].depth == c->items[from].depth && !c->items[i].gone &&
			 !leads_out(c, c->items[i].path, dir);
	if (names < c->rules->files)
		return;
	entries = absorb(c, dir);
	item_add(c, dir, entries, true);
}

/* One level: the items of that depth, directory by directory. What is added comes behind len and waits for
 * tidy(). */
static void collapse_level(struct collapse *c, size_t depth)
{
	size_t len = c->sorted;

	for (size_t i = 0; i < len;) {
		size_t end = i + 1;
		const char *slash = strrchr(c->items[i].path, '/');
		size_t dir_len = (size_t)(slash - c->items[i].path) + 1;

		if (c->items[i].depth != depth) {
			i++;
			continue;
		}
		while (end < len && !strncmp(c->items[end].path, c->items[i].path, dir_len))
			end++;
		collapse_names(c, i, end);
		i = end;
	}
	tidy(c);
}

static void collapse_prefix(struct collapse *c, const char *dir)
{
	size_t entries;

	if (!c->rules->force && (sensitivity(c->rules, dir) != SL_SENSITIVE_NOT || has_store(c, dir)))
		return;
	entries = absorb(c, dir);
	if (entries)
		item_add(c, dir, entries, true);
	tidy(c);
}

static bool is_plain(const char *path)
{
	return path[0] == '/' && sl_path_is_normal(path) && strcmp(path, "/") != 0;
}

static void collapses_add(struct sl_collapses *ret, const struct item *it, enum sl_fs_key key)
{
	if (ret->len == ret->cap) {
		ret->cap = ret->cap ? ret->cap * 2 : 16;
		ret->items = sl_xrealloc(ret->items, ret->cap * sizeof(*ret->items));
	}
	ret->items[ret->len++] = (struct sl_collapse){sl_xstrdup(it->path), key, it->entries};
}

static void collapse_key(struct collapse *c, struct sl_list *list, enum sl_fs_key key,
			 struct sl_collapses *ret)
{
	struct sl_list other = {0};
	size_t deepest = 0;

	/* What has no canonical path of its own ("~/x", "../x") stays as it is. */
	for (size_t i = 0; i < list->len; i++)
		if (is_plain(list->items[i].text))
			item_add(c, list->items[i].text, 1, false);
		else
			sl_list_add(&other, list->items[i].text, list->items[i].line);
	tidy(c);
	for (size_t i = 0; c->rules->prefixes && i < c->rules->prefixes->len; i++)
		collapse_prefix(c, c->rules->prefixes->items[i]);
	for (size_t i = 0; i < c->len; i++)
		deepest = SL_MAX(deepest, c->items[i].depth);
	c->changes = key == SL_FS_WRITE || key == SL_FS_CREATE || key == SL_FS_DELETE;
	for (size_t d = deepest; c->rules->files && d > 1; d--)
		collapse_level(c, d);
	other.present |= list->present;
	sl_list_release(list);
	*list = other;
	for (size_t i = 0; i < c->len; i++) {
		sl_list_add(list, c->items[i].path, 0);
		if (c->items[i].collapsed)
			collapses_add(ret, &c->items[i], key);
		free(c->items[i].path);
	}
	sl_list_sort_unique(list);
	free(c->items);
	c->items = NULL;
	c->len = c->cap = c->sorted = 0;
}

void sl_profile_collapse(struct sl_profile *p, const struct sl_collapse_rules *rules,
			 struct sl_collapses *ret)
{
	struct sl_strv secrets = SL_STRV_INIT;
	struct collapse c = {.rules = rules, .secrets = &secrets};

	for (unsigned int key = 0; key < SL_FS_DENY; key++)
		for (size_t i = 0; i < p->filesystem.lists[key].len; i++) {
			const char *path = p->filesystem.lists[key].items[i].text;

			if (is_plain(path) && sl_path_sensitivity(path, NULL) == SL_SENSITIVE_PROTECTED)
				sl_strv_add(&secrets, path);
		}
	sl_strv_sort_unique(&secrets);
	for (unsigned int key = 0; key < SL_FS_DENY; key++)
		collapse_key(&c, &p->filesystem.lists[key], (enum sl_fs_key)key, ret);
	sl_strv_release(&secrets);
}

void sl_collapses_release(struct sl_collapses *c)
{
	for (size_t i = 0; i < c->len; i++)
		free(c->items[i].dir);
	free(c->items);
	*c = (struct sl_collapses){0};
}
