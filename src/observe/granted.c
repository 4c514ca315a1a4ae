/*
 * granted.c - the walk that counts what directory entries open.
 *
 * One walk goes below each topmost directory that has an entry and carries along, for each right, the entry that
 * opens it; entries of one right are never nested, since the wider has absorbed the narrower. The fact store's tree
 * is followed in step with the file system, so each object's use is one look-up of its name.
 */
#include "observe/granted.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/path.h"
#include "observe/observe.h"
#include "observe/store.h"

#define OBJECTS_MAX 200000
#define DEPTH_MAX   100 /* each level holds a descriptor */
#define NAMES_SHOWN 3

/* The rights that are counted, in the order of their SL_RIGHT_* bits and of their keys. */
enum { K_READ, K_LIST, K_EXEC, K_WRITE, K_CREATE, K_DELETE, K_COUNT };

struct entry {
	uint32_t node;
	int key;
	size_t base_len;	  /* of the directory's path with its slash */
	size_t unused;
	char *names[NAMES_SHOWN]; /* the first in byte order, below the directory */
	bool more;		  /* the walk ended inside it */
};

struct walk {
	const struct sl_facts *facts;
	uint8_t *rights_at; /* by node: rights of the entry there, cleared when the walk has come by */
	struct entry *entries;
	size_t len, cap;
	size_t objects;
	struct timespec start;
	long time_max_ms;
	bool full;
	struct sl_strbuf path;
};

/* Where the walk stands. */
struct frame {
	int active[K_COUNT]; /* index of the entry that opens the right here, or -1 */
	uint32_t node;	     /* SL_NODE_NONE: the store knows nothing of this directory */
	bool made;	     /* it or a directory above is the run's own */
	unsigned int depth;
	dev_t dev;
};

void sl_grants_add(struct sl_grants *g, uint32_t node, uint8_t rights)
{
	if (g->len == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 16;
		g->items = sl_xrealloc(g->items, g->cap * sizeof(*g->items));
	}
	g->items[g->len++] = (struct sl_grant){ node, rights };
}

void sl_grants_release(struct sl_grants *g)
{
	free(g->items);
	*g = (struct sl_grants){ 0 };
}

static bool walk_over(struct walk *w)
{
	struct timespec now;
	long ms;

	if (w->objects >= OBJECTS_MAX)
		w->full = true;
	if (!w->full && w->objects % 64 == 0) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		ms = (now.tv_sec - w->start.tv_sec) * 1000 + (now.tv_nsec - w->start.tv_nsec) / 1000000;
		w->full = ms > w->time_max_ms;
	}
	return w->full;
}

/* Count one object that the entry opens and that was not used; w->path is its path. */
static void count_unused(struct walk *w, struct entry *e)
{
	const char *name = w->path.len > e->base_len ? w->path.data + e->base_len : ".";
	size_t i = NAMES_SHOWN;

	e->unused++;
	if (e->names[NAMES_SHOWN - 1] && strcmp(name, e->names[NAMES_SHOWN - 1]) >= 0)
		return;
	free(e->names[NAMES_SHOWN - 1]);
	for (i = NAMES_SHOWN - 1; i > 0 && (!e->names[i - 1] || strcmp(name, e->names[i - 1]) < 0); i--)
		e->names[i] = e->names[i - 1];
	e->names[i] = sl_xstrdup(name);
}

/* Put one object to every right that is open where it stands. own: what was done to it. */
static void judge(struct walk *w, const struct frame *at, mode_t mode, uint8_t own, bool made)
{
	bool is_dir = S_ISDIR(mode), is_file = !is_dir && !S_ISLNK(mode) && !S_ISSOCK(mode);
	bool counts[K_COUNT] = {
		[K_READ] = is_dir ? !(own & (SL_RIGHT_LIST | SL_RIGHT_READ)) : is_file && !(own & SL_RIGHT_READ),
		[K_LIST] = is_dir && !(own & SL_RIGHT_LIST),
		[K_EXEC] = S_ISREG(mode) && mode & 0111 && !(own & SL_RIGHT_EXEC),
		[K_WRITE] = is_file && !(own & SL_RIGHT_WRITE),
		[K_CREATE] = is_file && !made && !(own & (SL_RIGHT_WRITE | SL_RIGHT_CREATE)),
		[K_DELETE] = !(own & SL_RIGHT_DELETE),
	};

	for (int k = 0; k < K_COUNT; k++)
		if (at->active[k] >= 0 && counts[k])
			count_unused(w, &w->entries[at->active[k]]);
	w->objects++;
}

