/*
 * call-names.h - names of system calls as [syscalls] allow has them: the same on x86_64 and aarch64.
 *
 * A call that only x86_64 has (open, stat, poll ...) is known by the name of the one that took its place:
 * that name stands for both, so a profile that was learned on one architecture, or with one libc, holds on
 * the other. "@base" stands for what every C library needs to start, to allocate, to use its descriptors, to
 * tell the time and to end, and for harmless calls that are made often: what may be opened, executed or
 * written is Landlock's to say, not theirs.
 *
 * The two lists are macros, so that the policy can make tables by number from them at compile time.
 */
#ifndef SL_PROFILE_CALL_NAMES_H
#define SL_PROFILE_CALL_NAMES_H

#include <stdbool.h>

#define SL_CALL_BASE "@base"

/* L(name on x86_64 alone, portable name). */
/* clang-format off */
#define SL_CALL_LEGACY_NAMES(L)                                                                              \
	L(access, faccessat) L(alarm, setitimer) L(chmod, fchmodat) L(chown, fchownat)                       \
	L(creat, openat) L(dup2, dup3) L(epoll_create, epoll_create1) L(epoll_wait, epoll_pwait)             \
	L(eventfd, eventfd2) L(fork, clone) L(futimesat, utimensat) L(getdents, getdents64)                  \
	L(getpgrp, getpgid) L(inotify_init, inotify_init1) L(lchown, fchownat) L(link, linkat)               \
	L(lstat, newfstatat) L(mkdir, mkdirat) L(mknod, mknodat) L(open, openat) L(pause, ppoll)             \
	L(pipe, pipe2) L(poll, ppoll) L(readlink, readlinkat) L(rename, renameat) L(rmdir, unlinkat)         \
	L(select, pselect6) L(signalfd, signalfd4) L(stat, newfstatat) L(symlink, symlinkat)                 \
	L(time, gettimeofday) L(unlink, unlinkat) L(utime, utimensat) L(utimes, utimensat) L(vfork, clone)

/* B(portable name) for those that every architecture has, X(name) for those of x86_64 alone; in byte order. */
#define SL_CALL_BASE_NAMES(B, X)                                                                             \
	X(arch_prctl) B(brk) B(clock_getres) B(clock_gettime) B(clock_nanosleep) B(close) B(dup) B(dup3)     \
	B(execve) B(exit) B(exit_group) B(faccessat) B(faccessat2) B(fcntl) B(fstat) B(futex) B(getcwd)      \
	B(getdents64) B(getegid) B(geteuid) B(getgid) B(getpid) B(getppid) B(getrandom) B(gettid)            \
	B(gettimeofday) B(getuid) B(ioctl) B(lseek) B(madvise) B(mmap) B(mprotect) B(mremap) B(munmap)       \
	B(nanosleep) B(newfstatat) B(openat) B(pipe2) B(ppoll) B(pread64) B(prlimit64) B(pwrite64) B(read)   \
	B(readlinkat) B(readv) B(restart_syscall) B(rseq) B(rt_sigaction) B(rt_sigprocmask)                  \
	B(rt_sigreturn) B(sched_yield) B(set_robust_list) B(set_tid_address) B(sigaltstack) B(statx)         \
	B(sysinfo) B(tgkill) B(uname) B(write) B(writev)
/* clang-format on */

/* The members of "@base", portable names in byte order; ends with NULL. */
extern const char *const sl_call_base[];

/* The portable name of a call: its own where nothing took its place. The string is static or name itself. */
const char *sl_call_portable(const char *name);

/* Is this call (by any of its names) one of "@base"? */
bool sl_call_in_base(const char *name);

struct sl_list;

/* Take out of a list what another of its entries stands for: members of "@base" beside it, a name of x86_64
 * alone beside its portable one. */
void sl_call_list_absorb(struct sl_list *list);

#endif
