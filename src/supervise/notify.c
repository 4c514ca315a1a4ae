/*
 * notify.c - the notifier thread.
 *
 * It blocks on nothing but the next notification. While learning every call is continued, but those of sockets (net/net.h),
 * acts on other processes (behalf.h), and on the copy-on-write view whatever changes a file (view-calls.h).
 * Under a policy a call is continued only if its op is one that the filter notifies for the observer's sake
 * alone (run --explain): without the observer the filter would have allowed it, and Landlock decides. All
 * others go to behalf.h, which acts or refuses.
 */
#include "supervise/notify.h"

#include <linux/kcmp.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kernel/capabilities.h"
#include "kernel/seccomp.h"
#include "kernel/tracee.h"
#include "net/net.h"
#include "net/worker.h"
#include "policy/calls.h"
#include "supervise/view-calls.h"

/* Wakes the thread out of a receive on kernels that do not (before 6.11), and workers out of what they wait for. */
#define WAKE_SIGNAL SL_WORKER_SIGNAL

enum route {
	ROUTE_CONTINUE,
	ROUTE_FORK,
	ROUTE_EXIT,
	ROUTE_STACK,
	ROUTE_BEHALF,
};

/* Does the supervisor make this call? While learning too, so that its outcome is known. */
static bool is_for_net(const struct sl_notifier *n, enum sl_op op)
{
	const struct sl_net *net = n->behalf.net;

	switch (op) {
	case SL_OP_SOCKET:
	case SL_OP_ASYNC:
		return net;
	case SL_OP_CONNECT:
		return net && net->plan.connect != SL_NET_PASS;
	case SL_OP_BIND:
		return net && net->plan.bind != SL_NET_PASS;
	case SL_OP_LISTEN:
		return net && net->plan.listen != SL_NET_PASS;
	case SL_OP_SEND:
		return net && net->plan.fast_open != SL_NET_PASS;
	case SL_OP_JOIN:
		return net && net->plan.join != SL_NET_PASS;
	case SL_OP_RECEIVE:
		return net && net->plan.sources;
	default:
		return false;
	}
}

static enum route route(const struct sl_notifier *n, const struct seccomp_notif *notif)
{
	const struct sl_call *call = sl_call_by_nr(notif->data.nr);
	enum sl_op op;

	if (!n->behalf.policy)
		return ROUTE_CONTINUE;
	if (!call)
		return ROUTE_BEHALF;
	op = sl_call_op(call, (const uint64_t *)notif->data.args);
	if (is_for_net(n, op))
		return ROUTE_BEHALF;
	if (op == SL_OP_CREAT || sl_op_changes_names(op))
		return n->observer && !n->behalf.policy->deny.way_count ? ROUTE_CONTINUE : ROUTE_BEHALF;
	switch (op) {
	case SL_OP_FORK:
		return ROUTE_FORK;
	case SL_OP_EXIT:
		return ROUTE_EXIT;
	case SL_OP_MAP:
		return ROUTE_STACK;
	case SL_OP_OPEN:
	case SL_OP_OPENAT2:
		return n->behalf.policy->self_rule_count || n->behalf.policy->deny.way_count ? ROUTE_BEHALF
											     : ROUTE_CONTINUE;
	case SL_OP_EXEC:
	case SL_OP_DEVICE_IOCTL:
	case SL_OP_CHDIR:
	case SL_OP_BIND:
	case SL_OP_SETID:
	case SL_OP_SYSV_IPC:
		return n->observer ? ROUTE_CONTINUE : ROUTE_BEHALF;
	default:
		return ROUTE_BEHALF;
	}
}

static void measure(struct sl_notifier *n, const struct seccomp_notif *notif)
{
	const struct sl_call *call = sl_call_by_nr(notif->data.nr);

	switch (call ? call->op : SL_OP_NONE) {
	case SL_OP_FORK:
		sl_forks_count(&n->forks, &n->behalf);
		break;
	case SL_OP_EXEC: /* it becomes another program */
		/* Until its first exec the command has the tool's memory, as after vfork. */
		if (syscall(SYS_kcmp, getpid(), (pid_t)notif->pid, KCMP_VM, 0, 0) == 0)
			break;
		sl_usage_peak_add(&n->peak, (pid_t)notif->pid);
		break;
	case SL_OP_EXIT:
		sl_usage_peak_add(&n->peak, (pid_t)notif->pid);
		break;
	default:
		break;
	}
}

/* What is done here for a command that is learned as well: its socket calls, and its acts on other processes, which neither
 * Landlock nor the view keeps inside. False where the call is to go the way of all others. */
