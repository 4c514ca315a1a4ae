/*
 * plan.c - see plan.h: from a view to its list of changes.
 */
#include "view/plan.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

#include "view/handle.h"

#define GROW(array, len, cap)                                                                                \
	do {                                                                                                 \
		if ((len) == (cap)) {                                                                        \
			(cap) = (cap) ? (cap)*2 : 64;                                                        \
			(array) = sl_xrealloc((array), (cap) * sizeof(*(array)));                            \
		}                                                                                            \
	} while (0)

struct sl_vstep *sl_vplan_add_step(struct sl_view_changes *c, enum sl_vstep_op op, uint32_t object,
				   char *path)
{
	GROW(c->steps, c->steps_len, c->steps_cap);
	c->steps[c->steps_len] = (struct sl_vstep){.op = op, .object = object, .path = path};
	return &c->steps[c->steps_len++];
}

struct sl_vobject *sl_vplan_add_object(struct sl_view_changes *c)
{
	GROW(c->objs, c->objs_len, c->objs_cap);
	c->objs[c->objs_len] = (struct sl_vobject){0};
	return &c->objs[c->objs_len++];
}

struct sl_view_change *sl_vplan_add_change(struct sl_view_changes *c, enum sl_view_change_kind kind,
					   char *path)
{
	GROW(c->list, c->len, c->cap);
	c->list[c->len] = (struct sl_view_change){.kind = kind, .path = path};
	return &c->list[c->len++];
}

const char *sl_vplan_staging(const struct sl_view_changes *c, char name[SL_VPLAN_STAGING])
{
	snprintf(name, SL_VPLAN_STAGING, ".sandlock-staging-%08x", c->id);
	return name;
}

void sl_view_changes_free(struct sl_view_changes *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->objs_len; i++) {
		free(c->objs[i].lower);
		free(c->objs[i].staging);
	}
	for (size_t i = 0; i < c->steps_len; i++)
		free(c->steps[i].path);
	for (size_t i = 0; i < c->len; i++) {
		free(c->list[i].path);
		free(c->list[i].from);
	}
	free(c->objs);
	free(c->steps);
	free(c->list);
	free(c->objects_name);
	free(c->lower);
	sl_close(c->upper);
	sl_close(c->objects);
	free(c);
}

/* ---- the walk over the view ---- */

static char *join(const char *dir, const char *name)
{
	return sl_xasprintf("%s%s%s", dir, *dir ? "/" : "", name);
}

static char *lower_path(const struct sl_ventry *e)
{
	return e->dir->lower ? join(e->dir->lower, e->name) : NULL;
}

/* Does the entry show what the lower has there? Something moved away and back, or only found. */
static bool is_home(const struct sl_ventry *e)
{
	SL_FREE char *path = e->clean || !e->node || !e->node->lower ? NULL : lower_path(e);

	return e->clean || (path && strcmp(path, e->node->lower) == 0);
}

/* The path of a directory in the view, without a leading slash. */
static char *view_path(const struct sl_vnode *dir)
{
	char *path = sl_xstrdup("");

	for (; dir->parent; dir = dir->parent) {
		char *longer = join(dir->self->name, path);

		if (!*path)
			longer[strlen(dir->self->name)] = '\0';
		free(path);
		path = longer;
	}
	return path;
}

/* The directory, or the nearest one above it, that is where the lower has it and stays there. */
static const struct sl_vnode *settled(const struct sl_vnode *dir)
{
	const struct sl_vnode *found = dir;

	for (const struct sl_vnode *n = dir; n->parent; n = n->parent) {
		if (!n->lower || !is_home(n->self))
			found = n->parent;
	}
	return found;
}

static bool is_settled(const struct sl_vnode *dir)
{
	return settled(dir) == dir;
}

struct planner {
	struct sl_view *v;
	struct sl_view_changes *c;
	struct sl_vstep *away; /* TAKE and REMOVE, to be sorted */
	size_t away_len, away_cap;
	struct sl_vnode **attr_dirs;
	size_t attr_len, attr_cap;
	int error;
};

static struct sl_vobject *object_of(struct planner *p, struct sl_vnode *n)
{
	struct sl_vobject *o;

	if (n->staged)
		return &p->c->objs[n->staged - 1];
	o = sl_vplan_add_object(p->c);
	n->staged = (uint32_t)p->c->objs_len;
	o->obj = n->obj;
	o->lower = n->lower ? sl_xstrdup(n->lower) : NULL;
	o->foreign = n->foreign || n->withheld;
	o->standin = n->standin;
	o->attrs = n->attrs;
	o->dev = n->dev;
	o->ino = n->ino;
	o->mode = n->mode & S_IFMT;
	o->seen_ns = n->lower ? sl_vlower(n)->seen_ns : 0;
	return o;
}

