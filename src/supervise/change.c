/*
 * change.c - see change.h. The order of checks is the kernel's, so that a call with several faults gets the
 * same error: flags, structures, then the path.
 */
#include "supervise/change.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <utime.h>

#include "base/macros.h"
#include "kernel/own-fd.h"
#include "kernel/tracee.h"

#ifndef __NR_setxattrat
#define __NR_setxattrat 463
#endif
#ifndef __NR_file_setattr
#define __NR_file_setattr 469
#endif
#ifndef PIPEFS_MAGIC
#define PIPEFS_MAGIC 0x50495045
#endif
#ifndef HUGETLBFS_MAGIC
#define HUGETLBFS_MAGIC 0x958458f6
#endif
#define FILE_ATTR_SIZE_VER0 24 /* struct file_attr, Linux 6.17 */

/* struct xattr_args of setxattrat(2), Linux 6.13. */
struct xattr_args {
	uint64_t value;
	uint32_t size, flags;
};

void sl_change_release(struct sl_change *c)
{
	free(c->value);
	c->value = NULL;
}

/* Whose memory is closed to us is refused, as for every other failure to decide. */
static int memory_error(int r)
{
	return r == -EPERM ? -EACCES : r;
}

static int copy(const struct seccomp_notif *n, uint64_t addr, void *buf, size_t len)
{
	return memory_error(sl_tracee_read((pid_t)n->pid, addr, buf, len));
}

/* A structure whose size the caller gives: what is behind the part that we know must be zero, as in the
 * kernel's copy_struct_from_user(). buf has room for SL_ATTR_MAX bytes. */
static int copy_sized(const struct seccomp_notif *n, uint64_t addr, size_t size, size_t least, size_t known,
		      void *buf)
{
	const char *bytes = buf;
	int r;

	if (size < least)
		return -EINVAL;
	if (size > SL_ATTR_MAX)
		return -E2BIG;
	r = copy(n, addr, buf, size);
	for (size_t i = known; r == 0 && i < size; i++)
		if (bytes[i])
			r = -E2BIG;
	return r;
}

/* The last argument but the path: flags that choose how the object is found. */
static int copy_at_flags(const struct seccomp_notif *n, const struct sl_call *call, struct sl_change *c,
			 bool *ret_empty)
{
	uint32_t flags;

	c->nofollow = call->nofollow;
	*ret_empty = false;
	if (call->flags_arg == SL_NO_ARG || c->request)
		return 0;
	flags = (uint32_t)n->data.args[call->flags_arg];
	if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	c->nofollow = flags & AT_SYMLINK_NOFOLLOW;
	*ret_empty = flags & AT_EMPTY_PATH;
	return 0;
}

/* Which descriptor "" with AT_EMPTY_PATH needs: the calls that got a null path together with the flag look
 * the descriptor up as read(2) does. */
static enum sl_change_form empty_form(const struct sl_change *c)
{
	switch (c->op) {
	case SL_OP_SETXATTR:
	case SL_OP_REMOVEXATTR:
	case SL_OP_INODE_FLAGS:
		return SL_BY_FD;
	default:
		return SL_BY_ANY_FD;
	}
}

static int copy_path(const struct seccomp_notif *n, const struct sl_call *call, struct sl_change *c,
		     bool empty)
{
	uint64_t addr;
	ssize_t len;

	c->dirfd = call->dir_arg == SL_NO_ARG ? AT_FDCWD : (int)n->data.args[call->dir_arg];
	c->form = SL_BY_FD;
	if (call->path_arg == SL_NO_ARG) {
		c->dirfd = SL_MAX(c->dirfd, -1); /* AT_FDCWD means nothing here */
		return 0;
	}
	addr = n->data.args[call->path_arg];
	if (!addr && c->op == SL_OP_UTIMES && c->dirfd != AT_FDCWD)
		return empty || c->nofollow ? -EINVAL : 0;
	c->form = SL_BY_PATH;
	if (!addr && empty && empty_form(c) == SL_BY_FD) {
		len = 0;
	} else {
		len = sl_tracee_read_string((pid_t)n->pid, addr, c->path, sizeof(c->path));
		if (len < 0)
			return memory_error((int)len);
	}
	if (len > 0)
		return 0;
	if (!empty)
		return -ENOENT;
	c->form = c->dirfd == AT_FDCWD ? SL_BY_ANY_FD : empty_form(c);
	return 0;
}

