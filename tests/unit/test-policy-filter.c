/*
 * Unit tests of policy/filter.h: a table (call, arguments) -> verdict under each kind of plan, run in the
 * simulator; what the kernel may cache; that it loads; and a sample of the same table put to the kernel
 * itself.
 */
#include <check.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "kernel/seccomp.h"
#include "policy/bpf.h"
#include "policy/filter.h"

#include "net-plans.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

static const struct sl_filter_plan run_plan = {.listener = true, .attributes = true, .net = NET_NOTHING};
static const struct sl_filter_plan nested_plan = {.net = NET_NESTED};
static const struct sl_filter_plan learn_plan = {.listener = true, .observe = true, .allow_sysv_ipc = true, .net = NET_LEARN};
static const struct sl_filter_plan view_plan = {
    .listener = true, .observe = true, .view = true, .allow_sysv_ipc = true, .net = NET_LEARN};
static const struct sl_filter_plan self_plan = {
    .listener = true, .attributes = true, .net = NET_NOTHING, .open_self = true};
static const struct sl_filter_plan dumpable_plan = {
    .listener = true, .attributes = true, .net = NET_NOTHING, .keep_dumpable = true};
static const struct sl_filter_plan write_plan = {
    .listener = true, .attributes = true, .net = NET_NOTHING, .open_self = true, .open_self_write = true};

/* Expected: 0 allowed, -1 notified, else the errno. */
#define A    0
#define N    (-1)
#define HIGH 0xdeadbeef00000000ULL

struct row {
	const char *name;
	uint64_t args[6];
	int run, nested, learn;
};

