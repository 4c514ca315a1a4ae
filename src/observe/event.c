/*
 * event.c - collecting the steps of one call, resolving its paths as the caller, and putting the steps into the fact
 * store.
 */
#include "observe/event.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* A copy in the event's arena; NULL when it is full, which sixteen longest paths fill. */
static const char *keep(struct sl_event *e, const char *text)
{
	size_t len = strlen(text) + 1;
	char *copy = e->arena + e->arena_used;

	if (len > sizeof(e->arena) - e->arena_used)
		return NULL;
	memcpy(copy, text, len);
	e->arena_used += len;
	return copy;
}

static struct sl_step *add_step(struct sl_event *e, enum sl_step_kind kind, uint32_t rights, const char *path)
{
	struct sl_step *step = &e->steps[e->step_count];

	if (e->step_count == SL_STEPS_MAX)
		return NULL;
	*step = (struct sl_step){ .kind = kind, .rights = rights, .path = keep(e, path) };
	if (!step->path)
		return NULL;
	e->step_count++;
	return step;
}

void sl_event_use(struct sl_event *e, uint32_t rights, const char *path, bool is_dir)
{
	const char *name = sl_event_name(e, path, &is_dir);
	struct sl_step *step = name ? add_step(e, SL_STEP_USE, rights, name) : NULL;

	if (step)
		step->is_dir = is_dir;
}

void sl_event_made(struct sl_event *e, const char *path)
{
	if (sl_event_in_tmp(e, path))
		e->tmp_used = true;
	else if (path[0] == '/')
		add_step(e, SL_STEP_MADE, 0, path);
}

void sl_event_gone(struct sl_event *e, const char *path)
{
	if (path[0] == '/' && !sl_event_in_tmp(e, path))
		add_step(e, SL_STEP_GONE, 0, path);
}

int sl_event_into_tmp(struct sl_event *e, const char *src_dir, const char *dst_dir)
{
	if (e->o->options.explain || !sl_event_in_tmp(e, dst_dir) || sl_event_in_tmp(e, src_dir))
		return 0;
	sl_facts_note(e->o->facts, false,
		      "a move or link into the private temporary directory was answered with EXDEV, as run will: a "
		      "program that does not copy instead needs --shared-tmp");
	e->answer = -EXDEV;
	return -EXDEV;
}

void sl_event_refer(struct sl_event *e, const char *src_dir, const char *dst_dir, unsigned int flags)
{
	struct sl_step *step;

	/* Whatever is asked for outside, the private directory has it: nothing is missing at the source. */
	if (sl_event_in_tmp(e, src_dir))
		return;
	step = add_step(e, SL_STEP_REFER, flags, src_dir);
	if (!step)
		return;
	step->path2 = keep(e, dst_dir);
	if (!step->path2)
		e->step_count--;
}

void sl_event_note(struct sl_event *e, bool partial, const char *text)
{
	struct sl_step *step = add_step(e, SL_STEP_NOTE, 0, text);

	if (step)
		step->is_dir = partial;
}

/* Memory that stays closed even to us: a process that made itself undumpable, while we are an ordinary user. */
static void note_unseen(struct sl_event *e)
{
	SL_FREE char *text = sl_xasprintf("calls of %s could not be seen: it keeps its memory closed",
					  sl_event_program(e));

	if (!e->o->options.explain)
		sl_facts_note(e->o->facts, true, text);
}

int sl_event_read_path(struct sl_event *e, int which)
{
	int arg = which ? e->call->path2_arg : e->call->path_arg;
	ssize_t n;

	if (e->has_raw[which])
		return 0;
	if (arg == SL_NO_ARG)
		return -EINVAL;
	n = sl_memory_read_string(&e->o->memory, e->tid, e->n->data.args[arg], e->raw[which],
				  sizeof(e->raw[which]), e->o->now_ms);
	if (n == -EPERM || n == -EACCES)
		note_unseen(e);
	if (n < 0)
		return (int)n;
	e->has_raw[which] = true;
	return 0;
}

int sl_event_dirfd(const struct sl_event *e, int which)
{
	int arg = which ? e->call->dir2_arg : e->call->dir_arg;

	return arg == SL_NO_ARG ? AT_FDCWD : (int)e->n->data.args[arg];
}

/* What lies deeper than PATH_MAX is reached step by step; it has no name that a profile could hold. */
static void note_nameless(struct sl_event *e, const char *path)
{
	for (size_t len; *path; path += len + (path[len] == '/')) {
		len = strcspn(path, "/");
		if (len > NAME_MAX)
			return; /* the caller's own mistake */
	}
	sl_event_note(e, true, "something with a path longer than PATH_MAX was used, which a profile cannot name");
	e->failure_needs_rights = true;
}

int sl_event_resolve_path(struct sl_event *e, int dirfd, const char *path, const struct sl_resolve_opts *opts,
			  struct sl_resolved *ret)
{
	struct sl_resolve_opts as_caller = *opts;
	bool native = true;
	int r;

	if (e->differs)
		as_caller.creds = &e->caller;
	if (e->o->view.resolve)
		r = e->o->view.resolve(e->o->view.arg, dirfd, path, &as_caller, ret, &native);
	else
		r = sl_resolve_with(e->tid, dirfd, path, &as_caller, ret);
	if (!native)
		e->lenient = true;
	if (r == -EPERM)
		note_unseen(e);
	if (r == -ENAMETOOLONG)
		note_nameless(e, path);
	return r;
}

int sl_event_resolve_fd(struct sl_event *e, int fd, struct sl_resolved *ret)
{
	const struct sl_resolve_opts opts = { .flags = SL_RESOLVE_EMPTY };

	if (e->o->view.resolve && fd >= 0)
		return sl_event_resolve_path(e, fd, "", &opts, ret);
	return sl_resolve_fd(e->tid, fd, ret);
}

int sl_event_resolve_plain(struct sl_event *e, const char *path, int flags, struct sl_resolved *ret)
{
	return sl_event_resolve_path(e, AT_FDCWD, path, &(struct sl_resolve_opts){ .flags = flags }, ret);
}

int sl_event_resolve(struct sl_event *e, int which, int flags, struct sl_resolved *ret)
{
	int dirfd = sl_event_dirfd(e, which), r;

	if ((which ? e->call->path2_arg : e->call->path_arg) == SL_NO_ARG)
		return sl_event_resolve_fd(e, dirfd, ret);
	r = sl_event_read_path(e, which);
	if (r < 0)
		return r;
	return sl_event_resolve_path(e, dirfd, e->raw[which], &(struct sl_resolve_opts){ .flags = flags }, ret);
}

static void commit_step(struct sl_event *e, const struct sl_step *step)
{
	struct sl_facts *f = e->o->facts;

	switch (step->kind) {
	case SL_STEP_USE:
		sl_facts_add(f, step->rights, step->path, step->is_dir, e->tid);
		break;
	case SL_STEP_MADE:
		sl_facts_made(f, step->path);
		break;
	case SL_STEP_GONE:
		sl_facts_gone(f, step->path);
		break;
	case SL_STEP_REFER:
		sl_facts_refer(f, step->path, step->path2, step->rights);
		break;
	case SL_STEP_NOTE:
		sl_facts_note(f, step->is_dir, step->path);
		break;
	}
}

void sl_event_commit(struct sl_event *e)
{
	for (size_t i = 0; i < e->step_count; i++)
		commit_step(e, &e->steps[i]);
	if (e->tmp_used)
		sl_facts_tmp_used(e->o->facts);
}
