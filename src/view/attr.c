/*
 * attr.c - attributes: stat, access, chmod, chown, times, size, and the text of symbolic links.
 *
 * The checks are those of fs/attr.c and fs/open.c of the kernel. What is set goes to the object's copy in the
 * upper.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "view/change.h"
#include "view/copy-up.h"
#include "view/perm.h"
#include "view/walk.h"

int sl_view_statat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, int flags,
		   struct stat *ret)
{
	SL_VNODE *n = NULL;
	int r = sl_vwalk_object(c, at, path, flags & ~AT_NO_AUTOMOUNT, &n);

	return r < 0 ? r : sl_vnode_stat(n, ret);
}

static struct statx_timestamp statx_time(const struct timespec *t)
{
	return (struct statx_timestamp){.tv_sec = t->tv_sec, .tv_nsec = (uint32_t)t->tv_nsec};
}

int sl_vnode_statx(struct sl_vnode *n, int sync, unsigned int mask, struct statx *ret)
{
	SL_CLOSE int fd = -EBADF;
	struct stat st;
	int r = sl_vnode_stat(n, &st);

	if (r < 0)
		return r;
	fd = sl_vnode_attr_fd(n);
	if (fd < 0)
		return fd;
	if (statx(fd, "", AT_EMPTY_PATH | sync, mask, ret) < 0)
		return -errno;
	ret->stx_dev_major = major(st.st_dev);
	ret->stx_dev_minor = minor(st.st_dev);
	ret->stx_rdev_major = major(st.st_rdev);
	ret->stx_rdev_minor = minor(st.st_rdev);
	ret->stx_ino = st.st_ino;
	ret->stx_mode = (uint16_t)st.st_mode;
	ret->stx_nlink = (uint32_t)st.st_nlink;
	ret->stx_uid = st.st_uid;
	ret->stx_gid = st.st_gid;
	ret->stx_size = (uint64_t)st.st_size;
	ret->stx_blocks = (uint64_t)st.st_blocks;
	ret->stx_atime = statx_time(&st.st_atim);
	ret->stx_mtime = statx_time(&st.st_mtim);
	ret->stx_ctime = statx_time(&st.st_ctim);
	return 0;
}

int sl_view_statx(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, int flags,
		  unsigned int mask, struct statx *ret)
{
	int sync = flags & (AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC);
	SL_VNODE *n = NULL;
	int r;

	if (sync == (AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC) || mask & STATX__RESERVED)
		return -EINVAL;
	r = sl_vwalk_object(c, at, path, flags & ~(sync | AT_NO_AUTOMOUNT), &n);
	return r < 0 ? r : sl_vnode_statx(n, sync, mask, ret);
}

int sl_view_statfs(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, int flags,
		   struct statfs *ret)
{
	SL_VNODE *n = NULL;
	struct statfs lower, upper;
	int r = sl_vwalk_object(c, at, path, flags, &n), fd;

	if (r < 0)
		return r;
	fd = n->lower ? sl_vnode_lower_fd(n) : sl_vnode_lower_fd(c->view->root);
	if (fd < 0)
		return fd;
	if (fstatfs(fd, &lower) < 0 || fstatfs(c->view->store.fd, &upper) < 0)
		return -errno;
	/* What can be written is what the upper has room for. */
	if (memcmp(&lower.f_fsid, &upper.f_fsid, sizeof(lower.f_fsid)) != 0 && upper.f_bsize > 0 &&
	    lower.f_bsize > 0) {
		uint64_t room = upper.f_bavail * (uint64_t)upper.f_bsize / (uint64_t)lower.f_bsize;

		lower.f_bavail = SL_MIN(lower.f_bavail, room);
		lower.f_bfree = SL_MIN(lower.f_bfree, room);
		lower.f_ffree = SL_MIN(lower.f_ffree, upper.f_ffree);
	}
	*ret = lower;
	return 0;
}

int sl_view_accessat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, int mode,
		     int flags)
{
	SL_VNODE *n = NULL;
	int r;

	if (mode & ~(R_OK | W_OK | X_OK))
		return -EINVAL;
	r = sl_vwalk_object(c, at, path, flags & ~AT_EACCESS, &n);
	if (r == 0 && mode & X_OK && S_ISREG(n->mode) && sl_vperm_noexec(n))
		return -EACCES;
	return r < 0 || mode == F_OK ? r : sl_vperm(c, n, mode);
}

ssize_t sl_view_readlinkat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, char *buf,
			   size_t size)
{
	SL_VNODE *n = NULL;
	SL_FREE char *target = NULL;
	size_t len;
	int r;

	if (size == 0 || size > INT32_MAX)
		return -EINVAL;
	/* "" is a link opened with O_PATH | O_NOFOLLOW. */
	r = sl_vwalk_object(c, at, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, &n);
	if (r < 0)
		return r;
	if (!S_ISLNK(n->mode))
		return *path ? -EINVAL : -ENOENT;
	r = sl_vnode_target(n, &target);
	if (r < 0)
		return r;
	len = SL_MIN(strlen(target), size);
	memcpy(buf, target, len);
	return (ssize_t)len;
}

/* setgid stays only with who is in the group. */
static mode_t allowed_mode(const struct sl_view_ctx *c, gid_t gid, mode_t mode)
{
	if (!sl_vperm_in_group(c, gid) && !sl_vperm_cap(c, CAP_FSETID))
		mode &= ~(mode_t)S_ISGID;
	return mode;
}

