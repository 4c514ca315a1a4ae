/*
 * copy-up.c - see copy-up.h.
 */
#include "view/copy-up.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "base/strbuf.h"
#include "view/walk.h"

#define UNKNOWN_MODE (~(mode_t)0)

static int gate(struct sl_vstore *s)
{
	return s ? sl_vstore_gate(s) : 0;
}

/* One extent by hand, where the kernel copies not between these file systems. */
static int copy_by_hand(int from, int to, off_t at, off_t end)
{
	SL_FREE char *buf = sl_xmalloc(1 << 16);

	while (at < end) {
		ssize_t got = pread(from, buf, (size_t)SL_MIN(end - at, (off_t)1 << 16), at);
		ssize_t done = 0;

		if (got <= 0)
			return got < 0 ? -errno : 0; /* 0: became shorter meanwhile */
		while (done < got) {
			ssize_t put = pwrite(to, buf + done, (size_t)(got - done), at + done);

			if (put < 0)
				return -errno;
			done += put;
		}
		at += got;
	}
	return 0;
}

static int copy_extent(int from, int to, off_t at, off_t end)
{
	while (at < end) {
		off_t in = at, out = at;
		ssize_t n = copy_file_range(from, &in, to, &out, (size_t)SL_MIN(end - at, (off_t)1 << 30), 0);

		if (n > 0) {
			at += n;
			continue;
		}
		if (n < 0 && errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS)
			return -errno;
		/* 0 is the end of the file, or a file of a virtual file system that says so. */
		return copy_by_hand(from, to, at, end);
	}
	return 0;
}

int sl_vcopy_data(struct sl_vstore *s, int from, int to, off_t limit)
{
	off_t at = 0, end;
	struct stat st;
	int r = gate(s);

	if (r < 0)
		return r;
	if (fstat(from, &st) < 0)
		return -errno;
	end = SL_MIN(st.st_size, limit);
	if (end == st.st_size && end > 0 && ioctl(to, FICLONE, from) == 0)
		return 0;
	while (at < end) {
		off_t data = lseek(from, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			break; /* a hole up to the end */
		if (data < 0)
			data = at; /* a file system that knows no holes */
		hole = lseek(from, data, SEEK_HOLE);
		if (hole < 0 || hole > end)
			hole = end;
		if (data >= end)
			break;
		hole = SL_MIN(hole, data + SL_VCOPY_PIECE);
		if ((r = gate(s)) < 0 || (r = copy_extent(from, to, data, hole)) < 0)
			return r;
		at = hole;
	}
	return ftruncate(to, end) < 0 ? -errno : 0;
}

static int copy_xattr(const char *from, const char *to, const char *name)
{
	SL_FREE char *value = NULL;
	ssize_t len = getxattr(from, name, NULL, 0);

	if (len < 0)
		return errno == ENODATA ? 0 : -errno;
	value = sl_xmalloc((size_t)len + 1);
	len = getxattr(from, name, value, (size_t)len);
	if (len < 0)
		return errno == ENODATA ? 0 : -errno;
	if (setxattr(to, name, value, (size_t)len, 0) == 0)
		return 0;
	if (strncmp(name, "user.", 5) != 0 && (errno == EPERM || errno == EOPNOTSUPP))
		return 0;
	return -errno;
}

/* The names, NUL after NUL; 0 where the file system has none. */
static ssize_t list_xattrs(const char *path, char **ret)
{
	ssize_t len = listxattr(path, NULL, 0);

	if (len <= 0)
		return len < 0 && errno != EOPNOTSUPP ? -errno : 0;
	*ret = sl_xmalloc((size_t)len);
	len = listxattr(path, *ret, (size_t)len);
	return len < 0 ? -errno : len;
}

int sl_vcopy_xattrs(struct sl_vstore *s, int from, int to, bool exact)
{
	char from_proc[SL_VSTORE_PROC], to_proc[SL_VSTORE_PROC];
	SL_FREE char *names = NULL, *old = NULL;
	ssize_t len, old_len = 0;
	int r;

	sl_vstore_proc(from, from_proc);
	sl_vstore_proc(to, to_proc);
	len = list_xattrs(from_proc, &names);
	if (len < 0)
		return (int)len;
	if (exact)
		old_len = list_xattrs(to_proc, &old);
	for (ssize_t i = 0; old && i < old_len; i += (ssize_t)strlen(old + i) + 1) {
		if (getxattr(from_proc, old + i, NULL, 0) < 0 && errno == ENODATA)
			removexattr(to_proc, old + i);
	}
	for (ssize_t i = 0; names && i < len; i += (ssize_t)strlen(names + i) + 1) {
		if ((r = gate(s)) < 0 || (r = copy_xattr(from_proc, to_proc, names + i)) < 0)
			return r;
	}
	return 0;
}

/* A program that gives who executes it another identity or capabilities: while it lies in the upper nobody outside may have
 * those of it, which the command itself never gets (no_new_privs). */
static bool is_privileged(const struct sl_vnode *n, mode_t mode)
{
	return n->view->shared && S_ISREG(n->mode) && mode & 0111 && (n->capable || mode & (S_ISUID | S_ISGID));
}

int sl_vnode_own_as(struct sl_vnode *n, const struct stat *st, uid_t uid, gid_t gid, mode_t mode)
{
	bool foreign = false, withheld = is_privileged(n, mode);
	struct sl_vstore *s = &n->view->store;
	mode_t now = st->st_mode & 07777;
	int r = sl_vstore_gate(s);

	/* One gate: what can fail for lack of room is the first change, a new owner's quota. */
	if (r < 0)
		return r;
	sl_vnode_forget_owner(n);
	if (st->st_uid != uid || st->st_gid != gid) {
		r = sl_vstore_chown(s, n->obj, uid, gid);
		if (r < 0 && r != -EPERM && r != -EINVAL)
			return r;
		foreign = r < 0;
		now = UNKNOWN_MODE; /* some bits go with the owner */
	}
	if (!S_ISLNK(n->mode)) {
		mode_t own = mode & 07777;

		if (withheld)
			own = (own & ~(mode_t)0011) | 0100;
		/* What is not ours to show is ours to read, and to execute where anybody may. */
		if (foreign)
			own = (mode & 0777) | (S_ISDIR(n->mode) || mode & 0111 ? 0700 : 0600);

		r = own == now ? 0 : sl_vstore_chmod(s, n->obj, own);
		if (r < 0)
			return r;
	}
	n->foreign = foreign;
	n->withheld = withheld && !foreign;
	/* The kernel may have taken the set-group-id bit, which matters for directories. */
	n->known = foreign || !sl_vnode_is_dir(n);
	if (n->known) {
		n->uid = uid;
		n->gid = gid;
		n->mode = (n->mode & S_IFMT) | (mode & 07777);
	}
	return 0;
}

int sl_vnode_own(struct sl_vnode *n, uid_t uid, gid_t gid, mode_t mode)
{
	struct stat st;
	int r = sl_vstore_stat(&n->view->store, n->obj, &st);

	return r < 0 ? r : sl_vnode_own_as(n, &st, uid, gid, mode);
}

void sl_vnode_touch(struct sl_vnode *dir)
{
	struct timespec now[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}};

	char name[SL_VSTORE_NAME];

	/* Past the gate: the change has happened already, and takes no room. */
	if (dir->obj)
		utimensat(dir->view->store.fd, sl_vstore_name(dir->obj, name), now, AT_SYMLINK_NOFOLLOW);
}

