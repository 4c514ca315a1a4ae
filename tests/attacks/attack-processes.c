/*
 * attack-processes.c - reaching a process outside by a call on its number, its pidfd, or a name in a space
 * that is neither files nor network.
 *
 * usage: attack-processes victim             the process that is attacked: prints its pid and its addresses,
 * waits attack-processes outside PID ADDR   attempts on it: ADDR is of 8 bytes that it prints when it ends
 *        attack-processes inside             the same attempts on a child of this process
 *        attack-processes tool               those that would do harm, on the parent: the tool
 *        attack-processes group              a signal to the process group, which is the caller's
 *        attack-processes threads            setting what is checked by number on each thread of the parent
 */
#include <asm/sockios.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/kcmp.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "attack.h"

#define SECRET_VALUE 0x1122334455667788UL
#define NOBODY	     54321 /* a user without processes: bare, nothing on the machine changes */

static pid_t target;
static uint64_t target_address;
static volatile uint64_t secret = SECRET_VALUE;

static int target_pidfd(void)
{
	int fd = (int)syscall(SYS_pidfd_open, target, 0);

	if (fd < 0)
		attack_die("pidfd_open");
	return fd;
}

/* Signals. Signal 0 asks only whether one might; the others would end the victim. */

static long s_kill_0(void)
{
	return kill(target, 0);
}

static long s_kill(void)
{
	return kill(target, SIGURG);
}

static long s_kill_stop(void)
{
	return kill(target, SIGCONT);
}

static long s_tkill(void)
{
	return syscall(SYS_tkill, target, SIGURG);
}

static long s_tgkill(void)
{
	return syscall(SYS_tgkill, target, target, SIGURG);
}

static long s_kill_group(void)
{
	return kill(-getpgid(target), SIGURG);
}

static long s_queue(void)
{
	siginfo_t info = {.si_code = SI_QUEUE};

	return syscall(SYS_rt_sigqueueinfo, target, SIGURG, &info);
}

static long s_tgqueue(void)
{
	siginfo_t info = {.si_code = SI_QUEUE};

	return syscall(SYS_rt_tgsigqueueinfo, target, target, SIGURG, &info);
}

static long s_pidfd(void)
{
	return syscall(SYS_pidfd_send_signal, target_pidfd(), SIGURG, NULL, 0);
}

/* Tracing and memory. */

static long p_attach(void)
{
	long r = ptrace(PTRACE_ATTACH, target, NULL, NULL);

	if (!r) {
		waitpid(target, NULL, __WALL);
		ptrace(PTRACE_DETACH, target, NULL, NULL);
	}
	return r;
}

static long p_seize(void)
{
	return ptrace(PTRACE_SEIZE, target, NULL, NULL);
}

static long p_read(void)
{
	uint64_t value;
	struct iovec mine = {&value, sizeof(value)},
		     theirs = {(void *)(uintptr_t)target_address, sizeof(value)};

	return process_vm_readv(target, &mine, 1, &theirs, 1, 0);
}

static long p_write(void)
{
	uint64_t value = SECRET_VALUE;
	struct iovec mine = {&value, sizeof(value)},
		     theirs = {(void *)(uintptr_t)target_address, sizeof(value)};

	return process_vm_writev(target, &mine, 1, &theirs, 1, 0);
}

static long p_getfd(void)
{
	return syscall(SYS_pidfd_getfd, target_pidfd(), 0, 0);
}

static long p_kcmp(void)
{
	return syscall(SYS_kcmp, getpid(), target, KCMP_VM, 0, 0);
}

static long p_move_pages(void)
{
	void *page = (void *)(uintptr_t)(target_address & ~0xfffUL);
	int status;

	return syscall(SYS_move_pages, target, 1UL, &page, NULL, &status, 0);
}

static long p_migrate_pages(void)
{
	unsigned long nodes = 1;

	return syscall(SYS_migrate_pages, target, 2UL, &nodes, &nodes);
}

static long p_madvise(void)
{
	struct iovec theirs = {(void *)(uintptr_t)(target_address & ~0xfffUL), 4096};

	return syscall(SYS_process_madvise, target_pidfd(), &theirs, 1UL, MADV_COLD, 0);
}

static long p_robust_list(void)
{
	void *head;
	size_t len;

	return syscall(SYS_get_robust_list, target, &head, &len);
}

/* Scheduling and limits. */

static long l_prlimit_set(void)
{
	struct rlimit limit = {3, 3};

	return syscall(SYS_prlimit64, target, RLIMIT_CORE, &limit, NULL);
}

static long l_prlimit_get(void)
{
	struct rlimit limit;

	return syscall(SYS_prlimit64, target, RLIMIT_CORE, NULL, &limit);
}

