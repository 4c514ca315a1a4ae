/*
 * tracee-memory.h - the fast way of sl_tracee_read_string() for a caller that is heard of again and again.
 *
 * process_vm_readv(2) finds the task, checks whether it may be traced and takes its memory map each time; a descriptor
 * of /proc/TID/mem that is held open has done that. It stays with the memory map that the thread had when it was
 * opened, so it must be forgotten when the thread may have got another one: whoever holds such a table must see every
 * exec. A number that is given to another thread is no danger: a descriptor that was not used for a second is opened
 * anew, and numbers do not come round within a second.
 */
#ifndef SL_KERNEL_TRACEE_MEMORY_H
#define SL_KERNEL_TRACEE_MEMORY_H

#include <stdint.h>
#include <sys/types.h>

#define SL_MEMORY_SLOTS 64

struct sl_memory_cache {
	struct {
		pid_t tid; /* 0: empty */
		int fd;
		uint32_t used_ms;
	} slots[SL_MEMORY_SLOTS];
};

/* Zeroed memory is an empty table. Close all descriptors: */
void sl_memory_release(struct sl_memory_cache *c);

/* As sl_tracee_read_string(). now_ms: any clock of milliseconds that wraps. */
ssize_t sl_memory_read_string(struct sl_memory_cache *c, pid_t tid, uint64_t addr, char *buf, size_t size,
			      uint32_t now_ms);

/* The thread is about to get another memory map. */
void sl_memory_forget(struct sl_memory_cache *c, pid_t tid);

#endif
