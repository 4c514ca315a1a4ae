/*
 * substitute.c - see substitute.h. The order, and why:
 *
 * - SEIZE and INTERRUPT while the caller waits in the notification. It sleeps so that only fatal signals
 *   wake it (WAIT_KILLABLE_RECV), or, before Linux 5.19, wakes at once and gives the notification up.
 *
 * - The answer ERESTARTNOINTR: the call is skipped; on its way to user mode the caller meets the trap. If
 *   anything goes wrong from here on, detaching is enough: the kernel itself restarts the call.
 *
 * - Registers and mask are saved; every signal is blocked. At this stop the kernel has yet to look for
 *   signals.
 *
 * - SYSCALL twice: from the `syscall` instruction to its entry and to its exit, in between the
 *   notification of the substituted call. A signal that cannot be blocked shows instead of the entry.
 *
 * - Registers and mask are restored, with the result; DETACH.
 */
#include "kernel/substitute.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "kernel/seccomp.h"
#include "kernel/tracee.h"
#include "kernel/usage.h"

/* The kernel's, not for user space, which never sees them. */
#define ERESTARTSYS	      512
#define ERESTARTNOINTR	      513
#define ERESTART_RESTARTBLOCK 516

#define RED_ZONE 128u
#define STACK_REACH                                                                                          \
	(4u << 20) /* of a first thread's stack: nothing else is mapped that near below its start */
#define PLACE_MIN	 (16u << 10)
#define POLL_MS		 10 /* between looks whether the caller has died instead of calling */
#define SIGNALS_SIZE	 8
#define STAT_FIELD_STACK 28
#define SYSCALL_STOP	 0x80 /* PTRACE_O_TRACESYSGOOD */

#if defined(__x86_64__)
#define INSN_BYTES 2
static void regs_set_call(struct user_regs_struct *r, uint64_t insn, int nr, const uint64_t args[6])
{
	r->rip = insn;
	r->rax = (unsigned long long)nr;
	r->orig_rax = (unsigned long long)-1; /* not in a call: nothing to restart */
	r->rdi = args[0];
	r->rsi = args[1];
	r->rdx = args[2];
	r->r10 = args[3];
	r->r8 = args[4];
	r->r9 = args[5];
}

static void regs_set_result(struct user_regs_struct *r, uint64_t insn, int64_t result)
{
	r->rip = insn + INSN_BYTES;
	r->rax = (unsigned long long)result;
	r->orig_rax = (unsigned long long)-1;
}

static int64_t regs_result(const struct user_regs_struct *r)
{
	return (int64_t)r->rax;
}

static uint64_t regs_stack(const struct user_regs_struct *r)
{
	return r->rsp;
}

static uint64_t regs_at(const struct user_regs_struct *r)
{
	return r->rip;
}
#elif defined(__aarch64__)
#define INSN_BYTES 4
static void regs_set_call(struct user_regs_struct *r, uint64_t insn, int nr, const uint64_t args[6])
{
	r->pc = insn;
	r->regs[8] = (unsigned long long)nr;
	for (int i = 0; i < 6; i++)
		r->regs[i] = args[i];
}

static void regs_set_result(struct user_regs_struct *r, uint64_t insn, int64_t result)
{
	r->pc = insn + INSN_BYTES;
	r->regs[0] = (unsigned long long)result;
}

static int64_t regs_result(const struct user_regs_struct *r)
{
	return (int64_t)r->regs[0];
}

static uint64_t regs_stack(const struct user_regs_struct *r)
{
	return r->sp;
}

static uint64_t regs_at(const struct user_regs_struct *r)
{
	return r->pc;
}
#else
#error "no substituted calls for this architecture"
#endif

enum state {
	STATE_HELD,  /* stopped, its registers are ours to set */
	STATE_NEW,   /* stopped in a new image: an execve succeeded */
	STATE_AGAIN, /* stopped; it must make its own call anew */
	STATE_GONE,  /* it died, or dies */
};

struct sl_substitution {
	struct sl_substitute_host *host;
	struct seccomp_notif notif;
	pid_t tid;
	enum state state;
	int deliver; /* a signal that it was about to be given when it stopped */
	uint64_t insn;
	struct user_regs_struct saved;
	uint64_t mask;
	bool mask_known;
	uint64_t place, place_size;
	uint8_t *below; /* what stood at the place, where that is the stack */
};

