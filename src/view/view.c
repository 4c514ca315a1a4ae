/*
 * view.c - making and freeing a view, and the names of its directories.
 */
#include "view/view.h"

#include <fcntl.h>
#include <string.h>

#include "base/strbuf.h"
#include "view/node.h"
#include "view/perm.h"

/* Numbers shown for objects of an upper on another device: above what file systems give. */
#define FIRST_OWN_INO ((ino_t)1 << 62)

int sl_view_new(int lower, int upper, struct sl_view **ret)
{
	struct sl_view *v = sl_xcalloc(1, sizeof(*v));
	int fd, r;

	v->next_ino = FIRST_OWN_INO;
	v->lower = openat(lower, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	v->store.fd = v->lower < 0 ? -EBADF : openat(upper, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = v->store.fd < 0 ? -EBADF : openat(v->lower, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = fd < 0 ? -errno : sl_vnode_lower(v, fd, sl_xstrdup(""), &v->root);
	if (r < 0) {
		sl_view_free(v);
		return r;
	}
	sl_vperm_read_settings(v);
	*ret = v;
	return 0;
}

void sl_view_free(struct sl_view *v)
{
	if (!v)
		return;
	if (v->root) {
		sl_vnode_clear(v);
		if (v->root->obj)
			sl_vstore_remove(&v->store, v->root->obj);
		sl_close(v->root->lower_fd);
		free(v->root->lower);
		free(v->root);
	}
	sl_vstore_clear(&v->store);
	sl_close(v->store.fd);
	sl_close(v->lower);
	free(v->entries);
	free(v->nodes);
	free(v);
}

void sl_view_set_fault(struct sl_view *v, int (*fault)(void *arg), void *arg)
{
	v->store.fault = fault;
	v->store.arg = arg;
}

void sl_view_set_moved(struct sl_view *v, void (*moved)(struct sl_view_file *f, void *arg), void *arg)
{
	v->moved = moved;
	v->moved_arg = arg;
}

int sl_view_path(const struct sl_view_file *f, char **ret)
{
	const struct sl_vnode *n = f->node;
	char *path = NULL;

	if (!sl_vnode_is_dir(n))
		return -ENOTDIR;
	for (; n->parent; n = n->parent) {
		char *longer;

		if (!n->self) {
			free(path);
			return -ENOENT;
		}
		longer = sl_xasprintf("/%s%s", n->self->name, path ? path : "");
		free(path);
		path = longer;
	}
	*ret = path ? path : sl_xstrdup("/");
	return 0;
}
