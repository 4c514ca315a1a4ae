/*
 * readdir.c - see readdir.h.
 *
 * A file takes the whole list when it is read from its start, so positions are indices, stay valid whatever
 * happens to the directory meanwhile, and no name appears twice.
 */
#include "view/readdir.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/strbuf.h"

struct sl_vlisted {
	ino_t ino;
	unsigned char type;
	char *name;
};

void sl_vlisted_free(struct sl_view_file *f)
{
	for (size_t i = 0; f->listed && i < f->listed_len; i++)
		free(f->listed[i].name);
	free(f->listed);
	f->listed = NULL;
	f->listed_len = 0;
}

/* The next name of the lower that the view leaves as it is; NULL at the end or with *ret_error. */
static const struct dirent *next_lower(const struct sl_vnode *dir, DIR *d, int *ret_error)
{
	const struct dirent *e;

	for (;;) {
		const struct sl_ventry *own;

		errno = 0;
		e = readdir(d);
		if (!e) {
			*ret_error = -errno;
			return NULL;
		}
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		own = sl_ventry_find(dir, e->d_name);
		if (!own || own->clean)
			return e;
	}
}

static int open_lower(struct sl_vnode *dir, DIR **ret)
{
	int fd = sl_vnode_open_lower_dir(dir);

	if (fd < 0)
		return fd;
	*ret = fdopendir(fd);
	if (!*ret) {
		int r = -errno;

		sl_close(fd);
		return r;
	}
	return 0;
}

int sl_vdir_check_empty(struct sl_vnode *dir)
{
	SL_CLOSEDIR DIR *d = NULL;
	int r;

	for (const struct sl_ventry *e = dir->entries; e; e = e->next) {
		if (e->node || e->hidden)
			return -ENOTEMPTY;
	}
	if (!dir->lower)
		return 0;
	r = open_lower(dir, &d);
	if (r < 0)
		return r;
	return next_lower(dir, d, &r) ? -ENOTEMPTY : r;
}

static void add(struct sl_view_file *f, const char *name, ino_t ino, unsigned char type)
{
	if ((f->listed_len & (f->listed_len - 1)) == 0)
		f->listed = sl_xrealloc(f->listed, SL_MAX(f->listed_len * 2, (size_t)1) * sizeof(*f->listed));
	f->listed[f->listed_len++] = (struct sl_vlisted){.ino = ino, .type = type, .name = sl_xstrdup(name)};
}

static int list(struct sl_view_file *f)
{
	struct sl_vnode *dir = f->node;
	SL_CLOSEDIR DIR *d = NULL;
	const struct dirent *e;
	int r;

	sl_vlisted_free(f);
	if (dir->dead)
		return 0; /* as the kernel has it: not even "." */
	add(f, ".", dir->ino, DT_DIR);
	add(f, "..", dir->parent ? dir->parent->ino : dir->ino, DT_DIR);
	for (const struct sl_ventry *own = dir->entries; own; own = own->next) {
		if (own->node && !own->clean)
			add(f, own->name, own->node->ino, (unsigned char)IFTODT(own->node->mode));
	}
	if (!dir->lower)
		return 0;
	r = open_lower(dir, &d);
	while (r == 0 && (e = next_lower(dir, d, &r)) != NULL)
		add(f, e->d_name, e->d_ino, e->d_type);
	return r;
}

int sl_view_readdir(struct sl_view_file *f, uint64_t *pos, struct sl_view_dirent *ret)
{
	const struct sl_vlisted *e;
	int r;

	if (f->flags & O_PATH)
		return -EBADF;
	if (!sl_vnode_is_dir(f->node))
		return -ENOTDIR;
	if (f->node->dead)
		return -ENOENT;
	if (*pos == 0 || !f->listed) {
		r = list(f);
		if (r < 0)
			return r;
	}
	if (*pos >= f->listed_len)
		return 0;
	e = &f->listed[(*pos)++];
	*ret = (struct sl_view_dirent){.name = e->name, .ino = e->ino, .type = e->type};
	return 1;
}
