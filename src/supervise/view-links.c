/*
 * view-links.c - what links of procfs say: /proc/PID/cwd, exe, root, fd/N and their like.
 *
 * What a process of the command holds is real, and so is the text of its links: a path in the upper, or a
 * path of the lower which the view has under another name. Those are said as the view has them; everything
 * else is left to the caller's own call.
 */
#include <fcntl.h>
#include <string.h>

#include "base/path.h"
#include "base/strbuf.h"
#include "supervise/view-calls.h"

#define DELETED " (deleted)"

/* "/proc/self/x" of the caller as we must write it; the process that it is of in *ret_pid. NULL where it is
 * none. */
static char *own_spelling(const struct sl_view_call *c, const char *text, pid_t *ret_pid)
{
	const char *rest;
	pid_t own = sl_tracee_tgid(c->tid);
	char *end;

	if (own <= 0 || strncmp(text, "/proc/", 6) != 0)
		return NULL;
	text += 6 + strspn(text + 6, "/");
	rest = text + strcspn(text, "/");
	*ret_pid = own;
	if (rest - text == 4 && !strncmp(text, "self", 4))
		return sl_xasprintf("/proc/%d%s", (int)own, rest);
	if (rest - text == 11 && !strncmp(text, "thread-self", 11))
		return sl_xasprintf("/proc/%d/task/%d%s", (int)own, (int)c->tid, rest);
	*ret_pid = (pid_t)strtol(text, &end, 10);
	return end == rest && end != text ? sl_xasprintf("/proc/%s", text) : NULL;
}

/* Could the caller read it itself? Its own; another's where the kernel judges us as it would judge the
 * caller. */
static bool may_read(const struct sl_view_call *c, pid_t pid)
{
	if (sl_tracee_tgid(pid) == sl_tracee_tgid(c->tid))
		return true;
	return !sl_view_other_caller(c) &&
	       sl_behalf_is_inside(c->v->behalf, pid);
}

void sl_view_runs(struct sl_view_calls *v, pid_t pid, const char *real, const char *name)
{
	struct sl_view_program *p = &v->programs[v->next_program++ % SL_VIEW_PROGRAMS];

	free(p->real);
	free(p->name);
	*p = (struct sl_view_program){.pid = pid, .real = sl_xstrdup(real), .name = sl_xstrdup(name)};
}

void sl_view_programs_release(struct sl_view_calls *v)
{
	for (size_t i = 0; i < SL_VIEW_PROGRAMS; i++) {
		free(SL_TAKE_PTR(v->programs[i].real));
		free(SL_TAKE_PTR(v->programs[i].name));
	}
}

/* Is the node, or anything where there is none, to be found under this name? */
static bool is_named(struct sl_view_calls *v, const char *name, const struct sl_vnode *n)
{
	const struct sl_view_ctx ctx = {.view = v->view, .root = v->root, .cwd = v->root, .creds = &v->own};
	SL_VWALK w;

	return sl_vwalk(&ctx, NULL, name, 0, 0, &w) == 0 && (!n || w.node == n);
}

/* The name by which a program was executed, if it still has it: of several hard links that one. */
static const char *program_name(struct sl_view_calls *v, pid_t pid, const char *real,
				const struct sl_vnode *n)
{
	const struct sl_view_program *found = NULL;

	for (size_t i = 0; i < SL_VIEW_PROGRAMS; i++) {
		const struct sl_view_program *p = &v->programs[(v->next_program + i) % SL_VIEW_PROGRAMS];

		if (p->real && !strcmp(p->real, real) && (!found || p->pid == pid || found->pid != pid))
			found = p;
	}
	return found && is_named(v, found->name, n) ? found->name : NULL;
}

/* The view's name of what the kernel calls real, in buf. False where that is right as it is. */
static bool rename_real(struct sl_view_calls *v, pid_t pid, char *real, char buf[PATH_MAX])
{
	const char *name;
	size_t len = strlen(real), cut = sizeof(DELETED) - 1;
	bool upper = sl_path_within(real, v->upper);
	struct sl_vnode *n = NULL;
	int r;

	if (real[0] != '/' || sl_path_within(real, "/proc") ||
	    (v->tmp_dir && sl_path_within(real, v->tmp_dir)))
		return false;
	if (upper && len > cut && !strcmp(real + len - cut, DELETED))
		real[len - cut] = '\0';
	r = sl_view_map(v, real, &n);
	if (r < 0 && !upper)
		return false;
	if (r == 0 && upper && !n->obj) { /* what lies beside the objects is none of the view's */
		sl_vnode_unuse(SL_TAKE_PTR(n));
		r = -ENOENT;
	}
	name = program_name(v, pid, real, n);
	if (name)
		r = snprintf(buf, PATH_MAX, "%s", name);
	else if (r == 0)
		r = sl_view_name(n, NULL, NULL, buf);
	if (n)
		sl_vnode_unuse(n);
	if (r < 0) /* it has no name any more: what it had is only known of the lower's */
		snprintf(buf, PATH_MAX, "%.*s" DELETED, PATH_MAX - (int)sizeof(DELETED), upper ? "/" : real);
	return strcmp(buf, real) != 0;
}

int sl_view_translate_link(struct sl_view_call *c, const char *text, char buf[PATH_MAX])
{
	SL_FREE char *link = NULL;
	char real[PATH_MAX];
	pid_t pid = 0;
	ssize_t len;

	link = own_spelling(c, text, &pid);
	if (!link || !may_read(c, pid))
		return SL_VIEW_CONTINUE;
	len = readlink(link, real, sizeof(real) - 1);
	if (len < 0)
		return SL_VIEW_CONTINUE;
	real[len] = '\0';
	return rename_real(c->v, sl_tracee_tgid(pid), real, buf) ? 0 : SL_VIEW_CONTINUE;
}
