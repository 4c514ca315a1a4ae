/*
 * conform-attr.c - what is set on objects: mode, owner, times, size, extended attributes.
 */
#define _GNU_SOURCE
#include "conform.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <time.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static int chmod2(const char *path, mode_t mode, int flags)
{
	return (int)syscall(SYS_fchmodat2, AT_FDCWD, path, mode, flags);
}

void change_mode(void)
{
	int fd = open("file", O_RDONLY), dir = open("dir", O_RDONLY);

	OK(chmod("file", 0600));
	IS(0600, mode_of("file"));
	IS(2000, times_of("file"));
	TRUE(stat_of("file").st_ctim.tv_sec > 2000);
	OK(chmod("file", 07777));
	IS(07777, mode_of("file"));
	OK(chmod("file", 0));
	IS(0, mode_of("file"));
	OK(fchmod(fd, 0644));
	IS(0644, mode_of("file"));
	OK(chmod("dir", 01700));
	IS(01700, mode_of("dir"));
	OK(fchmod(dir, 02755));
	IS(02755, mode_of("dir"));
	OK(mkdir("dir/inherits", 0755));
	IS(02755, mode_of("dir/inherits"));
	OK(chmod("link", 0640));
	IS(0640, mode_of("file"));
	IS(0777, stat_of("link").st_mode & 07777);
	OK(chmod("fifo", 0600));
	IS(0600, mode_of("fifo"));
	OK(fchmodat(dir, "file", 0600, 0));
	IS(0600, mode_of("dir/file"));
	OK(chmod("hard1", 0400));
	IS(0400, mode_of("hard2"));
	OK(chmod("file", 0100644));
	IS(0644, mode_of("file"));
	about("errors");
	FAILS(ENOENT, chmod("none", 0600));
	FAILS(ENOENT, chmod("dangling", 0600));
	FAILS(ELOOP, chmod("loop1", 0600));
	FAILS(ENOTDIR, chmod("file/", 0600));
	FAILS(EBADF, fchmod(-1, 0600));
	FAILS(EBADF, fchmodat(-1, "file", 0600, 0));
	about("fchmodat2");
	OK(chmod2("file", 0604, 0));
	IS(0604, mode_of("file"));
	OK(chmod2("file", 0644, AT_SYMLINK_NOFOLLOW));
	FAILS(EOPNOTSUPP, chmod2("link", 0644, AT_SYMLINK_NOFOLLOW));
	FAILS(EINVAL, chmod2("file", 0644, 0x8000));
	IS(0, syscall(SYS_fchmodat2, fd, "", 0600, AT_EMPTY_PATH));
	FAILS(ENOENT, syscall(SYS_fchmodat2, fd, "", 0600, 0));
	OK(chmod("/proc/self/cwd/file", 0644));
	about("writing clears what executes as its owner");
	OK(chmod("exec", 06755));
	OK(truncate("exec", 4));
	IS(geteuid() ? 0755 : 06755, mode_of("exec"));
	OK(chmod("exec", 06755));
	OK(put("exec", "new"));
	IS(geteuid() ? 0755 : 06755, mode_of("exec"));
}

static void owner_by_root(void)
{
	int fd = open("file", O_RDONLY);

	OK(chown("file", OTHER, OTHER));
	IS(OTHER, stat_of("file").st_uid);
	IS(OTHER, stat_of("file").st_gid);
	OK(chown("file", (uid_t)-1, 5));
	IS(OTHER, stat_of("file").st_uid);
	IS(5, stat_of("file").st_gid);
	OK(fchown(fd, 7, (gid_t)-1));
	IS(7, stat_of("file").st_uid);
	OK(lchown("link", 8, 9));
	IS(8, stat_of("link").st_uid);
	IS(7, stat_of("file").st_uid);
	OK(chown("link", 10, 11));
	IS(10, stat_of("file").st_uid);
	OK(lchown("dangling", 8, 9));
	OK(chown("fifo", 8, 9));
	IS(9, stat_of("fifo").st_gid);
	OK(chown("dir", 8, 9));
	OK(chmod("dir", 02755));
	OK(try_open("dir/new", O_WRONLY | O_CREAT));
	IS(9, stat_of("dir/new").st_gid);
	IS(0, stat_of("dir/new").st_uid);
	OK(mkdir("dir/below", 0755));
	IS(9, stat_of("dir/below").st_gid);
	IS(02755, mode_of("dir/below"));
	OK(fchownat(fd, "", 12, 13, AT_EMPTY_PATH));
	IS(12, stat_of("file").st_uid);
	about("what is cleared");
	OK(chmod("exec", 06755));
	OK(chown("exec", 5, 5));
	IS(0755, mode_of("exec"));
	OK(chmod("exec", 02644));
	OK(chown("exec", 6, 6));
	IS(02644, mode_of("exec"));
	OK(chmod("exec", 06755));
	OK(chown("exec", (uid_t)-1, (gid_t)-1));
	IS(0755, mode_of("exec"));
	OK(chmod("dir", 06755));
	OK(chown("dir", 5, 5));
	IS(06755, mode_of("dir"));
}

