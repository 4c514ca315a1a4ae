/*
 * filter.c - from the call table and a plan to a seccomp program.
 *
 * Every number up to SL_CALL_LAST gets a leaf: a verdict, or the code of a judge that looks at the arguments.
 * Neighbouring numbers with the same verdict become one run, and one balanced tree over the runs is the
 * program; all numbers above (x32 calls have bit 30 set) and those that the architecture leaves out are the
 * ENOSYS runs.
 *
 * Judges compare what the kernel will look at: an int or unsigned int argument by its low half, because the
 * kernel truncates it, so rubbish in the high half changes nothing. Nothing behind a pointer is ever judged
 * here.
 *
 * Why not libseccomp: 2.5.4 took 250-500 µs to build and export these rules, half of what a whole start may
 * cost, has no rule for "numbers above the last known one", and cannot name newer calls. This takes some 10
 * µs.
 *
 * Without a listener (a sandbox inside another that already has one) what would have been notified is
 * refused: attribute calls with EACCES, acts on other processes with EPERM. An open that could only have
 * widened to /proc/self stays allowed, Landlock judges it. Sockets are judged in filter-net.c.
 */
#include "policy/filter.h"

#include <assert.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/ioprio.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/path.h"
#include "policy/bpf.h"
#include "policy/judge.h"

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#endif

/* Flags of unshare(2) that make no namespace. */
#define UNSHARE_PLAIN (CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)
#define CLONE_NAMESPACES                                                                                     \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |        \
	 CLONE_NEWNET)

static uint32_t refuse(int error)
{
	return SECCOMP_RET_ERRNO | ((uint32_t)error & SECCOMP_RET_DATA);
}

static bool observing(const struct sl_filter_plan *plan)
{
	return plan->listener && plan->observe;
}

/* A call that the supervisor must decide, or that is refused where none listens for it. */
static uint32_t supervised(const struct sl_filter_plan *plan, int error)
{
	return plan->listener && (plan->attributes || plan->observe) ? SECCOMP_RET_USER_NOTIF : refuse(error);
}

/* Calls that Landlock refuses beside a denied path, and the supervisor may do. */
static bool is_done_beside(enum sl_op op)
{
	return op == SL_OP_OPEN || op == SL_OP_OPENAT2 || op == SL_OP_CREAT || sl_op_changes_names(op);
}

/* Calls that only read, and are notified for a view's sake alone. */
static bool reads_of_view(enum sl_op op)
{
	switch (op) {
	case SL_OP_CHDIR:
	case SL_OP_STAT:
	case SL_OP_ACCESS:
	case SL_OP_READLINK:
	case SL_OP_STATFS:
	case SL_OP_GETCWD:
	case SL_OP_GETDENTS:
	case SL_OP_GETXATTR:
	case SL_OP_LISTXATTR:
	case SL_OP_WATCH:
		return true;
	default:
		return false;
	}
}

static bool is_answered_by_view(enum sl_op op)
{
	return is_done_beside(op) || reads_of_view(op) || op == SL_OP_EXEC || op == SL_OP_UMASK;
}

/* A call that is allowed, and seen where its op is recorded or where it may be done on behalf. */
static uint32_t observed(const struct sl_filter_plan *plan, enum sl_op op)
{
	if (plan->listener && plan->beside && is_done_beside(op))
		return SECCOMP_RET_USER_NOTIF;
	if (plan->listener && plan->limit_disk && op == SL_OP_WRITE)
		return SECCOMP_RET_USER_NOTIF;
	if (plan->listener && plan->view && is_answered_by_view(op))
		return SECCOMP_RET_USER_NOTIF;
	if (!observing(plan))
		return SECCOMP_RET_ALLOW;
	switch (op) {
	case SL_OP_NONE:
	case SL_OP_LISTEN:
	case SL_OP_PROCESS:
	case SL_OP_DUMPABLE:
	case SL_OP_WRITE:
		return SECCOMP_RET_ALLOW;
	case SL_OP_UMASK:
		return plan->view ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW;
	default:
		if (reads_of_view(op))
			return SECCOMP_RET_ALLOW;
		return SECCOMP_RET_USER_NOTIF;
	}
}

