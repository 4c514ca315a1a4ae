/*
 * carve.c - see deny.h: granting the entries of directories on the way to what is denied, and finding the
 * other names of denied files.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/macros.h"
#include "base/path.h"
#include "policy/deny.h"
#include "policy/policy.h"

#define DEPTH_MAX 200 /* of a search for other names: one descriptor each */

static char *join(const char *directory, const char *name)
{
	return sl_xasprintf("%s/%s", strcmp(directory, "/") != 0 ? directory : "", name);
}

/* What may stay on a way. A right there holds for everything below, the denied included, so it must be one
 * that gives nothing of it: a file cannot be listed. A directory can, and what is not there could become one.
 * (To execute a file takes the right to read it as well.) */
static uint32_t kept_on(const struct sl_deny *d, const char *path)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->items[i].kind != SL_DENIED_FILE && sl_path_within(d->items[i].path, path))
			return 0;
	return SL_RIGHT_LIST;
}

static void way_add(struct sl_deny *d, const char *path, uint32_t kept)
{
	if (d->way_count == d->way_cap) {
		d->way_cap = d->way_cap ? d->way_cap * 2 : 8;
		d->ways = sl_xrealloc(d->ways, d->way_cap * sizeof(*d->ways));
	}
	d->ways[d->way_count++] = (struct sl_way){sl_xstrdup(path), kept};
}

static void native_add(struct sl_deny *d, const struct sl_object_id *id, uint32_t rights)
{
	if (d->native_count == d->native_cap) {
		d->native_cap = d->native_cap ? d->native_cap * 2 : 64;
		d->natives = sl_xrealloc(d->natives, d->native_cap * sizeof(*d->natives));
	}
	d->natives[d->native_count++] = (struct sl_native){*id, rights};
}

static DIR *open_list(int fd)
{
	int list = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = list < 0 ? NULL : fdopendir(list);

	if (!dir)
		sl_close(list);
	return dir;
}

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static bool out_of_descriptors(void)
{
	return errno == EMFILE || errno == ENFILE || errno == ENOMEM;
}

