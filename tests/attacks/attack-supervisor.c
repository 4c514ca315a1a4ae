/*
 * attack-supervisor.c - what should make the supervisor crash, block, leak or answer the wrong call.
 *
 * usage: attack-supervisor garbage            notified calls with pointers and descriptors that mean nothing
 *        attack-supervisor hammer THREADS     threads that make notified calls for ever
 *        attack-supervisor dying COUNT        processes that are killed while such calls are being served
 *        attack-supervisor bomb COUNT         that many processes at once, each making notified calls
 *        attack-supervisor blocking FIFO DIR  notified calls on objects that block who opens them
 *        attack-supervisor many COUNT FILE    that many notified calls
 *        attack-supervisor exec COUNT         processes that exec while a thread waits in a notified call
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/xattr.h>
#include <time.h>

#include "attack.h"

static const char *self_program;

/* Each row is made with each pointer; nothing may succeed, and the process must live. */

static int garbage(void)
{
	static const struct {
		const char *name;
		long nr;
		int pointer[3]; /* arguments that are pointers, -1: none */
	} calls[] = {
	    {"fchmodat", SYS_fchmodat, {1, -1, -1}},
	    {"fchmodat2", ATTACK_NR_fchmodat2, {1, -1, -1}},
	    {"fchownat", SYS_fchownat, {1, -1, -1}},
	    {"utimensat", SYS_utimensat, {1, 2, -1}},
	    {"setxattr", SYS_setxattr, {0, 1, 2}},
	    {"lsetxattr", SYS_lsetxattr, {0, 1, 2}},
	    {"fsetxattr", SYS_fsetxattr, {1, 2, -1}},
	    {"setxattrat", ATTACK_NR_setxattrat, {1, 3, 4}},
	    {"removexattr", SYS_removexattr, {0, 1, -1}},
	    {"removexattrat", ATTACK_NR_removexattrat, {1, 3, -1}},
	    {"file_setattr", ATTACK_NR_file_setattr, {1, 2, -1}},
	    {"openat", SYS_openat, {1, -1, -1}},
	    {"openat2", SYS_openat2, {1, 2, -1}},
	    {"listen", SYS_listen, {-1, -1, -1}},
	    {"prlimit64", SYS_prlimit64, {2, 3, -1}},
	    {"sched_setattr", SYS_sched_setattr, {1, -1, -1}},
	    {"process_madvise", SYS_process_madvise, {1, -1, -1}},
#ifdef SYS_chmod
	    {"chmod", SYS_chmod, {0, -1, -1}},
	    {"chown", SYS_chown, {0, -1, -1}},
	    {"utime", SYS_utime, {0, 1, -1}},
	    {"utimes", SYS_utimes, {0, 1, -1}},
	    {"futimesat", SYS_futimesat, {1, 2, -1}},
#endif
	};
	static const long values[] = {-1, 0, 1, 2, 12345, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, -100};
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *long_path = malloc(1 << 20);
	long made = 0, succeeded = 0;

	if (page == MAP_FAILED || !long_path)
		attack_die("mmap");
	munmap(page + 4096, 4096);
	memset(page, 'x', 4096);
	memset(long_path, '/', 1 << 20);
	for (size_t c = 0; c < ATTACK_LEN(calls); c++) {
		/* unmapped, kernel's, at the end of a page without a NUL, empty, too long, no pointer at all */
		const uintptr_t pointers[] = {0,
					      1,
					      0xffff800000000000UL,
					      UINTPTR_MAX,
					      (uintptr_t)page + 4095,
					      (uintptr_t)page + 4096,
					      (uintptr_t)page + 4090,
					      (uintptr_t) "",
					      (uintptr_t)long_path};

		for (size_t p = 0; p < ATTACK_LEN(pointers); p++)
			for (size_t v = 0; v < ATTACK_LEN(values); v++) {
				long a[6];

				for (int i = 0; i < 6; i++)
					a[i] = values[(v + (size_t)i) % ATTACK_LEN(values)];
				for (int i = 0; i < 3; i++)
					if (calls[c].pointer[i] >= 0)
						a[calls[c].pointer[i]] = (long)pointers[(p + (size_t)i) % ATTACK_LEN(pointers)];
				if (calls[c].nr == SYS_prlimit64)
					a[0] = getppid();
				made++;
				succeeded += syscall(calls[c].nr, a[0], a[1], a[2], a[3], a[4], a[5]) >= 0;
			}
	}
	printf("made: %ld\nsucceeded: %ld\n", made, succeeded);
	return 0;
}

