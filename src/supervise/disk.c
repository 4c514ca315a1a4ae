/*
 * disk.c - see disk.h.
 */
#include "supervise/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/macros.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "kernel/seccomp.h"
#include "kernel/tracee.h"
#include "supervise/members.h"
#include "view/copy-up.h"

#define BLOCK	   512
#define DEPTH_MAX  200 /* one descriptor each; what is deeper counts as full */
#define UNNAMED	   1024
#define WRITE_MAX  0x7ffff000LL /* MAX_RW_COUNT */
#define PIPE_BYTES (1 << 20)
#define DELETED	   " (deleted)"

/* ---- how much there is ---- */

/* A file counts for each of its names with its part. */
static int64_t bytes_of(const struct stat *st)
{
	return (int64_t)st->st_blocks * BLOCK / (int64_t)SL_MAX(S_ISDIR(st->st_mode) ? 1 : st->st_nlink, (nlink_t)1);
}

static int64_t tree_bytes(const struct sl_disk *d, int dir, const char *name, int depth)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	SL_CLOSEDIR DIR *list = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	int64_t sum = 0;
	struct stat st;

	if (!list) {
		sl_close(fd);
		return 0;
	}
	while ((e = readdir(list))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
		    fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		sum += bytes_of(&st);
		if (S_ISDIR(st.st_mode))
			sum += depth < DEPTH_MAX ? tree_bytes(d, fd, e->d_name, depth + 1) : d->limit_bytes;
	}
	return sum;
}

static bool is_ours(const struct sl_disk *d, const char *path)
{
	for (size_t i = 0; i < SL_ARRAY_LEN(d->dirs); i++)
		if (d->dirs[i] && sl_path_within(path, d->dirs[i]))
			return true;
	return false;
}

/* Files without a name that somebody has open. */
struct unnamed {
	const struct sl_disk *d;
	int64_t bytes;
	size_t len;
	struct {
		dev_t dev;
		ino_t ino;
	} seen[UNNAMED];
};

static void add_unnamed(struct unnamed *u, const struct stat *st)
{
	if (st->st_nlink)
		return;
	for (size_t i = 0; i < u->len; i++)
		if (u->seen[i].dev == st->st_dev && u->seen[i].ino == st->st_ino)
			return;
	if (u->len < UNNAMED) {
		u->seen[u->len].dev = st->st_dev;
		u->seen[u->len++].ino = st->st_ino;
	}
	u->bytes += (int64_t)st->st_blocks * BLOCK;
}

static void visit_files(pid_t pid, void *arg)
{
	struct unnamed *u = arg;
	char name[48], path[PATH_MAX];
	SL_CLOSEDIR DIR *list = NULL;
	const struct dirent *e;

	snprintf(name, sizeof(name), "/proc/%d/fd", (int)pid);
	list = opendir(name);
	while (list && (e = readdir(list))) {
		ssize_t len = readlinkat(dirfd(list), e->d_name, path, sizeof(path) - 1), cut = sizeof(DELETED) - 1;
		struct stat st;

		if (len <= cut)
			continue;
		path[len] = '\0';
		if (!strcmp(path + len - cut, DELETED) && is_ours(u->d, path) && fstatat(dirfd(list), e->d_name, &st, 0) == 0)
			add_unnamed(u, &st);
	}
}

static void look(struct sl_disk *d)
{
	static struct unnamed u; /* too large for a stack */

	u.d = d;
	u.bytes = 0;
	u.len = 0;
	d->used_bytes = d->granted_bytes = 0;
	for (size_t i = 0; i < SL_ARRAY_LEN(d->dirs); i++)
		if (d->dirs[i])
			d->used_bytes += tree_bytes(d, AT_FDCWD, d->dirs[i], 0);
	sl_members_each(d->who, visit_files, &u);
	d->used_bytes += u.bytes;
}

bool sl_disk_allows(struct sl_disk *d, int64_t bytes)
{
	if (d->used_bytes + d->granted_bytes + bytes > d->limit_bytes) {
		look(d);
		if (d->used_bytes + bytes > d->limit_bytes)
			return false;
	}
	d->granted_bytes += bytes;
	return true;
}

int sl_disk_gate(void *arg)
{
	struct sl_disk *d = arg;

	if (!sl_disk_allows(d, 0))
		return -ENOSPC;
	d->granted_bytes += SL_VCOPY_PIECE; /* what it may write until it asks again */
	return 0;
}

/* ---- calls ---- */

static int64_t vector_bytes(const struct seccomp_notif *n)
{
	static struct iovec vector[1024]; /* UIO_MAXIOV */
	size_t count = (size_t)SL_MIN(n->data.args[2], (uint64_t)SL_ARRAY_LEN(vector));
	int64_t sum = 0;

	if (!count || sl_tracee_read((pid_t)n->pid, n->data.args[1], vector, count * sizeof(vector[0])) < 0)
		return 0; /* to its error */
	for (size_t i = 0; i < count; i++)
		sum += (int64_t)SL_MIN(vector[i].iov_len, (size_t)WRITE_MAX);
	return sum;
}

/* What can come of a descriptor that is read from. */
static int64_t source_bytes(pid_t tid, int fd, uint64_t count)
{
	int64_t there = PIPE_BYTES;
	char name[48];
	struct stat st;

	snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)tid, fd);
	if (stat(name, &st) == 0 && S_ISREG(st.st_mode))
		there = st.st_size;
	return (int64_t)SL_MIN(count, (uint64_t)there);
}

/* Which descriptor is written to, and how many bytes at the most. */
static int64_t bytes_to_write(const struct seccomp_notif *n, int *ret_fd)
{
	const uint64_t *args = (const uint64_t *)n->data.args;
	pid_t tid = (pid_t)n->pid;

	*ret_fd = (int)args[0];
	switch (n->data.nr) {
	case __NR_writev:
	case __NR_pwritev:
	case __NR_pwritev2:
		return vector_bytes(n);
	case __NR_sendfile:
		return source_bytes(tid, (int)args[1], args[3]);
	case __NR_copy_file_range:
	case __NR_splice:
		*ret_fd = (int)args[2];
		return source_bytes(tid, (int)args[0], args[4]);
	case __NR_fallocate:
		if (args[1] & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE))
			return 0;
		return (int64_t)SL_MIN(args[3], (uint64_t)INT64_MAX / 2);
	default: /* write, pwrite64 */
		return (int64_t)SL_MIN(args[2], (uint64_t)WRITE_MAX);
	}
}

void sl_disk_notify(struct sl_disk *d, int listener, const struct seccomp_notif *n)
{
	int fd;
	int64_t bytes = bytes_to_write(n, &fd);
	char name[48], path[PATH_MAX];
	ssize_t len;

	snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)n->pid, fd);
	len = bytes ? readlink(name, path, sizeof(path) - 1) : -1;
	path[SL_MAX(len, (ssize_t)0)] = '\0';
	if (len > 0 && is_ours(d, path) && !sl_disk_allows(d, bytes))
		sl_notif_error(listener, n->id, ENOSPC);
	else
		sl_notif_continue(listener, n->id);
}
