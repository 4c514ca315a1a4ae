/*
 * acl.c - see acl.h. Lists are kept as the file system's extended attributes show them.
 */
#include "view/acl.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <string.h>
#include <sys/xattr.h>

#include "view/perm.h"

#define ACCESS_LIST  "system.posix_acl_access"
#define DEFAULT_LIST "system.posix_acl_default"

struct acl {
	union {
		char bytes[4096];
		struct posix_acl_xattr_header header;
	};
	size_t size;
};

static struct posix_acl_xattr_entry *entries(struct acl *a, size_t *ret_len)
{
	*ret_len = (a->size - sizeof(a->header)) / sizeof(struct posix_acl_xattr_entry);
	return (void *)(a->bytes + sizeof(a->header));
}

/* Has the object one of the two lists? Of a directory that is remembered. 1, 0 or -errno. */
static int has_list(struct sl_vnode *n, bool access)
{
	char proc[SL_VSTORE_PROC];
	SL_CLOSE int fd = -EBADF;
	bool has[2];

	if (n->lists_known)
		return access ? n->access_list : n->new_list;
	if (!sl_vnode_is_dir(n) || n->real)
		return 1; /* is to be seen */
	fd = sl_vnode_attr_fd(n);
	if (fd < 0)
		return fd;
	sl_vstore_proc(fd, proc);
	for (int i = 0; i < 2; i++) {
		has[i] = getxattr(proc, i ? ACCESS_LIST : DEFAULT_LIST, NULL, 0) >= 0;
		if (!has[i] && errno != ENODATA && errno != EOPNOTSUPP)
			return -errno;
	}
	n->new_list = has[0];
	n->access_list = has[1];
	n->lists_known = true;
	return has[access];
}

/* 1, or 0 where the object has no such list. -errno. */
static int read_list(struct sl_vnode *n, const char *name, struct acl *ret)
{
	char proc[SL_VSTORE_PROC];
	SL_CLOSE int fd = -EBADF;
	int r = has_list(n, strcmp(name, ACCESS_LIST) == 0);
	ssize_t len;

	if (r <= 0)
		return r;
	fd = sl_vnode_attr_fd(n);
	if (fd < 0)
		return fd;
	len = getxattr(sl_vstore_proc(fd, proc), name, ret->bytes, sizeof(ret->bytes));
	if (len < 0)
		return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -errno;
	if ((size_t)len < sizeof(ret->header))
		return -EINVAL;
	ret->size = (size_t)len;
	return 1;
}

/* posix_acl_permission() on the entries of an ACL, which the kernel keeps sorted by tag. 0, -EACCES, or 1
 * where there is no verdict. */
static int judge_acl(const struct sl_view_ctx *c, const struct stat *st,
		     const struct posix_acl_xattr_entry *e, size_t len, int want)
{
	int mask = 07;
	bool found = false;

	for (size_t i = 0; i < len; i++) {
		if (le16toh(e[i].e_tag) == ACL_MASK)
			mask = le16toh(e[i].e_perm);
	}
	for (size_t i = 0; i < len; i++) {
		int perm = le16toh(e[i].e_perm);
		uint32_t id = le32toh(e[i].e_id);

		switch (le16toh(e[i].e_tag)) {
		case ACL_USER_OBJ:
			if (c->creds->uid == st->st_uid)
				return (perm & want) == want ? 0 : -EACCES;
			break;
		case ACL_USER:
			if (c->creds->uid == id)
				return (perm & mask & want) == want ? 0 : -EACCES;
			break;
		case ACL_GROUP_OBJ:
			id = st->st_gid;
			__attribute__((fallthrough));
		case ACL_GROUP:
			if (!sl_vperm_in_group(c, id))
				break;
			found = true;
			if ((perm & want) == want)
				return (perm & mask & want) == want ? 0 : -EACCES;
			break;
		case ACL_OTHER:
			return !found && (perm & want) == want ? 0 : -EACCES;
		default:
			break;
		}
	}
	return 1;
}

int sl_vacl_check(const struct sl_view_ctx *c, struct sl_vnode *n, const struct stat *st, int want)
{
	const struct posix_acl_xattr_entry *e;
	struct acl acl;
	size_t len;
	int r = read_list(n, ACCESS_LIST, &acl);

	if (r <= 0)
		return r < 0 ? -EACCES : 1;
	e = entries(&acl, &len);
	return judge_acl(c, st, e, len, want);
}

int sl_vacl_has_default(struct sl_vnode *dir)
{
	struct acl acl;

	return read_list(dir, DEFAULT_LIST, &acl);
}

/* The permissions of *e and the three bits of *mode from shift on become what both allow. */
static void narrow(struct posix_acl_xattr_entry *e, mode_t *mode, int shift)
{
	unsigned int perm = le16toh(e->e_perm) & ((*mode >> shift) | ~07U);

	e->e_perm = htole16((uint16_t)perm);
	*mode &= (perm << shift) | ~(07U << shift);
}

/* posix_acl_create_masq(): true where the list says more than a mode can. */
static bool apply_mode(struct acl *acl, mode_t *mode)
{
	struct posix_acl_xattr_entry *group = NULL, *mask = NULL, *e;
	bool more = false;
	size_t len;

	e = entries(acl, &len);
	for (size_t i = 0; i < len; i++) {
		switch (le16toh(e[i].e_tag)) {
		case ACL_USER_OBJ:
			narrow(&e[i], mode, 6);
			break;
		case ACL_USER:
		case ACL_GROUP:
			more = true;
			break;
		case ACL_GROUP_OBJ:
			group = &e[i];
			break;
		case ACL_OTHER:
			narrow(&e[i], mode, 0);
			break;
		case ACL_MASK:
			mask = &e[i];
			more = true;
			break;
		default:
			break;
		}
	}
	if (mask || group)
		narrow(mask ? mask : group, mode, 3);
	return more;
}

static int write_list(struct sl_vnode *n, const char *name, const struct acl *acl)
{
	char proc[SL_VSTORE_PROC];
	int r = sl_vstore_gate(&n->view->store);
	SL_CLOSE int fd = r < 0 ? -EBADF : sl_vnode_attr_fd(n);

	if (r < 0 || fd < 0)
		return r < 0 ? r : fd;
	sl_vnode_forget_owner(n);
	return setxattr(sl_vstore_proc(fd, proc), name, acl->bytes, acl->size, 0) < 0 ? -errno : 0;
}

int sl_vacl_inherit(struct sl_vnode *dir, struct sl_vnode *n, mode_t *mode)
{
	struct acl acl, access;
	int r = read_list(dir, DEFAULT_LIST, &acl);

	if (r <= 0)
		return r;
	access = acl;
	if (apply_mode(&access, mode) && (r = write_list(n, ACCESS_LIST, &access)) < 0)
		return r;
	return sl_vnode_is_dir(n) ? write_list(n, DEFAULT_LIST, &acl) : 0;
}
