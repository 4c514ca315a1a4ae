/*
 * Unit tests of kernel/tracee.h, its identity part, kernel/mappings.h and taking descriptors (kernel/own-fd.h). Each works on a child that waits;
 * what it should have is what the child itself was told to become.
 */
#include <check.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "kernel/mappings.h"
#include "kernel/own-fd.h"
#include "kernel/tracee.h"

#define USER   65534
#define OTHER  12345
#define BROKEN 250

static bool is_root;
static char base[] = "/var/tmp/sandlock-test-tracee-XXXXXX";

static void need(bool ok, const char *what)
{
	if (!ok) {
		perror(what);
		_exit(BROKEN);
	}
}

/* A child that does set_up and then waits to be killed; it has said so when this returns. */
static pid_t start(void (*set_up)(void))
{
	int pipes[2];
	char c;
	pid_t pid;

	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (set_up)
			set_up();
		need(write(pipes[1], "", 1) == 1, "write");
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(pipes[0], &c, 1), 1);
	close(pipes[0]);
	close(pipes[1]);
	return pid;
}

static void stop(pid_t pid)
{
	int status;

	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WTERMSIG(status), SIGKILL);
}

/* ---- memory ---- */

/* Two pages with the second one closed; a string may end with the first. */
static char *guarded(size_t *page)
{
	char *p;

	*page = (size_t)sysconf(_SC_PAGESIZE);
	p = mmap(NULL, 3 * *page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(p, MAP_FAILED);
	ck_assert_int_eq(munmap(p + 2 * *page, *page), 0);
	memset(p, 'x', 2 * *page);
	return p;
}

static uint64_t address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

START_TEST(strings)
{
	size_t page;
	char *p = guarded(&page);
	static char buf[3 * 4096], small[8];
	static const size_t lengths[] = {0, 1, 255, 256, 257, 4095, 4096, 4097, 8191};
	pid_t pid;

	for (size_t i = 0; i < SL_ARRAY_LEN(lengths); i++) {
		size_t len = lengths[i];
		char *at = p + 2 * page - len - 1; /* its NUL is the last byte that is there */

		p[2 * page - 1] = '\0';
		pid = start(NULL);
		ck_assert_int_eq(sl_tracee_read_string(pid, address(at), buf, sizeof(buf)), (ssize_t)len);
		ck_assert_uint_eq(strlen(buf), len);
		/* One byte too small, and just large enough. */
		ck_assert_int_eq(sl_tracee_read_string(pid, address(at), buf, len), -ENAMETOOLONG);
		ck_assert_int_eq(sl_tracee_read_string(pid, address(at), buf, len + 1), (ssize_t)len);
		stop(pid);
	}
	p[2 * page - 1] = 'x';
	pid = start(NULL);
	ck_assert_int_eq(sl_tracee_read_string(pid, address(p), buf, sizeof(buf)), -EFAULT);
	ck_assert_int_eq(sl_tracee_read_string(pid, address(p), small, sizeof(small)), -ENAMETOOLONG);
	ck_assert_int_eq(sl_tracee_read_string(pid, 0, buf, sizeof(buf)), -EFAULT);
	ck_assert_int_eq(sl_tracee_read_string(pid, UINT64_MAX - 5, buf, sizeof(buf)), -EFAULT);
	stop(pid);
	ck_assert_int_eq(sl_tracee_read_string(pid, address(p), buf, sizeof(buf)), -ESRCH);
}
END_TEST

START_TEST(memory)
{
	size_t page;
	char *p = guarded(&page);
	static char buf[3 * 4096];
	pid_t pid = start(NULL);

	ck_assert_int_eq(sl_tracee_read(pid, address(p), buf, 2 * page), 0);
	ck_assert_int_eq(memcmp(buf, p, 2 * page), 0);
	ck_assert_int_eq(sl_tracee_read(pid, address(p), buf, 2 * page + 1), -EFAULT);
	ck_assert_int_eq(sl_tracee_read(pid, address(p), buf, 0), 0);
	ck_assert_int_eq(sl_tracee_write(pid, address(p + 5), "hello", 5), 0);
	ck_assert_int_eq(sl_tracee_read(pid, address(p + 4), buf, 7), 0);
	ck_assert_int_eq(memcmp(buf, "xhellox", 7), 0);
	ck_assert_int_eq(memcmp(p + 4, "xxxxxxx", 7), 0); /* ours is our own */
	ck_assert_int_eq(sl_tracee_write(pid, address(p + 2 * page - 2), "hello", 5), -EFAULT);
	/* What the tracee may not write is not written for it. */
	ck_assert_int_eq(sl_tracee_write(pid, address("constant"), "C", 1), -EFAULT);
	stop(pid);
	ck_assert_int_eq(sl_tracee_read(pid, address(p), buf, 1), -ESRCH);
	ck_assert_int_eq(sl_tracee_write(pid, address(p), buf, 1), -ESRCH);
}
END_TEST

/* ---- credentials ---- */

static void set_caps(uint64_t effective)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	need(syscall(__NR_capget, &header, data) == 0, "capget");
	data[0].effective &= (uint32_t)effective;
	data[1].effective &= (uint32_t)(effective >> 32);
	need(syscall(__NR_capset, &header, data) == 0, "capset");
}