void sl_substitute_host_init(struct sl_substitute_host *host, int listener,
			     void (*defer)(void *arg, const struct seccomp_notif *n), void *arg)
{
	*host = (struct sl_substitute_host){.listener = listener, .defer = defer, .arg = arg};
	pthread_mutex_init(&host->lock, NULL);
	if (getrandom(host->mark, sizeof(host->mark), GRND_NONBLOCK) != sizeof(host->mark))
		host->mark[0] = (uint64_t)(uintptr_t)host ^ (uint64_t)getpid();
}

void sl_substitute_host_release(struct sl_substitute_host *host)
{
	pthread_mutex_destroy(&host->lock);
}

static int trace(enum __ptrace_request request, pid_t tid, uintptr_t addr, uintptr_t data)
{
	return ptrace(request, tid, (void *)addr, (void *)data) < 0 ? -errno : 0;
}

/* A ptrace request on the stopped caller. That it is not there any more can only be its death. */
static int ask(struct sl_substitution *s, enum __ptrace_request request, uintptr_t addr, uintptr_t data)
{
	int r = trace(request, s->tid, addr, data);

	if (r < 0) {
		s->state = STATE_GONE;
		return -ECANCELED;
	}
	return 0;
}

static int get_regs(struct sl_substitution *s, struct user_regs_struct *ret)
{
	struct iovec iov = {.iov_base = ret, .iov_len = sizeof(*ret)};

	return ask(s, PTRACE_GETREGSET, NT_PRSTATUS, (uintptr_t)&iov);
}

static int set_regs(struct sl_substitution *s, const struct user_regs_struct *regs)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)regs, .iov_len = sizeof(*regs)};

	return ask(s, PTRACE_SETREGSET, NT_PRSTATUS, (uintptr_t)&iov);
}

static int set_mask(struct sl_substitution *s, uint64_t mask)
{
	return ask(s, PTRACE_SETSIGMASK, SIGNALS_SIZE, (uintptr_t)&mask);
}

/* A dead tracee that is no child of this process: its parent, or the thread that executes a program and ends
 * all others, hears of it only after its tracer has. */
static void reap_foreign(pid_t tid)
{
	siginfo_t info;

	if (sl_tracee_tgid(tid) != tid || sl_tracee_ppid(tid) != getpid())
		waitid(P_PID, (id_t)tid, &info, WEXITED | WNOHANG | __WALL | __WNOTHREAD);
}

/* The next stop: its status as in ptrace(2), a signal and an event. -EAGAIN with WNOHANG in flags and nothing
 * there; -ECANCELED: the caller is dead, and left to whoever reaps. */
static int next_stop(struct sl_substitution *s, int flags)
{
	siginfo_t info = {0};
	int r;

	do
		r = waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOWAIT | __WALL | __WNOTHREAD | flags);
	while (r < 0 && errno == EINTR);
	if (r == 0 && !info.si_pid)
		return -EAGAIN;
	if (r < 0 || (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED)) {
		s->state = STATE_GONE;
		if (r == 0)
			reap_foreign(info.si_pid);
		return -ECANCELED;
	}
	waitid(P_PID, (id_t)info.si_pid, &info, WSTOPPED | WNOHANG | __WALL | __WNOTHREAD);
	/* An execve gives the thread the number of its process. */
	s->tid = info.si_pid;
	return info.si_status;
}

/* A stop that no step asked for: a group stop, or a signal that cannot be blocked is about to be delivered.
 */
static int give_up(struct sl_substitution *s, int status)
{
	s->state = STATE_AGAIN;
	if (!(status >> 8) && !(status & SYSCALL_STOP))
		s->deliver = status;
	return -ECANCELED;
}

/* A notification has arrived: continue the substituted call's, keep others for later. True when it was ours.
 */
static bool take_notification(struct sl_substitution *s, int nr, const uint64_t args[6])
{
	struct seccomp_notif n;

	if (sl_notif_recv(s->host->listener, &n) < 0)
		return false;
	if ((pid_t)n.pid != s->tid) {
		s->host->defer(s->host->arg, &n);
		return false;
	}
	if (n.data.nr == nr && memcmp(n.data.args, args, sizeof(n.data.args)) == 0)
		sl_notif_continue(s->host->listener, n.id);
	else
		sl_notif_error(s->host->listener, n.id, EPERM);
	return true;
}

/* The stop after the substituted call's entry, through its notification. As next_stop(). */
static int pass_notification(struct sl_substitution *s, int nr, const uint64_t args[6])
{
	struct pollfd listener = {.fd = s->host->listener, .events = POLLIN};

	for (;;) {
		int r = poll(&listener, 1, POLL_MS);

		if (r > 0 && (listener.revents & POLLIN)) {
			if (take_notification(s, nr, args))
				return next_stop(s, 0);
			continue;
		}
		r = next_stop(s, WNOHANG);
		if (r != -EAGAIN)
			return r;
		if (listener.revents &
		    (POLLHUP | POLLERR | POLLNVAL)) /* it stays so: do not turn round and round */
			return next_stop(s, 0);
	}
}

