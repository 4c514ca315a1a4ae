/* Uses memory, processes and threads in one of many ways; used by test_limits.py. A way that hands out memory says "touched"
 * and then stays alive for long enough to be noticed; only then does it say "lived". */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB  (1L << 20)
#define STAY 60

static void fail(const char *what)
{
	printf("%s: %s\n", what, strerrorname_np(errno));
	exit(3);
}

static void stay(void)
{
	printf("touched\n");
	fflush(stdout);
	sleep(STAY);
	printf("lived\n");
}

static void touch(void *memory, long size)
{
	for (long i = 0; i < size; i += 4096)
		((volatile char *)memory)[i] = 1;
}

static void *map(long size, int prot, int flags, int fd)
{
	void *memory = mmap(NULL, (size_t)size, prot, flags, fd, 0);

	if (memory == MAP_FAILED)
		fail("mmap");
	return memory;
}

/* What Go, Java and sanitizers do: a terabyte is reserved, a little of it used. */
static void reserve(long mib)
{
	char *memory = map(1L << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);

	if (mprotect(memory + (1L << 39), (size_t)(mib * MIB), PROT_READ | PROT_WRITE) < 0)
		fail("mprotect");
	touch(memory + (1L << 39), mib * MIB);
	printf("lived\n");
}

static void with_malloc(long mib)
{
	void *memory = malloc((size_t)(mib * MIB));

	if (!memory)
		fail("malloc");
	touch(memory, mib * MIB);
	stay();
}

static void with_brk(long mib)
{
	if (sbrk(mib * MIB) == (void *)-1)
		fail("sbrk");
	stay();
}

/* A fifth in each of five processes. */
static void with_forks(long mib)
{
	for (int i = 0; i < 5; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork");
		if (pid == 0) {
			touch(map(mib * MIB / 5, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1), mib * MIB / 5);
			sleep(STAY);
			_exit(0);
		}
	}
	stay();
}

static int memfd(void)
{
	int fd = (int)syscall(SYS_memfd_create, "hog", 0);

	if (fd < 0)
		fail("memfd_create");
	return fd;
}

static void fill(int fd, long mib)
{
	static char block[1L << 20];

	memset(block, 1, sizeof(block));
	for (long i = 0; i < mib; i++)
		if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
			fail("write");
}

static void with_memfd(long mib)
{
	fill(memfd(), mib);
	stay();
}

/* Gone as soon as it is there. */
static void memfd_and_end(long mib)
{
	fill(memfd(), mib);
}

/* Mapped as well: counts once. */
static void with_mapped_memfd(long mib)
{
	int fd = memfd();

	fill(fd, mib);
	touch(map(mib * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd), mib * MIB);
	printf("touched\n");
	fflush(stdout);
	sleep(1);
	printf("lived\n");
}

static void *memfd_in_thread(void *mib)
{
	if (unshare(CLONE_FILES) < 0)
		fail("unshare");
	with_memfd((long)(intptr_t)mib);
	return NULL;
}

/* Open in no table of descriptors but a second thread's. */
static void with_threads_memfd(long mib)
{
	pthread_t thread;

	pthread_create(&thread, NULL, memfd_in_thread, (void *)(intptr_t)mib);
	pthread_join(thread, NULL);
}

static void with_shared(long mib)
{
	touch(map(mib * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1), mib * MIB);
	stay();
}

/* Each mapping is small. */
static void with_many_shared(long mib)
{
	for (long i = 0; i < mib; i += 4)
		touch(map(4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1), 4 * MIB);
	stay();
}

static void with_sysv(long mib)
{
	int id = shmget(IPC_PRIVATE, (size_t)(mib * MIB), IPC_CREAT | 0600);
	void *memory;

	if (id < 0)
		fail("shmget");
	memory = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	if (memory == (void *)-1)
		fail("shmat");
	touch(memory, mib * MIB);
	stay();
}

static void with_mprotect(long mib)
{
	void *memory = map(mib * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (mprotect(memory, (size_t)(mib * MIB), PROT_READ | PROT_WRITE) < 0)
		fail("mprotect");
	touch(memory, mib * MIB);
	stay();
}

/* Private pages of a file: each one that is written is memory. */
static void with_file(long mib)
{
	int fd = open("hole", O_RDWR | O_CREAT, 0600);

	if (fd < 0 || ftruncate(fd, mib * MIB) < 0)
		fail("hole");
	touch(map(mib * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd), mib * MIB);
	stay();
}

static void with_zero(long mib)
{
	int fd = open("/dev/zero", O_RDWR);

	if (fd < 0)
		fail("/dev/zero");
	touch(map(mib * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd), mib * MIB);
	stay();
}

/* The first thread is gone, and with it what /proc shows of the process's memory. */
static void *hog_thread(void *mib)
{
	sleep(1);
	with_many_shared((long)(intptr_t)mib);
	exit(0);
}

static void without_leader(long mib)
{
	pthread_t thread;

	pthread_create(&thread, NULL, hog_thread, (void *)(intptr_t)mib);
	syscall(SYS_exit, 0);
}

static void raise_data(long mib)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

	if (setrlimit(RLIMIT_DATA, &limit) == 0)
		printf("raised\n");
	with_malloc(mib);
}

