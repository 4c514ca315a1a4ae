/*
 * open-self.c - /proc/self entries of a profile: each process of the sandbox may open its own, whatever its
 * number. A Landlock rule binds to one process's directory, so these opens are notified and done here.
 *
 * Most opens have nothing to do with /proc, and telling so must be cheap: looks_own() is one openat2(2) for
 * them. What it lets pass, and whatever turns out not to be the caller's own entry, is continued: Landlock
 * judges it as if nobody had looked.
 *
 * "Own" are the entries of the caller's process and of its threads, and those of its descendants, as learn
 * writes them all as /proc/self. Only regular files and directories of procfs itself are opened; through a
 * magic link (fd/N, cwd, root, exe, ns/x) lies another object, which is Landlock's to judge.
 *
 * The kernel checks access to these files against who opens them and who reads: the open is done with the
 * caller's identity, and what is then read is about a process that the caller may trace anyway.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "base/macros.h"
#include "kernel/own-fd.h"
#include "kernel/resolve.h"
#include "kernel/seccomp.h"
#include "kernel/tracee.h"
#include "policy/calls.h"
#include "supervise/behalf.h"
#include "supervise/opening.h"

static int open_path(int base, const struct sl_opening *o, uint64_t resolve)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC,
			       .resolve = (o->resolve & ~(uint64_t)RESOLVE_CACHED) | resolve};
	long fd = syscall(__NR_openat2, base, o->path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Can the path lead into a process's entry? Found out as ourselves, which is enough to tell what cannot:
 * where no symbolic link is met the object is the caller's as well, and every way into /proc that is met
 * behind one ends there, in a magic link, or at what is missing in our own entry. */
static bool looks_own(const struct sl_opening *o)
{
	SL_CLOSE int base = -EBADF, fd = -EBADF;
	struct statfs fs;

	if (!strncmp(o->path, "/proc/", 6))
		return true;
	if (o->path[0] != '/' || o->resolve & RESOLVE_IN_ROOT) {
		base = sl_open_base(o->tid, o->dirfd);
		if (base < 0)
			return false;
	}
	fd = open_path(base, o, RESOLVE_NO_SYMLINKS);
	if (fd == -ELOOP) {
		fd = open_path(base, o, RESOLVE_NO_MAGICLINKS);
		if (fd == -ELOOP || fd == -ENOENT)
			return true;
	}
	return fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* What follows "task/TID" in rest, or NULL. */
static const char *thread_rest(const char *rest)
{
	if (strncmp(rest, "task/", 5) != 0)
		return NULL;
	rest += 5;
	rest += strspn(rest, "0123456789");
	return *rest == '/' ? rest + 1 : !*rest ? rest : NULL;
}

/* Does the policy grant the entry at this canonical path to the caller as its own? A thread's entry counts as
 * its process's, for that is how rules are made. */
static bool allowed(const struct sl_behalf *b, const struct sl_opening *o, const char *path, bool is_dir)
{
	const struct sl_policy *policy = b->policy;
	uint32_t rights = sl_opening_rights(o, is_dir);
	const char *rest, *below_thread;
	pid_t pid, caller;

	pid = sl_proc_pid(path, &rest);
	if (!pid)
		return false;
	rest += *rest == '/';
	caller = sl_tracee_tgid(o->tid);
	pid = sl_tracee_tgid(pid); /* "/proc/TID" is there as well */
	if (caller <= 0 || pid <= 0 || !sl_behalf_is_inside(b, pid))
		return false;
	if (pid != caller && !sl_tracee_is_descendant(pid, caller))
		return false;
	if (sl_policy_allows_self(policy, rest, rights))
		return true;
	below_thread = thread_rest(rest);
	return below_thread && sl_policy_allows_self(policy, below_thread, rights);
}

/* Open the entry that was found, through our own descriptor of it. */
static int open_entry(const struct sl_opening *o, const struct sl_creds *creds, int fd)
{
	/* What only finds the object has been done; O_CREAT has nothing to make. */
	int flags = (int)o->flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
	struct sl_identity *saved;
	char name[48];
	int opened;

	if (sl_identity_assume(creds, &saved) < 0)
		return -EACCES;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	opened = open(name, flags | O_CLOEXEC | O_NOCTTY);
	if (opened < 0)
		opened = -errno;
	sl_identity_restore(saved);
	return opened;
}

static bool may_follow(pid_t tgid, void *arg)
{
	return sl_behalf_is_inside(arg, tgid);
}

/* The caller's own entry, opened: a descriptor; or -errno; or -EAGAIN: not ours to decide, continue. */
static int open_own(const struct sl_behalf *b, struct sl_opening *o, int listener, uint64_t id)
{
	struct sl_resolve_opts opts = {
	    .flags = (o->flags & O_NOFOLLOW ? SL_RESOLVE_NOFOLLOW : 0) | SL_RESOLVE_VERIFY,
	    .resolve = o->resolve,
	    .may_follow = may_follow,
	    .arg = (void *)(uintptr_t)b,
	};
	SL_CLEANUP(sl_resolved_release) struct sl_resolved r = SL_RESOLVED_INIT;
	struct sl_creds creds;
	struct statfs fs;
	struct stat st;

	if (sl_resolve_with(o->tid, o->dirfd, o->path, &opts, &r) < 0 || r.anonymous || r.deleted)
		return -EAGAIN;
	if (fstatfs(r.fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC || fstat(r.fd, &st) < 0)
		return -EAGAIN;
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return -EAGAIN;
	/* Errors are the kernel's to give. */
	if (S_ISDIR(st.st_mode) ? (o->flags & (O_ACCMODE | O_CREAT | O_TRUNC)) : (o->flags & O_DIRECTORY))
		return -EAGAIN;
	if (o->flags & O_CREAT && o->flags & O_EXCL)
		return -EAGAIN;
	if (!allowed(b, o, r.path, S_ISDIR(st.st_mode)) || sl_tracee_creds(o->tid, &creds) < 0)
		return -EAGAIN;
	if (!sl_notif_valid(listener, id))
		return -EAGAIN;
	return open_entry(o, &creds, r.fd);
}

void sl_behalf_open_self(const struct sl_behalf *b, int listener, const struct seccomp_notif *n,
			 const struct sl_call *call)
{
	struct sl_opening o = {.tid = (pid_t)n->pid};
	SL_CLOSE int fd = -EAGAIN;
	int r;

	if (b->policy->self_rule_count && sl_opening_copy(&o, n, call) && looks_own(&o) && !(o.flags & O_PATH))
		fd = open_own(b, &o, listener, n->id);
	if (fd == -EAGAIN) {
		sl_notif_continue(listener, n->id);
		return;
	}
	if (fd < 0) {
		sl_notif_error(listener, n->id, -fd);
		return;
	}
	r = sl_notif_send_fd(listener, n->id, fd, (uint32_t)(o.flags & O_CLOEXEC));
	if (r < 0)
		sl_notif_error(listener, n->id, -r);
}