static void ret_if_eq(struct sl_bpf *b, uint32_t k, uint32_t ret)
{
	size_t block = sl_bpf_if_eq(b, k);

	sl_bpf_ret(b, ret);
	sl_bpf_end(b, block);
}

static void ret_if_ne(struct sl_bpf *b, uint32_t k, uint32_t ret)
{
	size_t block = sl_bpf_if_ne(b, k);

	sl_bpf_ret(b, ret);
	sl_bpf_end(b, block);
}

static void ret_if_more_low(struct sl_bpf *b, uint32_t k, uint32_t ret)
{
	size_t block = sl_bpf_if_ge(b, k + 1);

	sl_bpf_ret(b, ret);
	sl_bpf_end(b, block);
}

static void ret_if_any(struct sl_bpf *b, uint32_t bits, uint32_t ret)
{
	size_t block = sl_bpf_if_any(b, bits);

	sl_bpf_ret(b, ret);
	sl_bpf_end(b, block);
}

/* open, openat. O_PATH opens read and write nothing. /proc/self can be widened for reading (directories among
 * it) and, where the profile writes there, for every other mode: shells open with O_CREAT|O_TRUNC. */
static void judge_open(struct sl_bpf *b, const struct sl_filter_plan *plan, const struct sl_call *call)
{
	bool beside = plan->listener && plan->beside, view = plan->listener && plan->view;
	bool widen = beside || (plan->listener && plan->open_self);

	if (view) {
		sl_bpf_ret(b, SECCOMP_RET_USER_NOTIF);
		return;
	}
	if (observing(plan) || widen) {
		sl_bpf_load_low(b, call->flags_arg);
		ret_if_any(b, O_PATH, SECCOMP_RET_ALLOW);
		if (!observing(plan) && !beside && !plan->open_self_write)
			ret_if_any(b, O_ACCMODE | O_CREAT, SECCOMP_RET_ALLOW);
	}
	sl_bpf_ret(b, observing(plan) || widen ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW);
}

/* openat2: its flags are behind a pointer. */
static void judge_openat2(struct sl_bpf *b, const struct sl_filter_plan *plan, const struct sl_call *call)
{
	bool notify = plan->listener && (plan->open_self || plan->observe || plan->beside || plan->view);

	(void)call;
	sl_bpf_ret(b, notify ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW);
}

/* fork, vfork: where processes are counted. Without a listener nothing is counted, and nothing is run with such a
 * limit. */
static void judge_fork(struct sl_bpf *b, const struct sl_filter_plan *plan, const struct sl_call *call)
{
	(void)call;
	sl_bpf_ret(b, plan->listener && (plan->limit_processes || plan->measure) ? SECCOMP_RET_USER_NOTIF
										 : SECCOMP_RET_ALLOW);
}

/* The kernel looks at the low half of clone's flags only; CLONE_NEWTIME is not among what clone can do. A thread is no
 * process. */
static void judge_clone(struct sl_bpf *b, const struct sl_filter_plan *plan, const struct sl_call *call)
{
	sl_bpf_load_low(b, 0);
	ret_if_any(b, CLONE_NAMESPACES, refuse(EPERM));
	ret_if_any(b, CLONE_THREAD, SECCOMP_RET_ALLOW);
	judge_fork(b, plan, call);
}

static void judge_exit(struct sl_bpf *b, const struct sl_filter_plan *plan, const struct sl_call *call)
{
	(void)call;
	sl_bpf_ret(b, plan->listener && (plan->measure || (plan->limit_memory && !plan->memory_held))
			  ? SECCOMP_RET_USER_NOTIF
			  : SECCOMP_RET_ALLOW);
}

/* End with the verdict if the 64 bits of the argument are more than value. */
static void ret_if_more(struct sl_bpf *b, int arg, uint64_t value, uint32_t ret)
{
	uint32_t high = (uint32_t)(value >> 32), low = (uint32_t)value;
	size_t block;

	sl_bpf_load_high(b, arg);
	if (high < UINT32_MAX) {
		block = sl_bpf_if_ge(b, high + 1);
		sl_bpf_ret(b, ret);
		sl_bpf_end(b, block);
	}
	if (low == UINT32_MAX)
		return;
	block = sl_bpf_if_eq(b, high);
	sl_bpf_load_low(b, arg);
	ret_if_more_low(b, low, ret);
	sl_bpf_end(b, block);
}

