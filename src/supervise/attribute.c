/*
 * attribute.c - mode, owner, times, extended attributes and inode flags, changed on behalf of a confined
 * process where the profile lets it write or create. Landlock does not govern them, so the filter notifies
 * every such call.
 *
 * In this order: copy the arguments; find the object as the caller, which gives a descriptor of our own; see
 * that the caller still waits, so that all of this was really its; name the object, not the string that led
 * to it; ask the policy; take on the caller's identity; act on the descriptor. From the second step on the
 * descriptor is the object: nothing that anybody renames or rewrites meanwhile changes what is acted on, and
 * a read-only descriptor, /proc/self/fd or AT_EMPTY_PATH are only other ways to it.
 *
 * Errors that depend on the arguments or the path alone come before the policy's, as without a sandbox.
 *
 * Objects without a name:
 * - Pipes, sockets and memfds never had one. Who holds a descriptor of one may change its attributes: they
 * decide nothing but who may reopen it through /proc, where the mode is the least of the obstacles.
 * - A file whose last name is gone (or that never got one: O_TMPFILE) counts as if it still were where that
 * name was. Nobody can reach it by a name, and what could be done to it before it was removed can be done
 * after.
 * - Every other kernel object is refused.
 *
 * Attributes of what is granted to everybody (/dev/null and its like) are nobody's to change, though its
 * content is.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "base/macros.h"
#include "base/path.h"
#include "kernel/own-fd.h"
#include "kernel/resolve.h"
#include "kernel/seccomp.h"
#include "kernel/tracee.h"
#include "supervise/behalf.h"
#include "supervise/change.h"

/* A rename while the object is named is no reason to refuse, unless it goes on and on. */
#define NAME_TRIES 8

struct request {
	const struct sl_behalf *behalf;
	const struct seccomp_notif *notif;
	pid_t tid;
	struct sl_change change;
	struct sl_resolved object;
	bool reopened; /* the caller's descriptor could not be taken: object.fd is O_PATH */
	struct sl_creds creds;
};

static bool may_follow(pid_t tgid, void *arg)
{
	return sl_behalf_is_inside(arg, tgid);
}

static int resolve(const struct request *q, const char *path, int flags, struct sl_resolved *ret)
{
	struct sl_resolve_opts opts = {
	    .flags = flags, .may_follow = may_follow, .arg = (void *)(uintptr_t)q->behalf};

	return sl_resolve_with(q->tid, q->change.dirfd, path, &opts, ret);
}

static int find_by_fd(struct request *q)
{
	const struct sl_change *c = &q->change;
	int fd, flags;

	if (c->dirfd == AT_FDCWD)
		return resolve(q, "", SL_RESOLVE_EMPTY, &q->object);
	fd = sl_fd_take(q->tid, c->dirfd);
	flags = fd < 0 ? 0 : fcntl(fd, F_GETFL);
	q->reopened = fd == -EPERM || fd == -ENOSYS;
	if (q->reopened)
		fd = sl_fd_reopen(q->tid, c->dirfd, &flags);
	if (fd < 0)
		return fd;
	q->object.fd = fd;
	if (flags < 0 || (c->form == SL_BY_FD && flags & O_PATH))
		return -EBADF;
	return 0;
}

static bool same_object(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* May the caller search the directories on the way to the object, which was found as ourselves? Only a path
 * that leads there for us as well can tell: one through a magic link cannot. */
static int check_search(const struct request *q, int base, int flags)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
	struct sl_identity *saved;
	SL_CLOSE int fd = -EBADF;

	if (flags & SL_RESOLVE_NOFOLLOW)
		how.flags |= O_NOFOLLOW;
	if (sl_identity_assume(&q->creds, &saved) < 0)
		return -EACCES;
	fd = (int)syscall(__NR_openat2, base, q->change.path, &how, sizeof(how));
	sl_identity_restore(saved);
	return fd >= 0 && same_object(fd, q->object.fd) ? 0 : -EACCES;
}

/* "/proc/self/fd/7/x" is x relative to descriptor 7. */
static void strip_descriptor(struct sl_change *c)
{
	static const char *const prefixes[] = {"/proc/self/fd/", "/proc/thread-self/fd/", "/dev/fd/"};

	for (size_t i = 0; i < SL_ARRAY_LEN(prefixes); i++) {
		size_t len = strlen(prefixes[i]);
		char *end;
		long fd;

		if (strncmp(c->path, prefixes[i], len) != 0 || c->path[len] < '0' || c->path[len] > '9')
			continue;
		fd = strtol(c->path + len, &end, 10);
		if (fd > INT_MAX || (*end && *end != '/') || (!*end && c->nofollow))
			return;
		end += strspn(end, "/");
		c->form = *end ? SL_BY_PATH : SL_BY_ANY_FD;
		c->dirfd = (int)fd;
		memmove(c->path, end, strlen(end) + 1);
		return;
	}
}