void change_owner(void)
{
	uid_t own = geteuid();
	gid_t group = getegid();

	if (!own)
		owner_by_root();
	about("own");
	OK(chown("hard1", own, group));
	OK(chown("hard1", (uid_t)-1, (gid_t)-1));
	OK(lchown("link", own, group));
	OK(chown("hard1", (uid_t)-1, group));
	about("errors");
	FAILS(ENOENT, chown("none", own, group));
	FAILS(ENOENT, chown("dangling", own, group));
	FAILS(ELOOP, chown("loop1", own, group));
	FAILS(ENOTDIR, chown("hard1/x", own, group));
	FAILS(EBADF, fchown(-1, own, group));
	FAILS(EINVAL, fchownat(AT_FDCWD, "hard1", own, group, 0x8000));
	FAILS(ENOENT, fchownat(AT_FDCWD, "", own, group, 0));
	OK(fchownat(AT_FDCWD, "", own, group, AT_EMPTY_PATH));
	OK(fchownat(AT_FDCWD, "dangling", own, group, AT_SYMLINK_NOFOLLOW));
	if (own) {
		FAILS(EPERM, chown("hard1", 0, group));
		FAILS(EPERM, chown("hard1", own, 0));
		FAILS(EPERM, lchown("dangling", 0, 0));
	}
}

static int set_times(const char *path, long atime_s, long atime_ns, long mtime_s, long mtime_ns, int flags)
{
	struct timespec times[2] = {{atime_s, atime_ns}, {mtime_s, mtime_ns}};

	return utimensat(AT_FDCWD, path, times, flags);
}

void change_times(void)
{
	int fd = open("file", O_RDONLY);
	struct timespec times[2] = {{3, 4}, {5, 6}}, before;

	OK(set_times("file", 1, 123456789, -5, 987654321, 0));
	IS(1, stat_of("file").st_atim.tv_sec);
	IS(123456789, stat_of("file").st_atim.tv_nsec);
	IS(-5, stat_of("file").st_mtim.tv_sec);
	IS(987654321, stat_of("file").st_mtim.tv_nsec);
	OK(set_times("file", 9, 9, 0, UTIME_OMIT, 0));
	IS(9, stat_of("file").st_atim.tv_sec);
	IS(-5, stat_of("file").st_mtim.tv_sec);
	OK(set_times("file", 0, UTIME_OMIT, 0, UTIME_NOW, 0));
	IS(9, stat_of("file").st_atim.tv_sec);
	TRUE(times_of("file") > 1000000000);
	before = stat_of("file").st_mtim;
	OK(set_times("file", 0, UTIME_OMIT, 0, UTIME_OMIT, 0));
	TRUE(stat_of("file").st_mtim.tv_nsec == before.tv_nsec);
	OK(set_times("none", 0, UTIME_OMIT, 0, UTIME_OMIT, 0));
	OK(utimensat(AT_FDCWD, "file", NULL, 0));
	TRUE(stat_of("file").st_atim.tv_sec > 1000000000);
	OK(futimens(fd, times));
	IS(3, stat_of("file").st_atim.tv_sec);
	IS(6, stat_of("file").st_mtim.tv_nsec);
	OK(set_times("link", 21, 0, 22, 0, AT_SYMLINK_NOFOLLOW));
	IS(22, times_of("link"));
	IS(5, times_of("file"));
	OK(set_times("link", 21, 0, 23, 0, 0));
	IS(22, times_of("link"));
	IS(23, times_of("file"));
	OK(set_times("dir", 1, 0, 24, 0, 0));
	IS(24, times_of("dir"));
	OK(set_times("fifo", 1, 0, 25, 0, 0));
	IS(25, times_of("fifo"));
	OK(set_times("dangling", 1, 0, 26, 0, AT_SYMLINK_NOFOLLOW));
	IS(26, times_of("dangling"));
	OK(set_times("hard1", 1, 0, 27, 0, 0));
	IS(27, times_of("hard2"));
	about("far away");
	OK(set_times("file", 4000000000, 0, 6000000000, 0, 0));
	IS(6000000000, times_of("file"));
	about("errors");
	FAILS(EINVAL, set_times("file", 0, 1000000000, 0, 0, 0));
	FAILS(EINVAL, set_times("file", 0, -1, 0, 0, 0));
	FAILS(ENOENT, set_times("none", 1, 0, 1, 0, 0));
	FAILS(ENOENT, set_times("dangling", 1, 0, 1, 0, 0));
	FAILS(EINVAL, set_times("file", 1, 0, 1, 0, 0x8000));
	FAILS(ENOENT, set_times("", 1, 0, 1, 0, 0));
	FAILS(EBADF, futimens(-1, times));
	FAILS(ELOOP, set_times("loop1", 1, 0, 1, 0, 0));
	OK(set_times("loop1", 1, 0, 1, 0, AT_SYMLINK_NOFOLLOW));
}

