/*
 * container - run a command under what a default container has: the seccomp profile that Docker and Podman load (by what it
 * refuses) and, for root, their set of capabilities. Namespaces make no difference to what is tested with it.
 *
 * usage: container COMMAND [ARGUMENT...]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REFUSE(error) (SECCOMP_RET_ERRNO | (error))
#define LOAD(field)   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
#define LOAD_ARG(n)   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offsetof(struct seccomp_data, args) + 8 * (n)))
#define RET(value)    BPF_STMT(BPF_RET | BPF_K, (value))
#define UNLESS(k, n)  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), 0, (n))

#define FIRST_UNKNOWN	451 /* cachestat: newer calls are not on the list, so they are EPERM */
#define NAMESPACE_FLAGS 0x7e020000U

/* What a container without further capabilities lacks, by number. */
static const int refused[] = {
	SYS_acct, SYS_add_key, SYS_bpf, SYS_chroot, SYS_delete_module, SYS_fanotify_init, SYS_finit_module, SYS_fsconfig,
	SYS_fsmount, SYS_fsopen, SYS_fspick, SYS_get_mempolicy, SYS_init_module, SYS_io_uring_enter, SYS_io_uring_register,
	SYS_io_uring_setup, SYS_kcmp, SYS_kexec_file_load, SYS_kexec_load, SYS_keyctl, SYS_lookup_dcookie, SYS_mbind,
	SYS_migrate_pages, SYS_mount, SYS_mount_setattr, SYS_move_mount, SYS_move_pages, SYS_nfsservctl, SYS_open_by_handle_at,
	SYS_open_tree, SYS_perf_event_open, SYS_pidfd_getfd, SYS_pivot_root, SYS_process_madvise, SYS_quotactl,
	SYS_quotactl_fd, SYS_reboot, SYS_request_key, SYS_set_mempolicy, SYS_setdomainname, SYS_sethostname, SYS_setns,
	SYS_settimeofday, SYS_swapoff, SYS_swapon, SYS_syslog, SYS_umount2, SYS_unshare, SYS_userfaultfd, SYS_vhangup,
	SYS_clock_settime,
};

static const int kept[] = {
	CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FSETID, CAP_FOWNER, CAP_MKNOD, CAP_NET_RAW, CAP_SETGID, CAP_SETUID, CAP_SETFCAP,
	CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT, CAP_KILL, CAP_AUDIT_WRITE,
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int fail(const char *what)
{
	perror(what);
	return 125;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2] = {0};
	uint64_t keep = 0;

	for (size_t i = 0; i < COUNT(kept); i++)
		keep |= 1ULL << kept[i];
	for (int cap = 0; cap <= 40; cap++)
		if (!(keep & 1ULL << cap) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) && errno != EINVAL)
			return -1;
	for (int half = 0; half < 2; half++)
		sets[half].permitted = sets[half].effective = (uint32_t)(keep >> 32 * half);
	return (int)syscall(SYS_capset, &header, sets);
}

static int load_filter(void)
{
	struct sock_filter program[COUNT(refused) * 2 + 32];
	unsigned short n = 0;

	program[n++] = (struct sock_filter)LOAD(nr);
	for (size_t i = 0; i < COUNT(refused); i++) {
		program[n++] = (struct sock_filter)UNLESS((uint32_t)refused[i], 1);
		program[n++] = (struct sock_filter)RET(REFUSE(EPERM));
	}
	program[n++] = (struct sock_filter)UNLESS(SYS_clone3, 1);
	program[n++] = (struct sock_filter)RET(REFUSE(ENOSYS));
	program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FIRST_UNKNOWN, 0, 1);
	program[n++] = (struct sock_filter)RET(REFUSE(EPERM));
	program[n++] = (struct sock_filter)UNLESS(SYS_clone, 3);
	program[n++] = (struct sock_filter)LOAD_ARG(0);
	program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NAMESPACE_FLAGS, 0, 6);
	program[n++] = (struct sock_filter)RET(REFUSE(EPERM));
	program[n++] = (struct sock_filter)UNLESS(SYS_socket, 4);
	program[n++] = (struct sock_filter)LOAD_ARG(0);
	program[n++] = (struct sock_filter)UNLESS(AF_VSOCK, 2);
	program[n++] = (struct sock_filter)RET(REFUSE(EPERM));
	program[n++] = (struct sock_filter)RET(SECCOMP_RET_ALLOW);
	program[n++] = (struct sock_filter)RET(SECCOMP_RET_ALLOW);
	/* A container's runtime loads it with CAP_SYS_ADMIN; the bit makes no other difference here. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &(struct sock_fprog){.len = n, .filter = program});
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: container COMMAND [ARGUMENT...]\n");
		return 2;
	}
	if (geteuid() == 0 && drop_capabilities())
		return fail("capabilities");
	if (load_filter())
		return fail("seccomp");
	execvp(argv[1], argv + 1);
	return fail(argv[1]);
}
