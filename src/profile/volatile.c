/*
 * volatile.c - see volatile.h.
 *
 * A name is cut into words of letters and digits. What a word is made of tells what it may be; where that is
 * a guess, other evidence is asked for (the name is gone). A wrong guess costs a wider line, which is said,
 * or a line that serves one run only.
 *
 * Names that stay are made by people: of words, with a number or two, in versions, sizes and years. So letters
 * that could be read as a word (three or more of one case) speak against chance, and numbers beside a dot and
 * a digit are a version's. What stores by content (git, ccache, npm, pip) has directories of the first digits
 * of a hash above it: they change with it.
 */
#include "profile/volatile.h"

#include <ctype.h>
#include <string.h>

#include "base/path.h"
#include "profile/sensitive.h"

#define HASH_MIN   8  /* hexadecimal digits */
#define HASH_SURE  12 /* so many that nobody chose them */
#define HASH_LONG  16 /* so many that decimal ones alone are no number either */
#define FAN_MAX    3  /* hexadecimal digits in the name of a directory above hashes */
#define PID_MIN	   3  /* digits */
#define TAIL_MIN   6  /* digits behind letters: fewer count, or are a model's number */
#define RANDOM_MIN 6  /* mkstemp(3) makes six characters */
#define PYTHON_TMP 8  /* tempfile makes eight of a-z, 0-9 and _ behind "tmp" */
#define MKTEMP_TMP 10 /* mktemp(1) makes ten behind "tmp." */

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static size_t digits(const char *s)
{
	return strspn(s, "0123456789");
}