/* clang-format off */
static const struct row rows[] = {
	/* nobody cares: allowed by number */
	{ "read", { 0 }, A, A, A },
	{ "write", { 1 }, A, A, A },
	{ "close", { 3 }, A, A, A },
	{ "mmap", { 0 }, A, A, A },
	{ "newfstatat", { 0 }, A, A, A },
	{ "statx", { 0 }, A, A, A },
	{ "readlinkat", { 0 }, A, A, A },
	{ "faccessat2", { 0 }, A, A, A },
	{ "getdents64", { 3 }, A, A, A },
	{ "ftruncate", { 3 }, A, A, A },
	{ "futex", { 0 }, A, A, A },
	{ "exit_group", { 0 }, A, A, A },
	{ "kill", { 1, 9 }, A, A, A },
	{ "tgkill", { 1, 1, 9 }, A, A, A },
	{ "pidfd_send_signal", { 3, 9 }, A, A, A },
	{ "ptrace", { 16, 1 }, A, A, A },
	{ "process_vm_readv", { 1 }, A, A, A },
	{ "pidfd_getfd", { 3, 0 }, A, A, A },
	{ "kcmp", { 1, 2 }, A, A, A },
	{ "move_pages", { 1 }, A, A, A },
	{ "seccomp", { 1 }, A, A, A },
	{ "landlock_restrict_self", { 3 }, A, A, A },
	{ "prctl", { 38 }, A, A, A },
	{ "personality", { 0xffffffff }, A, A, A },
	{ "chdir", { 0 }, A, A, A },
	{ "fchdir", { 3 }, A, A, A },
	{ "statmount", { 0 }, A, A, A },
	{ "listmount", { 0 }, A, A, A },
	{ "mseal", { 0 }, A, A, A },
	{ "cachestat", { 0 }, A, A, A },
	{ "getxattrat", { 0 }, A, A, A },
	{ "file_getattr", { 0 }, A, A, A },
	{ "accept4", { 3 }, A, A, A },
	{ "recvmsg", { 3 }, A, A, A },
	{ "setsockopt", { 3 }, A, A, A },
	/* opens and what changes names */
	{ "openat", { 0, 1, O_RDONLY }, A, A, N },
	{ "openat", { 0, 1, O_RDONLY | O_DIRECTORY | O_CLOEXEC }, A, A, N },
	{ "openat", { 0, 1, O_WRONLY | O_CREAT | O_TRUNC }, A, A, N },
	{ "openat", { 0, 1, O_RDWR }, A, A, N },
	{ "openat", { 0, 1, O_PATH }, A, A, A },
	{ "openat", { 0, 1, O_PATH | O_DIRECTORY | O_NOFOLLOW }, A, A, A },
	{ "openat", { 0, 1, HIGH | O_PATH }, A, A, A },
	{ "openat", { 0, 1, (uint64_t)O_PATH << 32 }, A, A, N },
	{ "openat2", { 0, 1, 1, 24 }, A, A, N },
	{ "execve", { 1 }, A, A, N },
	{ "execveat", { 1 }, A, A, N },
	{ "mkdirat", { 1 }, A, A, N },
	{ "mknodat", { 1 }, A, A, N },
	{ "linkat", { 1 }, A, A, N },
	{ "symlinkat", { 1 }, A, A, N },
	{ "unlinkat", { 1 }, A, A, N },
	{ "renameat", { 1 }, A, A, N },
	{ "renameat2", { 1 }, A, A, N },
	{ "truncate", { 1 }, A, A, N },
	{ "bind", { 3 }, A, A, N },
	/* attributes */
	{ "fchmod", { 3, 0644 }, N, EACCES, N },
	{ "fchmodat", { 3 }, N, EACCES, N },
	{ "fchmodat2", { 3 }, N, EACCES, N },
	{ "fchown", { 3 }, N, EACCES, N },
	{ "fchownat", { 3 }, N, EACCES, N },
	{ "utimensat", { 3 }, N, EACCES, N },
	{ "setxattr", { 3 }, N, EACCES, N },
	{ "lsetxattr", { 3 }, N, EACCES, N },
	{ "fsetxattr", { 3 }, N, EACCES, N },
	{ "setxattrat", { 3 }, N, EACCES, N },
	{ "removexattr", { 3 }, N, EACCES, N },
	{ "lremovexattr", { 3 }, N, EACCES, N },
	{ "fremovexattr", { 3 }, N, EACCES, N },
	{ "removexattrat", { 3 }, N, EACCES, N },
	{ "file_setattr", { 3 }, N, EACCES, N },
	{ "ioctl", { 3, 0x40086602 }, N, EACCES, N },
	{ "ioctl", { 3, 0x401c5820 }, N, EACCES, N },
	{ "ioctl", { 3, HIGH | 0x40086602 }, N, EACCES, N },
	{ "ioctl", { 3, HIGH | 0x401c5820 }, N, EACCES, N },
	{ "ioctl", { 3, 0x40087602 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x40086604 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x40047211 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x4004f50d }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x40186f04 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x40806685 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x800c6613 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x6609 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x40286608 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0xc0406618 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0xc0506617 }, EPERM, EPERM, EPERM },
	/* other ioctls */
	{ "ioctl", { 3, 0x5412 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, HIGH | 0x5412 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x541c }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x541d }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x5423 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x5437 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, HIGH | 0x541c }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0xc0045877 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0xc0045878 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0xc0185879 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x5000940e }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x5000940f }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x50009417 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x5000943f }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x5401 }, A, A, A },
	{ "ioctl", { 3, 0x5404 }, A, A, A },
	{ "ioctl", { 3, 0x540f }, A, A, A },
	{ "ioctl", { 3, 0x5411 }, A, A, A },
	{ "ioctl", { 3, 0x5413 }, A, A, A },
	{ "ioctl", { 3, 0x541b }, A, A, A },
	{ "ioctl", { 3, 0x5421 }, A, A, A },
	{ "ioctl", { 3, 0x5451 }, A, A, A },
	{ "ioctl", { 3, 0x8901 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x8902 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, HIGH | 0x8902 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x8900 }, A, A, A },
	{ "ioctl", { 3, 0x8903 }, A, A, A },
	{ "ioctl", { 3, 0x5452 }, N, EPERM, N },
	{ "ioctl", { 3, 0x4b47 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x4b49 }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x4b4b }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x4b4d }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x4bfb }, EPERM, EPERM, EPERM },
	{ "ioctl", { 3, 0x4b33 }, A, A, N },
	{ "ioctl", { 3, 0xc0c09425 }, EPERM, EPERM, EPERM },
	/* who is signalled */
	{ "fcntl", { 3, F_GETFL }, A, A, A },
	{ "fcntl", { 3, F_SETFD, FD_CLOEXEC }, A, A, A },
	{ "fcntl", { 3, F_SETLK, 0x80000000 }, A, A, A },
	{ "fcntl", { 3, F_SETFL, O_NONBLOCK | O_APPEND }, A, A, A },
	{ "fcntl", { 3, F_SETFL, O_NONBLOCK | O_ASYNC }, N, EPERM, N },
	{ "fcntl", { 3, HIGH | F_SETFL, HIGH | O_ASYNC }, N, EPERM, N },
	{ "fcntl", { 3, F_SETOWN, 1234 }, A, A, A },
	{ "fcntl", { 3, F_SETOWN, HIGH | 1234 }, A, A, A },
	{ "fcntl", { 3, F_SETOWN, (uint64_t)-1234 }, EPERM, EPERM, EPERM },
	{ "fcntl", { 3, HIGH | F_SETOWN, 0xfffffb2e }, EPERM, EPERM, EPERM },
	{ "fcntl", { 3, F_SETOWN_EX, 0 }, EINVAL, EINVAL, EINVAL },
	{ "fcntl", { 3, F_GETOWN_EX, 0 }, A, A, A },
	{ "ioctl", { 3, 0x89ff }, A, A, A },
	{ "ioctl", { 3, 0x802c542a }, A, A, A },
	{ "ioctl", { 3, 0x40049409 }, A, A, A },
	{ "ioctl", { 3, 0xc020660b }, A, A, A },
	{ "ioctl", { 3, 0x80086601 }, A, A, A },
	{ "ioctl", { 3, 0x541e }, A, A, N },
	{ "ioctl", { 3, 0x5441 }, A, A, N },
	{ "ioctl", { 3, 0x8a00 }, A, A, N },
	{ "ioctl", { 3, 0 }, A, A, N },
	{ "ioctl", { 3, 1 }, A, A, N },
	{ "ioctl", { 3, 2 }, A, A, A },
	{ "ioctl", { 3, 3 }, A, A, N },
	{ "ioctl", { 3, 0xffffffff }, A, A, N },
	{ "ioctl", { 3, HIGH | 0x5413 }, A, A, A },
	/* sockets */
	{ "socket", { AF_UNIX, SOCK_STREAM }, A, A, A },
	{ "socket", { AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK }, A, A, A },
	{ "socket", { AF_UNIX, SOCK_SEQPACKET }, A, A, A },
	{ "socket", { AF_UNIX, SOCK_DGRAM }, EACCES, EACCES, A },
	{ "socket", { AF_UNIX, SOCK_RAW }, EACCES, EACCES, A },
	{ "socket", { HIGH | AF_UNIX, HIGH | SOCK_DGRAM }, EACCES, EACCES, A },
	{ "socket", { AF_INET, SOCK_STREAM }, A, EACCES, A },
	{ "socket", { AF_INET, SOCK_STREAM, IPPROTO_TCP }, A, EACCES, A },
	{ "socket", { AF_INET, SOCK_STREAM | SOCK_CLOEXEC, HIGH | IPPROTO_TCP }, A, EACCES, A },
	{ "socket", { AF_INET6, SOCK_STREAM }, A, EACCES, A },
	{ "socket", { AF_INET, SOCK_STREAM, 262 }, EPROTONOSUPPORT, EACCES, EPROTONOSUPPORT },
	{ "socket", { AF_INET, SOCK_STREAM, 132 }, EPROTONOSUPPORT, EACCES, EPROTONOSUPPORT },
	{ "socket", { AF_INET, SOCK_DGRAM }, EACCES, EACCES, A },
	{ "socket", { AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC }, EACCES, EACCES, A },
	{ "socket", { AF_INET, SOCK_DGRAM, IPPROTO_ICMP }, EACCES, EACCES, A },
	{ "socket", { AF_INET, SOCK_SEQPACKET, 132 }, EACCES, EACCES, EACCES },
	{ "socket", { AF_INET, SOCK_RAW, IPPROTO_ICMP }, EPERM, EPERM, EPERM },
	{ "socket", { AF_INET6, SOCK_RAW, 58 }, EPERM, EPERM, EPERM },
	{ "socket", { HIGH | AF_INET, HIGH | SOCK_RAW }, EPERM, EPERM, EPERM },
	{ "socket", { AF_INET, SOCK_PACKET, 3 }, EPERM, EPERM, EPERM },
	{ "socket", { AF_PACKET, SOCK_RAW, 3 }, EPERM, EPERM, EPERM },
	{ "socket", { AF_PACKET, SOCK_DGRAM }, EPERM, EPERM, EPERM },
	{ "socket", { HIGH | AF_PACKET, SOCK_RAW }, EPERM, EPERM, EPERM },
	{ "socket", { AF_NETLINK, SOCK_RAW, 0 }, A, A, A },
	{ "socket", { AF_NETLINK, SOCK_RAW, 4 }, EPROTONOSUPPORT, EPROTONOSUPPORT, EPROTONOSUPPORT },
	{ "socket", { AF_NETLINK, SOCK_DGRAM, 15 }, EPROTONOSUPPORT, EPROTONOSUPPORT, EPROTONOSUPPORT },
	{ "socket", { AF_ALG, SOCK_SEQPACKET }, EAFNOSUPPORT, EAFNOSUPPORT, EAFNOSUPPORT },
	{ "socket", { AF_VSOCK, SOCK_STREAM }, EAFNOSUPPORT, EAFNOSUPPORT, EAFNOSUPPORT },
	{ "socket", { 0, SOCK_STREAM }, EAFNOSUPPORT, EAFNOSUPPORT, EAFNOSUPPORT },
	{ "socket", { 0xffffffff, 1 }, EAFNOSUPPORT, EAFNOSUPPORT, EAFNOSUPPORT },
	{ "socketpair", { AF_UNIX, SOCK_STREAM }, A, A, A },
	{ "socketpair", { AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC }, A, A, A },
	{ "socketpair", { AF_UNIX, SOCK_DGRAM }, EACCES, EACCES, N },
	{ "socketpair", { AF_UNIX, SOCK_RAW | SOCK_NONBLOCK }, EACCES, EACCES, N },
	{ "socketpair", { AF_TIPC, SOCK_STREAM }, EOPNOTSUPP, EOPNOTSUPP, EOPNOTSUPP },
	{ "connect", { 3, 1, 16 }, N, EACCES, N },
	{ "listen", { 3, 5 }, N, A, N },
	{ "getpeername", { 3, 1, 1 }, A, A, N },
	{ "recvfrom", { 3, 1, 1, 0, 1, 1 }, A, A, N },
	{ "recvfrom", { 3, 1, 1, 0, HIGH, 0 }, A, A, N },
	{ "recvfrom", { 3, 1, 1, 0, 0, 0 }, A, A, A },
	{ "sendto", { 3, 1, 1, 0 }, A, A, N },
	{ "sendto", { 3, 1, 1, MSG_NOSIGNAL }, A, A, N },
	{ "sendto", { 3, 1, 1, MSG_FASTOPEN, 1, 16 }, N, EACCES, N },
	{ "sendto", { 3, 1, 1, HIGH | MSG_FASTOPEN | MSG_NOSIGNAL, 1, 16 }, N, EACCES, N },
	{ "sendmsg", { 3, 1, MSG_FASTOPEN }, N, EACCES, N },
	{ "sendmsg", { 3, 1, 0 }, A, A, N },
	{ "sendmsg", { 3, 1, (uint64_t)MSG_FASTOPEN << 32 }, A, A, N },
	{ "sendmmsg", { 3, 1, 2, MSG_FASTOPEN }, N, EACCES, N },
	{ "sendmmsg", { 3, 1, MSG_FASTOPEN, 0 }, A, A, N },
	/* credentials */
	{ "setuid", { 0 }, A, A, N },
	{ "setgid", { 0 }, A, A, N },
	{ "setreuid", { 0 }, A, A, N },
	{ "setregid", { 0 }, A, A, N },
	{ "setresuid", { 0 }, A, A, N },
	{ "setresgid", { 0 }, A, A, N },
	{ "setfsuid", { 0 }, A, A, N },
	{ "setfsgid", { 0 }, A, A, N },
	{ "setgroups", { 0 }, A, A, N },
	{ "capset", { 0 }, A, A, N },
	/* other processes */
	{ "prlimit64", { 0, 7 }, A, A, A },
	{ "prlimit64", { HIGH, 7 }, A, A, A },
	{ "prlimit64", { 1, 7 }, N, EPERM, N },
	{ "prlimit64", { 0xffffffff, 7 }, N, EPERM, N },
	{ "sched_setaffinity", { 0 }, A, A, A },
	{ "sched_setaffinity", { 1 }, N, EPERM, N },
	{ "sched_setscheduler", { 0 }, A, A, A },
	{ "sched_setscheduler", { HIGH | 1 }, N, EPERM, N },
	{ "sched_setparam", { 0 }, A, A, A },
	{ "sched_setparam", { 7 }, N, EPERM, N },
	{ "sched_setattr", { 0 }, A, A, A },
	{ "sched_setattr", { 7 }, N, EPERM, N },
	{ "setpriority", { 0, 0, 5 }, A, A, A },
	{ "setpriority", { 0, 1, 5 }, N, EPERM, N },
	{ "setpriority", { 1, 0, 5 }, EPERM, EPERM, EPERM },
	{ "setpriority", { 2, 0, 5 }, EPERM, EPERM, EPERM },
	{ "setpriority", { HIGH | 2, 1000, 5 }, EPERM, EPERM, EPERM },
	{ "setpriority", { HIGH, 0, 5 }, A, A, A },
	{ "ioprio_set", { 1, 0, 5 }, A, A, A },
	{ "ioprio_set", { 1, 5, 5 }, N, EPERM, N },
	{ "ioprio_set", { 2, 0, 5 }, EPERM, EPERM, EPERM },
	{ "ioprio_set", { 3, 0, 5 }, EPERM, EPERM, EPERM },
	{ "ioprio_set", { 0, 0, 5 }, EPERM, EPERM, EPERM },
	{ "process_madvise", { 0 }, N, EPERM, N },
	{ "process_madvise", { 3 }, N, EPERM, N },
	{ "process_madvise", { (uint64_t)-10000 }, A, A, A },
	/* SysV IPC */
	{ "shmget", { 1 }, ENOSYS, ENOSYS, N },
	{ "shmat", { 1 }, ENOSYS, ENOSYS, N },
	{ "shmctl", { 1 }, ENOSYS, ENOSYS, N },
	{ "shmdt", { 1 }, ENOSYS, ENOSYS, N },
	{ "semget", { 1 }, ENOSYS, ENOSYS, N },
	{ "semop", { 1 }, ENOSYS, ENOSYS, N },
	{ "semtimedop", { 1 }, ENOSYS, ENOSYS, N },
	{ "semctl", { 1 }, ENOSYS, ENOSYS, N },
	{ "msgget", { 1 }, ENOSYS, ENOSYS, N },
	{ "msgsnd", { 1 }, ENOSYS, ENOSYS, N },
	{ "msgrcv", { 1 }, ENOSYS, ENOSYS, N },
	{ "msgctl", { 1 }, ENOSYS, ENOSYS, N },
	{ "mq_open", { 1 }, ENOSYS, ENOSYS, N },
	{ "mq_unlink", { 1 }, ENOSYS, ENOSYS, N },
	{ "mq_timedsend", { 1 }, A, A, A },
	/* namespaces */
	{ "clone", { CLONE_VM | CLONE_VFORK | 17 }, A, A, A },
	{ "clone", { CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM }, A, A, A },
	{ "clone", { HIGH & ~HIGH }, A, A, A },
	{ "clone", { CLONE_NEWUSER | 17 }, EPERM, EPERM, EPERM },
	{ "clone", { CLONE_NEWNS }, EPERM, EPERM, EPERM },
	{ "clone", { CLONE_NEWPID }, EPERM, EPERM, EPERM },
	{ "clone", { CLONE_NEWNET }, EPERM, EPERM, EPERM },
	{ "clone", { CLONE_NEWIPC }, EPERM, EPERM, EPERM },
	{ "clone", { CLONE_NEWUTS }, EPERM, EPERM, EPERM },
	{ "clone", { CLONE_NEWCGROUP }, EPERM, EPERM, EPERM },
	{ "clone", { HIGH | CLONE_NEWUSER | CLONE_VM }, EPERM, EPERM, EPERM },
	{ "clone", { 17, CLONE_NEWUSER }, A, A, A },
	{ "clone3", { 1, 88 }, ENOSYS, ENOSYS, ENOSYS },
	{ "unshare", { CLONE_FILES | CLONE_FS }, A, A, A },
	{ "unshare", { 0 }, A, A, A },
	{ "unshare", { CLONE_NEWUSER }, EPERM, EPERM, EPERM },
	{ "unshare", { CLONE_NEWNS | CLONE_FS }, EPERM, EPERM, EPERM },
	{ "unshare", { 0x80 /* CLONE_NEWTIME */ }, EPERM, EPERM, EPERM },
	{ "unshare", { HIGH | CLONE_NEWNET }, EPERM, EPERM, EPERM },
	{ "setns", { 3 }, EPERM, EPERM, EPERM },
	/* refused whatever the arguments */
	{ "mount", { 0 }, EPERM, EPERM, EPERM },
	{ "umount2", { 0 }, EPERM, EPERM, EPERM },
	{ "pivot_root", { 0 }, EPERM, EPERM, EPERM },
	{ "chroot", { 0 }, EPERM, EPERM, EPERM },
	{ "open_tree", { 0 }, EPERM, EPERM, EPERM },
	{ "open_tree_attr", { 0 }, EPERM, EPERM, EPERM },
	{ "move_mount", { 0 }, EPERM, EPERM, EPERM },
	{ "fsopen", { 0 }, EPERM, EPERM, EPERM },
	{ "fsconfig", { 0 }, EPERM, EPERM, EPERM },
	{ "fsmount", { 0 }, EPERM, EPERM, EPERM },
	{ "fspick", { 0 }, EPERM, EPERM, EPERM },
	{ "mount_setattr", { 0 }, EPERM, EPERM, EPERM },
	{ "init_module", { 0 }, EPERM, EPERM, EPERM },
	{ "finit_module", { 0 }, EPERM, EPERM, EPERM },
	{ "delete_module", { 0 }, EPERM, EPERM, EPERM },
	{ "kexec_load", { 0 }, EPERM, EPERM, EPERM },
	{ "kexec_file_load", { 0 }, EPERM, EPERM, EPERM },
	{ "bpf", { 0 }, EPERM, EPERM, EPERM },
	{ "swapon", { 0 }, EPERM, EPERM, EPERM },
	{ "swapoff", { 0 }, EPERM, EPERM, EPERM },
	{ "reboot", { 0 }, EPERM, EPERM, EPERM },
	{ "sethostname", { 0 }, EPERM, EPERM, EPERM },
	{ "setdomainname", { 0 }, EPERM, EPERM, EPERM },
	{ "settimeofday", { 0 }, EPERM, EPERM, EPERM },
	{ "clock_settime", { 0 }, EPERM, EPERM, EPERM },
	{ "clock_adjtime", { 0 }, EPERM, EPERM, EPERM },
	{ "adjtimex", { 0 }, EPERM, EPERM, EPERM },
	{ "acct", { 0 }, EPERM, EPERM, EPERM },
	{ "quotactl", { 0 }, EPERM, EPERM, EPERM },
	{ "quotactl_fd", { 0 }, EPERM, EPERM, EPERM },
	{ "nfsservctl", { 0 }, ENOSYS, ENOSYS, ENOSYS },
	{ "vhangup", { 0 }, EPERM, EPERM, EPERM },
	{ "syslog", { 0 }, EPERM, EPERM, EPERM },
	{ "fanotify_init", { 0 }, EPERM, EPERM, EPERM },
	{ "open_by_handle_at", { 0 }, EPERM, EPERM, EPERM },
	{ "lookup_dcookie", { 0 }, EPERM, EPERM, EPERM },
	{ "userfaultfd", { 0 }, EPERM, EPERM, EPERM },
	{ "perf_event_open", { 0 }, EACCES, EACCES, EACCES },
	{ "add_key", { 0 }, ENOSYS, ENOSYS, ENOSYS },
	{ "request_key", { 0 }, ENOSYS, ENOSYS, ENOSYS },
	{ "keyctl", { 0 }, ENOSYS, ENOSYS, ENOSYS },
	{ "io_uring_setup", { 0 }, ENOSYS, ENOSYS, ENOSYS },
	{ "io_uring_enter", { 0 }, ENOSYS, ENOSYS, ENOSYS },
	{ "io_uring_register", { 0 }, ENOSYS, ENOSYS, ENOSYS },
