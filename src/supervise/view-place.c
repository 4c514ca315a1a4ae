/*
 * view-place.c - from a path or a descriptor of the caller to an object of the view.
 *
 * A caller holds real descriptors and has a real working directory: of the lower, or of the objects in the
 * upper. What is behind one is told by the text of its link in /proc: below the upper's path a number names
 * the object, any other path is walked along the lower's own names (sl_vnode_at_lower()), so a directory
 * that the view has moved is found under its new name.
 *
 * The view's walk never enters procfs, where "self" would be the tool. It stops there (sl_view_trail), and
 * the rest is looked at here: a magic link of the caller's own (cwd, root, fd/N, exe) leads back into the
 * view, everything else stays procfs's.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/path.h"
#include "base/strbuf.h"
#include "supervise/view-calls.h"

#define HOPS_MAX 40 /* links, as the kernel counts them */
#define SHELF	 "/" SL_VIEW_SHELF "/."

void sl_place_release(struct sl_place *p)
{
	sl_vwalk_release(&p->walk);
}

void sl_view_forget_stood(struct sl_view_calls *v)
{
	for (size_t i = 0; i < SL_VIEW_STOOD; i++) {
		sl_vnode_unuse(v->stood[i]);
		v->stood[i] = NULL;
	}
}

/* ---- descriptors ---- */

/* Bytes before the number of an object in a path of the upper; 0: it is none. */
static size_t prefix_length(const struct sl_view_calls *v, const char *path, bool *ret_on_shelf)
{
	const char *upper = sl_view_upper_path(v->view);
	size_t len = strlen(upper);

	if (strncmp(path, upper, len) != 0 || path[len] != '/')
		return 0;
	*ret_on_shelf = !strncmp(path + len, SHELF, strlen(SHELF));
	return len + (*ret_on_shelf ? strlen(SHELF) : 1);
}

/* The number of an object of the upper, of "/…/upper/0000002a"; 0 for any other path. *ret_rest: what
 * follows. */
static uint32_t object_number(const struct sl_view_calls *v, const char *path, const char **ret_rest)
{
	bool is_on_shelf = false;
	size_t len = prefix_length(v, path, &is_on_shelf);
	uint32_t number = 0;
	int digits = 0;

	if (!len)
		return 0;
	for (path += len; digits < 8; digits++, path++) {
		const char *hex = "0123456789abcdef", *digit = *path ? strchr(hex, *path) : NULL;

		if (!digit)
			return 0;
		number = number << 4 | (uint32_t)(digit - hex);
	}
	if (*path && *path != '/')
		return 0;
	if (is_on_shelf && *path) /* the name of a program, which is the object itself */
		path += strlen(path);
	*ret_rest = path;
	return number;
}

/* Is it, or was it, an object of the upper? One that has no name any more has " (deleted)" behind its number. */
static bool is_upper(const struct sl_view_calls *v, const char *path)
{
	const char *upper = sl_view_upper_path(v->view);
	size_t len = strlen(upper);

	return strncmp(path, upper, len) == 0 && path[len] == '/';
}

int sl_view_map(struct sl_view_calls *v, const char *real, struct sl_vnode **ret)
{
	const char *rest;
	uint32_t obj = object_number(v, real, &rest);
	struct sl_vnode *n;

	if (obj) {
		n = *rest ? NULL : sl_vnode_of_object(v->view, obj);
		if (!n)
			return -ENOENT;
		*ret = sl_vnode_use(n);
		return 0;
	}
	if (real[0] != '/')
		return -ENOENT;
	return sl_vnode_at_lower(v->view, real + 1, ret);
}

/* A lower path has no leading slash. */
static bool is_below(const char *lower, const char *dir)
{
	return !dir[1] || sl_path_within(lower, dir + 1);
}

bool sl_view_stays_real(const char *lower, void *arg)
{
	const struct sl_view_calls *v = arg;

	return (v->tmp_dir && is_below(lower, v->tmp_dir)) || (v->policy && !is_below(lower, v->policy->view));
}

