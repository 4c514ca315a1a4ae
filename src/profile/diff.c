/*
 * diff.c - see diff.h. An entry is a difference where nothing of the other profile gives the same right, so
 * that a line which a wider one made needless is none.
 */
#include "profile/diff.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/path.h"
#include "profile/call-names.h"
#include "profile/keys.h"
#include "profile/merge.h"

#define BIT(key) (1u << (key))

struct diff {
	const struct sl_profile *a, *b;
	const struct sl_look *look;
	struct sl_changes *ret;
	const struct sl_key *key;
};

static void change_add(struct diff *d, enum sl_change_kind kind, const char *before, const char *after)
{
	struct sl_changes *c = d->ret;

	if (c->len == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 32;
		c->items = sl_xrealloc(c->items, c->cap * sizeof(*c->items));
	}
	c->items[c->len++] = (struct sl_change){kind, d->key, before ? sl_xstrdup(before) : NULL,
						after ? sl_xstrdup(after) : NULL};
}

void sl_changes_release(struct sl_changes *c)
{
	for (size_t i = 0; i < c->len; i++) {
		free(c->items[i].before);
		free(c->items[i].after);
	}
	free(c->items);
	*c = (struct sl_changes){0};
}

/* The text with every number in it, dots between digits included, as one '#': versions of one name have the
 * same stem. */
static char *stem(const char *text)
{
	SL_STRBUF out = SL_STRBUF_INIT;

	while (*text) {
		if (!isdigit((unsigned char)*text)) {
			sl_strbuf_addch(&out, *text++);
			continue;
		}
		sl_strbuf_addch(&out, '#');
		while (isdigit((unsigned char)*text) || (*text == '.' && isdigit((unsigned char)text[1])))
			text++;
	}
	return sl_strbuf_detach(&out);
}

/* One entry that only one of the profiles has, with what it is matched by. */
struct lone {
	const char *text;
	char *stem;
	bool used;
};

static int compare_lone(const void *a, const void *b)
{
	const struct lone *x = a, *y = b;
	int order = strcmp(x->stem, y->stem);

	return order ? order : strcmp(x->text, y->text);
}

/* What entries are matched by: the stem of the last component, or of the whole path where that is nothing but
 * a number. */
static struct lone *make_lone(const struct sl_list *list, bool paths)
{
	struct lone *ret = sl_xcalloc(list->len + 1, sizeof(*ret));

	for (size_t i = 0; i < list->len; i++) {
		const char *text = list->items[i].text;

		ret[i].text = text;
		ret[i].stem = stem(paths ? sl_path_basename(text) : text);
		if (paths && !strcmp(ret[i].stem, "#")) {
			free(ret[i].stem);
			ret[i].stem = stem(text);
		}
	}
	if (list->len)
		qsort(ret, list->len, sizeof(*ret), compare_lone);
	return ret;
}

static void free_lone(struct lone *l, size_t len)
{
	for (size_t i = 0; i < len; i++)
		free(l[i].stem);
	free(l);
}

static int compare_after(const void *a, const void *b)
{
	const struct sl_change *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(x->after ? x->after : x->before, y->after ? y->after : y->before);
}

/* Say what only a has and what only b has, and which of them belong together: of paths alone. */
static void pair(struct diff *d, const struct sl_list *only_a, const struct sl_list *only_b, bool paths,
		 bool denies)
{
	struct lone *a = make_lone(only_a, paths), *b = make_lone(only_b, paths);
	size_t start = d->ret->len;

	for (size_t i = 0, j = 0; paths && !denies && i < only_a->len && j < only_b->len;) {
		int order = strcmp(a[i].stem, b[j].stem);

		if (!order) {
			a[i].used = b[j].used = true;
			change_add(d, SL_CHANGE_MOVED, a[i].text, b[j].text);
		}
		i += order <= 0;
		j += order >= 0;
	}
	for (size_t i = 0; i < only_b->len; i++)
		if (!b[i].used)
			change_add(d, denies ? SL_CHANGE_NARROWED : SL_CHANGE_WIDENED, NULL, b[i].text);
	for (size_t i = 0; i < only_a->len; i++)
		if (!a[i].used)
			change_add(d, denies ? SL_CHANGE_WIDENED : SL_CHANGE_NARROWED, a[i].text, NULL);
	free_lone(a, only_a->len);
	free_lone(b, only_b->len);
	if (d->ret->len > start)
		qsort(d->ret->items + start, d->ret->len - start, sizeof(*d->ret->items), compare_after);
}

