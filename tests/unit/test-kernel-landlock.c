/*
 * Unit tests of kernel/landlock.h: masks by ABI, and that the kernel understands by each right what the table
 * says. Fixture: a small tree. Variants: every single right, as root and as an ordinary user. Every check
 * forks; the operation's errno comes back, so the assertion keeps its line.
 */
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>

#include "base/strbuf.h"
#include "kernel/landlock.h"

#define NOBODY 65534
#define BROKEN 250 /* the test itself could not go on */

static char top[] = "/tmp/sandlock-test-landlock-XXXXXX";
static uid_t users[] = {0, NOBODY};
static size_t user_count;

static void die(const char *what)
{
	perror(what);
	_exit(BROKEN);
}

static void make_file(const char *name, mode_t mode)
{
	SL_CLOSE int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if (fd < 0 || write(fd, "text\n", 5) != 5 || fchmod(fd, mode))
		die(name);
}

/* In the child, as the user: a fresh tree in its own directory, which becomes the working directory. */
static void make_tree(void)
{
	char dir[64];

	snprintf(dir, sizeof(dir), "%s/%d", top, (int)getpid());
	if (mkdir(dir, 0700) || chdir(dir) || mkdir("d", 0700) || mkdir("d/sub", 0700) ||
	    mkdir("d/empty", 0700))
		die(dir);
	make_file("d/file", 0600);
	make_file("d/program", 0700);
}

static int result(int r)
{
	return r < 0 ? errno : 0;
}

static int op_read(void)
{
	return result(open("d/file", O_RDONLY | O_CLOEXEC));
}

static int op_write(void)
{
	return result(open("d/file", O_WRONLY | O_CLOEXEC));
}

static int op_truncate(void)
{
	return result(truncate("d/file", 1));
}

static int op_list(void)
{
	return result(open("d/sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/* Text without "#!": ENOEXEC once the kernel may execute it. */
static int op_exec(void)
{
	char *const argv[] = {(char *)"program", NULL};

	execve("d/program", argv, argv + 1);
	return errno == ENOEXEC ? 0 : errno;
}

static int op_rmdir(void)
{
	return result(rmdir("d/empty"));
}

static int op_unlink(void)
{
	return result(unlink("d/file"));
}

static int op_mkchar(void)
{
	return result(mknod("d/new", S_IFCHR | 0600, 0x0103));
}

static int op_mkblock(void)
{
	return result(mknod("d/new", S_IFBLK | 0600, 0x0700));
}

static int op_mkdir(void)
{
	return result(mkdir("d/new", 0700));
}

static int op_mkreg(void)
{
	return result(mknod("d/new", S_IFREG | 0600, 0));
}

static int op_mkfifo(void)
{
	return result(mkfifo("d/new", 0600));
}

static int op_mksym(void)
{
	return result(symlink("x", "d/new"));
}

static int op_mksock(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "d/new"};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return result(bind(fd, (struct sockaddr *)&name, sizeof(name)));
}

static const struct op {
	const char *name;
	int (*run)(void);
	uint64_t rights; /* the right that it needs; exec opens the file for reading, so two */
	bool root_only;
} ops[] = {
    {"read", op_read, SL_LL_READ_FILE, false},
    {"write", op_write, SL_LL_WRITE_FILE, false},
    {"truncate", op_truncate, SL_LL_TRUNCATE, false},
    {"list", op_list, SL_LL_READ_DIR, false},
    {"exec", op_exec, SL_LL_EXECUTE | SL_LL_READ_FILE, false},
    {"rmdir", op_rmdir, SL_LL_REMOVE_DIR, false},
    {"unlink", op_unlink, SL_LL_REMOVE_FILE, false},
    {"mkchar", op_mkchar, SL_LL_MAKE_CHAR, true},
    {"mkblock", op_mkblock, SL_LL_MAKE_BLOCK, true},
    {"mkdir", op_mkdir, SL_LL_MAKE_DIR, false},
    {"mkreg", op_mkreg, SL_LL_MAKE_REG, false},
    {"mkfifo", op_mkfifo, SL_LL_MAKE_FIFO, false},
    {"mksym", op_mksym, SL_LL_MAKE_SYM, false},
    {"mksock", op_mksock, SL_LL_MAKE_SOCK, false},
};

/* Enter a domain of this ABI with the rights granted beneath path (none where it is NULL). */
static void enter(int abi, uint64_t disabled, const char *path, uint64_t rights)
{
	struct sl_landlock_masks masks = sl_landlock_masks(abi, disabled);
	int fd = sl_landlock_create(&masks), r;

	if (fd < 0)
		die("create");
	if (path) {
		int dir = open(path, O_PATH | O_CLOEXEC);

		r = sl_landlock_add_path(fd, dir, rights & masks.fs);
		if (r < 0)
			die("add_path");
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || sl_landlock_restrict(fd) < 0)
		die("restrict");
}

struct job {
	uid_t user;
	int abi;
	uint64_t disabled;
	const char *path;
	uint64_t rights;
	int (*run)(void);
};

/* Run the job in a child: what it returned. */
static int in_domain(const struct job *j)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (j->user && (setgroups(0, NULL) || setresgid(j->user, j->user, j->user) ||
				setresuid(j->user, j->user, j->user)))
			die("setresuid");
		make_tree();
		enter(j->abi, j->disabled, j->path, j->rights);
		_exit(j->run());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "status %#x", status);
	ck_assert_int_ne(WEXITSTATUS(status), BROKEN);
	return WEXITSTATUS(status);
}

