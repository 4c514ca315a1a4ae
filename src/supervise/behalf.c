/*
 * behalf.c - see behalf.h: which handler a notification goes to, who is inside the sandbox.
 *
 * A call that only an observer asked to see is continued: the filter would have allowed it without one, and
 * Landlock judges it.
 */
#include "supervise/behalf.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/macros.h"
#include "kernel/seccomp.h"
#include "kernel/tracee.h"
#include "net/net.h"
#include "policy/calls.h"

/* Everything that is read of a caller is read by its number from /proc. One that belongs to another pid
 * namespace has somebody else under it. Asked once a process. */
bool sl_behalf_proc_is_ours(void)
{
	static bool ours;
	char text[16];
	ssize_t n;

	if (ours)
		return true;
	n = readlink("/proc/self", text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	ours = strtol(text, NULL, 10) == getpid();
	return ours;
}

void sl_behalf_notify(const struct sl_behalf *b, int listener, const struct seccomp_notif *n)
{
	const struct sl_call *call = sl_call_by_nr(n->data.nr);
	enum sl_op op;

	if (!call || !sl_behalf_proc_is_ours()) {
		sl_notif_error(listener, n->id, EPERM);
		return;
	}
	if (sl_behalf_beside(b, listener, n, call))
		return;
	op = sl_call_op(call, (const uint64_t *)n->data.args);
	if (sl_op_is_attribute(op)) {
		sl_behalf_attribute(b, listener, n, call);
		return;
	}
	switch (op) {
	case SL_OP_PROCESS:
		sl_behalf_process(b, listener, n, call);
		return;
	case SL_OP_OPEN:
	case SL_OP_OPENAT2:
		sl_behalf_open_self(b, listener, n, call);
		return;
	case SL_OP_SOCKET:
	case SL_OP_CONNECT:
	case SL_OP_BIND:
	case SL_OP_LISTEN:
	case SL_OP_SEND:
	case SL_OP_ASYNC:
	case SL_OP_JOIN:
	case SL_OP_RECEIVE:
		if (!b->net)
			sl_notif_error(listener, n->id, EACCES);
		else if (!sl_net_notify(b->net, listener, n, call))
			sl_notif_continue(listener, n->id);
		return;
	default:
		break;
	}
	if (call->treat == SL_TREAT_REFUSE || call->treat == SL_TREAT_ATTRIBUTE)
		sl_notif_error(listener, n->id, call->refuse_errno);
	else
		sl_notif_continue(listener, n->id);
}

/* Is pid the process, or one of its threads? */
static bool is_thread_of(pid_t pid, pid_t process)
{
	return process > 0 && (pid == process || syscall(__NR_tgkill, process, pid, 0) == 0);
}

bool sl_behalf_is_inside(const struct sl_behalf *b, pid_t pid)
{
	if (pid <= 0 || is_thread_of(pid, b->tool_pid) || is_thread_of(pid, b->killer_pid))
		return false;
	if (b->signal_scope)
		return kill(pid, 0) == 0;
	pid = sl_tracee_tgid(pid);
	if (pid <= 0 || pid == b->tool_pid || pid == b->killer_pid)
		return false;
	/* The tool is the subreaper: who lost its parent is its child. */
	return pid == b->root_pid || sl_tracee_is_descendant(pid, b->tool_pid);
}
