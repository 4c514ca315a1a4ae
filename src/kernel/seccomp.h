/*
 * seccomp.h - loading a filter with a listener, and the notification ioctls (seccomp_unotify(2)).
 */
#ifndef SL_KERNEL_SECCOMP_H
#define SL_KERNEL_SECCOMP_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>

#include "base/error.h"

/* Load the program on the calling thread. listener: ask for a listener descriptor (WAIT_KILLABLE_RECV where the
 * kernel has it). Returns the listener (>= 0) or 0 without one, or -errno: -EBUSY where an outer sandbox already
 * has a listener. Async-signal-safe; no_new_privs must be set. */
int sl_seccomp_load(const struct sock_filter *insns, unsigned short len, int listener);

/* Ask for synchronous wake-ups on the listener (kernel 6.6, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP); without effect
 * on older kernels. */
void sl_notif_set_sync(int listener);

/* Receive one notification. 0; -EINTR; -ENOENT: the caller is gone or all users have exited. */
int sl_notif_recv(int listener, struct seccomp_notif *ret);

/* Is the caller still waiting in this notification? (SECCOMP_IOCTL_NOTIF_ID_VALID) */
int sl_notif_valid(int listener, uint64_t id);

/* Answers. -ENOENT (the caller is gone) is reported as success. */
int sl_notif_continue(int listener, uint64_t id);
int sl_notif_return(int listener, uint64_t id, int64_t value);
int sl_notif_error(int listener, uint64_t id, int error /* positive errno */);

/* Install fd in the caller as its result and answer with its number, in one step (ADDFD with SEND).
 * cloexec: O_CLOEXEC or 0. 0 or -errno; on failure nothing was answered. */
int sl_notif_send_fd(int listener, uint64_t id, int fd, uint32_t cloexec);

/* Install fd in the caller, which goes on waiting: its number there, or -errno. */
int sl_notif_add_fd(int listener, uint64_t id, int fd, uint32_t cloexec);

/* The same under a number of the caller's, in place of what it has open there. 0 or -errno. */
int sl_notif_replace_fd(int listener, uint64_t id, int fd, int number, uint32_t cloexec);

#endif
