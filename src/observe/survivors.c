/*
 * survivors.c - what the run made in a protected directory and left there.
 *
 * What is done to an object that the run made counts on the directory that was there before. Where that directory is
 * protected (a home, a store of credentials) it is granted nothing but to be listed. What the run left there, such as
 * a cache directory at the top of the home, is granted by its own name instead: at the next run it is there. On a view
 * it is not: the user is told to make it.
 */
#include "observe/survivors.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/path.h"
#include "observe/intern.h"
#include "observe/observe.h"

static int real_type(void *arg SL_UNUSED, const char *path, mode_t *ret)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return -errno;
	*ret = st.st_mode & S_IFMT;
	return 0;
}

static uint8_t left_there(sl_type_fn *type_of, void *arg, const char *path)
{
	mode_t type = 0;

	if (type_of(arg, path, &type) < 0)
		return 0;
	return S_ISDIR(type) ? SL_NODE_LEFT_DIR : S_ISREG(type) || S_ISFIFO(type) ? SL_NODE_LEFT_FILE : 0;
}

void sl_facts_left(struct sl_facts *f, sl_type_fn *type_of, void *arg)
{
	char *homes[2];
	SL_STRBUF path = SL_STRBUF_INIT;

	sl_homes(homes);
	for (uint32_t id = SL_NODE_ROOT + 1; id < f->tree.count; id++) {
		struct sl_node *n = sl_intern_node(&f->tree, id);

		n->flags &= (uint8_t) ~(SL_NODE_LEFT_DIR | SL_NODE_LEFT_FILE);
		if (!(n->flags & SL_NODE_MADE))
			continue;
		sl_strbuf_reset(&path);
		sl_intern_path(&f->tree, n->parent, &path);
		if (sl_homes_sensitivity(homes, sl_strbuf_str(&path)) != SL_SENSITIVE_PROTECTED)
			continue;
		sl_strbuf_reset(&path);
		sl_intern_path(&f->tree, id, &path);
		n->flags |= left_there(type_of ? type_of : real_type, arg, sl_strbuf_str(&path));
	}
	free(homes[0]);
	free(homes[1]);
}

uint8_t *sl_survivors_uses(const struct sl_facts *f)
{
	uint8_t *below = sl_xcalloc(f->tree.count, 1);

	/* A node's parent has a smaller id. */
	for (uint32_t id = f->tree.count - 1; id > SL_NODE_ROOT; id--) {
		const struct sl_node *n = sl_intern_node(&f->tree, id);

		below[n->parent] |= (uint8_t)(below[id] | n->own);
	}
	return below;
}

uint8_t sl_survivor_rights(const struct sl_facts *f, const uint8_t *uses, uint32_t id, bool *ret_is_dir)
{
	const struct sl_node *n = sl_intern_node(&f->tree, id);
	uint8_t own = n->own;

	*ret_is_dir = n->flags & SL_NODE_LEFT_DIR;
	if (n->flags & SL_NODE_LEFT_FILE)
		return own & (SL_RIGHT_READ | SL_RIGHT_WRITE | SL_RIGHT_EXEC);
	if (!*ret_is_dir)
		return 0;
	/* That its own name was made or removed is its parent's affair. */
	own &= (uint8_t) ~(SL_RIGHT_CREATE | SL_RIGHT_DELETE | SL_RIGHT_IOCTL);
	return own | (uses[id] & (uint8_t)~SL_RIGHT_IOCTL);
}
