/*
 * view-readers.c - descriptors for reading that were opened before their file's first write.
 *
 * Such a descriptor is of the lower's file, and what is written from then on goes to the copy in the upper. So
 * when contents have been copied up, descriptors of the copy take the place of the caller's (SECCOMP_ADDFD_FLAG_SETFD:
 * the number, the flags, the position and the locks of the open file description stay); other processes get theirs
 * at their next notified call, which a stat is, and so is whatever else a reader does to learn of changes. That
 * nobody at all has the file open is the rule, and costs a lease to find out.
 *
 * A number that another thread of the caller closes and uses anew between the look and the replacement would lead to
 * the wrong file; only a program that closes a file while it opens it for writing can meet that.
 *
 * What stays with the lower's contents: mappings; a process that goes on reading without any notified call; locks of
 * fcntl(2) and, until then, those of flock(2). Doubled descriptors go on sharing their position within a process, not
 * with its parent or its children.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "base/strbuf.h"
#include "kernel/own-fd.h"
#include "kernel/seccomp.h"
#include "supervise/view-calls.h"

#define GROUPS_MAX 64

/* Open file descriptions of one look, old and new, so that doubled descriptors stay so. */
struct replaced {
	struct {
		int old, anew;
	} pairs[GROUPS_MAX];
	size_t len;
};

static void copied(struct sl_vnode *n, void *arg)
{
	struct sl_view_calls *v = arg;

	sl_vnode_unuse(v->copied);
	v->copied = sl_vnode_use(n);
}

void sl_view_readers_init(struct sl_view_calls *v)
{
	sl_view_set_copied(v->view, copied, v);
}

void sl_view_readers_release(struct sl_view_calls *v)
{
	if (v->view)
		sl_view_set_copied(v->view, NULL, NULL);
	sl_vnode_unuse(SL_TAKE_PTR(v->copied));
	for (size_t i = 0; i < SL_VIEW_OUTDATED; i++)
		sl_vnode_unuse(SL_TAKE_PTR(v->readers.outdated[i]));
}

void sl_view_readers_note(struct sl_view_calls *v)
{
	struct sl_vnode *n = SL_TAKE_PTR(v->copied), **slot;
	int lower = n ? sl_vnode_lower_fd(n) : -EBADF;
	SL_CLOSE int fd = lower < 0 ? lower : sl_fd_read_anew(lower);

	if (!n)
		return;
	if (!n->obj || n->standin || (fd >= 0 && sl_fd_is_alone(fd) == 1)) {
		sl_vnode_unuse(n);
		return;
	}
	slot = &v->readers.outdated[v->readers.count++ % SL_VIEW_OUTDATED];
	sl_vnode_unuse(*slot);
	*slot = n;
}

/* ---- one process ---- */

static struct sl_vnode *find_outdated(const struct sl_view_readers *r, const struct stat *st)
{
	for (size_t i = 0; i < SL_VIEW_OUTDATED; i++) {
		struct sl_vnode *n = r->outdated[i];

		if (n && n->ino == st->st_ino && n->dev == st->st_dev)
			return n;
	}
	return NULL;
}

/* One line "lock:" of fdinfo: locks of the open file description are its own, and go over. */
static void take_lock(int anew, const char *line)
{
	char kind[16], type[16], start[32], end[32];
	struct flock range = {.l_whence = SEEK_SET};

	if (sscanf(line, "lock: %*s %15s %*s %15s %*s %*s %31s %31s", kind, type, start, end) != 4)
		return;
	if (!strcmp(kind, "FLOCK")) {
		flock(anew, (!strcmp(type, "WRITE") ? LOCK_EX : LOCK_SH) | LOCK_NB);
	} else if (!strcmp(kind, "OFDLCK")) {
		range.l_type = F_RDLCK; /* the descriptor is for reading */
		range.l_start = strtoll(start, NULL, 10);
		range.l_len = strcmp(end, "EOF") ? strtoll(end, NULL, 10) - range.l_start + 1 : 0;
		fcntl(anew, F_OFD_SETLK, &range);
	}
}

