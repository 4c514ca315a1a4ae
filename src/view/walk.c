/*
 * walk.c - see walk.h.
 *
 * A symbolic link is replaced in the text: what it says, then what followed it. So the rules for a last
 * component and for trailing slashes are the same for a path and for the end of a link.
 */
#include "view/walk.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>

#include "base/strbuf.h"
#include "view/perm.h"

#define MAX_LINKS 40 /* MAXSYMLINKS of the kernel */

struct walk {
	const struct sl_view_ctx *c;
	struct sl_vnode *root; /* what ".." does not leave */
	struct sl_vnode *cur;  /* used */
	char *text;
	const char *next; /* rest of text */
	uint64_t resolve;
	int flags;
	int links;
};

void sl_vwalk_release(struct sl_vwalk *w)
{
	sl_vnode_unuse(w->dir);
	sl_vnode_unuse(w->node);
	w->dir = NULL;
	w->node = NULL;
}

int sl_vnode_target(struct sl_vnode *n, char **ret)
{
	char buf[PATH_MAX];
	SL_CLOSE int fd = sl_vnode_attr_fd(n);
	ssize_t len;

	if (fd < 0)
		return fd;
	len = readlinkat(fd, "", buf, sizeof(buf));
	if (len < 0)
		return -errno;
	*ret = sl_xstrndup(buf, (size_t)len);
	return 0;
}

/* The names from here on are not the lower's. */
static void left_lower(const struct walk *w)
{
	if (w->c->trail)
		w->c->trail->moved = true;
}

/* Make node the directory where the walk stands. */
static int step(struct walk *w, struct sl_vnode *node)
{
	if (w->resolve & RESOLVE_NO_XDEV && node->dev != w->cur->dev)
		return -EXDEV;
	sl_vnode_use(node);
	sl_vnode_unuse(w->cur);
	w->cur = node;
	return 0;
}

static int step_root(struct walk *w)
{
	return w->resolve & RESOLVE_BENEATH ? -EXDEV : step(w, w->root);
}

static int step_up(struct walk *w)
{
	if (w->cur == w->root)
		return w->resolve & RESOLVE_BENEATH ? -EXDEV : 0;
	if (w->cur->self && !w->cur->self->clean)
		left_lower(w);
	return w->cur->parent ? step(w, w->cur->parent) : 0;
}

/* Does the walk end here, before a name of a file system that it does not enter? */
static bool at_closed(const struct walk *w, const char *name)
{
	struct sl_view_trail *trail = w->c->trail;

	if (!trail || !trail->no_proc || !w->cur->procfs)
		return false;
	free(trail->text);
	trail->text = sl_xasprintf("/%s/%s%s", w->cur->lower, name, w->next);
	return true;
}

/* The object of a name where the walk stands. */
static int look_up(const struct walk *w, const char *name, struct sl_vnode **ret)
{
	const struct sl_ventry *e = w->c->trail ? sl_ventry_find(w->cur, name) : NULL;

	if (at_closed(w, name))
		return SL_VIEW_ELSEWHERE;
	if (w->cur->dead || !w->cur->lower || (e && !e->clean))
		left_lower(w);
	return sl_vnode_lookup(w->cur, name, ret);
}

/* Replace the link by what it says, before the rest. The walk stands in the link's directory. */
static int follow(struct walk *w, struct sl_vnode *link, bool trailing)
{
	SL_FREE char *target = NULL;
	char *text;
	int r;

	if (w->links++ >= MAX_LINKS)
		return -ELOOP;
	if (trailing && (r = sl_vperm_follow(w->c, w->cur, link)) < 0)
		return r;
	if (w->resolve & RESOLVE_NO_SYMLINKS)
		return -ELOOP;
	r = sl_vnode_target(link, &target);
	if (r < 0)
		return r;
	if (!*target)
		return -ENOENT;
	text = sl_xasprintf("%s%s", target, w->next);
	free(w->text);
	w->text = text;
	w->next = text;
	return *text == '/' ? step_root(w) : 0;
}

/* Take the next name; what is left of the text begins with the slashes after it. */
static int take_name(struct walk *w, struct sl_vwalk *ret)
{
	const char *p = w->next + strspn(w->next, "/");
	size_t len = strcspn(p, "/");

	w->next = p + len;
	/* Too long is said by the lookup, after the checks of the directory. */
	snprintf(ret->name, sizeof(ret->name), "%.*s", (int)SL_MIN(len, (size_t)NAME_MAX + 1), p);
	ret->last = SL_VWALK_NORM;
	if (strcmp(ret->name, ".") == 0)
		ret->last = SL_VWALK_DOT;
	else if (strcmp(ret->name, "..") == 0)
		ret->last = SL_VWALK_DOTDOT;
	if (w->cur->attrs)
		left_lower(w);
	return sl_vperm(w->c, w->cur, X_OK);
}

