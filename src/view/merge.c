/*
 * merge.c - applying the view to a tree that is like its lower.
 *
 *  1. contents and attributes of changed lower files are written to the files in place, while every lower
 * path still holds;
 *  2. what the view shows under another name is taken into a staging directory (directories moved, files
 * linked), and what it hides is removed, deepest paths first: so a path is used before anything above it
 * moves;
 *  3. names are given from the top down, out of staging and the upper, and each directory gets its attributes
 * when all in it is done.
 *
 * The staging directory makes any permutation of names possible, directories exchanged with their own
 * grandchildren too.
 */
#include <fcntl.h>
#include <string.h>

#include "base/strbuf.h"
#include "view/copy-up.h"
#include "view/walk.h"

struct action {
	char *path; /* in the target */
	size_t depth;
	struct sl_vnode *stage; /* NULL: remove */
};

struct merge {
	struct sl_view *v;
	int target;
	int staging;
	char staging_name[32];
	uint32_t staged;
	struct action *actions;
	size_t len, cap;
};

/* The directory of a path below the target; *ret_name is its last component. By component, as paths may be
 * long. */
static int open_parent(int target, const char *path, const char **ret_name)
{
	int fd = openat(target, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	while (fd >= 0 && strchr(path, '/')) {
		SL_FREE char *part = sl_xstrndup(path, strcspn(path, "/"));
		int next = openat(fd, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		sl_close(fd);
		fd = next;
		path += strlen(part) + 1;
	}
	*ret_name = path;
	return fd < 0 ? -errno : fd;
}

/* For an owner who took its own rights away: a changed directory gets its final mode at the end. */
static void make_writable(int dir)
{
	char proc[SL_VSTORE_PROC];
	struct stat st;

	if (fstat(dir, &st) == 0 && (st.st_mode & 0700) != 0700)
		chmod(sl_vstore_proc(dir, proc), (st.st_mode & 07777) | 0700);
}

/* ---- attributes ---- */

/* The xattrs of node's object to the object behind fd. For an owner who may neither read the one nor write
 * the other by its mode: the modes are right again afterwards, the target's by the caller. */
static int apply_xattrs(struct sl_vnode *n, int from, int fd, mode_t mode)
{
	char proc[SL_VSTORE_PROC];
	bool closed = !S_ISLNK(n->mode) && !n->foreign && (mode & 0600) != 0600;
	int r;

	if (n->standin && !S_ISREG(n->mode))
		return 0;
	sl_vstore_proc(from, proc);
	if (closed && chmod(proc, (mode & 07777) | 0600) < 0)
		return -errno;
	if (!S_ISLNK(n->mode))
		make_writable(fd);
	r = sl_vcopy_xattrs(NULL, from, fd, true);
	if (closed && chmod(proc, mode & 07777) < 0 && r == 0)
		r = -errno;
	return r;
}

/* The attributes of node's object to the object behind fd. */
static int apply_attributes(struct sl_vnode *n, int fd)
{
	char proc[SL_VSTORE_PROC];
	SL_CLOSE int from = sl_vnode_attr_fd(n);
	struct timespec times[2];
	struct stat st, old;
	int r = from < 0 ? from : sl_vnode_stat(n, &st);

	if (r < 0 || (r = apply_xattrs(n, from, fd, st.st_mode)) < 0)
		return r;
	sl_vstore_proc(fd, proc);
	if (fstat(fd, &old) < 0)
		return -errno;
	if ((old.st_uid != st.st_uid || old.st_gid != st.st_gid) &&
	    fchownat(fd, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) < 0)
		return -errno;
	/* Again, as chown takes set-id bits away. */
	if (fstat(fd, &old) < 0 ||
	    (!S_ISLNK(n->mode) && old.st_mode != st.st_mode && chmod(proc, st.st_mode & 07777) < 0))
		return -errno;
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (utimensat(AT_FDCWD, proc, times, 0) == 0)
		return 0;
	if (errno != EPERM || old.st_uid == geteuid())
		return -errno;
	/* What is somebody else's can only have been given the present. */
	if (old.st_mtim.tv_sec != st.st_mtim.tv_sec || old.st_mtim.tv_nsec != st.st_mtim.tv_nsec)
		r = utimensat(AT_FDCWD, proc, NULL, 0);
	return r < 0 ? -errno : 0;
}

/* The object's contents to the file behind an O_PATH descriptor. */
static int apply_contents(struct sl_vnode *n, int fd)
{
	char proc[SL_VSTORE_PROC];
	SL_CLOSE int from = -EBADF, from_path = sl_vnode_attr_fd(n), to = -EBADF;
	struct stat st;

	sl_vstore_proc(fd, proc);
	to = open(proc, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (to < 0 && errno == EACCES && fstat(fd, &st) == 0 && chmod(proc, (st.st_mode & 07777) | 0600) == 0)
		to = open(proc, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (to < 0)
		return -errno;
	if (from_path < 0)
		return from_path;
	sl_vstore_proc(from_path, proc);
	from = open(proc, O_RDONLY | O_CLOEXEC);
	if (from < 0 && errno == EACCES && fstat(from_path, &st) == 0) {
		/* Ours, but not readable by its mode: for the moment it is. */
		if (chmod(proc, (st.st_mode & 07777) | 0400) < 0)
			return -errno;
		from = open(proc, O_RDONLY | O_CLOEXEC);
		if (chmod(proc, st.st_mode & 07777) < 0)
			return -errno;
	}
	return from < 0 ? -EACCES : sl_vcopy_data(NULL, from, to, SL_VCOPY_ALL);
}

/* Was somebody else's file copied up but not written to since, only opened for it? Who is not the owner
 * cannot have set the time back. */
static bool is_untouched(struct sl_vnode *n, int fd)
{
	struct stat st, old;

	return n->foreign && sl_vnode_stat(n, &st) == 0 && fstat(fd, &old) == 0 &&
	       st.st_size == old.st_size && st.st_mtim.tv_sec == old.st_mtim.tv_sec &&
	       st.st_mtim.tv_nsec == old.st_mtim.tv_nsec;
}

static int apply_in_place(struct merge *m, struct sl_vnode *n)
{
	const char *name;
	SL_CLOSE int dir = open_parent(m->target, n->lower, &name);
	SL_CLOSE int fd = -EBADF;
	int r;

	if (dir < 0)
		return dir;
	fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (S_ISREG(n->mode) && !n->standin && !is_untouched(n, fd) && (r = apply_contents(n, fd)) < 0)
		return r;
	return apply_attributes(n, fd);
}

static int apply_changed_files(struct merge *m)
{
	for (size_t i = 0; i < m->v->nodes_cap; i++) {
		for (struct sl_vnode *n = m->v->nodes[i]; n; n = n->hash_next) {
			int r = !sl_vnode_is_dir(n) && n->obj && sl_vnode_links(n) ? apply_in_place(m, n) : 0;

			if (r < 0)
				return r;
		}
	}
	return 0;
}

/* ---- taking away ---- */

static void add_action(struct merge *m, char *path, struct sl_vnode *stage)
{
	size_t depth = 0;

	for (const char *p = path; *p; p++)
		depth += *p == '/';
	if (m->len == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 64;
		m->actions = sl_xrealloc(m->actions, m->cap * sizeof(*m->actions));
	}
	m->actions[m->len++] = (struct action){.path = path, .depth = depth, .stage = stage};
}

/* Deepest first; in one depth what is kept before what is removed. */
static int by_depth(const void *a, const void *b)
{
	const struct action *x = a, *y = b;

	if (x->depth != y->depth)
		return x->depth > y->depth ? -1 : 1;
	return (x->stage == NULL) - (y->stage == NULL);
}

static void plan(struct merge *m)
{
	const struct sl_view *v = m->v;

	for (size_t i = 0; i < v->entries_cap; i++) {
		for (struct sl_ventry *e = v->entries[i]; e; e = e->hash_next) {
			if (e->clean || e->hidden)
				continue;
			if (e->covers)
				add_action(
				    m,
				    sl_xasprintf("%s%s%s", e->dir->lower, *e->dir->lower ? "/" : "", e->name),
				    NULL);
			if (e->node && e->node->lower && !e->node->staged) {
				e->node->staged = ++m->staged;
				add_action(m, sl_xstrdup(e->node->lower), e->node);
			}
		}
	}
	if (m->len)
		qsort(m->actions, m->len, sizeof(*m->actions), by_depth);
}

static int stage(struct merge *m, int dir, const char *name, struct sl_vnode *n)
{
	char staged[SL_VSTORE_NAME];
	SL_CLOSE int fd = -EBADF;
	struct stat st;

	sl_vstore_name(n->staged, staged);
	if (!sl_vnode_is_dir(n) && linkat(dir, name, m->staging, staged, 0) == 0)
		return 0;
	make_writable(dir);
	if (sl_vnode_is_dir(n)) { /* moving needs write permission on the directory itself */
		fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0)
			return -errno;
		n->mode |= n->foreign ? 0 : st.st_mode & 07777; /* for place() */
		make_writable(fd);
	}
	return renameat(dir, name, m->staging, staged) < 0 ? -errno : 0;
}

/* Remove a name and what is below it; 0 where it is not there (any more). */
static int remove_tree(int dir, const char *name)
{
	SL_CLOSE int fd = -EBADF;
	int r;

	make_writable(dir);
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -errno;
	fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	make_writable(fd);
	for (;;) {
		SL_CLOSEDIR DIR *d = NULL;
		struct dirent *e;
		int list = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		bool any = false;

		d = list < 0 ? NULL : fdopendir(list);
		if (!d) {
			r = -errno;
			sl_close(list);
			return r;
		}
		while ((e = readdir(d)) != NULL) {
			if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
				continue;
			any = true;
			r = remove_tree(fd, e->d_name);
			if (r < 0)
				return r;
		}
		if (!any)
			return unlinkat(dir, name, AT_REMOVEDIR) < 0 ? -errno : 0;
	}
}

static int take_away(struct merge *m)
{
	for (size_t i = 0; i < m->len; i++) {
		const char *name;
		SL_CLOSE int dir = open_parent(m->target, m->actions[i].path, &name);
		int r = dir;

		if (r >= 0)
			r = m->actions[i].stage ? stage(m, dir, name, m->actions[i].stage)
						: remove_tree(dir, name);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- putting in place ---- */

/* Make a new object of the upper in staging, where its names can be linked from. */
static int stage_new(struct merge *m, struct sl_vnode *n)
{
	char name[SL_VSTORE_NAME];
	SL_FREE char *target = NULL;
	SL_CLOSE int fd = -EBADF;
	int r;

	n->staged = ++m->staged;
	sl_vstore_name(n->staged, name);
	if (S_ISLNK(n->mode)) {
		r = sl_vnode_target(n, &target);
		if (r < 0)
			return r;
		r = symlinkat(target, m->staging, name);
	} else {
		r = mknodat(m->staging, name, (n->mode & S_IFMT) | 0600, 0);
	}
	if (r < 0)
		return -errno;
	fd = openat(m->staging, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (S_ISREG(n->mode) && (r = apply_contents(n, fd)) < 0)
		return r;
	return apply_attributes(n, fd);
}

/* Give an entry's object its name in the real directory. */
static int place(struct merge *m, int dir, const struct sl_ventry *e)
{
	char name[SL_VSTORE_NAME];
	struct sl_vnode *n = e->node;
	int r;

	if (sl_vnode_is_dir(n)) {
		if (!n->lower)
			return mkdirat(dir, e->name, 0700) < 0 ? -errno : 0;
		if (renameat(m->staging, sl_vstore_name(n->staged, name), dir, e->name) < 0)
			return -errno;
		if (n->obj || (n->mode & 0700) == 0700) /* what make_writable() left alone */
			return 0;
		return fchmodat(dir, e->name, n->mode & 07777, 0) < 0 ? -errno : 0;
	}
	if (!n->staged && (r = stage_new(m, n)) < 0)
		return r;
	sl_vstore_name(n->staged, name);
	if (linkat(m->staging, name, dir, e->name, 0) == 0)
		return 0;
	/* Who may not link what is not its own may still move it. */
	return renameat(m->staging, name, dir, e->name) < 0 ? -errno : 0;
}

/* All names of a directory of the view, which is the real directory dir, and below. */
static int place_all(struct merge *m, struct sl_vnode *n, int dir)
{
	struct stat st;
	int r;

	if (n->obj)
		make_writable(dir);
	if (fstat(dir, &st) < 0)
		return -errno;
	for (struct sl_ventry *e = n->entries; e; e = e->next) {
		SL_CLOSE int child = -EBADF;

		if (!e->node || e->hidden)
			continue;
		if (!e->clean && (r = place(m, dir, e)) < 0)
			return r;
		if (!sl_vnode_is_dir(e->node))
			continue;
		child = openat(dir, e->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0)
			return -errno;
		r = place_all(m, e->node, child);
		if (r < 0)
			return r;
	}
	return n->obj ? apply_attributes(n, dir) : 0;
}

static int move_names(struct merge *m)
{
	int r;

	plan(m);
	r = take_away(m);
	return r < 0 ? r : place_all(m, m->v->root, m->target);
}

int sl_view_merge_down(struct sl_view *v, int target)
{
	struct merge m = {.v = v, .target = target, .staging = -EBADF};
	char proc[SL_VSTORE_PROC];
	struct timespec times[2];
	struct stat st;
	int r = fstat(target, &st) < 0 ? -errno : apply_changed_files(&m);

	if (r < 0 || (!v->entries_len && !v->root->obj))
		return r;
	make_writable(target);
	snprintf(m.staging_name, sizeof(m.staging_name), ".sandlock-merge-%d", (int)getpid());
	if (mkdirat(target, m.staging_name, 0700) < 0)
		return -errno;
	m.staging = openat(target, m.staging_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = m.staging < 0 ? -errno : move_names(&m);
	if (r == 0)
		r = remove_tree(target, m.staging_name);
	/* Staging was made and removed in the root: its times again. */
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (r == 0 && v->root->obj)
		r = apply_attributes(v->root, target);
	else if (r == 0 && utimensat(AT_FDCWD, sl_vstore_proc(target, proc), times, 0) < 0)
		r = -errno;
	for (size_t i = 0; i < m.len; i++)
		free(m.actions[i].path);
	free(m.actions);
	sl_close(m.staging);
	return r;
}
