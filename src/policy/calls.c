/*
 * calls.c - the table of system calls.
 *
 * Each row is one line of CALLS (every architecture) or LEGACY_CALLS (those that only x86_64 has). The lists
 * are expanded three times: into the rows, into an enum of row numbers, and into an index by call number, so
 * that finding a row is one array access and nothing is built at start. C() is a call that somebody looks at,
 * with its arguments; R() is a call that is refused with that error whatever a profile says. A call without a
 * row is allowed.
 *
 * Columns of C(): name, op, treatment, then argument numbers (N: none): directory or descriptor, path, second
 * directory, second path, flags (for ioctl the request), mode, pid, and whether a final symbolic link is the
 * object.
 *
 * ftruncate has no row, and write and its like have one only for a limit of the disk: what a descriptor may do was
 * decided when it was opened. kill, tgkill, rt_sigqueueinfo, pidfd_send_signal, process_vm_readv, process_vm_writev,
 * pidfd_getfd, kcmp, move_pages, migrate_pages and get_robust_list have none because Landlock keeps them
 * inside the sandbox, root or not: the first by its signal scope, the others through ptrace_may_access(),
 * which always ends in the security hook (so would ptrace, whose row is about limits). process_madvise and perf_event_open ask mm_access() or
 * perfmon_capable() instead, which CAP_PERFMON satisfies without the hook ("mm,procfs: allow read-only remote
 * mm access under CAP_PERFMON", Linux 6.14): those have rows.
 */
#include "policy/calls.h"

#include <fcntl.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/macros.h"
#include "policy/net-plan.h"

/* Calls that are newer than the distribution's headers; from 424 on every architecture has the same numbers.
 */
#ifndef __NR_cachestat
#define __NR_cachestat 451
#endif
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif
#ifndef __NR_setxattrat
#define __NR_setxattrat 463
#endif
#ifndef __NR_getxattrat
#define __NR_getxattrat 464
#endif
#ifndef __NR_listxattrat
#define __NR_listxattrat 465
#endif
#ifndef __NR_removexattrat
#define __NR_removexattrat 466
#endif
#ifndef __NR_open_tree_attr
#define __NR_open_tree_attr 467
#endif
#ifndef __NR_file_setattr
#define __NR_file_setattr 469
#endif

#define N SL_NO_ARG