static void skip_without_landlock(int abi)
{
	if (sl_landlock_abi_raw() < abi) {
		fprintf(stderr, "skipped: the kernel's Landlock ABI is %d\n", sl_landlock_abi_raw());
		_exit(EXIT_SUCCESS);
	}
}

/* Each right allows exactly its operation; all rights together allow all, none allows none. */
START_TEST(rights)
{
	skip_without_landlock(5);
	for (size_t u = 0; u < user_count; u++) {
		for (size_t i = 0; i < SL_ARRAY_LEN(ops); i++) {
			struct job j = {users[u], 7, 0, "d", 0, ops[i].run};

			if (ops[i].root_only && (users[u] || geteuid()))
				continue;
			ck_assert_msg(in_domain(&j) == EACCES, "%s without a right", ops[i].name);
			j.rights = ops[i].rights;
			int got = in_domain(&j);

			ck_assert_msg(got == 0, "%s with its right: %s", ops[i].name, strerror(got));
			for (uint64_t bit = 1; bit <= SL_LL_IOCTL_DEV; bit <<= 1) {
				if (!(ops[i].rights & bit))
					continue;
				j.rights = sl_landlock_masks(7, 0).fs & ~bit;
				ck_assert_msg(in_domain(&j) == EACCES, "%s without %#llx", ops[i].name,
					      (unsigned long long)bit);
			}
		}
	}
}
END_TEST

static int op_open_truncate(void)
{
	return result(open("d/file", O_WRONLY | O_TRUNC | O_CLOEXEC));
}

