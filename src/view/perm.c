/*
 * perm.c - see perm.h.
 */
#include "view/perm.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/statvfs.h>

#include "view/acl.h"

bool sl_vperm_cap(const struct sl_view_ctx *c, int cap)
{
	return c->creds->caps >> cap & 1;
}

bool sl_vperm_in_group(const struct sl_view_ctx *c, gid_t gid)
{
	if (c->creds->gid == gid)
		return true;
	for (size_t i = 0; i < c->creds->groups_len; i++) {
		if (c->creds->groups[i] == gid)
			return true;
	}
	return false;
}

bool sl_vperm_owner(const struct sl_view_ctx *c, const struct stat *st)
{
	return c->creds->uid == st->st_uid || sl_vperm_cap(c, CAP_FOWNER);
}

/* acl_permission_check(): what mode and ACL say, without capabilities. */
static int check_mode(const struct sl_view_ctx *c, struct sl_vnode *n, const struct stat *st, int want)
{
	mode_t mode = st->st_mode;

	if (c->creds->uid == st->st_uid) {
		mode >>= 6;
	} else {
		if (mode & S_IRWXG && !S_ISLNK(mode)) {
			int r = sl_vacl_check(c, n, st, want);

			if (r <= 0)
				return r;
		}
		if (sl_vperm_in_group(c, st->st_gid))
			mode >>= 3;
	}
	return (mode & (mode_t)want) == (mode_t)want ? 0 : -EACCES;
}

int sl_vperm_change(struct sl_vnode *n, bool append)
{
	uint64_t fixed = STATX_ATTR_IMMUTABLE | (append ? 0 : STATX_ATTR_APPEND);
	struct statfs fs;
	struct statx stx;
	int fd;

	if (n->obj || !n->lower)
		return 0;
	fd = sl_vnode_lower_fd(n);
	if (fd < 0)
		return fd;
	if (fstatfs(fd, &fs) == 0 && fs.f_flags & ST_RDONLY &&
	    (S_ISREG(n->mode) || S_ISDIR(n->mode) || S_ISLNK(n->mode)))
		return -EROFS;
	if (statx(fd, "", AT_EMPTY_PATH, 0, &stx) == 0 && stx.stx_attributes & fixed)
		return -EPERM;
	return 0;
}

bool sl_vperm_noexec(struct sl_vnode *n)
{
	struct statfs fs;
	int fd;

	while (n && !n->lower)
		n = sl_vnode_is_dir(n) ? n->parent : sl_vnode_name(n) ? n->self->dir : NULL;
	fd = n ? sl_vnode_lower_fd(n) : -EBADF;
	return fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_flags & ST_NOEXEC;
}

int sl_vperm(const struct sl_view_ctx *c, struct sl_vnode *n, int want)
{
	struct stat st;
	int r = sl_vnode_owner(n, &st);

	if (r < 0)
		return r;
	if (want & W_OK && (r = sl_vperm_change(n, true)) < 0)
		return r;
	r = check_mode(c, n, &st, want);
	if (r != -EACCES)
		return r;
	if (S_ISDIR(st.st_mode)) {
		if (!(want & W_OK) && sl_vperm_cap(c, CAP_DAC_READ_SEARCH))
			return 0;
		return sl_vperm_cap(c, CAP_DAC_OVERRIDE) ? 0 : -EACCES;
	}
	if (want == R_OK && sl_vperm_cap(c, CAP_DAC_READ_SEARCH))
		return 0;
	if ((!(want & X_OK) || st.st_mode & 0111) && sl_vperm_cap(c, CAP_DAC_OVERRIDE))
		return 0;
	return -EACCES;
}

int sl_vperm_create(const struct sl_view_ctx *c, struct sl_vnode *dir)
{
	return dir->dead ? -ENOENT : sl_vperm(c, dir, W_OK | X_OK);
}

int sl_vperm_delete(const struct sl_view_ctx *c, struct sl_vnode *dir, struct sl_vnode *victim, bool want_dir)
{
	struct stat d, st;
	int r = sl_vperm(c, dir, W_OK | X_OK);

	if (r < 0 || (r = sl_vnode_owner(dir, &d)) < 0 || (r = sl_vnode_owner(victim, &st)) < 0)
		return r;
	if ((r = sl_vperm_change(dir, false)) < 0 || (r = sl_vperm_change(victim, false)) < 0)
		return r == -EROFS ? -EROFS : -EPERM;
	if (d.st_mode & S_ISVTX && st.st_uid != c->creds->uid && d.st_uid != c->creds->uid &&
	    !sl_vperm_cap(c, CAP_FOWNER))
		return -EPERM;
	if (want_dir && !sl_vnode_is_dir(victim))
		return -ENOTDIR;
	if (!want_dir && sl_vnode_is_dir(victim))
		return -EISDIR;
	if (victim == victim->view->root)
		return -EBUSY;
	return dir->dead ? -ENOENT : 0;
}

int sl_vperm_follow(const struct sl_view_ctx *c, struct sl_vnode *dir, struct sl_vnode *link)
{
	struct stat d, st;
	int r;

	if (!link->view->protected_symlinks)
		return 0;
	if ((r = sl_vnode_owner(link, &st)) < 0 || (r = sl_vnode_owner(dir, &d)) < 0)
		return r;
	if (st.st_uid == c->creds->uid || (d.st_mode & (S_ISVTX | S_IWOTH)) != (S_ISVTX | S_IWOTH))
		return 0;
	return d.st_uid == st.st_uid ? 0 : -EACCES;
}

int sl_vperm_hardlink(const struct sl_view_ctx *c, struct sl_vnode *n)
{
	struct stat st;
	int r;

	if (!n->view->protected_hardlinks)
		return 0;
	r = sl_vnode_stat(n, &st);
	if (r < 0)
		return r;
	if (sl_vperm_owner(c, &st))
		return 0;
	if (!S_ISREG(st.st_mode) || st.st_mode & S_ISUID ||
	    (st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		return -EPERM;
	return sl_vperm(c, n, R_OK | W_OK) < 0 ? -EPERM : 0;
}

int sl_vperm_sticky_create(const struct sl_view_ctx *c, struct sl_vnode *dir, struct sl_vnode *n)
{
	struct stat d, st;
	int r, level;

	if (!S_ISREG(n->mode) && !S_ISFIFO(n->mode))
		return 0;
	level = S_ISREG(n->mode) ? n->view->protected_regular : n->view->protected_fifos;
	if (!level)
		return 0;
	if ((r = sl_vnode_owner(n, &st)) < 0 || (r = sl_vnode_owner(dir, &d)) < 0)
		return r;
	if (!(d.st_mode & S_ISVTX) || st.st_uid == d.st_uid || st.st_uid == c->creds->uid)
		return 0;
	if (d.st_mode & S_IWOTH || (d.st_mode & S_IWGRP && level >= 2))
		return -EACCES;
	return 0;
}

static int read_setting(const char *path)
{
	char digit = '0';
	SL_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, &digit, 1) != 1)
		return 0;
	return digit - '0';
}

void sl_vperm_read_settings(struct sl_view *v)
{
	v->protected_symlinks = read_setting("/proc/sys/fs/protected_symlinks");
	v->protected_hardlinks = read_setting("/proc/sys/fs/protected_hardlinks");
	v->protected_regular = read_setting("/proc/sys/fs/protected_regular");
	v->protected_fifos = read_setting("/proc/sys/fs/protected_fifos");
}
