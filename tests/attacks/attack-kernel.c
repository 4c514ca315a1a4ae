/*
 * attack-kernel.c - what no profile can grant: namespaces, mounts, the kernel itself, foreign entry points, the
 * terminal's input queue.
 *
 * usage: attack-kernel namespaces|mounts|kernel|entry|terminal|fallback|privileges
 *
 * Run bare, every attempt either works or fails later than in the sandbox: those that would harm the machine carry
 * arguments that the kernel refuses after it asked for the privilege. What an ordinary user may not do is tried
 * in a user namespace of its own, which bare exists and confined does not.
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/mount.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>

#include "attack.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

/* In the half of a register that the kernel drops: a filter that compares all of it would be fooled. */
#define RUBBISH 0x5a5a5a5a00000000UL

/* With a user namespace of its own anybody may have the others; root may have them without, also where no user
 * namespace can be made (in a chroot). Both ways are tried. */
static long unshare_one(unsigned long flag)
{
	long r = syscall(SYS_unshare, flag | CLONE_NEWUSER);

	return r < 0 && errno == EPERM ? syscall(SYS_unshare, flag) : r;
}

static long clone_one(unsigned long flag)
{
	long pid = syscall(SYS_clone, flag | CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid < 0 && errno == EPERM)
		pid = syscall(SYS_clone, flag | SIGCHLD, NULL, NULL, NULL, NULL);
	if (!pid)
		_exit(0);
	return pid;
}

static long clone3_one(unsigned long flag)
{
	struct clone_args args = {.flags = flag | CLONE_NEWUSER, .exit_signal = SIGCHLD};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid < 0 && errno == EPERM) {
		args.flags = flag;
		pid = syscall(SYS_clone3, &args, sizeof(args));
	}
	if (!pid)
		_exit(0);
	return pid;
}

/* Into the namespaces of a child that has new ones (bare), or of itself (confined, where the child has none). */
static long setns_one(unsigned long flag)
{
	int ready[2];
	char byte;
	long r;

	if (pipe(ready) < 0)
		attack_die("pipe");
	pid_t pid = fork();
	if (!pid) {
		unshare_one(flag);
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(0);
	}
	if (read(ready[0], &byte, 1) != 1)
		attack_die("read");
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		attack_die("pidfd_open");
	r = syscall(SYS_setns, pidfd, flag | CLONE_NEWUSER);
	if (r < 0 && (errno == EPERM || errno == EINVAL))
		r = syscall(SYS_setns, pidfd, flag);
	int saved = errno;
	kill(pid, SIGKILL);
	errno = saved;
	return r;
}

static void namespaces(void)
{
	static const struct {
		const char *name;
		unsigned long flag;
	} flags[] = {
	    {"newns", CLONE_NEWNS},   {"newcgroup", CLONE_NEWCGROUP}, {"newuts", CLONE_NEWUTS},
	    {"newipc", CLONE_NEWIPC}, {"newuser", CLONE_NEWUSER},     {"newpid", CLONE_NEWPID},
	    {"newnet", CLONE_NEWNET}, {"newtime", CLONE_NEWTIME},     {"newnet-rubbish", CLONE_NEWNET | RUBBISH},
	};
	static const struct {
		const char *name;
		long (*run)(unsigned long flag);
	} ways[] = {{"unshare", unshare_one}, {"clone", clone_one}, {"clone3", clone3_one}, {"setns", setns_one}};

	for (size_t w = 0; w < ATTACK_LEN(ways); w++)
		for (size_t f = 0; f < ATTACK_LEN(flags); f++) {
			char name[64];
			int status = 0;
			pid_t pid;

			/* clone(2) has the signal in those bits; clone3 and setns take no rubbish */
			if (ways[w].run == clone_one && flags[f].flag == CLONE_NEWTIME)
				continue;
			if ((ways[w].run == clone3_one || ways[w].run == setns_one) && flags[f].flag > UINT32_MAX)
				continue;
			snprintf(name, sizeof(name), "%s-%s", ways[w].name, flags[f].name);
			pid = fork();
			if (!pid)
				_exit(ways[w].run(flags[f].flag) == -1 ? errno : 0);
			waitpid(pid, &status, 0);
			attack_report(name, status);
		}
}

