/*
 * merge.c - see merge.h. Each key follows one of a few rules; which one is told by its place in the profile.
 *
 * Everything is decided over all the profiles at once and the result is sorted, so the order of the profiles
 * shows only in what is the first one's.
 */
#include "profile/merge.h"

#include <string.h>

#include "base/path.h"
#include "profile/call-names.h"
#include "profile/keys.h"

#define BIT(key) (1u << (key))

struct merge {
	const struct sl_profile *in;
	size_t count;
	const struct sl_look *look;
	struct sl_profile *ret;
	struct sl_strv *notes;
	bool learned; /* the second one was learned, for the first one to grow */
};

static bool is_first_only(const struct sl_key *key)
{
	return !strcmp(key->section, "program") || !strcmp(key->section, "config") ||
	       !strcmp(key->section, "determinism") || key->type == SL_KEY_END ||
	       key->offset == offsetof(struct sl_profile, filesystem.chroot);
}

static bool is_limit(const struct sl_key *key)
{
	return !strcmp(key->section, "limits") || key->offset == offsetof(struct sl_profile, syscalls.allow);
}

static bool is_fs_grant(const struct sl_key *key)
{
	return key->offset >= offsetof(struct sl_profile, filesystem.lists[0]) &&
	       key->offset < offsetof(struct sl_profile, filesystem.lists[SL_FS_DENY]);
}

static void append(struct sl_list *dst, const struct sl_list *src)
{
	for (size_t i = 0; i < src->len; i++)
		sl_list_add(dst, src->items[i].text, 0);
	dst->present |= src->present;
}

static void unite_lists(struct merge *m, const struct sl_key *key)
{
	struct sl_list *list = sl_key_value(key, m->ret);

	sl_list_release(list);
	for (size_t i = 0; i < m->count; i++)
		append(list, sl_key_value_const(key, &m->in[i]));
}

static void note_dropped(struct merge *m, const struct sl_key *key, const struct sl_profile *lacking)
{
	SL_FREE char *where = lacking->file ? sl_xasprintf("%s", sl_esc(lacking->file)) : NULL;

	sl_strv_take(m->notes, sl_xasprintf("dropped %s.%s: %s has none", key->section, key->name,
					    where ? where : "one of the profiles"));
}

/* A limit: the widest, and only where everybody is limited. */
static void merge_limit(struct merge *m, const struct sl_key *key)
{
	const struct sl_profile *lacking = NULL;
	bool some = false;

	for (size_t i = m->count; i-- > 0;) {
		if (sl_key_is_set(key, &m->in[i]))
			some = true;
		else
			lacking = &m->in[i];
	}
	if (!some)
		return;
	/* What was used goes into the limits that there are, and no limit comes of it. */
	if (m->learned && !sl_key_is_set(key, &m->in[0]))
		return;
	if (m->learned)
		lacking = NULL;
	if (lacking)
		note_dropped(m, key, lacking);
	if (sl_key_is_list(key)) {
		unite_lists(m, key);
		if (lacking)
			sl_list_release(sl_key_value(key, m->ret));
		return;
	}
	for (size_t i = 0; i < m->count; i++) {
		int64_t *widest = sl_key_value(key, m->ret);

		*widest = SL_MAX(*widest, *(const int64_t *)sl_key_value_const(key, &m->in[i]));
		if (lacking)
			*widest = SL_INT_UNSET;
	}
}

static void merge_key(struct merge *m, const struct sl_key *key)
{
	if (is_first_only(key) || is_fs_grant(key))
		return;
	if (is_limit(key)) {
		merge_limit(m, key);
	} else if (sl_key_is_list(key)) {
		unite_lists(m, key);
	} else if (key->type == SL_KEY_BOOL) {
		enum sl_tristate *value = sl_key_value(key, m->ret);

		for (size_t i = 0; i < m->count; i++)
			*value =
			    SL_MAX(*value, *(const enum sl_tristate *)sl_key_value_const(key, &m->in[i]));
	} else if (key->type == SL_KEY_PRIVATE) {
		for (size_t i = 0; i < m->count; i++)
			*(bool *)sl_key_value(key, m->ret) |=
			    *(const bool *)sl_key_value_const(key, &m->in[i]);
	}
}

