/*
 * tracee.h - reading a waiting caller: its memory, its credentials, its place in the process tree.
 *
 * All of it is for copying once and deciding on the copy; after copying, check sl_notif_valid() before
 * acting.
 */
#ifndef SL_KERNEL_TRACEE_H
#define SL_KERNEL_TRACEE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Copy len bytes from the thread's memory. 0; -EFAULT where not all could be read; -EPERM, -ESRCH. */
int sl_tracee_read(pid_t tid, uint64_t addr, void *buf, size_t len);

/* Copy len bytes to the thread's memory. */
int sl_tracee_write(pid_t tid, uint64_t addr, const void *buf, size_t len);

/* Copy count ranges at once, each to the range of the thread's memory with the same index and length. */
struct iovec;
int sl_tracee_writev(pid_t tid, const struct iovec *remote, const struct iovec *local, size_t count);

/* Copy a NUL-terminated string of at most size-1 bytes, without touching a page past its end. Returns its
 * length; -ENAMETOOLONG; -EFAULT; -EPERM; -ESRCH. */
ssize_t sl_tracee_read_string(pid_t tid, uint64_t addr, char *buf, size_t size);

/* Is a signal pending that would interrupt a call of the thread? One that was sent to its process may be another thread's
 * to take: only what stays counts. */
bool sl_tracee_signal_pending(pid_t tid);

#define SL_GROUPS_MAX 256

/* Credentials and umask as /proc/TID/status gives them. */
struct sl_creds {
	uid_t uid, euid, fsuid;
	gid_t gid, egid, fsgid;
	gid_t groups[SL_GROUPS_MAX];
	int group_count;
	uint64_t cap_effective;
	mode_t umask;
	pid_t tgid, ppid;
};
int sl_tracee_creds(pid_t tid, struct sl_creds *ret);

/* Thread group of a thread; parent of a process. -ESRCH when gone. */
pid_t sl_tracee_tgid(pid_t tid);
pid_t sl_tracee_ppid(pid_t pid);

/* Is pid equal to ancestor, or a descendant of it by parent links? */
bool sl_tracee_is_descendant(pid_t pid, pid_t ancestor);

/* The process that a canonical path of procfs is about: "/proc/N" or "/proc/N/rest", N without leading zeros.
 * Returns N, with *ret_rest at what follows it ("" or "/rest"); 0 where path is no such path. */
pid_t sl_proc_pid(const char *path, const char **ret_rest);

/* Can we look into a process of our own user's that is not dumpable (PR_SET_DUMPABLE)? Only CAP_SYS_PTRACE lets
 * us (__ptrace_may_access() in kernel/ptrace.c). Asked once a process. */
bool sl_tracee_may_be_undumpable(void);

/* Take on the file-system identity of creds in the calling thread only (raw system calls): supplementary
 * groups, fsgid, fsuid, effective capabilities. Fails closed: on error the identity is restored and -EPERM
 * returned. */
struct sl_identity;
int sl_identity_assume(const struct sl_creds *creds, struct sl_identity **ret_saved);
void sl_identity_restore(struct sl_identity *saved);

#endif
