/*
 * view-policy.c - what the profile lets a command do on a view: asked before anything is done for a call that
 * is not continued.
 *
 * A right is what Landlock would find on the same tree: the rules on the object and on every directory above it,
 * where the view has it. A rule belongs to the object that had its path when the run began, so directories and
 * files that the view has moved take their rules along, and what came into their place has none. Moving or
 * linking something must give it no right that it lacks where it is (LANDLOCK_ACCESS_FS_REFER). Names that are
 * denied, and those that lead there, stay what they are, so a denied object is told by its path.
 *
 * What nobody has a name for may be opened anew by whoever has it open, with the rights of that descriptor.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/path.h"
#include "kernel/own-fd.h"
#include "supervise/view-calls.h"

/* Rights that mean something on what is no directory. */
#define FILE_RIGHTS (SL_RIGHT_READ | SL_RIGHT_EXEC | SL_RIGHT_WRITE | SL_RIGHT_IOCTL)

static uint32_t rule_at(const struct sl_policy *p, const char *lower, const char *name)
{
	char path[PATH_MAX];
	int len = name ? snprintf(path, sizeof(path), "/%s%s%s", lower, *lower ? "/" : "", name)
		       : snprintf(path, sizeof(path), "/%s", lower);

	return len < (int)sizeof(path) ? sl_policy_rule_rights(p, path) : 0;
}

/* The rights on a directory. */
static uint32_t rights_on_dir(const struct sl_policy *p, const struct sl_vnode *dir)
{
	uint32_t rights = 0;

	for (; dir; dir = dir->parent)
		if (dir->lower)
			rights |= rule_at(p, dir->lower, NULL);
	return rights;
}

/* The directory that a file has a name in, used: where it was met, else one of them. NULL: none is known. */
static struct sl_vnode *directory_of(const struct sl_place *p)
{
	struct sl_vnode *n = p->walk.node;
	SL_FREE char *lower = NULL;
	struct sl_vnode *dir = NULL;

	if (p->walk.dir && p->walk.last == SL_VWALK_NORM)
		return sl_vnode_use(p->walk.dir);
	if (sl_vnode_name(n))
		return sl_vnode_use(n->self->dir);
	if (!n->lower)
		return NULL;
	lower = sl_xstrdup(n->lower);
	*(strrchr(lower, '/') ? strrchr(lower, '/') : lower) = '\0';
	return sl_vnode_at_lower(n->view, lower, &dir) < 0 ? NULL : dir;
}

/* What the caller could do already through the descriptor by which it came. It is looked at after it was taken, so
 * that no other can be put under its number. */
static uint32_t rights_of_fd(const struct sl_view_call *c, const struct sl_place *p)
{
	static const uint32_t rights[] = {SL_RIGHT_READ, SL_RIGHT_WRITE, SL_RIGHT_READ | SL_RIGHT_WRITE, 0};
	bool nameless = p->via_fd && !sl_vnode_links(p->walk.node);
	SL_CLOSE int fd = nameless ? sl_fd_take(c->tid, p->fd) : -EBADF;
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
	struct sl_vnode *n = NULL;
	char real[PATH_MAX];
	bool same;

	if (flags < 0 || flags & O_PATH || sl_fd_path(fd, real, sizeof(real)) < 0 ||
	    sl_view_map(c->v, real, &n) < 0)
		return 0;
	same = n == p->walk.node;
	sl_vnode_unuse(n);
	return same ? rights[flags & O_ACCMODE] : 0;
}

static uint32_t rights_unnamed(const struct sl_view_calls *v, const struct sl_vnode *n)
{
	for (size_t i = 0; i < v->unnamed_len; i++)
		if (v->unnamed[i].file->node == n)
			return v->unnamed[i].rights;
	return 0;
}