/* In a chroot "/" is no mount point, and mounts made there would show outside. Walk out to the root of the namespace, which
 * is our own copy by now, and come back. */
static int private_from_above(void)
{
	int here = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), result;

	if (here < 0 || chroot("/usr") < 0 || fchdir(here) < 0)
		return -1;
	for (int i = 0; i < 64; i++)
		if (chdir("..") < 0)
			return -1;
	result = mount(NULL, ".", NULL, MS_REC | MS_PRIVATE, NULL);
	if (fchdir(here) < 0 || chroot(".") < 0)
		return -1;
	close(here);
	return result;
}

/* In a mount namespace of our own, so that nothing bare reaches the machine's mounts. Where there can be none, confined or
 * as an ordinary user, the attempts that follow are harmless. A root that has one but cannot cut it off must not go on. */
static void private_mounts(void)
{
	if (syscall(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS) && syscall(SYS_unshare, CLONE_NEWNS))
		return;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 && private_from_above() < 0)
		attack_die("a private mount namespace");
}

static long try_mount(void)
{
	private_mounts();
	return mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
}

static long try_bind(void)
{
	private_mounts();
	return mount("/usr", "/tmp", NULL, MS_BIND, NULL);
}

static long try_remount(void)
{
	private_mounts();
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static long try_umount(void)
{
	private_mounts();
	mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
	return umount2("/tmp", MNT_DETACH);
}

static long try_pivot_root(void)
{
	private_mounts();
	mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
	if (chdir("/tmp") < 0)
		attack_die("chdir");
	return syscall(SYS_pivot_root, ".", ".");
}

static long try_chroot(void)
{
	private_mounts();
	return chroot("/usr");
}

static long try_fsopen(void)
{
	private_mounts();
	return syscall(SYS_fsopen, "tmpfs", 0);
}

static long try_fsconfig(void)
{
	private_mounts();
	return syscall(SYS_fsconfig, syscall(SYS_fsopen, "tmpfs", 0), FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

static long try_fsmount(void)
{
	long fs;

	private_mounts();
	fs = syscall(SYS_fsopen, "tmpfs", 0);
	syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	return syscall(SYS_fsmount, fs, 0, 0);
}

static long try_fspick(void)
{
	private_mounts();
	mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
	return syscall(SYS_fspick, AT_FDCWD, "/tmp", 0);
}

static long try_open_tree(void)
{
	return syscall(SYS_open_tree, AT_FDCWD, "/usr", 0);
}

static long try_open_tree_clone(void)
{
	private_mounts();
	return syscall(SYS_open_tree, AT_FDCWD, "/usr", OPEN_TREE_CLONE);
}

static long try_open_tree_attr(void)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NODEV};

	private_mounts();
	return syscall(ATTACK_NR_open_tree_attr, AT_FDCWD, "/usr", OPEN_TREE_CLONE, &attr, sizeof(attr));
}

static long try_move_mount(void)
{
	long tree;

	private_mounts();
	tree = syscall(SYS_open_tree, AT_FDCWD, "/usr", OPEN_TREE_CLONE);
	return syscall(SYS_move_mount, tree, "", AT_FDCWD, "/tmp", MOVE_MOUNT_F_EMPTY_PATH);
}

static long try_mount_setattr(void)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NODEV};

	private_mounts();
	mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
	return syscall(SYS_mount_setattr, AT_FDCWD, "/tmp", 0, &attr, sizeof(attr));
}