static int64_t ns_of(const struct timespec *t)
{
	return t->tv_sec * 1000000000LL + t->tv_nsec;
}

/* Do the two files differ, of the same size and time? A time can be set back. */
static bool contents_differ(struct sl_vnode *n, int lower)
{
	char own_proc[SL_VSTORE_PROC], proc[SL_VSTORE_PROC];
	SL_CLOSE int own_path = sl_vnode_attr_fd(n), own = -EBADF, other = -EBADF;
	SL_FREE char *a = sl_xmalloc(1 << 16), *b = sl_xmalloc(1 << 16);

	own = own_path < 0 ? -EBADF : open(sl_vstore_proc(own_path, own_proc), O_RDONLY | O_CLOEXEC);
	other = open(sl_vstore_proc(lower, proc), O_RDONLY | O_NOATIME | O_CLOEXEC);
	if (other < 0)
		other = open(sl_vstore_proc(lower, proc), O_RDONLY | O_CLOEXEC);
	if (own < 0 || other < 0)
		return true;
	for (;;) {
		ssize_t n_own = read(own, a, 1 << 16), n_other = read(other, b, 1 << 16);

		if (n_own != n_other || n_own < 0 || memcmp(a, b, (size_t)n_own) != 0)
			return true;
		if (n_own == 0)
			return false;
	}
}

/* Attributes of the object as the view shows it, and whether it differs from the lower's. */
static bool look_at(struct planner *p, struct sl_vnode *n, struct stat *st, struct stat *lower)
{
	struct sl_vobject *o = object_of(p, n);
	int r = sl_vnode_stat(n, st), fd;

	if (r < 0) {
		p->error = r;
		return false;
	}
	o->mode = st->st_mode;
	o->uid = st->st_uid;
	o->gid = st->st_gid;
	*lower = (struct stat){0};
	if (!n->lower) {
		o->contents = S_ISREG(n->mode);
		return true;
	}
	fd = sl_vnode_lower_fd(n);
	if (fd < 0 || fstat(fd, lower) < 0) {
		p->error = fd < 0 ? fd : -errno;
		return false;
	}
	if (!n->obj)
		return false;
	o->contents = S_ISREG(n->mode) && !n->standin &&
		      (st->st_size != lower->st_size || ns_of(&st->st_mtim) != ns_of(&lower->st_mtim) ||
		       contents_differ(n, fd));
	return o->contents || n->attrs || st->st_mode != lower->st_mode || st->st_uid != lower->st_uid ||
	       st->st_gid != lower->st_gid || ns_of(&st->st_mtim) != ns_of(&lower->st_mtim);
}

static void add_away(struct planner *p, enum sl_vstep_op op, uint32_t object, char *path, ino_t ino)
{
	GROW(p->away, p->away_len, p->away_cap);
	p->away[p->away_len++] = (struct sl_vstep){.op = op, .object = object, .path = path, .ino = ino};
}

/* ---- 1. contents ---- */

/* A path of the node in the view; NULL where it has none. */
static char *shown_path(struct sl_vnode *n)
{
	struct sl_view_file f = {.node = n, .fd = -EBADF};
	char *path = NULL;

	if (sl_view_path(&f, &path) < 0)
		return NULL;
	memmove(path, path + 1, strlen(path));
	return path;
}

static void plan_contents(struct planner *p)
{
	const struct sl_view *v = p->v;

	for (size_t i = 0; i < v->nodes_cap && !p->error; i++) {
		for (struct sl_vnode *n = v->nodes[i]; n; n = sl_vlower(n)->hash_next) {
			struct sl_view_change *change;
			struct stat st, lower;
			char *path;

			if (sl_vnode_is_dir(n) || !n->obj || !sl_vnode_links(n))
				continue;
			/* The lower's descriptor is kept only while the node is used. */
			SL_VNODE *used = sl_vnode_use(n);
			if (!look_at(p, used, &st, &lower))
				continue;
			sl_vplan_add_step(p->c, SL_VSTEP_CONTENTS, n->staged, sl_xstrdup(n->lower));
			path = shown_path(n);
			change =
			    sl_vplan_add_change(p->c, SL_VIEW_MODIFIED, path ? path : sl_xstrdup(n->lower));
			change->type = n->mode & S_IFMT;
			change->contents = object_of(p, n)->contents;
			if (S_ISREG(n->mode)) {
				change->size = st.st_size;
				change->old_size = lower.st_size;
			}
			change->obj = change->contents ? n->obj : 0;
		}
	}
}

