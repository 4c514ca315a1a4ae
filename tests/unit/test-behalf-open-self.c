/*
 * Unit tests of supervise/open-self.c (L15): entries of /proc/self that a profile lists, opened by many
 * spellings from a process, its threads and its children; not those of others, not other entries, and nothing
 * through magic links.
 */
#include <dirent.h>
#include <linux/openat2.h>
#include <pthread.h>

#include "behalf-harness.h"

static const struct confinement STATUS_AND_FRIENDS = {
    .self = {{(char *)(uintptr_t) "comm", SL_RIGHT_READ | SL_RIGHT_WRITE | SL_RIGHT_LIST},
	     {(char *)(uintptr_t) "fd", SL_RIGHT_READ | SL_RIGHT_LIST},
	     {(char *)(uintptr_t) "status", SL_RIGHT_READ | SL_RIGHT_LIST},
	     {(char *)(uintptr_t) "task", SL_RIGHT_LIST}},
};

/* The pid that the opened status file tells; -errno. */
static long status_pid(int fd)
{
	char text[4096], *line;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	line = strstr(text, "\nPid:");
	return line ? strtol(line + 5, NULL, 10) : -EPROTO;
}

static const char *entry(pid_t pid, const char *rest)
{
	static _Thread_local char name[320];

	snprintf(name, sizeof(name), "/proc/%d/%s", (int)pid, rest);
	return name;
}

static long opened_pid(const char *path)
{
	return status_pid(open(path, O_RDONLY | O_CLOEXEC));
}

static void *thread_self(void *result)
{
	long *r = result;

	r[0] = opened_pid("/proc/thread-self/status");
	r[1] = syscall(__NR_gettid);
	r[2] = opened_pid("/proc/self/status");
	r[3] = opened_pid(entry((pid_t)r[1], "status"));
	return NULL;
}

static int open2(int dirfd, const char *path, uint64_t resolve)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = resolve};

	return (int)syscall(__NR_openat2, dirfd, path, &how, sizeof(how));
}

#define CHECK(condition)                                                                                     \
	do {                                                                                                 \
		if (!(condition))                                                                            \
			return __LINE__ % 200 + 1;                                                           \
	} while (0)

static int run_own(void *dir)
{
	pid_t own = getpid();
	char text[256];
	long in_thread[4];
	pthread_t thread;
	int fd;

	CHECK(opened_pid("/proc/self/status") == own);
	CHECK(opened_pid(entry(own, "status")) == own);
	CHECK(opened_pid("/proc/thread-self/status") == own);
	CHECK(opened_pid("//proc//self/./status") == own);
	CHECK(opened_pid("/usr/../proc/self/status") == own);
	CHECK(opened_pid("/proc/self/task/../status") == own);
	snprintf(text, sizeof(text), "task/%d/status", (int)own);
	CHECK(opened_pid(entry(own, text)) == own);
	CHECK(status_pid(open2(AT_FDCWD, "/proc/self/status", 0)) == own);
	CHECK(status_pid(open2(AT_FDCWD, "/proc/self/status", RESOLVE_NO_MAGICLINKS)) == own);
	CHECK(open2(AT_FDCWD, "/proc/self/status", RESOLVE_NO_SYMLINKS) == -1 && errno == ELOOP);
	fd = open("/proc/self", O_PATH | O_CLOEXEC);
	CHECK(fd >= 0 && status_pid(openat(fd, "status", O_RDONLY | O_CLOEXEC)) == own);
	CHECK(status_pid(open2(fd, "/status", RESOLVE_IN_ROOT)) == own);
	CHECK(status_pid(open2(fd, "status", RESOLVE_BENEATH)) == own);
	CHECK(fchdir(fd) == 0 && opened_pid("status") == own);
	CHECK(chdir(dir) == 0 && opened_pid("link/status") == own);
	CHECK(!pthread_create(&thread, NULL, thread_self, in_thread) && !pthread_join(thread, NULL));
	CHECK(in_thread[0] == in_thread[1] && in_thread[2] == own && in_thread[3] == in_thread[1]);
#ifdef __x86_64__
	CHECK(status_pid((int)syscall(__NR_open, "/proc/self/status", O_RDONLY)) == own);
#endif
	return 0;
}

