/*
 * view-watch.c - inotify_add_watch on a view.
 *
 * What the lower has unchanged the caller watches itself: what happens to it outside is news. Of what only the upper
 * has, or has the contents of, the watch is put on the upper's object, by us, in the caller's own instance: so what is
 * done to a file is told as on a bare file system. But names that are made, moved and removed are entries of the index
 * and no call on any directory, so a watch of a directory does not tell of those.
 */
#include <fcntl.h>
#include <sys/inotify.h>

#include "kernel/own-fd.h"
#include "supervise/view-calls.h"
#include "view/perm.h"

#define MASK_KNOWN                                                                                           \
	((uint32_t)(IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ONLYDIR | IN_DONT_FOLLOW |  \
		    IN_EXCL_UNLINK | IN_MASK_ADD | IN_MASK_CREATE | IN_ISDIR | IN_ONESHOT))

/* The watch, with the caller's instance: its number, or -errno. */
static int add(struct sl_view_call *c, struct sl_vnode *n, uint32_t mask)
{
	SL_CLOSE int instance = sl_fd_take(c->tid, (int)c->n->data.args[0]);
	struct sl_view_file at = sl_view_at(n);
	SL_CLOSE int object = instance < 0 ? instance : sl_view_real_fd(&at, O_PATH);
	char proc[SL_VSTORE_PROC];
	int r;

	if (object < 0)
		return object == -EPERM ? -EACCES : object;
	/* The link of /proc leads to the object itself, a symbolic link too. */
	r = inotify_add_watch(instance, sl_vstore_proc(object, proc), mask & ~(uint32_t)IN_DONT_FOLLOW);
	return r < 0 ? -errno : r;
}

int sl_view_do_watch(struct sl_view_call *c)
{
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	uint32_t mask = (uint32_t)c->n->data.args[2];
	struct sl_vnode *n;
	int r;

	if (mask & ~MASK_KNOWN || !(mask & MASK_KNOWN)) /* to the kernel's error */
		return SL_VIEW_CONTINUE;
	r = sl_view_locate_arg(c, 0, mask & IN_DONT_FOLLOW ? 0 : SL_VWALK_FOLLOW, &p);
	if (r < 0)
		return p.moved ? r : SL_VIEW_CONTINUE;
	n = p.walk.node;
	if (p.kind != SL_PLACE_VIEW || sl_place_is_device(&p) || (!p.moved && (!p.changed || sl_vnode_is_dir(n))))
		return SL_VIEW_CONTINUE;
	r = sl_view_call_begin(c, false);
	if (r == 0)
		r = sl_vperm(&c->ctx, n, R_OK);
	if (r < 0)
		return r;
	return mask & IN_ONLYDIR && !sl_vnode_is_dir(n) ? -ENOTDIR : add(c, n, mask);
}
