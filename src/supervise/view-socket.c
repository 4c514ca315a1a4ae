/*
 * view-socket.c - AF_UNIX sockets with a path in the view: binding one, and finding one that is connected or
 * sent to.
 *
 * The kernel makes a socket's file by itself in bind(2), and shows peers the address as it was given. So that
 * it is the caller's own text, a child of ours binds that text, on a copy of the caller's descriptor, from a
 * directory of the upper in which as many directories lie as the text asks for, with that as its root where
 * the text is absolute. The file is then taken into the view as every other new object.
 *
 * Connecting and sending are net's (net/net.h), which asks here what a path leads to.
 */
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/path.h"
#include "base/strbuf.h"
#include "kernel/own-fd.h"
#include "kernel/seccomp.h"
#include "net/address.h"
#include "supervise/view-calls.h"
#include "view/perm.h"

#define BIND_DIR "bind" /* beside the objects, whose names are numbers */
#define DEEPER	 "d"

struct binding {
	struct sl_view_call *c;
	struct sl_address address;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
	char inside[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1]; /* where that is in the place that is made */
	int fd; /* the caller's socket, ours */
};

/* ---- the directories of the text ---- */

/* How far up the text could lead. */
static int count_up(const char *path)
{
	int n = 0;

	for (; (path = strstr(path, "..")); path += 2)
		n++;
	return n;
}

/* path, up to the first len bytes, as its root would have it: without "..", which stops there, and without a slash in front. */
static void walk_inside(const char *path, size_t len, char ret[])
{
	SL_FREE char *part = sl_xstrndup(path, len);
	SL_STRBUF normal = SL_STRBUF_INIT;
	const char *text;

	sl_path_normalize(&normal, part);
	text = sl_strbuf_str(&normal);
	text += strspn(text, "/");
	memcpy(ret, text, strlen(text) + 1);
}

