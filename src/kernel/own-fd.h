/*
 * own-fd.h - descriptors of our own that stand for a waiting caller's objects: taking one from the caller, and changing
 * attributes through one, also where it was opened with O_PATH.
 *
 * None of these looks at a name, so what was decided about the descriptor holds for what is done.
 */
#ifndef SL_KERNEL_OWN_FD_H
#define SL_KERNEL_OWN_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* A descriptor of our own for the open file behind number fd of thread tid (pidfd_getfd(2)): the same open file
 * description, O_PATH or not. The descriptor (O_CLOEXEC); -EBADF where the thread has none under that number; -EPERM
 * where we may not take it; -ESRCH. */
int sl_fd_take(pid_t tid, int fd);

/* pidfds of threads that are heard of again and again, by number. A pidfd never leads to who has its thread's number
 * later: then it is ESRCH, and another is opened. For one thread of ours. Zeroed memory is an empty table. */
#define SL_PIDFD_SLOTS 32
struct sl_pidfds {
	struct {
		pid_t tid; /* 0: empty */
		int fd;
	} slots[SL_PIDFD_SLOTS];
};
void sl_pidfds_release(struct sl_pidfds *p);

/* As sl_fd_take(). */
int sl_fd_take_by(struct sl_pidfds *p, pid_t tid, int fd);

/* Is a thread's descriptor O_PATH? 1, 0; -EBADF, -EPERM. */
int sl_fd_is_path(pid_t tid, int fd);

/* Can descriptors be taken here at all? A container's seccomp profile refuses pidfd_getfd to whom lacks CAP_SYS_PTRACE. */
bool sl_fd_can_take(void);

/* The O_* flags of the thread's descriptor, O_CLOEXEC among them. -EBADF where it has none under that number; -EPERM. */
int sl_fd_flags(pid_t tid, int fd);

/* What sl_fd_take() would give, opened anew with O_PATH: the same object, another open file description. *ret_flags
 * receives the O_* flags of the thread's descriptor. The same errors. */
int sl_fd_reopen(pid_t tid, int fd, int *ret_flags);

/* A regular file that we hold any descriptor of, opened anew for reading; without touching its access time where we may. It
 * never blocks. The descriptor or -errno. */
int sl_fd_read_anew(int fd);

/* Has nobody else a regular file open that we opened for reading? O_PATH does not count. Told by a write lease,
 * which is given only then (fcntl(2)): who opens the file in that moment waits for its end. 1, 0, or -errno where it
 * cannot be told: -EACCES for who neither owns the file nor has CAP_LEASE. */
int sl_fd_is_alone(int fd);

/* A pidfd (O_CLOEXEC) of a process, or of a single thread where the kernel has those (6.9), or -errno. */
int sl_pidfd_open(pid_t tid);

/* The process id that a pidfd of ours stands for, in our own pid namespace. -ESRCH where it was reaped; -EBADF where fd
 * is no pidfd. */
pid_t sl_pidfd_pid(int fd);

/* The attribute calls on the object behind a descriptor of any kind. 0 or the kernel's -errno. A symbolic link opened
 * with O_PATH | O_NOFOLLOW is itself the object. */
int sl_fd_chmod(int fd, mode_t mode);
int sl_fd_chown(int fd, uid_t uid, gid_t gid);
int sl_fd_utimes(int fd, const struct timespec times[2] /* or NULL: now */);
int sl_fd_setxattr(int fd, const char *name, const void *value, size_t size, int flags);
int sl_fd_removexattr(int fd, const char *name);
/* file_setattr(2); -ENOSYS before Linux 6.17. */
int sl_fd_setattr(int fd, const void *attr, size_t size);

#endif
