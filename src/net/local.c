/*
 * local.c - AF_UNIX addresses: what a name leads to, and whether it may be connected to.
 *
 * A path is resolved once, as the caller, to an O_PATH descriptor; the object's canonical name is judged, and
 * the very object is connected to, through /proc/self/fd. Whoever replaces the path or a link on the way
 * meanwhile changes nothing. An abstract name is its own object.
 *
 * What a process of the sandbox listens on may always be connected to (sockets.h). That socket is held open
 * meanwhile: so nobody else can get its name before the connection is made.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/path.h"
#include "kernel/object-id.h"
#include "kernel/resolve.h"
#include "kernel/tracee.h"
#include "net/call.h"
#include "net/resolver.h"
#include "net/sockets.h"

void sl_local_release(struct sl_local *l)
{
	free(l->name);
	l->object = sl_close(l->object);
	l->held = sl_close(l->held);
	l->name = NULL;
}

static void name_object(struct sl_local *l)
{
	size_t offset = offsetof(struct sockaddr_un, sun_path);
	int n = snprintf(l->address.local.sun_path, sizeof(l->address.local.sun_path), "/proc/self/fd/%d",
			 l->object);

	l->address.local.sun_family = AF_UNIX;
	l->address.len = (socklen_t)(offset + (size_t)n + 1);
}

static bool may_follow(pid_t tgid, void *arg)
{
	const struct sl_net *net = arg;

	return net->is_inside(net->arg, tgid);
}

static int find_path(const struct sl_net_call *c, const struct sl_address *a, struct sl_local *l)
{
	SL_CLEANUP(sl_resolved_release) struct sl_resolved found = SL_RESOLVED_INIT;
	struct sl_creds creds;
	struct sl_resolve_opts opts = {
	    .flags = SL_RESOLVE_VERIFY, .creds = &creds, .may_follow = may_follow, .arg = c->net};
	char path[sizeof(a->local.sun_path) + 1];
	struct stat st;
	int r;

	if (sl_tracee_creds(c->tid, &creds) < 0)
		return -EACCES;
	sl_address_path(a, path);
	r = c->net->find_local ? c->net->find_local(c->net->find_arg, c->listener, &c->n, path, &found)
			       : -EAGAIN;
	if (r == -EAGAIN)
		r = sl_resolve_with(c->tid, AT_FDCWD, path, &opts, &found);
	if (r == -EPERM || r == -ESTALE || r == -ESRCH)
		return -EACCES;
	if (r < 0)
		return r;
	if (fstat(found.fd, &st) < 0)
		return -EACCES;
	if (!S_ISSOCK(st.st_mode))
		return -ECONNREFUSED;
	if (found.anonymous || found.deleted)
		return c->net->policy ? -EACCES : -ECONNREFUSED;
	l->name = sl_xstrdup(found.path);
	l->object = SL_TAKE_FD(found.fd);
	name_object(l);
	return 0;
}

/* Whatever lets a socket be reached, [filesystem] deny takes it away by its name and by the object. */
static bool is_denied(const struct sl_policy *p, const struct sl_local *l)
{
	struct sl_object_id id;

	if (!p || !p->deny.count || l->name[0] != '/')
		return false;
	return sl_policy_denied(p, l->name) || sl_object_id_of_fd(l->object, &id) < 0 ||
	       sl_deny_object(&p->deny, &id);
}

/* Can the command have made the name? Sockets are found by the lower half of their file's number, which others may share on
 * a file system of many files: so what is nowhere where it may make names is not its own. */