/* mmap(addr, length, prot, flags): private memory has a limit in the kernel (RLIMIT_DATA), shared anonymous memory has none.
 * What cannot be had at all is refused at once, the rest is measured. A reservation without access is free. Stacks of threads are
 * mostly never used, but the kernel counts them whole: the supervisor makes room for each (supervise/limits.h). */
static void judge_mmap(struct sl_bpf *b, const struct sl_filter_plan *plan, const struct sl_call *call)
{
	const uint32_t shared = MAP_SHARED | MAP_ANONYMOUS;

	if (plan->limit_memory) {
		if (plan->listener) {
			sl_bpf_load_low(b, call->flags_arg);
			sl_bpf_and(b, MAP_SHARED | MAP_STACK);
			ret_if_eq(b, MAP_STACK, SECCOMP_RET_USER_NOTIF);
		}
		sl_bpf_load_low(b, call->flags_arg);
		sl_bpf_and(b, shared); /* MAP_SHARED_VALIDATE has the bit too, MAP_PRIVATE has not */
		ret_if_ne(b, shared, SECCOMP_RET_ALLOW);
		sl_bpf_load_low(b, 2);
		ret_if_eq(b, PROT_NONE, SECCOMP_RET_ALLOW);
		ret_if_more(b, 1, plan->limit_memory, refuse(ENOMEM));
	}
	sl_bpf_ret(b, SECCOMP_RET_ALLOW);
}

static void judge_ptrace(struct sl_bpf *b, const struct sl_filter_plan *plan, const struct sl_call *call)
{
	(void)call;
	sl_bpf_ret(b, plan->limit_cpu ? refuse(EPERM) : SECCOMP_RET_ALLOW);
}

static void judge_unshare(struct sl_bpf *b, const struct sl_filter_plan *plan, const struct sl_call *call)
{
	(void)plan;
	(void)call;
	sl_bpf_load_low(b, 0);
	ret_if_any(b, ~(uint32_t)UNSHARE_PLAIN, refuse(EPERM));
	sl_bpf_ret(b, SECCOMP_RET_ALLOW);
}

/* prctl(what, value) */
static void judge_prctl(struct sl_bpf *b, const struct sl_filter_plan *plan, const struct sl_call *call)
{
	size_t block;

	(void)call;
	if (plan->listener && plan->keep_dumpable) {
		sl_bpf_load_low(b, 0);
		block = sl_bpf_if_eq(b, PR_SET_DUMPABLE);
		sl_bpf_load_low(b, 1);
		ret_if_eq(b, 0, SECCOMP_RET_USER_NOTIF);
		sl_bpf_end(b, block);
	}
	sl_bpf_ret(b, SECCOMP_RET_ALLOW);
}

/* Calls on a pid: 0 is the caller. */
static void judge_pid(struct sl_bpf *b, const struct sl_filter_plan *plan, const struct sl_call *call)
{
	sl_bpf_load_low(b, call->pid_arg);
	/* The CPUs that the command may use are no limit to the kernel: each thread may choose others. */
	if (call->nr != __NR_sched_setaffinity || !plan->limit_cpus)
		ret_if_eq(b, 0, SECCOMP_RET_ALLOW);
	sl_bpf_ret(b, supervised(plan, EPERM));
}

/* Calls on a pidfd: a negative one is PIDFD_SELF_* or an error. */
static void judge_pidfd(struct sl_bpf *b, const struct sl_filter_plan *plan, const struct sl_call *call)
{
	size_t negative;

	sl_bpf_load_low(b, call->pid_arg);
	negative = sl_bpf_if_ge(b, 0x80000000U);
	sl_bpf_ret(b, SECCOMP_RET_ALLOW);
	sl_bpf_end(b, negative);
	sl_bpf_ret(b, supervised(plan, EPERM));
}