static const struct attempt mounts[] = {
    {"mount", try_mount},
    {"mount-bind", try_bind},
    {"mount-private", try_remount},
    {"umount2", try_umount},
    {"pivot_root", try_pivot_root},
    {"chroot", try_chroot},
    {"fsopen", try_fsopen},
    {"fsconfig", try_fsconfig},
    {"fsmount", try_fsmount},
    {"fspick", try_fspick},
    {"open_tree", try_open_tree},
    {"open_tree-clone", try_open_tree_clone},
    {"open_tree_attr", try_open_tree_attr},
    {"move_mount", try_move_mount},
    {"mount_setattr", try_mount_setattr},
};

static long try_init_module(void)
{
	return syscall(SYS_init_module, "", 0UL, "");
}

static long try_finit_module(void)
{
	return syscall(SYS_finit_module, -1, "", 0);
}

static long try_delete_module(void)
{
	return syscall(SYS_delete_module, "no-such-module", O_NONBLOCK);
}

static long try_kexec_load(void)
{
	return syscall(SYS_kexec_load, 0UL, 0UL, NULL, 0xffff0000UL);
}

static long try_kexec_file_load(void)
{
	return syscall(SYS_kexec_file_load, -1, -1, 0UL, NULL, 0xffffUL);
}

static long try_bpf(void)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};

	return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static long try_add_key(void)
{
	return syscall(SYS_add_key, "user", "attack", "x", 1UL, -2 /* KEY_SPEC_PROCESS_KEYRING */);
}

static long try_request_key(void)
{
	syscall(SYS_add_key, "user", "attack", "x", 1UL, -2);
	return syscall(SYS_request_key, "user", "attack", NULL, -2);
}

static long try_keyctl(void)
{
	return syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -2, 1);
}

static long try_keyctl_session(void)
{
	return syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL);
}

static long try_io_uring_setup(void)
{
	struct io_uring_params params = {0};

	return syscall(SYS_io_uring_setup, 4, &params);
}

static long try_io_uring_enter(void)
{
	return syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0);
}

static long try_io_uring_register(void)
{
	return syscall(SYS_io_uring_register, -1, 0, NULL, 0);
}

static long try_userfaultfd(void)
{
	return syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY);
}

