/*
 * xattr.c - extended attributes. The checks are those of xattr_permission() in the kernel's fs/xattr.c and of
 * the capability module; what is a valid name or value is the file system's to say.
 */
#include <endian.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/xattr.h>

#include "view/copy-up.h"
#include "view/perm.h"
#include "view/walk.h"

static bool in_space(const char *name, const char *space)
{
	return strncmp(name, space, strlen(space)) == 0;
}

static int may_write(const struct sl_view_ctx *c, struct sl_vnode *n, const char *name)
{
	struct stat st;
	int r = sl_vperm_change(n, false);

	if (r < 0 || (r = sl_vnode_stat(n, &st)) < 0)
		return r;
	if (in_space(name, "security.")) {
		bool file_caps = strcmp(name, SL_XATTR_CAPABILITY) == 0;

		return sl_vperm_cap(c, file_caps ? CAP_SETFCAP : CAP_SYS_ADMIN) ? 0 : -EPERM;
	}
	if (in_space(name, "system."))
		return S_ISLNK(n->mode) ? -EOPNOTSUPP : sl_vperm_owner(c, &st) ? 0 : -EPERM;
	if (in_space(name, "trusted.") && !sl_vperm_cap(c, CAP_SYS_ADMIN))
		return -EPERM;
	if (in_space(name, "user.")) {
		if (!S_ISREG(n->mode) && !S_ISDIR(n->mode))
			return -EPERM;
		if (S_ISDIR(n->mode) && st.st_mode & S_ISVTX && !sl_vperm_owner(c, &st))
			return -EPERM;
	}
	return sl_vperm(c, n, W_OK);
}

static int may_read(const struct sl_view_ctx *c, struct sl_vnode *n, const char *name)
{
	if (in_space(name, "security.") || in_space(name, "system."))
		return 0;
	if (in_space(name, "trusted.") && !sl_vperm_cap(c, CAP_SYS_ADMIN))
		return -ENODATA;
	if (in_space(name, "user.") && !S_ISREG(n->mode) && !S_ISDIR(n->mode))
		return -ENODATA;
	return sl_vperm(c, n, R_OK);
}

/* Would the change fail for the attribute's being there or not? Nothing is copied up for that. */
static int check_presence(struct sl_vnode *n, const char *name, int xattr_flags)
{
	char proc[SL_VSTORE_PROC];
	SL_CLOSE int fd = xattr_flags ? sl_vnode_attr_fd(n) : -EBADF;

	if (!xattr_flags)
		return 0;
	if (fd < 0)
		return fd;
	if (getxattr(sl_vstore_proc(fd, proc), name, NULL, 0) >= 0)
		return xattr_flags & XATTR_CREATE ? -EEXIST : 0;
	return errno == ENODATA && xattr_flags & XATTR_REPLACE ? -ENODATA : 0;
}

/* A program is about to get capabilities. */
static int withhold(struct sl_vnode *n)
{
	struct stat st;
	int r = sl_vnode_stat(n, &st);

	n->capable = true;
	return r < 0 ? r : sl_vnode_own(n, st.st_uid, st.st_gid, st.st_mode & 07777);
}

/* All up to the change itself: a descriptor of the object's copy to do it on. -errno. */
static int prepare(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, const char *name,
		   int xattr_flags, int flags)
{
	SL_VNODE *n = NULL;
	int r;

	if ((r = sl_vwalk_object(c, at, path, flags, &n)) < 0 || (r = may_write(c, n, name)) < 0 ||
	    (r = check_presence(n, name, xattr_flags)) < 0 || (r = sl_vcopy_up_attributes(n)) < 0 ||
	    (r = sl_vstore_gate(&c->view->store)) < 0)
		return r;
	if (!strcmp(name, SL_XATTR_CAPABILITY) && !n->capable && (r = withhold(n)) < 0)
		return r;
	n->attrs = true; /* for ACLs */
	sl_vnode_forget_owner(n);
	return sl_vnode_attr_fd(n);
}

/* validheader() of the kernel's security/commoncap.c, which is asked before permission is. */
static bool is_valid(const char *name, const void *value, size_t size)
{
	const struct vfs_cap_data *caps = value;
	uint32_t revision;

	if (strcmp(name, "security.capability") != 0)
		return true;
	if (size != XATTR_CAPS_SZ_2 && size != XATTR_CAPS_SZ_3)
		return false;
	revision = le32toh(caps->magic_etc) & VFS_CAP_REVISION_MASK;
	return revision == (size == XATTR_CAPS_SZ_2 ? VFS_CAP_REVISION_2 : VFS_CAP_REVISION_3);
}

int sl_view_setxattrat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path,
		       const char *name, const void *value, size_t size, int xattr_flags, int flags)
{
	char proc[SL_VSTORE_PROC];
	SL_CLOSE int fd = -EBADF;

	if (xattr_flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	if (!is_valid(name, value, size)) {
		SL_VNODE *n = NULL;
		int r = sl_vwalk_object(c, at, path, flags, &n);

		return r < 0 ? r : -EINVAL;
	}
	fd = prepare(c, at, path, name, xattr_flags, flags);
	if (fd < 0)
		return fd;
	return setxattr(sl_vstore_proc(fd, proc), name, value, size, xattr_flags) < 0 ? -errno : 0;
}

int sl_view_removexattrat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path,
			  const char *name, int flags)
{
	char proc[SL_VSTORE_PROC];
	SL_CLOSE int fd = prepare(c, at, path, name, XATTR_REPLACE, flags);

	if (fd < 0)
		return fd;
	return removexattr(sl_vstore_proc(fd, proc), name) < 0 ? -errno : 0;
}

ssize_t sl_view_getxattrat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path,
			   const char *name, void *value, size_t size, int flags)
{
	SL_VNODE *n = NULL;
	SL_CLOSE int fd = -EBADF;
	char proc[SL_VSTORE_PROC];
	ssize_t len;
	int r;

	if ((r = sl_vwalk_object(c, at, path, flags, &n)) < 0 || (r = may_read(c, n, name)) < 0)
		return r;
	fd = sl_vnode_attr_fd(n);
	if (fd < 0)
		return fd;
	len = getxattr(sl_vstore_proc(fd, proc), name, value, size);
	return len < 0 ? -errno : len;
}

ssize_t sl_view_listxattrat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path,
			    char *list, size_t size, int flags)
{
	SL_VNODE *n = NULL;
	SL_CLOSE int fd = -EBADF;
	char proc[SL_VSTORE_PROC];
	ssize_t len;
	int r = sl_vwalk_object(c, at, path, flags, &n);

	if (r < 0)
		return r;
	fd = sl_vnode_attr_fd(n);
	if (fd < 0)
		return fd;
	len = listxattr(sl_vstore_proc(fd, proc), list, size);
	return len < 0 ? -errno : len;
}