/* The entries of one filesystem key that nothing in the other profile gives. */
static void only(const struct sl_cover *mine, const struct sl_cover *other, unsigned int key,
		 const struct sl_look *look, struct sl_list *ret)
{
	for (size_t i = 0; i < mine->len; i++) {
		const char *path = mine->items[i].path;

		if (!(mine->items[i].keys & BIT(key)) || sl_cover_on(other, path, 2) & BIT(key) ||
		    sl_cover_above(other, path, BIT(key), 2, look) & BIT(key))
			continue;
		sl_list_add(ret, path, 0);
	}
}

static void diff_grants(struct diff *d)
{
	struct sl_cover a = {0}, b = {0};

	sl_cover_add_profile(&a, d->a);
	sl_cover_add_profile(&b, d->b);
	sl_cover_sort(&a);
	sl_cover_sort(&b);
	for (unsigned int key = 0; key < SL_FS_DENY; key++) {
		struct sl_list only_a = {0}, only_b = {0};

		d->key = sl_key_find("filesystem", sl_fs_key_name(key));
		only(&a, &b, key, d->look, &only_a);
		only(&b, &a, key, d->look, &only_b);
		pair(d, &only_a, &only_b, true, false);
		sl_list_release(&only_a);
		sl_list_release(&only_b);
	}
	sl_cover_release(&a);
	sl_cover_release(&b);
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct sl_entry *)a)->text, ((const struct sl_entry *)b)->text);
}

/* The entries of mine that are not in other; both sorted by their bytes. */
static void missing(const struct sl_list *mine, const struct sl_list *other, struct sl_list *ret)
{
	for (size_t i = 0; i < mine->len; i++)
		if (!other->len || !bsearch(&mine->items[i], other->items, other->len, sizeof(*other->items),
					    compare_entries))
			sl_list_add(ret, mine->items[i].text, 0);
}

static void sorted_copy(struct sl_list *dst, const struct sl_list *src)
{
	for (size_t i = 0; i < src->len; i++)
		sl_list_add(dst, src->items[i].text, 0);
	sl_list_sort_unique(dst);
}

static void portable_copy(struct sl_list *dst, const struct sl_list *src)
{
	for (size_t i = 0; i < src->len; i++)
		sl_list_add(dst, sl_call_portable(src->items[i].text), 0);
	sl_call_list_absorb(dst);
	sl_list_sort_unique(dst);
}

/* What mine lists and other does not stand for. */
static void missing_calls(const struct sl_list *mine, const struct sl_list *other, struct sl_list *ret)
{
	struct sl_list all = {0};

	portable_copy(&all, other);
	for (size_t i = 0; sl_list_contains(other, SL_CALL_BASE) && sl_call_base[i]; i++)
		sl_list_add(&all, sl_call_base[i], 0);
	sl_list_sort_unique(&all);
	missing(mine, &all, ret);
	sl_list_release(&all);
}

/* [syscalls] allow: by the calls that the names stand for. */
static void diff_calls(struct diff *d)
{
	const struct sl_list *list_a = &d->a->syscalls.allow, *list_b = &d->b->syscalls.allow;
	struct sl_list a = {0}, b = {0}, only_a = {0}, only_b = {0};

	portable_copy(&a, list_a);
	portable_copy(&b, list_b);
	missing_calls(&a, list_b, &only_a);
	missing_calls(&b, list_a, &only_b);
	pair(d, &only_a, &only_b, false, false);
	sl_list_release(&a);
	sl_list_release(&b);
	sl_list_release(&only_a);
	sl_list_release(&only_b);
}

static void diff_list(struct diff *d, bool denies)
{
	struct sl_list a = {0}, b = {0}, only_a = {0}, only_b = {0};
	const struct sl_list *list_a = sl_key_value_const(d->key, d->a),
			     *list_b = sl_key_value_const(d->key, d->b);

	sorted_copy(&a, list_a);
	sorted_copy(&b, list_b);
	missing(&a, &b, &only_a);
	missing(&b, &a, &only_b);
	pair(d, &only_a, &only_b, !strcmp(d->key->section, "filesystem"), denies);
	sl_list_release(&a);
	sl_list_release(&b);
	sl_list_release(&only_a);
	sl_list_release(&only_b);
}

/* A value as text, NULL where there is none. */
static char *value_text(const struct sl_key *key, const struct sl_profile *p)
{
	const void *value = sl_key_value_const(key, p);

	if (!sl_key_is_set(key, p))
		return NULL;
	switch (key->type) {
	case SL_KEY_INT:
	case SL_KEY_SIZE:
		return sl_xasprintf("%" PRId64, *(const int64_t *)value);
	case SL_KEY_BOOL:
		return sl_xstrdup(*(const enum sl_tristate *)value == SL_TRUE ? "true" : "false");
	case SL_KEY_STRING:
		return sl_xstrdup(*(char *const *)value);
	case SL_KEY_END:
		return sl_xstrdup(sl_on_end_name(*(const enum sl_on_end *)value));
	case SL_KEY_PRIVATE:
		return sl_xstrdup("private");
	case SL_KEY_STRINGS:
	case SL_KEY_INTS:
	case SL_KEY_PORTS:
	case SL_KEY_ENV:
		break;
	}
	return sl_xstrdup("a list");
}