static void merge_grants(struct merge *m)
{
	struct sl_cover all = {0};
	struct sl_list *lists = m->ret->filesystem.lists;

	for (unsigned int key = 0; key < SL_FS_DENY; key++) {
		sl_list_release(&lists[key]);
		for (size_t i = 0; i < m->count; i++)
			lists[key].present |= m->in[i].filesystem.lists[key].present;
	}
	for (size_t i = 0; i < m->count; i++)
		sl_cover_add_profile(&all, &m->in[i]);
	sl_cover_sort(&all);
	for (size_t i = 0; i < all.len; i++) {
		unsigned int keys = all.items[i].keys;

		if (m->ret->version == 1 && keys & BIT(SL_FS_WRITE))
			keys &= ~BIT(SL_FS_READ);
		if (m->ret->version != 1 && keys & BIT(SL_FS_READ))
			keys &= ~BIT(SL_FS_LIST);
		keys &= ~sl_cover_above(&all, all.items[i].path, keys, m->ret->version, m->look);
		for (unsigned int key = 0; key < SL_FS_DENY; key++)
			if (keys & BIT(key))
				sl_list_add(&lists[key], all.items[i].path, 0);
	}
	sl_cover_release(&all);
}

/* Where one of the profiles allows everything but a list, what others allow is in that. Only the exceptions
 * stay: beside a list of what is allowed they would be taken from it. */
static void settle_exceptions(struct merge *m, const char *allow, const char *deny)
{
	const struct sl_key *a = sl_key_find("network", allow), *d = sl_key_find("network", deny);
	struct sl_list *allowed = sl_key_value(a, m->ret);
	bool open = false;

	for (size_t i = 0; i < m->count; i++) {
		const struct sl_list *listed = sl_key_value_const(a, &m->in[i]);
		const struct sl_list *denied = sl_key_value_const(d, &m->in[i]);

		open |= denied->len && !listed->len;
	}
	if (!open || !allowed->len)
		return;
	sl_strv_take(m->notes,
		     sl_xasprintf("dropped network.%s: with network.%s alone everything else is allowed",
				  allow, deny));
	sl_list_release(allowed);
}

static void list_remove(struct sl_list *l, const char *text)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->len; i++) {
		if (!strcmp(l->items[i].text, text))
			free(l->items[i].text);
		else
			l->items[kept++] = l->items[i];
	}
	l->len = kept;
}

/* Ports: "*" stands alone, and a range absorbs what is in it. */
static void settle_ports(struct sl_list *ports)
{
	size_t kept = 0;

	for (size_t i = 0; i < ports->len; i++) {
		const char *text = ports->items[i].text;
		char *end;
		long low = strtol(text, &end, 10), high = *end == '-' ? strtol(end + 1, NULL, 10) : low;
		bool within = strcmp(text, "*") != 0 && sl_list_contains(ports, "*");

		for (size_t j = 0; j < ports->len && !within && strcmp(text, "*") != 0; j++) {
			char *other_end;
			long a = strtol(ports->items[j].text, &other_end, 10);
			long b = *other_end == '-' ? strtol(other_end + 1, NULL, 10) : a;

			/* A port of 0 is one that the kernel picks: no part of a range. */
			within = low && a && a <= low && high <= b && b - a > high - low;
		}
		ports->items[i].line = within;
	}
	for (size_t i = 0; i < ports->len; i++) {
		if (ports->items[i].line)
			free(ports->items[i].text);
		else
			ports->items[kept++] = ports->items[i];
	}
	ports->len = kept;
}

/* What one key of the result forbids another, so that it loads. */
static void settle(struct merge *m)
{
	static const char group[] = "sysv_ipc";
	struct sl_profile *p = m->ret;

	settle_exceptions(m, "allow", "deny");
	settle_exceptions(m, "allow_bind", "deny_bind");
	sl_call_list_absorb(&p->syscalls.allow);
	settle_ports(&p->network.allow_bind);
	settle_ports(&p->network.deny_bind);
	if (sl_list_contains(&p->syscalls.extra_allow, group) &&
	    sl_list_contains(&p->syscalls.extra_deny, group)) {
		list_remove(&p->syscalls.extra_allow, group);
		sl_strv_add(m->notes,
			    "dropped \"sysv_ipc\" from syscalls.extra_allow: syscalls.extra_deny holds");
	}
}

static void note_covered(struct merge *m, const char *grant, const char *text, const char *deny)
{
	SL_STRBUF line = SL_STRBUF_INIT;

	sl_strbuf_addf(&line, "%s \"", grant);
	sl_escape(&line, text, strlen(text));
	sl_strbuf_addf(&line, "\" is covered by %s", deny);
	sl_strv_take(m->notes, sl_strbuf_detach(&line));
}