static int copy_times(const struct seccomp_notif *n, const struct sl_call *call, struct sl_change *c)
{
	bool is_utimensat = call->nr == __NR_utimensat;
	uint64_t addr = n->data.args[call->dir_arg == SL_NO_ARG ? 1 : 2];
	struct timeval tv[2];
	int r;

	c->now = !addr;
	if (c->now)
		return 0;
	if (is_utimensat) {
		r = copy(n, addr, c->times, sizeof(c->times));
		c->nothing = r == 0 && c->times[0].tv_nsec == UTIME_OMIT && c->times[1].tv_nsec == UTIME_OMIT;
		return r;
	}
#ifdef __NR_utime
	if (call->nr == __NR_utime) {
		struct utimbuf seconds;

		r = copy(n, addr, &seconds, sizeof(seconds));
		if (r < 0)
			return r;
		c->times[0] = (struct timespec){.tv_sec = seconds.actime};
		c->times[1] = (struct timespec){.tv_sec = seconds.modtime};
		return 0;
	}
#endif
	r = copy(n, addr, tv, sizeof(tv));
	for (int i = 0; r == 0 && i < 2; i++) {
		/* The kernel checks before it multiplies, so no number of microseconds is UTIME_NOW. */
		if (tv[i].tv_usec < 0 || tv[i].tv_usec >= 1000000)
			r = -EINVAL;
		else
			c->times[i] =
			    (struct timespec){.tv_sec = tv[i].tv_sec, .tv_nsec = tv[i].tv_usec * 1000};
	}
	return r;
}

static int copy_xattr_name(const struct seccomp_notif *n, uint64_t addr, struct sl_change *c)
{
	ssize_t len = sl_tracee_read_string((pid_t)n->pid, addr, c->xattr, sizeof(c->xattr));

	if (len == 0 || len == -ENAMETOOLONG)
		return -ERANGE;
	return memory_error((int)SL_MIN(len, 0));
}