/* One notified call that is refused, one that is not a file, one on the process's own entry. */
static void notified(int i)
{
	int fd;

	switch (i & 3) {
	case 0:
		chmod("/usr/bin/true", 0755);
		break;
	case 1:
		setpriority(PRIO_PROCESS, (id_t)getppid(), 5);
		break;
	case 2:
		fd = open("/proc/self/status", O_RDONLY);
		close(fd);
		break;
	default:
		setxattr("/proc/self/fd/0", "user.x", "x", 1, 0);
		break;
	}
}

static void *hammer(void *unused)
{
	for (int i = 0;; i++)
		notified(i);
	return unused;
}

static int start_hammers(int threads)
{
	for (int i = 0; i < threads; i++) {
		pthread_attr_t attr;
		pthread_t t;

		pthread_attr_init(&attr);
		pthread_attr_setstacksize(&attr, 65536);
		if (pthread_create(&t, &attr, hammer, NULL))
			attack_die("pthread_create");
	}
	return 0;
}

static int dying(int count)
{
	for (int i = 0; i < count; i++) {
		struct timespec t = {.tv_nsec = (i % 20) * 100000};
		pid_t pid = fork();

		if (pid < 0)
			attack_die("fork");
		if (!pid) {
			start_hammers(4);
			hammer(NULL);
		}
		nanosleep(&t, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	printf("killed: %d\n", count);
	return 0;
}

static int bomb(int count)
{
	int ended = 0, gate[2];
	char byte;

	if (pipe(gate) < 0)
		attack_die("pipe");
	for (int i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			attack_die("fork");
		if (!pid) {
			close(gate[1]);
			if (read(gate[0], &byte, 1) < 0)
				_exit(1);
			for (int j = 0; j < 40; j++)
				notified(j);
			_exit(0);
		}
	}
	close(gate[1]);
	for (int i = 0; i < count; i++) {
		int status = 1;

		if (wait(&status) > 0 && !status)
			ended++;
	}
	printf("ended: %d\n", ended);
	return 0;
}

static int blocking(const char *fifo, const char *dir)
{
	int objects[] = {eventfd(0, 0), timerfd_create(CLOCK_MONOTONIC, 0), socket(AF_UNIX, SOCK_STREAM, 0)};
	char text[4200];

	for (int round = 0; round < 3; round++) {
		chmod(fifo, 0600);
		chown(fifo, getuid(), getgid());
		utimensat(AT_FDCWD, fifo, NULL, 0);
		setxattr(fifo, "user.x", "x", 1, 0);
		removexattr(fifo, "user.x");
		setxattr("/dev/tty", "user.x", "x", 1, 0);
		chmod("/dev/ptmx", 0666);
		for (size_t i = 0; i < ATTACK_LEN(objects); i++) {
			fchmod(objects[i], 0600);
			ioctl(objects[i], FS_IOC_SETFLAGS, text);
			snprintf(text, sizeof(text), "/proc/self/fd/%d", objects[i]);
			chmod(text, 0600);
		}
		snprintf(text, sizeof(text), "%s/no/such/file", dir);
		chmod(text, 0600);
	}
	printf("through: SUCCEEDED\n");
	return 0;
}

static int many(int count, const char *file)
{
	int changed = 0;

	for (int i = 0; i < count; i++)
		changed += !chmod(i & 1 ? file : "/usr/bin/true", i & 2 ? 0600 : 0640);
	printf("changed: %d\n", changed);
	return 0;
}

static int exec_away(int count)
{
	int ended = 0;

	for (int i = 0; i < count; i++) {
		int status = 1;
		pid_t pid = fork();

		if (pid < 0)
			attack_die("fork");
		if (!pid) {
			char *const argv[] = {(char *)self_program, (char *)"nothing", NULL};

			start_hammers(3);
			execv(self_program, argv);
			_exit(errno);
		}
		if (waitpid(pid, &status, 0) == pid && !status)
			ended++;
		else
			attack_report("exec", status);
	}
	printf("ended: %d\n", ended);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc >= 2 ? argv[1] : "";

	self_program = argv[0];
	if (!strcmp(what, "nothing"))
		return 0;
	if (!strcmp(what, "garbage"))
		return garbage();
	if (argc < 3)
		return 2;
	if (!strcmp(what, "hammer")) {
		start_hammers(attack_number(argv[2]));
		printf("started\n");
		fflush(stdout);
		for (;;)
			pause();
	}
	if (!strcmp(what, "dying"))
		return dying(attack_number(argv[2]));
	if (!strcmp(what, "bomb"))
		return bomb(attack_number(argv[2]));
	if (!strcmp(what, "exec"))
		return exec_away(attack_number(argv[2]));
	if (argc == 4 && !strcmp(what, "blocking"))
		return blocking(argv[2], argv[3]);
	if (argc == 4 && !strcmp(what, "many"))
		return many(attack_number(argv[2]), argv[3]);
	return 2;
}