/* Name every grant that is the same as, or as a path below, something that is denied. */
static void warn_covered(struct merge *m)
{
	struct sl_profile *p = m->ret;
	struct sl_cover denied = {0};

	for (size_t i = 0; i < p->filesystem.lists[SL_FS_DENY].len; i++)
		sl_cover_add(&denied, p->filesystem.lists[SL_FS_DENY].items[i].text, BIT(SL_FS_DENY));
	sl_cover_sort(&denied);
	for (unsigned int key = 0; key < SL_FS_DENY && denied.len; key++)
		for (size_t i = 0; i < p->filesystem.lists[key].len; i++) {
			SL_FREE char *grant = sl_xasprintf("filesystem.%s", sl_fs_key_name(key));
			const char *path = p->filesystem.lists[key].items[i].text;

			if (sl_cover_on(&denied, path, 2) || sl_cover_above(&denied, path, ~0u, 2, NULL))
				note_covered(m, grant, path, "filesystem.deny");
		}
	sl_cover_release(&denied);
	for (size_t i = 0; i < p->network.allow.len; i++)
		if (sl_list_contains(&p->network.deny, p->network.allow.items[i].text))
			note_covered(m, "network.allow", p->network.allow.items[i].text, "network.deny");
	for (size_t i = 0; i < p->network.allow_bind.len; i++)
		if (sl_list_contains(&p->network.deny_bind, p->network.allow_bind.items[i].text))
			note_covered(m, "network.allow_bind", p->network.allow_bind.items[i].text,
				     "network.deny_bind");
	for (size_t i = 0; i < p->syscalls.allow.len; i++)
		if (sl_list_contains(&p->syscalls.extra_deny, p->syscalls.allow.items[i].text))
			note_covered(m, "syscalls.allow", p->syscalls.allow.items[i].text,
				     "syscalls.extra_deny");
}

void sl_profile_to_v2(const struct sl_profile *src, const struct sl_look *look, struct sl_profile *ret)
{
	static const enum sl_fs_key directory_keys[] = {SL_FS_CREATE, SL_FS_DELETE};
	struct sl_list *to = ret->filesystem.lists;
	const struct sl_list *read = &src->filesystem.lists[SL_FS_READ],
			     *write = &src->filesystem.lists[SL_FS_WRITE];

	sl_profile_init(ret, 2);
	sl_profile_copy(ret, src);
	if (src->version != 1)
		return;
	append(&to[SL_FS_EXEC], read);
	append(&to[SL_FS_READ], write);
	append(&to[SL_FS_EXEC], write);
	for (size_t i = 0; i < write->len; i++) {
		const char *path = write->items[i].text;

		if (look && look->is_file && look->is_file(path, look->arg))
			continue;
		for (size_t j = 0; j < SL_ARRAY_LEN(directory_keys); j++)
			sl_list_add(&to[directory_keys[j]], path, 0);
	}
}

static void merge_all(struct merge *m, const struct sl_profile *const *in)
{
	SL_FREE struct sl_profile *same = sl_xcalloc(m->count, sizeof(*same));
	int version = 1;

	m->in = same;
	for (size_t i = 0; i < m->count; i++)
		version = SL_MAX(version, in[i]->version);
	for (size_t i = 0; i < m->count; i++) {
		if (version != 1) {
			sl_profile_to_v2(in[i], m->look, &same[i]);
		} else {
			sl_profile_init(&same[i], version);
			sl_profile_copy(&same[i], in[i]);
		}
	}
	sl_profile_init(m->ret, version);
	sl_profile_copy(m->ret, &same[0]);
	for (size_t i = 0; i < SL_PROFILE_KEYS; i++)
		if (sl_key_in_version(&sl_keys[i], version))
			merge_key(m, &sl_keys[i]);
	merge_grants(m);
	sl_profile_sort(m->ret);
	settle(m);
	warn_covered(m);
	for (size_t i = 0; i < m->count; i++)
		sl_profile_release(&same[i]);
}

void sl_profile_merge(const struct sl_profile *const *in, size_t count, const struct sl_look *look,
		      struct sl_profile *ret, struct sl_strv *notes)
{
	struct merge m = {.count = count, .look = look, .ret = ret, .notes = notes};

	merge_all(&m, in);
}

void sl_profile_merge_learned(const struct sl_profile *old, const struct sl_profile *learned,
			      const struct sl_look *look, struct sl_profile *ret, struct sl_strv *notes)
{
	const struct sl_profile *const in[] = {old, learned};
	struct merge m = {.count = 2, .look = look, .ret = ret, .notes = notes, .learned = true};

	merge_all(&m, in);
}