static bool learn_on_behalf(struct sl_notifier *n, int listener, const struct seccomp_notif *notif)
{
	const struct sl_call *call = sl_call_by_nr(notif->data.nr);
	enum sl_op op;

	if (n->behalf.policy || !call)
		return false;
	op = sl_call_op(call, (const uint64_t *)notif->data.args);
	if (op != SL_OP_PROCESS && !is_for_net(n, op))
		return false;
	if (n->observer)
		sl_observer_count_call(n->observer, notif->data.nr);
	if (op != SL_OP_PROCESS)
		return sl_net_notify(n->behalf.net, listener, notif, call);
	if (sl_behalf_proc_is_ours())
		sl_behalf_process(&n->behalf, listener, notif, call);
	else
		sl_notif_error(listener, notif->id, EPERM);
	return true;
}

static bool stays_dumpable(struct sl_notifier *n, int listener, const struct seccomp_notif *notif)
{
	if (n->behalf.policy && !sl_policy_allows_call(n->behalf.policy, notif->data.nr))
		return false;
	if (!sl_behalf_dumpable(listener, notif))
		return false;
	if (n->observer)
		sl_observer_count_call(n->observer, notif->data.nr);
	return true;
}

/* A process ends: now, or, where the limit of memory is reached, when it is no more. The main thread will see it too. */
static void let_end(struct sl_notifier *n, int listener, const struct seccomp_notif *notif)
{
	if (sl_limits_may_end(&n->ends)) {
		sl_notif_continue(listener, notif->id);
		return;
	}
	if (n->ending_len == n->ending_cap) {
		n->ending_cap = n->ending_cap ? 2 * n->ending_cap : 16;
		n->ending = sl_xrealloc(n->ending, n->ending_cap * sizeof(*n->ending));
	}
	n->ending[n->ending_len++] = *notif;
}

static void retry_ends(struct sl_notifier *n, int listener)
{
	size_t len = n->ending_len;

	if (!len || !sl_limits_may_end(&n->ends))
		return;
	n->ending_len = 0;
	for (size_t i = 0; i < len; i++)
		sl_notif_continue(listener, n->ending[i].id);
}

static bool is_limited_write(const struct sl_notifier *n, const struct seccomp_notif *notif)
{
	const struct sl_call *call = n->disk.limit_bytes ? sl_call_by_nr(notif->data.nr) : NULL;

	return call && call->op == SL_OP_WRITE;
}

static void answer(struct sl_notifier *n, int listener, const struct seccomp_notif *notif)
{
	int error;

	if (learn_on_behalf(n, listener, notif) || stays_dumpable(n, listener, notif))
		return;
	if (n->view && !n->behalf.policy) {
		if (n->measure)
			measure(n, notif);
		sl_view_calls_notify(n->view, listener, notif);
		return;
	}
	error = n->observer ? sl_observer_notify(n->observer, listener, notif) : 0;

	/* Notified only so that it can be explained: whoever answers, it is refused. */
	if (n->behalf.policy && !sl_policy_allows_call(n->behalf.policy, notif->data.nr) && error >= 0)
		error = -sl_call_unlisted_errno(notif->data.nr);
	if (n->measure)
		measure(n, notif);
	if (error < 0) {
		sl_notif_error(listener, notif->id, -error);
		return;
	}
	if (notif->data.nr == __NR_shmget)
		sl_segment_makers_add(&n->makers, sl_tracee_tgid((pid_t)notif->pid));
	if (is_limited_write(n, notif)) {
		sl_disk_notify(&n->disk, listener, notif);
		return;
	}
	if (n->view && sl_view_calls_notify(n->view, listener, notif))
		return;
	switch (route(n, notif)) {
	case ROUTE_CONTINUE:
		sl_notif_continue(listener, notif->id);
		break;
	case ROUTE_FORK:
		sl_forks_notify(&n->forks, &n->behalf, listener, notif);
		break;
	case ROUTE_EXIT:
		let_end(n, listener, notif);
		break;
	case ROUTE_STACK:
		if (sl_notif_valid(listener, notif->id))
			sl_limits_make_room((pid_t)notif->pid, notif->data.args[1]);
		sl_notif_continue(listener, notif->id);
		break;
	case ROUTE_BEHALF:
	default:
		sl_behalf_notify(&n->behalf, listener, notif);
		break;
	}
}

/* Notifications that may go before those that wait are looked at again. */
#define PASS_MAX 16

/* Forks that wait for others to be over, ends that wait for memory, and FIFOs that wait for their peer, are looked at again and again. True: there
 * may be a notification. */
