/*
 * mappings.h - what a process runs: its program, and the files that it has mapped executable.
 */
#ifndef SL_KERNEL_MAPPINGS_H
#define SL_KERNEL_MAPPINGS_H

#include <stdbool.h>
#include <sys/types.h>

#include "kernel/resolve.h"

/* One executable file mapping. */
struct sl_mapping {
	const char *path; /* canonical name, " (deleted)" removed; valid during the call */
	bool deleted;	  /* the name is gone, or was never one (memfd, shared memory) */
};

/* Visit the executable file mappings of a process in the order of their addresses, neighbours of the same
 * file once. 0; -ESRCH; -EACCES or -EPERM where the process is closed to us. */
int sl_tracee_mappings(pid_t pid, void (*visit)(const struct sl_mapping *mapping, void *arg), void *arg);

/* The program of a process (/proc/PID/exe), as sl_resolve() gives objects. -ENOENT: it has none (a kernel
 * thread, or a process that is ending); -ESRCH; -EACCES. */
int sl_tracee_exe(pid_t pid, struct sl_resolved *ret);

#endif
