/*
 * node.c - see node.h.
 */
#include "view/node.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>

#include "base/strbuf.h"

/* ---- tables ---- */

static uint32_t entry_hash(const struct sl_vnode *dir, const char *name)
{
	uint64_t h = 14695981039346656037ULL ^ (uintptr_t)dir;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 1099511628211ULL;
	return (uint32_t)(h ^ (h >> 32));
}

static size_t node_slot(const struct sl_view *v, dev_t dev, ino_t ino)
{
	uint64_t h = (ino ^ (dev << 32)) * 0x9e3779b97f4a7c15ULL;

	return (size_t)(h >> 32) & (v->nodes_cap - 1);
}

static void grow_entries(struct sl_view *v)
{
	size_t cap = v->entries_cap ? v->entries_cap * 2 : 64, slot;
	struct sl_ventry **table = sl_xcalloc(cap, sizeof(struct sl_ventry *));

	for (size_t i = 0; i < v->entries_cap; i++) {
		for (struct sl_ventry *e = v->entries[i], *next; e; e = next) {
			next = e->hash_next;
			slot = entry_hash(e->dir, e->name) & (cap - 1);
			e->hash_next = table[slot];
			table[slot] = e;
		}
	}
	free(v->entries);
	v->entries = table;
	v->entries_cap = cap;
}

static void grow_nodes(struct sl_view *v)
{
	struct sl_vnode **old = v->nodes;
	size_t cap = v->nodes_cap;

	v->nodes_cap = cap ? cap * 2 : 64;
	v->nodes = sl_xcalloc(v->nodes_cap, sizeof(struct sl_vnode *));
	for (size_t i = 0; i < cap; i++) {
		for (struct sl_vnode *n = old[i], *next; n; n = next) {
			size_t slot = node_slot(v, n->dev, n->ino);

			next = sl_vlower(n)->hash_next;
			sl_vlower(n)->hash_next = v->nodes[slot];
			v->nodes[slot] = n;
		}
	}
	free(old);
}

struct sl_ventry *sl_ventry_find(const struct sl_vnode *dir, const char *name)
{
	const struct sl_view *v = dir->view;
	uint32_t hash = entry_hash(dir, name);

	if (!sl_vnode_is_dir(dir) || !dir->entries)
		return NULL;
	for (struct sl_ventry *e = v->entries[hash & (v->entries_cap - 1)]; e; e = e->hash_next) {
		if (e->dir == dir && strcmp(e->name, name) == 0)
			return e;
	}
	return NULL;
}

static struct sl_ventry *entry_new(struct sl_vnode *dir, const char *name)
{
	struct sl_view *v = dir->view;
	size_t len = strlen(name) + 1, slot;
	struct sl_ventry *e = sl_xcalloc(1, SL_MAX(offsetof(struct sl_ventry, name) + len, sizeof(*e)));

	if (v->entries_len >= v->entries_cap)
		grow_entries(v);
	v->entries_len++;
	memcpy(e->name, name, len);
	e->dir = dir;
	slot = entry_hash(dir, name) & (v->entries_cap - 1);
	e->hash_next = v->entries[slot];
	v->entries[slot] = e;
	e->next = dir->entries;
	if (e->next)
		e->next->prev = e;
	dir->entries = e;
	e->clean = true;
	return e;
}

static void entry_free(struct sl_ventry *e)
{
	struct sl_view *v = e->dir->view;
	struct sl_ventry **at = &v->entries[entry_hash(e->dir, e->name) & (v->entries_cap - 1)];

	while (*at != e)
		at = &(*at)->hash_next;
	*at = e->hash_next;
	v->entries_len--;
	if (e->prev)
		e->prev->next = e->next;
	else
		e->dir->entries = e->next;
	if (e->next)
		e->next->prev = e->prev;
	free(e);
}

struct sl_vnode *sl_vnode_find(const struct sl_view *v, const struct stat *st, const char *lower)
{
	bool is_dir = S_ISDIR(st->st_mode);

	if (!v->nodes_len)
		return NULL;
	for (struct sl_vnode *n = v->nodes[node_slot(v, st->st_dev, st->st_ino)]; n; n = sl_vlower(n)->hash_next) {
		/* A directory can be mounted at several places, which are as many directories here. */
		if (n->dev == st->st_dev && n->ino == st->st_ino && sl_vnode_is_dir(n) == is_dir &&
		    (!is_dir || strcmp(n->lower, lower) == 0))
			return n;
	}
	return NULL;
}