static const gid_t some_groups[] = {7, 4242, 900};

/* A name that would forge lines, an umask, and as root ids and groups of its own. */
static void be_odd(void)
{
	umask(0137);
	need(prctl(PR_SET_NAME, "a\nUid:\t0 0 0") == 0, "name");
	if (!is_root)
		return;
	need(setgroups(3, some_groups) == 0 && setresgid(1, 2, 3) == 0 && setresuid(USER, OTHER, USER) == 0,
	     "ids");
	syscall(__NR_setfsuid, USER);
	need(prctl(PR_SET_DUMPABLE, 1) == 0, "dumpable");
}

START_TEST(credentials)
{
	struct sl_creds c;
	pid_t pid = start(be_odd);

	ck_assert_int_eq(sl_tracee_creds(pid, &c), 0);
	ck_assert_int_eq(c.tgid, pid);
	ck_assert_int_eq(c.ppid, getpid());
	ck_assert_uint_eq(c.umask, 0137);
	if (is_root) {
		ck_assert(c.uid == USER && c.euid == OTHER && c.fsuid == USER);
		ck_assert(c.gid == 1 && c.egid == 2 && c.fsgid == 2);
		ck_assert_int_eq(c.group_count, 3);
		ck_assert(c.groups[0] == 7 && c.groups[1] == 900 && c.groups[2] == 4242);
		ck_assert_uint_eq(c.cap_effective, 0);
	} else {
		ck_assert(c.uid == getuid() && c.euid == geteuid() && c.fsuid == geteuid());
		ck_assert(c.gid == getgid() && c.egid == getegid() && c.fsgid == getegid());
		ck_assert_int_eq(c.group_count, getgroups(0, NULL));
	}
	stop(pid);
	ck_assert_int_eq(sl_tracee_creds(pid, &c), -ESRCH);
	ck_assert_int_eq(sl_tracee_tgid(pid), -ESRCH);
}
END_TEST

static void have_many_groups(void)
{
	gid_t groups[SL_GROUPS_MAX + 1];

	for (int i = 0; i <= SL_GROUPS_MAX; i++)
		groups[i] = (gid_t)(100000 + i);
	need(setgroups(SL_GROUPS_MAX + 1, groups) == 0, "setgroups");
}

START_TEST(too_many_groups)
{
	struct sl_creds c;
	pid_t pid = start(have_many_groups);

	ck_assert_int_eq(sl_tracee_creds(pid, &c), -E2BIG);
	stop(pid);
}
END_TEST

static pid_t *shared;

static void *thread_main(void *arg)
{
	shared[0] = (pid_t)syscall(__NR_gettid);
	pause();
	return arg;
}

static void make_family(void)
{
	pthread_t t;
	pid_t child;

	need(pthread_create(&t, NULL, thread_main, NULL) == 0, "thread");
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
	}
	shared[1] = child;
	while (!__atomic_load_n(&shared[0], __ATOMIC_SEQ_CST))
		sched_yield();
}