#ifdef __x86_64__
	{ "open", { 1, O_RDONLY }, A, A, N },
	{ "open", { 1, O_PATH }, A, A, A },
	{ "creat", { 1 }, A, A, N },
	{ "mkdir", { 1 }, A, A, N },
	{ "rmdir", { 1 }, A, A, N },
	{ "rename", { 1 }, A, A, N },
	{ "link", { 1 }, A, A, N },
	{ "symlink", { 1 }, A, A, N },
	{ "unlink", { 1 }, A, A, N },
	{ "mknod", { 1 }, A, A, N },
	{ "stat", { 1 }, A, A, A },
	{ "access", { 1 }, A, A, A },
	{ "chmod", { 1 }, N, EACCES, N },
	{ "chown", { 1 }, N, EACCES, N },
	{ "lchown", { 1 }, N, EACCES, N },
	{ "utime", { 1 }, N, EACCES, N },
	{ "utimes", { 1 }, N, EACCES, N },
	{ "futimesat", { 1 }, N, EACCES, N },
	{ "uselib", { 1 }, ENOSYS, ENOSYS, ENOSYS },
	{ "_sysctl", { 1 }, ENOSYS, ENOSYS, ENOSYS },
	{ "create_module", { 1 }, ENOSYS, ENOSYS, ENOSYS },
	{ "iopl", { 3 }, EPERM, EPERM, EPERM },
	{ "ioperm", { 3 }, EPERM, EPERM, EPERM },
	{ "modify_ldt", { 0 }, A, A, A },
	{ "arch_prctl", { 0 }, A, A, A },
	{ "fork", { 0 }, A, A, A },
	{ "vfork", { 0 }, A, A, A },
	{ "uretprobe", { 0 }, A, A, A },