static bool may_be_own(const struct sl_net_call *c, const struct sl_local *l)
{
	SL_FREE char *dir = l->name[0] == '/' ? sl_path_dirname(l->name) : NULL;
	struct sl_access create = {SL_RIGHT_CREATE, dir};
	struct statx st;

	if (!dir)
		return true;
	if (c->net->policy)
		return sl_policy_allows(c->net->policy, &create, NULL);
	/* While it is learned it may make names everywhere; what was there before the run it did not make. */
	return statx(l->object, "", AT_EMPTY_PATH, STATX_BTIME, &st) < 0 || !(st.stx_mask & STATX_BTIME) ||
	       st.stx_btime.tv_sec > c->net->since.tv_sec ||
	       (st.stx_btime.tv_sec == c->net->since.tv_sec && st.stx_btime.tv_nsec >= c->net->since.tv_nsec);
}

int sl_local_judge(const struct sl_net_call *c, const struct sl_address *a, struct sl_local *l)
{
	const struct sl_policy *policy = c->net->policy;
	SL_STRBUF name = SL_STRBUF_INIT;
	int r = 0;

	if (sl_address_family(a) != AF_UNIX || a->len > sizeof(a->local))
		return -EINVAL;
	switch (sl_address_local(a)) {
	case SL_LOCAL_PATH:
		r = find_path(c, a, l);
		break;
	case SL_LOCAL_ABSTRACT:
		sl_address_abstract(&name, a);
		l->name = sl_strbuf_detach(&name);
		l->address = *a;
		break;
	case SL_LOCAL_UNNAMED:
	default:
		return -EINVAL;
	}
	if (r < 0)
		return r;
	if (is_denied(policy, l))
		return -EACCES;
	if (policy && sl_net_allows_socket(&policy->net, l->name))
		return 0;
	/* Learned, they would let every name be looked up. */
	if (!policy && sl_resolver_is_side_door(l->name))
		return -EACCES;
	if (may_be_own(c, l))
		l->held = sl_own_socket_hold(c, a, l->object);
	l->own = l->held >= 0;
	return l->own || (!policy && !c->net->refuse_all) ? 0 : -EACCES;
}

/* Become the caller for its peer (SO_PEERCRED): this thread alone, the libc's functions would change all.
 * Effective capabilities go with user id 0 and come back with it. */
static int change_ids(const struct sl_creds *to)
{
	if (to->fsuid != to->euid || to->fsgid != to->egid)
		return -EACCES;
	if (syscall(SYS_setgroups, to->group_count, to->groups) < 0 ||
	    syscall(SYS_setresgid, -1, to->egid, -1) < 0 || syscall(SYS_setresuid, -1, to->euid, -1) < 0)
		return -EACCES;
	return 0;
}

/* A thread that cannot become itself again must not go on. */
static void change_ids_back(const struct sl_peer_identity *p)
{
	if (syscall(SYS_setresuid, -1, p->own->euid, -1) < 0 ||
	    syscall(SYS_setresgid, -1, p->own->egid, -1) < 0 ||
	    syscall(SYS_setgroups, p->own->group_count, p->own->groups) < 0)
		abort();
}

int sl_peer_identity_assume(const struct sl_net_call *c, struct sl_peer_identity *p)
{
	struct sl_creds creds;
	int r;

	*p = (struct sl_peer_identity){0};
	/* They are the caller's only as long as its number is. */
	if (sl_tracee_creds(c->tid, &creds) < 0 || !sl_net_call_valid(c))
		return -EACCES;
	if (creds.euid == geteuid() && creds.egid == getegid())
		return sl_identity_assume(&creds, &p->files) < 0 ? -EACCES : 0;
	p->own = sl_xcalloc(1, sizeof(*p->own));
	if (sl_tracee_creds((pid_t)syscall(SYS_gettid), p->own) < 0) {
		free(p->own);
		return -EACCES;
	}
	r = change_ids(&creds);
	if (r < 0)
		sl_peer_identity_restore(p);
	return r;
}

void sl_peer_identity_restore(struct sl_peer_identity *p)
{
	if (p->own)
		change_ids_back(p);
	else
		sl_identity_restore(p->files);
	free(p->own);
	p->own = NULL;
	p->files = NULL;
}