static long l_affinity(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	return syscall(SYS_sched_setaffinity, target, sizeof(cpus), &cpus);
}

static long l_scheduler(void)
{
	struct sched_param p = {0};

	return syscall(SYS_sched_setscheduler, target, SCHED_BATCH, &p);
}

static long l_param(void)
{
	struct sched_param p = {0};

	return syscall(SYS_sched_setparam, target, &p);
}

static long l_attr(void)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} a = {.size = sizeof(a), .policy = SCHED_BATCH};

	return syscall(SYS_sched_setattr, target, &a, 0);
}

static long l_priority(void)
{
	return syscall(SYS_setpriority, PRIO_PROCESS, target, 5);
}

static long l_priority_group(void)
{
	return syscall(SYS_setpriority, PRIO_PGRP, getpgid(target), 5);
}

static long l_priority_user(void)
{
	return syscall(SYS_setpriority, PRIO_USER, NOBODY, 5);
}

static long l_ioprio(void)
{
	return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, target, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 5));
}

static long l_ioprio_user(void)
{
	return syscall(SYS_ioprio_set, IOPRIO_WHO_USER, NOBODY, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 4));
}

static long l_setpgid(void)
{
	return setpgid(target, target);
}

static const struct attempt on_target[] = {
    {"kill-0", s_kill_0},
    {"kill", s_kill},
    {"kill-cont", s_kill_stop},
    {"kill-group", s_kill_group},
    {"tkill", s_tkill},
    {"tgkill", s_tgkill},
    {"rt_sigqueueinfo", s_queue},
    {"rt_tgsigqueueinfo", s_tgqueue},
    {"pidfd_send_signal", s_pidfd},
    {"ptrace-attach", p_attach},
    {"ptrace-seize", p_seize},
    {"process_vm_readv", p_read},
    {"process_vm_writev", p_write},
    {"pidfd_getfd", p_getfd},
    {"kcmp", p_kcmp},
    {"move_pages", p_move_pages},
    {"migrate_pages", p_migrate_pages},
    {"process_madvise", p_madvise},
    {"get_robust_list", p_robust_list},
    {"prlimit-set", l_prlimit_set},
    {"prlimit-get", l_prlimit_get},
    {"sched_setaffinity", l_affinity},
    {"sched_setscheduler", l_scheduler},
    {"sched_setparam", l_param},
    {"sched_setattr", l_attr},
    {"setpriority", l_priority},
    {"ioprio_set", l_ioprio},
};

/* Attempts on more than one process: refused whoever is meant. */
static const struct attempt on_many[] = {
    {"setpriority-group", l_priority_group},
    {"setpriority-user", l_priority_user},
    {"ioprio_set-user", l_ioprio_user},
};

/* Names shared by all processes of the machine, which the victim made with rights for everybody. */

#define KEY ((key_t)target)

static long i_shmget(void)
{
	return shmget(KEY, 0, 0);
}

static long i_shm_new(void)
{
	int id = shmget(IPC_PRIVATE, 4096, 0600);

	return id < 0 ? -1 : shmctl(id, IPC_RMID, NULL);
}

static long i_semget(void)
{
	return semget(KEY, 0, 0);
}

static long i_msgget(void)
{
	return msgget(KEY, 0);
}

/* By identifier, without the key: whatever shmget answered bare. */
static long i_shmat(void)
{
	for (int id = 0; id < 64; id++)
		if (shmat(id, NULL, SHM_RDONLY) != (void *)-1)
			return 0;
	return -1;
}

static long i_mq_open(void)
{
	char name[32];

	snprintf(name, sizeof(name), "/attack-%d", (int)target);
	return mq_open(name, O_RDWR);
}

static long i_mq_new(void)
{
	long fd = mq_open("/attack-new", O_RDWR | O_CREAT, 0600, NULL);

	if (fd >= 0)
		mq_unlink("/attack-new");
	return fd;
}

static const struct attempt on_ipc[] = {
    {"shmget", i_shmget}, {"shmat", i_shmat},	  {"shmget-new", i_shm_new}, {"semget", i_semget},
    {"msgget", i_msgget}, {"mq_open", i_mq_open}, {"mq_open-new", i_mq_new},
};

/*
 * Signals that the kernel sends on a process's behalf. Naming the victim as owner is not refused; that
 * nothing arrives is what the victim counts (SIGURG and SIGIO), and bare it does.
 */
static void own_and_send(int fds[2], bool by_ioctl)
{
	int owner = target;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		attack_die("socketpair");
	if (by_ioctl)
		ioctl(fds[0], FIOSETOWN, &owner);
	else
		fcntl(fds[0], F_SETOWN, owner);
	fcntl(fds[0], F_SETFL, O_ASYNC | O_NONBLOCK);
	if (write(fds[1], "x", 1) != 1)
		attack_die("write");
}