static void keep_stood(struct sl_view_calls *v, struct sl_vnode *n)
{
	struct sl_vnode **slot = &v->stood[v->next_stood % SL_VIEW_STOOD];

	if (!n || !sl_vnode_is_dir(n) || n->lower)
		return;
	for (size_t i = 0; i < SL_VIEW_STOOD; i++)
		if (v->stood[i] == n)
			return;
	v->next_stood++;
	sl_vnode_unuse(*slot);
	*slot = sl_vnode_use(n);
}

static bool is_changed(const struct sl_vnode *n)
{
	return n && (n->obj || n->links_delta || sl_vnode_changed_ns(n) || n->dead || !n->lower);
}

/* What a link of /proc leads to. The text of the link is the kernel's. */
static int follow_link(struct sl_view_call *c, const char *link, struct sl_place *ret)
{
	char real[PATH_MAX];
	ssize_t len = readlink(link, real, sizeof(real));
	int r;

	if (len < 0)
		return -errno;
	if ((size_t)len >= sizeof(real))
		return -ENAMETOOLONG;
	real[len] = '\0';
	r = sl_view_map(c->v, real, &ret->walk.node);
	if (r == -ENOENT || r == -ENOTDIR) {
		ret->kind = SL_PLACE_OPEN;
		ret->moved = is_upper(c->v, real);
		snprintf(ret->text, sizeof(ret->text), "%s", link);
		return 0;
	}
	if (r < 0)
		return r;
	keep_stood(c->v, ret->walk.node);
	ret->kind = SL_PLACE_VIEW;
	ret->walk.last = SL_VWALK_ROOT;
	/* A directory of the upper has nothing in it: the caller's own look-ups there find nothing. */
	ret->moved = is_upper(c->v, real);
	ret->changed = is_changed(ret->walk.node);
	return 0;
}

int sl_view_locate_fd(struct sl_view_call *c, int fd, struct sl_place *ret)
{
	const struct sl_view_sought what = {.at = fd, .path = ""};
	char link[64];
	int r;

	if (sl_view_recall(c, &what, ret, &r))
		return r;
	*ret = SL_PLACE_INIT;
	if (fd == AT_FDCWD)
		snprintf(link, sizeof(link), "/proc/%d/cwd", (int)c->tid);
	else if (fd >= 0)
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)c->tid, fd);
	else
		return -EBADF;
	r = follow_link(c, link, ret);
	if (r == -ENOENT)
		return fd == AT_FDCWD ? -ESRCH : -EBADF;
	if (fd >= 0) {
		ret->via_fd = true;
		ret->fd = fd;
	}
	sl_view_memorize(c, &what, ret, r);
	return r;
}

/* ---- procfs ---- */

/* One path below /proc, taken apart. */
struct proc_path {
	char link[64];	  /* the magic link, of the process that it is of */
	const char *rest; /* what follows it, with its slashes */
	bool magic, own;
	int fd; /* of fd/N, else -EBADF */
};

static size_t component(const char **at, char name[NAME_MAX + 1])
{
	size_t len;

	*at += strspn(*at, "/");
	len = strcspn(*at, "/");
	if (len > NAME_MAX)
		return 0;
	memcpy(name, *at, len);
	name[len] = '\0';
	*at += len;
	return len;
}

static bool parse_number(const char *text, int *ret)
{
	char *end;
	long value;

	if (*text < '0' || *text > '9')
		return false;
	value = strtol(text, &end, 10);
	if (*end || value > INT32_MAX)
		return false;
	*ret = (int)value;
	return true;
}