static long try_perf_event_open(void)
{
	struct perf_event_attr attr = {
	    .type = PERF_TYPE_SOFTWARE,
	    .size = sizeof(attr),
	    .config = PERF_COUNT_SW_TASK_CLOCK,
	    .exclude_kernel = 1,
	};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static long try_swapon(void)
{
	return syscall(SYS_swapon, "/no/such/swap", 0);
}

static long try_swapoff(void)
{
	return syscall(SYS_swapoff, "/no/such/swap");
}

static long try_reboot(void)
{
	return syscall(SYS_reboot, 0, 0, 0, NULL);
}

static long try_sethostname(void)
{
	return syscall(SYS_sethostname, NULL, -1);
}

static long try_setdomainname(void)
{
	return syscall(SYS_setdomainname, NULL, -1);
}

static long try_settimeofday(void)
{
	return syscall(SYS_settimeofday, NULL, NULL);
}

static long try_clock_settime(void)
{
	struct timespec never = {.tv_sec = -1, .tv_nsec = -1};

	return syscall(SYS_clock_settime, CLOCK_REALTIME, &never);
}

static long try_adjtimex(void)
{
	struct timex t = {.modes = 0};

	return syscall(SYS_adjtimex, &t);
}

static long try_clock_adjtime(void)
{
	struct timex t = {.modes = 0};

	return syscall(SYS_clock_adjtime, CLOCK_REALTIME, &t);
}

static long try_acct(void)
{
	return syscall(SYS_acct, "/no/such/file");
}

static long try_quotactl(void)
{
	return syscall(SYS_quotactl, 0x80000200 /* QCMD(Q_QUOTAON, USRQUOTA) */, "/no/such/device", 0, NULL);
}

static long try_syslog(void)
{
	return syscall(SYS_syslog, 10 /* SYSLOG_ACTION_SIZE_BUFFER */, NULL, 0);
}

static long try_syslog_read(void)
{
	return syscall(SYS_syslog, 3 /* SYSLOG_ACTION_READ_ALL */, NULL, -1);
}

static long try_fanotify(void)
{
	return syscall(SYS_fanotify_init, FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY);
}

static long try_open_by_handle(void)
{
	struct {
		struct file_handle handle;
		unsigned char bytes[128];
	} h = {.handle.handle_bytes = 128};
	int mount_id;

	if (chdir("/usr") < 0 || name_to_handle_at(AT_FDCWD, ".", &h.handle, &mount_id, 0) < 0)
		attack_die("name_to_handle_at");
	return open_by_handle_at(AT_FDCWD, &h.handle, O_PATH);
}

static long try_vhangup(void)
{
	if (setsid() < 0)
		attack_die("setsid");
	return vhangup();
}

static long try_nfsservctl(void)
{
	return syscall(SYS_nfsservctl, 0, NULL, NULL);
}

#ifdef __x86_64__
static long try_iopl(void)
{
	return syscall(SYS_iopl, 3);
}

static long try_ioperm(void)
{
	return syscall(SYS_ioperm, 0x80UL, 1UL, 1);
}

static long try_uselib(void)
{
	return syscall(SYS_uselib, "/no/such/library");
}
#endif

static const struct attempt kernel[] = {
    {"init_module", try_init_module},
    {"finit_module", try_finit_module},
    {"delete_module", try_delete_module},
    {"kexec_load", try_kexec_load},
    {"kexec_file_load", try_kexec_file_load},
    {"bpf", try_bpf},
    {"add_key", try_add_key},
    {"request_key", try_request_key},
    {"keyctl", try_keyctl},
    {"keyctl-session", try_keyctl_session},
    {"io_uring_setup", try_io_uring_setup},
    {"io_uring_enter", try_io_uring_enter},
    {"io_uring_register", try_io_uring_register},
    {"userfaultfd", try_userfaultfd},
    {"perf_event_open", try_perf_event_open},
    {"swapon", try_swapon},
    {"swapoff", try_swapoff},
    {"reboot", try_reboot},
    {"sethostname", try_sethostname},
    {"setdomainname", try_setdomainname},
    {"settimeofday", try_settimeofday},
    {"clock_settime", try_clock_settime},
    {"adjtimex", try_adjtimex},
    {"clock_adjtime", try_clock_adjtime},
    {"acct", try_acct},
    {"quotactl", try_quotactl},
    {"syslog", try_syslog},
    {"syslog-read", try_syslog_read},
    {"fanotify_init", try_fanotify},
    {"open_by_handle_at", try_open_by_handle},
    {"vhangup", try_vhangup},
    {"nfsservctl", try_nfsservctl},
#ifdef __x86_64__
    {"iopl", try_iopl},
    {"ioperm", try_ioperm},
    {"uselib", try_uselib},
#endif
};

/* A number of the native table behind each entry point that is not the native one, and numbers of the future. */
static long future_first(void)
{
	return syscall(470);
}

static long future_far(void)
{
	return syscall(100000);
}

static long gap(void)
{
	return syscall(400);
}

static long negative(void)
{
	return syscall(-1000);
}

#ifdef __x86_64__
static long as_x32(void)
{
	return syscall(0x40000000 | SYS_getpid);
}

static long as_x32_own(void)
{
	return syscall(0x40000000 | 512 /* x32's rt_sigaction */);
}

static long as_i386(long number, long argument)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(number), "b"(argument), "c"(0L), "d"(0L) : "memory", "r8", "r9", "r10", "r11");
	if (r < 0) {
		errno = (int)-r;
		return -1;
	}
	return r;
}

static long i386_getpid(void)
{
	return as_i386(20, 0);
}

static long i386_unshare(void)
{
	return as_i386(310, CLONE_NEWUSER);
}