void change_size(void)
{
	int fd = open("hard1", O_RDWR), read_only = open("file", O_RDONLY);

	OK(truncate("file", 4));
	TRUE(holds("file", "0123"));
	TRUE(times_of("file") > 2000);
	OK(truncate("file", 6));
	IS(6, stat_of("file").st_size);
	OK(truncate("link", 2));
	TRUE(holds("file", "01"));
	OK(truncate("file", 0));
	IS(0, stat_of("file").st_size);
	OK(truncate("file", 1L << 32));
	IS(1L << 32, stat_of("file").st_size);
	TRUE(stat_of("file").st_blocks < 64);
	OK(truncate("file", 0));
	OK(ftruncate(fd, 3));
	TRUE(holds("hard2", "two"));
	OK(ftruncate(fd, 0));
	IS(0, stat_of("hard2").st_size);
	about("the same size");
	OK(age("dir/file"));
	OK(truncate("dir/file", 6));
	IS(6, stat_of("dir/file").st_size);
	about("errors");
	FAILS(EINVAL, truncate("file", -1));
	FAILS(EINVAL, ftruncate(fd, -1));
	FAILS(EISDIR, truncate("dir", 0));
	FAILS(ENOENT, truncate("none", 0));
	FAILS(ENOENT, truncate("dangling", 0));
	FAILS(ENOTDIR, truncate("file/", 0));
	FAILS(ELOOP, truncate("loop1", 0));
	FAILS(EINVAL, ftruncate(read_only, 0));
	FAILS(EBADF, ftruncate(-1, 0));
	FAILS(EINVAL, truncate("fifo", 0));
}

static long get(const char *path, const char *name, size_t size)
{
	char buf[4096];

	return getxattr(path, name, buf, size);
}

static bool lists(const char *path, const char *name)
{
	char buf[4096];
	ssize_t len = listxattr(path, buf, sizeof(buf));

	for (ssize_t i = 0; i < len; i += (ssize_t)strlen(buf + i) + 1)
		if (!strcmp(buf + i, name))
			return true;
	return false;
}