#endif
};
/* clang-format on */

static void build(struct sl_filter *f, const struct sl_filter_plan *plan)
{
	struct sl_error err = SL_ERROR_INIT;

	ck_assert_msg(sl_filter_build(plan, f, &err) == 0, "%s", err.text);
}

static uint32_t verdict_of(int expected)
{
	if (expected == A)
		return SECCOMP_RET_ALLOW;
	return expected == N ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ERRNO | (uint32_t)expected;
}

static void check_column(const struct sl_filter_plan *plan, size_t column, const char *title)
{
	struct sl_filter f;

	build(&f, plan);
	for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		int expected = column == 0 ? r->run : column == 1 ? r->nested : r->learn;
		int nr = sl_call_number(r->name);
		uint32_t got;

		ck_assert_msg(nr >= 0, "%s has no number", r->name);
		got = sl_filter_simulate(&f, ARCH, nr, r->args);
		ck_assert_msg(got == verdict_of(expected),
			      "%s: row %zu %s(%#llx, %#llx, %#llx): got %#x, not %#x", title, i, r->name,
			      (unsigned long long)r->args[0], (unsigned long long)r->args[1],
			      (unsigned long long)r->args[2], got, verdict_of(expected));
	}
	sl_filter_release(&f);
}

/* Only where the supervisor needs it, and only the value that closes memory. */
START_TEST(undumpable)
{
	struct sl_filter f;
	const uint64_t set[6] = {HIGH | PR_SET_DUMPABLE, HIGH | 0}, back[6] = {PR_SET_DUMPABLE, 1},
		       get[6] = {PR_GET_DUMPABLE}, name[6] = {PR_SET_NAME, 0};

	build(&f, &dumpable_plan);
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_prctl, set), SECCOMP_RET_USER_NOTIF);
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_prctl, back), SECCOMP_RET_ALLOW);
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_prctl, get), SECCOMP_RET_ALLOW);
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_prctl, name), SECCOMP_RET_ALLOW);
	sl_filter_release(&f);
	build(&f, &run_plan);
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_prctl, set), SECCOMP_RET_ALLOW);
	sl_filter_release(&f);
}
END_TEST