static int op_create(void)
{
	return result(open("d/new", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
}

static int op_rename_across(void)
{
	return result(rename("d/file", "d/sub/file"));
}

static int op_link_across(void)
{
	return result(link("d/file", "d/sub/file"));
}

static int op_rename_here(void)
{
	return result(rename("d/file", "d/other"));
}

START_TEST(combined)
{
	const uint64_t moving = SL_LL_MAKE_REG | SL_LL_REMOVE_FILE;
	const struct {
		int (*run)(void);
		uint64_t rights;
		int expected;
	} rows[] = {
	    {op_open_truncate, SL_LL_WRITE_FILE | SL_LL_TRUNCATE, 0},
	    {op_open_truncate, SL_LL_WRITE_FILE, EACCES},
	    {op_create, SL_LL_WRITE_FILE | SL_LL_MAKE_REG, 0},
	    {op_create, SL_LL_MAKE_REG, EACCES},
	    {op_rename_here, moving, 0},
	    {op_rename_here, SL_LL_MAKE_REG, EACCES},
	    {op_rename_across, moving | SL_LL_REFER, 0},
	    {op_rename_across, moving, EXDEV},
	    {op_link_across, SL_LL_MAKE_REG | SL_LL_REFER, 0},
	    {op_link_across, SL_LL_MAKE_REG, EXDEV},
	};

	skip_without_landlock(3);
	for (size_t u = 0; u < user_count; u++)
		for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
			struct job j = {users[u], 7, 0, "d", rows[i].rights, rows[i].run};
			int got = in_domain(&j);

			ck_assert_msg(got == rows[i].expected, "row %zu: %s", i, strerror(got));
		}
}
END_TEST

static int op_device_ioctl(void)
{
	struct termios t;
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return BROKEN;
	return ioctl(fd, TCGETS, &t) < 0 ? errno : 0;
}

static int op_bind(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return result(bind(fd, (struct sockaddr *)&any, sizeof(any)));
}

/* Signal 0 to the test's own process, which is outside. */
static int op_signal(void)
{
	return result(kill(getppid(), 0));
}

static int abstract_name(struct sockaddr_un *name)
{
	*name = (struct sockaddr_un){.sun_family = AF_UNIX};
	return (int)offsetof(struct sockaddr_un, sun_path) + 1 +
	       snprintf(name->sun_path + 1, sizeof(name->sun_path) - 1, "%s", top);
}

static int op_abstract(void)
{
	struct sockaddr_un name;
	socklen_t len = (socklen_t)abstract_name(&name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return result(connect(fd, (struct sockaddr *)&name, len));
}

/* What a domain of each ABI withholds, with every right of ABI 1 granted on "/", and what --disable leaves
 * out. */
static const struct {
	int (*run)(void);
	uint64_t protection;
	int min_abi, refused, otherwise;
} by_abi[] = {
    {op_truncate, SL_PROTECT_FS_TRUNCATE, 3, EACCES, 0},
    {op_bind, SL_PROTECT_NET_TCP, 4, EACCES, 0},
    {op_device_ioctl, SL_PROTECT_FS_IOCTL_DEV, 5, EACCES, ENOTTY},
    {op_signal, SL_PROTECT_SIGNAL_SCOPE, 6, EPERM, 0},
    {op_abstract, SL_PROTECT_ABSTRACT_UNIX, 6, EPERM, 0},
};

START_TEST(abis)
{
	const uint64_t old = sl_landlock_masks(1, 0).fs;
	struct sockaddr_un name;
	socklen_t len = (socklen_t)abstract_name(&name);
	SL_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, len), 0);
	ck_assert_int_eq(listen(fd, 100), 0);
	for (int abi = 1; abi <= SL_MIN(sl_landlock_abi_raw(), SL_LL_ABI_MAX); abi++) {
		for (size_t i = 0; i < SL_ARRAY_LEN(by_abi); i++) {
			struct job j = {0, abi, 0, "/", old, by_abi[i].run};
			int expected = abi >= by_abi[i].min_abi ? by_abi[i].refused : by_abi[i].otherwise;

			j.user = users[user_count - 1];
			/* an ordinary user may not signal root in any case */
			if (by_abi[i].run == op_signal)
				j.user = users[0];
			ck_assert_msg(in_domain(&j) == expected, "ABI %d, row %zu", abi, i);
			j.disabled = by_abi[i].protection;
			ck_assert_msg(in_domain(&j) == by_abi[i].otherwise, "ABI %d without, row %zu", abi,
				      i);
		}
		/* REFER: never without it, whatever is left out */
		struct job j = {users[user_count - 1], abi, SL_PROTECT_FS_REFER, "/", old, op_rename_across};

		ck_assert_int_eq(in_domain(&j), EXDEV);
		j.rights |= SL_LL_REFER;
		ck_assert_int_eq(in_domain(&j), abi >= 2 ? 0 : EXDEV);
	}
}
END_TEST