/* setpriority, ioprio_set: on one process; a process group or a user is more than the sandbox. */
static void judge_priority(struct sl_bpf *b, const struct sl_filter_plan *plan, const struct sl_call *call)
{
	sl_bpf_load_low(b, 0);
	ret_if_ne(b, call->nr == __NR_ioprio_set ? (uint32_t)IOPRIO_WHO_PROCESS : (uint32_t)PRIO_PROCESS,
		  refuse(EPERM));
	judge_pid(b, plan, call);
}

static uint32_t switches_signals(const struct sl_filter_plan *plan)
{
	return plan->listener && plan->net.signals ? SECCOMP_RET_USER_NOTIF : refuse(EPERM);
}

/* fcntl(fd, what, how). A file that is ready signals its owner, with SIGKILL if that is asked for. Where the
 * owner is a process group that the command shares with its caller, Linux 6.15 to 7.0 and what was backported
 * to 6.12 skip Landlock's signal scope
 * ("landlock: Fix LANDLOCK_SCOPE_SIGNAL bypass on the SIGIO path"). So no group can be named: not in the
 * register, not behind F_SETOWN_EX's pointer, which a kernel may lack; and as a terminal without an owner
 * takes its foreground group, signals of open files are switched on by the supervisor, for others (net/async.c). */
static void judge_fcntl(struct sl_bpf *b, const struct sl_filter_plan *plan, const struct sl_call *call)
{
	size_t block;

	(void)plan;
	(void)call;
	sl_bpf_load_low(b, 1);
	ret_if_eq(b, F_SETOWN_EX, refuse(EINVAL));
	block = sl_bpf_if_eq(b, F_SETFL);
	sl_bpf_load_low(b, 2);
	ret_if_any(b, O_ASYNC, switches_signals(plan));
	sl_bpf_ret(b, SECCOMP_RET_ALLOW);
	sl_bpf_end(b, block);
	block = sl_bpf_if_eq(b, F_SETOWN);
	sl_bpf_load_low(b, 2);
	ret_if_any(b, 0x80000000U, refuse(EPERM)); /* a negative number is a group's */
	sl_bpf_end(b, block);
	sl_bpf_ret(b, SECCOMP_RET_ALLOW);
}

typedef sl_judge judge_fn;

/* ioctl requests by their low 32 bits, ascending. */
enum request_kind {
	REQUEST_REFUSED,   /* EPERM, whatever the descriptor is */
	REQUEST_ATTRIBUTE, /* an attribute call */
	REQUEST_ASYNC,	   /* the supervisor's, by what the descriptor is; else EPERM */
	REQUEST_EVERYDAY,  /* never worth a look: Landlock does not judge it, or the device was opened for
			      writing */
};