START_TEST(family)
{
	pid_t pid;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid = start(make_family);
	ck_assert_int_eq(sl_tracee_tgid(shared[0]), pid);
	ck_assert_int_eq(sl_tracee_tgid(pid), pid);
	ck_assert_int_eq(sl_tracee_ppid(shared[1]), pid);
	ck_assert(sl_tracee_is_descendant(pid, pid));
	ck_assert(sl_tracee_is_descendant(shared[1], pid));
	ck_assert(sl_tracee_is_descendant(shared[1], getpid()));
	ck_assert(!sl_tracee_is_descendant(pid, shared[1]));
	ck_assert(!sl_tracee_is_descendant(getpid(), pid));
	stop(pid);
	ck_assert(!sl_tracee_is_descendant(-5, pid));
}
END_TEST

/* ---- identity ---- */

static uint64_t own_effective(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	ck_assert_int_eq(syscall(__NR_capget, &header, data), 0);
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

static void be_user(void)
{
	need(setgroups(3, some_groups) == 0 && setresgid(USER, USER, USER) == 0 &&
		 setresuid(USER, USER, USER) == 0,
	     "ids");
}

START_TEST(assume)
{
	struct sl_creds caller, before, during, after;
	struct sl_identity *saved = NULL;
	pid_t pid = start(be_user);
	char name[64];

	snprintf(name, sizeof(name), "%s/secret", base);
	close(open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	ck_assert_int_eq(sl_tracee_creds(getpid(), &before), 0);
	ck_assert_int_eq(sl_tracee_creds(pid, &caller), 0);
	ck_assert_int_eq(sl_identity_assume(&caller, &saved), 0);
	ck_assert_ptr_nonnull(saved);
	ck_assert_int_eq(open(name, O_RDONLY | O_CLOEXEC), -1);
	ck_assert_uint_eq(own_effective(), 0);
	ck_assert_int_eq(sl_tracee_creds(getpid(), &during), 0);
	sl_identity_restore(saved);
	ck_assert_int_eq(sl_tracee_creds(getpid(), &after), 0);
	ck_assert(during.fsuid == USER && during.fsgid == USER && during.group_count == 3);
	ck_assert(during.uid == 0 && during.euid == 0 && during.gid == before.gid);
	ck_assert_int_eq(memcmp(&before, &after, offsetof(struct sl_creds, groups)), 0);
	ck_assert_int_eq(before.group_count, after.group_count);
	ck_assert_uint_eq(before.cap_effective, after.cap_effective);
	close(open(name, O_RDONLY | O_CLOEXEC));
	ck_assert_int_eq(unlink(name), 0);
	stop(pid);
}
END_TEST

static struct sl_creds seen_beside;
static pid_t beside_tid;
static int beside_state;

static void *wait_beside(void *arg)
{
	beside_tid = (pid_t)syscall(__NR_gettid);
	__atomic_store_n(&beside_state, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&beside_state, __ATOMIC_SEQ_CST) == 1)
		sched_yield();
	return arg;
}

/* A thread that was there before keeps its identity. */
START_TEST(assume_one_thread)
{
	struct sl_creds caller, own;
	struct sl_identity *saved = NULL;
	pid_t pid = start(be_user);
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, wait_beside, NULL), 0);
	while (!__atomic_load_n(&beside_state, __ATOMIC_SEQ_CST))
		sched_yield();
	ck_assert_int_eq(sl_tracee_creds(getpid(), &own), 0);
	ck_assert_int_eq(sl_tracee_creds(pid, &caller), 0);
	ck_assert_int_eq(sl_identity_assume(&caller, &saved), 0);
	ck_assert_int_eq(sl_tracee_creds(beside_tid, &seen_beside), 0);
	sl_identity_restore(saved);
	ck_assert(seen_beside.fsuid == own.fsuid && seen_beside.fsgid == own.fsgid);
	ck_assert_int_eq(seen_beside.group_count, own.group_count);
	ck_assert_uint_eq(seen_beside.cap_effective, own.cap_effective);
	__atomic_store_n(&beside_state, 2, __ATOMIC_SEQ_CST);
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	stop(pid);
}
END_TEST