static long k_sigio(void)
{
	int fds[2];

	own_and_send(fds, false);
	return 0;
}

static long k_sigio_ioctl(void)
{
	int fds[2];

	own_and_send(fds, true);
	return 0;
}

static long k_sigio_group(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		attack_die("socketpair");
	fcntl(fds[0], F_SETOWN, -getpgid(target));
	fcntl(fds[0], F_SETFL, O_ASYNC | O_NONBLOCK);
	return write(fds[1], "x", 1);
}

static long k_sigio_ex(void)
{
	struct f_owner_ex owner = {F_OWNER_TID, target};
	int fds[2];

	if (pipe(fds) < 0)
		attack_die("pipe");
	fcntl(fds[0], F_SETOWN_EX, &owner);
	fcntl(fds[0], F_SETSIG, SIGURG);
	fcntl(fds[0], F_SETFL, O_ASYNC | O_NONBLOCK);
	return write(fds[1], "x", 1);
}

static long k_urgent(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		attack_die("socketpair");
	fcntl(fds[0], F_SETOWN, target);
	return send(fds[1], "x", 1, MSG_OOB);
}

static const struct attempt on_behalf[] = {
    {"F_SETOWN", k_sigio},	 {"FIOSETOWN", k_sigio_ioctl}, {"F_SETOWN-group", k_sigio_group},
    {"F_SETOWN_EX", k_sigio_ex}, {"SIGURG", k_urgent},
};

/* A timer may signal only a thread of one's own. */
static long k_timer(void)
{
	struct sigevent e = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGURG};
	timer_t t;

	e._sigev_un._tid = target;
	return timer_create(CLOCK_MONOTONIC, &e, &t);
}

static const struct attempt refused_bare[] = {{"timer_create", k_timer}, {"setpgid", l_setpgid}};

/* The victim. */

static volatile sig_atomic_t arrived;

static void count(int signal_number)
{
	(void)signal_number;
	arrived++;
}

static void stop(int signal_number)
{
	(void)signal_number;
	arrived += 1000;
}

static void make_ipc(char *name, size_t size, int ids[3])
{
	struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 8};

	target = getpid();
	ids[0] = shmget(KEY, 4096, IPC_CREAT | 0666);
	ids[1] = semget(KEY, 1, IPC_CREAT | 0666);
	ids[2] = msgget(KEY, IPC_CREAT | 0666);
	snprintf(name, size, "/attack-%d", (int)target);
	if (ids[0] < 0 || ids[1] < 0 || ids[2] < 0 || mq_open(name, O_CREAT | O_RDWR, 0666, &attr) < 0)
		attack_die("IPC");
}

/* Ends when its input does; what happened to it until then is what it prints. */
static int victim(void)
{
	static const int counted[] = {SIGIO, SIGURG, SIGCONT};
	char name[32], buf[16];
	struct rlimit core;
	int ids[3];
	ssize_t n;

	for (size_t i = 0; i < ATTACK_LEN(counted); i++) {
		struct sigaction a = {.sa_handler = count};

		sigaction(counted[i], &a, NULL);
	}
	signal(SIGTERM, stop);
	make_ipc(name, sizeof(name), ids);
	printf("pid: %d\naddress: %lu\n", (int)getpid(), (unsigned long)(uintptr_t)&secret);
	fflush(stdout);
	while ((n = read(0, buf, sizeof(buf))) > 0 || (n < 0 && errno == EINTR))
		;
	shmctl(ids[0], IPC_RMID, NULL);
	semctl(ids[1], 0, IPC_RMID);
	msgctl(ids[2], IPC_RMID, NULL);
	mq_unlink(name);
	getrlimit(RLIMIT_CORE, &core);
	printf("signals: %d\nnice: %d\npolicy: %d\n", (int)arrived, getpriority(PRIO_PROCESS, 0),
	       sched_getscheduler(0));
	printf("core: %lu\nsecret: %s\n", (unsigned long)core.rlim_cur,
	       secret == SECRET_VALUE ? "kept" : "changed");
	printf("ioprio: %ld\n", syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0));
	return 0;
}