START_TEST(table_run)
{
	ck_assert_uint_ge(SL_ARRAY_LEN(rows), 200);
	check_column(&run_plan, 0, "run");
}
END_TEST

START_TEST(table_nested)
{
	check_column(&nested_plan, 1, "nested");
}
END_TEST

START_TEST(table_learn)
{
	check_column(&learn_plan, 2, "learn");
}
END_TEST

/* Every row of the call table is notified while learning where its op is recorded, and never allowed where it
 * is refused. */
START_TEST(table_rows)
{
	static const uint64_t zero[6];
	struct sl_filter learn, view, run, limited, run_view;
	struct sl_filter_plan with_limit = run_plan, with_view = run_plan;

	with_limit.limit_disk = with_view.view = true;
	build(&limited, &with_limit);
	build(&run_view, &with_view);

	build(&learn, &learn_plan);
	build(&view, &view_plan);
	build(&run, &run_plan);
	for (size_t i = 0; i < sl_call_count; i++) {
		const struct sl_call *c = &sl_calls[i];
		uint32_t in_learn = sl_filter_simulate(&learn, ARCH, c->nr, zero);
		uint32_t in_view = sl_filter_simulate(&view, ARCH, c->nr, zero);
		uint32_t in_run = sl_filter_simulate(&run, ARCH, c->nr, zero);

		if (c->treat == SL_TREAT_REFUSE) {
			ck_assert_uint_eq(in_learn, verdict_of(c->refuse_errno));
			ck_assert_uint_eq(in_run, verdict_of(c->refuse_errno));
		} else if (c->treat == SL_TREAT_ATTRIBUTE) {
			ck_assert_uint_eq(in_run, SECCOMP_RET_USER_NOTIF);
			ck_assert_uint_eq(in_learn, SECCOMP_RET_USER_NOTIF);
			ck_assert_uint_eq(in_view, SECCOMP_RET_USER_NOTIF);
		} else if (c->treat == SL_TREAT_ALLOW) {
			/* What only reads a name is looked at where a view has to answer, and who sets a umask. */
			bool reads = c->op >= SL_OP_CHDIR && c->op <= SL_OP_UMASK;

			bool writes = c->op == SL_OP_WRITE; /* only under a limit */
			uint32_t seen = writes ? SECCOMP_RET_ALLOW : SECCOMP_RET_USER_NOTIF;

			ck_assert_msg(in_learn == (reads ? SECCOMP_RET_ALLOW : seen), "%s", c->name);
			ck_assert_msg(in_view == seen, "%s", c->name);
			ck_assert_msg(in_run == SECCOMP_RET_ALLOW, "%s", c->name);
			ck_assert_msg(sl_filter_simulate(&limited, ARCH, c->nr, zero) ==
					  (writes ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW),
				      "%s", c->name);
			/* A view answers what names something, whoever judges it otherwise. */
			ck_assert_msg(sl_filter_simulate(&run_view, ARCH, c->nr, zero) ==
					  (c->op <= SL_OP_TRUNCATE || reads ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW),
				      "%s", c->name);
		}
	}
	sl_filter_release(&learn);
	sl_filter_release(&view);
	sl_filter_release(&run);
	sl_filter_release(&limited);
	sl_filter_release(&run_view);
}
END_TEST