static int carve_entry(struct sl_deny *d, int list, const char *name, const char *path,
		       const struct sl_carving *c)
{
	SL_CLOSE int fd = openat(list, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct sl_object_id id;
	struct stat st;
	int r;

	if (fd < 0)
		return out_of_descriptors() ? -errno : 0;
	if (fstat(fd, &st) < 0 || S_ISLNK(st.st_mode) || sl_object_id_of_fd(fd, &id) < 0)
		return 0;
	if (S_ISDIR(st.st_mode) && sl_deny_below(d, path))
		return sl_deny_carve(d, fd, path, c);
	if (sl_deny_object(d, &id))
		return 0; /* another name of it, or a mount */
	r = c->grant(fd, path, st.st_mode, c->rights, c->arg);
	if (r > 0)
		native_add(d, &id, (uint32_t)r);
	return SL_MIN(r, 0);
}

int sl_deny_carve(struct sl_deny *d, int fd, const char *path, const struct sl_carving *c)
{
	uint32_t kept = kept_on(d, path) & c->rights;
	const struct dirent *entry;
	SL_CLOSEDIR DIR *dir = NULL;
	int r = kept ? c->grant(fd, path, S_IFDIR, kept, c->arg) : 0;

	way_add(d, path, kept);
	if (r < 0)
		return r;
	dir = open_list(fd);
	if (!dir)
		return out_of_descriptors() ? -errno : 0;
	while ((entry = readdir(dir))) {
		SL_FREE char *child = is_dots(entry->d_name) ? NULL : join(path, entry->d_name);

		if (!child || sl_deny_on(d, child))
			continue;
		r = carve_entry(d, dirfd(dir), entry->d_name, child, c);
		if (r < 0)
			return r;
	}
	return 0;
}

void sl_deny_around(const struct sl_deny *d, const char *path, struct sl_deny *ret)
{
	struct sl_denied view = {.where = (char *)(uintptr_t)""}; /* only its path counts */

	*ret = (struct sl_deny){0};
	for (size_t i = 0; i < d->count; i++)
		sl_deny_add_name(ret, d->items[i].path, &d->items[i]);
	sl_deny_add_name(ret, path, &view);
	sl_deny_sort(ret);
}

void sl_deny_adopt(struct sl_deny *d, struct sl_deny *from, uint32_t kept)
{
	for (size_t i = 0; i < from->way_count; i++)
		way_add(d, from->ways[i].path, from->ways[i].kept | kept);
	for (size_t i = 0; i < from->native_count; i++)
		native_add(d, &from->natives[i].id, from->natives[i].rights);
	sl_deny_release(from);
}

static int compare_ways(const void *a, const void *b)
{
	return strcmp(((const struct sl_way *)a)->path, ((const struct sl_way *)b)->path);
}

static int compare_natives(const void *a, const void *b)
{
	return sl_object_id_compare(&((const struct sl_native *)a)->id, &((const struct sl_native *)b)->id);
}

void sl_deny_seal(struct sl_deny *d)
{
	size_t kept = 0;

	if (d->way_count)
		qsort(d->ways, d->way_count, sizeof(*d->ways), compare_ways);
	for (size_t i = 0; i < d->way_count; i++) {
		if (kept && !strcmp(d->ways[kept - 1].path, d->ways[i].path)) {
			d->ways[kept - 1].kept |= d->ways[i].kept;
			free(d->ways[i].path);
		} else {
			d->ways[kept++] = d->ways[i];
		}
	}
	d->way_count = kept;
	kept = 0;
	if (d->native_count)
		qsort(d->natives, d->native_count, sizeof(*d->natives), compare_natives);
	for (size_t i = 0; i < d->native_count; i++) {
		if (kept && !compare_natives(&d->natives[kept - 1], &d->natives[i]))
			d->natives[kept - 1].rights |= d->natives[i].rights;
		else
			d->natives[kept++] = d->natives[i];
	}
	d->native_count = kept;
}

const struct sl_way *sl_deny_way(const struct sl_deny *d, const char *path, size_t len)
{
	size_t low = 0, high = d->way_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strncmp(d->ways[middle].path, path, len);

		if (!order && !d->ways[middle].path[len])
			return &d->ways[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

uint32_t sl_deny_native(const struct sl_deny *d, const struct sl_object_id *id)
{
	const struct sl_native key = {.id = *id}, *found;

	if (!d->native_count)
		return 0;
	found = bsearch(&key, d->natives, d->native_count, sizeof(key), compare_natives);
	return found && sl_object_id_same(&found->id, id) ? found->rights : 0;
}

/* ---- other names ---- */

/* One file of which names are missing. */
struct sought {
	dev_t dev;
	ino_t ino;
	size_t left;
	size_t item;
};

struct search {
	struct sl_deny *deny;
	struct sought *files;
	size_t count, left;
};

static bool on_device(const struct search *s, dev_t dev)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->files[i].dev == dev && s->files[i].left)
			return true;
	return false;
}

static void search_file(struct search *s, int list, const struct dirent *entry, const char *path, bool ask)
{
	for (size_t i = 0; i < s->count; i++) {
		struct sought *f = &s->files[i];
		struct stat st;

		if (!f->left || (!ask && entry->d_ino != f->ino))
			continue;
		if (fstatat(list, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != f->dev ||
		    st.st_ino != f->ino)
			continue;
		/* The array of items moves while they are added: by index. The new name is sorted in later.
		 */
		if (strcmp(s->deny->items[f->item].path, path) != 0)
			sl_deny_add_name(s->deny, path, &s->deny->items[f->item]);
		f->left--;
		s->left--;
	}
}

static void search_directory(struct search *s, int fd, const char *path, int depth)
{
	SL_CLOSEDIR DIR *dir = open_list(fd);
	const struct dirent *entry;
	struct statfs fs;
	struct stat st;
	bool ask;

	if (!dir || fstat(fd, &st) < 0 || !on_device(s, st.st_dev))
		return;
	/* There the inode numbers in a listing may be others. */
	ask = fstatfs(fd, &fs) < 0 || fs.f_type == OVERLAYFS_SUPER_MAGIC;
	while (s->left && (entry = readdir(dir))) {
		SL_FREE char *child = NULL;
		SL_CLOSE int sub = -EBADF;

		if (is_dots(entry->d_name))
			continue;
		child = join(path, entry->d_name);
		if (entry->d_type != DT_DIR && entry->d_type != DT_LNK)
			search_file(s, dirfd(dir), entry, child, ask || entry->d_type == DT_UNKNOWN);
		if ((entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN) || depth == DEPTH_MAX)
			continue;
		sub = openat(dirfd(dir), entry->d_name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			search_directory(s, sub, child, depth + 1);
	}
}

void sl_deny_find_links(struct sl_deny *d, const struct sl_strv *directories)
{
	SL_FREE struct sought *files = sl_xcalloc(d->count + 1, sizeof(*files));
	struct search s = {d, files, 0, 0};
	const char *last = NULL;

	for (size_t i = 0; i < d->count; i++) {
		struct stat st;

		if (d->items[i].links < 2 || lstat(d->items[i].path, &st) < 0 || st.st_nlink < 2)
			continue;
		files[s.count++] = (struct sought){st.st_dev, st.st_ino, st.st_nlink, i};
		s.left += st.st_nlink;
	}
	for (size_t i = 0; s.left && i < directories->len; i++) {
		const char *path = directories->items[i];
		SL_CLOSE int fd = -EBADF;

		if (last && sl_path_within(path, last))
			continue; /* it was searched already */
		last = path;
		fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			search_directory(&s, fd, path, 0);
	}
	sl_deny_sort(d);
}