START_TEST(mask_table)
{
	static const uint64_t fs[] = {0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff, 0xffff, 0xffff};
	static const uint64_t net[] = {0, 0, 0, 0, 3, 3, 3, 3};
	static const uint64_t scoped[] = {0, 0, 0, 0, 0, 0, 3, 3};

	for (int abi = 0; abi <= SL_LL_ABI_MAX; abi++) {
		struct sl_landlock_masks m = sl_landlock_masks(abi, 0);

		ck_assert_uint_eq(m.fs, fs[abi]);
		ck_assert_uint_eq(m.net, net[abi]);
		ck_assert_uint_eq(m.scoped, scoped[abi]);
		for (const struct sl_protection_row *p = sl_protections; p->name; p++) {
			struct sl_landlock_masks less = sl_landlock_masks(abi, p->bit);
			bool same = less.fs == m.fs && less.net == m.net && less.scoped == m.scoped;

			ck_assert_msg(same == (abi < p->min_abi || !p->can_disable), "ABI %d without %s", abi,
				      p->name);
		}
	}
	ck_assert_uint_eq(sl_landlock_masks(7, SL_PROTECT_SIGNAL_SCOPE).scoped, SL_LL_SCOPE_ABSTRACT_UNIX);
	ck_assert_uint_eq(sl_landlock_masks(7, SL_PROTECT_ABSTRACT_UNIX).scoped, SL_LL_SCOPE_SIGNAL);
	ck_assert_uint_eq(sl_landlock_masks(7, SL_PROTECT_FS_TRUNCATE).fs, 0xbfff);
	ck_assert_uint_eq(sl_landlock_masks(7, SL_PROTECT_FS_IOCTL_DEV).fs, 0x7fff);
}
END_TEST

START_TEST(lowered_abi)
{
	int kernel = SL_MIN(sl_landlock_abi_raw(), SL_LL_ABI_MAX);
	static const char *const ignored[] = {"", "x", "-1", "3x", "99"};

	ck_assert_int_eq(sl_landlock_abi(), kernel);
	for (int abi = 0; abi <= kernel; abi++) {
		char text[16];

		snprintf(text, sizeof(text), "%d", abi);
		setenv("SANDLOCK_TEST_LANDLOCK_ABI", text, 1);
		ck_assert_int_eq(sl_landlock_abi(), abi);
	}
	for (size_t i = 0; i < SL_ARRAY_LEN(ignored); i++) {
		setenv("SANDLOCK_TEST_LANDLOCK_ABI", ignored[i], 1);
		ck_assert_int_eq(sl_landlock_abi(), kernel);
	}
	unsetenv("SANDLOCK_TEST_LANDLOCK_ABI");
}
END_TEST

START_TEST(refusals)
{
	struct sl_landlock_masks none = {0}, odd = {.fs = 1ULL << 60};
	struct sl_landlock_masks masks = sl_landlock_masks(1, 0);
	SL_CLOSE int fd = sl_landlock_create(&masks);

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(sl_landlock_create(&none), -ENOMSG);
	ck_assert_int_eq(sl_landlock_create(&odd), -EINVAL);
	ck_assert_int_eq(sl_landlock_add_path(fd, -1, 0), 0);
	ck_assert_int_eq(sl_landlock_add_path(fd, -1, SL_LL_READ_FILE), -EBADF);
	ck_assert_int_eq(sl_landlock_add_path(-1, fd, SL_LL_READ_FILE), -EBADF);
	ck_assert_int_eq(sl_landlock_restrict(-1), -EBADF);
}
END_TEST

static void remove_trees(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", top, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

int main(void)
{
	Suite *s = suite_create("kernel-landlock");
	TCase *t = tcase_create("landlock");
	SRunner *r = srunner_create(s);
	int failed;

	if (sl_landlock_abi_raw() == 0)
		return 77;
	if (!mkdtemp(top) || chmod(top, 0777))
		return EXIT_FAILURE;
	user_count = geteuid() == 0 ? 2 : 1;
	if (user_count == 1)
		users[0] = 0; /* stay who we are */
	tcase_set_timeout(t, 60);
	tcase_add_test(t, mask_table);
	tcase_add_test(t, lowered_abi);
	tcase_add_test(t, refusals);
	tcase_add_test(t, rights);
	tcase_add_test(t, combined);
	tcase_add_test(t, abis);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	remove_trees();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
