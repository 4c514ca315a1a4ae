/*
 * conform-open.c - open, creat, openat2: flags, what is made, links, O_TMPFILE, RESOLVE_*.
 */
#define _GNU_SOURCE
#include "conform.h"

#include <linux/openat2.h>

void open_flags(void)
{
	int dir = open("dir", O_RDONLY | O_DIRECTORY), fd, path_fd;
	struct stat st;

	OK(try_open("file", O_RDONLY));
	OK(try_open("file", O_WRONLY));
	OK(try_open("file", O_RDWR));
	OK(try_open("file", O_RDONLY | O_APPEND));
	FAILS(ENOENT, try_open("none", O_RDONLY));
	FAILS(ENOENT, try_open("none", O_WRONLY));
	FAILS(ENOENT, try_open("none/x", O_RDONLY | O_CREAT));
	FAILS(ENOTDIR, try_open("file/x", O_RDONLY));
	FAILS(ENOTDIR, try_open("file/x", O_WRONLY | O_CREAT));
	FAILS(EISDIR, try_open("dir", O_WRONLY));
	FAILS(EISDIR, try_open("dir", O_RDWR));
	FAILS(EISDIR, try_open("dir", O_RDONLY | O_TRUNC));
	FAILS(EISDIR, try_open("dir", O_RDONLY | O_CREAT));
	OK(try_open("dir", O_RDONLY));
	OK(try_open("dir", O_RDONLY | O_DIRECTORY));
	FAILS(ENOTDIR, try_open("file", O_RDONLY | O_DIRECTORY));
	FAILS(ENOTDIR, try_open("fifo", O_RDONLY | O_DIRECTORY));
	FAILS(EINVAL, try_open("file", O_RDONLY | O_CREAT | O_DIRECTORY));
	FAILS(EINVAL, try_open("new", O_RDONLY | O_CREAT | O_DIRECTORY));
	FAILS(ENOENT, try_open("new", O_RDONLY));
	OK(try_open("file", O_WRONLY | O_SYNC));
	OK(try_open("file", O_RDONLY | O_NOATIME));
	OK(try_open("file", O_RDONLY | O_NONBLOCK | O_NOCTTY));
	about("truncate");
	OK(put("trunc", "12345"));
	OK(try_open("trunc", O_RDONLY | O_TRUNC));
	IS(0, stat_of("trunc").st_size);
	OK(try_open("file", O_RDWR | O_TRUNC));
	IS(0, stat_of("file").st_size);
	about("openat");
	OK(openat(dir, "file", O_RDONLY));
	FAILS(ENOENT, openat(dir, "none", O_RDONLY));
	FAILS(EBADF, openat(-1, "file", O_RDONLY));
	FAILS(EBADF, openat(999, "file", O_RDONLY));
	fd = open("file", O_RDONLY);
	FAILS(ENOTDIR, openat(fd, "file", O_RDONLY));
	FAILS(ENOENT, openat(fd, "", O_RDONLY));
	OK(openat(dir, "../file", O_RDONLY));
	OK(openat(dir, ".", O_RDONLY));
	about("O_PATH");
	path_fd = open("file", O_PATH);
	TRUE(path_fd >= 0);
	FAILS(EBADF, read(path_fd, &st, 1));
	OK(fstat(path_fd, &st));
	TRUE(S_ISREG(st.st_mode));
	FAILS(EBADF, fchmod(path_fd, 0600));
	FAILS(EBADF, ftruncate(path_fd, 0));
	TRUE(fcntl(path_fd, F_GETFL) & O_PATH);
	path_fd = open("dir", O_PATH);
	OK(openat(path_fd, "file", O_RDONLY));
	FAILS(EBADF, syscall(SYS_getdents64, path_fd, &st, sizeof(st)));
	OK(try_open("secret", O_PATH));
	OK(try_open("fifo", O_PATH));
	FAILS(ENOTDIR, try_open("file", O_PATH | O_DIRECTORY));
	FAILS(ENOENT, try_open("none", O_PATH | O_CREAT));
}