/* From the stop where the registers were set to the syscall-entry stop. */
static int enter_call(struct sl_substitution *s)
{
	int status;

	if (ask(s, PTRACE_SYSCALL, 0, 0) < 0)
		return -ECANCELED;
	status = next_stop(s, 0);
	if (status < 0)
		return status;
	return status == (SIGTRAP | SYSCALL_STOP) ? 0 : give_up(s, status);
}

int sl_substitute_call(struct sl_substitution *s, int nr, const uint64_t args[6], bool notified,
		       int64_t *ret_result)
{
	struct user_regs_struct regs = s->saved;
	int64_t result;
	int status;

	if (s->state != STATE_HELD)
		return -ECANCELED;
	regs_set_call(&regs, s->insn, nr, args);
	if (set_regs(s, &regs) < 0 || enter_call(s) < 0 || ask(s, PTRACE_SYSCALL, 0, 0) < 0)
		return -ECANCELED;
	status = notified ? pass_notification(s, nr, args) : next_stop(s, 0);
	if (status < 0)
		return status;
	if (status == (SIGTRAP | (PTRACE_EVENT_EXEC << 8))) {
		s->state = STATE_NEW;
		*ret_result = 0;
		return 0;
	}
	if (status != (SIGTRAP | SYSCALL_STOP))
		return give_up(s, status);
	if (get_regs(s, &regs) < 0)
		return -ECANCELED;
	result = regs_result(&regs);
	if (result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK) {
		s->state = STATE_AGAIN;
		return -ECANCELED;
	}
	*ret_result = result;
	return 0;
}

pid_t sl_substitute_tid(const struct sl_substitution *s)
{
	return s->tid;
}

/* Where the first thread's stack begins, which tells images apart; 0 where it cannot be seen. */
static uint64_t stack_start(pid_t tid)
{
	uint64_t value = 0;

	return sl_usage_field(tid, STAT_FIELD_STACK, &value) < 0 ? 0 : value;
}

/* Below the red zone of the first thread's stack only signal handlers write, and there are none now. Other
 * stacks may be small, with another's memory beneath. */
static int place_on_stack(struct sl_substitution *s, uint64_t stack, size_t size)
{
	uint64_t sp = regs_stack(&s->saved);
	uint64_t addr = (sp - RED_ZONE - size) & ~(uint64_t)15;

	if (!stack || sp > stack || stack - sp > STACK_REACH || size > STACK_REACH / 4)
		return -ENOMEM;
	s->below = sl_xmalloc(size);
	if (sl_tracee_read(s->tid, addr, s->below, size) < 0) { /* not grown so far yet */
		free(SL_TAKE_PTR(s->below));
		return -ENOMEM;
	}
	s->place = addr;
	s->place_size = size;
	return 0;
}

/* Is this mapping, made for an earlier call, there? A child of vfork(2) uses its parent's. */
static bool place_is_ours(const struct sl_substitution *s, uint64_t addr)
{
	uint64_t mark[2];

	return sl_tracee_read(s->tid, addr, mark, sizeof(mark)) == 0 &&
	       memcmp(mark, s->host->mark, sizeof(mark)) == 0;
}

static int place_in_mapping(struct sl_substitution *s, uint64_t stack, size_t size)
{
	struct sl_substitute_host *host = s->host;
	size_t whole = SL_MAX((size + sizeof(host->mark) + 4095) & ~(size_t)4095, PLACE_MIN);
	const uint64_t args[6] = {0, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1,
				  0};
	int64_t addr;

	for (size_t i = 0; i < SL_PLACES; i++) {
		if (!stack || host->places[i].stack != stack || host->places[i].size < whole ||
		    !place_is_ours(s, host->places[i].addr))
			continue;
		s->place = host->places[i].addr + sizeof(host->mark);
		s->place_size = size;
		return 0;
	}
	if (sl_substitute_call(s, __NR_mmap, args, false, &addr) < 0)
		return -ECANCELED;
	if (addr < 0 && addr >= -4095)
		return -ENOMEM;
	if (sl_tracee_write(s->tid, (uint64_t)addr, host->mark, sizeof(host->mark)) < 0)
		return -ENOMEM;
	host->places[host->next_place].stack = stack;
	host->places[host->next_place].addr = (uint64_t)addr;
	host->places[host->next_place].size = whole;
	host->next_place = (host->next_place + 1) % SL_PLACES;
	s->place = (uint64_t)addr + sizeof(host->mark);
	s->place_size = size;
	return 0;
}

