/*
 * survivors.c - what the run made in a protected directory and left there.
 *
 * What is done to an object that the run made counts on the directory that was there before. Where that directory is
 * protected (a home, a store of credentials) it is granted nothing but to be listed. What the run left there, such as
 * a cache directory at the top of the home, is granted by its own name instead: at the next run it is there.
 */
#include "observe/survivors.h"

#include <sys/stat.h>

#include "observe/intern.h"

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

uint8_t sl_survivor_rights(const struct sl_facts *f, const uint8_t *uses, uint32_t id, const char *path,
			   bool *ret_is_dir)
{
	uint8_t own = sl_intern_node(&f->tree, id)->own;
	struct stat st;

	if (lstat(path, &st) < 0)
		return 0;
	if (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode)) {
		*ret_is_dir = false;
		return own & (SL_RIGHT_READ | SL_RIGHT_WRITE | SL_RIGHT_EXEC);
	}
	if (!S_ISDIR(st.st_mode))
		return 0;
	*ret_is_dir = true;
	/* That its own name was made or removed is its parent's affair. */
	own &= (uint8_t) ~(SL_RIGHT_CREATE | SL_RIGHT_DELETE | SL_RIGHT_IOCTL);
	return own | (uses[id] & (uint8_t)~SL_RIGHT_IOCTL);
}