/* Is text "/proc/SELF[/task/TID]/cwd", root, exe or fd/N, of the caller's own process? */
static void parse_proc(const struct sl_view_call *c, const char *text, struct proc_path *ret)
{
	char name[NAME_MAX + 1];
	const char *at = text;
	pid_t own = sl_tracee_tgid(c->tid);
	int pid, thread = 0, n;

	*ret = (struct proc_path){.fd = -EBADF, .rest = ""};
	if (own <= 0 || !component(&at, name) || strcmp(name, "proc") != 0 || !component(&at, name))
		return;
	if (!strcmp(name, "thread-self"))
		thread = c->tid;
	if (!strcmp(name, "self") || thread)
		pid = own;
	else if (!parse_number(name, &pid))
		return;
	ret->own = pid == own || sl_tracee_tgid(pid) == own;
	if (!ret->own || !component(&at, name))
		return;
	if (!thread && !strcmp(name, "task")) {
		if (!component(&at, name) || !parse_number(name, &thread) || !component(&at, name))
			return;
		if (sl_tracee_tgid(thread) != own)
			return;
	}
	if (!thread)
		thread = pid;
	if (!strcmp(name, "fd")) {
		if (!component(&at, name) || !parse_number(name, &n))
			return;
		ret->fd = n;
		snprintf(ret->link, sizeof(ret->link), "/proc/%d/fd/%d", thread, n);
	} else if (!strcmp(name, "cwd") || !strcmp(name, "root") || !strcmp(name, "exe")) {
		snprintf(ret->link, sizeof(ret->link), "/proc/%d/%.4s", thread, name);
	} else {
		return;
	}
	ret->magic = true;
	ret->rest = at;
}

/* ---- paths ---- */

struct locating {
	struct sl_view_call *c;
	int flags;
	uint64_t resolve;
	bool moved;
	struct sl_vnode *base; /* used; what path is relative to */
	char *path;
};

/* The walk stopped before text, a path below /proc. Returns 1 where it goes on, from l->base; 0 at the place.
 */
static int enter_proc(struct locating *l, const char *text, struct sl_place *ret)
{
	struct proc_path p;
	bool more;
	int r;

	parse_proc(l->c, text, &p);
	more = p.magic && p.rest[strspn(p.rest, "/")];
	if (!p.magic || (!more && !(l->flags & SL_VWALK_FOLLOW) && !*p.rest)) {
		if (strlen(text) >= sizeof(ret->text))
			return -ENAMETOOLONG;
		ret->kind = SL_PLACE_PROC;
		snprintf(ret->text, sizeof(ret->text), "%s", text);
		return 0;
	}
	if (l->resolve & (RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS))
		return -ELOOP;
	if (l->resolve & (RESOLVE_IN_ROOT | RESOLVE_BENEATH))
		return -EXDEV;
	r = follow_link(l->c, p.link, ret);
	if (r < 0)
		return r;
	if (!more) {
		ret->via_fd = p.fd >= 0;
		ret->fd = p.fd;
		if (*p.rest && (ret->kind != SL_PLACE_VIEW || !sl_vnode_is_dir(ret->walk.node)))
			return -ENOTDIR;
		return 0;
	}
	if (ret->kind != SL_PLACE_VIEW)
		return -ENOENT;
	l->moved |= ret->moved;
	sl_vnode_unuse(l->base);
	l->base = SL_TAKE_PTR(ret->walk.node);
	free(l->path);
	l->path = sl_xstrdup(p.rest + strspn(p.rest, "/"));
	return 1;
}

/* Where the walk begins: paths in the upper, which a caller may have been told, mean its objects. */
static int find_base(struct locating *l, int at, const char *path)
{
	struct sl_place base = SL_PLACE_INIT;
	bool scoped = l->resolve & (RESOLVE_IN_ROOT | RESOLVE_BENEATH);
	const char *rest;
	struct stat st;
	uint32_t obj;
	int r;

	if (path[0] == '/' && !scoped) {
		obj = object_number(l->c->v, path, &rest);
		l->base = obj ? sl_vnode_of_object(l->c->v->view, obj) : NULL;
		if (!l->base)
			return 0;
		sl_vnode_use(l->base);
		l->moved = true;
		free(l->path);
		l->path = sl_xstrdup(rest + strspn(rest, "/"));
		return 0;
	}
	r = sl_view_locate_fd(l->c, at, &base);
	if (r < 0)
		return r;
	if (base.kind != SL_PLACE_VIEW) /* a directory that was removed, or no directory */
		return base.moved || (stat(base.text, &st) == 0 && S_ISDIR(st.st_mode)) ? -ENOENT : -ENOTDIR;
	l->moved = base.moved;
	l->base = base.walk.node;
	return 0;
}

