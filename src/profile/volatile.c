/*
 * volatile.c - see volatile.h.
 *
 * A name is cut into words of letters and digits. What a word is made of tells what it may be; where that is
 * a guess, other evidence is asked for (the name is gone). A wrong guess costs a wider line, which is said,
 * or a line that serves one run only.
 */
#include "profile/volatile.h"

#include <ctype.h>
#include <string.h>

#include "base/path.h"
#include "profile/sensitive.h"

#define HASH_MIN   8 /* hexadecimal digits */
#define PID_MIN	   3 /* digits */
#define RANDOM_MIN 6 /* mkstemp(3) makes six characters */

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static size_t digits(const char *s)
{
	return strspn(s, "0123456789");
}

static int two(const char *s)
{
	return (s[0] - '0') * 10 + (s[1] - '0');
}

/* Bytes of a UUID at s, or 0. */
static size_t uuid_length(const char *s)
{
	static const size_t groups[] = {8, 4, 4, 4, 12};
	const char *p = s;

	for (size_t g = 0; g < SL_ARRAY_LEN(groups); g++) {
		for (size_t i = 0; i < groups[g]; i++)
			if (!is_hex(*p++))
				return 0;
		if (g + 1 < SL_ARRAY_LEN(groups) && *p++ != '-')
			return 0;
	}
	return isalnum((unsigned char)*p) ? 0 : (size_t)(p - s);
}

/* Bytes of a date at s ("2026-11-25", "20261125"), with the digits of a time that follow, or 0. */
static size_t date_length(const char *s)
{
	bool dashed =
	    digits(s) == 4 && s[4] == '-' && digits(s + 5) == 2 && s[7] == '-' && digits(s + 8) >= 2;
	const char *month = s + (dashed ? 5 : 4), *day = s + (dashed ? 8 : 6);

	if (!dashed && digits(s) != 8 && digits(s) != 12 && digits(s) != 14)
		return 0;
	if (two(s) < 19 || two(s) > 20 || two(month) < 1 || two(month) > 12 || two(day) < 1 || two(day) > 31)
		return 0;
	return dashed ? 8 + digits(s + 8) : digits(s);
}

/* What the first len characters of a word, all letters and digits, may be: 'H' a hash, 'N' a number, 'R'
 * random, 0 a word. */
static char classify(const char *s, size_t len)
{
	size_t hex = 0, upper = 0, lower = 0, numbers = 0, changes = 0;

	for (size_t i = 0; i < len; i++) {
		bool digit = isdigit((unsigned char)s[i]) != 0, capital = isupper((unsigned char)s[i]) != 0;

		hex += is_hex(s[i]);
		numbers += digit;
		upper += capital;
		lower += !digit && !capital;
		changes += i && (digit != (isdigit((unsigned char)s[i - 1]) != 0) ||
				 capital != (isupper((unsigned char)s[i - 1]) != 0));
	}
	/* Small numbers count things, and versions. */
	if (numbers == len)
		return len >= PID_MIN ? 'N' : 0;
	if (hex == len && len >= HASH_MIN && numbers && !(upper && lower))
		return 'H';
	if (len >= RANDOM_MIN && numbers && changes > 1)
		return 'R';
	/* Words in CamelCase change less often. */
	if (len == RANDOM_MIN && upper && lower && changes > 3)
		return 'R';
	return len >= strlen("tmp") + RANDOM_MIN && !strncmp(s, "tmp", 3) ? 'R' : 0;
}

bool sl_volatile_stem(struct sl_strbuf *out, const char *path, bool *ret_sure)
{
	bool any = false;

	while (*path) {
		size_t len = uuid_length(path), word = 0;
		char kind = 'U';

		if (!len) {
			len = date_length(path);
			kind = 'D';
		}
		while (isalnum((unsigned char)path[word]) || (path[word] == '_' && !strncmp(path, "tmp", 3)))
			word++;
		if (!len && word) {
			len = word;
			kind = classify(path, len);
		}
		if (ret_sure && kind && kind != 'N' && kind != 'R' && len)
			*ret_sure = true;
		if (len && kind) {
			/* No path has a control character for a stem's letter. */
			sl_strbuf_addf(out, "\x01%c", kind);
			any = true;
		} else {
			sl_strbuf_add(out, path, len ? len : 1);
		}
		path += len ? len : 1;
	}
	return any;
}

/* May the right on this directory stand for names in it? */
static bool may_open(const struct sl_volatile_rules *r, const char *dir)
{
	static const char *const kernels[] = {"/proc", "/sys", "/dev"};

	for (size_t i = 0; i < SL_ARRAY_LEN(kernels); i++)
		if (sl_path_within(dir, kernels[i]))
			return false;
	if (sl_path_is_shared_tmp(dir))
		return false;
	return sl_path_sensitivity(dir, r->homes[0]) == SL_SENSITIVE_NOT &&
	       sl_path_sensitivity(dir, r->homes[1]) == SL_SENSITIVE_NOT;
}

static bool is_plain(const char *path)
{
	return path[0] == '/' && sl_path_is_normal(path) && strcmp(path, "/") != 0;
}

static void collapses_add(struct sl_collapses *ret, const char *dir, enum sl_fs_key key, size_t entries)
{
	for (size_t i = 0; i < ret->len; i++)
		if (ret->items[i].key == key && !strcmp(ret->items[i].dir, dir)) {
			ret->items[i].entries += entries;
			return;
		}
	if (ret->len == ret->cap) {
		ret->cap = ret->cap ? ret->cap * 2 : 16;
		ret->items = sl_xrealloc(ret->items, ret->cap * sizeof(*ret->items));
	}
	ret->items[ret->len++] = (struct sl_collapse){sl_xstrdup(dir), key, entries};
}

