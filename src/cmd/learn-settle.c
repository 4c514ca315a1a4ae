/*
 * learn-settle.c - between the observation and the file: names that are others at every run, what only some
 * runs needed, collapsing, the counts; and what is said of it, in the header and on stderr.
 */
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "cmd/learn-settle.h"
#include "cmd/message.h"
#include "cmd/profile-look.h"
#include "observe/summary.h"
#include "profile/merge.h"
#include "profile/volatile.h"

#define SOME_RUNS_SAID 20

void sl_settled_release(struct sl_settled *s)
{
	sl_observation_release(&s->seen);
	sl_profile_release(&s->result);
	sl_collapses_release(&s->collapses);
	sl_collapses_release(&s->changing);
	sl_strv_release(&s->notes);
	sl_strv_release(&s->header);
}

static bool exists(const char *path, void *arg SL_UNUSED)
{
	struct stat st;

	/* What cannot be looked at may be there. */
	return lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

static struct sl_volatile_rules volatile_rules(const struct sl_learn *l)
{
	return (struct sl_volatile_rules){.homes = {l->homes[0], l->homes[1]}, .exists = exists};
}

void sl_learn_absorb(struct sl_profile *p)
{
	struct sl_strv notes = SL_STRV_INIT; /* the profile's own, said before */
	const struct sl_profile *const in[] = {p};
	struct sl_profile absorbed;

	sl_profile_merge(in, 1, &sl_profile_look, &absorbed, &notes);
	sl_profile_release(p);
	*p = absorbed;
	sl_strv_release(&notes);
}

void sl_learn_replace_gone(const struct sl_learn *l, struct sl_profile *p, struct sl_settled *s)
{
	struct sl_volatile_rules rules = volatile_rules(l);

	sl_profile_replace_gone(p, &rules, &s->changing);
	if (s->changing.len)
		sl_learn_absorb(p);
}

/* Add to differ what only one of two sorted lists has. */
static void add_difference(struct sl_list *differ, const struct sl_list *a, const struct sl_list *b)
{
	for (size_t i = 0, j = 0; i < a->len || j < b->len;) {
		int order = i == a->len ? 1 : j == b->len ? -1 : strcmp(a->items[i].text, b->items[j].text);

		if (order)
			sl_list_add(differ, order < 0 ? a->items[i].text : b->items[j].text, 0);
		i += order <= 0;
		j += order >= 0;
	}
}

/* Names that differ between the runs, or between the runs and the profile that they were added to. */
static void replace_differing(const struct sl_learn *l, const struct sl_profile *old, struct sl_settled *s)
{
	struct sl_volatile_rules rules = volatile_rules(l);
	struct sl_list differ[SL_FS_DENY] = {0};
	size_t before = s->changing.len;

	for (unsigned int key = 0; key < SL_FS_DENY; key++) {
		struct sl_list was = {0};

		for (size_t i = 0; i < s->seen.some_runs[key].len; i++)
			sl_list_add(&differ[key], s->seen.some_runs[key].items[i].text, 0);
		for (size_t i = 0; old && i < old->filesystem.lists[key].len; i++)
			sl_list_add(&was, old->filesystem.lists[key].items[i].text, 0);
		sl_list_sort_unique(&was);
		if (old)
			add_difference(&differ[key], &was, &l->profile.filesystem.lists[key]);
		sl_list_sort_unique(&differ[key]);
		sl_list_release(&was);
	}
	sl_profile_replace_differing(&s->result, differ, &rules, &s->changing);
	if (s->changing.len > before)
		sl_learn_absorb(&s->result);
	for (unsigned int key = 0; key < SL_FS_DENY; key++)
		sl_list_release(&differ[key]);
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct sl_entry *)a)->text, ((const struct sl_entry *)b)->text);
}

static bool still_there(const struct sl_list *sorted, const struct sl_entry *entry)
{
	return sorted->len && bsearch(entry, sorted->items, sorted->len, sizeof(*entry), compare_entries);
}