static bool wait_for_peers(struct sl_notifier *n, int listener)
{
	bool fifos = n->view && n->view->waiting_len;
	struct pollfd p = {.fd = listener, .events = POLLIN};

	if (fifos) /* whoever has just come may be one */
		sl_view_fifo_retry(n->view, listener);
	if (!n->forks.waiting_count && !n->ending_len && !fifos)
		return true;
	if (poll(&p, 1, 1) > 0 && ++n->passed_over < PASS_MAX)
		return true;
	n->passed_over = 0;
	if (n->forks.waiting_count)
		sl_forks_retry(&n->forks, &n->behalf, listener);
	retry_ends(n, listener);
	return false;
}

/* sl_substitute_host.defer: while a caller is made to do another call those of others are received, not answered. */
static void defer(void *arg, const struct seccomp_notif *notif)
{
	struct sl_notifier *n = arg;

	if (n->deferred_len == n->deferred_cap) {
		n->deferred_cap = n->deferred_cap ? 2 * n->deferred_cap : 16;
		n->deferred = sl_xrealloc(n->deferred, n->deferred_cap * sizeof(*n->deferred));
	}
	n->deferred[n->deferred_len++] = *notif;
}

static void serve(struct sl_notifier *n, int listener, const struct seccomp_notif *notif)
{
	answer(n, listener, notif);
	__atomic_store_n(&n->calls, n->calls + 1, __ATOMIC_RELAXED);
}

/* Answering those may defer more, behind them. */
static void serve_deferred(struct sl_notifier *n, int listener)
{
	for (size_t i = 0; i < n->deferred_len; i++) {
		struct seccomp_notif notif = n->deferred[i];

		if (sl_notif_valid(listener, notif.id))
			serve(n, listener, &notif);
	}
	n->deferred_len = 0;
}

static bool no_users(int listener)
{
	struct pollfd p = {.fd = listener};

	return poll(&p, 1, 0) > 0 && (p.revents & POLLHUP);
}

/* Each call that waits takes descriptors, and who makes it may have as many as it likes. The command's own limit is the
 * caller's: it has been started by now. */
static void allow_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void *notifier_main(void *arg)
{
	struct sl_notifier *n = arg;
	struct seccomp_notif notif;
	int listener;

	sl_child_await_listener(n->child, &n->stop);
	listener = n->child->listener_fd;
	/* A confined command has lost them; sockets that it inherited would have them back through us. Without an answer
	 * every call of it fails. */
	if (listener < 0 || (n->behalf.policy && sl_capabilities_drop_network() < 0))
		return NULL;
	allow_descriptors();
	sl_notif_set_sync(listener);
	n->behalf.root_pid = n->child->pid;
	n->substitute.listener = listener;
	if (n->observer)
		sl_observer_set_root(n->observer, n->child->pid);
	while (!__atomic_load_n(&n->stop, __ATOMIC_ACQUIRE)) {
		int r;

		if (!wait_for_peers(n, listener))
			continue;
		r = sl_notif_recv(listener, &notif);
		if (r == 0) {
			serve(n, listener, &notif);
			serve_deferred(n, listener);
			continue;
		}
		/* The caller was killed before we had its call; or no process with the filter is left. */
		if ((r == -ENOENT && no_users(listener)) || (r != -ENOENT && r != -EINTR))
			break;
	}
	sl_watch_release();
	return NULL;
}

void sl_notifier_init(struct sl_notifier *n)
{
	sl_substitute_host_init(&n->substitute, -EBADF, defer, n);
}

void sl_notifier_release(struct sl_notifier *n)
{
	sl_substitute_host_release(&n->substitute);
	free(SL_TAKE_PTR(n->deferred));
	free(SL_TAKE_PTR(n->ending));
}

static void woken(int sig)
{
	(void)sig;
	sl_watch_tick();
}

int sl_notifier_start(struct sl_notifier *n, struct sl_error *err)
{
	const struct sigaction wake = {.sa_handler = woken};
	sigset_t all, but_wake;
	int r;

	sigaction(WAKE_SIGNAL, &wake, &n->saved_wake);
	if (n->behalf.net)
		sl_net_start(n->behalf.net);
	sigfillset(&all);
	but_wake = all;
	sigdelset(&but_wake, WAKE_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &but_wake, NULL);
	r = pthread_create(&n->thread, NULL, notifier_main, n);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	if (r)
		return sl_error_errno(err, r, "cannot start a thread");
	n->running = true;
	return 0;
}

void sl_notifier_stop(struct sl_notifier *n)
{
	struct timespec until;

	if (!n->running)
		return;
	__atomic_store_n(&n->stop, true, __ATOMIC_RELEASE);
	do {
		pthread_kill(n->thread, WAKE_SIGNAL);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 10000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
	} while (pthread_timedjoin_np(n->thread, NULL, &until));
	if (n->behalf.net)
		sl_net_stop(n->behalf.net);
	sigaction(WAKE_SIGNAL, &n->saved_wake, NULL);
	n->running = false;
}