static void drop_caps(void)
{
	set_caps(1ULL << CAP_CHOWN);
}

/* Root with fewer capabilities than ours: the same ids, but not what they may. */
START_TEST(assume_fewer_capabilities)
{
	struct sl_creds caller;
	struct sl_identity *saved = NULL;
	uint64_t before = own_effective();
	pid_t pid = start(drop_caps);

	ck_assert_int_eq(sl_tracee_creds(pid, &caller), 0);
	ck_assert_int_eq(sl_identity_assume(&caller, &saved), 0);
	ck_assert_ptr_nonnull(saved);
	ck_assert_uint_eq(own_effective(), 1ULL << CAP_CHOWN);
	sl_identity_restore(saved);
	ck_assert_uint_eq(own_effective(), before);
	stop(pid);
}
END_TEST

START_TEST(assume_our_own)
{
	struct sl_creds caller;
	struct sl_identity *saved = (void *)&caller;
	pid_t pid = start(NULL);

	ck_assert_int_eq(sl_tracee_creds(pid, &caller), 0);
	ck_assert_int_eq(sl_identity_assume(&caller, &saved), 0);
	ck_assert_ptr_null(saved);
	sl_identity_restore(saved);
	stop(pid);
}
END_TEST

/* An ordinary user can take on nobody else's identity, and keeps its own when it tried. */
START_TEST(assume_refused)
{
	struct sl_creds own, wanted, after;
	struct sl_identity *saved = NULL;

	if (is_root)
		be_user();
	ck_assert_int_eq(sl_tracee_creds(getpid(), &own), 0);
	for (int i = 0; i < 4; i++) {
		wanted = own;
		if (i == 0)
			wanted.fsuid = OTHER;
		else if (i == 1)
			wanted.fsgid = OTHER;
		else if (i == 2)
			wanted.groups[wanted.group_count++] = OTHER;
		else
			wanted.fsuid = 0;
		ck_assert_int_eq(sl_identity_assume(&wanted, &saved), -EPERM);
		ck_assert_ptr_null(saved);
		ck_assert_int_eq(sl_tracee_creds(getpid(), &after), 0);
		ck_assert(after.fsuid == own.fsuid && after.fsgid == own.fsgid);
		ck_assert_int_eq(after.group_count, own.group_count);
	}
}
END_TEST

/* ---- programs ---- */

struct seen {
	struct sl_strv paths, deleted;
};

static void see(const struct sl_mapping *m, void *arg)
{
	struct seen *s = arg;

	sl_strv_add(m->deleted ? &s->deleted : &s->paths, m->path);
}

static const char *const mapped[] = {"plain", "back\\012slash", "new\nline", "ends (deleted)", "gone"};

static void map_files(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < SL_ARRAY_LEN(mapped); i++) {
		int fd = open(mapped[i], O_RDWR | O_CREAT | O_CLOEXEC, 0700);

		need(fd >= 0 && ftruncate(fd, (off_t)page) == 0, mapped[i]);
		need(mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) != MAP_FAILED, "mmap");
		need(mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED, "mmap");
		close(fd);
	}
	need(unlink("gone") == 0, "unlink");
}

START_TEST(mappings)
{
	struct seen s = {SL_STRV_INIT, SL_STRV_INIT};
	char name[128];
	pid_t pid;

	ck_assert_int_eq(chdir(base), 0);
	pid = start(map_files);
	ck_assert_int_eq(sl_tracee_mappings(pid, see, &s), 0);
	for (size_t i = 0; i < SL_ARRAY_LEN(mapped); i++) {
		bool gone = strcmp(mapped[i], "gone") == 0;

		snprintf(name, sizeof(name), "%s/%s", base, mapped[i]);
		ck_assert_msg(sl_strv_contains(&s.paths, name) == !gone, "%s", name);
		ck_assert_msg(sl_strv_contains(&s.deleted, name) == gone, "%s", name);
		unlink(mapped[i]);
	}
	stop(pid);
	ck_assert_int_eq(sl_tracee_mappings(pid, see, &s), -ESRCH);
	sl_strv_release(&s.paths);
	sl_strv_release(&s.deleted);
}
END_TEST