/* Descriptors of the copy for the files that are open on the lower's. */
static int reopen_files(struct sl_vnode *n, int copy)
{
	char proc[SL_VSTORE_PROC];
	size_t len = 0, i = 0;
	SL_FREE int *fds = NULL;
	int r = 0;

	for (struct sl_view_file *f = n->files; f; f = f->next)
		len++;
	fds = sl_xcalloc(len + 1, sizeof(int));
	for (struct sl_view_file *f = n->files; f; f = f->next, i++) {
		fds[i] = -EBADF;
		if (r < 0 || f->fd < 0)
			continue;
		fds[i] = open(sl_vstore_proc(copy, proc),
			      (f->flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_NOFOLLOW)) | O_CLOEXEC);
		if (fds[i] < 0)
			r = -errno;
	}
	i = 0;
	for (struct sl_view_file *f = n->files; f; f = f->next, i++) {
		off_t at;

		if (fds[i] < 0)
			continue;
		if (r == 0) {
			at = lseek(f->fd, 0, SEEK_CUR);
			if (at > 0)
				lseek(fds[i], at, SEEK_SET);
			dup3(fds[i], f->fd, O_CLOEXEC);
		}
		close(fds[i]);
	}
	if (r == 0 && n->view->copied)
		n->view->copied(n, n->view->copied_arg);
	return r;
}

