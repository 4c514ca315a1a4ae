/*
 * thread.c - see thread.h.
 */
#include "base/thread.h"

#include <signal.h>

int sl_thread_start(pthread_t *ret, void *(*main)(void *arg), void *arg)
{
	sigset_t all, saved;
	int r;

	/* A thread starts with its maker's mask, so it is never open to a signal. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	r = pthread_create(ret, NULL, main, arg);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	return -r;
}
