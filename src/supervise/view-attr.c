/*
 * view-attr.c - attributes on a view: mode, owner, times, extended attributes and inode flags, changed and
 * (where the caller would not find the view's by itself) read.
 *
 * Landlock does not govern attributes, so no call that changes one is ever continued. Whatever leads to the
 * object, a path, a descriptor that the caller opened on the real file, /proc/self/fd or AT_EMPTY_PATH, the
 * view's object is what changes. Done for real, on a descriptor of our own and with the caller's identity, is
 * only what concerns nobody else: objects below the private temporary directory, and pipes, sockets and
 * memfds, which have no name.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "base/macros.h"
#include "kernel/own-fd.h"
#include "kernel/seccomp.h"
#include "supervise/change.h"
#include "supervise/view-calls.h"
#include "view/perm.h"

#ifndef __NR_getxattrat
#define __NR_getxattrat 464
#endif

/* ---- changing ---- */

/* Inode flags are the file system's own, and the upper need not have the same. What changes none succeeds, who may not
 * is told so as by fileattr_set_prepare() of the kernel; else programs take this for a file system that has none. */
static int change_flags(struct sl_view_call *c, struct sl_vnode *n, const struct sl_change *change)
{
	SL_CLOSE int object = sl_vnode_attr_fd(n);
	SL_CLOSE int fd = object >= 0 && (S_ISREG(n->mode) || S_ISDIR(n->mode)) ? sl_fd_read_anew(object) : -EBADF;
	uint32_t want = 0, differ;
	struct stat st;
	int have = 0, r = sl_vnode_stat(n, &st);

	if (r < 0 || !sl_vperm_owner(&c->ctx, &st))
		return r < 0 ? r : -EPERM;
	if (change->request != SL_FS_IOC_SETFLAGS || fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &have) < 0)
		return -EOPNOTSUPP;
	memcpy(&want, change->attr, sizeof(want));
	differ = (want ^ (uint32_t)have) & FS_FL_USER_MODIFIABLE;
	if (differ & (FS_IMMUTABLE_FL | FS_APPEND_FL) && !sl_vperm_cap(&c->ctx, CAP_LINUX_IMMUTABLE))
		return -EPERM;
	return differ ? -EOPNOTSUPP : 0;
}

/* What the view shows is changed. */
static int change_in_view(struct sl_view_call *c, struct sl_vnode *n, const struct sl_change *change)
{
	struct sl_view_file at = sl_view_at(n);
	int flags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;

	switch (change->op) {
	case SL_OP_CHMOD:
		return sl_view_chmodat(&c->ctx, &at, "", change->mode, flags);
	case SL_OP_CHOWN:
		return sl_view_chownat(&c->ctx, &at, "", change->uid, change->gid, flags);
	case SL_OP_UTIMES:
		return sl_view_utimensat(&c->ctx, &at, "", change->now ? NULL : change->times, flags);
	case SL_OP_SETXATTR:
		return sl_view_setxattrat(&c->ctx, &at, "", change->xattr, change->value, change->value_size,
					  change->xattr_flags, flags);
	case SL_OP_REMOVEXATTR:
		return sl_view_removexattrat(&c->ctx, &at, "", change->xattr, flags);
	default:
		return change_flags(c, n, change);
	}
}

/* The real object is changed, by the caller's identity. */
static int change_for_real(struct sl_view_call *c, int fd, const struct sl_change *change, bool reopened)
{
	struct sl_identity *saved;
	struct sl_creds creds;
	int r = sl_tracee_creds(c->tid, &creds);

	if (r < 0 || !sl_notif_valid(c->listener, c->n->id) || sl_identity_assume(&creds, &saved) < 0)
		return -EACCES;
	r = sl_change_apply(change, fd, reopened);
	sl_identity_restore(saved);
	return r;
}

/* An object of the upper that has no name any more and is in no use of the view's: nobody but its holders has
 * it. */
static bool is_upper(const struct sl_view_call *c, int fd)
{
	size_t len = strlen(c->v->upper);
	char path[PATH_MAX];

	return sl_fd_path(fd, path, sizeof(path)) > 0 && strncmp(path, c->v->upper, len) == 0 &&
	       path[len] == '/';
}

/* An object that only an open descriptor leads to. */
static int change_open(struct sl_view_call *c, const struct sl_place *p, const struct sl_change *change)
{
	SL_CLEANUP(sl_resolved_release) struct sl_resolved object = SL_RESOLVED_INIT;
	bool reopened = false;
	struct stat st;
	int flags, r;

	if (!p->via_fd)
		return -EACCES;
	object.fd = sl_fd_take(c->tid, p->fd);
	if (object.fd == -EPERM || object.fd == -ENOSYS) {
		object.fd = sl_fd_reopen(c->tid, p->fd, &flags);
		reopened = true;
	}
	if (object.fd < 0 || fstat(object.fd, &st) < 0)
		return object.fd < 0 && object.fd != -EPERM ? object.fd : -EACCES;
	r = sl_change_check(change, st.st_mode);
	if (r < 0)
		return r;
	if (!is_upper(c, object.fd) &&
	    (sl_resolve_name(&object, SL_RESOLVE_VERIFY) < 0 || !sl_change_is_nameless(&object, &st)))
		return -EACCES;
	return change_for_real(c, object.fd, change, reopened);
}

/* Which descriptors fchmod(2) and its like take: none that is O_PATH. Of the upper there are such only of who asked for
 * one. */
static int check_descriptor(const struct sl_view_call *c, const struct sl_change *change, const struct sl_place *p)
{
	int r;

	if (change->form != SL_BY_FD || change->dirfd == AT_FDCWD || (p->moved && !c->v->met_references))
		return 0;
	r = sl_fd_is_path(c->tid, change->dirfd);
	if (r < 0)
		return r == -EPERM ? -EACCES : r;
	return r ? -EBADF : 0;
}