static const struct {
	uint32_t first, last;
	enum request_kind kind;
} requests[] = {
    {0x00000002, 0x00000002, REQUEST_EVERYDAY},	 /* FIGETBSZ */
    {0x00004b47, 0x00004b47, REQUEST_REFUSED},	 /* KDSKBENT: what a console's keys type, for every console */
    {0x00004b49, 0x00004b49, REQUEST_REFUSED},	 /* KDSKBSENT */
    {0x00004b4b, 0x00004b4b, REQUEST_REFUSED},	 /* KDSKBDIACR */
    {0x00004b4d, 0x00004b4d, REQUEST_REFUSED},	 /* KDSETKEYCODE */
    {0x00004bfb, 0x00004bfb, REQUEST_REFUSED},	 /* KDSKBDIACRUC */
    {0x00005401, 0x0000540b, REQUEST_EVERYDAY},	 /* TCGETS TCSETS* TCGETA TCSETA* TCSBRK TCXONC TCFLSH */
    {0x0000540e, 0x00005411, REQUEST_EVERYDAY},	 /* TIOCSCTTY TIOCGPGRP TIOCSPGRP TIOCOUTQ */
    {0x00005412, 0x00005412, REQUEST_REFUSED},	 /* TIOCSTI: types into the terminal */
    {0x00005413, 0x00005414, REQUEST_EVERYDAY},	 /* TIOCGWINSZ TIOCSWINSZ */
    {0x0000541b, 0x0000541b, REQUEST_EVERYDAY},	 /* FIONREAD */
    {0x0000541c, 0x0000541d, REQUEST_REFUSED},	 /* TIOCLINUX TIOCCONS */
    {0x00005421, 0x00005422, REQUEST_EVERYDAY},	 /* FIONBIO TIOCNOTTY */
    {0x00005423, 0x00005423, REQUEST_REFUSED},	 /* TIOCSETD: loads line disciplines */
    {0x00005424, 0x00005424, REQUEST_EVERYDAY},	 /* TIOCGETD */
    {0x00005429, 0x00005429, REQUEST_EVERYDAY},	 /* TIOCGSID */
    {0x00005437, 0x00005437, REQUEST_REFUSED},	 /* TIOCVHANGUP */
    {0x00005450, 0x00005451, REQUEST_EVERYDAY},	 /* FIONCLEX FIOCLEX */
    {SL_FIOASYNC, SL_FIOASYNC, REQUEST_ASYNC},	 /* see judge_fcntl() */
    {0x00005460, 0x00005460, REQUEST_EVERYDAY},	 /* FIOQSIZE */
    {0x00006609, 0x00006609, REQUEST_REFUSED},	 /* EXT4_IOC_MIGRATE */
    {0x00006611, 0x00006611, REQUEST_REFUSED},	 /* EXT4_IOC_SWAP_BOOT */
    {0x00008900, 0x00008900, REQUEST_EVERYDAY},	 /* SIOC*: sockets */
    {0x00008901, 0x00008902, REQUEST_REFUSED},	 /* FIOSETOWN SIOCSPGRP: see judge_fcntl() */
    {0x00008903, 0x000089ff, REQUEST_EVERYDAY},	 /* SIOC* */
    {0x40045431, 0x40045431, REQUEST_EVERYDAY},	 /* TIOCSPTLCK */
    {0x40046602, 0x40046602, REQUEST_REFUSED},	 /* FS_IOC32_SETFLAGS */
    {0x40047211, 0x40047211, REQUEST_REFUSED},	 /* FAT_IOCTL_SET_ATTRIBUTES */
    {0x40049409, 0x40049409, REQUEST_EVERYDAY},	 /* FICLONE */
    {0x4004f50d, 0x4004f50d, REQUEST_REFUSED},	 /* F2FS_IOC_SET_PIN_FILE: asks for the owner alone */
    {0x40086602, 0x40086602, REQUEST_ATTRIBUTE}, /* FS_IOC_SETFLAGS */
    {0x40086604, 0x40086604, REQUEST_REFUSED},	 /* EXT4_IOC_SETVERSION */
    {0x40086607, 0x40086607, REQUEST_REFUSED},	 /* EXT4_IOC_GROUP_EXTEND */
    {0x40086610, 0x40086610, REQUEST_REFUSED},	 /* EXT4_IOC_RESIZE_FS */
    {0x40087602, 0x40087602, REQUEST_REFUSED},	 /* FS_IOC_SETVERSION */
    {0x4008941a, 0x4008941a, REQUEST_REFUSED},	 /* BTRFS_IOC_SUBVOL_SETFLAGS */
    {0x40186f04, 0x40186f04, REQUEST_REFUSED},	 /* OCFS2_IOC_REFLINK: makes a file by its path, unseen by Landlock */
    {0x401c5820, 0x401c5820, REQUEST_ATTRIBUTE}, /* FS_IOC_FSSETXATTR */
    {0x4020940d, 0x4020940d, REQUEST_EVERYDAY},	 /* FICLONERANGE */
    {0x40286608, 0x40286608, REQUEST_REFUSED},	 /* EXT4_IOC_GROUP_ADD */
    {0x402c542b, 0x402c542d, REQUEST_EVERYDAY},	 /* TCSETS2 TCSETSW2 TCSETSF2 */
    {0x40806685, 0x40806685, REQUEST_REFUSED},	 /* FS_IOC_ENABLE_VERITY */
    {0x41009432, 0x41009432, REQUEST_REFUSED},	 /* FS_IOC_SETFSLABEL */
    {0x50009401, 0x50009401, REQUEST_REFUSED},	 /* BTRFS_IOC_SNAP_CREATE */
    {0x5000940e, 0x5000940f, REQUEST_REFUSED},	 /* BTRFS_IOC_SUBVOL_CREATE, SNAP_DESTROY */
    {0x50009417, 0x50009418, REQUEST_REFUSED},	 /* BTRFS_IOC_SNAP_CREATE_V2, SUBVOL_CREATE_V2 */
    {0x5000943f, 0x5000943f, REQUEST_REFUSED},	 /* BTRFS_IOC_SNAP_DESTROY_V2 */
    {0x80045430, 0x80045430, REQUEST_EVERYDAY},	 /* TIOCGPTN */
    {0x8004587d, 0x8004587d, REQUEST_REFUSED},	 /* FS_IOC_GOINGDOWN */
    {0x80086601, 0x80086601, REQUEST_EVERYDAY},	 /* FS_IOC_GETFLAGS */
    {0x800c6613, 0x800c6613, REQUEST_REFUSED},	 /* FS_IOC_SET_ENCRYPTION_POLICY */
    {0x801c581f, 0x801c581f, REQUEST_EVERYDAY},	 /* FS_IOC_FSGETXATTR */
    {0x802c542a, 0x802c542a, REQUEST_EVERYDAY},	 /* TCGETS2 */
    {0xc0045877, 0xc0045878, REQUEST_REFUSED},	 /* FIFREEZE FITHAW */
    {0xc0185879, 0xc0185879, REQUEST_REFUSED},	 /* FITRIM */
    {0xc0189436, 0xc0189436, REQUEST_EVERYDAY},	 /* FIDEDUPERANGE */
    {0xc020660b, 0xc020660b, REQUEST_EVERYDAY},	 /* FS_IOC_FIEMAP */
    {0xc0406618, 0xc0406619,
     REQUEST_REFUSED}, /* FS_IOC_REMOVE_ENCRYPTION_KEY, _ALL_USERS: locks others' files */
    {0xc0506617, 0xc0506617, REQUEST_REFUSED}, /* FS_IOC_ADD_ENCRYPTION_KEY */
    {0xc0c09425, 0xc0c09425, REQUEST_REFUSED}, /* BTRFS_IOC_SET_RECEIVED_SUBVOL_32 */
    {0xc0c89425, 0xc0c89425, REQUEST_REFUSED}, /* BTRFS_IOC_SET_RECEIVED_SUBVOL */
};

