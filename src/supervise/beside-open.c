/*
 * beside-open.c - opening what is beside something denied: files and directories that were made later, and
 * making files there.
 *
 * An object that is there is opened through our own descriptor of it, so what was decided about is what is
 * opened. A file is made with O_EXCL: where another has come in between, all is decided anew. Devices are
 * never opened here (none can be made, and those that were there have rules), nor anything of procfs or
 * another file system without files.
 *
 * An open that blocks (a FIFO, a file under a lease) is left to a thread of its own. Whether it is still
 * waited for is known only when it ends; there are few at a time.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/macros.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "kernel/seccomp.h"
#include "supervise/beside.h"

#define TRIES	    8
#define WAITERS_MAX 64

#define FLAGS_KNOWN                                                                                          \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_DSYNC | O_SYNC |      \
	 O_ASYNC | O_DIRECT | 0100000 /* O_LARGEFILE */ | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | \
	 O_TMPFILE)
#define RESOLVE_KNOWN                                                                                        \
	(RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT)

static bool is_tmpfile(const struct sl_opening *o)
{
	return (o->flags & O_TMPFILE) == O_TMPFILE;
}

/* Are the arguments ones that openat2(2) takes, and that mean something here? */
static bool sensible(const struct sl_opening *o)
{
	bool makes = o->flags & O_CREAT || is_tmpfile(o);

	if (o->flags & O_PATH)
		return false;
	return !(o->flags & ~(uint64_t)FLAGS_KNOWN) && !(o->resolve & ~(uint64_t)RESOLVE_KNOWN) &&
	       !(makes && o->mode & ~07777ULL);
}

static int open_flags(const struct sl_opening *o)
{
	return (int)(o->flags & FLAGS_KNOWN) | O_CLOEXEC | O_NOCTTY;
}

/* ---- opens that may block ---- */

struct waiter {
	int listener, fd, flags;
	uint32_t cloexec;
	uint64_t id;
	struct sl_creds creds;
};

static int waiters; /* running; changed atomically */

static int open_again(int fd, int flags)
{
	char name[48];
	int opened;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	opened = open(name, flags);
	return opened < 0 ? -errno : opened;
}

