/* Unit tests of sl_outfile (profile/write.h). Each test has a directory of its own; the system calls that can
 * fail are made to fail by limits, permissions and a small file system. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "profile/write.h"

static char dir[64];

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/test-outfile-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
}

/* How many names the directory has. */
static int names(void)
{
	SL_CLOSEDIR DIR *d = opendir(dir);
	int count = -2;

	while (readdir(d))
		count++;
	return count;
}

static void teardown(void)
{
	SL_CLOSEDIR DIR *d = opendir(dir);
	struct dirent *entry;

	while ((entry = readdir(d)))
		if (unlinkat(dirfd(d), entry->d_name, 0) < 0)
			unlinkat(dirfd(d), entry->d_name, AT_REMOVEDIR);
	rmdir(dir);
}

static void put(const char *name, const char *text, mode_t mode)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

static void expect(const char *name, const char *text)
{
	char got[256] = "";
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, got, sizeof(got) - 1);

	ck_assert_msg(fd >= 0 && n >= 0, "%s: %s", name, strerror(errno));
	close(fd);
	ck_assert_str_eq(got, text);
}

/* Open and commit. */
static int replace(const char *path, const char *text, struct sl_error *err)
{
	struct sl_outfile *o = NULL;
	int r = sl_outfile_open(path, &o, err);

	if (r == 0)
		r = sl_outfile_commit(o, text, strlen(text), err);
	sl_outfile_free(o);
	return r;
}

/* The same where no file may grow past 1000 bytes, which stands for a full disk. Not for longer: the test runner writes
 * to a file too. */
static int replace_limited(const char *path, const char *text, struct sl_error *err)
{
	struct rlimit limit = { 1000, RLIM_INFINITY };
	int r;

	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return -errno;
	r = replace(path, text, err);
	limit.rlim_cur = RLIM_INFINITY;
	return setrlimit(RLIMIT_FSIZE, &limit) < 0 ? -errno : r;
}

START_TEST(test_new_file)
{
	struct sl_outfile *o;
	struct stat st;

	umask(027);
	ck_assert_int_eq(sl_outfile_open("new", &o, NULL), 0);
	ck_assert_int_eq(names(), 0);
	ck_assert_int_eq(sl_outfile_commit(o, "text", 4, NULL), 0);
	sl_outfile_free(o);
	expect("new", "text");
	ck_assert_int_eq(stat("new", &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0640);
	ck_assert_uint_eq(st.st_nlink, 1);
	ck_assert_int_eq(names(), 1);
}
END_TEST

START_TEST(test_mode_and_owner)
{
	struct stat before, after;

	put("f", "old", 0604);
	if (getuid() == 0)
		ck_assert_int_eq(chown("f", 12345, 23456), 0);
	ck_assert_int_eq(stat("f", &before), 0);
	ck_assert_int_eq(replace("f", "new", NULL), 0);
	ck_assert_int_eq(stat("f", &after), 0);
	expect("f", "new");
	ck_assert_int_eq(after.st_mode, before.st_mode);
	ck_assert_int_eq(after.st_uid, before.st_uid);
	ck_assert_int_eq(after.st_gid, before.st_gid);
	ck_assert_uint_ne(after.st_ino, before.st_ino);
	ck_assert_int_eq(names(), 1);
}
END_TEST

START_TEST(test_symbolic_links)
{
	char target[16];

	ck_assert_int_eq(mkdir("sub", 0700), 0);
	put("sub/f", "old", 0600);
	ck_assert_int_eq(symlink("sub/link", "link"), 0);
	ck_assert_int_eq(symlink("f", "sub/link"), 0);
	ck_assert_int_eq(replace("link", "new", NULL), 0);
	expect("sub/f", "new");
	ck_assert_int_eq(readlink("link", target, sizeof(target)), 8);
	ck_assert_int_eq(readlink("sub/link", target, sizeof(target)), 1);
	/* One that leads to nothing makes what it names. */
	ck_assert_int_eq(symlink("sub/g", "dangling"), 0);
	ck_assert_int_eq(replace("dangling", "made", NULL), 0);
	expect("sub/g", "made");
	ck_assert_int_eq(symlink("loop", "loop"), 0);
	ck_assert_int_eq(replace("loop", "x", NULL), -ELOOP);
	unlink("sub/f");
	unlink("sub/g");
	unlink("sub/link");
}
END_TEST

START_TEST(test_errors_come_at_open)
{
	struct sl_error err = SL_ERROR_INIT;
	struct sl_outfile *o = NULL;

	ck_assert_int_eq(sl_outfile_open(".", &o, &err), -EISDIR);
	ck_assert_int_eq(sl_outfile_open("missing/f", &o, &err), -ENOENT);
	ck_assert_str_eq(err.text, "missing/f: No such file or directory");
	ck_assert_int_eq(sl_outfile_open("f/", &o, &err), -EISDIR);
	ck_assert_int_eq(sl_outfile_open("", &o, &err), -ENOENT);
	put("plain", "", 0600);
	ck_assert_int_eq(sl_outfile_open("plain/f", &o, &err), -ENOTDIR);
	ck_assert_ptr_null(o);
}
END_TEST

/* As nobody: what root may do always. */
START_TEST(test_permissions)
{
	struct sl_outfile *o = NULL;

	put("read-only", "old", 0444);
	put("foreign", "old", 0666);
	if (getuid() == 0) {
		ck_assert_int_eq(chown("read-only", 65534, 65534), 0);
		ck_assert_int_eq(chmod(dir, 0777), 0);
		ck_assert_int_eq(setegid(65534), 0);
		ck_assert_int_eq(seteuid(65534), 0);
	}
	ck_assert_int_eq(sl_outfile_open("read-only", &o, NULL), -EACCES);
	ck_assert_int_eq(sl_outfile_open("/etc/new-file", &o, NULL), -EACCES);
	ck_assert_int_eq(replace("foreign", "new", NULL), 0);
	expect("foreign", "new");
	ck_assert_int_eq(seteuid(0) == 0 || getuid(), 1);
}
END_TEST

START_TEST(test_abort_leaves_the_old_file)
{
	struct sl_outfile *o;
	struct stat before, after;

	put("f", "old", 0600);
	ck_assert_int_eq(stat("f", &before), 0);
	ck_assert_int_eq(sl_outfile_open("f", &o, NULL), 0);
	sl_outfile_free(o);
	sl_outfile_free(NULL);
	ck_assert_int_eq(stat("f", &after), 0);
	ck_assert_int_eq(memcmp(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim)), 0);
	ck_assert_uint_eq(before.st_ino, after.st_ino);
	expect("f", "old");
	ck_assert_int_eq(names(), 1);
}
END_TEST