void open_create(void)
{
	struct stat st;
	int fd;

	IS(0, age("dir"));
	OK(try_open("dir/new", O_WRONLY | O_CREAT));
	IS(0644, mode_of("dir/new"));
	IS(0, stat_of("dir/new").st_size);
	IS(1, stat_of("dir/new").st_nlink);
	IS(geteuid(), stat_of("dir/new").st_uid);
	IS(getegid(), stat_of("dir/new").st_gid);
	TRUE(times_of("dir") > 2000);
	FAILS(EEXIST, try_open("dir/new", O_WRONLY | O_CREAT | O_EXCL));
	FAILS(EEXIST, try_open("file", O_RDONLY | O_CREAT | O_EXCL));
	FAILS(EEXIST, try_open("dir", O_RDONLY | O_CREAT | O_EXCL));
	FAILS(EEXIST, try_open("fifo", O_RDONLY | O_CREAT | O_EXCL));
	OK(try_open("new", O_RDWR | O_CREAT | O_EXCL));
	OK(try_open("file", O_RDWR | O_CREAT));
	IS(11, stat_of("file").st_size);
	about("creat");
	OK(creat("made", 0640));
	IS(0640, mode_of("made"));
	OK(creat("file", 0600));
	IS(0, stat_of("file").st_size);
	IS(0644, mode_of("file"));
	FAILS(EISDIR, creat("dir", 0600));
	FAILS(EISDIR, creat("made2/", 0600));
	FAILS(ENOENT, creat("none/x", 0600));
	about("mode 0");
	fd = open("closed", O_RDWR | O_CREAT | O_EXCL, 0);
	IS(3, write(fd, "abc", 3));
	OK(fstat(fd, &st));
	IS(0, st.st_mode & 07777);
	OK(unlink("closed"));
	about("special bits");
	OK(open("suid", O_WRONLY | O_CREAT, 06755));
	IS(06755, mode_of("suid"));
	OK(open("sticky", O_WRONLY | O_CREAT, 01644));
	IS(01644, mode_of("sticky"));
	about("where it was removed");
	OK(unlink("readonly"));
	OK(try_open("readonly", O_WRONLY | O_CREAT | O_EXCL));
	IS(0, stat_of("readonly").st_size);
	IS(0644, mode_of("readonly"));
}

