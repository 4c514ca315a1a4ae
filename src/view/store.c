/*
 * store.c - see store.h.
 */
#include "view/store.h"

#include <limits.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/xattr.h>

#include "base/macros.h"
#include "base/strbuf.h"

const char *sl_vstore_name(uint32_t obj, char name[SL_VSTORE_NAME])
{
	snprintf(name, SL_VSTORE_NAME, "%08x", obj);
	return name;
}

const char *sl_vstore_proc(int fd, char name[SL_VSTORE_PROC])
{
	snprintf(name, SL_VSTORE_PROC, "/proc/self/fd/%d", fd);
	return name;
}

int sl_vstore_gate(struct sl_vstore *s)
{
	return s->fault ? s->fault(s->arg) : 0;
}

int sl_vstore_create(struct sl_vstore *s, int flags, mode_t mode, uint32_t *ret_obj)
{
	char name[SL_VSTORE_NAME];
	int r = sl_vstore_gate(s), fd;

	if (r < 0)
		return r;
	fd = openat(s->fd, sl_vstore_name(s->last + 1, name),
		    flags | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode & 0777);
	if (fd < 0)
		return -errno;
	*ret_obj = ++s->last;
	return fd;
}

int sl_vstore_make(struct sl_vstore *s, mode_t mode, const char *target, uint32_t *ret_obj)
{
	char name[SL_VSTORE_NAME];
	int r = sl_vstore_gate(s);

	if (r < 0)
		return r;
	sl_vstore_name(s->last + 1, name);
	if (S_ISDIR(mode))
		r = mkdirat(s->fd, name, mode & 0777);
	else if (S_ISLNK(mode))
		r = symlinkat(target, s->fd, name);
	else
		r = mknodat(s->fd, name, mode & (S_IFMT | 0777), 0);
	if (r < 0)
		return -errno;
	*ret_obj = ++s->last;
	return 0;
}

int sl_vstore_open(struct sl_vstore *s, uint32_t obj, int flags)
{
	char name[SL_VSTORE_NAME];
	int r = sl_vstore_gate(s);

	if (r < 0)
		return r;
	r = openat(s->fd, sl_vstore_name(obj, name), flags | O_CLOEXEC | O_NOFOLLOW);
	return r < 0 ? -errno : r;
}

int sl_vstore_stat(struct sl_vstore *s, uint32_t obj, struct stat *ret)
{
	char name[SL_VSTORE_NAME];

	return fstatat(s->fd, sl_vstore_name(obj, name), ret, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int sl_vstore_chmod(struct sl_vstore *s, uint32_t obj, mode_t mode)
{
	char name[SL_VSTORE_NAME];

	return fchmodat(s->fd, sl_vstore_name(obj, name), mode, 0) < 0 ? -errno : 0;
}

int sl_vstore_chown(struct sl_vstore *s, uint32_t obj, uid_t uid, gid_t gid)
{
	char name[SL_VSTORE_NAME];

	return fchownat(s->fd, sl_vstore_name(obj, name), uid, gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int sl_vstore_utimes(struct sl_vstore *s, uint32_t obj, const struct timespec times[2])
{
	char name[SL_VSTORE_NAME];
	int r = sl_vstore_gate(s);

	if (r < 0)
		return r;
	return utimensat(s->fd, sl_vstore_name(obj, name), times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

void sl_vstore_remove(struct sl_vstore *s, uint32_t obj)
{
	char name[SL_VSTORE_NAME];

	if (s->keep)
		return;
	sl_vstore_name(obj, name);
	if (unlinkat(s->fd, name, 0) < 0 && errno == EISDIR)
		unlinkat(s->fd, name, AT_REMOVEDIR);
}

/* Where a directory's inode lies, there its files' lie, and ext4 passes over each inode there that was removed in the
 * last minutes, at every new file: what the run before has removed. Below a "top" directory (chattr +T) it places
 * directories at random. */
static void spread(int upper)
{
	SL_CLOSE int fd = openat(upper, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int flags;

	if (fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		flags |= FS_TOPDIR_FL;
		ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
}

int sl_vstore_open_dir(struct sl_vstore *s, int upper, bool shared)
{
	char proc[SL_VSTORE_PROC], name[48], path[PATH_MAX];
	uint64_t random[2];
	ssize_t len;
	int r;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	snprintf(name, sizeof(name), "objects-%016llx%016llx", (unsigned long long)random[0],
		 (unsigned long long)random[1]);
	spread(upper);
	if (mkdirat(upper, name, 0700) < 0)
		return -errno;
	s->fd = openat(upper, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->fd < 0 || fchmod(s->fd, shared ? 0711 : 0700) < 0)
		return -errno;
	/* What the upper's place would have objects inherit. */
	fremovexattr(s->fd, "system.posix_acl_default");
	fremovexattr(s->fd, "system.posix_acl_access");
	len = readlink(sl_vstore_proc(s->fd, proc), path, sizeof(path));
	if (len < 0)
		return -errno;
	s->path = sl_xstrndup(path, (size_t)len);
	r = openat(upper, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r < 0)
		return -errno;
	s->upper = r;
	return 0;
}

void sl_vstore_clear(struct sl_vstore *s)
{
	const char *name = s->path ? strrchr(s->path, '/') : NULL;

	for (; s->last && !s->keep; s->last--)
		sl_vstore_remove(s, s->last);
	if (name && !s->keep && s->upper >= 0)
		unlinkat(s->upper, name + 1, AT_REMOVEDIR);
	s->fd = sl_close(s->fd);
	s->upper = sl_close(s->upper);
	free(s->path);
	s->path = NULL;
}
