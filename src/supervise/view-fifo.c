/*
 * view-fifo.c - opening FIFOs on a view.
 *
 * An open of a FIFO waits for its peer, and the notifier waits for nothing. So the FIFO is opened without
 * waiting (O_NONBLOCK), and where the bare open would wait the caller is left without an answer and looked at
 * again each millisecond (sl_view_fifo_retry()):
 *
 * - a writer until there is a reader: the kernel says ENXIO so long;
 * - a reader, whose end is open at once, so that writers find it, until a writer has come: through here, as
 * every writer does, or there is something to read already.
 *
 * A FIFO of the lower is written by nobody: what goes through it would change its times, and a command that
 * only speaks to itself needs it not. For it stands one in the upper, beside the view's objects. Only where
 * somebody outside the sandbox has the real one open already, that is the peer. Below the private temporary directory
 * everything is real, and the command opens most by itself.
 *
 * O_NONBLOCK is taken from the descriptor before it is handed over. Where the caller is gone its end is
 * closed.
 */
#include <fcntl.h>
#include <string.h>

#include "base/path.h"
#include "kernel/seccomp.h"
#include "supervise/view-calls.h"
#include "view/perm.h"

#define LOOKS	   16  /* of which one is for signals */
#define RESTARTSYS 512 /* the kernel's own: the call is made again after the signal, or fails with EINTR */

static void drop(struct sl_view_waiting *w)
{
	sl_close(w->fd);
	sl_close(w->real);
	sl_view_close(w->file);
}

static bool has_standin(const struct sl_view_calls *v, const struct sl_vnode *n)
{
	return n->lower && !(v->tmp_dir && sl_path_within(n->lower, v->tmp_dir + 1));
}