static int walk_on(struct locating *l, struct sl_place *ret)
{
	struct sl_view_file at = l->base ? sl_view_at(l->base) : (struct sl_view_file){0};
	struct sl_view_trail *trail = &l->c->trail;
	int r;

	for (int hops = 0; hops < HOPS_MAX; hops++) {
		SL_FREE char *text = NULL;

		if (l->base)
			at = sl_view_at(l->base);
		*trail = (struct sl_view_trail){.no_proc = true};
		l->c->ctx.trail = trail;
		r = sl_vwalk(&l->c->ctx, l->base ? &at : l->c->v->root, l->path,
			     l->flags | (l->base && !*l->path ? SL_VWALK_EMPTY : 0), l->resolve, &ret->walk);
		l->moved |= trail->moved;
		text = trail->text;
		trail->text = NULL;
		if (r != SL_VIEW_ELSEWHERE)
			return r;
		if (!text)
			return -EACCES;
		r = enter_proc(l, text, ret);
		if (r <= 0)
			return r;
	}
	return -ELOOP;
}

static int locate(struct sl_view_call *c, int at, const char *path, int walk_flags, uint64_t resolve,
		  struct sl_place *ret)
{
	struct locating l = {.c = c, .flags = walk_flags, .resolve = resolve & ~(uint64_t)RESOLVE_CACHED};
	int r = sl_view_call_ctx(c, false);

	*ret = SL_PLACE_INIT;
	if (r < 0)
		return r;
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	l.path = sl_xstrdup(path);
	r = find_base(&l, at, path);
	if (r == 0)
		r = walk_on(&l, ret);
	sl_vnode_unuse(l.base);
	free(l.path);
	if (r < 0)
		sl_place_release(ret);
	ret->moved |= l.moved;
	if (r == 0 && ret->kind == SL_PLACE_VIEW && ret->walk.node)
		ret->changed = is_changed(ret->walk.node) &&
			       !(c->v->policy && sl_place_area(c->v, ret) == SL_AREA_REAL);
	return r;
}

int sl_view_locate(struct sl_view_call *c, int at, const char *path, int walk_flags, uint64_t resolve,
		   struct sl_place *ret)
{
	const struct sl_view_sought what = {.at = at, .flags = walk_flags, .resolve = resolve, .path = path};
	int r;

	if (!*path) {
		*ret = SL_PLACE_INIT;
		r = sl_view_call_ctx(c, false);
		if (r < 0)
			return r;
		return walk_flags & SL_VWALK_EMPTY ? sl_view_locate_fd(c, at, ret) : -ENOENT;
	}
	if (sl_view_recall(c, &what, ret, &r))
		return r;
	r = locate(c, at, path, walk_flags, resolve, ret);
	sl_view_memorize(c, &what, ret, r);
	return r;
}

int sl_view_locate_arg(struct sl_view_call *c, int which, int walk_flags, struct sl_place *ret)
{
	int dir_arg = which ? c->row->dir2_arg : c->row->dir_arg;
	int r = sl_view_call_path(c, which);

	*ret = SL_PLACE_INIT;
	if (r < 0)
		return r;
	return sl_view_locate(c, dir_arg == SL_NO_ARG ? AT_FDCWD : (int)c->n->data.args[dir_arg],
			      c->path[which], walk_flags, 0, ret);
}

/* ---- what it is ---- */

/* A file system of the kernel's own, whose files are no files. */
static bool is_pseudo(struct sl_vnode *n)
{
	int fd = n->lower ? sl_vnode_lower_fd(n) : -EBADF;
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return false;
	switch ((unsigned long)fs.f_type) {
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case CGROUP_SUPER_MAGIC:
	case CGROUP2_SUPER_MAGIC:
	case DEBUGFS_MAGIC:
	case TRACEFS_MAGIC:
	case SECURITYFS_MAGIC:
	case SELINUX_MAGIC:
	case SMACK_MAGIC:
	case BPF_FS_MAGIC:
	case EFIVARFS_MAGIC:
	case PSTOREFS_MAGIC:
	case BINFMTFS_MAGIC:
	case NSFS_MAGIC:
	case 0x62656570: /* configfs */
	case 0x65735543: /* fusectl */
		return true;
	default:
		return false;
	}
}

