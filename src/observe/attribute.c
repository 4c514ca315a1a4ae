/*
 * attribute.c - calls that change attributes (mode, owner, times, extended attributes, inode flags), and commands to
 * devices.
 *
 * Landlock does not govern attributes; a profile lets them be changed where it lets the object be written or created.
 * So each success is WRITE on the object. A profile entry for a symbolic link would mean its target, so an attribute
 * of the link itself is WRITE on its directory.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <utime.h>

#include "base/path.h"
#include "observe/event.h"

#ifndef XATTR_NAME_MAX
#define XATTR_NAME_MAX 255
#endif
#define TERMINAL_MASTERS 5 /* major of /dev/ptmx, whatever its name */
#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif
#define MEMORY_DEVICES 1 /* major of /dev/null, zero, full, random: they take no commands */

/* chown: giving away takes CAP_CHOWN; an owner may choose among its own groups. */
static int check_chown(struct sl_event *e, const struct stat *st)
{
	int first = e->call->path_arg == SL_NO_ARG ? 1 : e->call->path_arg + 1;
	uid_t uid = (uid_t)e->n->data.args[first];
	gid_t gid = (gid_t)e->n->data.args[first + 1];
	bool owner = sl_may_fsuid(e) == st->st_uid;

	if (sl_may_capable(e, CAP_CHOWN))
		return 0;
	if (uid != (uid_t)-1 && (!owner || uid != st->st_uid))
		return -EPERM;
	if (gid != (gid_t)-1 && (!owner || (gid != st->st_gid && !sl_may_in_group(e, gid))))
		return -EPERM;
	return 0;
}

/* Are the times those of now, which whoever may write the file may set? */
static int times_are_now(struct sl_event *e, bool *ret_now, bool *ret_omit)
{
	struct timespec times[2];
	uint64_t at;
	int arg = e->call->path_arg == SL_NO_ARG ? 1 : e->call->path_arg + 1, r;

	at = e->n->data.args[arg];
	*ret_now = !at;
	*ret_omit = false;
	if (!at || e->n->data.nr != __NR_utimensat)
		return 0;
	r = sl_tracee_read(e->tid, at, times, sizeof(times));
	if (r < 0)
		return r;
	*ret_now = times[0].tv_nsec == UTIME_NOW && times[1].tv_nsec == UTIME_NOW;
	*ret_omit = times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT;
	return 0;
}

static int check_utimes(struct sl_event *e, int fd, const struct stat *st)
{
	bool now, omit;
	int r = times_are_now(e, &now, &omit);

	if (r < 0)
		return r;
	if (omit)
		return SL_NOTHING;
	r = sl_may_own(e, st);
	if (r < 0 && now)
		return sl_may_access(e, fd, W_OK) < 0 ? -EACCES : 0;
	return r;
}

/* Who may change which extended attribute (fs/xattr.c: xattr_permission; xattr(7)). */
static int check_xattr_name(struct sl_event *e, int fd, const struct stat *st, const char *name)
{
	if (!strncmp(name, "user.", 5)) {
		if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
			return -EPERM;
		if (S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX && sl_may_own(e, st) < 0)
			return -EPERM;
		return sl_may_access(e, fd, W_OK);
	}
	if (!strcmp(name, "security.capability"))
		return sl_may_capable(e, CAP_SETFCAP) ? 0 : -EPERM;
	if (!strncmp(name, "trusted.", 8) || !strncmp(name, "security.", 9))
		return sl_may_capable(e, CAP_SYS_ADMIN) ? 0 : -EPERM;
	return sl_may_own(e, st);
}

/* Is the attribute there (1), not there (0), or unknown to the file system (-EOPNOTSUPP)? */
static int xattr_present(int fd, const char *name)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (getxattr(link, name, NULL, 0) >= 0)
		return 1;
	return errno == EOPNOTSUPP ? -errno : 0;
}

static int check_xattr(struct sl_event *e, int fd, const struct stat *st)
{
	char name[XATTR_NAME_MAX + 2];
	int first = e->call->path_arg == SL_NO_ARG ? 1 : e->call->path_arg + 1, r, flags = 0;
	ssize_t n;

	if (!strcmp(e->call->name, "setxattrat") || !strcmp(e->call->name, "removexattrat"))
		first = 3;
	n = sl_tracee_read_string(e->tid, e->n->data.args[first], name, sizeof(name));
	if (n <= 0)
		return n == 0 || n == -ENAMETOOLONG ? -ERANGE : (int)n;
	r = check_xattr_name(e, fd, st, name);
	if (r < 0)
		return r;
	r = S_ISLNK(st->st_mode) ? 1 : xattr_present(fd, name);
	if (r < 0)
		return r;
	/* An access control list that is not there may be removed. */
	if (e->op == SL_OP_REMOVEXATTR)
		return r || !strncmp(name, "system.posix_acl_", 17) ? 0 : -ENODATA;
	if (first != 3)
		flags = (int)e->n->data.args[first + 3];
	if (flags & XATTR_CREATE && r)
		return -EEXIST;
	return flags & XATTR_REPLACE && !r ? -ENODATA : 0;
}