/* Open the FIFO itself, or the one in the upper that stands for it. */
static int open_end(struct sl_view_calls *v, struct sl_view_file *f, int flags, bool real)
{
	const struct sl_vnode *n = f->node;
	char name[PATH_MAX];
	int fd;

	flags = (flags & (O_ACCMODE | O_APPEND | O_NOATIME)) | O_NONBLOCK;
	if (real || !has_standin(v, n))
		return sl_view_real_fd(f, flags);
	if (snprintf(name, sizeof(name), "%s/fifo-%llx-%llx", v->upper, (unsigned long long)n->dev,
		     (unsigned long long)n->ino) >= (int)sizeof(name))
		return -ENAMETOOLONG;
	if (mkfifo(name, 0600) < 0 && errno != EEXIST)
		return -errno;
	fd = open(name, flags | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Hand an end over. */
static void hand_over(const struct sl_view_waiting *w, int listener, int fd)
{
	int flags = fcntl(fd, F_GETFL), r = 0;

	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		r = -EIO;
	if (r == 0)
		r = sl_notif_send_fd(listener, w->id, fd, w->cloexec);
	if (r < 0)
		sl_notif_error(listener, w->id, -r);
}

/* A writer has come to the FIFO. */
static void wake_readers(struct sl_view_calls *v, const struct sl_vnode *n)
{
	for (size_t i = 0; i < v->waiting_len; i++) {
		if (v->waiting[i].fd >= 0 && v->waiting[i].file->node == n)
			v->waiting[i].ready = true;
	}
}

/* Is somebody there to read from? What has been written is looked at without taking it. */
static bool has_writer(int fd)
{
	int ends[2];
	bool there;
	ssize_t n;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	n = tee(fd, ends[1], 1, SPLICE_F_NONBLOCK);
	there = n > 0 || (n < 0 && errno == EAGAIN);
	sl_close(ends[0]);
	sl_close(ends[1]);
	return there;
}

/* The end of a writer, where there is a reader: -ENXIO where not. */
static int open_writer(struct sl_view_calls *v, struct sl_view_file *f, int flags)
{
	int fd = open_end(v, f, flags, false);

	if (fd == -ENXIO && has_standin(v, f->node))
		return open_end(v, f, flags, true);
	if (fd >= 0)
		wake_readers(v, f->node);
	return fd;
}

/* Has the caller got a signal, seen at two looks? It is asked now and then only. */
static bool is_interrupted(struct sl_view_waiting *w)
{
	if (++w->looks % LOOKS)
		return false;
	w->signals = sl_tracee_signal_pending(w->tid) ? w->signals + 1 : 0;
	return w->signals > 1;
}

static bool interrupt(struct sl_view_waiting *w, int listener)
{
	if (!is_interrupted(w))
		return false;
	sl_notif_error(listener, w->id, RESTARTSYS);
	return true;
}

/* Try once. True where the caller has its answer, or needs none. */
static bool settle(struct sl_view_calls *v, struct sl_view_waiting *w, int listener)
{
	int fd = w->fd;

	if (!sl_notif_valid(listener, w->id))
		return true;
	if (fd >= 0) {
		if (!w->ready && !has_writer(fd)) {
			if (w->real < 0 || !has_writer(w->real))
				return interrupt(w, listener);
			fd = w->real;
		}
		hand_over(w, listener, fd);
		return true;
	}
	fd = open_writer(v, w->file, w->flags);
	if (fd == -ENXIO)
		return interrupt(w, listener);
	if (fd < 0)
		sl_notif_error(listener, w->id, -fd);
	else
		hand_over(w, listener, fd);
	sl_close(fd);
	return true;
}

void sl_view_fifo_retry(struct sl_view_calls *v, int listener)
{
	size_t kept = 0;

	for (size_t i = 0; i < v->waiting_len; i++) {
		if (settle(v, &v->waiting[i], listener)) {
			drop(&v->waiting[i]);
			v->waiting[i] = (struct sl_view_waiting){.fd = -EBADF, .real = -EBADF};
		}
	}
	for (size_t i = 0; i < v->waiting_len; i++) {
		if (v->waiting[i].file)
			v->waiting[kept++] = v->waiting[i];
	}
	v->waiting_len = kept;
}

void sl_view_fifo_release(struct sl_view_calls *v)
{
	for (size_t i = 0; i < v->waiting_len; i++)
		drop(&v->waiting[i]);
	free(v->waiting);
	v->waiting = NULL;
	v->waiting_len = 0;
}

/* The caller gets no answer yet. fd, real: its ends, for a reader; else -EBADF. */
static int wait_for_peer(struct sl_view_call *c, struct sl_vnode *n, int fd, int real)
{
	struct sl_view_calls *v = c->v;
	v->waiting = sl_xrealloc(v->waiting, (v->waiting_len + 1) * sizeof(*v->waiting));
	v->waiting[v->waiting_len++] = (struct sl_view_waiting){
	    .id = c->n->id,
	    .tid = c->tid,
	    .file = sl_view_reference(n),
	    .fd = fd,
	    .real = real,
	    .flags = c->open_flags,
	    .cloexec = c->open_flags & O_CLOEXEC ? O_CLOEXEC : 0,
	};
	return SL_VIEW_ANSWERED;
}

static int give(struct sl_view_call *c, int fd)
{
	if (fd < 0)
		return fd;
	if (!(c->open_flags & O_NONBLOCK) && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) < 0) {
		sl_close(fd);
		return -EIO;
	}
	c->reply_fd = fd;
	c->reply_cloexec = c->open_flags & O_CLOEXEC ? O_CLOEXEC : 0;
	return SL_VIEW_SEND_FD;
}

static int open_reader(struct sl_view_call *c, struct sl_view_file *f)
{
	SL_CLOSE int fd = open_end(c->v, f, c->open_flags, false);
	SL_CLOSE int real = fd >= 0 && has_standin(c->v, f->node) ? open_end(c->v, f, c->open_flags, true) : -EBADF;

	if (fd < 0)
		return fd;
	if (has_writer(fd))
		return give(c, SL_TAKE_FD(fd));
	if (real >= 0 && has_writer(real))
		return give(c, SL_TAKE_FD(real));
	if (c->open_flags & O_NONBLOCK)
		return give(c, SL_TAKE_FD(fd));
	return wait_for_peer(c, f->node, SL_TAKE_FD(fd), SL_TAKE_FD(real));
}

int sl_view_open_fifo(struct sl_view_call *c, const struct sl_place *p)
{
	static const int wanted[] = {R_OK, W_OK, R_OK | W_OK, R_OK | W_OK};
	static const uint32_t rights[] = {SL_RIGHT_READ, SL_RIGHT_WRITE, SL_RIGHT_READ | SL_RIGHT_WRITE,
					  SL_RIGHT_READ | SL_RIGHT_WRITE};
	struct sl_view_file at = sl_view_at(p->walk.node);
	int access = c->open_flags & O_ACCMODE, r, fd;

	if ((c->open_flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if (c->open_flags & O_DIRECTORY)
		return -ENOTDIR;
	r = sl_view_call_begin(c, false);
	if (r == 0)
		r = sl_vperm(&c->ctx, p->walk.node, wanted[access]);
	if (r == 0 && c->open_flags & O_CREAT && p->walk.dir)
		r = sl_vperm_sticky_create(&c->ctx, p->walk.dir, p->walk.node);
	if (r == 0)
		r = sl_view_may(c, p, rights[access]);
	if (r < 0)
		return r;
	if (access == O_RDONLY)
		return open_reader(c, &at);
	if (access == O_WRONLY) {
		fd = open_writer(c->v, &at, c->open_flags);
		return fd == -ENXIO && !(c->open_flags & O_NONBLOCK)
			   ? wait_for_peer(c, p->walk.node, -EBADF, -EBADF)
			   : give(c, fd);
	}
	fd = open_end(c->v, &at, c->open_flags, false);
	if (fd >= 0)
		wake_readers(c->v, p->walk.node);
	return give(c, fd);
}