static const struct {
	uint64_t flags;
	int self, write;
} self_rows[] = {
    {O_RDONLY, N, N},
    {O_RDONLY | O_CLOEXEC | O_NOFOLLOW, N, N},
    {O_RDONLY | O_DIRECTORY | O_NONBLOCK, N, N},
    {HIGH | O_RDONLY, N, N},
    {O_WRONLY, A, N},
    {O_RDWR, A, N},
    {O_ACCMODE, A, N},
    {O_WRONLY | O_CREAT | O_TRUNC, A, N},
    {O_RDONLY | O_CREAT, A, N},
    {O_PATH, A, A},
    {O_PATH | O_CREAT, A, A},
    {HIGH | O_PATH, A, A},
};

START_TEST(open_self)
{
	struct sl_filter self, writes, unheard;
	struct sl_filter_plan plan = self_plan;

	plan.listener = false;
	build(&self, &self_plan);
	build(&writes, &write_plan);
	build(&unheard, &plan);
	for (size_t i = 0; i < SL_ARRAY_LEN(self_rows); i++) {
		uint64_t args[6] = {0, 1, self_rows[i].flags};
		uint64_t legacy[6] SL_UNUSED = {1, self_rows[i].flags};

		ck_assert_uint_eq(sl_filter_simulate(&self, ARCH, __NR_openat, args),
				  verdict_of(self_rows[i].self));
		ck_assert_uint_eq(sl_filter_simulate(&writes, ARCH, __NR_openat, args),
				  verdict_of(self_rows[i].write));
		ck_assert_uint_eq(sl_filter_simulate(&unheard, ARCH, __NR_openat, args), SECCOMP_RET_ALLOW);
#ifdef __NR_open
		ck_assert_uint_eq(sl_filter_simulate(&self, ARCH, __NR_open, legacy),
				  verdict_of(self_rows[i].self));
		ck_assert_uint_eq(sl_filter_simulate(&self, ARCH, __NR_creat, legacy), SECCOMP_RET_ALLOW);
#endif
		ck_assert_uint_eq(sl_filter_simulate(&self, ARCH, __NR_openat2, args),
				  SECCOMP_RET_USER_NOTIF);
		ck_assert_uint_eq(sl_filter_simulate(&unheard, ARCH, __NR_openat2, args), SECCOMP_RET_ALLOW);
	}
	sl_filter_release(&self);
	sl_filter_release(&writes);
	sl_filter_release(&unheard);
}
END_TEST

/* Foreign architectures, x32 and unknown numbers. */
START_TEST(entries)
{
	static const int unknown[] = {SL_CALL_LAST + 1,
				      470,
				      500,
				      512,
				      520,
				      547,
				      1000,
				      0x3fffffff,
				      -1,
				      -2147483647 - 1,
				      0x40000000,
				      0x40000000 + __NR_read,
				      0x40000000 + 520,
				      0x40000000 + 545,
				      0x7fffffff};
	static const uint32_t foreign[] = {AUDIT_ARCH_I386,
					   AUDIT_ARCH_ARM,
					   AUDIT_ARCH_PPC64LE,
					   AUDIT_ARCH_RISCV64,
					   0,
					   0xffffffff,
					   ARCH ^ __AUDIT_ARCH_64BIT,
					   ARCH ^ __AUDIT_ARCH_LE};
	static const uint64_t zero[6];
	const struct sl_filter_plan *plans[] = {&run_plan, &nested_plan, &learn_plan, &self_plan};

	for (size_t p = 0; p < SL_ARRAY_LEN(plans); p++) {
		struct sl_filter f;

		build(&f, plans[p]);
		for (size_t i = 0; i < SL_ARRAY_LEN(unknown); i++)
			ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, unknown[i], zero), verdict_of(ENOSYS));
		for (int nr = 0; nr <= SL_CALL_LAST; nr++)
			if (!sl_call_is_known(nr))
				ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, nr, zero), verdict_of(ENOSYS));
		for (size_t a = 0; a < SL_ARRAY_LEN(foreign); a++)
			for (int nr = -1; nr < 600; nr++)
				ck_assert_uint_eq(sl_filter_simulate(&f, foreign[a], nr, zero),
						  verdict_of(ENOSYS));
		sl_filter_release(&f);
	}
}
END_TEST

/* A call that nobody cares for is allowed by a path that looks at nothing but its number, so the kernel
 * caches it. */
START_TEST(kernel_caches)
{
	struct sl_filter f;

	build(&f, &run_plan);
	for (int nr = 0; nr <= SL_CALL_LAST; nr++) {
		bool cached = sl_bpf_const_allow(f.insns, f.len, ARCH, (uint32_t)nr);

		if (sl_call_is_known(nr) &&
		    (!sl_call_by_nr(nr) || sl_call_by_nr(nr)->treat == SL_TREAT_ALLOW))
			ck_assert_msg(cached, "%s is not cached", sl_call_name(nr));
		if (!sl_call_is_known(nr))
			ck_assert(!cached);
	}
	ck_assert(sl_bpf_const_allow(f.insns, f.len, ARCH, __NR_openat));
	ck_assert(!sl_bpf_const_allow(f.insns, f.len, ARCH, __NR_ioctl));
	ck_assert(!sl_bpf_const_allow(f.insns, f.len, ARCH, __NR_mount));
	ck_assert(!sl_bpf_const_allow(f.insns, f.len, AUDIT_ARCH_I386, __NR_read));
	sl_filter_release(&f);
}
END_TEST

START_TEST(extra_deny)
{
	static const uint64_t zero[6];
	struct sl_strv names = SL_STRV_INIT;
	struct sl_filter_plan plan = learn_plan;
	struct sl_filter f = {NULL, 7};
	struct sl_error err = SL_ERROR_INIT;

	plan.extra_deny = &names;
	sl_strv_add(&names, "read");
	sl_strv_add(&names, "openat");
	sl_strv_add(&names, "ioctl");
	sl_strv_add(&names, "mseal");
	sl_strv_add(&names, "socketcall"); /* another architecture's */
	sl_strv_add(&names, "clone3");
	build(&f, &plan);
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_read, zero), verdict_of(EPERM));
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_openat, zero), verdict_of(EPERM));
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_ioctl, zero), verdict_of(EPERM));
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, 462, zero), verdict_of(EPERM));
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_write, zero), SECCOMP_RET_ALLOW);
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_shmget, zero), SECCOMP_RET_USER_NOTIF);
	sl_filter_release(&f);

	sl_strv_add(&names, "sysv_ipc");
	build(&f, &plan);
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_shmget, zero), verdict_of(EPERM));
	sl_filter_release(&f);

	sl_strv_add(&names, "no\nsuch");
	f.len = 7;
	ck_assert_int_eq(sl_filter_build(&plan, &f, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "\"no\\nsuch\""));
	ck_assert_uint_eq(f.len, 7);
	sl_strv_release(&names);
}
END_TEST

