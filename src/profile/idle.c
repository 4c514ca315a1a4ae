/*
 * idle.c - see idle.h.
 */
#include "profile/idle.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "profile/destination.h"
#include "profile/diag.h"
#include "profile/keys.h"

#define RULES_MAX 1000 /* each is held to every other one */
#define BIT(key)  (1u << (key))

struct idle {
	const struct sl_profile *p;
	const struct sl_look *look;
	struct sl_diags *ret;
	struct sl_cover granted, denied;
};

static void say(struct idle *s, const char *key, const struct sl_entry *e, const char *why)
{
	SL_STRBUF text = SL_STRBUF_INIT;

	sl_diag_quote(&text, e->text, strlen(e->text));
	sl_diags_addf(s->ret, SL_DIAG_WARNING, e->line, 0, key, "%s can never matter: %s",
		      sl_strbuf_str(&text), why);
}

/* The same, where another text is the reason. */
static void say_by(struct idle *s, const char *key, const struct sl_entry *e, const char *other_key,
		   const char *other, const char *what)
{
	SL_STRBUF why = SL_STRBUF_INIT;

	sl_strbuf_addf(&why, "%s ", other_key);
	sl_diag_quote(&why, other, strlen(other));
	sl_strbuf_addf(&why, " %s", what);
	say(s, key, e, sl_strbuf_str(&why));
}

/* The nearest directory above path on which an entry stands that gives some of the keys in want, and which
 * key it is. */
static char *giver(const struct idle *s, const char *path, unsigned int want, unsigned int *ret_key)
{
	SL_FREE char *at = sl_xstrdup(path);

	for (;;) {
		char *parent = sl_path_dirname(at);
		unsigned int keys;
		bool top = !strcmp(parent, at);

		free(at);
		at = parent;
		keys = sl_cover_on(&s->granted, at, s->p->version);
		/* That it gives read too is what write says. */
		if (s->p->version == 1 && keys & BIT(SL_FS_WRITE))
			keys = BIT(SL_FS_WRITE);
		for (*ret_key = 0; *ret_key < SL_FS_DENY; ++*ret_key) {
			unsigned int gives = BIT(*ret_key);

			if (s->p->version == 1)
				gives |= *ret_key == SL_FS_WRITE ? BIT(SL_FS_READ) : 0;
			else if (*ret_key == SL_FS_READ)
				gives |= BIT(SL_FS_LIST);
			else if (*ret_key == SL_FS_CREATE)
				gives |= BIT(SL_FS_WRITE);
			if (keys & BIT(*ret_key) && gives & want)
				return SL_TAKE_PTR(at);
		}
		if (top)
			return NULL;
	}
}

static bool is_always_granted(const char *path, unsigned int key)
{
	static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
					      "/dev/urandom"};

	for (size_t i = 0; i < SL_ARRAY_LEN(devices); i++)
		if (!strcmp(path, devices[i]))
			return key == SL_FS_READ || (key == SL_FS_WRITE && i < 3);
	return false;
}

/* One grant that stands at its path for the first time. */
static void judge_grant(struct idle *s, const char *name, unsigned int key, const struct sl_entry *e,
			const char *path)
{
	unsigned int on = sl_cover_on(&s->granted, path, s->p->version), by = 0;
	SL_FREE char *dir = NULL;

	if (sl_cover_on(&s->denied, path, 2) || sl_cover_above(&s->denied, path, ~0u, 2, s->look)) {
		say(s, name, e, "filesystem.deny takes it away");
		return;
	}
	if (s->p->version != 1 && is_always_granted(path, key)) {
		say(s, name, e, "it is always granted");
		return;
	}
	if (s->p->version != 1 && (key == SL_FS_LIST || key == SL_FS_CREATE || key == SL_FS_DELETE) &&
	    s->look && s->look->is_file && s->look->is_file(path, s->look->arg)) {
		say(s, name, e, "it is no directory");
		return;
	}
	if (key == SL_FS_LIST && on & BIT(SL_FS_READ)) {
		say_by(s, name, e, "filesystem.read", path, "gives it");
		return;
	}
	if (s->p->version == 1 && key == SL_FS_READ && on & BIT(SL_FS_WRITE)) {
		say_by(s, name, e, "filesystem.write", path, "gives it");
		return;
	}
	if (sl_cover_above(&s->granted, path, BIT(key), s->p->version, s->look) & BIT(key))
		dir = giver(s, path, BIT(key), &by);
	if (dir) {
		SL_FREE char *other = sl_xasprintf("filesystem.%s", sl_fs_key_name((enum sl_fs_key)by));

		say_by(s, name, e, other, dir, "gives it");
	}
}

