/*
 * Unit tests of observe/: opens and changes of names. Each case runs real calls in an observed child; what its profile
 * would hold is compared with a text. Every case checks its calls' results too, so that a prediction is compared with
 * what the kernel did.
 */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <pthread.h>
#include <linux/openat2.h>
#include <linux/fs.h>
#include <grp.h>

#include "observe-harness.h"

static void put(const char *name)
{
	harness_put(name, "x\n", 0666);
}

static void put_dir(const char *name)
{
	ck_assert_int_eq(mkdir(name, 0777), 0);
}

/* What most cases start from. */
static void stage(void)
{
	put("f");
	put("g");
	put_dir("d");
	put("d/x");
	put_dir("d/sub");
	put_dir("e");
	ck_assert_int_eq(symlink("f", "link"), 0);
	ck_assert_int_eq(symlink("missing", "dangling"), 0);
	ck_assert_int_eq(symlink("d", "dirlink"), 0);
	ck_assert_int_eq(symlink("loop", "loop"), 0);
	ck_assert_int_eq(mkfifo("fifo", 0666), 0);
}

static int read_only(void)
{
	OK(open("f", O_RDONLY));
	OK(open("d", O_RDONLY | O_DIRECTORY));
	OK(open("g", O_PATH));
	return 0;
}

static int write_only(void)
{
	OK(open("f", O_WRONLY));
	OK(open("g", O_RDONLY | O_TRUNC));
	return 0;
}

static int read_write(void)
{
	OK(open("f", O_RDWR));
	OK(truncate("g", 1));
	return 0;
}

static int creates(void)
{
	OK(open("d/new", O_CREAT | O_WRONLY, 0666));
	OK(open("d/new", O_RDONLY));
	OK(open("f", O_CREAT | O_WRONLY, 0666));
	OK(creat("e/new", 0666));
	return 0;
}

static int creates_through_link(void)
{
	OK(open("dangling", O_CREAT | O_WRONLY, 0666));
	FAILS(EEXIST, open("link", O_CREAT | O_EXCL | O_WRONLY, 0666));
	return 0;
}

static int unnamed(void)
{
	OK(open("d", O_TMPFILE | O_WRONLY, 0666));
	OK(open("e", O_TMPFILE | O_RDWR, 0666));
	return 0;
}

static int unnamed_linked(void)
{
	char path[64];
	int fd = open("d", O_TMPFILE | O_WRONLY, 0666);

	OK(fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, path, AT_FDCWD, "d/named", AT_SYMLINK_FOLLOW));
	return 0;
}

static int failed_opens(void)
{
	FAILS(ENOENT, open("nothing", O_RDONLY));
	FAILS(ENOENT, open("nothing/f", O_CREAT | O_WRONLY, 0666));
	FAILS(ENOENT, open("dangling", O_RDONLY));
	FAILS(ENOTDIR, open("f/x", O_RDONLY));
	FAILS(ENOTDIR, open("f", O_RDONLY | O_DIRECTORY));
	FAILS(ENOTDIR, open("f/", O_RDONLY));
	FAILS(EISDIR, open("d", O_WRONLY));
	FAILS(EISDIR, open("d", O_RDONLY | O_CREAT, 0666));
	FAILS(EISDIR, open("new/", O_WRONLY | O_CREAT, 0666));
	FAILS(EEXIST, open("f", O_CREAT | O_EXCL | O_WRONLY, 0666));
	FAILS(EEXIST, open("dangling", O_CREAT | O_EXCL | O_WRONLY, 0666));
	FAILS(ELOOP, open("link", O_RDONLY | O_NOFOLLOW));
	FAILS(ELOOP, open("loop", O_RDONLY));
	FAILS(EINVAL, open("f", O_TMPFILE | O_RDONLY, 0666));
	FAILS(ENOTDIR, open("f", O_TMPFILE | O_RDWR, 0666));
	FAILS(ENOENT, open("", O_RDONLY));
	FAILS(EFAULT, syscall(__NR_openat, AT_FDCWD, 8L, O_RDONLY));
	FAILS(EBADF, openat(99, "f", O_RDONLY));
	FAILS(EINVAL, truncate("f", -1));
	FAILS(EISDIR, truncate("d", 0));
	FAILS(ENOENT, truncate("nothing", 0));
	return 0;
}