/* A tree whose halves are further apart than a conditional jump reaches, against a linear search. */
START_TEST(big_tree)
{
	struct sl_bpf_run runs[700];
	struct sl_bpf code = SL_BPF_INIT, b = SL_BPF_INIT;

	for (int i = 0; i < 200; i++)
		sl_bpf_load_low(&code, 1);
	sl_bpf_ret(&code, 0x1234);
	for (uint32_t i = 0; i < SL_ARRAY_LEN(runs); i++)
		runs[i] = (struct sl_bpf_run){i * 3, 0x10000 + i, i % 50 == 7 ? &code : NULL};
	sl_bpf_load_nr(&b);
	sl_bpf_tree(&b, runs, SL_ARRAY_LEN(runs));
	for (int nr = 0; nr < 2200; nr++) {
		struct seccomp_data data = {.nr = nr};
		uint32_t i = SL_MIN((uint32_t)nr / 3, (uint32_t)SL_ARRAY_LEN(runs) - 1);

		ck_assert_uint_eq(sl_bpf_run(b.insns, b.len, &data), i % 50 == 7 ? 0x1234 : 0x10000 + i);
	}
	sl_bpf_release(&code);
	sl_bpf_release(&b);
}
END_TEST

/* Runs of all kinds (single values among few verdicts, code, code with equal contents) against a linear search, before
 * and after the ends are shared; which must not make the program longer. */
START_TEST(random_trees)
{
	struct sl_bpf codes[3] = {SL_BPF_INIT, SL_BPF_INIT, SL_BPF_INIT};
	unsigned int seed = 4711;

	for (size_t i = 0; i < SL_ARRAY_LEN(codes); i++) {
		size_t block;

		sl_bpf_load_low(&codes[i], 1);
		block = sl_bpf_if_eq(&codes[i], 5);
		sl_bpf_ret(&codes[i], 2);
		sl_bpf_end(&codes[i], block);
		sl_bpf_ret(&codes[i], i == 2 ? 3 : 1);
	}
	for (int round = 0; round < 300; round++) {
		struct sl_bpf_run runs[150];
		struct sl_bpf b = SL_BPF_INIT;
		size_t count = 1 + (size_t)rand_r(&seed) % SL_ARRAY_LEN(runs), longer;
		uint32_t first = 0;

		for (size_t i = 0; i < count; i++) {
			runs[i] = (struct sl_bpf_run){first, (uint32_t)rand_r(&seed) % 4, NULL};
			if (rand_r(&seed) % 5 == 0)
				runs[i].code = &codes[rand_r(&seed) % 3];
			first += rand_r(&seed) % 3 ? 1 : 3;
		}
		sl_bpf_load_nr(&b);
		sl_bpf_tree(&b, runs, count);
		longer = b.len;
		for (int shared = 0; shared < 2; shared++) {
			for (uint32_t nr = 0, run = 0; nr < first + 3; nr++) {
				struct seccomp_data data = {.nr = (int)nr, .args = {0, nr % 2 ? 5 : 6}};
				uint32_t expected;

				while (run + 1 < count && runs[run + 1].first <= nr)
					run++;
				expected = runs[run].ret;
				if (runs[run].code)
					expected = nr % 2 ? 2 : runs[run].code == &codes[2] ? 3 : 1;
				ck_assert_uint_eq(sl_bpf_run(b.insns, b.len, &data), expected);
			}
			sl_bpf_share_ends(&b);
		}
		ck_assert_uint_le(b.len, longer);
		sl_bpf_release(&b);
	}
	for (size_t i = 0; i < SL_ARRAY_LEN(codes); i++)
		sl_bpf_release(&codes[i]);
}
END_TEST

/* Every instruction costs the kernel a quarter of a microsecond at each start. */
START_TEST(length)
{
	struct sl_filter f;

	build(&f, &run_plan);
	ck_assert_uint_le(f.len, 230);
	sl_filter_release(&f);
}
END_TEST

/* Load the program in a child and return what fn returns there, as the exit status. */
static int in_sandbox(const struct sl_filter_plan *plan, int (*fn)(void))
{
	struct sl_filter f;
	pid_t pid;
	int status;

	build(&f, plan);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || sl_seccomp_load(f.insns, f.len, 0) != 0)
			_exit(250);
		_exit(fn());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	sl_filter_release(&f);
	ck_assert_msg(WIFEXITED(status), "status %#x", status);
	ck_assert_int_ne(WEXITSTATUS(status), 250);
	return WEXITSTATUS(status);
}

/* Every row without a listener that refuses, put to the kernel: same errno. Rows that allow are left alone
 * but for harmless ones: nobody wants rows like kill() made real. Returns the first row that differs + 1,
 * modulo 200. */
static int refused_rows(void)
{
	for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
		const uint64_t *a = rows[i].args;
		int nr = sl_call_number(rows[i].name);

		if (rows[i].nested == A)
			continue;
		errno = 0;
		if (syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]) != -1 || errno != rows[i].nested)
			return (int)(i % 200) + 1;
	}
	return 0;
}

static int allowed_rows(void)
{
	int pair[2];

	if (getppid() <= 0 || open("/dev/null", O_RDWR | O_CLOEXEC) < 0)
		return 1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) || write(pair[0], "x", 1) != 1)
		return 2;
	if (syscall(__NR_prlimit64, 0, 7, NULL, NULL) || syscall(__NR_unshare, CLONE_FILES))
		return 3;
	if (syscall(__NR_setpriority, 0, 0, 19) < 0)
		return 4;
	if (socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0)
		return 5;
	return 0;
}

#ifdef __x86_64__
/* x32 numbers and the 32-bit entry: answered, not run. */
static int other_entries(void)
{
	long r;
	int ebx = 0;

	if (syscall(0x40000000 | __NR_getpid) != -1 || errno != ENOSYS)
		return 1;
	if (syscall(470) != -1 || errno != ENOSYS)
		return 2;
	if (syscall(350) != -1 || errno != ENOSYS)
		return 3;
	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(20L /* getpid */), "b"(ebx)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)r == -ENOSYS ? 0 : 4;
}
#endif