int sl_view_chmodat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, mode_t mode,
		    int flags)
{
	SL_VNODE *n = NULL;
	struct stat st;
	int r = sl_vwalk_object(c, at, path, flags, &n);

	if (r < 0 || (r = sl_vnode_owner(n, &st)) < 0)
		return r;
	if ((r = sl_vperm_change(n, false)) < 0)
		return r;
	if (S_ISLNK(n->mode))
		return -EOPNOTSUPP;
	if (!sl_vperm_owner(c, &st))
		return -EPERM;
	r = sl_vcopy_up_attributes(n);
	n->attrs |= r == 0;
	return r < 0 ? r : sl_vnode_own(n, st.st_uid, st.st_gid, allowed_mode(c, st.st_gid, mode & 07777));
}

/* What chown(2) leaves of a mode. */
static mode_t mode_after_chown(const struct sl_view_ctx *c, const struct stat *st)
{
	mode_t mode = st->st_mode;

	if (S_ISDIR(mode))
		return mode;
	mode &= ~(mode_t)S_ISUID;
	return mode & S_IXGRP ? mode & ~(mode_t)S_ISGID : allowed_mode(c, st->st_gid, mode);
}

int sl_view_chownat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, uid_t uid,
		    gid_t gid, int flags)
{
	SL_VNODE *n = NULL;
	bool owner, cap = sl_vperm_cap(c, CAP_CHOWN);
	struct stat st;
	mode_t mode;
	int r = sl_vwalk_object(c, at, path, flags, &n);

	if (r < 0 || (r = sl_vnode_stat(n, &st)) < 0)
		return r;
	if ((r = sl_vperm_change(n, false)) < 0)
		return r;
	owner = c->creds->uid == st.st_uid;
	if (uid != (uid_t)-1 && !cap && !(owner && uid == st.st_uid))
		return -EPERM;
	if (gid != (gid_t)-1 && !cap && !(owner && (gid == st.st_gid || sl_vperm_in_group(c, gid))))
		return -EPERM;
	mode = mode_after_chown(c, &st);
	if (mode != st.st_mode && !sl_vperm_owner(c, &st))
		return -EPERM;
	if (uid == (uid_t)-1)
		uid = st.st_uid;
	if (gid == (gid_t)-1)
		gid = st.st_gid;
	if (uid == st.st_uid && gid == st.st_gid && mode == st.st_mode)
		return 0;
	r = sl_vcopy_up_attributes(n);
	n->attrs |= r == 0;
	return r < 0 ? r : sl_vnode_own(n, uid, gid, mode & 07777);
}

static bool valid_nsec(const struct timespec *t)
{
	return t->tv_nsec == UTIME_OMIT || t->tv_nsec == UTIME_NOW ||
	       (t->tv_nsec >= 0 && t->tv_nsec < 1000000000);
}

int sl_view_utimensat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path,
		      const struct timespec times[2], int flags)
{
	static const struct timespec now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
	SL_VNODE *n = NULL;
	struct stat st;
	int r;

	if (!times)
		times = now;
	if (times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT)
		return 0; /* not even the path is looked at */
	r = sl_vwalk_object(c, at, path, flags, &n);
	if (r < 0)
		return r;
	if (!valid_nsec(&times[0]) || !valid_nsec(&times[1]))
		return -EINVAL;
	/* What can only be appended to may get the present time. */
	if ((r = sl_vperm_change(n, times[0].tv_nsec == UTIME_NOW && times[1].tv_nsec == UTIME_NOW)) < 0 ||
	    (r = sl_vnode_owner(n, &st)) < 0)
		return r;
	if (!sl_vperm_owner(c, &st)) {
		if (times[0].tv_nsec != UTIME_NOW || times[1].tv_nsec != UTIME_NOW)
			return -EPERM;
		r = sl_vperm(c, n, W_OK);
		if (r < 0)
			return r;
	}
	r = sl_vcopy_up_attributes(n);
	return r < 0 ? r : sl_vstore_utimes(&c->view->store, n->obj, times);
}

int sl_vchange_written(const struct sl_view_ctx *c, struct sl_vnode *n)
{
	struct stat st;
	mode_t mode;
	int r = sl_vnode_stat(n, &st);

	if (r < 0 || !(st.st_mode & (S_ISUID | S_ISGID)) || sl_vperm_cap(c, CAP_FSETID))
		return r;
	mode = st.st_mode & ~(mode_t)S_ISUID;
	if (mode & S_IXGRP || !sl_vperm_in_group(c, st.st_gid))
		mode &= ~(mode_t)S_ISGID;
	return mode == st.st_mode ? 0 : sl_vnode_own(n, st.st_uid, st.st_gid, mode & 07777);
}

int sl_view_truncate(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, off_t length)
{
	SL_VNODE *n = NULL;
	SL_CLOSE int fd = -EBADF;
	char proc[SL_VSTORE_PROC];
	bool made = false;
	struct stat st;
	int r;

	if (length < 0)
		return -EINVAL;
	r = sl_vwalk_object(c, at, path, 0, &n);
	if (r < 0)
		return r;
	if (!S_ISREG(n->mode))
		return sl_vnode_is_dir(n) ? -EISDIR : -EINVAL;
	if ((r = sl_vperm(c, n, W_OK)) < 0 || (r = sl_vperm_change(n, false)) < 0 ||
	    (r = sl_vnode_stat(n, &st)) < 0 || (r = sl_vcopy_up_sized(n, length, &made)) < 0)
		return r;
	fd = sl_vstore_open(&c->view->store, n->obj, O_WRONLY);
	r = fd < 0 ? fd : sl_vstore_gate(&c->view->store);
	/* truncate(2) leaves the time of a file alone that has the size already, ftruncate(2) does not. */
	if (r == 0 &&
	    (length == st.st_size ? truncate(sl_vstore_proc(fd, proc), length) : ftruncate(fd, length)) < 0)
		r = -errno;
	if (r == 0)
		r = sl_vchange_written(c, n);
	if (r < 0 && made)
		sl_vcopy_drop(n);
	return r;
}