static int run_flags(void *arg SL_UNUSED)
{
	char text[64] = "";
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY);
	fd = open("/proc/self/status", O_RDONLY);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == 0);
	fd = open("/proc/self/status", O_RDONLY | O_NONBLOCK);
	CHECK(fd >= 0 && fcntl(fd, F_GETFL) & O_NONBLOCK);
	CHECK(open("/proc/self/status", O_RDONLY | O_DIRECTORY) == -1 && errno == ENOTDIR);
	CHECK(open("/proc/self/status", O_WRONLY) == -1 && errno == EACCES);
	CHECK(open("/proc/self/status/x", O_RDONLY) == -1 && errno == ENOTDIR);
	CHECK(open("/proc/self/none", O_RDONLY) == -1 && errno == ENOENT);
	CHECK(open("/proc/self", O_RDONLY | O_NOFOLLOW) == -1 && errno == ELOOP);
	/* As shells do. */
	fd = open("/proc/self/comm", O_WRONLY | O_CREAT | O_TRUNC, 0666);
	CHECK(fd >= 0 && write(fd, "renamed", 7) == 7 && prctl(PR_GET_NAME, text) == 0 &&
	      !strcmp(text, "renamed"));
	fd = open("/proc/self/comm", O_RDWR);
	CHECK(fd >= 0 && read(fd, text, sizeof(text)) == 8);
	fd = open("/proc/self/comm", O_WRONLY | O_APPEND);
	CHECK(fd >= 0 && fcntl(fd, F_GETFL) & O_APPEND);
	CHECK(open("/proc/self/comm", O_WRONLY | O_CREAT | O_EXCL, 0600) == -1 && errno == EEXIST);
	return 0;
}

static int run_directories(void *arg SL_UNUSED)
{
	static const char *const names[] = {"/proc/self/fd", "/dev/fd", "/proc/self/task",
					    "/proc/thread-self/fd"};
	char own[16];

	snprintf(own, sizeof(own), "%d", (int)getpid());
	for (size_t i = 0; i < SL_ARRAY_LEN(names); i++) {
		DIR *d = opendir(names[i]);
		const char *wanted = strstr(names[i], "task") ? own : "0";
		bool found = false;

		CHECK(d);
		for (struct dirent *e = readdir(d); e; e = readdir(d))
			found |= !strcmp(e->d_name, wanted);
		CHECK(found);
		closedir(d);
	}
	CHECK(!opendir("/proc/self") && errno == EACCES);
	CHECK(!opendir("/proc") && errno == EACCES);
	return 0;
}

static int run_exec_child(void *arg SL_UNUSED)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		/* dd reads it as a program of its own, and writes what it read nowhere. */
		execl("/usr/bin/dd", "dd", "if=/proc/self/status", "of=/dev/null", "status=none", NULL);
		_exit(99);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return WEXITSTATUS(status);
}

static int run_others(void *others)
{
	pid_t *pids = others;
	int ends[2];
	char byte, text[64];
	pid_t parent = getpid(), child;

	CHECK(pipe2(ends, O_CLOEXEC) == 0);
	child = fork();
	if (child == 0) {
		/* A parent's entry is somebody else's. */
		byte = opened_pid(entry(parent, "status")) == -EACCES &&
		       opened_pid("/proc/self/status") == getpid();
		if (write(ends[1], &byte, 1) == 1)
			pause();
		_exit(0);
	}
	CHECK(read(ends[0], &byte, 1) == 1 && byte == 1);
	CHECK(opened_pid(entry(child, "status")) == child);
	for (int i = 0; i < 4; i++) {
		CHECK(opened_pid(entry(pids[i], "status")) == -EACCES);
		snprintf(text, sizeof(text), "/proc/self/../%d/status", (int)pids[i]);
		CHECK(opened_pid(text) == -EACCES);
		snprintf(text, sizeof(text), "task/%d/status", (int)pids[i]);
		CHECK(opened_pid(entry(pids[i], text)) < 0);
	}
	kill(child, SIGKILL);
	return 0;
}

