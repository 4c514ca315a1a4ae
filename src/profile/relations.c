/*
 * relations.c - what one key of a profile forbids another, and which known name is near an unknown one.
 */
#include <string.h>

#include "profile/fill.h"

/* An error at a key that is there. */
static void complain(struct sl_fill *f, const struct sl_key *key, const char *text)
{
	SL_FREE char *name = sl_xasprintf("%s.%s", key->section, key->name);
	size_t i = sl_key_index(key);

	sl_diags_addf(f->diags, SL_DIAG_ERROR, f->where[i].line, f->where[i].column, name, "%s", text);
}

static void check_ids(struct sl_fill *f)
{
	const struct sl_key *uid = sl_key_find("program", "uid"), *gid = sl_key_find("program", "gid");
	bool has_uid = f->where[sl_key_index(uid)].line, has_gid = f->where[sl_key_index(gid)].line;

	if (has_uid && !has_gid)
		complain(f, uid, "found no program.gid, expected both or neither");
	if (has_gid && !has_uid)
		complain(f, gid, "found no program.uid, expected both or neither");
}

/* In version 1 a list of what is allowed and one of what is not exclude each other. */
static void check_exclusive(struct sl_fill *f, const char *allow, const char *deny)
{
	const struct sl_key *a = sl_key_find("network", allow), *d = sl_key_find("network", deny);
	const struct sl_list *allowed = sl_key_value(a, &f->profile), *denied = sl_key_value(d, &f->profile);
	SL_FREE char *text = NULL;

	if (f->profile.version != 1 || !allowed->len || !denied->len)
		return;
	text =
	    sl_xasprintf("found network.%s in the same file, expected only one of them in version 1", allow);
	complain(f, d, text);
}

static void check_any_port(struct sl_fill *f)
{
	const struct sl_list *allow = &f->profile.network.allow_bind, *deny = &f->profile.network.deny_bind;

	if (allow->len > 1 && sl_list_contains(allow, "*"))
		complain(f, sl_key_find("network", "allow_bind"),
			 "found \"*\" beside other ports, expected it alone");
	if (sl_list_contains(deny, "*"))
		complain(f, sl_key_find("network", "deny_bind"),
			 "found \"*\", expected ports: binding is refused where no list allows it");
}

static void check_groups(struct sl_fill *f)
{
	static const char group[] = "sysv_ipc";

	if (sl_list_contains(&f->profile.syscalls.extra_allow, group) &&
	    sl_list_contains(&f->profile.syscalls.extra_deny, group))
		complain(f, sl_key_find("syscalls", "extra_deny"),
			 "found \"sysv_ipc\" here and in syscalls.extra_allow, expected it in one of them");
}

void sl_fill_check_relations(struct sl_fill *f)
{
	check_ids(f);
	check_exclusive(f, "allow", "deny");
	check_exclusive(f, "allow_bind", "deny_bind");
	check_any_port(f);
	check_groups(f);
}

#define NAME_MAX_LEN 32

/* How many single characters have to be changed, added, dropped or swapped with the next (optimal string
 * alignment), for short names. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t rows[3][NAME_MAX_LEN + 1] = {0}, la = strlen(a), lb = strlen(b);
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	if (la > NAME_MAX_LEN || lb > NAME_MAX_LEN)
		return NAME_MAX_LEN;
	for (size_t j = 0; j <= lb; j++)
		last[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *oldest = before;

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			row[j] =
			    SL_MIN(last[j - 1] + (a[i - 1] != b[j - 1]), SL_MIN(last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = SL_MIN(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = oldest;
	}
	return last[lb];
}

/* Near is at most a third of the name, and two. */
static bool is_nearer(const char *name, const char *known, size_t *best)
{
	size_t distance = edit_distance(name, known);

	if (distance >= *best || distance > 2 || distance * 3 > strlen(known) + 1)
		return false;
	*best = distance;
	return true;
}

const char *sl_nearest_section(const char *name)
{
	const char *near = NULL;
	size_t best = NAME_MAX_LEN;

	for (size_t i = 0; i < SL_PROFILE_KEYS; i++)
		if (is_nearer(name, sl_keys[i].section, &best))
			near = sl_keys[i].section;
	return is_nearer(name, "version", &best) ? "version" : near;
}

const char *sl_nearest_key(const char *section, const char *name, int version)
{
	static _Thread_local char other[2 * NAME_MAX_LEN + 2];
	const char *near = NULL;
	size_t best = NAME_MAX_LEN;

	for (size_t i = 0; i < SL_PROFILE_KEYS; i++)
		if (!strcmp(sl_keys[i].section, section) && sl_key_in_version(&sl_keys[i], version) &&
		    is_nearer(name, sl_keys[i].name, &best))
			near = sl_keys[i].name;
	if (near)
		return near;
	/* The right name in the wrong section. */
	for (size_t i = 0; i < SL_PROFILE_KEYS; i++)
		if (!strcmp(sl_keys[i].name, name) && sl_key_in_version(&sl_keys[i], version)) {
			snprintf(other, sizeof(other), "%s.%s", sl_keys[i].section, sl_keys[i].name);
			return other;
		}
	return NULL;
}
