/*
 * thread.h - starting helper threads.
 */
#ifndef SL_BASE_THREAD_H
#define SL_BASE_THREAD_H

#include <pthread.h>

/* Start a thread that takes no signal: they are the main thread's. 0 or -errno. */
int sl_thread_start(pthread_t *ret, void *(*main)(void *arg), void *arg);

#endif