void open_links(void)
{
	int fd;
	struct stat st;

	OK(try_open("link", O_RDONLY));
	OK(try_open("link", O_WRONLY));
	FAILS(ELOOP, try_open("link", O_RDONLY | O_NOFOLLOW));
	FAILS(ELOOP, try_open("link", O_WRONLY | O_NOFOLLOW));
	FAILS(ELOOP, try_open("link", O_WRONLY | O_CREAT | O_NOFOLLOW));
	OK(try_open("dirlink/file", O_RDONLY | O_NOFOLLOW));
	FAILS(ENOTDIR, try_open("dirlink", O_RDONLY | O_NOFOLLOW | O_DIRECTORY));
	OK(try_open("dirlink", O_RDONLY | O_DIRECTORY));
	OK(try_open("dirlink/", O_RDONLY | O_NOFOLLOW));
	FAILS(EEXIST, try_open("link", O_WRONLY | O_CREAT | O_EXCL));
	FAILS(EEXIST, try_open("dirlink", O_WRONLY | O_CREAT | O_EXCL));
	FAILS(EEXIST, try_open("dangling", O_WRONLY | O_CREAT | O_EXCL));
	FAILS(ENOENT, try_open("dangling", O_RDONLY));
	FAILS(ENOENT, try_open("dangling", O_WRONLY));
	FAILS(ENOENT, try_open("dangling/", O_RDONLY));
	OK(try_open("dangling", O_WRONLY | O_CREAT));
	TRUE(S_ISREG(stat_of("nothing").st_mode));
	TRUE(S_ISLNK(stat_of("dangling").st_mode));
	OK(try_open("dangling", O_RDONLY));
	FAILS(ELOOP, try_open("loop1", O_RDONLY));
	FAILS(ELOOP, try_open("loop1", O_WRONLY | O_CREAT));
	FAILS(ELOOP, try_open("loop1/x", O_RDONLY));
	FAILS(EEXIST, try_open("loop1", O_WRONLY | O_CREAT | O_EXCL));
	about("O_PATH of a link");
	fd = open("link", O_PATH | O_NOFOLLOW);
	TRUE(fd >= 0);
	OK(fstat(fd, &st));
	TRUE(S_ISLNK(st.st_mode));
	IS(4, readlinkat(fd, "", (char *)&st, sizeof(st)));
	OK(open("loop1", O_PATH | O_NOFOLLOW));
	FAILS(ELOOP, open("loop1", O_PATH));
	about("through links");
	OK(put("link", "by the link"));
	TRUE(holds("file", "by the link"));
	OK(symlink("../file", "dir/up"));
	TRUE(holds("dir/up", "by the link"));
	OK(symlink("dirlink/../dirlink/up", "long"));
	TRUE(holds("long", "by the link"));
	OK(symlink("dir/made", "makes"));
	OK(put("makes", "made"));
	TRUE(holds("dir/made", "made"));
	OK(symlink("none/made", "fails"));
	FAILS(ENOENT, try_open("fails", O_WRONLY | O_CREAT));
	about("magic links");
	fd = open("file", O_RDONLY);
	OK(snprintf((char *)&st, sizeof(st), "/proc/self/fd/%d", fd));
	OK(try_open((char *)&st, O_RDONLY));
	FAILS(ELOOP, try_open((char *)&st, O_RDONLY | O_NOFOLLOW));
	OK(try_open((char *)&st, O_RDWR));
	OK(try_open("/proc/self/cwd/file", O_RDWR));
	OK(try_open("/proc/self/cwd/made-there", O_RDWR | O_CREAT));
	TRUE(S_ISREG(stat_of("made-there").st_mode));
	OK(try_open("/dev/null", O_RDWR | O_TRUNC));
	OK(try_open("/dev/null", O_RDWR | O_CREAT));
}

void open_special(void)
{
	int in, out;
	char c = 0;

	FAILS(ENXIO, try_open("fifo", O_WRONLY | O_NONBLOCK));
	in = open("fifo", O_RDONLY | O_NONBLOCK);
	TRUE(in >= 0);
	out = open("fifo", O_WRONLY | O_NONBLOCK);
	TRUE(out >= 0);
	IS(0, (int)stat_of("fifo").st_size);
	FAILS(EAGAIN, read(in, &c, 1));
	IS(1, write(out, "x", 1));
	IS(1, read(in, &c, 1));
	IS('x', c);
	OK(close(out));
	IS(0, read(in, &c, 1));
	FAILS(ESPIPE, lseek(in, 0, SEEK_SET));
	OK(mkfifo("own", 0600));
	FAILS(ENXIO, try_open("own", O_WRONLY | O_NONBLOCK));
	in = open("own", O_RDWR);
	TRUE(in >= 0);
	IS(1, write(in, "y", 1));
	IS(1, read(in, &c, 1));
	IS('y', c);
	FAILS(EINVAL, truncate("fifo", 0));
	OK(try_open("fifo", O_RDONLY | O_NONBLOCK | O_TRUNC));
	OK(mknod("sock", S_IFSOCK | 0600, 0));
	FAILS(ENXIO, try_open("sock", O_RDONLY));
	FAILS(ENXIO, try_open("sock", O_RDWR));
	OK(try_open("sock", O_PATH));
	TRUE(S_ISSOCK(stat_of("sock").st_mode));
	FAILS(ENOTDIR, try_open("fifo/x", O_RDONLY));
	FAILS(ENOTDIR, try_open("sock/x", O_RDONLY));
	OK(unlink("fifo"));
	OK(unlink("own"));
	OK(unlink("sock"));
}