/* The rights on the object of a place, by the rules alone. */
static uint32_t rights_on(const struct sl_view_call *c, const struct sl_place *p)
{
	const struct sl_policy *policy = c->v->policy;
	const struct sl_vnode *n = p->walk.node;
	const struct sl_ventry *e;
	struct sl_vnode *dir;
	uint32_t rights;

	if (sl_vnode_is_dir(n))
		return rights_on_dir(policy, n);
	rights = n->lower ? rule_at(policy, n->lower, NULL) : 0;
	dir = directory_of(p);
	if (!dir)
		return rights | rights_unnamed(c->v, n);
	e = p->walk.last == SL_VWALK_NORM ? sl_ventry_find(dir, p->walk.name) : NULL;
	if (dir->lower && p->walk.dir && p->walk.last == SL_VWALK_NORM && (!e || e->clean))
		rights |= rule_at(policy, dir->lower, p->walk.name); /* another of its names than n->lower */
	rights |= rights_on_dir(policy, dir);
	sl_vnode_unuse(dir);
	return rights;
}

/* Is the object denied, by the path that it has or had? */
static bool is_denied(const struct sl_view_call *c, const struct sl_place *p)
{
	const struct sl_policy *policy = c->v->policy;
	const struct sl_vnode *n = p->walk.node;
	bool named = p->walk.dir && p->walk.last == SL_VWALK_NORM;
	char path[PATH_MAX];
	int r;

	if (!policy->deny.count)
		return false;
	if (n->lower && snprintf(path, sizeof(path), "/%s", n->lower) < (int)sizeof(path) &&
	    sl_policy_denied(policy, path))
		return true;
	r = sl_view_name(p->walk.node, named ? p->walk.dir : NULL, named ? p->walk.name : NULL, path);
	return r == 0 ? sl_policy_denied(policy, path) != NULL : r != -ENOENT;
}

int sl_view_may(const struct sl_view_call *c, const struct sl_place *p, uint32_t rights)
{
	uint32_t lacks;

	if (!c->v->policy)
		return 0;
	if (p->kind != SL_PLACE_VIEW || !p->walk.node || is_denied(c, p))
		return -EACCES;
	lacks = rights & ~rights_on(c, p);
	return !lacks || !(lacks & ~rights_of_fd(c, p)) ? 0 : -EACCES;
}

/* Must the name stay as it is? exact: only where it is denied itself. */
static bool is_held(const struct sl_policy *policy, const struct sl_place *p, bool exact)
{
	char path[PATH_MAX];

	if (!policy->deny.count)
		return false;
	if (sl_view_name(NULL, p->walk.dir, p->walk.name, path) < 0)
		return true;
	return exact ? sl_policy_denied(policy, path) != NULL
		     : sl_policy_denied(policy, path) || sl_deny_below(&policy->deny, path);
}

int sl_view_may_name(const struct sl_view_call *c, const struct sl_place *p, uint32_t rights)
{
	const struct sl_policy *policy = c->v->policy;

	if (!policy)
		return 0;
	if (!p->walk.dir || p->walk.last != SL_VWALK_NORM || p->walk.dir->dead)
		return 0; /* the view says what is wrong with it */
	if (is_held(policy, p, c->op == SL_OP_MKDIR))
		return -EACCES;
	return rights & ~rights_on_dir(policy, p->walk.dir) ? -EACCES : 0;
}

uint32_t sl_view_rights_in(const struct sl_view_calls *v, const struct sl_vnode *dir)
{
	return v->policy ? rights_on_dir(v->policy, dir) : SL_RIGHTS_ALL;
}

/* Would the object have rights in the directory that it lacks where it is? Its own rules go with it. */
static bool gains(const struct sl_view_call *c, const struct sl_place *object, const struct sl_vnode *there)
{
	return rights_on_dir(c->v->policy, there) & ~rights_on(c, object) &
	       (sl_vnode_is_dir(object->walk.node) ? SL_RIGHTS_ALL : FILE_RIGHTS);
}

int sl_view_may_rename(const struct sl_view_call *c, const struct sl_place *from, const struct sl_place *to,
		       bool exchange)
{
	const struct sl_policy *policy = c->v->policy;
	bool across = from->walk.dir != to->walk.dir;
	uint32_t at_from = SL_RIGHT_DELETE, at_to = SL_RIGHT_CREATE;

	if (!policy || !from->walk.node || (exchange && !to->walk.node))
		return 0; /* it fails */
	if (exchange)
		at_from |= SL_RIGHT_CREATE;
	if (to->walk.node)
		at_to |= SL_RIGHT_DELETE;
	if (sl_view_may_name(c, from, at_from) < 0 || sl_view_may_name(c, to, at_to) < 0 ||
	    is_denied(c, from) || (to->walk.node && is_denied(c, to)))
		return -EACCES;
	if (!across)
		return 0;
	if (!(rights_on_dir(policy, from->walk.dir) & SL_RIGHT_CREATE))
		return -EXDEV;
	return gains(c, from, to->walk.dir) || (exchange && gains(c, to, from->walk.dir)) ? -EXDEV : 0;
}