/* What the text names but the last, below base: "a/../b" needs an "a" too. */
static int make_directories(const struct binding *b, int base)
{
	char part[sizeof(b->path)];

	for (size_t i = 1; b->path[i]; i++) {
		if (b->path[i] != '/')
			continue;
		if (b->path[0] == '/')
			walk_inside(b->path, i, part);
		else
			snprintf(part, sizeof(part), "%.*s", (int)i, b->path);
		if (*part && mkdirat(base, part, 0700) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

/* A directory of ours below which the text can be walked: with a way up, and all that it names but the last. No text leads
 * out of it: an absolute one has it for its root. -errno. */
static int make_place(struct binding *b, int store)
{
	int base, r;

	if (mkdirat(store, BIND_DIR, 0700) < 0 && errno != EEXIST)
		return -errno;
	base = openat(store, BIND_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	for (int up = b->path[0] == '/' ? 0 : count_up(b->path); base >= 0 && up > 0; up--) {
		int next = mkdirat(base, DEEPER, 0700) < 0 && errno != EEXIST
			       ? -1
			       : openat(base, DEEPER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		sl_close(base);
		base = next;
	}
	if (base < 0)
		return -errno;
	r = make_directories(b, base);
	if (r < 0) {
		sl_close(base);
		return r;
	}
	if (b->path[0] == '/')
		walk_inside(b->path, strlen(b->path), b->inside);
	else
		memcpy(b->inside, b->path, sizeof(b->inside));
	return base;
}

/* All of it is ours alone, and small. */
static void remove_place(int dir, const char *name)
{
	SL_CLOSEDIR DIR *d = NULL;
	const struct dirent *e;
	int fd;

	if (unlinkat(dir, name, AT_REMOVEDIR) == 0 || (errno != ENOTEMPTY && errno != EEXIST))
		return;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		sl_close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, e->d_name, 0) < 0)
			remove_place(fd, e->d_name);
	}
	unlinkat(dir, name, AT_REMOVEDIR);
}

/* ---- binding ---- */

/* In the child: system calls only. Where no root can be set, peers are shown where the text leads, without a slash in front. */
static int bind_here(const struct binding *b, int base)
{
	struct sockaddr_un a = b->address.local;
	socklen_t len = b->address.len;

	umask(0);
	if (fchdir(base) < 0)
		return errno;
	if (b->path[0] == '/' && chroot(".") < 0 &&
	    (syscall(__NR_unshare, CLONE_NEWUSER) < 0 || chroot(".") < 0)) {
		size_t inside = strlen(b->inside) + 1;

		memcpy(a.sun_path, b->inside, SL_MIN(inside, sizeof(a.sun_path)));
		len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + SL_MIN(inside, sizeof(a.sun_path)));
	}
	return bind(b->fd, (const struct sockaddr *)&a, len) < 0 ? errno : 0;
}

/* Not a child as others are: the loop, which counts those, does not hear of it. 0 or -errno. */
static int bind_in_child(const struct binding *b, int base)
{
	int result[2], error = EAGAIN;
	pid_t pid;

	if (pipe2(result, O_CLOEXEC) < 0)
		return -errno;
	pid = (pid_t)syscall(__NR_clone, CLONE_VFORK, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		error = bind_here(b, base);
		syscall(__NR_write, result[1], &error, sizeof(error));
		syscall(__NR_exit_group, 0);
	}
	sl_close(result[1]);
	if (pid > 0) {
		if (read(result[0], &error, sizeof(error)) != sizeof(error))
			error = EIO;
		while (waitpid(pid, NULL, (int)__WCLONE) < 0 && errno == EINTR)
			;
	}
	sl_close(result[0]);
	return -error;
}

/* Make the socket's file under a name of the upper. */
static int make_socket(void *arg, int store, const char *name)
{
	struct binding *b = arg;
	SL_CLOSE int base = make_place(b, store);
	int r = base < 0 ? base : bind_in_child(b, base);

	if (r == 0 && renameat(base, b->inside, store, name) < 0)
		r = -errno;
	remove_place(store, BIND_DIR);
	return r;
}

static int bind_on_view(struct sl_view_call *c, struct binding *b, const struct sl_place *p)
{
	struct sl_view_file at;
	int r;

	if (p->walk.last != SL_VWALK_NORM || !p->walk.dir)
		return -EADDRINUSE;
	b->fd = sl_fd_take(c->tid, (int)c->n->data.args[0]);
	if (b->fd < 0)
		return b->fd == -EBADF ? -EBADF : -EACCES;
	r = sl_view_call_begin(c, true);
	if (r == 0)
		r = sl_view_may_name(c, p, SL_RIGHT_CREATE);
	if (r < 0)
		return r;
	at = sl_view_at(p->walk.dir);
	r = sl_view_make_socket(&c->ctx, &at, p->walk.name, make_socket, b);
	return r == -EEXIST ? -EADDRINUSE : r;
}

int sl_view_do_bind(struct sl_view_call *c)
{
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	struct binding b = {.c = c, .fd = -EBADF};
	int r = sl_address_read(c->tid, c->n->data.args[1], c->n->data.args[2], &b.address);

	if (r < 0)
		return r;
	if (sl_address_family(&b.address) != AF_UNIX || sl_address_local(&b.address) != SL_LOCAL_PATH)
		return SL_VIEW_CONTINUE;
	sl_address_path(&b.address, b.path);
	r = sl_view_locate(c, AT_FDCWD, b.path, SL_VWALK_PARENT, 0, &p);
	if (r < 0)
		return r;
	if (p.kind != SL_PLACE_VIEW || sl_place_area(c->v, &p) == SL_AREA_REAL)
		return p.moved ? -EACCES : SL_VIEW_CONTINUE;
	if (sl_place_area(c->v, &p) == SL_AREA_PSEUDO)
		return -EACCES;
	r = bind_on_view(c, &b, &p);
	sl_close(b.fd);
	return r;
}

/* ---- finding ---- */

int sl_view_find_socket(void *arg, int listener, const struct seccomp_notif *n, const char *path,
			struct sl_resolved *ret)
{
	static struct sl_view_call call; /* too large for a stack; there is one at a time */
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	struct sl_view_calls *v = arg;
	struct sl_view_file at;
	SL_FREE char *name = NULL;
	int r;

	if (sl_view_is_untouched(v))
		return -EAGAIN;
	r = sl_view_call_start(&call, v, listener, n);
	if (r == 0)
		r = sl_view_locate(&call, AT_FDCWD, path, SL_VWALK_FOLLOW, 0, &p);
	if (r < 0)
		return p.moved ? r : -EAGAIN;
	if (p.kind != SL_PLACE_VIEW || sl_place_area(v, &p) == SL_AREA_REAL || !sl_place_differs(&p))
		return -EAGAIN;
	call.ctx.trail = NULL;
	r = sl_vperm(&call.ctx, p.walk.node, W_OK);
	if (r < 0)
		return r;
	at = sl_view_at(p.walk.node);
	r = sl_view_path(&at, &name);
	if (r < 0)
		return -ECONNREFUSED;
	if (strlen(name) >= sizeof(ret->path))
		return -ENAMETOOLONG;
	memcpy(ret->path, name, strlen(name) + 1);
	ret->fd = sl_view_real_fd(&at, O_PATH);
	return ret->fd < 0 ? ret->fd : 0;
}