void open_tmpfile(void)
{
	int fd = open("dir", O_TMPFILE | O_RDWR, 0640), other, fixed, dir = open("dir", O_RDONLY);
	char link[64];
	struct stat st;

	TRUE(fd >= 0);
	IS(4, write(fd, "text", 4));
	OK(fstat(fd, &st));
	IS(0, st.st_nlink);
	IS(0640, st.st_mode & 07777);
	IS(1, entries_in("dir"));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	FAILS(EEXIST, linkat(AT_FDCWD, link, AT_FDCWD, "file", AT_SYMLINK_FOLLOW));
	OK(linkat(AT_FDCWD, link, AT_FDCWD, "dir/named", AT_SYMLINK_FOLLOW));
	TRUE(holds("dir/named", "text"));
	OK(fstat(fd, &st));
	IS(1, st.st_nlink);
	IS(2, write(fd, "ed", 2));
	TRUE(holds("dir/named", "texted"));
	OK(linkat(AT_FDCWD, "dir/named", AT_FDCWD, "again", 0));
	IS(2, stat_of("again").st_nlink);
	fixed = open("dir", O_TMPFILE | O_RDWR | O_EXCL, 0600);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fixed);
	FAILS(ENOENT, linkat(AT_FDCWD, link, AT_FDCWD, "fixed", AT_SYMLINK_FOLLOW));
	FAILS(EINVAL, open("dir", O_TMPFILE | O_RDONLY, 0600));
	FAILS(EINVAL, open("dir", O_TMPFILE | O_RDWR | O_CREAT, 0600));
	FAILS(ENOTDIR, open("file", O_TMPFILE | O_RDWR, 0600));
	FAILS(ENOENT, open("none", O_TMPFILE | O_RDWR, 0600));
	OK(open("dirlink", O_TMPFILE | O_RDWR, 0600));
	OK(openat(dir, ".", O_TMPFILE | O_WRONLY, 0600));
	other = open("void", O_TMPFILE | O_RDWR, 0600);
	OK(rmdir("void"));
	IS(1, write(other, "x", 1));
	OK(close(other));
}

static int open2(int at, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
	int fd = (int)syscall(SYS_openat2, at, path, &how, sizeof(how));

	return fd < 0 ? -1 : close(fd);
}

static int open2_sized(size_t size, uint64_t rest)
{
	uint64_t how[8] = {O_RDONLY, 0, 0, rest};

	return (int)syscall(SYS_openat2, AT_FDCWD, "file", how, size);
}

