/*
 * explain.c - run --explain: each right that a call needs is put to the policy; what it refuses is said on stderr with
 * the smallest line that would grant it, each denial once.
 *
 * What the run makes is remembered here too: the line for something that it made is its directory's.
 */
#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "kernel/seccomp.h"
#include "observe/event.h"
#include "profile/call-names.h"

static const struct {
	uint32_t right;
	enum sl_fs_key key;
	const char *what;
} right_keys[] = {
	{ SL_RIGHT_READ, SL_FS_READ, "read" },	   { SL_RIGHT_LIST, SL_FS_LIST, "list" },
	{ SL_RIGHT_EXEC, SL_FS_EXEC, "exec" },	   { SL_RIGHT_WRITE, SL_FS_WRITE, "write" },
	{ SL_RIGHT_CREATE, SL_FS_CREATE, "create" }, { SL_RIGHT_DELETE, SL_FS_DELETE, "delete" },
	{ SL_RIGHT_IOCTL, SL_FS_WRITE, "device control (write)" },
};

static uint64_t hash_text(const char *text)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 0x100000001b3ULL;
	return h | 1;
}

/* Was the text said already? A fixed table: a denial that was pushed out may be said again. */
bool sl_explain_said(struct sl_observer *o, const char *text)
{
	uint64_t h = hash_text(text);
	uint64_t *slot = &o->said[h >> 32 & (SL_SAID_SLOTS - 1)];

	/* Workers say something too. */
	return __atomic_exchange_n(slot, h, __ATOMIC_RELAXED) == h;
}

static void say(struct sl_event *e, size_t key, const char *grant)
{
	const char *what = right_keys[key].what, *raw = e->has_raw[0] ? e->raw[0] : grant;
	SL_STRBUF text = SL_STRBUF_INIT;
	SL_STRBUF tail = SL_STRBUF_INIT;

	sl_strbuf_addf(&tail, ": %s \"", e->call->name);
	sl_escape(&tail, raw, strlen(raw));
	sl_strbuf_addf(&tail, "\": %s is not granted; add to [filesystem] %s: \"", what,
		       sl_fs_key_name(right_keys[key].key));
	sl_escape(&tail, grant, strlen(grant));
	sl_strbuf_addstr(&tail, "\"\n");
	sl_strbuf_addstr(&text, sl_event_program(e));
	sl_strbuf_addstr(&text, sl_strbuf_str(&tail));
	if (sl_explain_said(e->o, sl_strbuf_str(&text)))
		return;
	fprintf(stderr, "sandlock: %s[%d]%s", sl_event_program(e), e->tid, sl_strbuf_str(&tail));
}

/* What a profile denies no entry can grant: the one that denies it is named. */
static void say_denied(struct sl_event *e, const struct sl_denied *denied, const char *path)
{
	const char *raw = e->has_raw[0] ? e->raw[0] : path;
	SL_STRBUF text = SL_STRBUF_INIT;
	SL_STRBUF tail = SL_STRBUF_INIT;

	sl_strbuf_addf(&tail, ": %s \"", e->call->name);
	sl_escape(&tail, raw, strlen(raw));
	sl_strbuf_addf(&tail, "\": denied by %s\n", denied->where);
	sl_strbuf_addstr(&text, sl_event_program(e));
	sl_strbuf_addstr(&text, sl_strbuf_str(&tail));
	if (!sl_explain_said(e->o, sl_strbuf_str(&text)))
		fprintf(stderr, "sandlock: %s[%d]%s", sl_event_program(e), e->tid, sl_strbuf_str(&tail));
}

/* Is the path denied? Then that was said. */
static bool explain_denied(struct sl_event *e, const char *path)
{
	const struct sl_denied *denied = sl_policy_denied(e->o->options.explain, path);

	if (denied)
		say_denied(e, denied, path);
	return denied;
}

