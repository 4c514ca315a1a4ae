/*
 * summary.c - the lines of learn's summary.
 */
#include "observe/summary.h"

#include "profile/sensitive.h"

#define OPENED_MAX 10

/* A system directory in which what is there can be changed. */
static bool opens_guarded(const struct sl_opening *o)
{
	return (o->key == SL_FS_WRITE || o->key == SL_FS_CREATE || o->key == SL_FS_DELETE) &&
	       sl_path_sensitivity(o->path, NULL) == SL_SENSITIVE_GUARDED;
}

void sl_summary_warnings(struct sl_strbuf *out, const struct sl_observation *o)
{
	for (size_t i = 0; i < o->notes.len; i++)
		sl_strbuf_addf(out, "sandlock: warning: %s\n", o->notes.items[i]);
	for (size_t i = 0; i < o->opening_count; i++)
		if (opens_guarded(&o->openings[i])) {
			sl_strbuf_addstr(out, "sandlock: warning: ");
			sl_opening_format(out, &o->openings[i]);
			sl_strbuf_addch(out, '\n');
		}
	if (o->partial)
		sl_strbuf_addstr(out, "sandlock: warning: the profile is partial\n");
}

static const char *add_count(struct sl_strbuf *out, const char *separator, size_t count, const char *what)
{
	if (!count)
		return separator;
	sl_strbuf_addf(out, "%s%zu %s", separator, count, what);
	return ", ";
}

void sl_summary_format(struct sl_strbuf *out, const struct sl_observation *o, const struct sl_profile *p)
{
	const char *separator = "sandlock: profile: ";
	size_t said = 0;

	for (int key = 0; key < SL_FS_KEY_COUNT; key++) {
		if (!o->count[key])
			continue;
		sl_strbuf_addf(out, "%s%zu %s", separator, o->count[key], sl_fs_key_name((enum sl_fs_key)key));
		separator = ", ";
	}
	if (o->tmp_used) {
		sl_strbuf_addf(out, "%sprivate temporary directory", separator);
		separator = ", ";
	}
	separator = add_count(out, separator, p->network.allow.len, "destinations");
	separator = add_count(out, separator, p->network.allow_bind.len, "ports");
	separator = add_count(out, separator, p->network.unix_sockets.len, "sockets");
	if (sl_list_contains(&p->syscalls.extra_allow, "sysv_ipc")) {
		sl_strbuf_addf(out, "%ssysv_ipc", separator);
		separator = ", ";
	}
	sl_strbuf_addf(out, "%s\n", separator[0] == ',' ? "" : "sandlock: profile: nothing");
	if (o->used)
		sl_strbuf_addf(out, "sandlock: granted %zu%s / used %zu = %.2f%s\n", o->granted,
			       o->granted_more ? "+" : "", o->used, (double)o->granted / (double)o->used,
			       o->granted_more ? "+" : "");
	for (size_t i = 0; i < o->opening_count; i++) {
		const struct sl_opening *opening = &o->openings[i];

		/* That names can be seen, or removed, says itself. */
		if (opening->key == SL_FS_LIST || opening->key == SL_FS_DELETE || opens_guarded(opening) || said++ >= OPENED_MAX)
			continue;
		sl_strbuf_addstr(out, "sandlock: ");
		sl_opening_format(out, opening);
		sl_strbuf_addch(out, '\n');
	}
	if (said > OPENED_MAX)
		sl_strbuf_addf(out, "sandlock: %zu more entries open objects that were not used\n", said - OPENED_MAX);
	sl_summary_warnings(out, o);
}