static int walk_middle(struct walk *w, const struct sl_vwalk *name)
{
	SL_VNODE *node = NULL;
	int r;

	if (name->last == SL_VWALK_DOT)
		return 0;
	if (name->last == SL_VWALK_DOTDOT)
		return step_up(w);
	r = look_up(w, name->name, &node);
	if (r < 0)
		return r;
	if (S_ISLNK(node->mode))
		return follow(w, node, false);
	return sl_vnode_is_dir(node) ? step(w, node) : -ENOTDIR;
}

/* The last name. Returns 1 where a link was followed and the walk goes on. */
static int walk_last(struct walk *w, struct sl_vwalk *ret)
{
	SL_VNODE *node = NULL;
	int r;

	ret->slash = *w->next == '/';
	if (w->flags & SL_VWALK_PARENT) {
		if (ret->last == SL_VWALK_NORM && at_closed(w, ret->name))
			return SL_VIEW_ELSEWHERE;
		ret->dir = sl_vnode_use(w->cur);
		return 0;
	}
	if (ret->last != SL_VWALK_NORM) {
		r = ret->last == SL_VWALK_DOTDOT ? step_up(w) : 0;
		if (r == 0)
			ret->node = sl_vnode_use(w->cur);
		return r;
	}
	if (w->flags & SL_VWALK_CREATE && ret->slash)
		return -EISDIR;
	r = look_up(w, ret->name, &node);
	if (r == -ENOENT && w->flags & SL_VWALK_CREATE) {
		ret->dir = sl_vnode_use(w->cur);
		return 0;
	}
	if (r < 0)
		return r;
	if (S_ISLNK(node->mode) && (w->flags & SL_VWALK_FOLLOW || ret->slash)) {
		r = follow(w, node, true);
		return r < 0 ? r : 1;
	}
	if ((ret->slash || w->flags & SL_VWALK_DIRECTORY) && !sl_vnode_is_dir(node))
		return -ENOTDIR;
	if (w->resolve & RESOLVE_NO_XDEV && node->dev != w->cur->dev)
		return -EXDEV;
	ret->dir = sl_vnode_use(w->cur);
	ret->node = SL_TAKE_PTR(node);
	return 0;
}

static int walk_all(struct walk *w, struct sl_vwalk *ret)
{
	int r;

	if (*w->next == '/' && (r = step_root(w)) < 0)
		return r;
	for (;;) {
		if (!w->next[strspn(w->next, "/")]) {
			ret->last = SL_VWALK_ROOT;
			ret->node = sl_vnode_use(w->cur);
			return 0;
		}
		r = take_name(w, ret);
		if (r < 0)
			return r;
		if (w->next[strspn(w->next, "/")]) {
			r = walk_middle(w, ret);
		} else {
			r = walk_last(w, ret);
			if (r == 0)
				return 0;
		}
		if (r < 0)
			return r;
	}
}

int sl_vwalk(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, int flags,
	     uint64_t resolve, struct sl_vwalk *ret)
{
	struct walk w = {.c = c, .flags = flags, .resolve = resolve};
	struct sl_vnode *start;
	int r;

	*ret = (struct sl_vwalk){0};
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (!*path && !(flags & SL_VWALK_EMPTY))
		return -ENOENT;
	start = at ? at->node : c->cwd->node;
	if (!*path) {
		ret->last = SL_VWALK_ROOT;
		ret->node = sl_vnode_use(start);
		return 0;
	}
	w.root = resolve & (RESOLVE_IN_ROOT | RESOLVE_BENEATH) ? start : c->root->node;
	if (*path == '/' && !(resolve & (RESOLVE_IN_ROOT | RESOLVE_BENEATH)))
		start = w.root;
	if (!sl_vnode_is_dir(start))
		return -ENOTDIR;
	w.text = sl_xstrdup(path);
	w.next = w.text;
	w.cur = sl_vnode_use(start);
	r = walk_all(&w, ret);
	sl_vnode_unuse(w.cur);
	free(w.text);
	if (r < 0)
		sl_vwalk_release(ret);
	return r;
}

int sl_vwalk_object(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, int at_flags,
		    struct sl_vnode **ret)
{
	int flags = at_flags & AT_SYMLINK_NOFOLLOW ? 0 : SL_VWALK_FOLLOW;
	SL_VWALK w;
	int r;

	if (at_flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) {
		w = (struct sl_vwalk){0};
		return -EINVAL;
	}
	if (at_flags & AT_EMPTY_PATH)
		flags |= SL_VWALK_EMPTY;
	r = sl_vwalk(c, at, path, flags, 0, &w);
	if (r < 0)
		return r;
	*ret = SL_TAKE_PTR(w.node);
	return 0;
}
