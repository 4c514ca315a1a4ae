/*
 * disk.h - the limit of what a command keeps on disk in places of its own: the upper of its view, and its private
 * temporary directory. Beyond it writes end in ENOSPC.
 *
 * Calls that write are notified while there is such a limit. What a call may add at the most is added up; only where that
 * could go beyond the limit the places are looked at, files without a name that are still open among them. So a command that
 * stays well below pays for a notification alone.
 *
 * What is written through a shared mapping counts once it is looked at. Not held: empty files, whose inodes have no size here;
 * and who puts another descriptor under a number between the look and the write gets that one write through.
 *
 * All of it runs in the notifier thread.
 */
#ifndef SL_SUPERVISE_DISK_H
#define SL_SUPERVISE_DISK_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

#include "supervise/behalf.h"

struct sl_disk {
	int64_t limit_bytes;	     /* 0: none */
	const char *dirs[2];	     /* canonical, or NULL */
	const struct sl_behalf *who; /* whose open files count */
	int64_t used_bytes;	     /* at the last look */
	int64_t granted_bytes;	     /* since then, at the most */
};

/* Is there room for so many more bytes? They count as used. */
bool sl_disk_allows(struct sl_disk *d, int64_t bytes);

/* The same as what a view asks before each I/O on its upper (sl_view_set_fault()): 0 or -ENOSPC. arg: a struct sl_disk. */
int sl_disk_gate(void *arg);

/* Answer the notification of a call of SL_OP_WRITE. */
void sl_disk_notify(struct sl_disk *d, int listener, const struct seccomp_notif *n);

#endif