enum sl_area sl_place_area(const struct sl_view_calls *v, const struct sl_place *p)
{
	struct sl_vnode *n = p->walk.dir ? p->walk.dir : p->walk.node;

	/* The view's own directory is of the view, though its name is not. */
	if (v->policy && p->walk.node && sl_vnode_is_dir(p->walk.node))
		n = p->walk.node;
	if (!n || !n->lower)
		return SL_AREA_VIEW;
	if (sl_view_stays_real(n->lower, (void *)v))
		return SL_AREA_REAL;
	return is_pseudo(n) ? SL_AREA_PSEUDO : SL_AREA_VIEW;
}

bool sl_place_is_device(const struct sl_place *p)
{
	return p->kind == SL_PLACE_VIEW && p->walk.node && S_ISCHR(p->walk.node->mode);
}

/* ---- names ---- */

static int join(const struct sl_vnode *dir, const char *name, char buf[PATH_MAX])
{
	struct sl_view_file at = sl_view_at((struct sl_vnode *)dir);
	SL_FREE char *path = NULL;
	int r = sl_view_path(&at, &path), len;

	if (r < 0)
		return r;
	len = name ? snprintf(buf, PATH_MAX, "%s/%s", strcmp(path, "/") ? path : "", name)
		   : snprintf(buf, PATH_MAX, "%s", path);
	return len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int sl_view_name(struct sl_vnode *n, const struct sl_vnode *dir, const char *name, char buf[PATH_MAX])
{
	return dir ? join(dir, name, buf) : join(n, NULL, buf);
}

/* ---- the observer's way ---- */

bool sl_place_is_native(const struct sl_view_call *c, const struct sl_place *p)
{
	const struct sl_vnode *n = p->walk.node;

	if (p->kind != SL_PLACE_VIEW)
		return true;
	if (p->moved)
		return false;
	if (sl_place_is_device(p))
		return c->op != SL_OP_CHMOD && c->op != SL_OP_CHOWN && c->op != SL_OP_UTIMES && !p->changed;
	if (sl_place_area(c->v, p) == SL_AREA_REAL)
		return true;
	if (c->changes)
		return false;
	if (n && sl_vnode_is_dir(n) &&
	    (c->op == SL_OP_OPEN || c->op == SL_OP_OPENAT2 || c->op == SL_OP_CHDIR))
		return n->lower && !n->attrs;
	return !p->changed;
}

/* A descriptor of the object itself; a stand-in has only attributes. */
static int object_fd(struct sl_vnode *n)
{
	int fd;

	if (!n->standin)
		return sl_vnode_attr_fd(n);
	fd = sl_vnode_lower_fd(n);
	if (fd < 0)
		return fd;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

static int fill_resolved(const struct sl_view_call *c, const struct sl_place *p, bool parent,
			 struct sl_resolved *ret)
{
	const struct sl_view_calls *v = c->v;
	const struct sl_vwalk *w = &p->walk;
	bool named = w->dir && w->last == SL_VWALK_NORM;
	int r;

	if (w->node) {
		ret->type = w->node->mode & S_IFMT;
		ret->fd = sl_op_is_attribute(c->op) ? -EBADF : object_fd(w->node);
		if (ret->fd < 0 && !sl_op_is_attribute(c->op))
			return ret->fd;
	}
	if (parent && named) { /* the directory itself nobody asks for, because the view decides */
		if (strlen(w->name) >= sizeof(ret->name))
			return -ENAMETOOLONG;
		memcpy(ret->name, w->name, strlen(w->name) + 1);
	}
	ret->trailing_slash = w->slash;
	r = sl_view_name(w->node, named ? w->dir : NULL, named ? w->name : NULL, ret->path);
	if (r != -ENOENT || !w->node)
		return r;
	/* It has no name, or has none any more. */
	ret->deleted = ret->anonymous = true;
	snprintf(ret->path, sizeof(ret->path), "(deleted)");
	for (size_t i = 0; i < v->unnamed_len; i++) {
		if (v->unnamed[i].file->node != w->node)
			continue;
		ret->anonymous = false;
		snprintf(ret->path, sizeof(ret->path), "%s", v->unnamed[i].path);
	}
	return 0;
}

/* Walk as opts say. For PARENT without NOFOLLOW a dangling link names its target (as O_CREAT has it); with it
 * the last name is looked up here. */
static int locate_for(struct sl_view_call *c, int dirfd, const char *path, const struct sl_resolve_opts *opts,
		      struct sl_place *p)
{
	bool follow = !(opts->flags & SL_RESOLVE_NOFOLLOW), parent = opts->flags & SL_RESOLVE_PARENT;
	bool opens = c->op == SL_OP_OPEN || c->op == SL_OP_OPENAT2 || c->op == SL_OP_CREAT;
	int flags = opts->flags & SL_RESOLVE_EMPTY ? SL_VWALK_EMPTY : 0, r;

	if (!parent || follow || opens)
		return sl_view_locate(c, dirfd, path,
				      flags | (follow ? SL_VWALK_FOLLOW : 0) | (parent ? SL_VWALK_CREATE : 0),
				      opts->resolve, p);
	r = sl_view_locate(c, dirfd, path, flags | SL_VWALK_PARENT, opts->resolve, p);
	if (r < 0 || p->kind != SL_PLACE_VIEW || p->walk.node)
		return r;
	if (p->walk.last != SL_VWALK_NORM || !p->walk.dir) {
		sl_place_release(p);
		return sl_view_locate(c, dirfd, path, flags, opts->resolve, p);
	}
	r = sl_view_look_up_last(c, p);
	if (r == -ENOENT)
		return 0;
	return r;
}

int sl_view_look_up_last(struct sl_view_call *c, struct sl_place *p)
{
	const struct sl_ventry *e = p->walk.dir ? sl_ventry_find(p->walk.dir, p->walk.name) : NULL;
	int r;

	(void)c;
	if (!p->walk.dir)
		return -ENOENT;
	if (!p->walk.dir->lower || (e && !e->clean))
		p->moved = true;
	r = sl_vnode_lookup(p->walk.dir, p->walk.name, &p->walk.node);
	if (r == 0)
		p->changed = is_changed(p->walk.node);
	return r;
}

int sl_view_observe_resolve(void *arg, int dirfd, const char *path, const struct sl_resolve_opts *opts,
			    struct sl_resolved *ret, bool *ret_native)
{
	struct sl_view_calls *v = arg;
	struct sl_view_call *c = v->call;
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	int r;

	*ret_native = true;
	if (sl_view_is_untouched(v) && !c->changes)
		return sl_resolve_with(c->tid, dirfd, path, opts, ret);
	r = locate_for(c, dirfd, path, opts, &p);
	if (r < 0 && p.moved) {
		*ret_native = false;
		return r;
	}
	if (r == 0 && p.kind == SL_PLACE_PROC && p.moved)
		return sl_resolve_with(c->tid, AT_FDCWD, p.text, opts, ret);
	*ret_native = r < 0 || sl_place_is_native(c, &p);
	if (*ret_native) {
		r = sl_resolve_with(c->tid, dirfd, path, opts, ret);
		if (r == 0 && sl_path_within(ret->path, v->upper)) /* it has no name any more */
			ret->deleted = ret->anonymous = true;
		return r;
	}
	*ret = SL_RESOLVED_INIT;
	ret->name[0] = '\0';
	r = fill_resolved(c, &p, opts->flags & SL_RESOLVE_PARENT, ret);
	if (r < 0)
		sl_resolved_release(ret);
	return r;
}
