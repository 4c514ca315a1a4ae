/*
 * tracee-memory.c - see tracee-memory.h. Whatever a held descriptor cannot answer goes the plain way, whose errors are
 * the ones to report.
 */
#include "kernel/tracee-memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "kernel/tracee.h"

#define KEEP_MS	   1000
#define FIRST_READ 256u
#define PAGE	   4096u

void sl_memory_release(struct sl_memory_cache *c)
{
	for (size_t i = 0; i < SL_MEMORY_SLOTS; i++)
		if (c->slots[i].tid)
			sl_close(c->slots[i].fd);
	memset(c, 0, sizeof(*c));
}

void sl_memory_forget(struct sl_memory_cache *c, pid_t tid)
{
	size_t slot = (uint32_t)tid % SL_MEMORY_SLOTS;

	if (c->slots[slot].tid != tid || !tid)
		return;
	sl_close(c->slots[slot].fd);
	c->slots[slot].tid = 0;
}

/* The thread's held descriptor, opened when there is none; -errno. */
static int memory_of(struct sl_memory_cache *c, pid_t tid, uint32_t now_ms)
{
	size_t slot = (uint32_t)tid % SL_MEMORY_SLOTS;
	char name[48];
	int fd;

	if (c->slots[slot].tid == tid && now_ms - c->slots[slot].used_ms < KEEP_MS) {
		c->slots[slot].used_ms = now_ms;
		return c->slots[slot].fd;
	}
	if (c->slots[slot].tid)
		sl_memory_forget(c, c->slots[slot].tid);
	snprintf(name, sizeof(name), "/proc/%d/mem", (int)tid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	c->slots[slot].tid = tid;
	c->slots[slot].fd = fd;
	c->slots[slot].used_ms = now_ms;
	return fd;
}

ssize_t sl_memory_read_string(struct sl_memory_cache *c, pid_t tid, uint64_t addr, char *buf, size_t size,
			      uint32_t now_ms)
{
	size_t want = SL_MIN(SL_MIN(size, FIRST_READ), PAGE - (size_t)(addr % PAGE));
	int fd = memory_of(c, tid, now_ms);
	const char *end;
	ssize_t n;

	if (fd < 0)
		return sl_tracee_read_string(tid, addr, buf, size);
	n = pread(fd, buf, want, (off_t)addr);
	end = n > 0 ? memchr(buf, '\0', (size_t)n) : NULL;
	/* The file shows what the thread itself may not read, too: of such a page mostly zeros. */
	if (end && end != buf)
		return end - buf;
	if (n <= 0)
		sl_memory_forget(c, tid); /* its memory is gone: it may be another thread's number by now */
	return sl_tracee_read_string(tid, addr, buf, size);
}