/* Append a run unless the one before it has the same outcome, or replace it where it would be empty. */
static size_t add_run(struct sl_bpf_run *runs, size_t count, uint32_t first, uint32_t ret,
		      const struct sl_bpf *code)
{
	assert(!count || runs[count - 1].first <= first);
	if (count && runs[count - 1].first == first)
		count--;
	if (!count || runs[count - 1].ret != ret || runs[count - 1].code || code)
		runs[count++] = (struct sl_bpf_run){first, ret, code};
	return count;
}

static void judge_ioctl(struct sl_bpf *b, const struct sl_filter_plan *plan, const struct sl_call *call)
{
	struct sl_bpf_run runs[2 * SL_ARRAY_LEN(requests) + 1];
	uint32_t rest = observed(plan, call->op);
	size_t count = add_run(runs, 0, 0, rest, NULL);

	for (size_t i = 0; i < SL_ARRAY_LEN(requests); i++) {
		uint32_t ret = requests[i].kind == REQUEST_REFUSED     ? refuse(EPERM)
			       : requests[i].kind == REQUEST_ATTRIBUTE ? supervised(plan, EACCES)
			       : requests[i].kind == REQUEST_ASYNC     ? switches_signals(plan)
								       : SECCOMP_RET_ALLOW;

		count = add_run(runs, count, requests[i].first, ret, NULL);
		count = add_run(runs, count, requests[i].last + 1, rest, NULL);
	}
	sl_bpf_load_low(b, call->flags_arg);
	sl_bpf_tree(b, runs, count);
}