/* The entries that stayed of those that only some runs needed. */
static size_t some_runs(const struct sl_settled *s, struct sl_strbuf *lines, int64_t runs)
{
	size_t count = 0;

	for (unsigned int key = 0; key < SL_FS_DENY; key++)
		for (size_t i = 0; i < s->seen.some_runs[key].len; i++) {
			const struct sl_entry *e = &s->seen.some_runs[key].items[i];

			if (!still_there(&s->result.filesystem.lists[key], e) || count++ >= SOME_RUNS_SAID ||
			    !lines)
				continue;
			sl_strbuf_addf(lines, "sandlock: needed by only some of the %lld runs: %s on %s\n",
				       (long long)runs, sl_fs_key_name((enum sl_fs_key)key), sl_esc(e->text));
		}
	if (lines && count > SOME_RUNS_SAID)
		sl_strbuf_addf(lines, "sandlock: %zu more entries were needed by only some of the runs\n",
			       count - SOME_RUNS_SAID);
	return count;
}

/*
 * The counts, as comments at the top. What entries open besides depends on everything that lies in their
 * directories, which must not make two profiles of the same observation differ: so the ratio is told by a
 * bound above it.
 */
static void make_header(const struct sl_learn *l, struct sl_settled *s)
{
	static const size_t bounds[] = {2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000};
	const struct sl_observation *seen = &s->seen;
	SL_STRBUF line = SL_STRBUF_INIT;
	const char *separator = SL_HEADER_OBSERVED;
	size_t some, b = 0;

	for (unsigned int key = 0; key < SL_FS_DENY; key++)
		if (s->result.filesystem.lists[key].len) {
			sl_strbuf_addf(&line, "%s%zu %s", separator, s->result.filesystem.lists[key].len,
				       sl_fs_key_name((enum sl_fs_key)key));
			separator = ", ";
		}
	while (b < SL_ARRAY_LEN(bounds) && seen->granted >= bounds[b] * seen->used)
		b++;
	if (line.len && (b == SL_ARRAY_LEN(bounds) || seen->granted_more))
		sl_strbuf_addstr(&line, "; granted / used is large");
	else if (line.len)
		sl_strbuf_addf(&line, "; granted / used is below %zu", bounds[b]);
	if (line.len)
		sl_strv_add(&s->header, sl_strbuf_str(&line));
	some = l->repeat > 1 ? some_runs(s, NULL, l->repeat) : 0;
	if (some)
		sl_strv_take(&s->header,
			     sl_xasprintf(SL_HEADER_OBSERVED "%zu %s needed by only some of %lld runs", some,
					  some == 1 ? "entry was" : "entries were", (long long)l->repeat));
}

void sl_learn_settle(const struct sl_learn *l, const struct sl_profile *old, struct sl_settled *s)
{
	struct sl_profile before;

	sl_profile_init(&before, s->result.version);
	sl_profile_copy(&before, &s->result);
	replace_differing(l, old, s);
	sl_learn_collapse(l, &s->result, &s->collapses);
	if (sl_observer_level(l->observer, &s->result, (const char *const *)l->homes, &s->notes))
		sl_learn_absorb(&s->result);
	if (l->merge || s->changing.len || s->collapses.len)
		sl_observer_recount(l->observer, &before, &s->result, &s->seen);
	make_header(l, s);
	sl_profile_release(&before);
}

void sl_learn_settle_say(const struct sl_learn *l, const struct sl_settled *s, struct sl_strbuf *lines)
{
	for (size_t i = 0; i < s->notes.len; i++)
		sl_strbuf_addf(lines, "sandlock: warning: %s\n", s->notes.items[i]);
	for (size_t i = 0; i < s->changing.len && !l->quiet; i++) {
		const struct sl_collapse *c = &s->changing.items[i];

		sl_strbuf_addf(
		    lines, "sandlock: other names at every run: %s on %s stands for %zu that %s seen\n",
		    sl_fs_key_name(c->key), sl_esc(c->dir), c->entries, c->entries == 1 ? "was" : "were");
	}
	if (!l->quiet && l->repeat > 1)
		(void)some_runs(s, lines, l->repeat);
	sl_learn_collapse_say(l, &s->collapses, &s->seen, lines);
}