static int failed_changes(void)
{
	FAILS(EEXIST, mkdir("d", 0777));
	FAILS(EEXIST, mkdir("f", 0777));
	FAILS(EEXIST, mkdir("dangling", 0777));
	FAILS(EEXIST, mkdir("/", 0777));
	FAILS(ENOENT, mkdir("nothing/d", 0777));
	FAILS(ENOTDIR, mkdir("f/d", 0777));
	FAILS(EEXIST, symlink("t", "f"));
	FAILS(ENOENT, symlink("", "new"));
	FAILS(EEXIST, mkfifo("f", 0666));
	FAILS(EPERM, mknod("new", S_IFDIR | 0666, 0));
	FAILS(EEXIST, link("f", "g"));
	FAILS(ENOENT, link("nothing", "new"));
	FAILS(EPERM, link("d", "new"));
	FAILS(EXDEV, link("/proc/self/status", "new"));
	FAILS(ENOENT, unlink("nothing"));
	FAILS(EISDIR, unlink("d"));
	FAILS(ENOTDIR, unlink("f/"));
	FAILS(ENOTDIR, rmdir("f"));
	FAILS(ENOTEMPTY, rmdir("d"));
	FAILS(EINVAL, rmdir("e/."));
	FAILS(ENOTEMPTY, rmdir("d/.."));
	FAILS(ENOENT, rename("nothing", "new"));
	FAILS(ENOTDIR, rename("d", "f"));
	FAILS(EISDIR, rename("f", "d"));
	FAILS(ENOTEMPTY, rename("e", "d"));
	FAILS(EINVAL, rename("d", "d/sub/new"));
	FAILS(ENOTEMPTY, rename("d/sub", "d"));
	FAILS(EXDEV, rename("f", "/dev/shm/sandlock-observe-new"));
	FAILS(EEXIST, renameat2(AT_FDCWD, "f", AT_FDCWD, "g", RENAME_NOREPLACE));
	FAILS(ENOENT, renameat2(AT_FDCWD, "f", AT_FDCWD, "nothing", RENAME_EXCHANGE));
	FAILS(EINVAL, renameat2(AT_FDCWD, "f", AT_FDCWD, "g", RENAME_EXCHANGE | RENAME_NOREPLACE));
	FAILS(ENOTDIR, rename("f", "new/"));
	return 0;
}

static int makes_names(void)
{
	OK(mkdir("d/dir/", 0777));
	OK(mkdir("d/dir/below", 0777));
	OK(symlink("anything", "d/dir/s"));
	OK(mkfifo("d/fifo", 0666));
	OK(mknod("d/sock", S_IFSOCK | 0666, 0));
	OK(mknod("d/plain", 0666, 0));
	OK(open("d/dir", O_RDONLY | O_DIRECTORY));
	return 0;
}

static int links_within(void)
{
	OK(link("f", "new"));
	return 0;
}

static int links_across(void)
{
	OK(link("d/x", "e/x"));
	return 0;
}

static int removes(void)
{
	OK(unlink("f"));
	OK(unlink("dangling"));
	OK(rmdir("d/sub"));
	OK(unlinkat(AT_FDCWD, "e", AT_REMOVEDIR));
	return 0;
}

static int removes_own(void)
{
	OK(open("d/t", O_CREAT | O_RDWR | O_EXCL, 0600));
	OK(unlink("d/t"));
	OK(open("d/t", O_CREAT | O_RDWR, 0600));
	OK(unlink("d/t"));
	return 0;
}

static int replaces(void)
{
	OK(open("f", O_RDONLY));
	OK(open("f.tmp", O_CREAT | O_WRONLY | O_EXCL, 0666));
	OK(rename("f.tmp", "f"));
	OK(open("f", O_RDONLY));
	return 0;
}

/* The same path before and after, absolute: what was looked at a moment ago must not hide the change. */
static int replaces_absolute(void)
{
	char path[128], temporary[136];

	OK(getcwd(path, 100) ? 0 : -1);
	snprintf(path + strlen(path), 4, "/f");
	snprintf(temporary, sizeof(temporary), "%s.tmp", path);
	for (int i = 0; i < 3; i++)
		OK(close(open(path, O_RDONLY)));
	OK(open(temporary, O_CREAT | O_WRONLY | O_EXCL, 0666));
	OK(rename(temporary, path));
	OK(open(path, O_RDONLY));
	return 0;
}

static int moves(void)
{
	OK(rename("d/x", "e/y"));
	OK(open("e/y", O_RDONLY));
	return 0;
}

static int moves_dir(void)
{
	OK(rename("d", "moved"));
	OK(open("moved/x", O_RDONLY));
	return 0;
}