void open_resolve(void)
{
	char here[PATH_MAX];
	int dir = open("dir", O_RDONLY | O_DIRECTORY);

	OK(open2(AT_FDCWD, "file", O_RDONLY, 0, 0));
	FAILS(EINVAL, open2(AT_FDCWD, "file", O_RDONLY, 0, 1 << 20));
	FAILS(EINVAL, open2(AT_FDCWD, "file", O_RDONLY, 0600, 0));
	FAILS(EINVAL, open2(AT_FDCWD, "new", O_WRONLY | O_CREAT, 010600, 0));
	FAILS(EINVAL, open2(AT_FDCWD, "file", 1ULL << 40, 0, 0));
	FAILS(EINVAL, open2(AT_FDCWD, "file", O_PATH | O_RDWR, 0, 0));
	FAILS(EINVAL, open2(AT_FDCWD, "file", O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT));
	FAILS(EINVAL, open2_sized(8, 0));
	FAILS(E2BIG, open2_sized(32, 1));
	FAILS(E2BIG, open2_sized(1 << 20, 0));
	OK(open2_sized(32, 0));
	OK(open2(AT_FDCWD, "made", O_WRONLY | O_CREAT, 0604, 0));
	IS(0604, mode_of("made"));
	FAILS(ELOOP, open2(AT_FDCWD, "link", O_RDONLY, 0, RESOLVE_NO_SYMLINKS));
	FAILS(ELOOP, open2(AT_FDCWD, "dirlink/file", O_RDONLY, 0, RESOLVE_NO_SYMLINKS));
	OK(open2(AT_FDCWD, "dir/file", O_RDONLY, 0, RESOLVE_NO_SYMLINKS));
	FAILS(ELOOP, open2(AT_FDCWD, "link", O_WRONLY, 0, RESOLVE_NO_SYMLINKS));
	FAILS(EXDEV, open2(dir, "../file", O_RDONLY, 0, RESOLVE_BENEATH));
	FAILS(EXDEV, open2(dir, "/", O_RDONLY, 0, RESOLVE_BENEATH));
	FAILS(EXDEV, open2(dir, "..", O_RDONLY, 0, RESOLVE_BENEATH));
	OK(open2(dir, "file", O_RDONLY, 0, RESOLVE_BENEATH));
	OK(open2(dir, "file", O_RDWR, 0, RESOLVE_BENEATH));
	OK(open2(AT_FDCWD, "dir/../file", O_RDONLY, 0, RESOLVE_BENEATH));
	OK(open2(dir, "new", O_RDWR | O_CREAT, 0600, RESOLVE_BENEATH));
	OK(open2(dir, "/file", O_RDONLY, 0, RESOLVE_IN_ROOT));
	OK(open2(dir, "../../file", O_RDONLY, 0, RESOLVE_IN_ROOT));
	FAILS(ENOENT, open2(dir, "/secret", O_RDONLY, 0, RESOLVE_IN_ROOT));
	OK(open2(dir, "/rooted", O_WRONLY | O_CREAT, 0600, RESOLVE_IN_ROOT));
	TRUE(S_ISREG(stat_of("dir/rooted").st_mode));
	OK(symlink("/file", "dir/absolute"));
	OK(open2(dir, "absolute", O_RDONLY, 0, RESOLVE_IN_ROOT));
	FAILS(EXDEV, open2(dir, "absolute", O_RDONLY, 0, RESOLVE_BENEATH));
	OK(symlink("../file", "dir/out"));
	FAILS(EXDEV, open2(dir, "out", O_RDONLY, 0, RESOLVE_BENEATH));
	OK(open2(dir, "out", O_RDONLY, 0, RESOLVE_IN_ROOT));
	FAILS(EXDEV, open2(AT_FDCWD, "/proc/version", O_RDONLY, 0, RESOLVE_NO_XDEV));
	OK(open2(AT_FDCWD, "file", O_RDONLY, 0, RESOLVE_NO_XDEV));
	FAILS(ELOOP, open2(AT_FDCWD, "/proc/self/cwd/file", O_RDONLY, 0, RESOLVE_NO_MAGICLINKS));
	OK(open2(AT_FDCWD, "link", O_RDONLY, 0, RESOLVE_NO_MAGICLINKS));
	TRUE(getcwd(here, sizeof(here)) != NULL);
	FAILS(EXDEV, open2(dir, here, O_RDONLY, 0, RESOLVE_BENEATH));
	FAILS(ENOENT, open2(dir, here, O_RDONLY, 0, RESOLVE_IN_ROOT));
	FAILS(EBADF, open2(-1, "file", O_RDONLY, 0, 0));
	OK(rename("dir", "full/moved"));
	OK(open2(dir, "file", O_RDONLY, 0, RESOLVE_BENEATH));
	FAILS(EXDEV, open2(dir, "../a", O_RDONLY, 0, RESOLVE_BENEATH));
	OK(open2(dir, "../file", O_RDONLY, 0, RESOLVE_IN_ROOT));
}