void change_xattrs(void)
{
	static char huge[65537];
	static const unsigned char capability[20] = {0, 0, 0, 2};
	char long_name[300], buf[64];
	int fd = open("file", O_RDONLY);

	memset(long_name, 'n', sizeof(long_name));
	memcpy(long_name, "user.", 5);
	long_name[sizeof(long_name) - 1] = '\0';
	OK(setxattr("file", "user.one", "value", 5, 0));
	IS(5, getxattr("file", "user.one", buf, sizeof(buf)));
	TRUE(memcmp(buf, "value", 5) == 0);
	IS(2000, times_of("file"));
	IS(5, get("file", "user.one", 0));
	FAILS(ERANGE, get("file", "user.one", 4));
	TRUE(lists("file", "user.one"));
	FAILS(EEXIST, setxattr("file", "user.one", "x", 1, XATTR_CREATE));
	OK(setxattr("file", "user.one", "xy", 2, XATTR_REPLACE));
	IS(2, get("file", "user.one", 10));
	FAILS(ENODATA, setxattr("file", "user.two", "x", 1, XATTR_REPLACE));
	OK(setxattr("file", "user.two", "", 0, XATTR_CREATE));
	IS(0, get("file", "user.two", 10));
	TRUE(listxattr("file", NULL, 0) >= 18);
	FAILS(ERANGE, listxattr("file", buf, 3));
	OK(fsetxattr(fd, "user.three", "abc", 3, 0));
	IS(3, fgetxattr(fd, "user.three", buf, sizeof(buf)));
	IS(3, get("link", "user.three", 10));
	OK(fremovexattr(fd, "user.three"));
	FAILS(ENODATA, fgetxattr(fd, "user.three", buf, sizeof(buf)));
	OK(removexattr("file", "user.one"));
	FAILS(ENODATA, removexattr("file", "user.one"));
	FAILS(ENODATA, get("file", "user.one", 10));
	TRUE(!lists("file", "user.one"));
	OK(setxattr("dir", "user.dir", "d", 1, 0));
	IS(1, get("dirlink", "user.dir", 10));
	OK(setxattr("hard1", "user.hard", "h", 1, 0));
	IS(1, get("hard2", "user.hard", 10));
	OK(setxattr("link", "user.by-link", "l", 1, 0));
	TRUE(lists("file", "user.by-link"));
	about("errors");
	FAILS(EPERM, lsetxattr("link", "user.x", "x", 1, 0));
	FAILS(EPERM, setxattr("fifo", "user.x", "x", 1, 0));
	FAILS(ENODATA, lgetxattr("link", "user.x", buf, 1));
	FAILS(ENODATA, get("fifo", "user.x", 10));
	FAILS(EOPNOTSUPP, setxattr("file", "nonsense.x", "x", 1, 0));
	FAILS(EOPNOTSUPP, setxattr("file", "plain", "x", 1, 0));
	FAILS(EOPNOTSUPP, get("file", "nonsense.x", 10));
	FAILS(EINVAL, setxattr("file", "user.x", "x", 1, 8));
	FAILS(EINVAL, setxattr("file", "user.", "x", 1, 0));
	FAILS(ERANGE, setxattr("file", long_name, "x", 1, 0));
	FAILS(ERANGE, setxattr("file", "", "x", 1, 0));
	FAILS(ERANGE, get("file", long_name, 10));
	FAILS(E2BIG, setxattr("file", "user.x", huge, sizeof(huge), 0));
	FAILS(ENOENT, setxattr("none", "user.x", "x", 1, 0));
	FAILS(ENOENT, get("none", "user.x", 10));
	FAILS(ENOENT, listxattr("dangling", buf, 10));
	IS(0, llistxattr("dangling", buf, 10));
	FAILS(ENOENT, removexattr("none", "user.x"));
	FAILS(EBADF, fgetxattr(-1, "user.x", buf, 10));
	FAILS(EBADF, fsetxattr(-1, "user.x", "x", 1, 0));
	FAILS(EOPNOTSUPP, removexattr("file", "nonsense.x"));
	FAILS(EPERM, lremovexattr("link", "user.x"));
	if (geteuid()) {
		FAILS(EPERM, setxattr("file", "trusted.x", "x", 1, 0));
		FAILS(ENODATA, get("file", "trusted.x", 10));
		FAILS(EINVAL, setxattr("file", "security.capability", "x", 1, 0));
		FAILS(EPERM, setxattr("file", "security.capability", capability, 20, 0));
	} else {
		OK(setxattr("file", "trusted.x", "x", 1, 0));
		IS(1, get("file", "trusted.x", 10));
		OK(removexattr("file", "trusted.x"));
	}
	about("kept");
	OK(put("file", "contents"));
	TRUE(lists("file", "user.two"));
	OK(rename("file", "dir/file"));
	TRUE(lists("dir/file", "user.two"));
}

static int set_flags(const char *path, int add)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK), flags = 0, r;

	if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags))
		return -2; /* a file system that has none */
	flags |= add;
	r = ioctl(fd, FS_IOC_SETFLAGS, &flags);
	close(fd);
	return r;
}

static void flags_of_others(void)
{
	FAILS(EPERM, set_flags("file", 0));
	FAILS(EPERM, set_flags("file", FS_NODUMP_FL));
	FAILS(EPERM, set_flags("dir", 0));
}

void change_flags(void)
{
	int fd = open("file", O_RDONLY);

	FAILS(EBADF, ioctl(-1, FS_IOC_SETFLAGS, &fd));
	FAILS(EBADF, ioctl(open("file", O_PATH), FS_IOC_GETFLAGS, &fd));
	OK(put("made", "x"));
	OK(mkdir("below", 0755));
	if (set_flags("file", 0) == -2)
		return;
	FAILS(EFAULT, ioctl(fd, FS_IOC_SETFLAGS, bad_pointer()));
	IS(0, set_flags("file", 0));
	IS(0, set_flags("made", 0));
	IS(0, set_flags("dir", 0));
	IS(0, set_flags("below", 0));
	as_other(flags_of_others);
	if (geteuid()) {
		FAILS(EPERM, set_flags("file", FS_IMMUTABLE_FL));
		FAILS(EPERM, set_flags("made", FS_APPEND_FL));
		FAILS(EPERM, set_flags("dir", FS_IMMUTABLE_FL));
	}
	about("what a view has not");
	IS(0, set_flags("file", FS_NODUMP_FL));
	IS(0, set_flags("made", FS_NODUMP_FL));
}