static int exchanges(void)
{
	OK(renameat2(AT_FDCWD, "f", AT_FDCWD, "g", RENAME_EXCHANGE));
	OK(open("f", O_RDONLY));
	return 0;
}

static int renames_same_file(void)
{
	OK(link("f", "d/f"));
	OK(rename("f", "f"));
	return 0;
}

static int no_replace(void)
{
	OK(renameat2(AT_FDCWD, "f", AT_FDCWD, "new", RENAME_NOREPLACE));
	return 0;
}

static int names(void)
{
	int dir = open("d", O_PATH | O_DIRECTORY), fd;
	char path[64];

	OK(openat(dir, "x", O_RDONLY));
	OK(open("d/sub/.././../link", O_RDONLY));
	OK(open("dirlink/x", O_RDONLY));
	fd = open("g", O_PATH);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(open(path, O_WRONLY));
	snprintf(path, sizeof(path), "/dev/fd/%d", fd);
	OK(open(path, O_WRONLY));
	return 0;
}

static int other_cwd(void)
{
	OK(chdir("d/sub"));
	OK(open("../x", O_RDONLY));
	OK(rename("../../d", "../../renamed"));
	OK(open("../../f", O_RDONLY));
	return 0;
}

static int deleted_cwd(void)
{
	OK(mkdir("gone", 0777));
	OK(chdir("gone"));
	OK(rmdir("../gone"));
	FAILS(ENOENT, open("x", O_CREAT | O_WRONLY, 0666));
	FAILS(ENOENT, mkdir("x", 0777));
	OK(chdir("/"));
	return 0;
}

static int long_names(void)
{
	char name[300];

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	OK(open(name, O_CREAT | O_WRONLY, 0666));
	name[255] = 'n';
	name[256] = '\0';
	FAILS(ENAMETOOLONG, open(name, O_CREAT | O_WRONLY, 0666));
	FAILS(ENAMETOOLONG, mkdir(name, 0777));
	return 0;
}

static int deep_paths(void)
{
	char path[PATH_MAX + 8] = "";
	size_t len = 0;

	while (len < PATH_MAX - 8) {
		memcpy(path + len, "./", 3);
		len += 2;
	}
	snprintf(path + len, sizeof(path) - len, "f");
	OK(open(path, O_RDONLY));
	memset(path, '/', PATH_MAX);
	path[PATH_MAX] = '\0';
	FAILS(ENAMETOOLONG, open(path, O_RDONLY));
	return 0;
}

static int not_utf8(void)
{
	OK(open("d/caf\xe9", O_CREAT | O_WRONLY, 0666));
	return 0;
}

static int openat2_calls(void)
{
	struct open_how how = { .flags = O_RDONLY, .resolve = RESOLVE_BENEATH };
	struct {
		struct open_how how;
		uint64_t more;
	} big = { .how = { .flags = O_WRONLY } };
	int dir = open("d", O_PATH | O_DIRECTORY);

	OK(syscall(__NR_openat2, dir, "x", &how, sizeof(how)));
	FAILS(EXDEV, syscall(__NR_openat2, dir, "../f", &how, sizeof(how)));
	FAILS(EINVAL, syscall(__NR_openat2, AT_FDCWD, "f", &how, 8));
	OK(syscall(__NR_openat2, AT_FDCWD, "g", &big, sizeof(big)));
	big.more = 1;
	FAILS(E2BIG, syscall(__NR_openat2, AT_FDCWD, "f", &big, sizeof(big)));
	how = (struct open_how){ .flags = O_CREAT | O_WRONLY, .mode = 0666, .resolve = RESOLVE_IN_ROOT };
	OK(syscall(__NR_openat2, dir, "/new", &how, sizeof(how)));
	how = (struct open_how){ .flags = O_RDONLY, .resolve = RESOLVE_NO_SYMLINKS };
	FAILS(ELOOP, syscall(__NR_openat2, AT_FDCWD, "link", &how, sizeof(how)));
	return 0;
}

static int binds(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "d/socket" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	OK(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	FAILS(EADDRINUSE, bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(a)));
	FAILS(ENXIO, open("d/socket", O_RDONLY));
	OK(unlink("d/socket"));
	return 0;
}

static int attributes(void)
{
	int fd = open("g", O_PATH), plain = open("d/x", O_RDONLY);
	char path[64];

	OK(chmod("f", 0600));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(utimensat(AT_FDCWD, path, NULL, 0));
	OK(fchmod(plain, 0600));
	FAILS(ENOENT, chmod("nothing", 0600));
	FAILS(EBADF, fchmod(99, 0600));
	OK(chmod("e", 0700));
	OK(removexattr("d", "system.posix_acl_default"));
	return 0;
}

