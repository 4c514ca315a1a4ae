/*
 * process.c - acts on another process of the sandbox: resource limits, scheduling, priorities, advice on its
 * memory. Nothing but being the same user stands between a confined process and everybody else's here, so the
 * filter notifies each of them that does not name the caller by 0.
 *
 * An outsider is EPERM, also for prlimit64() that only reads; what does not exist is ESRCH, as without a
 * sandbox.
 *
 * sched_setaffinity() is notified for the caller too where the command is bound to CPUs: then it is always done here,
 * from the copy, and what names a CPU outside of those is EPERM.
 *
 * Else a caller that names itself (its own process or thread) is continued: while it waits its numbers cannot be
 * anybody else's, and they are in registers.
 *
 * For another process of the sandbox continuing would be wrong: between the answer and the kernel's own look
 * at the number the process may end and an outsider get it, and the caller can make that time long by having
 * itself starved of CPU time. So the call is done here, right behind the check. What is left is the time
 * between two system calls of ours (SECURITY.md, "Pids in registers").
 *
 * It is done only where the caller's identity is ours: these calls judge by real and effective ids, which
 * cannot be borrowed without opening the tool to that user. A command of root's that has become another user
 * is refused with EPERM for every process but its own.
 */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/macros.h"
#include "kernel/own-fd.h"
#include "kernel/seccomp.h"
#include "kernel/tracee.h"
#include "policy/calls.h"
#include "supervise/behalf.h"

#define CPU_SET_BYTES_MAX   1024 /* 8192 processors: the kernel's largest NR_CPUS */
#define SCHED_ATTR_SIZE_MIN 48	 /* SCHED_ATTR_SIZE_VER0 */
#define SCHED_ATTR_SIZE_MAX 4096 /* a page, the kernel's own bound */
#define CAP_PERFMON_BIT	    38

/* A call's copied arguments. */
struct act {
	const uint64_t *args;
	pid_t tid;
	pid_t pid; /* the target */
	union {
		struct rlimit64 limit;
		unsigned long cpus[CPU_SET_BYTES_MAX / sizeof(unsigned long)];
		struct sched_param param;
		uint32_t attr[SCHED_ATTR_SIZE_MAX / sizeof(uint32_t)];
	} in;
	size_t size; /* of what was copied */
};

static int copy(struct act *a, int arg, size_t len)
{
	a->size = len;
	return sl_tracee_read(a->tid, a->args[arg], &a->in, len);
}

static int copy_attr(struct act *a)
{
	uint32_t size;
	int r = sl_tracee_read(a->tid, a->args[1], &size, sizeof(size));

	if (r < 0)
		return r;
	if (!size)
		size = SCHED_ATTR_SIZE_MIN;
	/* The kernel answers a size that cannot be with the one that it knows. */
	if (size < SCHED_ATTR_SIZE_MIN || size > SCHED_ATTR_SIZE_MAX)
		size = sizeof(size);
	r = copy(a, 1, size);
	a->in.attr[0] = size == sizeof(size) ? 1 : size;
	return r;
}

static int copy_arguments(struct act *a, int nr)
{
	switch (nr) {
	case __NR_prlimit64:
		return a->args[2] ? copy(a, 2, sizeof(a->in.limit)) : 0;
	case __NR_sched_setaffinity:
		return copy(a, 2, SL_MIN((size_t)(uint32_t)a->args[1], (size_t)CPU_SET_BYTES_MAX));
	case __NR_sched_setscheduler:
		return a->args[2] ? copy(a, 2, sizeof(a->in.param)) : -EINVAL;
	case __NR_sched_setparam:
		return a->args[1] ? copy(a, 1, sizeof(a->in.param)) : -EINVAL;
	case __NR_sched_setattr:
		return a->args[1] ? copy_attr(a) : -EINVAL;
	default:
		return 0; /* registers only */
	}
}

static int act_prlimit(struct act *a)
{
	struct rlimit64 old;

	if (syscall(__NR_prlimit64, a->pid, (unsigned)a->args[1], a->args[2] ? &a->in.limit : NULL,
		    a->args[3] ? &old : NULL) < 0)
		return -errno;
	return a->args[3] ? sl_tracee_write(a->tid, a->args[3], &old, sizeof(old)) : 0;
}

static int act_attr(struct act *a)
{
	int error;

	if (syscall(__NR_sched_setattr, a->pid, a->in.attr, (unsigned)a->args[2]) == 0)
		return 0;
	error = errno;
	if (error == E2BIG)
		sl_tracee_write(a->tid, a->args[1], a->in.attr, sizeof(a->in.attr[0]));
	return -error;
}

static int act(struct act *a, int nr)
{
	long r;

	switch (nr) {
	case __NR_prlimit64:
		return act_prlimit(a);
	case __NR_sched_setattr:
		return act_attr(a);
	case __NR_sched_setaffinity:
		r = syscall(nr, a->pid, a->size, a->in.cpus);
		break;
	case __NR_sched_setscheduler:
		r = syscall(nr, a->pid, (int)a->args[1], &a->in.param);
		break;
	case __NR_sched_setparam:
		r = syscall(nr, a->pid, &a->in.param);
		break;
	default: /* setpriority, ioprio_set: which, who, what */
		r = syscall(nr, (int)a->args[0], a->pid, (int)a->args[2]);
		break;
	}
	return r < 0 ? -errno : 0;
}

/* Do the ids that these calls judge by equal ours? Groups and capabilities can be borrowed. */
static bool has_our_ids(const struct sl_creds *c)
{
	return c->uid == getuid() && c->euid == geteuid() && c->gid == getgid() && c->egid == getegid();
}