static int find(struct sl_view_call *c, const struct sl_change *change, struct sl_place *p)
{
	int r;

	if (change->form == SL_BY_PATH)
		return sl_view_locate(c, change->dirfd, change->path, change->nofollow ? 0 : SL_VWALK_FOLLOW,
				      0, p);
	r = sl_view_locate_fd(c, change->dirfd, p);
	return r < 0 ? r : check_descriptor(c, change, p);
}

static int change_place(struct sl_view_call *c, const struct sl_change *change, const struct sl_place *p)
{
	int r;

	if (c->v->policy && !p->moved && (p->kind != SL_PLACE_VIEW || sl_place_area(c->v, p) == SL_AREA_REAL))
		return SL_VIEW_CONTINUE;
	if (p->kind == SL_PLACE_PROC)
		return -EPERM; /* as the kernel says of most entries */
	if (p->kind == SL_PLACE_OPEN)
		return change_open(c, p, change);
	r = sl_change_check(change, p->walk.node->mode);
	if (r < 0)
		return r;
	switch (sl_place_area(c->v, p)) {
	case SL_AREA_REAL:
		r = sl_view_may(c, p, SL_RIGHT_WRITE);
		if (r == 0)
			r = sl_vnode_lower_fd(p->walk.node);
		return r < 0 ? r : change_for_real(c, r, change, true);
	case SL_AREA_PSEUDO:
		return -EACCES;
	default:
		break;
	}
	r = sl_view_call_begin(c, false);
	if (r == 0)
		r = sl_view_may(c, p, SL_RIGHT_WRITE);
	if (r < 0)
		return r;
	c->existing_changed = true;
	return change_in_view(c, p->walk.node, change);
}

int sl_view_do_attribute(struct sl_view_call *c)
{
	static struct sl_change change; /* too large for a stack; there is one at a time */
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	int r = sl_change_copy(c->n, c->row, &change);

	if (r == 0 && !change.nothing) {
		r = find(c, &change, &p);
		if (r == 0)
			r = change_place(c, &change, &p);
	}
	sl_change_release(&change);
	return r;
}

/* ---- reading ---- */

struct reading {
	char name[XATTR_NAME_MAX + 1]; /* "": the list of names */
	uint64_t buf;
	size_t size;
};

/* struct xattr_args of getxattrat(2), Linux 6.13. */
struct get_args {
	uint64_t value;
	uint32_t size, flags;
};

static int copy_reading(const struct sl_view_call *c, struct reading *ret)
{
	const uint64_t *args = (const uint64_t *)c->n->data.args;
	bool at = c->row->dir_arg != SL_NO_ARG && c->row->path_arg != SL_NO_ARG;
	struct get_args get;
	ssize_t len;
	int r;

	*ret = (struct reading){0};
	if (c->op == SL_OP_LISTXATTR) {
		ret->buf = args[at ? 3 : 1];
		ret->size = args[at ? 4 : 2];
		return 0;
	}
	ret->buf = args[2];
	ret->size = args[3];
	if (at) {
		if (args[5] < sizeof(get))
			return -EINVAL;
		r = sl_tracee_read(c->tid, args[4], &get, sizeof(get));
		if (r < 0)
			return r;
		if (get.flags)
			return -EINVAL;
		ret->buf = get.value;
		ret->size = get.size;
	}
	len = sl_tracee_read_string(c->tid, args[at ? 3 : 1], ret->name, sizeof(ret->name));
	return len == 0 || len == -ENAMETOOLONG ? -ERANGE : (int)SL_MIN(len, 0);
}

/* The object that is read of; SL_VIEW_CONTINUE where the caller finds the same. */
static int find_read(struct sl_view_call *c, struct sl_place *p)
{
	unsigned int flags =
	    c->row->flags_arg == SL_NO_ARG ? 0 : (unsigned int)c->n->data.args[c->row->flags_arg];
	int walk = c->row->nofollow || flags & AT_SYMLINK_NOFOLLOW ? 0 : SL_VWALK_FOLLOW, r;

	if (flags & ~(unsigned int)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return SL_VIEW_CONTINUE; /* to its error */
	if (flags & AT_EMPTY_PATH)
		walk |= SL_VWALK_EMPTY;
	if (c->row->path_arg == SL_NO_ARG)
		r = sl_view_locate_fd(c, (int)c->n->data.args[c->row->dir_arg], p);
	else
		r = sl_view_locate_arg(c, 0, walk, p);
	if (r < 0)
		return p->moved ? r : SL_VIEW_CONTINUE;
	return p->kind == SL_PLACE_VIEW && sl_place_differs(p) ? 0 : SL_VIEW_CONTINUE;
}

int sl_view_do_getxattr(struct sl_view_call *c)
{
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	int flags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;
	SL_FREE char *value = NULL;
	struct sl_view_file at;
	struct reading want;
	size_t size;
	ssize_t len;
	int r = find_read(c, &p);

	if (r < 0 || (r = copy_reading(c, &want)) < 0 || (r = sl_view_call_begin(c, false)) < 0)
		return r;
	at = sl_view_at(p.walk.node);
	size = SL_MIN(want.size, (size_t)XATTR_SIZE_MAX);
	value = size ? malloc(size) : NULL;
	if (size && !value)
		return -ENOMEM;
	if (*want.name)
		len = sl_view_getxattrat(&c->ctx, &at, "", want.name, value, size, flags);
	else
		len = sl_view_listxattrat(&c->ctx, &at, "", value, size, flags);
	if (len > 0 && size && (r = sl_tracee_write(c->tid, want.buf, value, (size_t)len)) < 0)
		return r;
	return (int)len;
}