static int on_child(void)
{
	int ready[2];
	char byte;

	if (pipe(ready) < 0)
		attack_die("pipe");
	target = fork();
	if (!target) {
		static const int ignored[] = {SIGIO, SIGURG, SIGCONT};

		for (size_t i = 0; i < ATTACK_LEN(ignored); i++)
			signal(ignored[i], SIG_IGN);
		setpgid(0, 0);
		if (write(ready[1], "", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	if (read(ready[0], &byte, 1) != 1)
		attack_die("read");
	target_address = (uintptr_t)&secret;
	attack_table(on_target, ATTACK_LEN(on_target));
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);
	return 0;
}

static long tool_stop(void)
{
	return kill(target, SIGSTOP);
}

static long tool_kill(void)
{
	return kill(target, SIGKILL);
}

static long tool_pidfd_kill(void)
{
	return syscall(SYS_pidfd_send_signal, target_pidfd(), SIGKILL, NULL, 0);
}

static const struct attempt on_tool[] = {
    {"ptrace-seize", p_seize},
    {"pidfd_getfd", p_getfd},
    {"kcmp", p_kcmp},
    {"prlimit-set", l_prlimit_set},
    {"prlimit-get", l_prlimit_get},
    {"sched_setaffinity", l_affinity},
    {"sched_setscheduler", l_scheduler},
    {"sched_setattr", l_attr},
    {"setpriority", l_priority},
    {"ioprio_set", l_ioprio},
    {"process_madvise", p_madvise},
    {"get_robust_list", p_robust_list},
    {"stop", tool_stop},
    {"kill", tool_kill},
    {"pidfd-kill", tool_pidfd_kill},
};

/* Each thread of the parent has a number of its own; a look at the numbers around needs no right at all. */
static int threads_of_tool(void)
{
	pid_t tool = getppid();
	int found = 0;

	for (pid_t tid = tool - 50; tid < tool + 50; tid++) {
		if (tid <= 1 || tid == getpid())
			continue;
		target = tid;
		if (!l_priority() || !l_scheduler() || !l_prlimit_set())
			printf("thread-%d: SUCCEEDED\n", (int)(tid - tool));
		found++;
	}
	printf("tried: %d\n", found);
	return 0;
}

static void say(const char *name, long result)
{
	printf("%s: %s\n", name, result < 0 ? strerrorname_np(errno) : "SUCCEEDED");
}

/* Who gets the signal of an open file that is ready, SIGKILL among them, is for the kernel to check. Several
 * releases do not, where a group is to get it whose newest member is the caller; a terminal names its
 * foreground group by itself. */
static void group_owns(void)
{
	struct f_owner_ex owner = {F_OWNER_PGRP, getpgrp()};
	int fds[2], group = -getpgrp(), on = 1, self = getpid();

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		attack_die("socketpair");
	say("own-group", fcntl(fds[0], F_SETOWN, group));
	say("own-group-ex", fcntl(fds[0], F_SETOWN_EX, &owner));
	say("own-group-FIOSETOWN", ioctl(fds[0], FIOSETOWN, &group));
	say("own-group-SIOCSPGRP", ioctl(fds[0], SIOCSPGRP, &group));
	say("async", fcntl(fds[0], F_SETFL, O_ASYNC));
	say("async-ioctl", ioctl(fds[0], FIOASYNC, &on));
	say("own-self", fcntl(fds[0], F_SETOWN, self));
	say("nonblock", fcntl(fds[0], F_SETFL, O_NONBLOCK));
}

/* The command is in the process group of whoever started the tool: of these processes only its own may get a
 * signal. */
static int on_group(void)
{
	signal(SIGURG, count);
	printf("kill-0: %s\n", kill(0, SIGURG) < 0 ? strerrorname_np(errno) : "SUCCEEDED");
	printf("kill-group: %s\n", kill(-getpgrp(), SIGURG) < 0 ? strerrorname_np(errno) : "SUCCEEDED");
	printf("kill-all: %s\n", kill(-1, SIGURG) < 0 ? strerrorname_np(errno) : "SUCCEEDED");
	group_owns();
	printf("arrived: %d\n", (int)arrived);
	fflush(stdout);
	kill(0, SIGKILL);
	return 1;
}

int main(int argc, char **argv)
{
	const char *what = argc >= 2 ? argv[1] : "";

	if (!strcmp(what, "group"))
		return on_group();
	if (!strcmp(what, "victim"))
		return victim();
	if (!strcmp(what, "inside"))
		return on_child();
	if (!strcmp(what, "threads"))
		return threads_of_tool();
	if (!strcmp(what, "tool")) {
		target = argc == 3 ? attack_number(argv[2]) : getppid();
		target_address = (uintptr_t)&secret;
		attack_table(on_tool, ATTACK_LEN(on_tool));
		return 0;
	}
	if (strcmp(what, "outside") || argc != 4)
		return 2;
	target = attack_number(argv[2]);
	target_address = strtoull(argv[3], NULL, 10);
	attack_table(on_target, ATTACK_LEN(on_target));
	attack_table(on_many, ATTACK_LEN(on_many));
	attack_table(on_ipc, ATTACK_LEN(on_ipc));
	attack_table(on_behalf, ATTACK_LEN(on_behalf));
	attack_table(refused_bare, ATTACK_LEN(refused_bare));
	return 0;
}
