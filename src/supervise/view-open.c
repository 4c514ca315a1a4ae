/*
 * view-open.c - open, openat, openat2, creat and truncate on a view.
 *
 * What is opened by the view is handed over as a descriptor in the same step as the answer. Directories that
 * the lower has are opened as themselves, also where the view changed what is in them, so that the caller's
 * look-ups below them need nobody; those that only the view has are stood for by a directory of the upper.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/path.h"
#include "base/strbuf.h"
#include "kernel/own-fd.h"
#include "supervise/view-calls.h"
#include "view/perm.h"

#define TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)
#define UNNAMED_SWEEP 64

static int send_fd(struct sl_view_call *c, int fd)
{
	if (fd < 0)
		return fd;
	c->reply_fd = fd;
	c->reply_cloexec = c->open_flags & O_CLOEXEC ? O_CLOEXEC : 0;
	return SL_VIEW_SEND_FD;
}

/* Open a descriptor of ours anew, with the caller's identity. Never waiting, whatever the object has become meanwhile: a
 * FIFO without a peer, a serial line without a carrier. */
static int reopen_as_caller(struct sl_view_call *c, int fd, int flags)
{
	const struct sl_creds *other = sl_view_other_caller(c);
	struct sl_identity *saved = NULL;
	char link[SL_VSTORE_PROC];
	int r;

	if (fd < 0)
		return fd;
	if (other && sl_identity_assume(other, &saved) < 0)
		return -EACCES;
	r = open(sl_vstore_proc(fd, link), (flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW)) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (r < 0)
		r = -errno;
	sl_identity_restore(saved);
	if (r >= 0 && !(flags & O_NONBLOCK) && fcntl(r, F_SETFL, fcntl(r, F_GETFL) & ~O_NONBLOCK) < 0) {
		sl_close(r);
		return -EIO;
	}
	return r;
}

static void note_refused(const struct sl_view_call *c, const char *what)
{
	SL_FREE char *text =
	    sl_xasprintf("%s was refused while learning: it is not a file that could be kept apart", what);

	if (c->v->observer)
		sl_observer_note(c->v->observer, true, text);
}

/* ---- procfs and descriptors ---- */

/* Is it an entry of /proc/PID or /proc/PID/task/TID that is about more than the process: the machine's network, the
 * priority of its session? */
static bool is_shared(const char *path)
{
	const char *rest = path + strlen("/proc/");

	rest += strspn(rest, "0123456789");
	if (!strncmp(rest, "/task/", 6))
		rest += 6 + strspn(rest + 6, "0123456789");
	return sl_path_within(rest, "/net") || !strcmp(rest, "/autogroup");
}

/* Is the path one about the caller's process (or its threads), or one that descends from it? */
static bool is_about_own(pid_t tid, const char *path)
{
	const char *rest;
	pid_t pid = sl_proc_pid(path, &rest), own = sl_tracee_tgid(tid);

	pid = pid ? sl_tracee_tgid(pid) : 0;
	return own > 0 && pid > 0 && sl_tracee_is_descendant(pid, own);
}

/* An entry of procfs. What is only read the caller opens itself. Entries of its own process and of those that
 * it made may be written, as the run would (open-self.c): they are about these processes alone. */