/* What is said to be a stack, and is used. */
static void lie(long mib)
{
	char *p = mmap(NULL, (size_t)mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	memset(p, 1, (size_t)mib << 20);
	printf("lived\n");
}

/* Sequential children, reaped by wait, by nobody (SIGCHLD is ignored), or by whoever adopts them. */
static void children(long count, const char *how)
{
	if (!strcmp(how, "ignored"))
		signal(SIGCHLD, SIG_IGN);
	for (volatile long i = 0; i < count; i++) { /* vfork comes back twice */
		int fds[2];
		char c;
		pid_t pid;

		if (pipe(fds) < 0)
			fail("pipe");
		pid = !strcmp(how, "vfork") ? vfork() : fork();
		if (pid < 0)
			fail("fork");
		if (pid == 0) {
			if (strcmp(how, "double") != 0)
				_exit(0);
			pid = fork();
			if (pid < 0)
				_exit(1);
			_exit(0);
		}
		close(fds[1]);
		/* At its end nobody has the pipe any more. */
		if (read(fds[0], &c, 1) != 0)
			fail("read");
		close(fds[0]);
		if (!strcmp(how, "wait") || !strcmp(how, "vfork") || !strcmp(how, "double")) {
			int status;

			if (waitpid(pid, &status, 0) != pid || status)
				fail("a child could not fork");
		}
	}
	printf("lived\n");
}

static void bomb(void)
{
	int made = 0;

	for (;;) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (pid == 0) {
			sleep(STAY);
			_exit(0);
		}
		made++;
	}
	printf("%d %s\n", made + 1, strerrorname_np(errno));
	fflush(stdout);
	kill(0, SIGKILL);
}

/* Many threads fork as fast as they can; children count themselves. */
static struct counts {
	_Atomic int living, most, refused, wrong;
} *counts;

static void *fork_often(void *unused)
{
	for (int i = 0; i < 300; i++) {
		pid_t pid = i % 2 ? fork() : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

		if (pid == 0) {
			int now = ++counts->living, most = counts->most;

			while (now > most && !__atomic_compare_exchange_n(&counts->most, &most, now, false,
									  __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
				;
			usleep(i % 7 * 300);
			counts->living--;
			_exit(0);
		}
		if (pid < 0)
			(*(errno == EAGAIN ? &counts->refused : &counts->wrong))++;
	}
	return unused;
}

static void race(void)
{
	pthread_t threads[8];

	counts = map(4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < 8; i++)
		if (pthread_create(&threads[i], NULL, fork_often, NULL))
			fail("pthread_create");
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	printf("%d %d %d\n", counts->most + 1, counts->refused, counts->wrong);
}

static void *nap(void *unused)
{
	usleep(300000);
	return unused;
}

static void make_threads(long count, size_t stack_bytes)
{
	pthread_t *all = calloc((size_t)count, sizeof(*all));
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	if (stack_bytes)
		pthread_attr_setstacksize(&attr, stack_bytes);
	for (long i = 0; i < count; i++)
		if ((errno = pthread_create(&all[i], &attr, nap, NULL)))
			fail("pthread_create");
	for (long i = 0; i < count; i++)
		pthread_join(all[i], NULL);
	printf("lived\n");
}

static void threads(long count)
{
	make_threads(count, 64 << 10);
}

/* With stacks of the usual size, most of which nobody touches. */
static void usual_threads(long count)
{
	make_threads(count, 0);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(long);
	} ways[] = {
	    {"reserve", reserve},
	    {"malloc", with_malloc},
	    {"brk", with_brk},
	    {"fork", with_forks},
	    {"memfd", with_memfd},
	    {"memfd-and-end", memfd_and_end},
	    {"mapped-memfd", with_mapped_memfd},
	    {"thread-memfd", with_threads_memfd},
	    {"shared", with_shared},
	    {"many-shared", with_many_shared},
	    {"sysv", with_sysv},
	    {"mprotect", with_mprotect},
	    {"file", with_file},
	    {"zero", with_zero},
	    {"no-leader", without_leader},
	    {"raise", raise_data},
	    {"lie", lie},
	    {"threads", threads},
	    {"usual-threads", usual_threads},
	};
	long number = argc > 2 ? strtol(argv[2], NULL, 10) : 0;

	if (argc > 1 && !strcmp(argv[1], "bomb"))
		bomb();
	else if (argc > 1 && !strcmp(argv[1], "race"))
		race();
	else if (argc > 3)
		children(number, argv[3]);
	else
		for (size_t i = 0; argc > 1 && i < sizeof(ways) / sizeof(ways[0]); i++)
			if (!strcmp(argv[1], ways[i].name))
				ways[i].run(number);
	return 0;
}