/* A chdir whose string a 32-bit call can reach. */
static long i386_open(void)
{
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (low == MAP_FAILED)
		attack_die("mmap");
	memcpy(low, "/etc/passwd", 12);
	return as_i386(5, (long)low);
}
#endif

static const struct attempt entry[] = {
    {"future-470", future_first},
    {"future-100000", future_far},
    {"gap-400", gap},
    {"negative", negative},
#ifdef __x86_64__
    {"x32-getpid", as_x32},
    {"x32-rt_sigaction", as_x32_own},
    {"i386-getpid", i386_getpid},
    {"i386-unshare", i386_unshare},
    {"i386-open", i386_open},
#endif
};

static long terminal_ioctl(unsigned long request, void *argument)
{
	return syscall(SYS_ioctl, 0, request, argument);
}

static long try_tiocsti(void)
{
	return terminal_ioctl(TIOCSTI, "x");
}

static long try_tiocsti_rubbish(void)
{
	return terminal_ioctl(TIOCSTI | RUBBISH, "x");
}

static long try_tioclinux(void)
{
	char selection = 2; /* paste */

	return terminal_ioctl(TIOCLINUX, &selection);
}

static long try_tioccons(void)
{
	return terminal_ioctl(TIOCCONS, NULL);
}

static long try_tiocsetd(void)
{
	int discipline = 0;

	return terminal_ioctl(TIOCSETD, &discipline);
}

static long try_tiocgwinsz(void)
{
	struct winsize size;

	return terminal_ioctl(TIOCGWINSZ, &size);
}

static const struct attempt terminal[] = {
    {"TIOCSTI", try_tiocsti},
    {"TIOCSTI-rubbish", try_tiocsti_rubbish},
    {"TIOCLINUX", try_tioclinux},
    {"TIOCCONS", try_tioccons},
    {"TIOCSETD", try_tiocsetd},
    {"TIOCGWINSZ", try_tiocgwinsz},
};

static void *thread(void *argument)
{
	return argument;
}

/* glibc tries clone3 first. */
static long fall_back_thread(void)
{
	pthread_t t;
	int r = pthread_create(&t, NULL, thread, NULL);

	if (r) {
		errno = r;
		return -1;
	}
	pthread_join(t, NULL);
	return 0;
}

static long fall_back_spawn(void)
{
	char *const argv[] = {(char *)"attack-kernel", (char *)"nothing", NULL};
	int status = 0;
	pid_t pid;
	int r = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, NULL);

	if (r) {
		errno = r;
		return -1;
	}
	waitpid(pid, &status, 0);
	errno = ECHILD;
	return status ? -1 : 0;
}

static long plain_unshare(void)
{
	return syscall(SYS_unshare, CLONE_FILES | CLONE_FS);
}

static const struct attempt fallback[] = {
    {"pthread_create", fall_back_thread},
    {"posix_spawn", fall_back_spawn},
    {"unshare-files", plain_unshare},
};

static void privileges(void)
{
	printf("no_new_privs: %d\neuid: %u\negid: %u\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), geteuid(), getegid());
	/* it cannot be taken off again */
	printf("unset: %s\n", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) ? strerrorname_np(errno) : "SUCCEEDED");
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(what, "namespaces"))
		namespaces();
	else if (!strcmp(what, "mounts"))
		attack_table(mounts, ATTACK_LEN(mounts));
	else if (!strcmp(what, "kernel"))
		attack_table(kernel, ATTACK_LEN(kernel));
	else if (!strcmp(what, "entry"))
		attack_table(entry, ATTACK_LEN(entry));
	else if (!strcmp(what, "terminal"))
		attack_table(terminal, ATTACK_LEN(terminal));
	else if (!strcmp(what, "fallback"))
		attack_table(fallback, ATTACK_LEN(fallback));
	else if (!strcmp(what, "privileges"))
		privileges();
	else if (strcmp(what, "nothing"))
		return 2;
	return 0;
}