struct sl_vnode *sl_vnode_of_object(const struct sl_view *v, uint32_t obj)
{
	size_t page = obj / SL_VOBJ_PAGE;

	return page < v->objs_cap && v->objs[page] ? v->objs[page]->nodes[obj % SL_VOBJ_PAGE] : NULL;
}

static struct sl_vobj_page *page_of(struct sl_view *v, size_t page)
{
	if (page >= v->objs_cap) {
		size_t cap = page + 64;

		v->objs = sl_xrealloc(v->objs, cap * sizeof(*v->objs));
		memset(v->objs + v->objs_cap, 0, (cap - v->objs_cap) * sizeof(*v->objs));
		v->objs_cap = cap;
	}
	if (!v->objs[page])
		v->objs[page] = sl_xcalloc(1, sizeof(*v->objs[page]));
	return v->objs[page];
}

void sl_vnode_set_object(struct sl_vnode *n, uint32_t obj)
{
	struct sl_view *v = n->view;

	if (n->obj) {
		struct sl_vobj_page **page = &v->objs[n->obj / SL_VOBJ_PAGE];

		(*page)->nodes[n->obj % SL_VOBJ_PAGE] = NULL;
		if (--(*page)->len == 0) {
			free(*page);
			*page = NULL;
		}
	}
	n->obj = obj;
	sl_vnode_forget_owner(n);
	if (obj) {
		struct sl_vobj_page *page = page_of(v, obj / SL_VOBJ_PAGE);

		page->nodes[obj % SL_VOBJ_PAGE] = n;
		page->len++;
	}
}

/* ---- lifetime ---- */

static bool is_hashed(const struct sl_vnode *n)
{
	return n->lower;
}

static void node_free(struct sl_vnode *n)
{
	struct sl_view *v = n->view;

	if (is_hashed(n)) {
		struct sl_vnode **at = &v->nodes[node_slot(v, n->dev, n->ino)];

		while (*at != n)
			at = &sl_vlower(*at)->hash_next;
		*at = sl_vlower(n)->hash_next;
		v->nodes_len--;
	}
	if (n->obj) {
		sl_vstore_remove(&v->store, n->obj);
		sl_vnode_set_object(n, 0);
	}
	free(n->lower);
	free(n);
}

/* Free the node if nothing holds it, and then its parent, upwards. */
static void reap(struct sl_vnode *n)
{
	while (n && !n->uses && !n->pins) {
		struct sl_vnode *parent = n->parent;

		if (parent && n->self) /* a clean entry; a changed one would pin */
			entry_free(n->self);
		node_free(n);
		if (parent)
			parent->pins--;
		n = parent;
	}
}

static void unpin(struct sl_vnode *n)
{
	n->pins--;
	reap(n);
}

struct sl_vnode *sl_vnode_use(struct sl_vnode *n)
{
	n->uses++;
	return n;
}

void sl_vnode_settle(struct sl_vnode *n)
{
	bool keep = n->lower && !n->dead && (n->obj || n->links_delta) &&
		    (n->uses || sl_vnode_links(n) || n->lower_links > 1);

	if (keep == n->kept)
		return;
	n->kept = keep;
	if (keep)
		n->pins++;
	else
		n->pins--;
}

static void end_use(struct sl_vnode *n)
{
	if (--n->uses)
		return;
	n->lower_fd = sl_close(n->lower_fd);
	if (!n->obj)
		sl_vnode_forget_owner(n);
	sl_vnode_settle(n);
	reap(n);
}

void sl_vnode_unuse(struct sl_vnode *n)
{
	struct sl_vnode **slot, *old;

	if (!n)
		return;
	if (n->uses > 1 || !sl_vnode_is_dir(n) || !n->lower || n->dead || n->real) {
		end_use(n);
		return;
	}
	slot = &n->view->recent[n->view->recent_next++ % SL_VRECENT];
	old = *slot;
	*slot = n;
	if (old)
		end_use(old);
}

void sl_view_forget(struct sl_view *v)
{
	for (size_t i = 0; i < SL_VRECENT; i++) {
		struct sl_vnode *n = v->recent[i];

		v->recent[i] = NULL;
		if (n)
			end_use(n);
	}
}

void sl_vnode_forget_owner(struct sl_vnode *n)
{
	n->known = n->lists_known = false;
}

static struct sl_vnode *node_new(struct sl_view *v, size_t size)
{
	struct sl_vnode *n = sl_xcalloc(1, size);

