/*
 * usage.h - what a process uses, as its /proc entry tells: state, memory, descriptors, processor time.
 *
 * Everything here is a look at a moment; the process may be another one a moment later.
 */
#ifndef SL_KERNEL_USAGE_H
#define SL_KERNEL_USAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* From /proc/PID/stat. */
struct sl_usage_stat {
	char state; /* proc(5): 'R', 'S', 'D', 'T', 't', 'Z', 'X' … */
	pid_t ppid;
	uint64_t started;   /* clock ticks since boot */
	uint64_t cpu_ticks; /* used by it and by the children that it waited for */
	uint64_t own_ticks; /* used by it */
	int64_t threads;
};

/* A thread's or process's own line. 0, -ESRCH, -errno. */
int sl_usage_stat(pid_t pid, struct sl_usage_stat *ret);

/* One number of that line by its field in proc(5), from 4 on. 0, -ESRCH, -EPROTO, -errno. */
int sl_usage_field(pid_t pid, unsigned int field, uint64_t *ret);

/* From /proc/PID/status, in bytes. Zero where the process has no memory (any more). */
struct sl_usage_peak {
	int64_t data_bytes;	/* private and writable, as RLIMIT_DATA counts it; now */
	int64_t resident_bytes; /* the most that was ever resident */
	int64_t descriptors;	/* how many the table of descriptors has room for: it never shrinks */
};
int sl_usage_peak(pid_t pid, struct sl_usage_peak *ret);

/* Raise *most to what the process uses, where that is more. */
void sl_usage_peak_add(struct sl_usage_peak *most, pid_t pid);

/* Proportional memory of a process, from smaps_rollup: what several share counts in parts. Pages of files are
 * not in it: the kernel can drop them. */
struct sl_usage_memory {
	int64_t private_bytes; /* anonymous, swapped out or not, and huge pages */
	int64_t shared_bytes;  /* of shared memory: memfds, SysV segments, files of tmpfs */
};
/* Through the first of its threads that still has memory. 0, -ESRCH, -EACCES, -errno. */
int sl_usage_memory(pid_t pid, struct sl_usage_memory *ret);

/* What a thread is doing. */
enum sl_usage_call {
	SL_USAGE_UNKNOWN, /* it runs, in the kernel or not; or it cannot be told */
	SL_USAGE_CALL,	  /* it sleeps in the system call *ret_nr */
	SL_USAGE_GONE,	  /* it has ended */
};
enum sl_usage_call sl_usage_call(pid_t tid, int *ret_nr);

#endif
