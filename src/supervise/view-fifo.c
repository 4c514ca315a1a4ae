/*
 * view-fifo.c - opening FIFOs on a view.
 *
 * An open of a FIFO waits for its peer, and the notifier waits for nothing. So the FIFO is opened without
 * waiting (O_NONBLOCK), and where the bare open would wait the caller is left without an answer and looked at
 * again each millisecond (sl_view_fifo_retry()):
 *
 * - a writer until there is a reader: the kernel says ENXIO so long. Readers that wait in a call of their
 * own, of a FIFO of the lower, count from its beginning;
 * - a reader, whose end is open at once, so that writers find it, until a writer has come: through here, as
 * every writer does, or there is something to read already.
 *
 * O_NONBLOCK is taken from the descriptor before it is handed over. Where the caller is gone its end is
 * closed.
 */
#include <fcntl.h>
#include <string.h>

#include "kernel/seccomp.h"
#include "supervise/view-calls.h"

static void drop(struct sl_view_waiting *w)
{
	sl_close(w->fd);
	sl_view_close(w->file);
}

/* Hand the end over. False where nothing could be. */
static bool hand_over(const struct sl_view_waiting *w, int listener)
{
	int flags = fcntl(w->fd, F_GETFL), r;

	if (flags < 0 || fcntl(w->fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return false;
	r = sl_notif_send_fd(listener, w->id, w->fd, w->cloexec);
	if (r < 0)
		sl_notif_error(listener, w->id, -r);
	return true;
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
	SL_CLOSE int to = -EBADF, from = -EBADF;
	int ends[2];
	ssize_t n;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	from = ends[0];
	to = ends[1];
	n = tee(fd, to, 1, SPLICE_F_NONBLOCK);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

/* Try once. True where the caller has its answer, or needs none. */
static bool settle(struct sl_view_calls *v, struct sl_view_waiting *w, int listener)
{
	if (!sl_notif_valid(listener, w->id))
		return true;
	if (w->fd >= 0) {
		if (!w->ready && !has_writer(w->fd))
			return false;
	} else {
		int fd = sl_view_real_fd(w->file, w->flags | O_NONBLOCK);

		if (fd == -ENXIO)
			return false;
		if (fd < 0) {
			sl_notif_error(listener, w->id, -fd);
			return true;
		}
		w->fd = fd;
		wake_readers(v, w->file->node);
	}
	if (!hand_over(w, listener))
		sl_notif_error(listener, w->id, EIO);
	return true;
}

void sl_view_fifo_retry(struct sl_view_calls *v, int listener)
{
	size_t kept = 0;

	for (size_t i = 0; i < v->waiting_len; i++) {
		if (settle(v, &v->waiting[i], listener)) {
			drop(&v->waiting[i]);
			v->waiting[i].fd = -EBADF; /* nobody to be woken any more */
			v->waiting[i].file = NULL;
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

/* The caller gets no answer yet. fd: its end, for a reader; else -EBADF. */
static int wait_for_peer(struct sl_view_call *c, struct sl_vnode *n, int fd)
{
	struct sl_view_calls *v = c->v;

	v->waiting = sl_xrealloc(v->waiting, (v->waiting_len + 1) * sizeof(*v->waiting));
	v->waiting[v->waiting_len++] = (struct sl_view_waiting){
	    .id = c->n->id,
	    .file = sl_view_reference(n),
	    .fd = fd,
	    .flags = c->open_flags,
	    .cloexec = c->open_flags & O_CLOEXEC ? O_CLOEXEC : 0,
	};
	return SL_VIEW_ANSWERED;
}

static int give(struct sl_view_call *c, int fd)
{
	c->reply_fd = fd;
	c->reply_cloexec = c->open_flags & O_CLOEXEC ? O_CLOEXEC : 0;
	return SL_VIEW_SEND_FD;
}

int sl_view_open_fifo(struct sl_view_call *c, const struct sl_place *p)
{
	struct sl_vnode *n = p->walk.node;
	struct sl_view_file at = sl_view_at(n);
	struct sl_view_file *f;
	int access = c->open_flags & O_ACCMODE, r, fd;
	bool waits = access != O_RDWR && !(c->open_flags & O_NONBLOCK);

	if ((c->open_flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	/* Of the lower the caller reads by itself, and waits there. */
	if (!c->changes && !p->moved && !p->changed)
		return SL_VIEW_CONTINUE;
	r = sl_view_call_begin(c, false);
	if (r < 0)
		return r;
	r = sl_view_reopen(&c->ctx, &at, (c->open_flags & ~(O_CREAT | O_CLOEXEC)) | O_NONBLOCK, &f);
	if (r == -ENXIO && waits && access == O_WRONLY)
		return wait_for_peer(c, n, -EBADF);
	if (r < 0)
		return r;
	fd = SL_TAKE_FD(f->fd);
	sl_view_close(f);
	if (access != O_RDONLY)
		wake_readers(c->v, n);
	else if (waits && !has_writer(fd))
		return wait_for_peer(c, n, fd);
	if (!(c->open_flags & O_NONBLOCK) && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) < 0) {
		sl_close(fd);
		return -EIO;
	}
	return give(c, fd);
}
