/*
 * rename.c - renameat2(2). The checks and their order are those of do_renameat2() and vfs_rename().
 *
 * A directory keeps its node, and with it its lower directory and all that is below: only the two names
 * change.
 */
#include <fcntl.h>
#include <linux/fs.h>

#include "view/change.h"
#include "view/copy-up.h"
#include "view/perm.h"
#include "view/readdir.h"

struct renaming {
	const struct sl_view_ctx *c;
	struct sl_vwalk from, to; /* node: the object, of to NULL where the name is free */
	bool exchange;
};

static void release(struct renaming *m)
{
	sl_vwalk_release(&m->from);
	sl_vwalk_release(&m->to);
}

/* Both objects, and what follows from their kinds. */
static int look_up(struct renaming *m, unsigned int flags)
{
	int r = sl_vnode_lookup(m->from.dir, m->from.name, &m->from.node);

	if (r < 0)
		return r;
	r = sl_vnode_lookup(m->to.dir, m->to.name, &m->to.node);
	if (r < 0 && r != -ENOENT)
		return r;
	if (flags & RENAME_NOREPLACE && m->to.node)
		return -EEXIST;
	if (m->exchange) {
		if (!m->to.node)
			return -ENOENT;
		if (!sl_vnode_is_dir(m->to.node) && m->to.slash)
			return -ENOTDIR;
	}
	if (!sl_vnode_is_dir(m->from.node) && (m->from.slash || (!m->exchange && m->to.slash)))
		return -ENOTDIR;
	if (sl_vnode_is_dir(m->from.node) && sl_vnode_within(m->to.dir, m->from.node))
		return -EINVAL;
	if (m->to.node && sl_vnode_is_dir(m->to.node) && sl_vnode_within(m->from.dir, m->to.node))
		return m->exchange ? -EINVAL : -ENOTEMPTY;
	return 0;
}

static int check(struct renaming *m)
{
	struct sl_vnode *from = m->from.node, *to = m->to.node;
	bool is_dir = sl_vnode_is_dir(from);
	int r = sl_vperm_delete(m->c, m->from.dir, from, is_dir);

	if (r < 0)
		return r;
	if (to)
		r = sl_vperm_delete(m->c, m->to.dir, to, m->exchange ? sl_vnode_is_dir(to) : is_dir);
	else
		r = sl_vperm_create(m->c, m->to.dir);
	if (r < 0)
		return r;
	if (m->from.dir != m->to.dir) { /* ".." of a directory changes */
		if (is_dir && (r = sl_vperm(m->c, from, W_OK)) < 0)
			return r;
		if (m->exchange && sl_vnode_is_dir(to) && (r = sl_vperm(m->c, to, W_OK)) < 0)
			return r;
	}
	if (from->dev != m->from.dir->dev || (to && to->dev != m->to.dir->dev))
		return -EBUSY; /* a mount point */
	if (to && !m->exchange && is_dir)
		return sl_vdir_check_empty(to);
	return 0;
}

static int apply(struct renaming *m)
{
	struct sl_vnode *from = m->from.node, *to = m->to.node;
	int r = sl_vcopy_up(m->from.dir, SL_VCOPY_ALL);

	if (r < 0 || (r = sl_vcopy_up(m->to.dir, SL_VCOPY_ALL)) < 0)
		return r;
	sl_vnode_unlink(m->from.dir, m->from.name, from);
	if (to)
		sl_vnode_unlink(m->to.dir, m->to.name, to);
	sl_vnode_link(m->to.dir, m->to.name, from);
	if (m->exchange)
		sl_vnode_link(m->from.dir, m->from.name, to);
	else if (to && sl_vnode_is_dir(to))
		sl_vnode_kill_dir(to);
	sl_vnode_touch(m->from.dir);
	sl_vnode_touch(m->to.dir);
	return 0;
}

int sl_view_renameat2(const struct sl_view_ctx *c, struct sl_view_file *from_at, const char *from,
		      struct sl_view_file *to_at, const char *to, unsigned int flags)
{
	SL_CLEANUP(release) struct renaming m = {.c = c, .exchange = flags & RENAME_EXCHANGE};
	int r;

	if (flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE) ||
	    (flags & RENAME_NOREPLACE && flags & RENAME_EXCHANGE))
		return -EINVAL;
	r = sl_vwalk(c, from_at, from, SL_VWALK_PARENT, 0, &m.from);
	if (r < 0 || (r = sl_vwalk(c, to_at, to, SL_VWALK_PARENT, 0, &m.to)) < 0)
		return r;
	/* "/" has no directory here; the kernel's answer for it is that for "." and "..". */
	if (m.from.dir && m.to.dir && m.from.dir->dev != m.to.dir->dev)
		return -EXDEV;
	if (m.from.last != SL_VWALK_NORM)
		return -EBUSY;
	if (m.to.last != SL_VWALK_NORM)
		return flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	if (!m.from.dir || !m.to.dir)
		return -EBUSY;
	r = look_up(&m, flags);
	if (r < 0 || m.from.node == m.to.node)
		return r;
	r = check(&m);
	return r < 0 ? r : apply(&m);
}
