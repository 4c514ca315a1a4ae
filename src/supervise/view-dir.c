/*
 * view-dir.c - getcwd, and the listing of directories that the view changed.
 *
 * The position of a listing is the offset of the caller's own open directory, as on a bare file system: it is
 * read and set through a descriptor of ours for the same open file description, so seekdir(), rewinddir(),
 * dup() and fork() mean what they mean. Position 0 takes the list of names (view.h). A directory that was
 * being read when its first change came is read to its end as it was.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/strbuf.h"
#include "kernel/own-fd.h"
#include "supervise/view-calls.h"

#define LISTINGS_MAX 1024
#define BUFFER_SIZE  65536
#define ALIGN_8(n)   (((n) + 7) & ~(size_t)7)

int sl_view_do_getcwd(struct sl_view_call *c)
{
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	SL_FREE char *path = NULL;
	struct sl_view_file at;
	size_t len;
	int r = sl_view_locate_fd(c, AT_FDCWD, &p);

	if (r < 0)
		return r;
	if (p.kind != SL_PLACE_VIEW)
		return p.moved ? -ENOENT : SL_VIEW_CONTINUE;
	at = sl_view_at(p.walk.node);
	r = sl_view_path(&at, &path);
	if (r < 0)
		return r;
	len = strlen(path) + 1;
	if (len > PATH_MAX)
		return -ENAMETOOLONG;
	if (len > c->n->data.args[1])
		return -ERANGE;
	r = sl_tracee_write(c->tid, c->n->data.args[0], path, len);
	return r < 0 ? r : (int)len;
}

/* ---- listing ---- */

static bool is_upper_parent(const struct sl_view_calls *v, dev_t dev, ino_t ino)
{
	return dev == v->upper_parent.st_dev && ino == v->upper_parent.st_ino;
}

static bool has_changed_names(const struct sl_vnode *dir)
{
	for (const struct sl_ventry *e = dir->entries; e; e = e->next)
		if (!e->clean)
			return true;
	return !dir->lower || dir->dead;
}

/* The listing of a descriptor: what its owner, another thread or the parent began. */
static struct sl_view_listing *find_listing(struct sl_view_calls *v, const struct sl_vnode *dir, pid_t tid,
					    int fd)
{
	struct sl_view_listing *other = NULL;

	for (size_t i = 0; i < v->listing_count; i++) {
		struct sl_view_listing *l = &v->listings[i];

		if (l->file->node != dir)
			continue;
		if (l->fd == fd && l->tid == tid)
			return l;
		if (l->fd == fd)
			other = l;
	}
	return other;
}

/* What was begun by another number for the same open file description. */
static struct sl_view_listing *find_doubled(struct sl_view_calls *v, const struct sl_vnode *dir, pid_t tid,
					    int fd)
{
	for (size_t i = 0; i < v->listing_count; i++) {
		struct sl_view_listing *l = &v->listings[i];

		if (l->file->node == dir && syscall(SYS_kcmp, tid, l->tid, KCMP_FILE, fd, l->fd) == 0)
			return l;
	}
	return NULL;
}

static struct sl_view_listing *oldest_listing(struct sl_view_calls *v)
{
	struct sl_view_listing *oldest = &v->listings[0];

	for (size_t i = 1; i < v->listing_count; i++)
		if (v->listings[i].stamp < oldest->stamp)
			oldest = &v->listings[i];
	sl_view_close(oldest->file);
	return oldest;
}

/* The descriptor is open: nobody asks for permission again. */
static int new_listing(struct sl_view_call *c, struct sl_vnode *dir, int fd, struct sl_view_listing **ret)
{
	static const struct sl_view_creds all = {.caps = ~0ULL};
	struct sl_view_calls *v = c->v;
	struct sl_view_ctx ctx = {.view = v->view, .root = v->root, .cwd = v->root, .creds = &all};
	struct sl_view_file at = sl_view_at(dir), *file;
	struct sl_view_listing *l;
	int r = sl_view_reopen(&ctx, &at, O_RDONLY | O_DIRECTORY, &file);

	if (r < 0)
		return r;
	if (v->listing_count == LISTINGS_MAX) {
		l = oldest_listing(v);
	} else {
		v->listings = sl_xrealloc(v->listings, (v->listing_count + 1) * sizeof(*v->listings));
		l = &v->listings[v->listing_count++];
	}
	*l = (struct sl_view_listing){.file = file, .tid = c->tid, .fd = fd};
	*ret = l;
	return 0;
}