START_TEST(program)
{
	static struct sl_resolved r;
	char name[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", name, sizeof(name) - 1);
	pid_t pid = start(NULL);

	ck_assert_int_gt(n, 0);
	name[n] = '\0';
	ck_assert_int_eq(sl_tracee_exe(pid, &r), 0);
	ck_assert(!r.deleted && !r.anonymous && r.fd >= 0);
	ck_assert_str_eq(r.path, name);
	sl_resolved_release(&r);
	stop(pid);
	ck_assert_int_eq(sl_tracee_exe(pid, &r), -ESRCH);
	ck_assert_int_lt(r.fd, 0);
}
END_TEST

#define TAKEN 200 /* the number under which children have a file to be taken */

static const char *taken_file;

static void open_taken(void)
{
	need(dup2(open(taken_file, O_RDONLY), TAKEN) == TAKEN, taken_file);
}

/* What the descriptor that was taken leads to. */
static void check_taken(int fd, const char *path)
{
	struct stat is, wanted;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &is), 0);
	ck_assert_int_eq(stat(path, &wanted), 0);
	ck_assert(is.st_ino == wanted.st_ino && is.st_rdev == wanted.st_rdev);
	close(fd);
}

static pid_t start_with(const char *path)
{
	taken_file = path;
	return start(open_taken);
}

START_TEST(take)
{
	struct sl_pidfds p = {0};
	pid_t one = start_with("/dev/null"), two = start_with("/dev/zero");

	for (int i = 0; i < 2; i++) {
		check_taken(sl_fd_take_by(&p, one, TAKEN), "/dev/null");
		check_taken(sl_fd_take_by(&p, two, TAKEN), "/dev/zero");
	}
	ck_assert_int_eq(sl_fd_take_by(&p, one, TAKEN + 1), -EBADF);
	ck_assert_int_eq(sl_fd_take_by(&p, one, -1), -EBADF);
	stop(one);
	ck_assert_int_eq(sl_fd_take_by(&p, one, TAKEN), -ESRCH);
	check_taken(sl_fd_take_by(&p, two, TAKEN), "/dev/zero");
	stop(two);
	sl_pidfds_release(&p);
}
END_TEST

/* A number that another process has by now: never what its predecessor had. */
START_TEST(take_from_a_number_used_again)
{
	struct sl_pidfds p = {0};
	pid_t pid = start_with("/dev/null");
	struct clone_args how = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1};
	int pipes[2];
	char c;

	check_taken(sl_fd_take_by(&p, pid, TAKEN), "/dev/null");
	stop(pid);
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	taken_file = "/dev/zero";
	if (syscall(SYS_clone3, &how, sizeof(how)) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		open_taken();
		need(write(pipes[1], "", 1) == 1, "write");
		for (;;)
			pause();
	}
	close(pipes[1]);
	ck_assert_int_eq(read(pipes[0], &c, 1), 1);
	close(pipes[0]);
	check_taken(sl_fd_take_by(&p, pid, TAKEN), "/dev/zero");
	stop(pid);
	sl_pidfds_release(&p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kernel-tracee");
	TCase *t = tcase_create("tracee");
	SRunner *r = srunner_create(s);
	int failed;

	is_root = geteuid() == 0;
	need(mkdtemp(base) != NULL, base);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, strings);
	tcase_add_test(t, memory);
	tcase_add_test(t, credentials);
	tcase_add_test(t, family);
	tcase_add_test(t, assume_our_own);
	tcase_add_test(t, assume_refused);
	tcase_add_test(t, mappings);
	tcase_add_test(t, program);
	tcase_add_test(t, take);
	if (is_root) {
		tcase_add_test(t, take_from_a_number_used_again);
		tcase_add_test(t, too_many_groups);
		tcase_add_test(t, assume);
		tcase_add_test(t, assume_one_thread);
		tcase_add_test(t, assume_fewer_capabilities);
	}
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	rmdir(base);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
