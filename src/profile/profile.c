/*
 * profile.c - lists and the life of a struct sl_profile. What has to be done to every key walks the key
 * table.
 */
#include "profile/profile.h"

#include <string.h>

#include "profile/keys.h"

static const char *const fs_key_names[SL_FS_KEY_COUNT] = {
    [SL_FS_READ] = "read",     [SL_FS_LIST] = "list",	  [SL_FS_EXEC] = "exec", [SL_FS_WRITE] = "write",
    [SL_FS_CREATE] = "create", [SL_FS_DELETE] = "delete", [SL_FS_DENY] = "deny",
};

const char *sl_fs_key_name(enum sl_fs_key key)
{
	return fs_key_names[key];
}

void sl_list_add(struct sl_list *l, const char *text, int line)
{
	if (l->len == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 8;
		l->items = sl_xrealloc(l->items, l->cap * sizeof(*l->items));
	}
	l->items[l->len++] = (struct sl_entry){sl_xstrdup(text), line};
	l->present = true;
}

bool sl_list_contains(const struct sl_list *l, const char *text)
{
	for (size_t i = 0; i < l->len; i++)
		if (!strcmp(l->items[i].text, text))
			return true;
	return false;
}

void sl_list_release(struct sl_list *l)
{
	for (size_t i = 0; i < l->len; i++)
		free(l->items[i].text);
	free(l->items);
	*l = (struct sl_list){0};
}

static int compare_lines(const struct sl_entry *a, const struct sl_entry *b)
{
	return (a->line > b->line) - (a->line < b->line);
}

static int compare_texts(const void *a, const void *b)
{
	const struct sl_entry *ea = a, *eb = b;
	int order = strcmp(ea->text, eb->text);

	return order ? order : compare_lines(ea, eb);
}

/* Decimal text (or "LO-HI", "*") by its first number, then as text. */
static int compare_numbers(const void *a, const void *b)
{
	const struct sl_entry *ea = a, *eb = b;
	long long na = strtoll(ea->text, NULL, 10), nb = strtoll(eb->text, NULL, 10);

	return na != nb ? (na > nb) - (na < nb) : compare_texts(a, b);
}

/* Drop entries that have the text of the one before them. */
static void drop_repeated(struct sl_list *l)
{
	size_t out = 0;

	for (size_t i = 0; i < l->len; i++) {
		if (out && !strcmp(l->items[out - 1].text, l->items[i].text))
			free(l->items[i].text);
		else
			l->items[out++] = l->items[i];
	}
	l->len = out;
}

static void sort_with(struct sl_list *l, int (*compare)(const void *, const void *))
{
	if (l->len > 1)
		qsort(l->items, l->len, sizeof(*l->items), compare);
	drop_repeated(l);
}

void sl_list_sort_unique(struct sl_list *l)
{
	sort_with(l, compare_texts);
}

/* One variable and where it stood, so that the last of a name can be told. */
struct variable {
	struct sl_entry entry;
	size_t position;
};

static int compare_names(const char *a, const char *b)
{
	size_t la = strcspn(a, "="), lb = strcspn(b, "=");
	int order = memcmp(a, b, SL_MIN(la, lb));

	return order ? order : (la > lb) - (la < lb);
}

static int compare_variables(const void *a, const void *b)
{
	const struct variable *va = a, *vb = b;
	int order = compare_names(va->entry.text, vb->entry.text);

	return order ? order : (va->position > vb->position) - (va->position < vb->position);
}

void sl_list_sort_env(struct sl_list *l)
{
	SL_FREE struct variable *sorted = sl_xcalloc(l->len, sizeof(*sorted));
	size_t out = 0;

	for (size_t i = 0; i < l->len; i++)
		sorted[i] = (struct variable){l->items[i], i};
	if (l->len > 1)
		qsort(sorted, l->len, sizeof(*sorted), compare_variables);
	for (size_t i = 0; i < l->len; i++) {
		if (i + 1 < l->len && !compare_names(sorted[i].entry.text, sorted[i + 1].entry.text))
			free(sorted[i].entry.text);
		else
			l->items[out++] = sorted[i].entry;
	}
	l->len = out;
}

void sl_profile_sort(struct sl_profile *p)
{
	for (size_t i = 0; i < SL_PROFILE_KEYS; i++) {
		const struct sl_key *key = &sl_keys[i];

		if (!sl_key_is_list(key) || sl_key_value(key, p) == (void *)&p->program.args)
			continue;
		if (key->type == SL_KEY_ENV)
			sl_list_sort_env(sl_key_value(key, p));
		else
			sort_with(sl_key_value(key, p),
				  key->type == SL_KEY_STRINGS ? compare_texts : compare_numbers);
	}
}

void sl_profile_init(struct sl_profile *p, int version)
{
	*p = (struct sl_profile){.version = version};
	for (size_t i = 0; i < SL_PROFILE_KEYS; i++) {
		void *value = sl_key_value(&sl_keys[i], p);

		if (sl_keys[i].type == SL_KEY_INT || sl_keys[i].type == SL_KEY_SIZE)
			*(int64_t *)value = SL_INT_UNSET;
		else if (sl_keys[i].type == SL_KEY_BOOL)
			*(enum sl_tristate *)value = SL_UNSET;
	}
}

void sl_profile_release(struct sl_profile *p)
{
	for (size_t i = 0; i < SL_PROFILE_KEYS; i++) {
		void *value = sl_key_value(&sl_keys[i], p);

		if (sl_keys[i].type == SL_KEY_STRING)
			free(*(char **)value);
		else if (sl_key_is_list(&sl_keys[i]))
			sl_list_release(value);
	}
	free(p->file);
	sl_profile_init(p, p->version);
}

static void copy_list(struct sl_list *dst, const struct sl_list *src)
{
	sl_list_release(dst);
	for (size_t i = 0; i < src->len; i++)
		sl_list_add(dst, src->items[i].text, src->items[i].line);
	dst->present = src->present;
}

static void copy_value(const struct sl_key *key, void *to, const void *from)
{
	switch (key->type) {
	case SL_KEY_STRING: {
		char *text = *(char *const *)from ? sl_xstrdup(*(char *const *)from) : NULL;

		free(*(char **)to);
		*(char **)to = text;
		break;
	}
	case SL_KEY_INT:
	case SL_KEY_SIZE:
		*(int64_t *)to = *(const int64_t *)from;
		break;
	case SL_KEY_BOOL:
		*(enum sl_tristate *)to = *(const enum sl_tristate *)from;
		break;
	case SL_KEY_END:
		*(enum sl_on_end *)to = *(const enum sl_on_end *)from;
		break;
	case SL_KEY_PRIVATE:
		*(bool *)to = *(const bool *)from;
		break;
	case SL_KEY_STRINGS:
	case SL_KEY_INTS:
	case SL_KEY_PORTS:
	case SL_KEY_ENV:
		copy_list(to, from);
		break;
	}
}

void sl_profile_copy(struct sl_profile *dst, const struct sl_profile *src)
{
	for (size_t i = 0; i < SL_PROFILE_KEYS; i++) {
		const struct sl_key *key = &sl_keys[i];

		if (!sl_key_in_version(key, dst->version))
			continue;
		copy_value(key, sl_key_value(key, dst), sl_key_value_const(key, src));
		dst->key_lines[i] = src->key_lines[i];
	}
	free(dst->file);
	dst->file = src->file ? sl_xstrdup(src->file) : NULL;
}