/* The type of a directory entry; the permission bits only where an exec entry needs them. */
static mode_t mode_of(const struct frame *at, int dir_fd, const struct dirent *d)
{
	struct stat st;

	if (d->d_type == DT_UNKNOWN || (d->d_type == DT_REG && at->active[K_EXEC] >= 0))
		return fstatat(dir_fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) ? 0 : st.st_mode;
	return (mode_t)DTTOIF(d->d_type);
}

/* Take up the entries that stand at this directory. Returns the rights that they give below it, not on it. */
static uint8_t frame_enter(struct walk *w, struct frame *at)
{
	uint8_t rights = at->node == SL_NODE_NONE ? 0 : w->rights_at[at->node];

	for (int k = 0; k < K_COUNT; k++) {
		if (!(rights & 1 << k))
			continue;
		if (w->len == w->cap) {
			w->cap = w->cap ? w->cap * 2 : 64;
			w->entries = sl_xrealloc(w->entries, w->cap * sizeof(*w->entries));
		}
		w->entries[w->len] = (struct entry){ .node = at->node, .key = k, .base_len = w->path.len + 1 };
		if (w->path.len == 1)
			w->entries[w->len].base_len = 1; /* the root ends in its slash */
		at->active[k] = (int)w->len++;
	}
	if (rights)
		w->rights_at[at->node] = 0;
	return rights & SL_RIGHT_DELETE;
}

static bool same_device(int dir_fd, const char *name, dev_t dev)
{
	struct statx sx;

	/* DONT_SYNC: a network file system that hangs must not hang this walk. */
	return !statx(dir_fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE, &sx) &&
	       makedev(sx.stx_dev_major, sx.stx_dev_minor) == dev;
}