static int open_proc(struct sl_view_call *c, const struct sl_place *p)
{
	SL_CLEANUP(sl_resolved_release) struct sl_resolved at = SL_RESOLVED_INIT;
	struct sl_resolve_opts opts = {.flags = c->open_flags & O_NOFOLLOW ? SL_RESOLVE_NOFOLLOW : 0,
				       .creds = sl_view_other_caller(c)};
	struct stat st;
	int r;

	if (!c->changes && !p->moved)
		return SL_VIEW_CONTINUE;
	r = sl_resolve_with(c->tid, AT_FDCWD, p->text, &opts, &at);
	if (r < 0)
		return r;
	if (fstat(at.fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode) && c->changes)
		return -EISDIR;
	if (!is_about_own(c->tid, at.path) || is_shared(at.path) || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) {
		note_refused(c, "writing below /proc");
		return -EACCES;
	}
	if ((c->open_flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	r = sl_view_call_begin(c, false);
	return r < 0 ? r : send_fd(c, reopen_as_caller(c, at.fd, c->open_flags & ~O_TRUNC));
}

/* The rights that opening what is there takes. */
static uint32_t rights_to_open(const struct sl_view_call *c)
{
	static const uint32_t rights[] = {SL_RIGHT_READ, SL_RIGHT_WRITE, SL_RIGHT_READ | SL_RIGHT_WRITE,
					  SL_RIGHT_READ | SL_RIGHT_WRITE};

	if (c->open_flags & O_PATH)
		return 0;
	return rights[c->open_flags & O_ACCMODE] | (c->open_flags & O_TRUNC ? SL_RIGHT_WRITE : 0);
}

/* The same for what is made: in a directory. */
static uint32_t rights_to_make(const struct sl_view_call *c)
{
	return SL_RIGHT_CREATE | (rights_to_open(c) & SL_RIGHT_READ);
}

/* Of a run: a file of the upper that has no name and no node any more. Who has it open may open it anew as far as that
 * descriptor goes, which is looked at after it was taken. */
static int reopen_nameless(struct sl_view_call *c, const struct sl_place *p)
{
	static const uint32_t rights[] = {SL_RIGHT_READ, SL_RIGHT_WRITE, SL_RIGHT_READ | SL_RIGHT_WRITE, 0};
	SL_CLOSE int fd = p->via_fd ? sl_fd_take(c->tid, p->fd) : -EBADF;
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);
	char real[PATH_MAX];

	if (flags < 0 || flags & O_PATH || rights_to_open(c) & ~rights[flags & O_ACCMODE] ||
	    sl_fd_path(fd, real, sizeof(real)) < 0 || !sl_path_within(real, c->v->upper) ||
	    sl_view_call_begin(c, false) < 0)
		return -EACCES;
	return send_fd(c, reopen_as_caller(c, fd, c->open_flags));
}

/* What only a descriptor leads to. The kernel judges it; but a file of the upper without a name is closed to
 * the caller for writing, and is nobody else's. */
static int open_unmapped(struct sl_view_call *c, const struct sl_place *p)
{
	SL_CLOSE int fd = -EBADF;
	char real[PATH_MAX];
	int r;

	if (!p->moved)
		return SL_VIEW_CONTINUE;
	if (c->v->policy)
		return reopen_nameless(c, p);
	fd = open(p->text, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = (int)sl_fd_path(fd, real, sizeof(real));
	if (r < 0)
		return r;
	if (!sl_path_within(real, c->v->upper) || sl_view_call_begin(c, false) < 0)
		return -EACCES;
	return send_fd(c, reopen_as_caller(c, fd, c->open_flags));
}

/* Through /proc/self/fd/N to a real file: who has it open for writing, because it inherited the descriptor,
 * may have it again; it is the one place where it may write. -EAGAIN: it has not. The descriptor is looked at
 * after it was taken, so that no other can be put under its number. */
static int reopen_inherited(struct sl_view_call *c, const struct sl_place *p)
{
	SL_CLOSE int fd = sl_fd_take(c->tid, p->fd);
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

	if (flags < 0 || flags & O_PATH || (flags & O_ACCMODE) == O_RDONLY)
		return -EAGAIN;
	return send_fd(c, reopen_as_caller(c, fd, c->open_flags));
}

/* ---- what stays real ---- */

static int open_device(struct sl_view_call *c, const struct sl_place *p)
{
	struct sl_vnode *n = p->walk.node;

	if (S_ISBLK(n->mode)) {
		if (c->changes)
			note_refused(c, "writing to a block device");
		return c->changes || p->moved ? -EACCES : SL_VIEW_CONTINUE;
	}
	if ((c->open_flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if (!p->moved)
		return SL_VIEW_CONTINUE;
	if (c->v->policy)
		return sl_view_call_there(c, p, NULL);
	/* Behind a link that the command made. The caller's terminal is not ours to open. */
	if (!sl_view_device_is_safe(sl_vnode_rdev(n)) || sl_vnode_rdev(n) == makedev(5, 0))
		return -ENXIO;
	return send_fd(c, reopen_as_caller(c, sl_vnode_lower_fd(n), c->open_flags));
}

static int make_in_tmp(struct sl_view_call *c, const struct sl_place *p)
{
	int dir = sl_vnode_lower_fd(p->walk.dir), fd;
	mode_t mode = c->open_mode & ~c->ctx.umask & 07777;

	if (dir < 0)
		return dir;
	fd = openat(dir, p->walk.name, c->open_flags | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, mode);
	if (fd < 0 && errno == EEXIST && !(c->open_flags & O_EXCL)) { /* somebody has just made it */
		SL_CLOSE int there = openat(dir, p->walk.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

		return there < 0 ? -errno : send_fd(c, reopen_as_caller(c, there, c->open_flags));
	}
	if (fd < 0)
		return -errno;
	if (fchmod(fd, mode) < 0) { /* our own umask may be another */
		sl_close(fd);
		return -EPERM;
	}
	return send_fd(c, fd);
}

/* Below the private temporary directory, by a way that only the view knows. */
static int open_in_tmp(struct sl_view_call *c, const struct sl_place *p)
{
	int r;

	if (!p->moved)
		return SL_VIEW_CONTINUE;
	if (c->open_flags & TMPFILE_BIT)
		return -EOPNOTSUPP;
	if (p->walk.node && S_ISFIFO(p->walk.node->mode) && !(c->open_flags & O_PATH))
		return sl_view_open_fifo(c, p);
	r = sl_view_call_begin(c, true);
	if (r < 0)
		return r;
	if (!p->walk.node)
		return make_in_tmp(c, p);
	if ((c->open_flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	return send_fd(c, reopen_as_caller(c, sl_vnode_lower_fd(p->walk.node), c->open_flags));
}

/* ---- the view ---- */

static int open_dir(struct sl_view_call *c, const struct sl_place *p)
{
	struct sl_vnode *n = p->walk.node;
	char name[SL_VSTORE_NAME], proc[SL_VSTORE_PROC];
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (c->open_flags & (O_NOATIME | O_NONBLOCK)), r, fd;

	if (c->changes)
		return (c->open_flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) ? -EEXIST : -EISDIR;
	r = sl_view_call_begin(c, false);
	if (r == 0 && !(c->open_flags & O_PATH))
		r = sl_vperm(&c->ctx, n, R_OK);
	if (r < 0)
		return r;
	if (!p->moved && n->lower)
		return SL_VIEW_CONTINUE;
	r = c->open_flags & O_PATH ? 0 : sl_view_may(c, p, SL_RIGHT_LIST);
	if (r < 0)
		return r;
	if (!n->lower) {
		fd = openat(c->v->view->store.fd, sl_vstore_name(n->obj, name), flags | O_NOFOLLOW);
	} else {
		fd = sl_vnode_lower_fd(n);
		if (fd >= 0)
			fd = open(sl_vstore_proc(fd, proc), flags);
		else
			errno = -fd;
	}
	return send_fd(c, fd < 0 ? -errno : fd);
}

/* An O_PATH descriptor cannot be handed over, but the caller can open the real object so itself: it is made
 * to. -EPERM where that is forbidden. */
static int open_reference_there(struct sl_view_call *c, struct sl_vnode *n)
{
	uint64_t args[6] = {(uint64_t)(int64_t)AT_FDCWD, 0,
			    O_PATH | O_NOFOLLOW | ((uint64_t)c->open_flags & (O_CLOEXEC | O_DIRECTORY))};
	struct sl_view_file at = sl_view_at(n);
	SL_FREE char *path = NULL;
	struct sl_substitution *s;
	int64_t result = 0;
	int r = sl_view_real_path(&at, &path);

	if (r == 0)
		r = sl_substitute_begin(c->v->substitute, c->n, &s);
	if (r < 0)
		return r;
	if (r > 0)
		return -ECANCELED; /* it makes its call anew, or is gone: nobody hears this answer */
	r = sl_substitute_place(s, strlen(path) + 1, &args[1]);
	if (r == 0 && sl_tracee_write(sl_substitute_tid(s), args[1], path, strlen(path) + 1) < 0)
		r = -ENOMEM;
	if (r == 0)
		r = sl_substitute_call(s, __NR_openat, args, true, &result);
	return sl_substitute_end(s, r < 0 ? r : result) ? SL_VIEW_ANSWERED : -ECANCELED;
}

/* Where the caller cannot be made to, a descriptor for reading is the next best; but a device that we open is not held by
 * the caller's Landlock domain. */
static int open_reference(struct sl_view_call *c, const struct sl_place *p)
{
	SL_CLOSE int fd = sl_vnode_attr_fd(p->walk.node);
	mode_t mode = p->walk.node->mode;
	int r;

	if (c->open_flags & O_DIRECTORY && !S_ISDIR(mode))
		return -ENOTDIR;
	if (fd < 0)
		return fd;
	r = p->walk.node->standin && !c->v->policy ? -EPERM : open_reference_there(c, p->walk.node);
	if (r != -EPERM)
		return r;
	if (S_ISCHR(mode) || S_ISBLK(mode) || sl_view_may(c, p, S_ISDIR(mode) ? SL_RIGHT_LIST : SL_RIGHT_READ) < 0)
		return -EACCES;
	return send_fd(c, reopen_as_caller(c, fd, O_RDONLY | O_NONBLOCK));
}

/* Has nobody but us the file open? */
static bool is_ours_alone(struct sl_view_calls *v, const struct sl_vnode *n)
{
	char name[SL_VSTORE_NAME];
	SL_CLOSE int fd =
	    openat(v->view->store.fd, sl_vstore_name(n->obj, name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && sl_fd_is_alone(fd) == 1;
}

static void sweep_unnamed(struct sl_view_calls *v)
{
	size_t kept = 0;

	for (size_t i = 0; i < v->unnamed_len; i++) {
		struct sl_view_unnamed *u = &v->unnamed[i];

		if (!sl_vnode_links(u->file->node) && !is_ours_alone(v, u->file->node)) {
			v->unnamed[kept++] = *u;
			continue;
		}
		sl_view_close(u->file);
		free(u->path);
	}
	v->unnamed_len = kept;
}

/* A file without a name lives as long as the caller can give it one: keep the view's file. */
static void keep_unnamed(struct sl_view_calls *v, struct sl_view_file *f, struct sl_vnode *dir)
{
	char path[PATH_MAX];

	if (v->unnamed_len && v->unnamed_len % UNNAMED_SWEEP == 0)
		sweep_unnamed(v);
	if (sl_view_name(dir, NULL, NULL, path) < 0)
		snprintf(path, sizeof(path), "/");
	v->unnamed = sl_xrealloc(v->unnamed, (v->unnamed_len + 1) * sizeof(*v->unnamed));
	v->unnamed[v->unnamed_len++] = (struct sl_view_unnamed){
	    .file = f,
	    .path = sl_xasprintf("%s/#%llu", strcmp(path, "/") ? path : "", (unsigned long long)f->node->ino),
	    .rights = sl_view_rights_in(v, dir),
	};
}

/* Open by the view, relative to where the walk ended. */
static int open_file(struct sl_view_call *c, const struct sl_place *p, struct sl_view_file **ret)
{
	const struct sl_vwalk *w = &p->walk;
	struct sl_view_file at;
	int flags = c->open_flags & ~O_CLOEXEC;

	if (flags & TMPFILE_BIT) {
		at = sl_view_at(w->node);
		return sl_view_openat(&c->ctx, &at, ".", flags, c->open_mode, 0, ret);
	}
	if (w->dir && w->last == SL_VWALK_NORM) {
		at = sl_view_at(w->dir);
		return sl_view_openat(&c->ctx, &at, w->name, flags | O_NOFOLLOW, c->open_mode, 0, ret);
	}
	if (!w->node)
		return -EISDIR;
	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	at = sl_view_at(w->node);
	return sl_view_reopen(&c->ctx, &at, flags & ~O_CREAT, ret);
}

/* Does the profile grant it? */
static int may_open(const struct sl_view_call *c, const struct sl_place *p)
{
	const struct sl_vnode *n = p->walk.node;

	if (n && (S_ISLNK(n->mode) || (c->open_flags & O_DIRECTORY && !(c->open_flags & TMPFILE_BIT) && !S_ISDIR(n->mode))))
		return 0; /* ELOOP, ENOTDIR */
	if (n) /* also the directory of O_TMPFILE: Landlock asks for no more */
		return sl_view_may(c, p, rights_to_open(c));
	return sl_view_may_name(c, p, rights_to_make(c));
}

static int open_on_view(struct sl_view_call *c, const struct sl_place *p)
{
	struct sl_vnode *there = p->walk.node;
	bool had = there && there->obj;
	struct sl_view_file *f;
	int r = sl_view_call_begin(c, c->open_flags & (O_CREAT | TMPFILE_BIT)), fd;

	if (r == 0 && !(there && (c->open_flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)))
		r = may_open(c, p);
	if (r < 0)
		return r;
	r = open_file(c, p, &f);
	if (r < 0)
		return r;
	if (there && !had && there->obj)
		c->existing_changed = true;
	fd = SL_TAKE_FD(f->fd);
	if (c->open_flags & TMPFILE_BIT)
		keep_unnamed(c->v, f, there);
	else
		sl_view_close(f);
	return send_fd(c, fd);
}

static int open_place(struct sl_view_call *c, const struct sl_place *p)
{
	const struct sl_vnode *n = p->walk.node;
	int r;

	if (sl_view_is_there(c->v, p))
		return sl_view_call_there(c, p, NULL);
	if (p->kind == SL_PLACE_PROC)
		return c->v->policy ? SL_VIEW_CONTINUE : open_proc(c, p);
	if (p->kind == SL_PLACE_OPEN)
		return open_unmapped(c, p);
	if (sl_place_area(c->v, p) == SL_AREA_REAL)
		return open_in_tmp(c, p);
	if (n && !(c->open_flags & O_PATH) && (S_ISCHR(n->mode) || S_ISBLK(n->mode)))
		return open_device(c, p);
	if (n && S_ISFIFO(n->mode) && !(c->open_flags & O_PATH))
		return sl_view_open_fifo(c, p);
	if (sl_place_is_native(c, p))
		return SL_VIEW_CONTINUE;
	if (c->changes && sl_place_area(c->v, p) == SL_AREA_PSEUDO) {
		note_refused(c, "writing to a file system of the kernel's own");
		return -EACCES;
	}
	if (n && c->open_flags & O_PATH && (p->moved || !sl_vnode_is_dir(n)))
		return open_reference(c, p);
	if (n && sl_vnode_is_dir(n) && !(c->open_flags & TMPFILE_BIT))
		return open_dir(c, p);
	if (!c->v->policy && c->changes && p->via_fd && n && !n->obj && S_ISREG(n->mode)) {
		r = reopen_inherited(c, p);
		if (r != -EAGAIN)
			return r;
	}
	return open_on_view(c, p);
}

int sl_view_do_open(struct sl_view_call *c)
{
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	int flags = c->open_flags, walk = SL_VWALK_FOLLOW, r;

	if (flags & TMPFILE_BIT &&
	    ((flags & O_TMPFILE) != O_TMPFILE || flags & O_CREAT || !(flags & O_ACCMODE)))
		return -EINVAL;
	if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
		return -EINVAL;
	if (!(flags & TMPFILE_BIT) &&
	    (flags & O_NOFOLLOW || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)))
		walk &= ~SL_VWALK_FOLLOW;
	if (flags & O_CREAT && !(flags & O_PATH))
		walk |= SL_VWALK_CREATE;
	r = sl_view_call_path(c, 0);
	if (r == 0)
		r = sl_view_locate(
		    c, c->row->dir_arg == SL_NO_ARG ? AT_FDCWD : (int)c->n->data.args[c->row->dir_arg],
		    c->path[0], walk, c->op == SL_OP_OPENAT2 ? c->open_resolve : 0, &p);
	if (r < 0)
		return p.moved || c->changes ? r : SL_VIEW_CONTINUE;
	return open_place(c, &p);
}

int sl_view_do_truncate(struct sl_view_call *c)
{
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	off_t length = (off_t)c->n->data.args[1];
	struct sl_view_file at, *f;
	bool had;
	int r;

	if (length < 0)
		return -EINVAL;
	r = sl_view_locate_arg(c, 0, SL_VWALK_FOLLOW, &p);
	if (r < 0)
		return r;
	if (sl_view_is_there(c->v, &p))
		return sl_view_call_there(c, &p, NULL);
	if (p.kind != SL_PLACE_VIEW)
		return (p.kind == SL_PLACE_PROC && !c->v->policy) || p.moved ? -EACCES : SL_VIEW_CONTINUE;
	if (sl_place_area(c->v, &p) == SL_AREA_REAL)
		return p.moved ? -EACCES : SL_VIEW_CONTINUE;
	if (sl_place_area(c->v, &p) == SL_AREA_PSEUDO)
		return -EACCES;
	r = sl_view_call_begin(c, false);
	if (r == 0 && !sl_vnode_is_dir(p.walk.node))
		r = sl_view_may(c, &p, SL_RIGHT_WRITE);
	if (r < 0)
		return r;
	had = p.walk.node->obj;
	if (p.walk.dir && p.walk.last == SL_VWALK_NORM) {
		at = sl_view_at(p.walk.dir);
		r = sl_view_truncate(&c->ctx, &at, p.walk.name, length);
	} else {
		at = sl_view_at(p.walk.node);
		r = sl_view_reopen(&c->ctx, &at, O_WRONLY, &f);
		if (r == 0) {
			r = ftruncate(f->fd, length) < 0 ? -errno : 0;
			sl_view_close(f);
		}
	}
	if (!had && p.walk.node->obj)
		c->existing_changed = true;
	return r;
}