static void *waiter_main(void *arg)
{
	struct waiter *w = arg;
	struct sl_identity *saved;
	SL_CLOSE int opened = -EACCES;

	/* The identity is this thread's alone, and ends with it. */
	if (sl_identity_assume(&w->creds, &saved) == 0) {
		opened = open_again(w->fd, w->flags);
		sl_identity_restore(saved);
	}
	if (opened >= 0) {
		int r = sl_notif_send_fd(w->listener, w->id, opened, w->cloexec);

		if (r < 0)
			sl_notif_error(w->listener, w->id, -r);
	} else {
		sl_notif_error(w->listener, w->id, -opened);
	}
	close(w->fd);
	close(w->listener);
	free(w);
	__atomic_sub_fetch(&waiters, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* Hand the open to a thread, which answers. 0 or -errno. */
static int open_later(struct sl_beside_call *c, int fd, int flags)
{
	struct waiter *w;
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int r;

	if (__atomic_add_fetch(&waiters, 1, __ATOMIC_RELAXED) > WAITERS_MAX) {
		__atomic_sub_fetch(&waiters, 1, __ATOMIC_RELAXED);
		return -ENFILE;
	}
	w = sl_xcalloc(1, sizeof(*w));
	*w = (struct waiter){.listener = fcntl(c->listener, F_DUPFD_CLOEXEC, 3),
			     .fd = fcntl(fd, F_DUPFD_CLOEXEC, 3),
			     .flags = flags,
			     .cloexec = (uint32_t)(c->open.flags & O_CLOEXEC),
			     .id = c->notif->id,
			     .creds = c->creds};
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = w->listener < 0 || w->fd < 0 ? ENFILE : pthread_create(&thread, &attr, waiter_main, w);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!r) {
		c->answered = true;
		return 0;
	}
	sl_close(w->listener);
	sl_close(w->fd);
	free(w);
	__atomic_sub_fetch(&waiters, 1, __ATOMIC_RELAXED);
	return -r;
}

/* ---- what is there ---- */

static bool is_real_file(int fd, mode_t mode)
{
	struct statfs fs;

	if (!S_ISREG(mode) && !S_ISDIR(mode) && !S_ISFIFO(mode))
		return false;
	return fstatfs(fd, &fs) == 0 && fs.f_type != PROC_SUPER_MAGIC && fs.f_type != SYSFS_MAGIC;
}

static int perform(struct sl_beside_call *c, const struct sl_resolved *r, mode_t mode)
{
	/* What only finds the object has been done; O_CREAT has nothing to make. */
	int flags = open_flags(&c->open) & ~(O_CREAT | O_EXCL | O_NOFOLLOW | O_DIRECTORY);
	struct sl_beside_identity as;
	bool block = !(flags & O_NONBLOCK);
	int fd;

	if (S_ISFIFO(mode) && block)
		return open_later(c, r->fd, flags);
	if (sl_beside_assume(c, &as) < 0)
		return -EACCES;
	fd = open_again(r->fd, flags | O_NONBLOCK);
	sl_beside_restore(&as);
	if (fd == -EAGAIN && block)
		return open_later(c, r->fd, flags);
	if (fd >= 0 && block)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return fd;
}

static int open_object(struct sl_beside_call *c, const struct sl_resolved *r)
{
	const struct sl_policy *p = c->behalf->policy;
	const struct sl_opening *o = &c->open;
	struct stat st;
	bool is_dir;

	if (r->anonymous || fstat(r->fd, &st) < 0 || !is_real_file(r->fd, st.st_mode))
		return SL_NOT_OURS;
	is_dir = S_ISDIR(st.st_mode);
	/* Errors are the kernel's to give. */
	if (is_dir ? (o->flags & (O_ACCMODE | O_CREAT | O_TRUNC)) != 0 : (o->flags & O_DIRECTORY) != 0)
		return SL_NOT_OURS;
	if ((r->trailing_slash && !is_dir) || (o->flags & O_CREAT && o->flags & O_EXCL))
		return SL_NOT_OURS;
	/* With other links it is not gone: it is somewhere else, under a name that nobody told us. */
	if (r->deleted && st.st_nlink)
		return SL_NOT_OURS;
	if (sl_beside_decide(p, r->path, sl_opening_rights(o, is_dir)) != SL_BESIDE_OURS ||
	    sl_beside_denies_object(p, r->fd))
		return SL_NOT_OURS;
	if (!c->act)
		return 0;
	return sl_notif_valid(c->listener, c->notif->id) ? perform(c, r, st.st_mode) : -EACCES;
}

/* ---- what is made ---- */

static uint32_t rights_to_make(const struct sl_opening *o)
{
	bool reads = (o->flags & O_ACCMODE) == O_RDONLY || (o->flags & O_ACCMODE) == O_RDWR;

	return SL_RIGHT_CREATE | (reads ? SL_RIGHT_READ : 0);
}

static int make(struct sl_beside_call *c, int directory, const char *name, int flags)
{
	struct sl_beside_identity as;
	int fd;

	if (!c->act)
		return 0;
	if (!sl_notif_valid(c->listener, c->notif->id) || sl_beside_assume(c, &as) < 0)
		return -EACCES;
	fd = openat(directory, name, open_flags(&c->open) | flags, (mode_t)c->open.mode & 07777);
	fd = fd < 0 ? -errno : fd;
	sl_beside_restore(&as);
	return fd;
}

static int make_file(struct sl_beside_call *c, const struct sl_resolved *r)
{
	const struct sl_policy *p = c->behalf->policy;
	SL_FREE char *directory = sl_path_dirname(r->path);
	bool asked = c->open.flags & O_EXCL;
	int fd;

	if (r->trailing_slash || c->open.flags & O_DIRECTORY || sl_policy_holds_name(p, r->path) ||
	    sl_beside_decide(p, directory, rights_to_make(&c->open)) != SL_BESIDE_OURS)
		return SL_NOT_OURS;
	fd = make(c, r->parent_fd, r->name, O_CREAT | O_EXCL | O_NOFOLLOW);
	return fd == -EEXIST && !asked ? -ESTALE : fd;
}

/* O_TMPFILE: the path is the directory. */
static int make_unnamed(struct sl_beside_call *c, const struct sl_resolved *r)
{
	const struct sl_policy *p = c->behalf->policy;
	struct stat st;
	char name[48];

	if (r->anonymous || r->deleted || fstat(r->fd, &st) < 0 || !S_ISDIR(st.st_mode) ||
	    (c->open.flags & O_ACCMODE) == O_RDONLY || sl_beside_denies_object(p, r->fd) ||
	    sl_beside_decide(p, r->path, rights_to_make(&c->open)) != SL_BESIDE_OURS)
		return SL_NOT_OURS;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", r->fd);
	c->open.flags &= ~(uint64_t)O_NOFOLLOW; /* it has been heeded, and our name is a link */
	return make(c, AT_FDCWD, name, 0);
}

static int open_once(struct sl_beside_call *c)
{
	const struct sl_opening *o = &c->open;
	SL_CLEANUP(sl_resolved_release) struct sl_resolved r = SL_RESOLVED_INIT;
	bool makes = o->flags & O_CREAT && !is_tmpfile(o);
	int flags = makes ? SL_RESOLVE_PARENT : 0, error;

	if (o->flags & O_NOFOLLOW || (makes && o->flags & O_EXCL))
		flags |= SL_RESOLVE_NOFOLLOW;
	error = sl_beside_resolve(c, o->dirfd, o->path, flags, o->resolve, &r);
	if (error < 0)
		return error;
	if (is_tmpfile(o))
		return make_unnamed(c, &r);
	return r.fd >= 0 ? open_object(c, &r) : make_file(c, &r);
}

int sl_beside_open(struct sl_beside_call *c)
{
	int r = -ESTALE;

	if (c->call->op != SL_OP_OPENAT2) /* the older calls drop what they do not know */
		c->open.flags &= (uint64_t)FLAGS_KNOWN | O_PATH;
	if (!sensible(&c->open))
		return SL_NOT_OURS;
	for (int tries = 0; r == -ESTALE && tries < TRIES; tries++)
		r = open_once(c);
	return r == -ESTALE ? -EACCES : r;
}
