/*
 * memory.h - how much memory a sandbox uses, without cgroups: measured by looking at its processes.
 *
 * Counted are, each once: anonymous memory in proportion (what several processes share after a fork counts in
 * parts), shared memory in proportion, memfds and files without a name on tmpfs that somebody has open, files
 * on tmpfs that are open for writing or lie in the private temporary directory, and SysV segments that the
 * sandbox made. Not counted are pages of files on disks, which the kernel can drop, and the kernel's own
 * memory.
 *
 * A look is not atomic: a process that forks meanwhile can count twice. Who acts on one looks twice.
 */
#ifndef SL_SUPERVISE_MEMORY_H
#define SL_SUPERVISE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/usage.h"
#include "supervise/behalf.h"

#define SL_SEGMENT_MAKERS_MAX 256

/* The processes that called shmget. Written by the notifier's thread, read by the main one. */
struct sl_segment_makers {
	pid_t pids[SL_SEGMENT_MAKERS_MAX];
	size_t count; /* release and acquire; beyond the array nobody is told apart any more */
};
void sl_segment_makers_add(struct sl_segment_makers *m, pid_t pid);

/* A file in memory: of shm_open, memfd_create, tmpfs, or a SysV segment. */
struct sl_memory_object {
	dev_t dev;
	ino_t ino;
	bool sysv; /* ino is the segment's number */
	int64_t bytes;
};

struct sl_memory_objects {
	struct sl_memory_object *items;
	size_t count, cap;
};

struct sl_memory_meter {
	/* Set by the caller. */
	const struct sl_behalf *who;
	const struct sl_segment_makers *makers; /* or NULL */
	const char *tmp_dir;			/* or NULL */
	bool keep_peak;

	/* Set by sl_memory_meter_init. */
	bool tmp_in_memory;
	dev_t shm_dev;			 /* of the kernel's own tmpfs, where memfds are */
	struct sl_memory_objects before; /* what was there before the command */

	/* The last look. */
	int64_t total_bytes;
	pid_t largest; /* the process with the most, 0 where nobody has any */
	int64_t largest_bytes;

	struct sl_usage_peak peak; /* with keep_peak: of a single process, in any look */
};

/* Before the command is made. */
void sl_memory_meter_init(struct sl_memory_meter *m);
void sl_memory_meter_release(struct sl_memory_meter *m);

/* Look: fills the last three members. Where the quick way says more than bound_bytes and may have counted
 * something twice, the exact and slow way is taken. */
void sl_memory_measure(struct sl_memory_meter *m, int64_t bound_bytes);

#endif