/* Walk the directory behind fd, which is closed. */
static void walk_directory(struct walk *w, struct frame *at, int fd)
{
	SL_CLOSEDIR DIR *dir = fdopendir(fd);
	size_t base = w->path.len;
	struct dirent *d;

	if (!dir) {
		sl_close(fd);
		return;
	}
	while (!walk_over(w) && (d = readdir(dir))) {
		struct frame below = *at;
		uint8_t own = 0;
		mode_t mode;

		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		mode = mode_of(at, fd, d);
		below.depth++;
		if (at->node != SL_NODE_NONE)
			below.node = sl_intern_find(&w->facts->tree, at->node, d->d_name, strlen(d->d_name));
		if (below.node != SL_NODE_NONE) {
			own = sl_intern_node(&w->facts->tree, below.node)->own;
			below.made |= (sl_intern_node(&w->facts->tree, below.node)->flags & SL_NODE_MADE) != 0;
		}
		if (base > 1)
			sl_strbuf_addch(&w->path, '/');
		sl_strbuf_addstr(&w->path, d->d_name);
		if (S_ISDIR(mode))
			own |= frame_enter(w, &below);
		judge(w, &below, mode, own, below.made);
		if (S_ISDIR(mode) && below.depth >= DEPTH_MAX)
			w->full = true;
		else if (S_ISDIR(mode) && same_device(fd, d->d_name, at->dev)) {
			int child = openat(fd, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			if (child >= 0)
				walk_directory(w, &below, child);
		}
		w->path.len = base;
		w->path.data[base] = '\0';
	}
	if (w->full)
		for (int k = 0; k < K_COUNT; k++)
			if (at->active[k] >= 0)
				w->entries[at->active[k]].more = true;
}

static void walk_grant(struct walk *w, uint32_t node)
{
	struct frame at = { .active = { -1, -1, -1, -1, -1, -1 }, .node = node };
	struct stat st;
	uint8_t own;
	int fd;

	sl_strbuf_reset(&w->path);
	sl_intern_path(&w->facts->tree, node, &w->path);
	if (sl_path_within(w->path.data, "/proc") || sl_path_within(w->path.data, "/sys"))
		return;
	fd = open(w->path.data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	own = sl_intern_node(&w->facts->tree, node)->own | frame_enter(w, &at);
	judge(w, &at, S_IFDIR, own, false);
	at.dev = fstat(fd, &st) ? 0 : st.st_dev;
	walk_directory(w, &at, fd);
}

/* Most first; then in byte order, as they were entered. */
static int entry_compare(const void *va, const void *vb)
{
	const struct entry *a = va, *b = vb;

	if (a->unused != b->unused)
		return a->unused > b->unused ? -1 : 1;
	return a->node != b->node ? (a->node < b->node ? -1 : 1) : a->key - b->key;
}

void sl_opening_format(struct sl_strbuf *out, const struct sl_opening *o)
{
	sl_strbuf_addf(out, "%s on ", sl_fs_key_name(o->key));
	sl_escape(out, o->path, strlen(o->path));
	sl_strbuf_addf(out, " opens %zu%s %s not used: ", o->objects, o->more ? "+" : "",
		       o->objects == 1 ? "object that was" : "objects that were");
	for (size_t i = 0; i < o->names.len; i++) {
		if (i > 0)
			sl_strbuf_addstr(out, ", ");
		sl_escape(out, o->names.items[i], strlen(o->names.items[i]));
	}
	if (o->objects > o->names.len || o->more)
		sl_strbuf_addstr(out, ", …");
}

static void add_opening(const struct walk *w, const struct entry *e, struct sl_observation *ret)
{
	struct sl_opening *o = &ret->openings[ret->opening_count++];
	SL_STRBUF path = SL_STRBUF_INIT;

	sl_intern_path(&w->facts->tree, e->node, &path);
	*o = (struct sl_opening){ sl_strbuf_detach(&path), (enum sl_fs_key)e->key, e->unused, e->more, SL_STRV_INIT };
	for (size_t i = 0; i < NAMES_SHOWN && e->names[i]; i++)
		sl_strv_add(&o->names, e->names[i]);
}

/* Pairs of (right, object) that were used. Making a file and writing to it is one; so is a device's ioctl and write. */
static size_t count_used(const struct sl_facts *f)
{
	size_t used = 0;

	for (uint32_t id = 0; id < f->tree.count; id++) {
		unsigned int own = sl_intern_node(&f->tree, id)->own;

		if (own & SL_RIGHT_IOCTL)
			own = (own | SL_RIGHT_WRITE) & ~(unsigned int)SL_RIGHT_IOCTL;
		if (own & SL_RIGHT_CREATE)
			own &= ~(unsigned int)SL_RIGHT_WRITE;
		used += (size_t)__builtin_popcount(own);
	}
	return used;
}

void sl_granted_count(const struct sl_facts *f, const struct sl_grants *grants, long time_max_ms,
		      struct sl_observation *ret)
{
	SL_FREE uint8_t *rights_at = sl_xcalloc(f->tree.count, 1);
	struct walk w = { .facts = f, .rights_at = rights_at, .time_max_ms = time_max_ms };

	clock_gettime(CLOCK_MONOTONIC, &w.start);
	for (size_t i = 0; i < grants->len; i++)
		rights_at[grants->items[i].node] = grants->items[i].rights;
	for (size_t i = 0; i < grants->len && !walk_over(&w); i++)
		if (rights_at[grants->items[i].node])
			walk_grant(&w, grants->items[i].node);
	ret->used = count_used(f);
	ret->granted = ret->used;
	ret->granted_more = w.full;
	if (w.len)
		qsort(w.entries, w.len, sizeof(*w.entries), entry_compare);
	ret->openings = sl_xcalloc(w.len + 1, sizeof(*ret->openings));
	ret->opening_count = 0;
	for (size_t i = 0; i < w.len; i++) {
		ret->granted += w.entries[i].unused;
		if (w.entries[i].unused)
			add_opening(&w, &w.entries[i], ret);
		for (size_t n = 0; n < NAMES_SHOWN; n++)
			free(w.entries[i].names[n]);
	}
	free(w.entries);
	sl_strbuf_release(&w.path);
}