/* Are the CPUs of the copied mask among those that the command is bound to? */
static bool within_cpus(const struct sl_behalf *b, const struct act *a)
{
	const unsigned char *want = (const unsigned char *)a->in.cpus, *have = (const unsigned char *)b->cpus;

	for (size_t i = 0; i < a->size; i++)
		if (want[i] & ~(i < b->cpus_size ? have[i] : 0))
			return false;
	return true;
}

static int on_pid(const struct sl_behalf *b, int listener, const struct seccomp_notif *n, pid_t pid)
{
	struct act a = {.args = (const uint64_t *)n->data.args, .tid = (pid_t)n->pid, .pid = pid};
	struct sl_identity *saved;
	struct sl_creds creds;
	int r = copy_arguments(&a, n->data.nr);

	if (r < 0)
		return r;
	if (b->cpus && n->data.nr == __NR_sched_setaffinity && !within_cpus(b, &a))
		return -EPERM;
	if (sl_tracee_creds(a.tid, &creds) < 0 || !has_our_ids(&creds) || !sl_notif_valid(listener, n->id))
		return -EPERM;
	if (sl_identity_assume(&creds, &saved) < 0)
		return -EPERM;
	if (sl_behalf_is_inside(b, pid))
		r = act(&a, n->data.nr);
	else
		r = kill(pid, 0) < 0 && errno == ESRCH ? -ESRCH : -EPERM;
	sl_identity_restore(saved);
	return r;
}

static int advise(const struct seccomp_notif *n, int pidfd)
{
	struct iovec vec[UIO_MAXIOV];
	size_t count = n->data.args[2];
	long done;
	int r;

	if (count > UIO_MAXIOV)
		return -EINVAL;
	r = sl_tracee_read((pid_t)n->pid, n->data.args[1], vec, count * sizeof(vec[0]));
	if (r < 0)
		return r;
	done =
	    syscall(__NR_process_madvise, pidfd, vec, count, (int)n->data.args[3], (unsigned)n->data.args[4]);
	return done < 0 ? -errno : (int)SL_MIN(done, INT_MAX);
}

/* process_madvise(). The kernel's own check, mm_access(), ends in Landlock's hook, which keeps it inside:
 * continue. Only CAP_PERFMON passes by the hook; then it is done here, on the pidfd that was looked at. */
static int on_pidfd(const struct sl_behalf *b, int listener, const struct seccomp_notif *n,
		    bool *ret_continue)
{
	SL_CLOSE int fd = sl_fd_take((pid_t)n->pid, (int)n->data.args[0]);
	struct sl_creds creds;
	pid_t pid;

	if (fd < 0)
		return fd;
	pid = sl_pidfd_pid(fd);
	if (pid < 0)
		return pid;
	if (!sl_behalf_is_inside(b, pid) || sl_tracee_creds((pid_t)n->pid, &creds) < 0)
		return -EPERM;
	*ret_continue = !(creds.cap_effective >> CAP_PERFMON_BIT & 1);
	if (*ret_continue)
		return 0;
	return has_our_ids(&creds) && sl_notif_valid(listener, n->id) ? advise(n, fd) : -EPERM;
}

/* The caller's own affinity: a thread may always set it, whatever its identity. 0 is its own number. */
static int set_own_affinity(const struct sl_behalf *b, int listener, const struct seccomp_notif *n)
{
	struct act a = {.args = (const uint64_t *)n->data.args, .tid = (pid_t)n->pid, .pid = (pid_t)n->pid};
	int r = copy_arguments(&a, n->data.nr);

	if (r < 0)
		return r;
	if (!within_cpus(b, &a) || !sl_notif_valid(listener, n->id))
		return -EPERM;
	return act(&a, n->data.nr);
}

bool sl_behalf_dumpable(int listener, const struct seccomp_notif *n)
{
	struct rlimit64 limit;
	pid_t pid;

	if (n->data.nr != __NR_prctl || (uint32_t)n->data.args[0] != PR_SET_DUMPABLE ||
	    (uint32_t)n->data.args[1] != 0 || sl_tracee_may_be_undumpable())
		return false;
	pid = sl_tracee_tgid((pid_t)n->pid);
	if (pid <= 0 || !sl_notif_valid(listener, n->id) ||
	    syscall(__NR_prlimit64, pid, RLIMIT_CORE, NULL, &limit) < 0) {
		sl_notif_error(listener, n->id, EPERM);
		return true;
	}
	limit.rlim_cur = 0;
	if (syscall(__NR_prlimit64, pid, RLIMIT_CORE, &limit, NULL) < 0)
		sl_notif_error(listener, n->id, EPERM);
	else
		sl_notif_return(listener, n->id, 0);
	return true;
}

static bool is_caller(pid_t tid, pid_t pid)
{
	return pid == tid || pid == sl_tracee_tgid(tid);
}

void sl_behalf_process(const struct sl_behalf *b, int listener, const struct seccomp_notif *n,
		       const struct sl_call *call)
{
	pid_t pid = (pid_t)n->data.args[call->pid_arg];
	bool bound = b->cpus && n->data.nr == __NR_sched_setaffinity;
	bool go_on = false;
	int r = 0;

	if (bound && (pid == 0 || pid == (pid_t)n->pid))
		r = set_own_affinity(b, listener, n);
	else if (call->pidfd)
		r = on_pidfd(b, listener, n, &go_on);
	else if (pid < 0 || (!bound && is_caller((pid_t)n->pid, pid)))
		go_on = true; /* a negative number is nobody's: the kernel has an error for it */
	else
		r = on_pid(b, listener, n, pid);
	if (go_on && sl_notif_valid(listener, n->id))
		sl_notif_continue(listener, n->id);
	else if (r < 0)
		sl_notif_error(listener, n->id, -r);
	else
		sl_notif_return(listener, n->id, r);
}