static size_t hex_digits(const char *s)
{
	return strspn(s, "0123456789abcdefABCDEF");
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

/* Bytes of a time of day behind a date: "T12_34_56_789Z", "-123456", " 12:34"; or 0. */
static size_t time_length(const char *s)
{
	const char *p = s;

	for (size_t n; *p && strchr("T_-.: ", *p) && (n = digits(p + 1)) >= 2 && n != 8;)
		p += 1 + n;
	if (p > s && *p == 'Z')
		p++;
	return isalnum((unsigned char)*p) ? 0 : (size_t)(p - s);
}

/* Bytes of a date at s ("2026-11-25", "20261125"), with the time that follows, or 0. */
static size_t date_length(const char *s)
{
	bool dashed = digits(s) == 4 && (s[4] == '-' || s[4] == '_') && digits(s + 5) == 2 && s[7] == s[4] &&
		      digits(s + 8) >= 2;
	const char *month = s + (dashed ? 5 : 4), *day = s + (dashed ? 8 : 6);
	size_t len;

	if (!dashed && digits(s) != 8 && digits(s) != 12 && digits(s) != 14)
		return 0;
	if (two(s) < 19 || two(s) > 20 || two(month) < 1 || two(month) > 12 || two(day) < 1 || two(day) > 31)
		return 0;
	len = dashed ? 8 + digits(s + 8) : digits(s);
	return len + time_length(s + len);
}

enum letter { LETTER_DIGIT, LETTER_UPPER, LETTER_LOWER };

static enum letter letter_of(char c)
{
	return isdigit((unsigned char)c) ? LETTER_DIGIT : isupper((unsigned char)c) ? LETTER_UPPER : LETTER_LOWER;
}

/* What a word is made of. */
struct shape {
	size_t hex, count[3];
	size_t runs;	/* of one kind of letter; a capital and the small ones behind it are one */
	size_t longest; /* letters in a run */
};

static struct shape shape_of(const char *s, size_t len)
{
	struct shape shape = {0};
	size_t run = 0;

	for (size_t i = 0; i < len; i++) {
		enum letter kind = letter_of(s[i]), before = i ? letter_of(s[i - 1]) : kind;
		bool capital = before == LETTER_UPPER && kind == LETTER_LOWER;

		shape.hex += is_hex(s[i]);
		shape.count[kind]++;
		if (!i || (kind != before && !capital)) {
			shape.runs++;
			run = 0;
		}
		run++;
		if (kind != LETTER_DIGIT)
			shape.longest = SL_MAX(shape.longest, run);
	}
	return shape;
}

/* 1920x1080 */
static bool is_size(const char *s, size_t len)
{
	size_t width = digits(s);

	return width && width < len && s[width] == 'x' && width + 1 + digits(s + width + 1) == len;
}

/* Where mkstemp(3) puts its six: at the end of a name, behind something that parts them from the rest. */
static bool is_suffix(const char *name, const char *s, size_t len)
{
	return len == RANDOM_MIN && (!s[len] || s[len] == '/') && s > name && strchr(".-_", s[-1]);
}

static bool is_random(const char *name, const char *s, size_t len)
{
	struct shape shape = shape_of(s, len);

	if (len < RANDOM_MIN || is_size(s, len))
		return false;
	if (is_suffix(name, s, len) && shape.runs > 2 && (shape.count[LETTER_UPPER] || shape.longest < 3))
		return true;
	if (shape.count[LETTER_DIGIT])
		return shape.runs > 4 || (shape.runs > 2 && shape.longest < 3);
	return len == RANDOM_MIN && shape.count[LETTER_UPPER] && shape.count[LETTER_LOWER] && shape.runs > 3;
}

/* A number that stands by itself: a process id, a counter; no year, and no part of a version. */
static bool is_number(const char *name, const char *s, size_t len)
{
	bool year = len == 4 && (two(s) == 19 || two(s) == 20);
	bool version = (s - name > 1 && s[-1] == '.' && isdigit((unsigned char)s[-2])) ||
		       (s[len] == '.' && isdigit((unsigned char)s[len + 1]));

	return len >= PID_MIN && !year && !version;
}

/* "tmpk3x_9q1z", "tmp4711", "tmp.aBcDeFgHiJ": the bytes of what follows "tmp" at s and was made up, or 0. */
static size_t tmp_length(const char *s)
{
	size_t len = 0, underscores = 0, numbers = 0;
	bool dot = s[0] && s[1] && s[2] && s[3] == '.';
	struct shape shape;

	if (strncmp(s, "tmp", 3) != 0)
		return 0;
	s += dot ? 4 : 3;
	for (; isalnum((unsigned char)s[len]) || s[len] == '_'; len++) {
		underscores += s[len] == '_';
		numbers += isdigit((unsigned char)s[len]) != 0;
	}
	shape = shape_of(s, len);
	if (len == PYTHON_TMP && (underscores || numbers))
		return len;
	if (numbers == len)
		return len >= PID_MIN ? len : 0;
	if (len < RANDOM_MIN || underscores)
		return 0;
	if (dot && len == MKTEMP_TMP && shape.count[LETTER_UPPER] && shape.runs > 2)
		return len;
	return is_random(s, s, len) || (shape.count[LETTER_UPPER] && shape.runs > 3) ? len : 0;
}

/* What was found at a place in a name. */
struct part {
	size_t literal; /* bytes that stay */
	size_t len;	/* bytes behind them that change; 0: none */
	char kind;	/* 'H' a hash, 'N' a number, 'R' random, 'D' a date, 'U' a UUID, 'F' of a hash below */
	bool sure;
};

/* The word at s, all letters and digits, of a name that begins at name. */
static struct part word_at(const char *name, const char *s, size_t len)
{
	struct shape shape = shape_of(s, len);
	size_t letters = 0, tail;

	if (shape.count[LETTER_DIGIT] == len && len < HASH_LONG)
		return is_number(name, s, len) ? (struct part){.len = len, .kind = 'N'} : (struct part){.literal = len};
	if (shape.hex == len && len >= HASH_MIN && shape.count[LETTER_DIGIT] &&
	    !(shape.count[LETTER_UPPER] && shape.count[LETTER_LOWER]))
		return (struct part){.len = len, .kind = 'H', .sure = len >= HASH_SURE};
	while (letters < len && !isdigit((unsigned char)s[letters]))
		letters++;
	tail = digits(s + letters);
	if (letters + tail == len && tail >= TAIL_MIN) {
		bool date = date_length(s + letters) >= tail;

		return (struct part){.literal = letters, .len = tail, .kind = date ? 'D' : 'N', .sure = date};
	}
	if (is_random(name, s, len))
		return (struct part){.len = len, .kind = 'R'};
	return (struct part){.literal = len};
}

/* Is the name at s, up to the next slash, of a few hexadecimal digits above a hash? */
static bool is_fan(const char *s)
{
	size_t len = hex_digits(s);

	if (!len || len > FAN_MAX || s[len] != '/')
		return false;
	s += len + 1;
	len = hex_digits(s);
	if (len <= FAN_MAX && is_fan(s))
		return true;
	/* A hash may go on: "-info", "R", ".debug". */
	return len >= HASH_SURE && word_at(s, s, len).kind == 'H';
}

/* What stands at s, in a name that begins at name. */
static struct part part_at(const char *name, const char *s)
{
	size_t len = uuid_length(s), word = 0;

	if (len)
		return (struct part){.len = len, .kind = 'U', .sure = true};
	len = date_length(s);
	if (len)
		return (struct part){.len = len, .kind = 'D', .sure = true};
	len = s == name || !isalnum((unsigned char)s[-1]) ? tmp_length(s) : 0;
	if (len)
		return (struct part){.literal = s[3] == '.' ? 4 : 3, .len = len, .kind = 'R'};
	if (s == name && is_fan(s))
		return (struct part){.len = hex_digits(s), .kind = 'F'};
	while (isalnum((unsigned char)s[word]))
		word++;
	return word ? word_at(name, s, word) : (struct part){.literal = 1};
}

/* Append what stands for a path. *ret_first: is something volatile in its first name? */
static bool stem(struct sl_strbuf *out, const char *path, bool *ret_sure, bool *ret_first)
{
	const char *name = path;
	bool any = false, first = true;

	while (*path) {
		struct part part = part_at(name, path);

		sl_strbuf_add(out, path, part.literal);
		/* No path has a control character for a stem's letter. */
		if (part.len)
			sl_strbuf_addf(out, "\x01%c", part.kind);
		any |= part.len != 0;
		if (ret_first && first)
			*ret_first |= part.len != 0;
		if (ret_sure)
			*ret_sure |= part.sure;
		path += part.literal + part.len;
		if (path[-1] == '/') {
			name = path;
			first = false;
		}
	}
	return any;
}

bool sl_volatile_stem(struct sl_strbuf *out, const char *path, bool *ret_sure)
{
	return stem(out, path, ret_sure, NULL);
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
		SL_STRBUF unused = SL_STRBUF_INIT;
		bool first = false;

		if (!strcmp(dir, "/"))
			return NULL;
		if (r->exists(dir, r->arg)) {
			stem(&unused, path + strlen(dir) + 1, NULL, &first);
			return first ? SL_TAKE_PTR(dir) : NULL;
		}
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