/* Is anything granted on the path, above it or below it? */
static bool touches_grant(const struct idle *s, const char *path)
{
	if (sl_cover_on(&s->granted, path, 2) || sl_cover_above(&s->granted, path, ~0u, 2, NULL))
		return true;
	for (size_t i = 0; i < s->granted.len; i++)
		if (sl_path_within(s->granted.items[i].path, path))
			return true;
	return false;
}

/* An entry with its normal path. */
struct place {
	char *path;
	const struct sl_entry *entry;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	return order ? order : (x->entry->line > y->entry->line) - (x->entry->line < y->entry->line);
}

static void judge_paths(struct idle *s, unsigned int key)
{
	const struct sl_list *list = &s->p->filesystem.lists[key];
	SL_FREE char *name = sl_xasprintf("filesystem.%s", sl_fs_key_name((enum sl_fs_key)key));
	SL_FREE struct place *places = sl_xcalloc(list->len + 1, sizeof(*places));

	for (size_t i = 0; i < list->len; i++)
		places[i] = (struct place){sl_cover_normal(list->items[i].text), &list->items[i]};
	if (list->len > 1)
		qsort(places, list->len, sizeof(*places), compare_places);
	for (size_t i = 0; i < list->len; i++) {
		if (i && !strcmp(places[i - 1].path, places[i].path))
			say(s, name, places[i].entry, "it stands there twice");
		else if (key != SL_FS_DENY)
			judge_grant(s, name, key, places[i].entry, places[i].path);
		else if (!touches_grant(s, places[i].path))
			say(s, name, places[i].entry, "nothing that is granted is in it");
	}
	for (size_t i = 0; i < list->len; i++)
		free(places[i].path);
}

static bool destination_covers(const char *wide, const char *narrow)
{
	const struct sl_list one = {.items = &(struct sl_entry){.text = (char *)wide}, .len = 1};

	return sl_destinations_cover(&one, narrow) != NULL;
}

/* Rules of one list, held to those of the same list and of the one that denies (NULL: none). */
static void judge_rules(struct idle *s, const char *name, const struct sl_list *list, const char *deny_name,
			const struct sl_list *deny, bool (*covers)(const char *wide, const char *narrow))
{
	for (size_t i = 0; i < list->len && list->len <= RULES_MAX; i++) {
		const struct sl_entry *e = &list->items[i];
		const char *by = NULL, *by_name = name;

		for (size_t j = 0; j < list->len && !by; j++)
			if (i != j && covers(list->items[j].text, e->text) &&
			    (j < i || !covers(e->text, list->items[j].text)))
				by = list->items[j].text;
		for (size_t j = 0; deny && j < deny->len && !by; j++)
			if (covers(deny->items[j].text, e->text)) {
				by = deny->items[j].text;
				by_name = deny_name;
			}
		if (by)
			say_by(s, name, e, by_name, by, by_name == name ? "says it" : "takes it away");
	}
}

static bool same_text(const char *a, const char *b)
{
	return !strcmp(a, b);
}

void sl_profile_idle(const struct sl_profile *p, const struct sl_look *look, struct sl_diags *ret)
{
	struct idle s = {.p = p, .look = look, .ret = ret};
	const struct sl_list *deny = &p->filesystem.lists[SL_FS_DENY];

	sl_cover_add_profile(&s.granted, p);
	for (size_t i = 0; i < deny->len; i++)
		sl_cover_add(&s.denied, deny->items[i].text, BIT(SL_FS_DENY));
	sl_cover_sort(&s.granted);
	sl_cover_sort(&s.denied);
	for (unsigned int key = 0; key < SL_FS_KEY_COUNT; key++)
		judge_paths(&s, key);
	judge_rules(&s, "network.allow", &p->network.allow, "network.deny", &p->network.deny,
		    destination_covers);
	judge_rules(&s, "network.deny", &p->network.deny, NULL, NULL, destination_covers);
	judge_rules(&s, "network.allow_bind", &p->network.allow_bind, "network.deny_bind",
		    &p->network.deny_bind, sl_ports_cover);
	judge_rules(&s, "network.deny_bind", &p->network.deny_bind, NULL, NULL, sl_ports_cover);
	judge_rules(&s, "http.allow", &p->http.allow, "http.deny", &p->http.deny, sl_http_rule_covers);
	judge_rules(&s, "http.deny", &p->http.deny, NULL, NULL, sl_http_rule_covers);
	judge_rules(&s, "syscalls.allow", &p->syscalls.allow, "syscalls.extra_deny", &p->syscalls.extra_deny,
		    same_text);
	judge_rules(&s, "syscalls.extra_deny", &p->syscalls.extra_deny, NULL, NULL, same_text);
	sl_cover_release(&s.granted);
	sl_cover_release(&s.denied);
}