static int check_attribute(struct sl_event *e, int fd, const struct stat *st)
{
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &x) == 0 &&
	    x.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND) && e->op != SL_OP_INODE_FLAGS)
		return -EPERM;
	switch (e->op) {
	case SL_OP_CHMOD:
		return S_ISLNK(st->st_mode) ? -EOPNOTSUPP : sl_may_own(e, st);
	case SL_OP_CHOWN:
		return check_chown(e, st);
	case SL_OP_UTIMES:
		return check_utimes(e, fd, st);
	case SL_OP_SETXATTR:
	case SL_OP_REMOVEXATTR:
		return check_xattr(e, fd, st);
	default:
		return sl_may_own(e, st);
	}
}

/* The object: a descriptor, a path, or a descriptor because the path is NULL (utimensat) or empty. */
static int resolve_object(struct sl_event *e, struct sl_resolved *ret)
{
	int flags = e->call->nofollow ? SL_RESOLVE_NOFOLLOW : 0;
	uint64_t at_flags = 0;

	if (e->op == SL_OP_INODE_FLAGS && e->call->path_arg == SL_NO_ARG)
		return sl_event_resolve_fd(e, sl_event_dirfd(e, 0), ret);
	if (e->call->flags_arg != SL_NO_ARG)
		at_flags = e->n->data.args[e->call->flags_arg];
	if (at_flags & AT_SYMLINK_NOFOLLOW)
		flags |= SL_RESOLVE_NOFOLLOW;
	if (at_flags & AT_EMPTY_PATH)
		flags |= SL_RESOLVE_EMPTY;
	if (e->call->path_arg != SL_NO_ARG && !e->n->data.args[e->call->path_arg]) {
		if (e->op != SL_OP_UTIMES && !(at_flags & AT_EMPTY_PATH))
			return -EFAULT;
		return sl_event_resolve_fd(e, sl_event_dirfd(e, 0), ret);
	}
	return sl_event_resolve(e, 0, flags, ret);
}

static int check_object(struct sl_event *e, struct sl_resolved *at)
{
	struct stat st;
	uint64_t mount;

	if (fstat(at->fd, &st) < 0 || sl_mount_of(at->fd, &mount, NULL) < 0)
		return -errno;
	at->type = st.st_mode & S_IFMT;
	if (!at->anonymous && sl_may_access(e, at->fd, W_OK) == -EROFS)
		return -EROFS;
	return check_attribute(e, at->fd, &st);
}

/* The view decides, unless nothing is asked for. */
static int check_on_view(struct sl_event *e)
{
	bool now, omit = false;
	int r = e->op == SL_OP_UTIMES ? times_are_now(e, &now, &omit) : 0;

	return omit ? SL_NOTHING : r;
}

int sl_observe_attribute(struct sl_event *e)
{
	SL_CLEANUP(sl_resolved_release) struct sl_resolved at = SL_RESOLVED_INIT;
	SL_FREE char *dir = NULL;
	int r = resolve_object(e, &at);

	if (r == 0)
		r = e->lenient ? check_on_view(e) : check_object(e, &at);
	if (r != 0)
		return r;
	if (at.anonymous)
		return SL_NOTHING;
	if (S_ISLNK(at.type) && !sl_facts_is_made(e->o->facts, at.path)) {
		dir = sl_path_dirname(at.path);
		sl_event_use(e, SL_RIGHT_WRITE, dir, true);
		return 0;
	}
	sl_event_use(e, SL_RIGHT_WRITE, at.path, S_ISDIR(at.type));
	return 0;
}

/* TIOCGPTPEER opens the other end of a pseudo-terminal by the flags in its argument, without a path. */
static int open_peer(struct sl_event *e)
{
	int access = (int)e->n->data.args[2] & O_ACCMODE;

	sl_event_use(e,
		     SL_RIGHT_IOCTL | (access != O_WRONLY ? SL_RIGHT_READ : 0u) |
			     (access != O_RDONLY ? SL_RIGHT_WRITE : 0u),
		     "/dev/pts/0", false);
	return 0;
}

int sl_observe_ioctl(struct sl_event *e)
{
	SL_CLEANUP(sl_resolved_release) struct sl_resolved at = SL_RESOLVED_INIT;
	struct stat st;
	int r = sl_event_resolve_fd(e, sl_event_dirfd(e, 0), &at);

	if (r < 0)
		return r;
	if (fstat(at.fd, &st) < 0)
		return -errno;
	if (at.anonymous || (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)))
		return SL_NOTHING;
	/* A terminal that was opened has the right from that; one that was inherited needs none. */
	if (S_ISCHR(st.st_mode)) {
		unsigned int number = major(st.st_rdev);

		if (number == TERMINAL_MASTERS && (uint32_t)e->n->data.args[1] == TIOCGPTPEER)
			return open_peer(e);
		if (number == MEMORY_DEVICES || number == 4 || number == 5 || (number >= 136 && number <= 143))
			return SL_NOTHING;
	}
	sl_event_use(e, SL_RIGHT_IOCTL, at.path, false);
	return 0;
}
