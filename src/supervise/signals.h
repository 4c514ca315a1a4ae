/*
 * signals.h - the tool's own signals and terminal while a command runs.
 */
#ifndef SL_SUPERVISE_SIGNALS_H
#define SL_SUPERVISE_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/signalfd.h>
#include <sys/types.h>

#include "base/error.h"

struct sl_signals {
	int fd;		      /* signalfd of all signals */
	uint64_t caller_mask; /* as the kernel has it */
	struct sigaction caller_sigchld;
	int tty;	  /* the controlling terminal, or -EBADF */
	pid_t foreground; /* its process group when we started */
};

#define SL_SIGNALS_INIT ((struct sl_signals){.fd = -EBADF, .tty = -EBADF})

/* Block every signal but those of a fault of our own, open the signalfd, remember what the caller had. */
int sl_signals_take(struct sl_signals *s, struct sl_error *err);

/* Give the terminal back if the command kept it, restore mask and disposition, close. */
void sl_signals_release(struct sl_signals *s);

/* The next signal that has arrived, or false. */
bool sl_signals_next(struct sl_signals *s, struct signalfd_siginfo *ret);

/* Was it sent to us by somebody, and did the command not get it too? The terminal's signals go to the whole
 * process group; only the hang-up of a session's leader goes to the leader alone. */
bool sl_signal_is_ours(const struct signalfd_siginfo *info);

/* Stop as the command was stopped by sig, so that our parent sees a stopped job. Returns after being
 * continued. */
void sl_signals_stop_self(int sig);

#endif