static bool allows(const struct sl_event *e, uint32_t right, const char *path)
{
	const struct sl_policy *p = e->o->options.explain;

	for (const struct sl_implicit_grant *g = sl_implicit_grants; g->path; g++)
		if (!strcmp(g->path, path) && (g->rights & right) == right)
			return true;
	if (sl_path_within(path, "/proc/self") &&
	    sl_policy_allows_self(p, path + strlen("/proc/self") + (path[strlen("/proc/self")] == '/'), right))
		return true;
	return sl_policy_allows(p, &(struct sl_access){ right, path }, NULL);
}

/* The object whose entry would grant the right: the nearest directory that the run did not make. */
static char *grant_path(const struct sl_event *e, const char *path)
{
	char *at = sl_xstrdup(path);

	while (sl_facts_is_made(e->o->facts, at) && strcmp(at, "/") != 0) {
		char *up = sl_path_dirname(at);

		free(at);
		at = up;
	}
	return at;
}

static bool explain_rights(struct sl_event *e, uint32_t rights, const char *path)
{
	SL_FREE char *grant = grant_path(e, path);
	bool allowed = true;

	if (explain_denied(e, path))
		return false;
	for (size_t i = 0; i < SL_ARRAY_LEN(right_keys); i++) {
		uint32_t right = right_keys[i].right;

		if (!(rights & right) || allows(e, right, path))
			continue;
		allowed = false;
		if (right != SL_RIGHT_IOCTL || !(rights & SL_RIGHT_WRITE))
			say(e, i, grant);
	}
	return allowed;
}

/* The destination may not give rights that the source lacks; each missing one is a line for the source. */
static bool explain_refer(struct sl_event *e, const struct sl_step *step, const char *src, const char *dst)
{
	bool allowed = allows(e, SL_RIGHT_CREATE, src);

	if (!allowed)
		explain_rights(e, SL_RIGHT_CREATE, src);
	for (size_t i = 0; i < SL_ARRAY_LEN(right_keys); i++) {
		uint32_t right = right_keys[i].right;

		if (right == SL_RIGHT_CREATE || right == SL_RIGHT_IOCTL ||
		    (step->rights & SL_REFER_FILES && right & (SL_RIGHT_LIST | SL_RIGHT_DELETE)))
			continue;
		if (allows(e, right, dst) && !allows(e, right, src))
			allowed = explain_rights(e, right, src);
	}
	return allowed;
}

void sl_explain_unlisted(struct sl_observer *o, const struct seccomp_notif *n)
{
	const char *name = sl_call_name(n->data.nr), *portable = name ? sl_call_portable(name) : "?";
	struct sl_event *e = &o->event;
	SL_FREE char *tail = sl_xasprintf(": %s is not a listed system call; add to [syscalls] allow: \"%s\"\n",
					  name ? name : "?", portable);
	SL_FREE char *text = NULL;

	e->tid = (pid_t)n->pid;
	text = sl_xasprintf("%s%s", sl_event_program(e), tail);
	if (sl_notif_valid(e->listener, n->id) && !sl_explain_said(o, text))
		fprintf(stderr, "sandlock: %s[%d]%s", sl_event_program(e), e->tid, tail);
}

static bool explain_step(struct sl_event *e, const struct sl_step *step)
{
	bool allowed = true;

	switch (step->kind) {
	case SL_STEP_USE:
		return explain_rights(e, step->rights, step->path);
	case SL_STEP_REFER:
		allowed = explain_refer(e, step, step->path, step->path2);
		if (step->rights & SL_REFER_EXCHANGE)
			allowed = explain_refer(e, step, step->path2, step->path) && allowed;
		return allowed;
	case SL_STEP_MADE:
	case SL_STEP_GONE:
		return !explain_denied(e, step->path);
	case SL_STEP_NOTE:
		break;
	}
	return true;
}

bool sl_event_explain(struct sl_event *e)
{
	bool allowed = true;

	/* In their order. A file that may be made is made, also when opening it is then refused; where it may not be
	 * made, the call ends there, and the line that lets it be made lets it be written as well. */
	for (size_t i = 0; i < e->step_count; i++) {
		if (e->steps[i].kind == SL_STEP_MADE) {
			if (!allowed)
				break;
			sl_facts_made(e->o->facts, e->steps[i].path);
		}
		allowed = explain_step(e, &e->steps[i]) && allowed;
	}
	return allowed;
}
