/*
 * signals.c - taking the signals, giving the terminal back, stopping.
 *
 * Every signal is blocked and read from a signalfd, in all threads, so no handler ever runs and no call is
 * interrupted. Blocked signals are queued even where the caller ignored them; the command got the caller's
 * dispositions and decides for itself. Only SIGCHLD's is changed here: ignored, it would hide how children
 * ended.
 */
#include "supervise/signals.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <termios.h>

/* Signals of our own faults: blocked, the kernel would end us all the same, but without a core or a
 * sanitizer's word. */
static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

int sl_signals_take(struct sl_signals *s, struct sl_error *err)
{
	const struct sigaction by_default = {.sa_handler = SIG_DFL};
	sigset_t all;

	sigfillset(&all);
	for (size_t i = 0; i < SL_ARRAY_LEN(faults); i++)
		sigdelset(&all, faults[i]);
	/* The raw call: the library's leaves two signals of its own out of what it tells. */
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &s->caller_mask, sizeof(s->caller_mask));
	sigprocmask(SIG_SETMASK, &all, NULL);
	sigaction(SIGCHLD, &by_default, &s->caller_sigchld);
	s->fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->fd < 0)
		return sl_error_errno(err, errno, "cannot open a signalfd");
	s->tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	s->foreground = s->tty < 0 ? -1 : tcgetpgrp(s->tty);
	return 0;
}

void sl_signals_release(struct sl_signals *s)
{
	struct signalfd_siginfo late;

	if (s->fd < 0)
		return;
	/* What came after the end must not strike when it is unblocked: SIGPIPE of a status line that nobody reads,
	 * signals that were meant for the command. */
	while (sl_signals_next(s, &late))
		;
	/* SIGTTOU is blocked, so this is allowed from the background. */
	if (s->tty >= 0 && s->foreground == getpgrp() && tcgetpgrp(s->tty) != s->foreground)
		tcsetpgrp(s->tty, s->foreground);
	s->tty = sl_close(s->tty);
	s->fd = sl_close(s->fd);
	sigaction(SIGCHLD, &s->caller_sigchld, NULL);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &s->caller_mask, NULL, sizeof(s->caller_mask));
}

bool sl_signals_next(struct sl_signals *s, struct signalfd_siginfo *ret)
{
	return read(s->fd, ret, sizeof(*ret)) == (ssize_t)sizeof(*ret);
}

bool sl_signal_is_ours(const struct signalfd_siginfo *info)
{
	switch (info->ssi_code) {
	case SI_USER:
	case SI_QUEUE:
	case SI_TKILL:
		return info->ssi_pid != (uint32_t)getpid();
	case SI_KERNEL:
		return info->ssi_signo == SIGHUP && getsid(0) == getpid();
	default:
		return false;
	}
}

void sl_signals_stop_self(int sig)
{
	const struct sigaction by_default = {.sa_handler = SIG_DFL};
	struct sigaction saved;
	sigset_t one;

	if (sig == SIGSTOP) {
		raise(sig);
		return;
	}
	sigemptyset(&one);
	sigaddset(&one, sig);
	sigaction(sig, &by_default, &saved);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &one, NULL); /* here we stop */
	sigprocmask(SIG_BLOCK, &one, NULL);
	sigaction(sig, &saved, NULL);
}