/* ---- 2. taking away ---- */

static int lower_stat(const struct sl_ventry *e, struct stat *ret)
{
	SL_VNODE *dir = sl_vnode_use(e->dir);
	int fd = sl_vnode_lower_fd(dir);

	if (fd < 0)
		return fd;
	return fstatat(fd, e->name, ret, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* The node of what an entry hides is moved from this very name. */
static bool moves_from(const struct planner *p, const struct stat *st, const char *path)
{
	const struct sl_vnode *n = sl_vnode_find(p->v, st, path);

	return n && n->lower && strcmp(n->lower, path) == 0 && n->staged && p->c->objs[n->staged - 1].names;
}

static void note_given(struct planner *p, const struct sl_ventry *e)
{
	struct sl_vobject *o = object_of(p, e->node);

	if (!o->names++) {
		SL_FREE char *dir = view_path(settled(e->dir));

		o->staging = sl_xstrdup(dir);
	}
}

static void note_hidden(struct planner *p, const struct sl_ventry *e)
{
	char *path = lower_path(e);
	struct sl_view_change *change;
	struct stat st;
	int r = lower_stat(e, &st);

	if (r < 0) { /* gone already */
		p->error = r == -ENOENT ? p->error : r;
		free(path);
		return;
	}
	if (moves_from(p, &st, path)) {
		p->c->objs[sl_vnode_find(p->v, &st, path)->staged - 1].vacates = true;
		free(path);
		return;
	}
	add_away(p, SL_VSTEP_REMOVE, 0, path, st.st_ino);
	if (e->node) /* listed as what took its place */
		return;
	change = sl_vplan_add_change(p->c, SL_VIEW_DELETED, sl_xstrdup(path));
	change->type = st.st_mode & S_IFMT;
	change->old_size = S_ISREG(st.st_mode) ? st.st_size : 0;
}

static bool is_change(const struct sl_ventry *e)
{
	return !e->clean && !e->hidden && !is_home(e);
}

static void each_entry(struct planner *p, void (*call)(struct planner *p, const struct sl_ventry *e),
		       bool given)
{
	const struct sl_view *v = p->v;

	for (size_t i = 0; i < v->entries_cap && !p->error; i++) {
		for (struct sl_ventry *e = v->entries[i]; e && !p->error; e = e->hash_next) {
			if (is_change(e) && (given ? e->node != NULL : e->covers))
				call(p, e);
		}
	}
}

static size_t depth_of(const char *path)
{
	size_t depth = 0;

	for (; *path; path++)
		depth += *path == '/';
	return depth;
}

/* Deepest first; in one depth what is kept before what is removed. */
static int by_depth(const void *a, const void *b)
{
	const struct sl_vstep *x = a, *y = b;
	size_t dx = depth_of(x->path), dy = depth_of(y->path);

	if (dx != dy)
		return dx > dy ? -1 : 1;
	if (x->op != y->op)
		return x->op == SL_VSTEP_TAKE ? -1 : 1;
	return strcmp(x->path, y->path);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void plan_staging(struct planner *p, enum sl_vstep_op op)
{
	struct sl_strv dirs = SL_STRV_INIT;

	for (size_t i = 0; i < p->c->objs_len; i++) {
		if (p->c->objs[i].staged)
			sl_strv_add(&dirs, p->c->objs[i].staging);
	}
	if (dirs.len)
		qsort(dirs.items, dirs.len, sizeof(char *), by_path);
	for (size_t i = 0; i < dirs.len; i++) {
		if (!i || strcmp(dirs.items[i], dirs.items[i - 1]) != 0)
			sl_vplan_add_step(p->c, op, 0, sl_xstrdup(dirs.items[i]))->was_there = true;
	}
	sl_strv_release(&dirs);
}

static void plan_taking(struct planner *p)
{
	struct sl_view_changes *c = p->c;
	uint32_t staged = 0;

	for (size_t i = 0; i < c->objs_len; i++) {
		struct sl_vobject *o = &c->objs[i];

		/* A directory that is new is made where it will be. */
		if (!o->names || (S_ISDIR(o->mode) && !o->lower))
			continue;
		o->staged = ++staged;
		if (o->lower)
			add_away(p, SL_VSTEP_TAKE, (uint32_t)i + 1, sl_xstrdup(o->lower), o->ino);
	}
	plan_staging(p, SL_VSTEP_STAGE);
	if (p->away_len)
		qsort(p->away, p->away_len, sizeof(*p->away), by_depth);
	for (size_t i = 0; i < p->away_len; i++) {
		*sl_vplan_add_step(c, p->away[i].op, p->away[i].object, p->away[i].path) = p->away[i];
	}
	p->away_len = 0;
}

/* ---- 3. giving names ---- */

static void list_given(struct planner *p, const struct sl_ventry *e, const struct sl_vobject *o,
		       const char *path)
{
	enum sl_view_change_kind kind = o->vacates ? SL_VIEW_RENAMED : SL_VIEW_ADDED;
	struct sl_view_change *change;
	struct stat st, lower, covered;
	SL_VNODE *n = sl_vnode_use(e->node);

	look_at(p, n, &st, &lower);
	if (p->error)
		return;
	if (!n->lower && S_ISREG(n->mode) && e->covers && lower_stat(e, &covered) == 0 &&
	    S_ISREG(covered.st_mode)) {
		kind = SL_VIEW_MODIFIED; /* replaced by another file */
		lower = covered;
	}
	change = sl_vplan_add_change(p->c, kind, sl_xstrdup(path));
	change->type = n->mode & S_IFMT;
	if (kind == SL_VIEW_RENAMED)
		change->from = sl_xstrdup(n->lower);
	if (S_ISREG(n->mode)) {
		change->size = st.st_size;
		change->old_size = kind == SL_VIEW_ADDED ? 0 : lower.st_size;
		change->contents = kind != SL_VIEW_RENAMED || o->contents;
		change->obj = o->contents ? n->obj : 0;
	}
}

static void give_name(struct planner *p, const struct sl_ventry *e, const char *path)
{
	struct sl_vnode *n = e->node;
	struct sl_vobject *o = &p->c->objs[n->staged - 1];
	bool was_there = is_settled(e->dir) && !e->covers, first = !o->lower && !S_ISDIR(n->mode) && !o->made;
	enum sl_vstep_op op = o->names == 1 && (!o->lower || o->vacates) ? SL_VSTEP_MOVE : SL_VSTEP_LINK;

	if (S_ISDIR(n->mode))
		op = n->lower ? SL_VSTEP_MOVE : SL_VSTEP_MAKE_DIR;
	list_given(p, e, o, path);
	if (p->error)
		return;
	o = &p->c->objs[n->staged - 1];
	if (first) {
		o->made = true;
		sl_vplan_add_step(p->c, SL_VSTEP_MAKE, n->staged, sl_xstrdup(path));
	}
	sl_vplan_add_step(p->c, op, n->staged, sl_xstrdup(path))->was_there = was_there;
}

/* All names from the top down. Not by recursion: trees are as deep as one likes. */
static void plan_names(struct planner *p)
{
	struct sl_vnode *dir = p->v->root;
	const struct sl_ventry *e = dir->entries;
	SL_STRBUF path = SL_STRBUF_INIT;

	while (!p->error) {
		size_t len = path.len;

		if (!e) {
			if (dir->obj) {
				GROW(p->attr_dirs, p->attr_len, p->attr_cap);
				p->attr_dirs[p->attr_len++] = dir;
			}
			if (!dir->parent)
				return;
			e = dir->self;
			dir = dir->parent;
			path.len -= SL_MIN(path.len, strlen(e->name) + (dir->parent != NULL));
			e = e->next;
			continue;
		}
		if (!e->node || e->hidden) {
			e = e->next;
			continue;
		}
		if (len)
			sl_strbuf_addch(&path, '/');
		sl_strbuf_addstr(&path, e->name);
		if (is_change(e))
			give_name(p, e, sl_strbuf_str(&path));
		if (sl_vnode_is_dir(e->node)) {
			dir = e->node;
			e = dir->entries;
		} else {
			path.len = len;
			e = e->next;
		}
	}
}

/* ---- 4. directories ---- */

static void plan_directories(struct planner *p)
{
	/* In the order in which the walk left them: what is below first. */
	for (size_t i = 0; i < p->attr_len && !p->error; i++) {
		SL_VNODE *n = sl_vnode_use(p->attr_dirs[i]);
		struct stat st, lower;
		char *path = view_path(n);

		look_at(p, n, &st, &lower);
		if (n->lower && n->attrs && is_settled(n)) {
			struct sl_view_change *change =
			    sl_vplan_add_change(p->c, SL_VIEW_MODIFIED, sl_xstrdup(path));

			change->type = S_IFDIR;
		}
		sl_vplan_add_step(p->c, SL_VSTEP_ATTRIBUTES, n->staged, path);
	}
}

static void remember_modes(struct planner *p)
{
	for (size_t i = 0; i < p->v->nodes_cap; i++) {
		for (struct sl_vnode *n = p->v->nodes[i]; n; n = sl_vlower(n)->hash_next) {
			struct stat st;

			if (!sl_vnode_is_dir(n) || !n->staged)
				continue;
			SL_VNODE *used = sl_vnode_use(n);
			if (sl_vnode_lower_fd(used) >= 0 && fstat(used->lower_fd, &st) == 0)
				p->c->objs[n->staged - 1].old_mode = st.st_mode & 07777;
		}
	}
}

static int by_listed_path(const void *a, const void *b)
{
	return strcmp(((const struct sl_view_change *)a)->path, ((const struct sl_view_change *)b)->path);
}

/* What is listed as new or renamed, and was changed too, is listed once. */
static void tidy_list(struct sl_view_changes *c)
{
	size_t kept = 0;

	if (c->len)
		qsort(c->list, c->len, sizeof(*c->list), by_listed_path);
	for (size_t i = 0; i < c->len; i++) {
		struct sl_view_change *e = &c->list[i];
		const struct sl_view_change *other =
		    i + 1 < c->len && !strcmp(e->path, c->list[i + 1].path) ? &c->list[i + 1]
		    : kept && !strcmp(e->path, c->list[kept - 1].path)	    ? &c->list[kept - 1]
									    : NULL;

		if (e->kind == SL_VIEW_MODIFIED && other && other->kind != SL_VIEW_DELETED) {
			free(e->path);
			continue;
		}
		c->list[kept++] = *e;
	}
	c->len = kept;
}

static int fill_header(struct sl_view *v, struct sl_view_changes *c)
{
	SL_FREE char *lower = NULL;
	int r;

	if (getrandom(&c->id, sizeof(c->id), 0) != sizeof(c->id))
		return -EIO;
	r = sl_view_lower_path(v, &lower);
	if (r < 0)
		return r;
	c->lower = SL_TAKE_PTR(lower);
	c->started_ns = v->started_ns;
	c->objects_name = sl_xstrdup(strrchr(v->store.path, '/') + 1);
	c->objects = fcntl(v->store.fd, F_DUPFD_CLOEXEC, 0);
	return c->objects < 0 ? -errno : 0;
}

int sl_view_changes_of(struct sl_view *v, struct sl_view_changes **ret)
{
	struct sl_view_changes *c = sl_xcalloc(1, sizeof(*c));
	struct planner p = {.v = v, .c = c};

	c->upper = -EBADF;
	c->objects = -EBADF;
	p.error = fill_header(v, c);
	if (!p.error) {
		plan_contents(&p);
		each_entry(&p, note_given, true);
		each_entry(&p, note_hidden, false);
		plan_taking(&p);
		remember_modes(&p);
		plan_names(&p);
		plan_staging(&p, SL_VSTEP_UNSTAGE);
		plan_directories(&p);
		tidy_list(c);
	}
	for (size_t i = 0; i < v->nodes_cap; i++) {
		for (struct sl_vnode *n = v->nodes[i]; n; n = sl_vlower(n)->hash_next)
			n->staged = 0;
	}
	for (size_t i = 0; i < v->objs_cap; i++) {
		for (size_t j = 0; v->objs[i] && j < SL_VOBJ_PAGE; j++) {
			if (v->objs[i]->nodes[j])
				v->objs[i]->nodes[j]->staged = 0;
		}
	}
	for (size_t i = 0; i < p.away_len; i++)
		free(p.away[i].path);
	free(p.away);
	free(p.attr_dirs);
	if (p.error) {
		sl_view_changes_free(c);
		return p.error;
	}
	*ret = c;
	return 0;
}

size_t sl_view_changes_len(const struct sl_view_changes *c)
{
	return c->len;
}

const struct sl_view_change *sl_view_changes_at(const struct sl_view_changes *c, size_t i)
{
	return &c->list[i];
}

const char *sl_view_changes_lower(const struct sl_view_changes *c)
{
	return c->lower;
}

bool sl_view_changes_begun(const struct sl_view_changes *c)
{
	return c->done || c->begun;
}
