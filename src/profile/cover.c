/*
 * cover.c - the entries as a sorted array: each directory above a path costs one binary search.
 *
 * Beyond its own key, read gives list, and create on a directory gives write below it, because Landlock
 * cannot tell a file that was made from one that was there; but no device: those need write for ioctl. On the
 * very path create gives no write, since whether that is a directory is not known here. An entry below
 * /proc/self is each process's own and is covered by such an entry only.
 */
#include "profile/cover.h"

#include <string.h>

#include "base/path.h"

#define BIT(key) (1u << (key))

/* Is there a ".." among its components? Then its text says nothing about where it leads. */
static bool goes_up(const char *path)
{
	for (const char *p = path; (p = strstr(p, "..")); p += 2)
		if ((p == path || p[-1] == '/') && (p[2] == '/' || !p[2]))
			return true;
	return false;
}

char *sl_cover_normal(const char *path)
{
	SL_STRBUF out = SL_STRBUF_INIT;

	if (!*path || goes_up(path))
		return sl_xstrdup(path);
	sl_path_normalize(&out, path);
	return sl_strbuf_detach(&out);
}

void sl_cover_add(struct sl_cover *c, const char *path, unsigned int keys)
{
	if (c->len == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 64;
		c->items = sl_xrealloc(c->items, c->cap * sizeof(*c->items));
	}
	c->items[c->len++] = (struct sl_cover_item){sl_cover_normal(path), keys};
}

void sl_cover_add_profile(struct sl_cover *c, const struct sl_profile *p)
{
	for (unsigned int key = 0; key < SL_FS_DENY; key++) {
		const struct sl_list *list = &p->filesystem.lists[key];

		for (size_t i = 0; i < list->len; i++)
			sl_cover_add(c, list->items[i].text, BIT(key));
	}
}

static int compare_items(const void *a, const void *b)
{
	return strcmp(((const struct sl_cover_item *)a)->path, ((const struct sl_cover_item *)b)->path);
}

void sl_cover_sort(struct sl_cover *c)
{
	size_t kept = 0;

	if (c->len > 1)
		qsort(c->items, c->len, sizeof(*c->items), compare_items);
	for (size_t i = 0; i < c->len; i++) {
		if (kept && !strcmp(c->items[kept - 1].path, c->items[i].path)) {
			c->items[kept - 1].keys |= c->items[i].keys;
			free(c->items[i].path);
		} else {
			c->items[kept++] = c->items[i];
		}
	}
	c->len = kept;
}

/* The item whose path is the first len bytes of path. */
static const struct sl_cover_item *find(const struct sl_cover *c, const char *path, size_t len)
{
	size_t low = 0, high = c->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct sl_cover_item *item = &c->items[middle];
		int order = strncmp(item->path, path, len);

		if (!order && !item->path[len])
			return item;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* With what each key gives besides itself. */
static unsigned int implied(unsigned int keys, int version)
{
	if (version == 1)
		return keys & BIT(SL_FS_WRITE) ? keys | BIT(SL_FS_READ) : keys;
	return keys & BIT(SL_FS_READ) ? keys | BIT(SL_FS_LIST) : keys;
}

unsigned int sl_cover_on(const struct sl_cover *c, const char *path, int version)
{
	const struct sl_cover_item *item = find(c, path, strlen(path));

	return item ? implied(item->keys, version) : 0;
}

static bool is_own(const char *path)
{
	return sl_path_within(path, "/proc/self") || sl_path_within(path, "/proc/thread-self");
}

/* What a directory's entries give to something below it. */
static unsigned int gives_below(unsigned int keys, const char *path, int version)
{
	keys = implied(keys, version);
	if (version != 1 && keys & BIT(SL_FS_CREATE) && !sl_path_within(path, "/dev"))
		keys |= BIT(SL_FS_WRITE);
	return keys;
}

/* Does write on this directory let the devices below it be controlled, as write on each would? */
static bool gives_ioctl(const struct sl_cover_item *item)
{
	return item->keys & BIT(SL_FS_WRITE) &&
	       (!strcmp(item->path, "/") || sl_path_within(item->path, "/dev"));
}

/* Length of the parent of the first len bytes of path; 0 above "/" and above a first component without it. */
static size_t parent_length(const char *path, size_t len)
{
	if (len <= 1)
		return 0;
	while (len && path[len - 1] != '/')
		len--;
	return len > 1 ? len - 1 : len;
}

unsigned int sl_cover_above(const struct sl_cover *c, const char *path, unsigned int want, int version,
			    const struct sl_look *look)
{
	unsigned int keys = 0;

	if (goes_up(path))
		return 0;
	for (size_t len = parent_length(path, strlen(path)); len; len = parent_length(path, len)) {
		const struct sl_cover_item *item = find(c, path, len);
		unsigned int more = item ? gives_below(item->keys, path, version) & want & ~keys : 0;

		if (!more || (is_own(path) && !is_own(item->path)))
			continue;
		if (more & BIT(SL_FS_WRITE) && version != 1 && !gives_ioctl(item) && look &&
		    look->is_device && look->is_device(path, look->arg))
			more &= ~BIT(SL_FS_WRITE);
		if (!more)
			continue;
		if (look && look->leaves && look->leaves(path, item->path, look->arg))
			continue;
		keys |= more;
	}
	return keys;
}

void sl_cover_release(struct sl_cover *c)
{
	for (size_t i = 0; i < c->len; i++)
		free(c->items[i].path);
	free(c->items);
	*c = (struct sl_cover){0};
}