static void replace_text(struct sl_entry *e, const char *text)
{
	char *copy = sl_xstrdup(text);

	free(e->text);
	e->text = copy;
}

/* The deepest directory above an entry that is there, where the name that is missing in it is volatile; else
 * NULL. */
static char *directory_of_gone(const char *path, const struct sl_volatile_rules *r)
{
	SL_FREE char *below = NULL;
	SL_STRBUF any = SL_STRBUF_INIT;

	/* Looking costs more than reading. */
	if (!sl_volatile_stem(&any, path, NULL) || r->exists(path, r->arg))
		return NULL;
	below = sl_xstrdup(path);
	for (;;) {
		SL_FREE char *dir = sl_path_dirname(below);
		SL_STRBUF stem = SL_STRBUF_INIT;

		if (!strcmp(dir, "/"))
			return NULL;
		if (r->exists(dir, r->arg))
			return sl_volatile_stem(&stem, sl_path_basename(below), NULL) ? SL_TAKE_PTR(dir)
										      : NULL;
		free(below);
		below = SL_TAKE_PTR(dir);
	}
}

void sl_profile_replace_gone(struct sl_profile *p, const struct sl_volatile_rules *rules,
			     struct sl_collapses *ret)
{
	for (unsigned int key = 0; key < SL_FS_DENY; key++) {
		struct sl_list *list = &p->filesystem.lists[key];
		bool changed = false;

		for (size_t i = 0; i < list->len; i++) {
			const char *path = list->items[i].text;
			SL_FREE char *dir = is_plain(path) ? directory_of_gone(path, rules) : NULL;

			if (!dir || !may_open(rules, dir))
				continue;
			collapses_add(ret, dir, (enum sl_fs_key)key, 1);
			replace_text(&list->items[i], dir);
			changed = true;
		}
		if (changed)
			sl_list_sort_unique(list);
	}
}

/* One entry that only some runs needed. */
struct candidate {
	const char *path;
	char *stem;
	bool sure;
};

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order = strcmp(x->stem, y->stem);

	return order ? order : strcmp(x->path, y->path);
}

/* The directory in which two paths part, malloc'd. */
static char *common_directory(const char *a, const char *b)
{
	size_t same = 0, end = 0;

	for (; a[same] && a[same] == b[same]; same++)
		if (a[same] == '/')
			end = same;
	return end ? sl_xstrndup(a, end) : sl_xstrdup("/");
}

/* Do the candidates of one stem stand for one name that changes? If so, the directory that holds them all. */
static char *directory_of_group(const struct candidate *c, size_t count, const struct sl_volatile_rules *r)
{
	bool evidence = c[0].sure;
	SL_FREE char *dir = NULL;

	for (size_t i = 0; i < count && !evidence; i++)
		evidence = !r->exists(c[i].path, r->arg);
	if (count < 2 || !evidence)
		return NULL;
	/* They are in byte order, so the first and the last part first. */
	dir = common_directory(c[0].path, c[count - 1].path);
	return may_open(r, dir) ? SL_TAKE_PTR(dir) : NULL;
}

static int compare_path(const void *path, const void *candidate)
{
	return strcmp(path, ((const struct candidate *)candidate)->path);
}

/* Returns how many entries were replaced. */
static size_t replace_group(struct sl_list *list, const struct candidate *c, size_t count, const char *dir)
{
	size_t replaced = 0;

	for (size_t i = 0; i < list->len; i++)
		if (bsearch(list->items[i].text, c, count, sizeof(*c), compare_path)) {
			replace_text(&list->items[i], dir);
			replaced++;
		}
	return replaced;
}

void sl_profile_replace_differing(struct sl_profile *p, const struct sl_list differ[SL_FS_DENY],
				  const struct sl_volatile_rules *rules, struct sl_collapses *ret)
{
	for (unsigned int key = 0; key < SL_FS_DENY; key++) {
		SL_FREE struct candidate *c = sl_xcalloc(differ[key].len + 1, sizeof(*c));
		size_t len = 0, end;

		for (size_t i = 0; i < differ[key].len; i++) {
			const char *path = differ[key].items[i].text;
			SL_STRBUF stem = SL_STRBUF_INIT;
			bool sure = false;

			if (is_plain(path) && sl_volatile_stem(&stem, path, &sure))
				c[len++] = (struct candidate){path, sl_strbuf_detach(&stem), sure};
		}
		if (len > 1)
			qsort(c, len, sizeof(*c), compare_candidates);
		for (size_t i = 0; i < len; i = end) {
			SL_FREE char *dir = NULL;
			size_t replaced;

			for (end = i + 1; end < len && !strcmp(c[i].stem, c[end].stem);)
				end++;
			dir = directory_of_group(&c[i], end - i, rules);
			if (!dir)
				continue;
			replaced = replace_group(&p->filesystem.lists[key], &c[i], end - i, dir);
			if (replaced)
				collapses_add(ret, dir, (enum sl_fs_key)key, replaced);
		}
		sl_list_sort_unique(&p->filesystem.lists[key]);
		for (size_t i = 0; i < len; i++)
			free(c[i].stem);
	}
}