int sl_substitute_place(struct sl_substitution *s, size_t size, uint64_t *ret_addr)
{
	int r = 0;

	if (s->state != STATE_HELD)
		return -ECANCELED;
	if (!s->place) {
		uint64_t stack = stack_start(s->tid);

		r = place_on_stack(s, stack, size);
		if (r < 0)
			r = place_in_mapping(s, stack, size);
	} else if (size > s->place_size) {
		r = -ENOMEM;
	}
	if (r == 0)
		*ret_addr = s->place;
	return r;
}

/* Put the caller's registers, memory and mask back; it is stopped. */
static void restore(struct sl_substitution *s, int64_t result)
{
	struct user_regs_struct regs = s->saved;
	uint64_t args[6];

	if (s->state != STATE_NEW) {
		if (s->below)
			sl_tracee_write(s->tid, s->place, s->below, s->place_size);
		for (size_t i = 0; i < SL_ARRAY_LEN(args); i++)
			args[i] = s->notif.data.args[i];
		regs_set_call(&regs, s->insn, s->notif.data.nr, args);
		if (s->state == STATE_HELD)
			regs_set_result(&regs, s->insn, result);
		if (set_regs(s, &regs) < 0)
			return;
	}
	if (s->mask_known)
		set_mask(s, s->mask);
}

bool sl_substitute_end(struct sl_substitution *s, int64_t result)
{
	bool done;

	if (s->state == STATE_HELD && result == SL_SUBSTITUTE_RESTART)
		s->state = STATE_AGAIN;
	if (s->state != STATE_GONE)
		restore(s, result);
	if (s->state != STATE_GONE)
		ask(s, PTRACE_DETACH, 0, (uintptr_t)s->deliver);
	done = s->state == STATE_HELD || s->state == STATE_NEW;
	pthread_mutex_unlock(&s->host->lock);
	free(s->below);
	free(s);
	return done;
}

/* Is the caller where it was when it asked, with nothing but its call's result changed? */
static bool stands_at_call(const struct sl_substitution *s)
{
	uint64_t at = regs_at(&s->saved);

	return at == s->insn || at == s->insn + INSN_BYTES;
}

/* From the answer to the stop on the way to user mode. */
static void stop_caller(struct sl_substitution *s, bool wanted)
{
	int status = next_stop(s, 0);

	if (status < 0)
		return;
	if (status != (SIGTRAP | (PTRACE_EVENT_STOP << 8)) || !wanted) {
		give_up(s, status);
		return;
	}
	if (get_regs(s, &s->saved) < 0 || ask(s, PTRACE_GETSIGMASK, SIGNALS_SIZE, (uintptr_t)&s->mask) < 0)
		return;
	if (!stands_at_call(s)) {
		give_up(s, status);
		return;
	}
	s->mask_known = true;
	set_mask(s, ~(uint64_t)0);
}

static int seize(struct sl_substitute_host *host, const struct seccomp_notif *n)
{
	const uintptr_t options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC;
	int r = trace(PTRACE_SEIZE, (pid_t)n->pid, 0, options);

	return r < 0 && !sl_notif_valid(host->listener, n->id) ? 1 : r;
}

int sl_substitute_begin(struct sl_substitute_host *host, const struct seccomp_notif *n,
			struct sl_substitution **ret)
{
	struct sl_substitution *s;
	bool wanted;
	int r;

	pthread_mutex_lock(&host->lock);
	r = seize(host, n);
	if (r) {
		pthread_mutex_unlock(&host->lock);
		return r;
	}
	s = sl_xcalloc(1, sizeof(*s));
	s->host = host;
	s->notif = *n;
	s->tid = (pid_t)n->pid;
	s->insn = n->data.instruction_pointer - INSN_BYTES;
	/* From here on it cannot leave its call without us. One that was gone before is let go of, whoever
	 * has its number. */
	wanted = sl_notif_valid(host->listener, n->id);
	r = trace(PTRACE_INTERRUPT, s->tid, 0, 0);
	sl_notif_error(host->listener, n->id, ERESTARTNOINTR);
	if (r < 0)
		s->state = STATE_GONE;
	else
		stop_caller(s, wanted);
	if (s->state == STATE_HELD) {
		*ret = s;
		return 0;
	}
	/* The answer itself makes it call again: its registers are as they should be. */
	if (s->state == STATE_AGAIN)
		ask(s, PTRACE_DETACH, 0, (uintptr_t)s->deliver);
	pthread_mutex_unlock(&host->lock);
	free(s);
	return 1;
}