static judge_fn *judge_of(const struct sl_call *call)
{
	switch (call->nr) {
	case __NR_ioctl:
		return judge_ioctl;
	case __NR_fcntl:
		return judge_fcntl;
	case __NR_socket:
		return sl_judge_socket;
	case __NR_socketpair:
		return sl_judge_socketpair;
	case __NR_connect:
		return sl_judge_connect;
	case __NR_bind:
		return sl_judge_bind;
	case __NR_listen:
		return sl_judge_listen;
	case __NR_setsockopt:
		return sl_judge_setsockopt;
	case __NR_sendto:
	case __NR_sendmsg:
	case __NR_sendmmsg:
		return sl_judge_send;
	case __NR_recvfrom:
	case __NR_getpeername:
		return sl_judge_receive;
	case __NR_clone:
		return judge_clone;
	case __NR_unshare:
		return judge_unshare;
	case __NR_mmap:
		return judge_mmap;
	case __NR_ptrace:
		return judge_ptrace;
	case __NR_prctl:
		return judge_prctl;
	case __NR_exit_group:
		return judge_exit;
	case __NR_setpriority:
	case __NR_ioprio_set:
		return judge_priority;
	default:
		break;
	}
	if (call->op == SL_OP_FORK)
		return judge_fork;
	if (call->op == SL_OP_OPEN)
		return judge_open;
	if (call->op == SL_OP_OPENAT2)
		return judge_openat2;
	if (call->op == SL_OP_PROCESS)
		return call->pidfd ? judge_pidfd : judge_pid;
	return NULL;
}

#define JUDGES_MAX 32

/* What is decided for each number, and the code of the judges. */
struct draft {
	struct {
		uint32_t ret;
		const struct sl_bpf *code;
	} leaves[SL_CALL_LAST + 1];
	struct sl_bpf judges[JUDGES_MAX];
	int judged[JUDGES_MAX]; /* whose code it is */
	size_t judge_count;
};

/* Put the judge's code at its call; code that is one verdict becomes that verdict. */
static void place_judge(struct draft *d, const struct sl_filter_plan *plan, const struct sl_call *call,
			judge_fn *judge)
{
	struct sl_bpf *b = &d->judges[d->judge_count];

	assert(d->judge_count < JUDGES_MAX);
	judge(b, plan, call);
	if (b->len == 1) {
		d->leaves[call->nr].ret = b->insns[0].k;
		b->len = 0;
		return;
	}
	d->leaves[call->nr].code = b;
	d->judged[d->judge_count++] = call->nr;
}

static void place_call(struct draft *d, const struct sl_filter_plan *plan, const struct sl_call *call)
{
	judge_fn *judge = judge_of(call);
	uint32_t ret = refuse(call->refuse_errno ? call->refuse_errno : EPERM);

	if (judge) {
		place_judge(d, plan, call, judge);
		return;
	}
	switch (call->treat) {
	case SL_TREAT_ALLOW:
		ret = observed(plan, call->op);
		break;
	case SL_TREAT_ATTRIBUTE:
		ret = supervised(plan, EACCES);
		break;
	case SL_TREAT_IPC:
		if (plan->allow_sysv_ipc)
			ret = plan->listener && plan->limit_memory && !plan->memory_held && call->nr == __NR_shmget
				  ? SECCOMP_RET_USER_NOTIF /* whose segments they are */
				  : observed(plan, call->op);
		break;
	case SL_TREAT_REFUSE:
	case SL_TREAT_JUDGE: /* a row without a judge is refused */
		break;
	}
	d->leaves[call->nr].ret = ret;
}

/* Every call that would be allowed without a notification and is none of "@base" is notified. */
static void place_counted(struct draft *d)
{
	struct sl_call_set base = SL_CALL_SET_INIT;

	sl_call_set_add_base(&base);
	for (int nr = 0; nr <= SL_CALL_LAST; nr++)
		if (d->leaves[nr].ret == SECCOMP_RET_ALLOW && !sl_call_set_has(&base, nr))
			d->leaves[nr].ret = SECCOMP_RET_USER_NOTIF;
	for (size_t i = 0; i < d->judge_count; i++) {
		struct sl_bpf *b = &d->judges[i];

		for (size_t j = 0; j < b->len && !sl_call_set_has(&base, d->judged[i]); j++)
			if (b->insns[j].code == (BPF_RET | BPF_K) && b->insns[j].k == SECCOMP_RET_ALLOW)
				b->insns[j].k = SECCOMP_RET_USER_NOTIF;
	}
}