/* One value: a limit that is lower, or that was not there, narrows; a right that is gone does too. */
static void diff_value(struct diff *d)
{
	SL_FREE char *before = value_text(d->key, d->a), *after = value_text(d->key, d->b);
	bool limit = d->key->type == SL_KEY_INT || d->key->type == SL_KEY_SIZE, narrowed;

	/* What is said by a false is what is meant without it. */
	if (d->key->type == SL_KEY_BOOL && before && !strcmp(before, "false"))
		free(SL_TAKE_PTR(before));
	if (d->key->type == SL_KEY_BOOL && after && !strcmp(after, "false"))
		free(SL_TAKE_PTR(after));
	if ((!before && !after) || (before && after && !strcmp(before, after)))
		return;
	if (limit)
		narrowed = after && (!before || *(const int64_t *)sl_key_value_const(d->key, d->b) <
						    *(const int64_t *)sl_key_value_const(d->key, d->a));
	else
		narrowed = !after && d->key->type != SL_KEY_STRING;
	change_add(d, narrowed ? SL_CHANGE_NARROWED : SL_CHANGE_WIDENED, before, after);
}

/* A list that limits: that there is one narrows. True where only one of the profiles has it. */
static bool diff_presence(struct diff *d)
{
	bool a = sl_key_is_set(d->key, d->a), b = sl_key_is_set(d->key, d->b);

	if (a == b)
		return false;
	change_add(d, b ? SL_CHANGE_NARROWED : SL_CHANGE_WIDENED, a ? "a list" : NULL, b ? "a list" : NULL);
	return true;
}

static bool is_left_out(const struct sl_key *key)
{
	return !strcmp(key->section, "program") || !strcmp(key->section, "config") ||
	       !strcmp(key->section, "determinism");
}

static void diff_key(struct diff *d)
{
	bool denies = strstr(d->key->name, "deny") != NULL;
	bool calls = d->key->offset == offsetof(struct sl_profile, syscalls.allow);

	if (!sl_key_is_list(d->key))
		diff_value(d);
	else if (denies || (strcmp(d->key->section, "limits") != 0 && !calls))
		diff_list(d, denies);
	else if (diff_presence(d))
		return;
	else if (calls)
		diff_calls(d);
	else
		diff_list(d, false);
}

/* A list of exceptions without one of what is allowed opens everything else. */
static bool opens_rest(const struct sl_list *allow, const struct sl_list *deny)
{
	return deny->len && !allow->len;
}

/* Where only one of the profiles allows everything but a list, the lists cannot be compared entry by entry.
 * True where that was said. */
static bool diff_exceptions(struct diff *d, const char *allow, const char *deny)
{
	const struct sl_key *ka = sl_key_find("network", allow), *kd = sl_key_find("network", deny);
	bool a = opens_rest(sl_key_value_const(ka, d->a), sl_key_value_const(kd, d->a));
	bool b = opens_rest(sl_key_value_const(ka, d->b), sl_key_value_const(kd, d->b));

	if (a == b)
		return false;
	d->key = ka;
	change_add(d, b ? SL_CHANGE_WIDENED : SL_CHANGE_NARROWED, a ? "all but what is denied" : NULL,
		   b ? "all but what is denied" : NULL);
	return true;
}

void sl_profile_diff(const struct sl_profile *a, const struct sl_profile *b, const struct sl_look *look,
		     struct sl_changes *ret)
{
	struct sl_profile a2, b2;
	struct diff d = {&a2, &b2, look, ret, NULL};
	bool net, bind;

	sl_profile_to_v2(a, look, &a2);
	sl_profile_to_v2(b, look, &b2);
	diff_grants(&d);
	net = diff_exceptions(&d, "allow", "deny");
	bind = diff_exceptions(&d, "allow_bind", "deny_bind");
	for (size_t i = 0; i < SL_PROFILE_KEYS; i++) {
		const struct sl_key *key = &sl_keys[i];
		bool grant = key->offset >= offsetof(struct sl_profile, filesystem.lists[0]) &&
			     key->offset < offsetof(struct sl_profile, filesystem.lists[SL_FS_DENY]);
		bool network = !strcmp(key->section, "network");

		if (is_left_out(key) || grant)
			continue;
		if (network && net && (!strcmp(key->name, "allow") || !strcmp(key->name, "deny")))
			continue;
		if (network && bind && strstr(key->name, "_bind"))
			continue;
		d.key = key;
		diff_key(&d);
	}
	sl_profile_release(&a2);
	sl_profile_release(&b2);
}