static int attributes_more(void)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_OMIT } };
	int fd = open("f", O_RDONLY);

	OK(utimensat(AT_FDCWD, "g", times, 0));
	OK(setxattr("d/x", "user.test", "v", 1, 0));
	FAILS(EEXIST, setxattr("d/x", "user.test", "v", 1, XATTR_CREATE));
	FAILS(ENODATA, removexattr("g", "user.test"));
	FAILS(ENODATA, setxattr("g", "user.test", "v", 1, XATTR_REPLACE));
	OK(futimens(fd, NULL));
	OK(fchownat(fd, "", geteuid(), (gid_t)-1, AT_EMPTY_PATH));
	OK(lchown("dirlink", geteuid(), (gid_t)-1));
	return 0;
}

static void *in_thread(void *arg)
{
	(void)arg;
	return (void *)(intptr_t)(open("f", O_RDONLY) < 0);
}

static int threads_and_children(void)
{
	pthread_t thread;
	void *failed;
	int status;
	pid_t pid;

	OK(pthread_create(&thread, NULL, in_thread, NULL) ? -1 : 0);
	pthread_join(thread, &failed);
	OK(failed ? -1 : 0);
	pid = fork();
	if (!pid) {
		pid_t grandchild = fork();

		if (!grandchild)
			_exit(open("d/x", O_RDONLY) < 0);
		waitpid(grandchild, &status, 0);
		_exit(status != 0 || open("g", O_WRONLY) < 0);
	}
	waitpid(pid, &status, 0);
	OK(status ? -1 : 0);
	return 0;
}

static int own_proc(void)
{
	int status, fd;
	char path[64];
	pid_t pid;

	OK(open("/proc/self/maps", O_RDONLY));
	OK(open("/proc/thread-self/status", O_RDONLY));
	OK(open("/proc/self/task", O_RDONLY | O_DIRECTORY));
	snprintf(path, sizeof(path), "/proc/%d/stat", getpid());
	OK(open(path, O_RDONLY));
	OK(open("/proc/self/fd", O_RDONLY | O_DIRECTORY));
	OK(open("/proc/self/fdinfo/0", O_RDONLY));
	OK(open("/proc/mounts", O_RDONLY));
	OK(open("/proc", O_RDONLY | O_DIRECTORY));
	OK(open("/proc/meminfo", O_RDONLY));
	OK(open("/proc/sys/kernel/osrelease", O_RDONLY));
	OK(open("/sys/devices/system/cpu/online", O_RDONLY));
	pid = fork();
	if (!pid) {
		for (;;)
			pause();
	}
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	fd = open(path, O_RDONLY);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	OK(fd);
	return 0;
}

static int devices(void)
{
	int pty = posix_openpt(O_RDWR | O_NOCTTY);
	char name[64];

	OK(pty);
	OK(grantpt(pty));
	OK(unlockpt(pty));
	OK(ptsname_r(pty, name, sizeof(name)) ? -1 : 0);
	OK(open(name, O_RDWR | O_NOCTTY));
	OK(open("/dev/null", O_RDWR));
	OK(open("/dev/urandom", O_RDONLY));
	OK(setsid() < 0 ? -1 : 0);
	FAILS(ENXIO, open("/dev/tty", O_RDWR));
	return 0;
}

static int fifos(void)
{
	OK(open("fifo", O_RDWR));
	return 0;
}