/* A file that cannot be written whole. */
START_TEST(test_failed_write_leaves_the_old_file)
{
	SL_FREE char *text = sl_xcalloc(1, 5001);
	struct sl_error err = SL_ERROR_INIT;

	memset(text, 'x', 5000);
	put("f", "old", 0600);
	ck_assert_int_eq(replace_limited("f", text, &err), -EFBIG);
	ck_assert_int_eq(replace_limited("g", text, &err), -EFBIG);
	expect("f", "old");
	ck_assert_int_eq(names(), 1);
}
END_TEST

/* A file system that is full; only root can make one. Others have the test above. */
START_TEST(test_no_space)
{
	SL_FREE char *text = sl_xcalloc(1, 200001);
	int r = 0;

	memset(text, 'x', 200000);
	if (getuid() == 0) {
		r = mount("none", dir, "tmpfs", 0, "size=64k,mode=0700");
		ck_assert_int_eq(r == 0 || errno == EPERM, 1);
	}
	if (getuid() == 0 && r == 0) {
		ck_assert_int_eq(chdir(dir), 0);
		put("f", "old", 0600);
		ck_assert_int_eq(replace("f", text, NULL), -ENOSPC);
		expect("f", "old");
		ck_assert_int_eq(names(), 1);
		ck_assert_int_eq(chdir("/"), 0);
		ck_assert_int_eq(umount(dir), 0);
	} else {
		ck_assert_int_eq(replace("/dev/full", text, NULL), -ENOSPC);
	}
}
END_TEST

/* Killed between open and commit: nothing is left, as L19 asks. */
START_TEST(test_L19_sigkill_leaves_no_name)
{
	pid_t pid;
	int status;

	put("f", "old", 0600);
	pid = fork();
	if (pid == 0) {
		struct sl_outfile *o;

		if (sl_outfile_open("f", &o, NULL) == 0 && sl_outfile_open("g", &o, NULL) == 0)
			raise(SIGKILL);
		_exit(1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	expect("f", "old");
	ck_assert_int_eq(names(), 1);
}
END_TEST

/* What the command did to the directory meanwhile. */
START_TEST(test_changes_between_open_and_commit)
{
	struct sl_outfile *o;
	struct sl_error err = SL_ERROR_INIT;

	ck_assert_int_eq(sl_outfile_open("f", &o, NULL), 0);
	put("f", "somebody else's", 0600);
	ck_assert_int_eq(sl_outfile_commit(o, "mine", 4, NULL), 0);
	sl_outfile_free(o);
	expect("f", "mine");
	ck_assert_int_eq(sl_outfile_open("f", &o, NULL), 0);
	ck_assert_int_eq(unlink("f"), 0);
	ck_assert_int_eq(mkdir("f", 0700), 0);
	ck_assert_int_eq(sl_outfile_commit(o, "mine", 4, &err), -EISDIR);
	sl_outfile_free(o);
	ck_assert_int_eq(names(), 1);
}
END_TEST

/* Devices and FIFOs are written to, not replaced. */
START_TEST(test_devices)
{
	struct stat st;
	int fd;
	char got[8] = "";

	ck_assert_int_eq(replace("/dev/null", "text", NULL), 0);
	ck_assert_int_eq(stat("/dev/null", &st), 0);
	ck_assert(S_ISCHR(st.st_mode));
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	fd = open("fifo", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(replace("fifo", "text", NULL), 0);
	ck_assert_int_eq(read(fd, got, sizeof(got)), 4);
	ck_assert_str_eq(got, "text");
	close(fd);
	ck_assert_int_eq(stat("fifo", &st), 0);
	ck_assert(S_ISFIFO(st.st_mode));
}
END_TEST

/* From here on this process is on a file system without O_TMPFILE, as far as it can tell. */
static void forbid_tmpfile(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	const struct scmp_arg_cmp flag = SCMP_A2(SCMP_CMP_MASKED_EQ, O_TMPFILE, O_TMPFILE);

	ck_assert_int_eq(
	    seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EOPNOTSUPP), SCMP_SYS(openat), 1, &flag), 0);
	ck_assert_int_eq(seccomp_load(filter), 0);
	seccomp_release(filter);
	ck_assert_int_eq(open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600), -1);
}