/* A process that became another user and executed nothing since: its /proc entry is closed to that user. */
static int find_as_ourselves(struct request *q, int flags)
{
	SL_CLEANUP(sl_resolved_release) struct sl_resolved base = SL_RESOLVED_INIT;
	int r;

	strip_descriptor(&q->change);
	if (q->change.form != SL_BY_PATH)
		return find_by_fd(q);
	r = resolve(q, q->change.path, flags, &q->object);
	if (r == 0 && q->change.path[0] != '/')
		r = resolve(q, "", SL_RESOLVE_EMPTY, &base);
	if (r == 0)
		r = check_search(q, base.fd, flags);
	if (r < 0)
		sl_resolved_release(&q->object);
	return r;
}

/* Directories are searched with the caller's identity. CAP_SYS_PTRACE stays ours, if it is, for most of the
 * caller's /proc entry; whose links may be followed there is may_follow()'s to say. */
static int find_by_path(struct request *q)
{
	int flags = q->change.nofollow ? SL_RESOLVE_NOFOLLOW : 0;
	struct sl_creds creds = q->creds;
	struct sl_identity *saved;
	bool changed;
	int r;

	if (geteuid() == 0)
		creds.cap_effective |= 1ULL << CAP_SYS_PTRACE;
	if (sl_identity_assume(&creds, &saved) < 0)
		return -EACCES;
	changed = saved;
	r = resolve(q, q->change.path, flags, &q->object);
	sl_identity_restore(saved);
	return changed && (r == -EACCES || r == -EPERM) ? find_as_ourselves(q, flags) : r;
}

static int find(struct request *q)
{
	return q->change.form == SL_BY_PATH ? find_by_path(q) : find_by_fd(q);
}

/* The mount of an object that has no name any more must be one that its last name leads to: names in other
 * mount namespaces look alike. */
static bool on_named_mount(const struct sl_resolved *object)
{
	struct statx a, b;
	SL_FREE char *dir = sl_path_dirname(object->path);

	if (statx(object->fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &a) < 0)
		return false;
	/* The directory may be gone as well. */
	while (statx(AT_FDCWD, dir, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_MNT_ID, &b) < 0) {
		char *up;

		if (errno != ENOENT || !strcmp(dir, "/"))
			return false;
		up = sl_path_dirname(dir);
		free(dir);
		dir = up;
	}
	return a.stx_mnt_id == b.stx_mnt_id && a.stx_dev_major == b.stx_dev_major &&
	       a.stx_dev_minor == b.stx_dev_minor;
}

static bool is_implicit(const struct sl_policy *p, const char *path)
{
	const struct sl_rule *rule = NULL;
	SL_FREE char *dir = NULL;

	if (!sl_policy_allows(p, &(struct sl_access){SL_RIGHT_WRITE, path}, &rule) || !rule ||
	    strcmp(rule->origin, "implicit") != 0)
		return false;
	dir = sl_path_dirname(path);
	return !sl_policy_allows_attributes(p, dir);
}

/* May the caller change attributes of the object? 0, -EACCES, or another -errno for which that is unknown. */
static int decide(struct request *q, const struct stat *st)
{
	struct sl_resolved *object = &q->object;
	const struct sl_policy *policy = q->behalf->policy;
	struct sl_object_id id;
	int r = -ESTALE;

	for (int tries = 0; r == -ESTALE && tries < NAME_TRIES; tries++)
		r = sl_resolve_name(object, SL_RESOLVE_VERIFY);
	if (r < 0)
		return -EACCES;
	if (object->anonymous)
		return sl_change_is_nameless(object, st) ? 0 : -EACCES;
	/* With other links it is not gone: it is somewhere else, under a name that nobody told us. */
	if (object->deleted && (st->st_nlink || !on_named_mount(object)))
		return -EACCES;
	if (!sl_policy_allows_attributes(policy, object->path) || is_implicit(policy, object->path))
		return -EACCES;
	if (policy->deny.count && (sl_object_id_of_fd(object->fd, &id) < 0 || sl_deny_object(&policy->deny, &id)))
		return -EACCES;
	return 0;
}

static int handle(struct request *q, int listener, const struct sl_call *call)
{
	struct sl_identity *saved;
	struct stat st;
	int r = sl_change_copy(q->notif, call, &q->change);

	if (r < 0 || q->change.nothing)
		return r;
	if (sl_tracee_creds(q->tid, &q->creds) < 0)
		return -EACCES;
	r = find(q);
	if (r < 0)
		return r == -EPERM ? -EACCES : r;
	if (!sl_notif_valid(listener, q->notif->id))
		return -EACCES; /* nobody hears it */
	if (fstat(q->object.fd, &st) < 0)
		return -EACCES;
	r = sl_change_check(&q->change, st.st_mode);
	if (r == 0)
		r = decide(q, &st);
	if (r < 0)
		return r;
	if (sl_identity_assume(&q->creds, &saved) < 0)
		return -EACCES;
	r = sl_change_apply(&q->change, q->object.fd, q->reopened);
	sl_identity_restore(saved);
	return r;
}

void sl_behalf_attribute(const struct sl_behalf *b, int listener, const struct seccomp_notif *n,
			 const struct sl_call *call)
{
	struct request q = {.behalf = b, .notif = n, .tid = (pid_t)n->pid, .object = SL_RESOLVED_INIT};
	int r = handle(&q, listener, call);

	sl_resolved_release(&q.object);
	sl_change_release(&q.change);
	if (r < 0)
		sl_notif_error(listener, n->id, -r);
	else
		sl_notif_return(listener, n->id, 0);
}