static int memory_files(void)
{
	int fd = memfd_create("name", 0), pipes[2];
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(open(path, O_RDWR));
	OK(fchmod(fd, 0600));
	OK(pipe(pipes));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", pipes[0]);
	OK(open(path, O_RDONLY));
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void);
	const char *expect;
	bool owner; /* only for the owner of the files */
} cases[] = {
	{ "L1 read, list, nothing for O_PATH", read_only, "read D/f\nlist D/d\n" },
	{ "L5 writing does not grant reading", write_only, "read D/g\nwrite D/f\nwrite D/g\n" },
	{ "L6 an existing file", read_write, "read D/f\nwrite D/f\nwrite D/g\n" },
	{ "L6 a new file", creates, "read D/d\nwrite D/f\ncreate D/d\ncreate D/e\n" },
	{ "L6 a new file behind a dangling link", creates_through_link, "create D\n" },
	{ "O_TMPFILE", unnamed, "read D/e\ncreate D/d\ncreate D/e\n" },
	{ "O_TMPFILE and linkat", unnamed_linked, "create D/d\n" },
	{ "L4 failed opens", failed_opens, "" },
	{ "L4 failed changes", failed_changes, "" },
	{ "L6 mkdir, symlink, mkfifo, mknod", makes_names, "list D/d\ncreate D/d\n" },
	{ "link in one directory", links_within, "create D\n", true },
	{ "link across directories", links_across, "create D/d\ncreate D/e\n", true },
	{ "L6 remove", removes, "delete D\n" },
	{ "L17 temporary names do not appear", removes_own, "read D/d\ncreate D/d\ndelete D/d\n" },
	{ "L17 rename over", replaces, "read D\ncreate D\ndelete D\n" },
	{ "L17 rename over, absolute", replaces_absolute, "read D\ncreate D\ndelete D\n" },
	{ "rename across directories", moves, "read D/d\nread D/e\ncreate D/d\ncreate D/e\ndelete D/d\n" },
	{ "rename a directory", moves_dir, "read D\ncreate D\ndelete D\n" },
	{ "exchange", exchanges, "read D\ncreate D\ndelete D\n" },
	{ "rename to itself", renames_same_file, "create D\ndelete D\n", true },
	{ "rename without replacing", no_replace, "create D\ndelete D\n" },
	{ "L14 names by descriptor, links, dots", names, "read D/d/x\nread D/f\nwrite D/g\n" },
	{ "L14 a moved working directory", other_cwd, "read D/d/x\nread D/f\ncreate D\ndelete D\n" },
	{ "a removed working directory", deleted_cwd, "create D\ndelete D\n" },
	{ "names of 255 bytes", long_names, "create D\n" },
	{ "paths near PATH_MAX", deep_paths, "read D/f\n" },
	{ "L16 not UTF-8 and made by the run", not_utf8, "create D/d\n" },
	{ "openat2", openat2_calls, "read D/d/x\nwrite D/g\ncreate D/d\n" },
	{ "bind makes a file", binds, "create D/d\ndelete D/d\n" },
	{ "attributes", attributes, "read D/d/x\nwrite D/d\nwrite D/e\nwrite D/f\nwrite D/g\n", true },
	{ "attributes: times, extended, owner", attributes_more,
	  "read D/f\nwrite D\n", true },
	{ "L12 threads and grandchildren", threads_and_children, "read D/d/x\nread D/f\nwrite D/g\n" },
	{ "L15 /proc/self", own_proc,
	  "read /proc/meminfo\nread /proc/self/cmdline\nread /proc/self/fdinfo\nread /proc/self/maps\n"
	  "read /proc/self/mounts\nread /proc/self/stat\nread /proc/self/task\nread /proc/sys/kernel/osrelease\n"
	  "read /sys/devices/system/cpu/online\nlist /proc\n" },
	{ "devices", devices, "read /dev/ptmx\nread /dev/pts\nwrite /dev/ptmx\nwrite /dev/pts\n" },
	{ "a FIFO", fifos, "read D/fifo\nwrite D/fifo\n" },
	{ "memfd and pipes have no names", memory_files, "" },
};

static void run_case(int i, bool other)
{
	struct harness_options options = { .other_identity = other };
	SL_FREE char *text = NULL;
	struct harness h;

	if (other && cases[i].owner)
		options.other_identity = false;
	harness_begin(&h);
	stage();
	harness_run(&h, &options, cases[i].run);
	text = harness_text(&h);
	ck_assert_msg(h.status == 0, "%s: the child failed (%d)", cases[i].name, h.status);
	ck_assert_msg(!strcmp(text, cases[i].expect), "%s:\ngot\n%swant\n%s", cases[i].name, text, cases[i].expect);
	ck_assert_msg(!h.seen.partial, "%s: partial: %s", cases[i].name, h.seen.notes.len ? h.seen.notes.items[0] : "");
	harness_end(&h);
}

START_TEST(test_L4_L6_L14_L17_files)
{
	run_case(_i, false);
}
END_TEST

START_TEST(test_L4_L6_L14_L17_files_as_another_user)
{
	run_case(_i, true);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("observer-files");
	TCase *t = tcase_create("files");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, test_L4_L6_L14_L17_files, 0, (int)SL_ARRAY_LEN(cases));
	tcase_add_loop_test(t, test_L4_L6_L14_L17_files_as_another_user, 0, (int)SL_ARRAY_LEN(cases));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