START_TEST(test_without_tmpfile)
{
	SL_FREE char *text = sl_xcalloc(1, 5001);
	struct sl_outfile *o;
	struct stat st;

	forbid_tmpfile();
	put("f", "old", 0640);
	ck_assert_int_eq(sl_outfile_open("f", &o, NULL), 0);
	ck_assert_int_eq(names(), 1);
	ck_assert_int_eq(sl_outfile_commit(o, "new", 3, NULL), 0);
	sl_outfile_free(o);
	expect("f", "new");
	ck_assert_int_eq(stat("f", &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0640);
	ck_assert_int_eq(replace("g", "made", NULL), 0);
	expect("g", "made");
	memset(text, 'x', 5000);
	ck_assert_int_eq(replace_limited("f", text, NULL), -EFBIG);
	expect("f", "new");
	ck_assert_int_eq(names(), 2);
}
END_TEST

/* A file of the longest name there is. */
START_TEST(test_long_name)
{
	char name[257];

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	ck_assert_int_eq(replace(name, "one", NULL), 0);
	ck_assert_int_eq(replace(name, "two", NULL), 0);
	expect(name, "two");
	name[255] = 'n';
	name[256] = '\0';
	ck_assert_int_eq(replace(name, "x", NULL), -ENAMETOOLONG);
	ck_assert_int_eq(names(), 1);
}
END_TEST

/* Is the file or directory of that name locked by somebody? */
static bool is_locked(const char *name)
{
	SL_CLOSE int fd = open(name, O_RDONLY | O_CLOEXEC);

	return flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

START_TEST(test_P2_lock)
{
	struct sl_error err = SL_ERROR_INIT;
	int fd = -EBADF, other = -EBADF;

	ck_assert_int_eq(mkdir("d", 0700), 0);
	ck_assert_int_eq(symlink("d/p", "link"), 0);
	/* What is not there yet: its directory, by a link that leads nowhere too. */
	ck_assert_int_eq(sl_profile_lock("link", &fd, &err), 0);
	ck_assert(fd >= 0 && is_locked("d") && !is_locked("."));
	put("d/p", "x", 0600);
	ck_assert_int_eq(sl_profile_lock("d/p", &other, &err), 0);
	ck_assert(other >= 0 && is_locked("d/p"));
	fd = sl_close(fd);
	other = sl_close(other);
	ck_assert(!is_locked("d") && !is_locked("d/p"));
	/* What cannot be added to is not locked. */
	ck_assert_int_eq(sl_profile_lock("/dev/null", &fd, &err), 0);
	ck_assert_int_eq(sl_profile_lock("missing/p", &fd, &err), 0);
	ck_assert_int_eq(fd, -EBADF);
	ck_assert_int_eq(unlink("d/p"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("profile-outfile");
	TCase *tcase = tcase_create("outfile");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_new_file);
	tcase_add_test(tcase, test_mode_and_owner);
	tcase_add_test(tcase, test_symbolic_links);
	tcase_add_test(tcase, test_errors_come_at_open);
	tcase_add_test(tcase, test_permissions);
	tcase_add_test(tcase, test_abort_leaves_the_old_file);
	tcase_add_test(tcase, test_failed_write_leaves_the_old_file);
	tcase_add_test(tcase, test_no_space);
	tcase_add_test(tcase, test_L19_sigkill_leaves_no_name);
	tcase_add_test(tcase, test_changes_between_open_and_commit);
	tcase_add_test(tcase, test_devices);
	tcase_add_test(tcase, test_without_tmpfile);
	tcase_add_test(tcase, test_long_name);
	tcase_add_test(tcase, test_P2_lock);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