START_TEST(kernel_agrees)
{
	ck_assert_int_eq(in_sandbox(&nested_plan, refused_rows), 0);
	ck_assert_int_eq(in_sandbox(&nested_plan, allowed_rows), 0);
#ifdef __x86_64__
	ck_assert_int_eq(in_sandbox(&nested_plan, other_entries), 0);
#endif
}
END_TEST

static int nothing(void)
{
	return 0;
}

START_TEST(kernel_loads)
{
	ck_assert_int_eq(in_sandbox(&run_plan, nothing), 0);
	ck_assert_int_eq(in_sandbox(&self_plan, nothing), 0);
	ck_assert_int_eq(in_sandbox(&learn_plan, nothing), 0);
}
END_TEST

/* What the limits add: forks but no threads, each sched_setaffinity, large shared anonymous mappings. */
START_TEST(R7_limits)
{
	const uint64_t limit = (5ULL << 32) + 7;
	const struct sl_filter_plan plans[] = {
	    {.listener = true, .attributes = true, .net = NET_NOTHING, .limit_processes = true, .limit_cpus = true,
	     .limit_memory = limit, .allow_sysv_ipc = true},
	    {.net = NET_NESTED, .limit_processes = true, .limit_cpus = true, .limit_memory = limit,
	     .allow_sysv_ipc = true},
	    {.listener = true, .observe = true, .measure = true, .net = NET_LEARN, .allow_sysv_ipc = true},
	};
	static const struct {
		int nr;
		uint64_t args[6];
		int expected[3];
	} cases[] = {
#ifdef __x86_64__
	    {__NR_fork, {0}, {N, A, N}},
	    {__NR_vfork, {0}, {N, A, N}},
#endif
	    {__NR_clone, {SIGCHLD}, {N, A, N}},
	    {__NR_clone, {CLONE_VM | CLONE_VFORK | SIGCHLD}, {N, A, N}},
	    {__NR_clone, {CLONE_VM | CLONE_SIGHAND | CLONE_THREAD}, {A, A, A}},
	    {__NR_clone, {(uint64_t)CLONE_THREAD << 32}, {N, A, N}},
	    {__NR_clone, {CLONE_NEWUSER | CLONE_THREAD}, {EPERM, EPERM, EPERM}},
	    {__NR_clone3, {0}, {ENOSYS, ENOSYS, ENOSYS}},
	    {__NR_exit_group, {0}, {N, A, N}},
	    {__NR_exit, {0}, {A, A, A}},
	    {__NR_sched_setaffinity, {0, 8, 1}, {N, EPERM, A}},
	    {__NR_sched_setscheduler, {0, 8, 1}, {A, A, A}},
	    {__NR_shmget, {0}, {N, A, N}},
	    {__NR_mmap, {0, limit, 3, MAP_SHARED | MAP_ANONYMOUS}, {A, A, A}},
	    {__NR_mmap, {0, limit + 1, 3, MAP_SHARED | MAP_ANONYMOUS}, {ENOMEM, ENOMEM, A}},
	    {__NR_mmap, {0, limit + 1, PROT_READ, 3 | MAP_ANONYMOUS}, {ENOMEM, ENOMEM, A}},
	    {__NR_mmap, {0, 6ULL << 32, 3, MAP_SHARED | MAP_ANONYMOUS}, {ENOMEM, ENOMEM, A}},
	    {__NR_mmap, {0, UINT64_MAX, 3, MAP_SHARED | MAP_ANONYMOUS}, {ENOMEM, ENOMEM, A}},
	    {__NR_mmap, {0, 4ULL << 32, 3, MAP_SHARED | MAP_ANONYMOUS}, {A, A, A}},
	    {__NR_mmap, {0, limit + 1, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS}, {A, A, A}},
	    {__NR_mmap, {0, limit + 1, 3, MAP_PRIVATE | MAP_ANONYMOUS}, {A, A, A}},
	    {__NR_mmap, {0, limit + 1, 3, MAP_SHARED}, {A, A, A}},
	    /* Room is made for stacks; shared ones are judged as all that is shared. */
	    {__NR_mmap, {0, 8 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK}, {N, A, A}},
	    {__NR_mmap, {0, limit + 1, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_STACK}, {ENOMEM, ENOMEM, A}},
	};

	for (size_t p = 0; p < SL_ARRAY_LEN(plans); p++) {
		struct sl_filter f;

		build(&f, &plans[p]);
		for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
			uint32_t got = sl_filter_simulate(&f, ARCH, cases[i].nr, cases[i].args);

			ck_assert_msg(got == verdict_of(cases[i].expected[p]), "plan %zu, case %zu: %#x", p, i, got);
		}
		sl_filter_release(&f);
	}
}
END_TEST

/* A cgroup that holds the limit of memory needs no end of a process, and no segment, to be seen. */
START_TEST(R7_held_by_a_group)
{
	const struct sl_filter_plan plan = {.listener = true,	 .attributes = true,	.net = NET_NOTHING,
					    .limit_memory = 1 << 20, .memory_held = true, .allow_sysv_ipc = true};
	static const uint64_t none[6], shared[6] = {0, 2 << 20, 3, MAP_SHARED | MAP_ANONYMOUS};
	struct sl_filter f;

	build(&f, &plan);
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_exit_group, none), verdict_of(A));
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_shmget, none), verdict_of(A));
	ck_assert_uint_eq(sl_filter_simulate(&f, ARCH, __NR_mmap, shared), verdict_of(ENOMEM));
	sl_filter_release(&f);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy-filter");
	TCase *t = tcase_create("filter");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, table_run);
	tcase_add_test(t, table_nested);
	tcase_add_test(t, table_learn);
	tcase_add_test(t, table_rows);
	tcase_add_test(t, open_self);
	tcase_add_test(t, entries);
	tcase_add_test(t, kernel_caches);
	tcase_add_test(t, extra_deny);
	tcase_add_test(t, R7_held_by_a_group);
	tcase_add_test(t, big_tree);
	tcase_add_test(t, random_trees);
	tcase_add_test(t, length);
	tcase_add_test(t, kernel_agrees);
	tcase_add_test(t, kernel_loads);
	tcase_add_test(t, undumpable);
	tcase_add_test(t, R7_limits);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
