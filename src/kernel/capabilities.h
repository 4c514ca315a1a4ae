/*
 * capabilities.h - which of root's capabilities a command keeps in a sandbox.
 *
 * Landlock and the seccomp program judge files, calls and sockets. Some capabilities reach what neither sees:
 * CAP_NET_ADMIN changes interfaces, routes and packet filters through any socket at all, CAP_PERFMON and CAP_SYS_ADMIN read
 * the memory of any process past the Landlock hook ("mm,procfs: allow read-only remote mm access under CAP_PERFMON",
 * Linux 6.14). They are taken away. Those kept let root do to what the profile lists what it would without a sandbox:
 * pass over modes and owners, set owners, be other users, signal and trace its own processes, raise its own limits.
 *
 * With no_new_privs set no execve gives a process more than it has, so what is given up once stays so for the command and all
 * that it starts, whatever its user number.
 */
#ifndef SL_KERNEL_CAPABILITIES_H
#define SL_KERNEL_CAPABILITIES_H

#include <stdbool.h>
#include <stdint.h>

/* The capabilities that are kept, as bits (1 << CAP_*). */
extern const uint64_t sl_capabilities_kept;

/* Take all other capabilities from the calling thread: effective, permitted, inheritable, and with those the ambient ones.
 * Nothing is done for a thread that has none of them. resource_limits: CAP_SYS_RESOURCE is not kept either, because there
 * are limits of the kernel's own to be held. 0 or -errno. Async-signal-safe. */
int sl_capabilities_limit(bool resource_limits);

/* Take those that administer networks from the calling thread: what it does for somebody who lacks them is done without
 * them too. Threads that it makes have none either. 0 or -errno. */
int sl_capabilities_drop_network(void);

#endif
