/*
 * merge.c - see merge.h. Each key follows one of a few rules; which one is told by its place in the profile.
 *
 * Everything is decided over all the profiles at once and the result is sorted, so the order of the profiles
 * shows only in what is the first one's.
 */
#include "profile/merge.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/path.h"
#include "profile/call-names.h"
#include "profile/destination.h"
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

/* The rule for every request that a destination lets through whole. */
static char *any_request(const char *destination)
{
	char text[INET6_ADDRSTRLEN];
	struct sl_destination d;
	char *rule = NULL;

	sl_destination_parse(&d, destination);
	if (!(d.protocols & SL_DESTINATION_TCP))
		rule = NULL;
	else if (d.host)
		rule = sl_xasprintf("* %s", d.host);
	else if (d.any || d.prefix != 128)
		rule = sl_xstrdup("* *");
	else if (IN6_IS_ADDR_V4MAPPED(&d.address))
		rule = sl_xasprintf("* %s", inet_ntop(AF_INET, d.address.s6_addr + 12, text, sizeof(text)));
	else
		rule = sl_xasprintf("* [%s]", inet_ntop(AF_INET6, &d.address, text, sizeof(text)));
	sl_destination_release(&d);
	return rule;
}

/*
 * A profile without rules for HTTP judges no request: what its network rules let through passes whole. Beside
 * a profile that has some, the rules that say so are written.
 */
static void unite_requests(struct merge *m)
{
	struct sl_list *rules = &m->ret->http.allow;
	bool some = rules->len > 0;

	for (size_t i = 0; i < m->count && some; i++) {
		const struct sl_profile *p = &m->in[i];
		bool everywhere = !p->network.allow.len && p->network.deny.len;
		size_t before = rules->len;

		if (p->http.allow.len)
			continue;
		if (everywhere)
			sl_list_add(rules, "* *", 0);
		for (size_t j = 0; j < p->network.allow.len; j++) {
			SL_FREE char *rule = any_request(p->network.allow.items[j].text);

			if (rule)
				sl_list_add(rules, rule, 0);
		}
		if (rules->len == before)
			continue;
		sl_strv_take(
		    m->notes,
		    sl_xasprintf(
			"added to http.allow every request that the network rules of %s let through: "
			"it has no rules for HTTP",
			p->file ? sl_esc(p->file) : "one of the profiles"));
	}
}

/* Of what is the first profile's alone: say where another one differs, for that is lost. */
static void note_differing(struct merge *m)
{
	static const char *const names[] = {"chroot", "on_exit", "on_error"};
	static const enum sl_on_end defaults[] = {SL_END_UNSET, SL_END_COMMIT, SL_END_ABORT};

	for (size_t n = 0; n < SL_ARRAY_LEN(names); n++) {
		const struct sl_key *key = sl_key_find("filesystem", names[n]);

		for (size_t i = 1; i < m->count && !m->learned; i++) {
			const void *a = sl_key_value_const(key, &m->in[0]),
				   *b = sl_key_value_const(key, &m->in[i]);
			bool differs;

			if (key->type == SL_KEY_STRING) {
				const char *x = *(char *const *)a, *y = *(char *const *)b;

				differs = x && y ? strcmp(x, y) != 0 : x != y;
			} else {
				enum sl_on_end x = *(const enum sl_on_end *)a, y = *(const enum sl_on_end *)b;

				differs = (x ? x : defaults[n]) != (y ? y : defaults[n]);
			}
			if (differs)
				sl_strv_take(
				    m->notes,
				    sl_xasprintf("filesystem.%s of %s differs: the first profile's holds",
						 names[n],
						 m->in[i].file ? sl_esc(m->in[i].file) : "another profile"));
		}
	}
}

/* What one key of the result forbids another, so that it loads. */
static void settle(struct merge *m)
{
	static const char group[] = "sysv_ipc";
	struct sl_profile *p = m->ret;

	settle_exceptions(m, "allow", "deny");
	settle_exceptions(m, "allow_bind", "deny_bind");
	sl_call_list_absorb(&p->syscalls.allow);
	sl_ports_absorb(&p->network.allow_bind);
	sl_ports_absorb(&p->network.deny_bind);
	sl_destinations_absorb(&p->network.allow);
	sl_destinations_absorb(&p->network.deny);
	sl_http_rules_absorb(&p->http.allow);
	sl_http_rules_absorb(&p->http.deny);
	sl_profile_sort(p);
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

static void warn_covered_rules(struct merge *m, const char *allow, const struct sl_list *allowed,
			       const char *deny, const struct sl_list *denied,
			       bool (*covers)(const char *wide, const char *narrow))
{
	for (size_t i = 0; i < allowed->len; i++)
		for (size_t j = 0; j < denied->len; j++)
			if (covers(denied->items[j].text, allowed->items[i].text)) {
				note_covered(m, allow, allowed->items[i].text, deny);
				break;
			}
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
	for (size_t i = 0; i < p->network.allow.len && p->network.deny.len; i++)
		if (sl_destinations_cover(&p->network.deny, p->network.allow.items[i].text))
			note_covered(m, "network.allow", p->network.allow.items[i].text, "network.deny");
	warn_covered_rules(m, "network.allow_bind", &p->network.allow_bind, "network.deny_bind",
			   &p->network.deny_bind, sl_ports_cover);
	warn_covered_rules(m, "http.allow", &p->http.allow, "http.deny", &p->http.deny, sl_http_rule_covers);
	for (size_t i = 0; i < p->syscalls.allow.len; i++)
		if (sl_list_contains(&p->syscalls.extra_deny, p->syscalls.allow.items[i].text))
			note_covered(m, "syscalls.allow", p->syscalls.allow.items[i].text,
				     "syscalls.extra_deny");
}

/* Version 1 lets the devices in a directory be controlled; write on the directory does so in /dev alone. */
static void add_devices(struct sl_list *write, const char *dir, const struct sl_look *look)
{
	struct sl_strv devices = SL_STRV_INIT;

	if (!look || !look->devices || !strcmp(dir, "/") || sl_path_within(dir, "/dev"))
		return;
	look->devices(dir, &devices, look->arg);
	for (size_t i = 0; i < devices.len; i++)
		sl_list_add(write, devices.items[i], 0);
	sl_strv_release(&devices);
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
		add_devices(&to[SL_FS_WRITE], path, look);
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
	unite_requests(m);
	merge_grants(m);
	note_differing(m);
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