/* Other entries, and objects behind links of the entries that are listed. */
static int run_not_listed(void *arg SL_UNUSED)
{
	static const char *const names[] = {"maps", "environ", "mem", "stat", "root", "fdinfo/0"};
	char text[64];
	int fd = open("/run", O_PATH | O_CLOEXEC); /* not granted, and there everywhere */

	for (size_t i = 0; i < SL_ARRAY_LEN(names); i++)
		CHECK(open(entry(getpid(), names[i]), O_RDONLY | O_CLOEXEC) == -1 && errno == EACCES);
	CHECK(fd >= 0);
	snprintf(text, sizeof(text), "/proc/self/fd/%d", fd);
	CHECK(open(text, O_RDONLY | O_CLOEXEC) == -1 && errno == EACCES);
	CHECK(open("/proc/self/root/proc/1/status", O_RDONLY) == -1 && errno == EACCES);
	return 0;
}

static int run_with(int (*run)(void *), void *arg, uid_t uid)
{
	struct confinement c = STATUS_AND_FRIENDS;

	c.uid = uid;
	return run_confined(&c, run, arg);
}

static void check_own(uid_t uid)
{
	char *dir = make_dir(), *link = sl_xasprintf("%s/link", dir);

	ck_assert_int_eq(symlink("/proc/self", link), 0);
	ck_assert_int_eq(run_with(run_own, dir, uid), 0);
	ck_assert_int_eq(run_with(run_flags, NULL, uid), 0);
	ck_assert_int_eq(run_with(run_directories, NULL, uid), 0);
	ck_assert_int_eq(unlink(link), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	free(link);
	free(dir);
}

START_TEST(L15_own_entries)
{
	check_own(0);
	ck_assert_int_eq(run_with(run_exec_child, NULL, 0), 0);
}
END_TEST

/* What was opened is judged by the kernel with the other user's identity, which owns less of /proc. */
START_TEST(L15_own_entries_of_another_user)
{
	char text[] = "/proc/self/status";

	if (geteuid() == 0)
		ck_assert_int_eq(run_with(run_exec_child, text, OTHER_UID), 0);
}
END_TEST

START_TEST(L15_entries_of_others)
{
	pid_t pids[4] = {getpid(), getppid(), 1, fork()};

	if (!pids[3]) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	ck_assert_int_eq(run_with(run_others, pids, 0), 0);
}
END_TEST

START_TEST(L15_entries_that_are_not_listed)
{
	ck_assert_int_eq(run_with(run_not_listed, NULL, 0), 0);
}
END_TEST

static volatile int finished;
static char shared[64], mine[64], theirs[64];

static void *flip(void *unused)
{
	while (!finished) {
		memcpy(shared, theirs, sizeof(shared));
		__asm__ volatile("" ::: "memory");
		memcpy(shared, mine, sizeof(shared));
		__asm__ volatile("" ::: "memory");
	}
	return unused;
}

static int run_race(void *other)
{
	int opened = 0, refused = 0;
	pthread_t thread;

	snprintf(mine, sizeof(mine), "/proc/self/status");
	snprintf(theirs, sizeof(theirs), "/proc/%d/status", *(int *)other);
	memcpy(shared, mine, sizeof(shared));
	CHECK(!pthread_create(&thread, NULL, flip, NULL));
	for (int i = 0; i < 10000; i++) {
		long pid = opened_pid(shared);

		if (pid == *(int *)other)
			return 250;
		if (pid == getpid())
			opened++;
		else
			refused++;
	}
	finished = 1;
	pthread_join(thread, NULL);
	CHECK(opened && refused);
	return 0;
}

START_TEST(L15_a_path_that_changes)
{
	int other = getppid();

	ck_assert_int_eq(run_with(run_race, &other, 0), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    L15_own_entries,	     L15_own_entries_of_another_user,
	    L15_entries_of_others,   L15_entries_that_are_not_listed,
	    L15_a_path_that_changes,
	};

	return run_tests("behalf-open-self", tests, SL_ARRAY_LEN(tests));
}