static int open_source(int lower)
{
	char proc[SL_VSTORE_PROC];
	int fd;

	sl_vstore_proc(lower, proc);
	fd = open(proc,
		  O_RDONLY | O_NOATIME | O_CLOEXEC); /* for owners: the lower's atime is not ours to move */
	if (fd < 0 && errno == EPERM)
		fd = open(proc, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Make the object. ret_fd: of a regular file's, to write and reopen; else -EBADF. */
static int make_object(struct sl_vnode *n, int lower, off_t limit, uint32_t *ret_obj, int *ret_fd)
{
	struct sl_vstore *s = &n->view->store;
	SL_FREE char *target = NULL;
	SL_CLOSE int from = -EBADF, to = -EBADF;
	int r;

	if (S_ISLNK(n->mode)) {
		r = sl_vnode_target(n, &target);
		return r < 0 ? r : sl_vstore_make(s, S_IFLNK, target, ret_obj);
	}
	if (S_ISDIR(n->mode))
		return sl_vstore_make(s, S_IFDIR | 0700, NULL, ret_obj);
	to = sl_vstore_create(s, O_RDWR, 0600, ret_obj);
	if (to < 0 || !S_ISREG(n->mode)) {
		r = to;
		return r < 0 ? r : 0;
	}
	if (limit > 0) {
		from = open_source(lower);
		r = from < 0 ? from : sl_vcopy_data(s, from, to, limit);
		if (r < 0) {
			sl_vstore_remove(s, *ret_obj);
			return r;
		}
	}
	*ret_fd = SL_TAKE_FD(to);
	return 0;
}

/* The attributes, the times last. node->obj is set. */
static int copy_attributes(struct sl_vnode *n, int lower, const struct stat *st)
{
	struct sl_vstore *s = &n->view->store;
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	char proc[SL_VSTORE_PROC];
	SL_CLOSE int to = sl_vnode_attr_fd(n);
	int r = to < 0 ? to : 0;

	if (r == 0 && (S_ISREG(n->mode) || S_ISDIR(n->mode) || S_ISLNK(n->mode)))
		r = sl_vcopy_xattrs(s, lower, to, false);
	if (S_ISREG(n->mode) && n->view->shared)
		n->capable = getxattr(sl_vstore_proc(to, proc), SL_XATTR_CAPABILITY, NULL, 0) > 0;
	if (r == 0)
		r = sl_vnode_own(n, st->st_uid, st->st_gid, st->st_mode);
	if (r == 0)
		r = sl_vstore_utimes(s, n->obj, times);
	return r;
}

/* limit < 0: of a regular file the attributes alone. */
static int copy_up(struct sl_vnode *n, off_t limit)
{
	SL_CLOSE int fd = -EBADF;
	uint32_t obj = 0;
	struct stat st;
	int r, lower;

	lower = sl_vnode_lower_fd(n);
	if (lower < 0)
		return lower;
	if (fstat(lower, &st) < 0)
		return -errno;
	r = make_object(n, lower, limit, &obj, &fd);
	if (r < 0)
		return r;
	sl_vnode_set_object(n, obj);
	sl_vlower(n)->seen_ns = st.st_ctim.tv_sec * 1000000000LL + st.st_ctim.tv_nsec;
	n->standin = S_ISREG(n->mode) ? limit < 0 : !S_ISDIR(n->mode) && !S_ISLNK(n->mode);
	r = copy_attributes(n, lower, &st);
	if (r == 0 && fd >= 0 && !n->standin)
		r = reopen_files(n, fd);
	if (r < 0)
		sl_vcopy_drop(n);
	else
		sl_vnode_settle(n);
	return r;
}

/* Open the node's object to write, whatever its mode, which the caller sets again. */
static int open_for_filling(struct sl_vnode *n)
{
	struct sl_vstore *s = &n->view->store;
	int fd = sl_vstore_open(s, n->obj, O_RDWR);

	if (fd == -EACCES && sl_vstore_chmod(s, n->obj, 0600) == 0)
		fd = sl_vstore_open(s, n->obj, O_RDWR);
	return fd;
}

/* Contents for an object that has only the attributes, which writing changes: set again. */
static int fill(struct sl_vnode *n)
{
	struct sl_vstore *s = &n->view->store;
	char proc[SL_VSTORE_PROC], caps[64];
	SL_CLOSE int from = -EBADF, to = -EBADF;
	struct timespec times[2];
	struct stat st;
	ssize_t caps_len;
	int lower = sl_vnode_lower_fd(n), r;

	if (lower < 0)
		return lower;
	from = open_source(lower);
	r = from < 0 ? from : sl_vstore_stat(s, n->obj, &st);
	if (r < 0)
		return r;
	to = open_for_filling(n);
	if (to < 0) {
		sl_vstore_chmod(s, n->obj, st.st_mode & 07777);
		return to;
	}
	caps_len = fgetxattr(to, SL_XATTR_CAPABILITY, caps, sizeof(caps));
	r = sl_vcopy_data(s, from, to, SL_VCOPY_ALL);
	if (r == 0)
		r = reopen_files(n, to);
	if (r < 0 && ftruncate(to, 0) < 0)
		r = -errno;
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	/* What was there before fits again: past the gate. */
	fchmod(to, st.st_mode & 07777);
	if (caps_len > 0)
		fsetxattr(to, SL_XATTR_CAPABILITY, caps, (size_t)caps_len, 0);
	utimensat(AT_FDCWD, sl_vstore_proc(to, proc), times, 0);
	n->standin = r < 0;
	return r;
}

int sl_vcopy_up(struct sl_vnode *n, off_t limit)
{
	if (n->obj)
		return n->standin && S_ISREG(n->mode) ? fill(n) : 0;
	return copy_up(n, limit);
}

int sl_vcopy_up_attributes(struct sl_vnode *n)
{
	return n->obj ? 0 : copy_up(n, -1);
}

void sl_vcopy_drop(struct sl_vnode *n)
{
	sl_vstore_remove(&n->view->store, n->obj);
	sl_vnode_set_object(n, 0);
	n->standin = false;
	n->foreign = n->withheld = false;
	n->mode &= S_IFMT;
	sl_vnode_settle(n);
}

int sl_vcopy_up_sized(struct sl_vnode *n, off_t limit, bool *ret_made)
{
	*ret_made = !n->obj && !n->files;
	return sl_vcopy_up(n, n->files ? SL_VCOPY_ALL : limit);
}