/* clang-format off */
#define CALLS(C, R)                                                                                  \
	/* name            op            treat      dir path dir2 path2 flags mode pid nofollow */   \
	C(openat,          OPEN,         ALLOW,      0,  1,  N,  N,  2,  3,  N, 0)                    \
	C(openat2,         OPENAT2,      ALLOW,      0,  1,  N,  N,  2,  N,  N, 0)                    \
	C(execve,          EXEC,         ALLOW,      N,  0,  N,  N,  N,  N,  N, 0)                    \
	C(execveat,        EXEC,         ALLOW,      0,  1,  N,  N,  4,  N,  N, 0)                    \
	C(mkdirat,         MKDIR,        ALLOW,      0,  1,  N,  N,  N,  2,  N, 1)                    \
	C(mknodat,         MKNOD,        ALLOW,      0,  1,  N,  N,  N,  2,  N, 1)                    \
	C(linkat,          LINK,         ALLOW,      0,  1,  2,  3,  4,  N,  N, 1)                    \
	C(symlinkat,       SYMLINK,      ALLOW,      N,  N,  1,  2,  N,  N,  N, 1)                    \
	C(unlinkat,        UNLINK,       ALLOW,      0,  1,  N,  N,  2,  N,  N, 1)                    \
	C(renameat,        RENAME,       ALLOW,      0,  1,  2,  3,  N,  N,  N, 1)                    \
	C(renameat2,       RENAME,       ALLOW,      0,  1,  2,  3,  4,  N,  N, 1)                    \
	C(truncate,        TRUNCATE,     ALLOW,      N,  0,  N,  N,  N,  N,  N, 0)                    \
	C(chdir,           CHDIR,        ALLOW,      N,  0,  N,  N,  N,  N,  N, 0)                    \
	C(fchdir,          CHDIR,        ALLOW,      0,  N,  N,  N,  N,  N,  N, 0)                    \
	/* reading */                                                                                \
	C(newfstatat,     STAT,         ALLOW,       0,  1,  N,  N,  3,  N,  N, 0)                    \
	C(statx,          STAT,         ALLOW,       0,  1,  N,  N,  2,  N,  N, 0)                    \
	C(fstat,          STAT,         ALLOW,       0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(faccessat,      ACCESS,       ALLOW,       0,  1,  N,  N,  N,  2,  N, 0)                    \
	C(faccessat2,     ACCESS,       ALLOW,       0,  1,  N,  N,  3,  2,  N, 0)                    \
	C(readlinkat,     READLINK,     ALLOW,       0,  1,  N,  N,  N,  N,  N, 1)                    \
	C(statfs,         STATFS,       ALLOW,       N,  0,  N,  N,  N,  N,  N, 0)                    \
	C(fstatfs,        STATFS,       ALLOW,       0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(getcwd,         GETCWD,       ALLOW,       N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(getdents64,     GETDENTS,     ALLOW,       0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(getxattr,       GETXATTR,     ALLOW,       N,  0,  N,  N,  N,  N,  N, 0)                    \
	C(lgetxattr,      GETXATTR,     ALLOW,       N,  0,  N,  N,  N,  N,  N, 1)                    \
	C(fgetxattr,      GETXATTR,     ALLOW,       0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(getxattrat,     GETXATTR,     ALLOW,       0,  1,  N,  N,  2,  N,  N, 0)                    \
	C(listxattr,      LISTXATTR,    ALLOW,       N,  0,  N,  N,  N,  N,  N, 0)                    \
	C(llistxattr,     LISTXATTR,    ALLOW,       N,  0,  N,  N,  N,  N,  N, 1)                    \
	C(flistxattr,     LISTXATTR,    ALLOW,       0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(listxattrat,    LISTXATTR,    ALLOW,       0,  1,  N,  N,  2,  N,  N, 0)                    \
	C(inotify_add_watch, WATCH,     ALLOW,       N,  1,  N,  N,  2,  N,  N, 0)                    \
	C(umask,             UMASK,     ALLOW,       N,  N,  N,  N,  N,  N,  N, 0)                    \
	/* only under a limit of the disk */                                                         \
	C(write,          WRITE,        ALLOW,       0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(pwrite64,       WRITE,        ALLOW,       0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(writev,         WRITE,        ALLOW,       0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(pwritev,        WRITE,        ALLOW,       0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(pwritev2,       WRITE,        ALLOW,       0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(sendfile,       WRITE,        ALLOW,       0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(copy_file_range, WRITE,       ALLOW,       2,  N,  N,  N,  N,  N,  N, 0)                    \
	C(splice,         WRITE,        ALLOW,       2,  N,  N,  N,  N,  N,  N, 0)                    \
	C(fallocate,      WRITE,        ALLOW,       0,  N,  N,  N,  N,  N,  N, 0)                    \
	/* attributes */                                                                             \
	C(fchmod,          CHMOD,        ATTRIBUTE,  0,  N,  N,  N,  N,  1,  N, 0)                    \
	C(fchmodat,        CHMOD,        ATTRIBUTE,  0,  1,  N,  N,  N,  2,  N, 0)                    \
	C(fchmodat2,       CHMOD,        ATTRIBUTE,  0,  1,  N,  N,  3,  2,  N, 0)                    \
	C(fchown,          CHOWN,        ATTRIBUTE,  0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(fchownat,        CHOWN,        ATTRIBUTE,  0,  1,  N,  N,  4,  N,  N, 0)                    \
	C(utimensat,       UTIMES,       ATTRIBUTE,  0,  1,  N,  N,  3,  N,  N, 0)                    \
	C(setxattr,        SETXATTR,     ATTRIBUTE,  N,  0,  N,  N,  N,  N,  N, 0)                    \
	C(lsetxattr,       SETXATTR,     ATTRIBUTE,  N,  0,  N,  N,  N,  N,  N, 1)                    \
	C(fsetxattr,       SETXATTR,     ATTRIBUTE,  0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(setxattrat,      SETXATTR,     ATTRIBUTE,  0,  1,  N,  N,  2,  N,  N, 0)                    \
	C(removexattr,     REMOVEXATTR,  ATTRIBUTE,  N,  0,  N,  N,  N,  N,  N, 0)                    \
	C(lremovexattr,    REMOVEXATTR,  ATTRIBUTE,  N,  0,  N,  N,  N,  N,  N, 1)                    \
	C(fremovexattr,    REMOVEXATTR,  ATTRIBUTE,  0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(removexattrat,   REMOVEXATTR,  ATTRIBUTE,  0,  1,  N,  N,  2,  N,  N, 0)                    \
	C(file_setattr,    INODE_FLAGS,  ATTRIBUTE,  0,  1,  N,  N,  4,  N,  N, 0)                    \
	/* the owner of an open file gets its signals */                                             \
	C(fcntl,           NONE,         JUDGE,      0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(ioctl,           DEVICE_IOCTL, JUDGE,      0,  N,  N,  N,  1,  N,  N, 0)                    \
	/* sockets */                                                                                \
	C(socket,          SOCKET,       JUDGE,      N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(socketpair,      SOCKET,       JUDGE,      N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(bind,            BIND,         JUDGE,      0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(connect,         CONNECT,      JUDGE,      0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(listen,          LISTEN,       JUDGE,      0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(sendto,          SEND,         JUDGE,      0,  N,  N,  N,  3,  N,  N, 0)                    \
	C(sendmsg,         SEND,         JUDGE,      0,  N,  N,  N,  2,  N,  N, 0)                    \
	C(sendmmsg,        SEND,         JUDGE,      0,  N,  N,  N,  3,  N,  N, 0)                    \
	C(recvfrom,        RECEIVE,      JUDGE,      0,  N,  N,  N,  3,  N,  N, 0)                    \
	C(getpeername,     RECEIVE,      JUDGE,      0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(setsockopt,      NONE,         JUDGE,      0,  N,  N,  N,  N,  N,  N, 0)                    \
	/* credentials */                                                                            \
	C(setuid,          SETID,        ALLOW,      N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(setgid,          SETID,        ALLOW,      N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(setreuid,        SETID,        ALLOW,      N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(setregid,        SETID,        ALLOW,      N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(setresuid,       SETID,        ALLOW,      N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(setresgid,       SETID,        ALLOW,      N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(setfsuid,        SETID,        ALLOW,      N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(setfsgid,        SETID,        ALLOW,      N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(setgroups,       SETID,        ALLOW,      N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(capset,          SETID,        ALLOW,      N,  N,  N,  N,  N,  N,  N, 0)                    \
	/* other processes: nothing but the same user stands between them and an outsider */         \
	C(prlimit64,       PROCESS,      JUDGE,      N,  N,  N,  N,  N,  N,  0, 0)                    \
	C(sched_setaffinity, PROCESS,    JUDGE,      N,  N,  N,  N,  N,  N,  0, 0)                    \
	C(sched_setscheduler, PROCESS,   JUDGE,      N,  N,  N,  N,  N,  N,  0, 0)                    \
	C(sched_setparam,  PROCESS,      JUDGE,      N,  N,  N,  N,  N,  N,  0, 0)                    \
	C(sched_setattr,   PROCESS,      JUDGE,      N,  N,  N,  N,  N,  N,  0, 0)                    \
	C(setpriority,     PROCESS,      JUDGE,      N,  N,  N,  N,  N,  N,  1, 0)                    \
	C(ioprio_set,      PROCESS,      JUDGE,      N,  N,  N,  N,  N,  N,  1, 0)                    \
	C(process_madvise, PROCESS,      JUDGE,      N,  N,  N,  N,  N,  N,  0, 0)                    \
	/* who makes itself undumpable closes its memory, which the supervisor of another user cannot do without */ \
	C(prctl,           DUMPABLE,     JUDGE,      N,  N,  N,  N,  N,  N,  N, 0)                    \
	/* IPC whose names are neither files nor covered by a Landlock scope */                      \
	C(shmget,          SYSV_IPC,     IPC,        N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(shmat,           SYSV_IPC,     IPC,        N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(shmctl,          SYSV_IPC,     IPC,        N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(shmdt,           SYSV_IPC,     IPC,        N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(semget,          SYSV_IPC,     IPC,        N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(semop,           SYSV_IPC,     IPC,        N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(semtimedop,      SYSV_IPC,     IPC,        N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(semctl,          SYSV_IPC,     IPC,        N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(msgget,          SYSV_IPC,     IPC,        N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(msgsnd,          SYSV_IPC,     IPC,        N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(msgrcv,          SYSV_IPC,     IPC,        N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(msgctl,          SYSV_IPC,     IPC,        N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(mq_open,         SYSV_IPC,     IPC,        N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(mq_unlink,       SYSV_IPC,     IPC,        N,  N,  N,  N,  N,  N,  N, 0)                    \
	/* namespaces: the judges let plain threads and processes through */                         \
	C(clone,           FORK,         JUDGE,      N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(unshare,         NONE,         JUDGE,      N,  N,  N,  N,  N,  N,  N, 0)                    \
	/* its flags are behind a pointer; every libc falls back to clone */                         \
	R(clone3,          ENOSYS)                                                                   \
	/* seen where processes are counted or what they use is measured */                          \
	C(exit_group,      EXIT,         JUDGE,      N,  N,  N,  N,  N,  N,  N, 0)                    \
	/* a thread has one tracer, which under a limit of CPU time is the tool */                   \
	C(ptrace,          NONE,         JUDGE,      N,  N,  N,  N,  N,  N,  N, 0)                    \
	/* memory that no limit of the kernel's own counts */                                        \
	C(mmap,            MAP,          JUDGE,      N,  N,  N,  N,  3,  N,  N, 0)                    \
	R(setns,           EPERM)                                                                    \
	/* mounts, old and new */                                                                    \
	R(mount,           EPERM)                                                                    \
	R(umount2,         EPERM)                                                                    \
	R(pivot_root,      EPERM)                                                                    \
	R(chroot,          EPERM)                                                                    \
	R(open_tree,       EPERM)                                                                    \
	R(open_tree_attr,  EPERM)                                                                    \
	R(move_mount,      EPERM)                                                                    \
	R(fsopen,          EPERM)                                                                    \
	R(fsconfig,        EPERM)                                                                    \
	R(fsmount,         EPERM)                                                                    \
	R(fspick,          EPERM)                                                                    \
	R(mount_setattr,   EPERM)                                                                    \
	/* the kernel itself and the whole machine */                                                \
	R(init_module,     EPERM)                                                                    \
	R(finit_module,    EPERM)                                                                    \
	R(delete_module,   EPERM)                                                                    \
	R(kexec_load,      EPERM)                                                                    \
	R(kexec_file_load, EPERM)                                                                    \
	R(bpf,             EPERM)                                                                    \
	R(swapon,          EPERM)                                                                    \
	R(swapoff,         EPERM)                                                                    \
	R(reboot,          EPERM)                                                                    \
	R(sethostname,     EPERM)                                                                    \
	R(setdomainname,   EPERM)                                                                    \
	R(settimeofday,    EPERM)                                                                    \
	R(clock_settime,   EPERM)                                                                    \
	R(clock_adjtime,   EPERM)                                                                    \
	R(adjtimex,        EPERM)                                                                    \
	R(acct,            EPERM)                                                                    \
	R(quotactl,        EPERM)                                                                    \
	R(quotactl_fd,     EPERM)                                                                    \
	R(nfsservctl,      ENOSYS)                                                                   \
	R(vhangup,         EPERM)                                                                    \
	R(syslog,          EPERM)                                                                    \
	R(fanotify_init,   EPERM)                                                                    \
	R(open_by_handle_at, EPERM)                                                                  \
	R(lookup_dcookie,  EPERM)                                                                    \
	R(userfaultfd,     EPERM)                                                                    \
	R(perf_event_open, EACCES)                                                                   \
	/* programs fall back where the kernel seems built without them */                           \
	R(add_key,         ENOSYS)                                                                   \
	R(request_key,     ENOSYS)                                                                   \
	R(keyctl,          ENOSYS)                                                                   \
	R(io_uring_setup,  ENOSYS)                                                                   \
	R(io_uring_enter,  ENOSYS)                                                                   \
	R(io_uring_register, ENOSYS)

#ifdef __x86_64__
#define LEGACY_CALLS(C, R)                                                                           \
	C(open,            OPEN,         ALLOW,      N,  0,  N,  N,  1,  2,  N, 0)                    \
	C(creat,           CREAT,        ALLOW,      N,  0,  N,  N,  N,  1,  N, 0)                    \
	C(mkdir,           MKDIR,        ALLOW,      N,  0,  N,  N,  N,  1,  N, 1)                    \
	C(mknod,           MKNOD,        ALLOW,      N,  0,  N,  N,  N,  1,  N, 1)                    \
	C(link,            LINK,         ALLOW,      N,  0,  N,  1,  N,  N,  N, 1)                    \
	C(symlink,         SYMLINK,      ALLOW,      N,  N,  N,  1,  N,  N,  N, 1)                    \
	C(unlink,          UNLINK,       ALLOW,      N,  0,  N,  N,  N,  N,  N, 1)                    \
	C(rmdir,           RMDIR,        ALLOW,      N,  0,  N,  N,  N,  N,  N, 1)                    \
	C(rename,          RENAME,       ALLOW,      N,  0,  N,  1,  N,  N,  N, 1)                    \
	C(stat,           STAT,         ALLOW,       N,  0,  N,  N,  N,  N,  N, 0)                    \
	C(lstat,          STAT,         ALLOW,       N,  0,  N,  N,  N,  N,  N, 1)                    \
	C(access,         ACCESS,       ALLOW,       N,  0,  N,  N,  N,  1,  N, 0)                    \
	C(readlink,       READLINK,     ALLOW,       N,  0,  N,  N,  N,  N,  N, 1)                    \
	C(getdents,       GETDENTS,     ALLOW,       0,  N,  N,  N,  N,  N,  N, 0)                    \
	C(chmod,           CHMOD,        ATTRIBUTE,  N,  0,  N,  N,  N,  1,  N, 0)                    \
	C(chown,           CHOWN,        ATTRIBUTE,  N,  0,  N,  N,  N,  N,  N, 0)                    \
	C(lchown,          CHOWN,        ATTRIBUTE,  N,  0,  N,  N,  N,  N,  N, 1)                    \
	C(utime,           UTIMES,       ATTRIBUTE,  N,  0,  N,  N,  N,  N,  N, 0)                    \
	C(utimes,          UTIMES,       ATTRIBUTE,  N,  0,  N,  N,  N,  N,  N, 0)                    \
	C(futimesat,       UTIMES,       ATTRIBUTE,  0,  1,  N,  N,  N,  N,  N, 0)                    \
	C(fork,            FORK,         JUDGE,      N,  N,  N,  N,  N,  N,  N, 0)                    \
	C(vfork,           FORK,         JUDGE,      N,  N,  N,  N,  N,  N,  N, 0)                    \
	R(uselib,          ENOSYS)                                                                   \
	R(_sysctl,         ENOSYS)                                                                   \
	R(create_module,   ENOSYS)                                                                   \
	R(iopl,            EPERM)                                                                    \
	R(ioperm,          EPERM)
#else
#define LEGACY_CALLS(C, R)
#endif
/* clang-format on */

#define ROW_C(n, op_, treat_, d, p, d2, p2, f, m, pid, nofollow_)                                            \
	{.name = #n,                                                                                         \
	 .nr = __NR_##n,                                                                                     \
	 .op = SL_OP_##op_,                                                                                  \
	 .treat = SL_TREAT_##treat_,                                                                         \
	 .refuse_errno = SL_TREAT_##treat_ == SL_TREAT_ATTRIBUTE ? EACCES                                    \
			 : SL_TREAT_##treat_ == SL_TREAT_IPC	 ? ENOSYS                                    \
								 : 0,                                            \
	 .dir_arg = (d),                                                                                     \
	 .path_arg = (p),                                                                                    \
	 .dir2_arg = (d2),                                                                                   \
	 .path2_arg = (p2),                                                                                  \
	 .flags_arg = (f),                                                                                   \
	 .mode_arg = (m),                                                                                    \
	 .pid_arg = (pid),                                                                                   \
	 .nofollow = (nofollow_),                                                                            \
	 .pidfd = __NR_##n == __NR_process_madvise},
#define ROW_R(n, errno_)                                                                                     \
	{.name = #n,                                                                                         \
	 .nr = __NR_##n,                                                                                     \
	 .op = SL_OP_NONE,                                                                                   \
	 .treat = SL_TREAT_REFUSE,                                                                           \
	 .refuse_errno = (errno_),                                                                           \
	 .dir_arg = N,                                                                                       \
	 .path_arg = N,                                                                                      \
	 .dir2_arg = N,                                                                                      \
	 .path2_arg = N,                                                                                     \
	 .flags_arg = N,                                                                                     \
	 .mode_arg = N,                                                                                      \
	 .pid_arg = N},

const struct sl_call sl_calls[] = {CALLS(ROW_C, ROW_R) LEGACY_CALLS(ROW_C, ROW_R)};
const size_t sl_call_count = SL_ARRAY_LEN(sl_calls);

#define ENUM_C(n, ...)	  ROW_NUMBER_##n,
#define ENUM_R(n, errno_) ROW_NUMBER_##n,
enum { CALLS(ENUM_C, ENUM_R) LEGACY_CALLS(ENUM_C, ENUM_R) ROW_NUMBER_COUNT };
_Static_assert(ROW_NUMBER_COUNT < 255, "the index holds row number + 1 in a byte");

/* By call number: row number + 1, or 0. */
#define INDEX_C(n, ...)	   [__NR_##n] = ROW_NUMBER_##n + 1,
#define INDEX_R(n, errno_) [__NR_##n] = ROW_NUMBER_##n + 1,
static const unsigned char index_by_nr[SL_CALL_LAST + 1] = {CALLS(INDEX_C, INDEX_R)
								LEGACY_CALLS(INDEX_C, INDEX_R)};

/* Names without a row that libseccomp 2.5.4 (Linux 5.17) does not know. */
static const struct {
	const char *name;
	int nr;
} newer_names[] = {
    {"set_mempolicy_home_node", 450},
    {"cachestat", 451},
    {"map_shadow_stack", 453},
    {"futex_wake", 454},
    {"futex_wait", 455},
    {"futex_requeue", 456},
    {"statmount", 457},
    {"listmount", 458},
    {"lsm_get_self_attr", 459},
    {"lsm_set_self_attr", 460},
    {"lsm_list_modules", 461},
    {"mseal", 462},
    {"file_getattr", 468},
#ifdef __x86_64__
    {"uretprobe", 335},
    {"uprobe", 336},
#endif
};

/* Numbers that the architecture's table leaves out below SL_CALL_LAST (first, last). */
static const struct {
	int first, last;
} gaps[] = {
#if defined(__x86_64__)
    {337, 423},
#elif defined(__aarch64__)
    {244, 259},
    {295, 423},
#else
#error "no call table for this architecture"
#endif
};

const struct sl_call *sl_call_by_nr(int nr)
{
	if (nr < 0 || nr > SL_CALL_LAST || !index_by_nr[nr])
		return NULL;
	return &sl_calls[index_by_nr[nr] - 1];
}

bool sl_call_is_known(int nr)
{
	if (nr < 0 || nr > SL_CALL_LAST)
		return false;
	for (size_t i = 0; i < SL_ARRAY_LEN(gaps); i++)
		if (nr >= gaps[i].first && nr <= gaps[i].last)
			return false;
	return true;
}

enum sl_op sl_call_op(const struct sl_call *call, const uint64_t args[6])
{
	if (call->op == SL_OP_DEVICE_IOCTL &&
	    ((uint32_t)args[1] == SL_FS_IOC_SETFLAGS || (uint32_t)args[1] == SL_FS_IOC_FSSETXATTR))
		return SL_OP_INODE_FLAGS;
	if (call->op == SL_OP_DEVICE_IOCTL && (uint32_t)args[1] == SL_FIOASYNC)
		return SL_OP_ASYNC;
	if (call->nr == __NR_fcntl && (uint32_t)args[1] == F_SETFL && args[2] & O_ASYNC)
		return SL_OP_ASYNC;
	if (call->nr == __NR_setsockopt && sl_net_group_option((uint32_t)args[1], (uint32_t)args[2]))
		return SL_OP_JOIN;
	return call->op;
}

int sl_call_number(const char *name)
{
	int nr;

	for (size_t i = 0; i < sl_call_count; i++)
		if (!strcmp(sl_calls[i].name, name))
			return sl_calls[i].nr;
	for (size_t i = 0; i < SL_ARRAY_LEN(newer_names); i++)
		if (!strcmp(newer_names[i].name, name))
			return newer_names[i].nr;
	nr = seccomp_syscall_resolve_name(name);
	if (nr == __NR_SCMP_ERROR)
		return -ENOENT;
	return nr < 0 ? -ENOSYS : nr;
}

const char *sl_call_name(int nr)
{
	static char *names[SL_CALL_LAST + 1]; /* what libseccomp returned, kept: it allocates each time */
	const struct sl_call *call = sl_call_by_nr(nr);
	char *name, *other = NULL;

	if (call)
		return call->name;
	if (!sl_call_is_known(nr))
		return NULL;
	for (size_t i = 0; i < SL_ARRAY_LEN(newer_names); i++)
		if (newer_names[i].nr == nr)
			return newer_names[i].name;
	name = __atomic_load_n(&names[nr], __ATOMIC_ACQUIRE);
	if (name)
		return name;
	name = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), nr);
	if (name && !__atomic_compare_exchange_n(&names[nr], &other, name, false, __ATOMIC_ACQ_REL,
						 __ATOMIC_ACQUIRE)) {
		free(name);
		name = other;
	}
	return name;
}

bool sl_op_changes_names(enum sl_op op)
{
	switch (op) {
	case SL_OP_MKDIR:
	case SL_OP_MKNOD:
	case SL_OP_LINK:
	case SL_OP_SYMLINK:
	case SL_OP_UNLINK:
	case SL_OP_RMDIR:
	case SL_OP_RENAME:
	case SL_OP_TRUNCATE:
		return true;
	default:
		return false;
	}
}

bool sl_op_is_attribute(enum sl_op op)
{
	switch (op) {
	case SL_OP_CHMOD:
	case SL_OP_CHOWN:
	case SL_OP_UTIMES:
	case SL_OP_SETXATTR:
	case SL_OP_REMOVEXATTR:
	case SL_OP_INODE_FLAGS:
		return true;
	default:
		return false;
	}
}