static int copy_value(const struct seccomp_notif *n, const struct sl_call *call, struct sl_change *c)
{
	bool at = call->nr == __NR_setxattrat;
	int name = at ? 3 : 1;
	struct xattr_args args = {.value = n->data.args[2], .flags = (uint32_t)n->data.args[4]};
	uint64_t buf[SL_ATTR_MAX / sizeof(uint64_t)];
	size_t size = n->data.args[3];
	int r;

	if (at) {
		r = copy_sized(n, n->data.args[4], n->data.args[5], sizeof(args), sizeof(args), buf);
		if (r < 0)
			return r;
		memcpy(&args, buf, sizeof(args));
		size = args.size;
	}
	if (args.flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	c->xattr_flags = (int)args.flags;
	r = copy_xattr_name(n, n->data.args[name], c);
	if (r < 0 || !size)
		return r;
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	c->value = malloc(size);
	if (!c->value)
		return -ENOMEM;
	c->value_size = size;
	return copy(n, args.value, c->value, size);
}

static int copy_inode_flags(const struct seccomp_notif *n, const struct sl_call *call, struct sl_change *c)
{
	if (call->nr == __NR_file_setattr) {
		/* The kernel judges what it does not know behind the first version. */
		c->attr_size = n->data.args[3];
		return copy_sized(n, n->data.args[2], c->attr_size, FILE_ATTR_SIZE_VER0, SL_ATTR_MAX,
				  c->attr);
	}
	c->attr_size = c->request == SL_FS_IOC_SETFLAGS ? sizeof(uint32_t) : sizeof(struct fsxattr);
	return copy(n, n->data.args[2], c->attr, c->attr_size);
}

static int copy_what(const struct seccomp_notif *n, const struct sl_call *call, struct sl_change *c)
{
	const uint64_t *args = (const uint64_t *)n->data.args;
	int first = call->dir_arg != SL_NO_ARG && call->path_arg != SL_NO_ARG ? 2 : 1;

	switch (c->op) {
	case SL_OP_CHMOD:
		c->mode = (mode_t)args[call->mode_arg] & 07777;
		return 0;
	case SL_OP_CHOWN:
		c->uid = (uid_t)args[first];
		c->gid = (gid_t)args[first + 1];
		return 0;
	case SL_OP_UTIMES:
		return copy_times(n, call, c);
	case SL_OP_SETXATTR:
		return copy_value(n, call, c);
	case SL_OP_REMOVEXATTR:
		return copy_xattr_name(n, args[first == 2 ? 3 : 1], c);
	default:
		return copy_inode_flags(n, call, c);
	}
}

int sl_change_copy(const struct seccomp_notif *n, const struct sl_call *call, struct sl_change *ret)
{
	bool empty;
	int r;

	memset(ret, 0, sizeof(*ret));
	ret->op = sl_call_op(call, (const uint64_t *)n->data.args);
	if (call->op == SL_OP_DEVICE_IOCTL)
		ret->request = (uint32_t)n->data.args[call->flags_arg];
	r = copy_at_flags(n, call, ret, &empty);
	if (r < 0 && ret->op != SL_OP_UTIMES)
		return r;
	/* utimensat copies the times first, and does nothing at all where both are to be omitted. */
	if (ret->op == SL_OP_UTIMES) {
		int copied = copy_what(n, call, ret);

		if (copied < 0 || ret->nothing)
			return copied;
		return r < 0 ? r : copy_path(n, call, ret, empty);
	}
	r = copy_what(n, call, ret);
	return r < 0 ? r : copy_path(n, call, ret, empty);
}

static bool nsec_valid(const struct timespec *t)
{
	return t->tv_nsec == UTIME_NOW || t->tv_nsec == UTIME_OMIT ||
	       (t->tv_nsec >= 0 && t->tv_nsec < 1000000000);
}

int sl_change_check(const struct sl_change *c, mode_t type)
{
	switch (c->op) {
	case SL_OP_UTIMES:
		return c->now || (nsec_valid(&c->times[0]) && nsec_valid(&c->times[1])) ? 0 : -EINVAL;
	case SL_OP_CHMOD:
		return S_ISLNK(type) ? -EOPNOTSUPP : 0;
	case SL_OP_SETXATTR:
	case SL_OP_REMOVEXATTR:
		return strncmp(c->xattr, SL_MARK, strlen(SL_MARK)) ? 0 : -EPERM;
	case SL_OP_INODE_FLAGS:
		/* To a device's driver the request may mean anything. */
		return !c->request || S_ISREG(type) || S_ISDIR(type) ? 0 : -ENOTTY;
	default:
		return 0;
	}
}

bool sl_change_is_nameless(const struct sl_resolved *object, const struct stat *st)
{
	struct statfs fs;

	if (!object->anonymous || fstatfs(object->fd, &fs) < 0)
		return false;
	switch ((unsigned long)fs.f_type) {
	case PIPEFS_MAGIC:
	case SOCKFS_MAGIC:
		return true;
	case TMPFS_MAGIC:
	case HUGETLBFS_MAGIC:
		return !st->st_nlink && S_ISREG(st->st_mode) && !strncmp(object->path, "/memfd:", 7);
	default:
		return false;
	}
}

/* The calls of which the descriptor's own form needs no detour. -errno. */
static int act_on_open(const struct sl_change *c, int fd)
{
	int r;

	switch (c->op) {
	case SL_OP_SETXATTR:
		r = fsetxattr(fd, c->xattr, c->value, c->value_size, c->xattr_flags);
		break;
	case SL_OP_REMOVEXATTR:
		r = fremovexattr(fd, c->xattr);
		break;
	default:
		if (!c->request)
			return sl_fd_setattr(fd, c->attr, c->attr_size);
		r = ioctl(fd, c->request, c->attr);
		break;
	}
	return r < 0 ? -errno : 0;
}

int sl_change_apply(const struct sl_change *c, int fd, bool reopened)
{
	switch (c->op) {
	case SL_OP_CHMOD:
		return sl_fd_chmod(fd, c->mode);
	case SL_OP_CHOWN:
		return sl_fd_chown(fd, c->uid, c->gid);
	case SL_OP_UTIMES:
		return sl_fd_utimes(fd, c->now ? NULL : c->times);
	default:
		break;
	}
	if (c->form == SL_BY_FD && !reopened)
		return act_on_open(c, fd);
	if (c->request)
		return -EACCES; /* an ioctl needs the open file */
	switch (c->op) {
	case SL_OP_SETXATTR:
		return sl_fd_setxattr(fd, c->xattr, c->value, c->value_size, c->xattr_flags);
	case SL_OP_REMOVEXATTR:
		return sl_fd_removexattr(fd, c->xattr);
	default:
		return sl_fd_setattr(fd, c->attr, c->attr_size);
	}
}