	n->view = v;
	n->lower_fd = -EBADF;
	n->uses = 1;
	return n;
}

/* Is the directory one of a procfs? Each mount of one may have a device of its own. */
static bool is_procfs(struct sl_view *v, int fd, dev_t dev)
{
	struct statfs fs;
	bool procfs;

	for (size_t i = 0; i < SL_VMOUNTS; i++)
		if (v->mounts[i].known && v->mounts[i].dev == dev)
			return v->mounts[i].procfs;
	procfs = fstatfs(fd, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC;
	v->mounts[v->next_mount].dev = dev;
	v->mounts[v->next_mount].procfs = procfs;
	v->mounts[v->next_mount].known = true;
	v->next_mount = (v->next_mount + 1) % SL_VMOUNTS;
	return procfs;
}

int sl_vnode_lower(struct sl_view *v, int fd, char *lower, struct sl_vnode **ret)
{
	struct sl_vnode *n;
	struct stat st;

	if (fstat(fd, &st) < 0) {
		int r = -errno;

		sl_close(fd);
		free(lower);
		return r;
	}
	n = S_ISDIR(st.st_mode) ? NULL : sl_vnode_find(v, &st, lower);
	if (n) {
		free(lower);
		sl_vnode_use(n);
	} else {
		n = node_new(v, sizeof(struct sl_vlower));
		n->lower = lower;
		n->dev = (uint32_t)st.st_dev;
		n->ino = st.st_ino;
		sl_vlower(n)->rdev = st.st_rdev;
		n->mode = st.st_mode & S_IFMT;
		n->lower_links = (uint32_t)st.st_nlink;
		n->procfs = S_ISDIR(st.st_mode) && is_procfs(v, fd, st.st_dev);
		n->real = n->procfs || (S_ISDIR(st.st_mode) && v->real && v->real(lower, v->real_arg));
		if (is_hashed(n)) {
			size_t slot;

			if (v->nodes_len >= v->nodes_cap)
				grow_nodes(v);
			slot = node_slot(v, n->dev, n->ino);
			sl_vlower(n)->hash_next = v->nodes[slot];
			v->nodes[slot] = n;
			v->nodes_len++;
		}
	}
	if (n->lower_fd < 0)
		n->lower_fd = fd;
	else
		sl_close(fd);
	*ret = n;
	return 0;
}

struct sl_vnode *sl_vnode_upper(struct sl_view *v, uint32_t obj, const struct stat *st, const struct sl_vnode *dir)
{
	struct sl_vnode *n = node_new(v, S_ISDIR(st->st_mode) ? sizeof(struct sl_vlower) : sizeof(*n));

	sl_vnode_set_object(n, obj);
	n->mode = st->st_mode & S_IFMT;
	n->dev = dir->dev;
	n->ino = st->st_dev == dir->dev ? st->st_ino : v->next_ino++;
	n->lower_links = S_ISDIR(st->st_mode) ? 2 : 0;
	return n;
}

/* ---- the lower ---- */

/* The nearest open directory above the node's lower path. *ret_path: what is left of that. */
static int open_above(const struct sl_vnode *n, const char **ret_path)
{
	const struct sl_vnode *dir = sl_vnode_is_dir(n) ? n->parent : n->self ? n->self->dir : NULL;

	for (; dir; dir = dir->parent) {
		size_t len = dir->lower && dir->lower_fd >= 0 ? strlen(dir->lower) : 0;

		if (!len || strncmp(n->lower, dir->lower, len) != 0 || n->lower[len] != '/')
			continue;
		*ret_path = n->lower + len + 1;
		return dir->lower_fd;
	}
	*ret_path = n->lower;
	return n->view->lower;
}

int sl_vnode_lower_fd(struct sl_vnode *n)
{
	char part[NAME_MAX + 1];
	const char *path;
	int base, fd;

	if (n->lower_fd >= 0)
		return n->lower_fd;
	if (!n->lower)
		return -ENOENT;
	base = open_above(n, &path);
	fd = *path ? base : openat(base, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* By component: the path may be longer than the kernel takes, and none of it may be a symbolic link.
	 */
	while (fd >= 0 && *path) {
		size_t len = strcspn(path, "/");
		int next;

		snprintf(part, sizeof(part), "%.*s", (int)len, path);
		next = openat(fd, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd != base)
			sl_close(fd);
		fd = next;
		path += len + (path[len] == '/');
	}
	if (fd < 0)
		return -errno;
	n->lower_fd = fd;
	return fd;
}

int sl_vnode_open_lower_dir(struct sl_vnode *dir)
{
	char proc[SL_VSTORE_PROC];
	int fd = sl_vnode_lower_fd(dir);

	if (fd < 0)
		return fd;
	fd = open(sl_vstore_proc(fd, proc), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sl_vnode_attr_fd(struct sl_vnode *n)
{
	char name[SL_VSTORE_NAME];
	int fd;

	if (n->obj) {
		fd = openat(n->view->store.fd, sl_vstore_name(n->obj, name), O_PATH | O_NOFOLLOW | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	fd = sl_vnode_lower_fd(n);
	if (fd < 0)
		return fd;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

int sl_vnode_lookup(struct sl_vnode *dir, const char *name, struct sl_vnode **ret)
{
	struct sl_ventry *e;
	int dir_fd, fd, r;

	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	if (dir->dead)
		return -ENOENT;
	e = sl_ventry_find(dir, name);
	if (e) {
		if (!e->node)
			return -ENOENT;
		*ret = sl_vnode_use(e->node);
		return 0;
	}
	if (!dir->lower)
		return -ENOENT;
	dir_fd = sl_vnode_lower_fd(dir);
	if (dir_fd < 0)
		return dir_fd;
	fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = sl_vnode_lower(dir->view, fd, sl_xasprintf("%s%s%s", dir->lower, *dir->lower ? "/" : "", name),
			   ret);
	if (r < 0 || !sl_vnode_is_dir(*ret))
		return r;
	e = entry_new(dir, name);
	e->node = *ret;
	(*ret)->self = e;
	(*ret)->parent = dir;
	dir->pins++;
	return 0;
}

unsigned int sl_vnode_links(const struct sl_vnode *n)
{
	if (n->dead)
		return 0;
	if (sl_vnode_is_dir(n) && n->lower_links < 2)
		return n->lower_links; /* a file system that does not count subdirectories */
	return (unsigned int)((int)n->lower_links + n->links_delta);
}

int sl_vnode_stat(struct sl_vnode *n, struct stat *ret)
{
	struct stat lower;
	int64_t changed_ns;
	int r;

	if (n->obj) {
		r = sl_vstore_stat(&n->view->store, n->obj, ret);
		if (r < 0)
			return r;
		ret->st_dev = n->dev;
		ret->st_ino = n->ino;
		ret->st_mode = (n->mode & S_IFMT) | (07777 & (n->foreign ? n->mode : ret->st_mode));
		if (n->withheld)
			ret->st_mode = (ret->st_mode & ~(mode_t)0777) | (n->mode & 0777);
		if (n->foreign) {
			ret->st_uid = n->uid;
			ret->st_gid = n->gid;
		}
		ret->st_rdev = sl_vnode_rdev(n);
		if (n->standin && S_ISREG(n->mode)) { /* contents are the lower's */
			r = sl_vnode_lower_fd(n);
			if (r < 0)
				return r;
			if (fstat(r, &lower) < 0)
				return -errno;
			ret->st_size = lower.st_size;
			ret->st_blocks = lower.st_blocks;
		}
	} else {
		r = sl_vnode_lower_fd(n);
		if (r < 0)
			return r;
		if (fstat(r, ret) < 0)
			return -errno;
	}
	ret->st_nlink = sl_vnode_links(n);
	changed_ns = sl_vnode_changed_ns(n);
	if (changed_ns > ret->st_ctim.tv_sec * 1000000000LL + ret->st_ctim.tv_nsec) {
		ret->st_ctim.tv_sec = changed_ns / 1000000000;
		ret->st_ctim.tv_nsec = changed_ns % 1000000000;
	}
	return 0;
}

int sl_vnode_owner(struct sl_vnode *n, struct stat *ret)
{
	if (!n->known) {
		int r = sl_vnode_stat(n, ret);

		if (r < 0 || (!n->obj && !sl_vnode_is_dir(n)) || n->real)
			return r;
		n->mode = ret->st_mode;
		n->uid = ret->st_uid;
		n->gid = ret->st_gid;
		n->known = true;
	}
	ret->st_mode = n->mode;
	ret->st_uid = n->uid;
	ret->st_gid = n->gid;
	return 0;
}

/* ---- names ---- */

/* By the kernel's own clock for such times, so that what it sets next is not earlier. */
static void name_changed(struct sl_vnode *n)
{
	int64_t *changed_ns = sl_vnode_is_dir(n) ? &sl_vlower(n)->changed_ns : &n->changed_ns;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	*changed_ns = now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* The entry that records a change of a name. exists: does the view have an object under the name now? Without
 * an entry that object is the lower's. */
static struct sl_ventry *entry_dirty(struct sl_vnode *dir, const char *name, bool exists)
{
	struct sl_ventry *e = sl_ventry_find(dir, name);

	if (!e) {
		e = entry_new(dir, name);
		e->covers = exists;
	} else if (e->clean) {
		e->covers = true;
	} else {
		return e;
	}
	e->clean = false;
	dir->pins++;
	if (e->node)
		e->node->pins++;
	return e;
}

void sl_vnode_link(struct sl_vnode *dir, const char *name, struct sl_vnode *n)
{
	struct sl_ventry *e = entry_dirty(dir, name, false);

	e->node = n;
	n->pins++;
	name_changed(n);
	if (sl_vnode_is_dir(n)) {
		dir->pins++;
		if (n->parent)
			unpin(n->parent);
		n->parent = dir;
		n->self = e;
		dir->links_delta++;
	} else {
		n->self = e;
		n->links_delta++;
		sl_vnode_settle(n);
	}
	sl_vnode_settle(dir);
}

struct sl_ventry *sl_vnode_name(struct sl_vnode *n)
{
	const struct sl_view *v = n->view;

	for (size_t i = 0; !n->self && sl_vnode_changed_ns(n) && sl_vnode_links(n) && i < v->entries_cap; i++)
		for (struct sl_ventry *e = v->entries[i]; e && !n->self; e = e->hash_next)
			if (e->node == n)
				n->self = e;
	return n->self;
}

void sl_vnode_unlink(struct sl_vnode *dir, const char *name, struct sl_vnode *n)
{
	struct sl_ventry *e = entry_dirty(dir, name, true);

	if (e->node)
		n->pins--;
	e->node = NULL;
	name_changed(n);
	if (sl_vnode_is_dir(n)) {
		n->self = NULL;
		dir->links_delta--;
	} else {
		if (n->self == e)
			n->self = NULL;
		n->links_delta--;
		sl_vnode_settle(n);
	}
	if (!e->covers) {
		entry_free(e);
		dir->pins--;
	}
	sl_vnode_settle(dir);
}

void sl_vnode_hide(struct sl_vnode *dir, const char *name)
{
	struct sl_ventry *e = entry_dirty(dir, name, true);

	e->hidden = true;
}

void sl_vnode_kill_dir(struct sl_vnode *n)
{
	while (n->entries) {
		entry_free(n->entries); /* whiteouts, for an empty directory */
		n->pins--;
	}
	n->dead = true;
	sl_vnode_settle(n);
}

/* Take an entry away without a trace. The node of a directory has no entries of its own any more. */
static void drop_entry(struct sl_ventry *e)
{
	struct sl_vnode *dir = e->dir, *n = e->node;

	if (!e->clean) {
		dir->pins--;
		if (n)
			n->pins--;
	}
	entry_free(e);
	if (!n)
		return;
	if (sl_vnode_is_dir(n)) {
		dir->pins--;
		node_free(n);
	} else if (!is_hashed(n) && !n->pins) {
		node_free(n);
	}
}

/* NOLINTBEGIN(clang-analyzer-unix.Malloc): the analyzer does not see that what is freed was unlinked before
 */
void sl_vnode_clear(struct sl_view *v)
{
	struct sl_vnode *dir = v->root;

	while (dir) { /* not by recursion: trees are as deep as one likes */
		struct sl_ventry *e = dir->entries;

		if (!e)
			dir = dir->parent;
		else if (e->node && sl_vnode_is_dir(e->node) && e->node->entries)
			dir = e->node;
		else
			drop_entry(e);
	}
	for (size_t i = 0; i < v->nodes_cap; i++) {
		for (struct sl_vnode *n = v->nodes[i], *next; n; n = next) {
			next = sl_vlower(n)->hash_next;
			if (n != v->root)
				node_free(n);
		}
	}
}
/* NOLINTEND(clang-analyzer-unix.Malloc) */

bool sl_vnode_within(const struct sl_vnode *a, const struct sl_vnode *b)
{
	for (; a; a = a->parent) {
		if (a == b)
			return true;
	}
	return false;
}