int sl_view_may_link(const struct sl_view_call *c, const struct sl_place *from, const struct sl_place *to)
{
	const struct sl_policy *policy = c->v->policy;
	struct sl_vnode *dir;
	uint32_t here;

	if (!policy || to->walk.node)
		return 0;
	if (sl_view_may_name(c, to, SL_RIGHT_CREATE) < 0 || is_denied(c, from))
		return -EACCES;
	dir = directory_of(from);
	if (dir && dir == to->walk.dir) {
		sl_vnode_unuse(dir);
		return 0;
	}
	here = dir ? rights_on_dir(policy, dir) : rights_unnamed(c->v, from->walk.node);
	sl_vnode_unuse(dir);
	if (!(here & SL_RIGHT_CREATE))
		return -EXDEV;
	return gains(c, from, to->walk.dir) ? -EXDEV : 0;
}

/* ---- what stays real, on a way that only the view knows ---- */

/* The real path of what a place is, or would be. */
static int there_path(const struct sl_place *p, char path[PATH_MAX])
{
	const struct sl_vwalk *w = &p->walk;
	bool named = w->dir && w->last == SL_VWALK_NORM;
	const struct sl_vnode *n = named ? w->dir : w->node ? w->node : w->dir;
	int len;

	if (p->kind == SL_PLACE_PROC)
		len = snprintf(path, PATH_MAX, "%s", p->text);
	else if (p->kind != SL_PLACE_VIEW || !n || !n->lower)
		return -EACCES;
	else if (named)
		len = snprintf(path, PATH_MAX, "/%s%s%s%s", n->lower, *n->lower ? "/" : "", w->name,
			       w->slash ? "/" : "");
	else
		len = snprintf(path, PATH_MAX, "/%s", n->lower);
	return len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* The arguments of the call with other strings, which lie at addr. */
static int there_arguments(const struct sl_view_call *c, uint64_t addr, size_t first_len, uint64_t args[6])
{
	memcpy(args, c->n->data.args, 6 * sizeof(args[0]));
	if (c->row->path_arg != SL_NO_ARG)
		args[c->row->path_arg] = addr;
	if (c->row->path2_arg != SL_NO_ARG)
		args[c->row->path2_arg] = c->row->path_arg != SL_NO_ARG ? addr + first_len : addr;
	if (c->op != SL_OP_OPENAT2)
		return c->n->data.nr;
	args[0] = (uint64_t)(int64_t)AT_FDCWD;
	args[2] = (uint64_t)(unsigned int)c->open_flags;
	args[3] = c->open_mode;
	return __NR_openat;
}

int sl_view_call_there(const struct sl_view_call *c, const struct sl_place *first, const struct sl_place *second)
{
	char text[2 * PATH_MAX], path[PATH_MAX];
	struct sl_substitution *s;
	uint64_t addr, args[6];
	int64_t result = 0;
	size_t first_len, len;
	int r = there_path(first, path);

	if (r < 0)
		return r;
	first_len = len = strlen(path) + 1;
	memcpy(text, path, len);
	if (second) {
		r = there_path(second, path);
		if (r < 0)
			return r;
		memcpy(text + len, path, strlen(path) + 1);
		len += strlen(path) + 1;
	}
	r = sl_substitute_begin(c->v->substitute, c->n, &s);
	if (r < 0)
		return r == -EPERM ? sl_view_untraceable(c->v) : r;
	if (r > 0)
		return -ECANCELED; /* it makes its call anew, or is gone: nobody hears this answer */
	r = sl_substitute_place(s, len, &addr);
	if (r == 0 && sl_tracee_write(sl_substitute_tid(s), addr, text, len) < 0)
		r = -ENOMEM;
	if (r == 0) {
		int nr = there_arguments(c, addr, first_len, args);

		r = sl_substitute_call(s, nr, args, true, &result);
	}
	return sl_substitute_end(s, r < 0 ? r : result) ? SL_VIEW_ANSWERED : -ECANCELED;
}