/* Refuse what is not listed; what is refused already keeps its errno. Where the observer explains, it sees them. */
static void place_listed(struct draft *d, const struct sl_filter_plan *plan)
{
	for (int nr = 0; nr <= SL_CALL_LAST; nr++) {
		bool refused = !d->leaves[nr].code &&
			       (d->leaves[nr].ret & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;

		if (refused || sl_call_set_has(plan->listed, nr))
			continue;
		d->leaves[nr].code = NULL;
		d->leaves[nr].ret = observing(plan) ? SECCOMP_RET_USER_NOTIF
						    : refuse(sl_call_unlisted_errno(nr));
	}
}

static int place_denied(struct draft *d, const struct sl_strv *names, struct sl_error *err)
{
	for (size_t i = 0; names && i < names->len; i++) {
		int nr = sl_call_number(names->items[i]);

		if (!strcmp(names->items[i], SL_CALL_GROUP_SYSV_IPC)) {
			for (size_t j = 0; j < sl_call_count; j++)
				if (sl_calls[j].treat == SL_TREAT_IPC)
					d->leaves[sl_calls[j].nr].ret = refuse(EPERM);
			continue;
		}
		if (nr == -ENOENT)
			return sl_error_set(err, EINVAL, "unknown system call \"%s\"",
					    sl_esc(names->items[i]));
		if (nr < 0 || nr > SL_CALL_LAST)
			continue; /* another architecture's, or refused as too new already */
		d->leaves[nr].ret = refuse(EPERM);
		d->leaves[nr].code = NULL;
	}
	return 0;
}

static void assemble(const struct draft *d, struct sl_bpf *out)
{
	struct sl_bpf_run runs[SL_CALL_LAST + 2];
	size_t count = 0, foreign;

	for (uint32_t nr = 0; nr <= SL_CALL_LAST; nr++)
		count = add_run(runs, count, nr, d->leaves[nr].ret, d->leaves[nr].code);
	count = add_run(runs, count, SL_CALL_LAST + 1, refuse(ENOSYS), NULL);

	sl_bpf_load_arch(out);
	foreign = sl_bpf_if_ne(out, NATIVE_ARCH);
	sl_bpf_ret(out, refuse(ENOSYS));
	sl_bpf_end(out, foreign);
	sl_bpf_load_nr(out);
	sl_bpf_tree(out, runs, count);
	sl_bpf_share_ends(out);
}

static void draft_release(struct draft *d)
{
	for (size_t i = 0; i < JUDGES_MAX; i++)
		sl_bpf_release(&d->judges[i]);
}

int sl_filter_build(const struct sl_filter_plan *plan, struct sl_filter *ret, struct sl_error *err)
{
	SL_CLEANUP(draft_release) struct draft d = {0};
	SL_CLEANUP(sl_bpf_release) struct sl_bpf out = SL_BPF_INIT;
	int r;

	for (int nr = 0; nr <= SL_CALL_LAST; nr++)
		d.leaves[nr].ret = sl_call_is_known(nr) ? SECCOMP_RET_ALLOW : refuse(ENOSYS);
	for (size_t i = 0; i < sl_call_count; i++)
		place_call(&d, plan, &sl_calls[i]);
	if (observing(plan) && plan->count_calls)
		place_counted(&d);
	if (plan->listed)
		place_listed(&d, plan);
	r = place_denied(&d, plan->extra_deny, err);
	if (r < 0)
		return r;
	assemble(&d, &out);
	if (out.len > BPF_MAXINSNS)
		return sl_error_set(err, E2BIG, "the seccomp program has %zu instructions", out.len);
	ret->len = (unsigned short)out.len;
	ret->insns = SL_TAKE_PTR(out.insns);
	return 0;
}

void sl_filter_release(struct sl_filter *f)
{
	free(f->insns);
	f->insns = NULL;
	f->len = 0;
}

uint32_t sl_filter_simulate(const struct sl_filter *f, uint32_t arch, int nr, const uint64_t args[6])
{
	struct seccomp_data data = {.nr = nr, .arch = arch};

	memcpy(data.args, args, sizeof(data.args));
	return sl_bpf_run(f->insns, f->len, &data);
}