static void take_locks(int old, int anew)
{
	char name[48], text[4096];
	SL_CLOSE int info = -EBADF;
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", old);
	info = open(name, O_RDONLY | O_CLOEXEC);
	n = info < 0 ? -1 : read(info, text, sizeof(text) - 1);
	if (n <= 0)
		return;
	text[n] = '\0';
	for (const char *line = text; (line = strstr(line, "lock:")); line++)
		take_lock(anew, line);
}

/* A descriptor of the upper's contents, as old is one of the lower's. */
static int open_anew(struct sl_vnode *n, int old, int flags)
{
	int fd = sl_vstore_open(&n->view->store, n->obj, O_RDONLY | (flags & (O_APPEND | O_NONBLOCK | O_NOATIME)));
	off_t at = lseek(old, 0, SEEK_CUR);

	if (fd < 0)
		return fd;
	if (at > 0)
		lseek(fd, at, SEEK_SET);
	take_locks(old, fd);
	return fd;
}

/* The new description for an old one, which is taken over: the one that a doubled descriptor has got already. */
static int pair(struct replaced *done, struct sl_vnode *n, int old, int flags)
{
	pid_t own = getpid();
	int anew;

	for (size_t i = 0; i < done->len; i++) {
		if (syscall(SYS_kcmp, own, own, KCMP_FILE, done->pairs[i].old, old) == 0) {
			sl_close(old);
			return done->pairs[i].anew;
		}
	}
	anew = done->len < GROUPS_MAX ? open_anew(n, old, flags) : -EMFILE;
	if (anew < 0) {
		sl_close(old);
		return anew;
	}
	done->pairs[done->len].old = old;
	done->pairs[done->len++].anew = anew;
	return anew;
}

static void replace(struct sl_view_call *c, int number, struct replaced *done)
{
	SL_CLOSE int old = sl_fd_take(c->tid, number);
	int flags = old < 0 ? -1 : fcntl(old, F_GETFL), anew, own;
	struct sl_vnode *n;
	struct stat st;

	/* Who may write the lower's file inherited it from outside. */
	if (flags < 0 || flags & O_PATH || (flags & O_ACCMODE) != O_RDONLY || fstat(old, &st) < 0)
		return;
	n = find_outdated(&c->v->readers, &st);
	if (!n || !n->obj || n->standin)
		return;
	own = sl_fd_flags(c->tid, number);
	anew = pair(done, n, SL_TAKE_FD(old), flags);
	if (anew >= 0 && own >= 0)
		sl_notif_replace_fd(c->listener, c->n->id, anew, number, own & O_CLOEXEC ? O_CLOEXEC : 0);
}

static void look(struct sl_view_call *c)
{
	struct replaced done = {.len = 0};
	const struct dirent *e;
	SL_CLOSEDIR DIR *d = NULL;
	char name[32];
	struct stat st;

	snprintf(name, sizeof(name), "/proc/%d/fd", (int)c->tid);
	d = opendir(name);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode) &&
		    find_outdated(&c->v->readers, &st))
			replace(c, (int)strtol(e->d_name, NULL, 10), &done);
	/* Nothing is kept: a copy of ours would keep locks that their holder drops by ending. */
	for (size_t i = 0; i < done.len; i++) {
		sl_close(done.pairs[i].old);
		sl_close(done.pairs[i].anew);
	}
}

void sl_view_readers_update(struct sl_view_call *c)
{
	struct sl_view_readers *r = &c->v->readers;
	size_t slot = (size_t)c->tid % SL_VIEW_LOOKED;

	if (!r->count || (r->looked[slot].tid == c->tid && r->looked[slot].count == r->count))
		return;
	r->looked[slot].tid = c->tid;
	r->looked[slot].count = r->count;
	look(c);
}