/* One entry as the call has it. Its length, or 0 where it does not fit into size bytes. */
static size_t put_entry(bool legacy, char *at, size_t size, const struct sl_view_dirent *e, uint64_t next)
{
	size_t len = strlen(e->name), head = legacy ? 18 : 19, total = ALIGN_8(head + len + (legacy ? 2 : 1));
	uint64_t ino = e->ino;
	uint16_t reclen = (uint16_t)total;

	if (total > size)
		return 0;
	memset(at, 0, total);
	memcpy(at, &ino, 8);
	memcpy(at + 8, &next, 8);
	memcpy(at + 16, &reclen, 2);
	if (legacy)
		at[total - 1] = (char)e->type;
	else
		at[18] = (char)e->type;
	memcpy(at + head, e->name, len);
	return total;
}

/* Fill the caller's buffer from *pos on. Bytes, or -errno. */
static int fill(struct sl_view_call *c, struct sl_view_listing *l, uint64_t *pos)
{
	static _Alignas(8) char buffer[BUFFER_SIZE];
	bool legacy = strcmp(c->row->name, "getdents") == 0;
	size_t size = SL_MIN((size_t)(uint32_t)c->n->data.args[2], sizeof(buffer)), used = 0, len;
	struct sl_view_dirent e;
	int r;

	for (;;) {
		uint64_t next = *pos;

		r = sl_view_readdir(l->file, &next, &e);
		if (r < 0)
			return used ? (int)used : r;
		if (r == 0)
			break;
		len = put_entry(legacy, buffer + used, size - used, &e, next);
		if (!len) {
			if (!used)
				return -EINVAL;
			break;
		}
		used += len;
		*pos = next;
	}
	r = sl_tracee_write(c->tid, c->n->data.args[1], buffer, used);
	return r < 0 ? r : (int)used;
}

/* "pos:" of the caller's descriptor. */
static int64_t offset_of(pid_t tid, int fd)
{
	char name[48], text[64];
	SL_CLOSE int info = -EBADF;
	ssize_t n;

	if (sl_fd_flags(tid, fd) & O_PATH) /* also of an error */
		return -EBADF;
	snprintf(name, sizeof(name), "/proc/%d/fdinfo/%d", (int)tid, fd);
	info = open(name, O_RDONLY | O_CLOEXEC);
	n = info < 0 ? -1 : read(info, text, sizeof(text) - 1);
	if (n <= 0)
		return -EBADF;
	text[n] = '\0';
	return strncmp(text, "pos:", 4) ? -EBADF : strtoll(text + 4, NULL, 10);
}

static int list(struct sl_view_call *c, const struct sl_place *p, int fd)
{
	SL_CLOSE int own = sl_fd_take(c->tid, fd); /* where it may not be taken the position is kept here */
	struct sl_view_listing *l = find_listing(c->v, p->walk.node, c->tid, fd);
	int64_t offset = own >= 0 ? lseek(own, 0, SEEK_CUR) : offset_of(c->tid, fd); /* of O_PATH -EBADF */
	uint64_t pos, begun;
	int r;

	if (offset < 0)
		return -EBADF;
	if (!l && offset)
		l = find_doubled(c->v, p->walk.node, c->tid, fd);
	pos = (uint64_t)offset;
	if (own < 0 && l && l->offset == pos)
		pos = l->pos;
	if (l && pos > l->file->listed_len) /* no position of ours */
		l = NULL;
	if (!l && pos && !p->moved)
		return SL_VIEW_CONTINUE;
	if (!l || (!pos && l->tid != c->tid)) {
		r = new_listing(c, p->walk.node, fd, &l);
		if (r < 0)
			return r;
	}
	l->stamp = ++c->v->stamp;
	begun = pos;
	r = fill(c, l, &pos);
	if (r < 0 || pos == begun)
		return r;
	l->pos = pos;
	l->offset = (uint64_t)offset;
	if (own >= 0 && lseek(own, (off_t)pos, SEEK_SET) < 0)
		return -errno;
	return r;
}

int sl_view_do_getdents(struct sl_view_call *c)
{
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	int fd = (int)c->n->data.args[0], r;
	char link[64];
	struct stat st;

	if (sl_view_is_untouched(c->v)) {
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)c->tid, fd);
		if (stat(link, &st) < 0 || !is_upper_parent(c->v, st.st_dev, st.st_ino))
			return SL_VIEW_CONTINUE;
	}
	r = sl_view_locate_fd(c, fd, &p);
	if (r < 0 || p.kind != SL_PLACE_VIEW || !sl_vnode_is_dir(p.walk.node))
		return SL_VIEW_CONTINUE;
	if (!has_changed_names(p.walk.node) && !find_listing(c->v, p.walk.node, c->tid, fd))
		return SL_VIEW_CONTINUE;
	r = sl_view_call_begin(c, false);
	return r < 0 ? r : list(c, &p, fd);
}
