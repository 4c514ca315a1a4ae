/*
 * Unit tests of supervise/attribute.c (R12). One table of calls is made three times, in equal trees: without
 * a sandbox, confined in a tree that may be written, confined in one that may not. The second must end as the
 * first, in errno and in what is on disk; the third must leave the disk alone and fail with EACCES, unless
 * the call fails anyway.
 */
#include <dirent.h>
#include <ftw.h>
#include <linux/fs.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <utime.h>

#include "behalf-harness.h"

#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif
#ifndef __NR_setxattrat
#define __NR_setxattrat	   463
#define __NR_removexattrat 466
#endif
#ifndef __NR_file_setattr
#define __NR_file_setattr 469
#endif
#define NODUMP 0x40u

static void *volatile bad_pointer = (void *)16; /* volatile: the compiler would warn */

static const struct timespec TIMES[2] = {{1000000, 1234}, {2000000, 999999999}};

static int error_of(long r)
{
	return r < 0 ? errno : 0;
}

static int opened(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd < 0)
		_exit(230);
	return fd;
}

/* One line a call reads better here. */
/* clang-format off */

/* chmod */
static int c_chmod(void) { return error_of(chmod("file", 0641)); }
static int c_chmod_dir(void) { return error_of(chmod("dir", 01750)); }
static int c_chmod_link(void) { return error_of(chmod("link", 04711)); }
static int c_chmod_slash(void) { return error_of(chmod("file/", 0600)); }
static int c_chmod_none(void) { return error_of(chmod("none", 0600)); }
static int c_chmod_below(void) { return error_of(chmod("file/x", 0600)); }
static int c_chmod_null(void) { return error_of(syscall(__NR_fchmodat, AT_FDCWD, NULL, 0600)); }
static int c_chmod_bad(void) { return error_of(syscall(__NR_fchmodat, AT_FDCWD, bad_pointer, 0600)); }
static int c_chmod_empty(void) { return error_of(chmod("", 0600)); }
static int c_chmod_loop(void) { return error_of(chmod("loop", 0600)); }
static int c_chmod_setgid(void) { return error_of(chmod("file", 02755)); }
static int c_chmod_foreign(void) { return error_of(chmod("foreign", 02775)); }
static int c_chmod_high(void) { return error_of(syscall(__NR_fchmodat, AT_FDCWD, "file", 0xffff0000u | 0604)); }
static int c_fchmod(void) { return error_of(fchmod(opened("file", O_RDONLY), 0604)); }
static int c_fchmod_dir(void) { return error_of(fchmod(opened("dir", O_RDONLY), 0701)); }
static int c_fchmod_path(void) { return error_of(fchmod(opened("file", O_PATH), 0604)); }
static int c_fchmod_none(void) { return error_of(fchmod(999, 0604)); }
static int c_fchmod_minus(void) { return error_of(fchmod(-100, 0604)); }
static int c_fchmodat(void) { return error_of(syscall(__NR_fchmodat, opened(".", O_PATH), "dir/../file", 0614)); }
static int c_fchmodat_bad(void) { return error_of(syscall(__NR_fchmodat, 999, "file", 0614)); }
static int c_fchmodat_file(void) { return error_of(syscall(__NR_fchmodat, opened("file", O_PATH), "file", 0614)); }
static int c_fchmodat2(void) { return error_of(syscall(__NR_fchmodat2, AT_FDCWD, "link", 0606, 0)); }
static int c_fchmodat2_nofollow(void)
{
	return error_of(syscall(__NR_fchmodat2, AT_FDCWD, "link", 0606, AT_SYMLINK_NOFOLLOW));
}
static int c_fchmodat2_nofollow_file(void)
{
	return error_of(syscall(__NR_fchmodat2, AT_FDCWD, "file", 0616, AT_SYMLINK_NOFOLLOW));
}
static int c_fchmodat2_fd(void)
{
	return error_of(syscall(__NR_fchmodat2, opened("file", O_RDONLY), "", 0607, AT_EMPTY_PATH));
}
static int c_fchmodat2_path(void)
{
	return error_of(syscall(__NR_fchmodat2, opened("file", O_PATH), "", 0617, AT_EMPTY_PATH));
}
static int c_fchmodat2_cwd(void) { return error_of(syscall(__NR_fchmodat2, AT_FDCWD, "", 0711, AT_EMPTY_PATH)); }
static int c_fchmodat2_empty(void) { return error_of(syscall(__NR_fchmodat2, AT_FDCWD, "", 0711, 0)); }
static int c_fchmodat2_flags(void) { return error_of(syscall(__NR_fchmodat2, AT_FDCWD, "file", 0711, 1)); }
static int c_chmod_proc(void)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", opened("file", O_RDONLY));
	return error_of(chmod(name, 0601));
}
static int c_chmod_devfd(void)
{
	char name[64];

	snprintf(name, sizeof(name), "/dev/fd/%d", opened("file", O_PATH));
	return error_of(chmod(name, 0602));
}
static int c_chmod_thread(void)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/thread-self/fd/%d/file", opened(".", O_PATH));
	return error_of(chmod(name, 0603));
}
static int c_chmod_cwd(void) { return error_of(chmod("/proc/self/cwd/file", 0622)); }

/* chown */
static int c_chown_same(void) { return error_of(chown("file", geteuid(), getegid())); }
static int c_chown_none(void) { return error_of(chown("file", (uid_t)-1, (gid_t)-1)); }
static int c_chown_other(void) { return error_of(chown("file", 4321, 1234)); }
static int c_chown_link(void) { return error_of(chown("link", 4321, (gid_t)-1)); }
static int c_chown_missing(void) { return error_of(chown("none", 1, 1)); }
static int c_chown_setuid(void) { return error_of(chown("setuid", geteuid(), getegid())); }
static int c_lchown(void) { return error_of(lchown("link", geteuid(), getegid())); }
static int c_lchown_other(void) { return error_of(lchown("link", 4321, 4)); }
static int c_fchown(void) { return error_of(fchown(opened("file", O_RDONLY), geteuid(), getegid())); }
static int c_fchown_path(void) { return error_of(fchown(opened("file", O_PATH), 1, 1)); }
static int c_fchownat(void) { return error_of(fchownat(opened(".", O_RDONLY), "dir", geteuid(), getegid(), 0)); }
static int c_fchownat_link(void)
{
	return error_of(fchownat(AT_FDCWD, "link", 7, 7, AT_SYMLINK_NOFOLLOW));
}
static int c_fchownat_fd(void)
{
	return error_of(fchownat(opened("file", O_PATH), "", geteuid(), getegid(), AT_EMPTY_PATH));
}
static int c_fchownat_flags(void) { return error_of(fchownat(AT_FDCWD, "file", 0, 0, AT_REMOVEDIR)); }

/* times */
static int c_utimensat(void) { return error_of(utimensat(AT_FDCWD, "file", TIMES, 0)); }
static int c_utimensat_link(void) { return error_of(utimensat(AT_FDCWD, "link", TIMES, AT_SYMLINK_NOFOLLOW)); }
static int c_utimensat_follow(void) { return error_of(utimensat(AT_FDCWD, "link", TIMES, 0)); }
static int c_utimensat_omit(void)
{
	struct timespec t[2] = {{5, 5}, {0, UTIME_OMIT}};

	return error_of(utimensat(AT_FDCWD, "file", t, 0));
}
static int c_utimensat_nothing(void)
{
	struct timespec t[2] = {{5, UTIME_OMIT}, {0, UTIME_OMIT}};

	return error_of(utimensat(AT_FDCWD, "none", t, 0));
}
static int c_utimensat_bad(void)
{
	struct timespec t[2] = {{5, 5}, {0, 1000000000}};

	return error_of(utimensat(AT_FDCWD, "file", t, 0));
}
static int c_utimensat_negative(void)
{
	struct timespec t[2] = {{-5, 5}, {-1, 7}};

	return error_of(utimensat(AT_FDCWD, "file", t, 0));
}
static int c_utimensat_pointer(void) { return error_of(syscall(__NR_utimensat, AT_FDCWD, "file", bad_pointer, 0)); }
static int c_utimensat_flags(void) { return error_of(syscall(__NR_utimensat, AT_FDCWD, "file", TIMES, 0x4000)); }
static int c_utimensat_null(void) { return error_of(syscall(__NR_utimensat, AT_FDCWD, NULL, TIMES, 0)); }
static int c_futimens(void) { return error_of(futimens(opened("file", O_RDONLY), TIMES)); }
static int c_futimens_path(void) { return error_of(futimens(opened("file", O_PATH), TIMES)); }
static int c_futimens_flags(void)
{
	return error_of(syscall(__NR_utimensat, opened("file", O_RDONLY), NULL, TIMES, AT_SYMLINK_NOFOLLOW));
}
static int c_utimensat_fd(void)
{
	return error_of(syscall(__NR_utimensat, opened("file", O_PATH), "", TIMES, AT_EMPTY_PATH));
}
static int c_utimensat_missing(void) { return error_of(utimensat(AT_FDCWD, "dir/none", TIMES, 0)); }

/* extended attributes */
static int c_setxattr(void) { return error_of(setxattr("file", "user.a", "value", 5, 0)); }
static int c_setxattr_empty(void) { return error_of(setxattr("file", "user.a", NULL, 0, 0)); }
static int c_setxattr_link(void) { return error_of(setxattr("link", "user.b", "v", 1, XATTR_CREATE)); }
static int c_setxattr_replace(void) { return error_of(setxattr("file", "user.none", "v", 1, XATTR_REPLACE)); }
static int c_setxattr_flags(void) { return error_of(setxattr("file", "user.a", "v", 1, 4)); }
static int c_setxattr_name(void) { return error_of(setxattr("file", "", "v", 1, 0)); }
static int c_setxattr_long(void)
{
	char name[300];

	memset(name, 'u', sizeof(name));
	memcpy(name, "user.", 5);
	name[299] = '\0';
	return error_of(setxattr("file", name, "v", 1, 0));
}
static int c_setxattr_big(void)
{
	static char value[70000];

	return error_of(setxattr("file", "user.a", value, sizeof(value), 0));
}
static int c_setxattr_bad(void) { return error_of(setxattr("file", "user.a", bad_pointer, 5, 0)); }
static int c_setxattr_missing(void) { return error_of(setxattr("none", "user.a", "v", 1, 0)); }
static int c_setxattr_space(void) { return error_of(setxattr("file", "nospace.a", "v", 1, 0)); }
static int c_setxattr_trusted(void) { return error_of(setxattr("file", "trusted.a", "v", 1, 0)); }
static int c_lsetxattr(void) { return error_of(lsetxattr("link", "user.a", "v", 1, 0)); }
static int c_lsetxattr_trusted(void) { return error_of(lsetxattr("link", "trusted.a", "v", 1, 0)); }
static int c_lsetxattr_file(void) { return error_of(lsetxattr("file", "user.l", "v", 1, 0)); }
static int c_fsetxattr(void) { return error_of(fsetxattr(opened("file", O_RDONLY), "user.f", "v", 1, 0)); }
static int c_fsetxattr_path(void) { return error_of(fsetxattr(opened("file", O_PATH), "user.f", "v", 1, 0)); }
static int c_removexattr(void) { return error_of(removexattr("file", "user.there")); }
static int c_removexattr_none(void) { return error_of(removexattr("file", "user.none")); }
static int c_lremovexattr(void) { return error_of(lremovexattr("file", "user.there")); }
static int c_fremovexattr(void) { return error_of(fremovexattr(opened("file", O_RDONLY), "user.there")); }
static int c_fremovexattr_path(void) { return error_of(fremovexattr(opened("file", O_PATH), "user.there")); }
struct xattr_args {
	uint64_t value;
	uint32_t size, flags;
};
static int set_at(int fd, const char *path, unsigned flags, size_t size)
{
	struct {
		struct xattr_args args;
		uint64_t more;
	} a = {{(uint64_t)(uintptr_t) "at", 2, 0}, size > 24 ? 1 : 0};

	return error_of(syscall(__NR_setxattrat, fd, path, flags, "user.at", &a, size > 24 ? 24 : size));
}
static int c_setxattrat(void) { return set_at(AT_FDCWD, "link", 0, 16); }
static int c_setxattrat_fd(void) { return set_at(opened("file", O_RDONLY), "", AT_EMPTY_PATH, 24); }
static int c_setxattrat_path(void) { return set_at(opened("file", O_PATH), "", AT_EMPTY_PATH, 16); }
static int c_setxattrat_null(void) { return set_at(opened("file", O_RDONLY), NULL, AT_EMPTY_PATH, 16); }
static int c_setxattrat_cwd(void) { return set_at(AT_FDCWD, "", AT_EMPTY_PATH, 16); }
static int c_setxattrat_small(void) { return set_at(AT_FDCWD, "file", 0, 15); }
static int c_setxattrat_more(void) { return set_at(AT_FDCWD, "file", 0, 25); }
static int c_setxattrat_flags(void) { return set_at(AT_FDCWD, "file", 2, 16); }
static int c_removexattrat(void) { return error_of(syscall(__NR_removexattrat, AT_FDCWD, "link", 0, "user.there")); }

/* inode flags */
static int c_setflags(void)
{
	unsigned flags = NODUMP;

	return error_of(ioctl(opened("file", O_RDONLY), FS_IOC_SETFLAGS, &flags));
}
static int c_setflags_immutable(void)
{
	unsigned flags = NODUMP;
	int fd = opened("file", O_RDONLY), r;

	if (geteuid() == 0)
		return 0; /* nothing could remove the tree */
	flags = 0x10;
	r = error_of(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	return r;
}
static int c_setflags_bad(void) { return error_of(ioctl(opened("file", O_RDONLY), FS_IOC_SETFLAGS, bad_pointer)); }
static int c_setflags_path(void)
{
	unsigned flags = NODUMP;

	return error_of(ioctl(opened("file", O_PATH), FS_IOC_SETFLAGS, &flags));
}
static int c_fssetxattr(void)
{
	struct fsxattr x = {.fsx_xflags = FS_XFLAG_NODUMP};

	return error_of(ioctl(opened("file", O_RDONLY), FS_IOC_FSSETXATTR, &x));
}
static int c_file_setattr(void)
{
	uint64_t attr[3] = {FS_XFLAG_NODUMP};

	return error_of(syscall(__NR_file_setattr, AT_FDCWD, "file", attr, sizeof(attr), 0));
}
static int c_file_setattr_size(void)
{
	uint64_t attr[3] = {FS_XFLAG_NODUMP};

	return error_of(syscall(__NR_file_setattr, AT_FDCWD, "file", attr, 8, 0));
}

#ifdef __x86_64__
static int c_legacy_chmod(void) { return error_of(syscall(__NR_chmod, "file", 0677)); }
static int c_legacy_chown(void) { return error_of(syscall(__NR_chown, "link", geteuid(), getegid())); }
static int c_legacy_lchown(void) { return error_of(syscall(__NR_lchown, "link", 77, 77)); }
static int c_utime(void)
{
	struct utimbuf t = {11, 22};

	return error_of(syscall(__NR_utime, "link", &t));
}
static int c_utimes(void)
{
	struct timeval t[2] = {{11, 12}, {13, 999999}};

	return error_of(syscall(__NR_utimes, "file", t));
}
static int c_utimes_bad(void)
{
	struct timeval t[2] = {{11, 12}, {13, 1000000}};

	return error_of(syscall(__NR_utimes, "none", t));
}
static int c_futimesat(void)
{
	struct timeval t[2] = {{11, 12}, {13, 14}};

	return error_of(syscall(__NR_futimesat, opened(".", O_PATH), "file", t));
}
static int c_futimesat_null(void)
{
	struct timeval t[2] = {{11, 12}, {13, 14}};

	return error_of(syscall(__NR_futimesat, opened("file", O_RDONLY), NULL, t));
}
#endif

/* Objects without a name: the same wherever the working directory is. */
static int c_memfd(void)
{
	int fd = memfd_create("m", MFD_CLOEXEC);
	struct stat st;

	if (fchmod(fd, 0600) || fchown(fd, geteuid(), getegid()) || futimens(fd, TIMES) || fstat(fd, &st))
		return errno;
	return (st.st_mode & 07777) == 0600 && st.st_mtim.tv_nsec == TIMES[1].tv_nsec ? 0 : -1;
}
static int c_pipe(void)
{
	int fds[2];

	return error_of(pipe(fds)) || error_of(fchmod(fds[1], 0640)) || error_of(fchown(fds[0], geteuid(), getegid()));
}
static int c_socket(void)
{
	int fds[2];

	return error_of(socketpair(AF_UNIX, SOCK_STREAM, 0, fds)) || error_of(fchmod(fds[1], 0640)) ||
	       error_of(fchown(fds[0], geteuid(), getegid()));
}
/* A file that the profile lets nobody write, opened before and removed then. */
static int c_deleted(void) { return error_of(fchmod(100, 0611)); }
static int c_tmpfile(void) { return error_of(fchmod(101, 0611)); }

/* clang-format on */

static const struct attribute_case {
	const char *name;
	int (*call)(void);
	bool nameless; /* what may be written does not matter */
} cases[] = {
#define CASE(n)                                                                                              \
	{                                                                                                    \
#n, c_##n, false                                                                             \
	}
    CASE(chmod),
    CASE(chmod_dir),
    CASE(chmod_link),
    CASE(chmod_slash),
    CASE(chmod_none),
    CASE(chmod_below),
    CASE(chmod_null),
    CASE(chmod_bad),
    CASE(chmod_empty),
    CASE(chmod_loop),
    CASE(chmod_setgid),
    CASE(chmod_foreign),
    CASE(chmod_high),
    CASE(fchmod),
    CASE(fchmod_dir),
    CASE(fchmod_path),
    CASE(fchmod_none),
    CASE(fchmod_minus),
    CASE(fchmodat),
    CASE(fchmodat_bad),
    CASE(fchmodat_file),
    CASE(fchmodat2),
    CASE(fchmodat2_nofollow),
    CASE(fchmodat2_nofollow_file),
    CASE(fchmodat2_fd),
    CASE(fchmodat2_path),
    CASE(fchmodat2_cwd),
    CASE(fchmodat2_empty),
    CASE(fchmodat2_flags),
    CASE(chmod_proc),
    CASE(chmod_devfd),
    CASE(chmod_thread),
    CASE(chmod_cwd),
    CASE(chown_same),
    CASE(chown_none),
    CASE(chown_other),
    CASE(chown_link),
    CASE(chown_missing),
    CASE(chown_setuid),
    CASE(lchown),
    CASE(lchown_other),
    CASE(fchown),
    CASE(fchown_path),
    CASE(fchownat),
    CASE(fchownat_link),
    CASE(fchownat_fd),
    CASE(fchownat_flags),
    CASE(utimensat),
    CASE(utimensat_link),
    CASE(utimensat_follow),
    CASE(utimensat_omit),
    CASE(utimensat_nothing),
    CASE(utimensat_bad),
    CASE(utimensat_negative),
    CASE(utimensat_pointer),
    CASE(utimensat_flags),
    CASE(utimensat_null),
    CASE(futimens),
    CASE(futimens_path),
    CASE(futimens_flags),
    CASE(utimensat_fd),
    CASE(utimensat_missing),
    CASE(setxattr),
    CASE(setxattr_empty),
    CASE(setxattr_link),
    CASE(setxattr_replace),
    CASE(setxattr_flags),
    CASE(setxattr_name),
    CASE(setxattr_long),
    CASE(setxattr_big),
    CASE(setxattr_bad),
    CASE(setxattr_missing),
    CASE(setxattr_space),
    CASE(setxattr_trusted),
    CASE(lsetxattr),
    CASE(lsetxattr_trusted),
    CASE(lsetxattr_file),
    CASE(fsetxattr),
    CASE(fsetxattr_path),
    CASE(removexattr),
    CASE(removexattr_none),
    CASE(lremovexattr),
    CASE(fremovexattr),
    CASE(fremovexattr_path),
    CASE(setxattrat),
    CASE(setxattrat_fd),
    CASE(setxattrat_path),
    CASE(setxattrat_null),
    CASE(setxattrat_cwd),
    CASE(setxattrat_small),
    CASE(setxattrat_more),
    CASE(setxattrat_flags),
    CASE(removexattrat),
    CASE(setflags),
    CASE(setflags_immutable),
    CASE(setflags_bad),
    CASE(setflags_path),
    CASE(fssetxattr),
    CASE(file_setattr),
    CASE(file_setattr_size),
#ifdef __x86_64__
    CASE(legacy_chmod),
    CASE(legacy_chown),
    CASE(legacy_lchown),
    CASE(utime),
    CASE(utimes),
    CASE(utimes_bad),
    CASE(futimesat),
    CASE(futimesat_null),
#endif
    {"memfd", c_memfd, true},
    {"pipe", c_pipe, true},
    {"socket", c_socket, true},
    CASE(deleted),
    CASE(tmpfile),
};

static void move_fd(int from, int to)
{
	ck_assert_int_eq(dup2(from, to), to);
	close(from);
}

static void make_tree(const char *dir, uid_t uid)
{
	static const char *const names[] = {"file", "foreign", "setuid", "loop", "link", "dir", "."};
	const struct timespec start[2] = {{100, 1}, {200, 2}};

	ck_assert_int_eq(mkdir(dir, 0755), 0);
	ck_assert_int_eq(chdir(dir), 0);
	close(opened("file", O_CREAT | O_WRONLY));
	close(opened("foreign", O_CREAT | O_WRONLY));
	close(opened("setuid", O_CREAT | O_WRONLY));
	ck_assert_int_eq(mkdir("dir", 0755), 0);
	ck_assert_int_eq(symlink("file", "link"), 0);
	ck_assert_int_eq(symlink("loop", "loop"), 0);
	ck_assert_int_eq(setxattr("file", "user.there", "1", 1, 0), 0);
	for (size_t i = 0; i < SL_ARRAY_LEN(names); i++)
		ck_assert_int_eq(lchown(names[i], uid, uid), 0);
	if (geteuid() == 0)
		ck_assert_int_eq(chown("foreign", uid, 4), 0);
	ck_assert_int_eq(chmod("setuid", 06755), 0);
	/* Known by number to the cases. */
	move_fd(opened("gone", O_CREAT | O_RDONLY), 100);
	ck_assert_int_eq(fchown(100, uid, uid), 0);
	ck_assert_int_eq(unlink("gone"), 0);
	move_fd(opened(".", O_TMPFILE | O_RDWR), 101);
	ck_assert_int_eq(fchown(101, uid, uid), 0);
	ck_assert_int_eq(futimens(100, start), 0);
	ck_assert_int_eq(futimens(101, start), 0);
	for (size_t i = 0; i < SL_ARRAY_LEN(names); i++) {
		ck_assert_int_eq(utimensat(AT_FDCWD, names[i], start, AT_SYMLINK_NOFOLLOW), 0);
	}
}

/* Everything that an attribute call could change, as text. Access times of directories and links change by
 * looking. */
static void describe(struct sl_strbuf *out, const char *name, int fd)
{
	char list[4096], value[256];
	struct stat st;
	ssize_t n;
	unsigned flags = 0;
	int file;

	ck_assert_int_eq(fd >= 0 ? fstat(fd, &st) : lstat(name, &st), 0);
	sl_strbuf_addf(out, "%s %o %u:%u m%ld.%ld", name, st.st_mode, st.st_uid, st.st_gid, st.st_mtim.tv_sec,
		       st.st_mtim.tv_nsec);
	if (S_ISREG(st.st_mode))
		sl_strbuf_addf(out, " a%ld.%ld", st.st_atim.tv_sec, st.st_atim.tv_nsec);
	if (fd >= 0) {
		sl_strbuf_addch(out, '\n');
		return;
	}
	n = llistxattr(name, list, sizeof(list));
	for (const char *at = list; n > 0 && at < list + n; at += strlen(at) + 1) {
		ssize_t len = lgetxattr(name, at, value, sizeof(value));

		sl_strbuf_addf(out, " %s=%.*s", at, (int)SL_MAX(len, 0), value);
	}
	file = S_ISREG(st.st_mode) ? open(name, O_RDONLY | O_NOATIME | O_CLOEXEC) : -1;
	if (file >= 0 && ioctl(file, FS_IOC_GETFLAGS, &flags) == 0)
		sl_strbuf_addf(out, " flags=%x", flags);
	sl_close(file);
	sl_strbuf_addch(out, '\n');
}

static char *snapshot(void)
{
	static const char *const names[] = {"file", "foreign", "setuid", "loop", "link", "dir", "."};
	struct sl_strbuf out = SL_STRBUF_INIT;

	for (size_t i = 0; i < SL_ARRAY_LEN(names); i++)
		describe(&out, names[i], -1);
	describe(&out, "deleted", 100);
	describe(&out, "tmpfile", 101);
	return sl_strbuf_detach(&out);
}

static int remove_entry(const char *path, const struct stat *st SL_UNUSED, int type SL_UNUSED,
			struct FTW *f SL_UNUSED)
{
	return remove(path);
}

static void remove_tree(const char *dir)
{
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static int call_case(void *arg)
{
	int r = (*(int (**)(void))arg)();

	return r < 0 || r > 200 ? 201 : r;
}

/* As confined, without the sandbox. */
static int run_bare(uid_t uid, int (*call)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (uid != geteuid() && (syscall(__NR_setgroups, 0, NULL) || setresgid(uid, uid, uid) ||
					 setresuid(uid, uid, uid)))
			_exit(249);
		_exit(call_case(&call));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void compare(const struct attribute_case *a, uid_t uid)
{
	char *base = make_dir();
	char *writable = sl_xasprintf("%s/w", base), *denied = sl_xasprintf("%s/d", base),
	     *bare = sl_xasprintf("%s/b", base);
	struct confinement c = {.writable = writable, .uid = uid == geteuid() ? 0 : uid};
	char *before, *after_bare, *after;
	int (*call)(void) = a->call;
	int expected, r;

	make_tree(bare, uid);
	expected = run_bare(uid, call);
	ck_assert_int_lt(expected, 200);
	after_bare = snapshot();

	make_tree(writable, uid);
	r = run_confined(&c, call_case, &call);
	ck_assert_msg(r == expected, "%s: writable: %d (%s), bare %d (%s)", a->name, r, strerror(r), expected,
		      strerror(expected));
	after = snapshot();
	ck_assert_msg(!strcmp(after, after_bare), "%s: confined:\n%sbare:\n%s", a->name, after, after_bare);
	free(after);

	make_tree(denied, uid);
	before = snapshot();
	r = run_confined(&c, call_case, &call);
	after = snapshot();
	ck_assert_msg(!strcmp(after, before), "%s: was changed:\n%sfrom:\n%s", a->name, after, before);
	if (a->nameless || r == expected)
		ck_assert_msg(r == expected && (a->nameless || r || strcmp(before, after_bare) == 0),
			      "%s: denied: %d, bare %d", a->name, r, expected);
	else
		ck_assert_msg(r == EACCES && (expected == 0 || expected == EPERM || expected == ENODATA ||
					      expected == ENOTTY || expected == EOPNOTSUPP),
			      "%s: denied: %d (%s), bare %d (%s)", a->name, r, strerror(r), expected,
			      strerror(expected));
	remove_tree(base);
	free(base);
	free(writable);
	free(denied);
	free(bare);
	free(before);
	free(after);
	free(after_bare);
}

START_TEST(R12_calls)
{
	for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++)
		compare(&cases[i], geteuid());
}
END_TEST

/* Root's command that has become another user, and executed nothing since. */
START_TEST(R12_calls_of_another_user)
{
	if (geteuid() != 0)
		return; /* only root's command can */
	for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++)
		compare(&cases[i], OTHER_UID);
}
END_TEST

/* A second thread exchanges what the call names, all the while. Directories w (writable) and d, each with a
 * file. */
static volatile int finished;
static char shared[16];
static int shared_fd, fds[2];

static void *flip_text(void *unused)
{
	while (!finished) {
		memcpy(shared, "d/file", 7);
		__asm__ volatile("" ::: "memory");
		memcpy(shared, "w/file", 7);
		__asm__ volatile("" ::: "memory");
	}
	return unused;
}

static void *flip_link(void *unused)
{
	for (int i = 0; !finished; i ^= 1)
		if (symlink(i ? "../d/file" : "file", "w/next") || rename("w/next", "w/link"))
			_exit(231);
	return unused;
}

static void *flip_fd(void *unused)
{
	for (int i = 0; !finished; i ^= 1)
		dup2(fds[i], shared_fd);
	return unused;
}

static int call_text(void)
{
	return error_of(chmod(shared, 0604));
}

static int call_link(void)
{
	return error_of(chmod("w/link", 0604));
}

static int call_fd(void)
{
	return error_of(fchmod(shared_fd, 0604));
}

static int call_proc_fd(void)
{
	char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", shared_fd);
	return error_of(chmod(name, 0604));
}

struct race {
	void *(*flip)(void *);
	int (*call)(void);
};

static const struct race races[] = {
    {flip_text, call_text}, {flip_link, call_link}, {flip_fd, call_fd}, {flip_fd, call_proc_fd}};

static int run_race(void *arg)
{
	const struct race *race = arg;
	int done = 0, refused = 0;
	pthread_t thread;

	memcpy(shared, "w/file", 7);
	fds[0] = opened("w/file", O_RDONLY);
	fds[1] = opened("d/file", O_RDONLY);
	shared_fd = dup(fds[0]);
	if (pthread_create(&thread, NULL, race->flip, NULL))
		return 1;
	for (int i = 0; i < 10000; i++) {
		int r = race->call();

		done += r == 0;
		refused += r == EACCES;
	}
	finished = 1;
	pthread_join(thread, NULL);
	return done && refused ? 0 : 2; /* else no race was run */
}

START_TEST(R12_races_never_change_the_other_file)
{
	char *base = make_dir();
	char *writable = sl_xasprintf("%s/w", base);
	struct confinement c = {.writable = writable};
	struct stat st;

	ck_assert_int_eq(chdir(base), 0);
	ck_assert_int_eq(mkdir("w", 0755) | mkdir("d", 0755) | symlink("file", "w/link"), 0);
	close(opened("w/file", O_CREAT | O_WRONLY));
	close(opened("d/file", O_CREAT | O_WRONLY));
	ck_assert_int_eq(run_confined(&c, run_race, (void *)(uintptr_t)&races[_i]), 0);
	ck_assert_int_eq(stat("d/file", &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(stat("w/file", &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0604);
	remove_tree(base);
	free(writable);
	free(base);
}
END_TEST

/* What the policy alone does not tell. */
static int run_special(void *arg SL_UNUSED)
{
	if (error_of(fchmod(100, 0604)) != EACCES)
		return 1; /* removed, with another link elsewhere */
	if (error_of(chmod("w/linked", 0604)) != 0)
		return 2; /* by the name that may be written, as writing would be */
	if (error_of(chmod("w/file (deleted)", 0604)) != 0 ||
	    error_of(chmod("d/file (deleted)", 0604)) != EACCES)
		return 3;
	if (error_of(mkfifo("w/fifo", 0600)) != 0 || error_of(chmod("w/fifo", 0644)) != 0)
		return 4; /* and was not opened */
	return 0;
}

START_TEST(R12_removed_linked_and_odd_names)
{
	char *base = make_dir();
	char *writable = sl_xasprintf("%s/w", base);
	struct confinement c = {.writable = writable};

	ck_assert_int_eq(chdir(base), 0);
	ck_assert_int_eq(mkdir("w", 0755) | mkdir("d", 0755), 0);
	close(opened("d/file", O_CREAT | O_WRONLY));
	close(opened("d/file (deleted)", O_CREAT | O_WRONLY));
	close(opened("w/file (deleted)", O_CREAT | O_WRONLY));
	ck_assert_int_eq(link("d/file", "w/linked") | link("d/file", "w/removed"), 0);
	move_fd(opened("w/removed", O_RDONLY), 100);
	ck_assert_int_eq(unlink("w/removed"), 0);
	ck_assert_int_eq(run_confined(&c, run_special, NULL), 0);
	remove_tree(base);
	free(writable);
	free(base);
}
END_TEST

static int run_null(void *arg SL_UNUSED)
{
	int fd = opened("/dev/null", O_WRONLY);

	return error_of(chmod("/dev/null", 0666)) == EACCES && error_of(fchmod(fd, 0666)) == EACCES ? 0 : 1;
}

/* Granted to everybody, but not its mode. */
START_TEST(R12_implicit_devices)
{
	struct confinement c = {.writable = NULL};
	struct confined k;

	confined_start(&k, &c, run_null, NULL);
	k.rule = (struct sl_rule){(char *)(uintptr_t) "/dev/null", SL_RIGHT_WRITE, false, "implicit", 0};
	k.policy.rule_count = 1;
	ck_assert_int_eq(confined_serve(&k), 0);
}
END_TEST

static int run_unsearchable(void *arg SL_UNUSED)
{
	if (error_of(chmod("closed/file", 0604)) != EACCES)
		return 1;
	return error_of(chmod("link", 0604)) == EACCES ? 0 : 2;
}

/* The caller owns the file, but may not search the directory; the tool may. */
START_TEST(R12_directories_are_searched_as_the_caller)
{
	char *base;
	struct confinement c = {.uid = OTHER_UID};

	if (geteuid() != 0)
		return; /* the tool cannot be another user */
	c.writable = base = make_dir();
	ck_assert_int_eq(chdir(base), 0);
	ck_assert_int_eq(mkdir("closed", 0700) | symlink("closed/file", "link"), 0);
	close(opened("closed/file", O_CREAT | O_WRONLY));
	ck_assert_int_eq(chown("closed/file", OTHER_UID, OTHER_UID), 0);
	ck_assert_int_eq(run_confined(&c, run_unsearchable, NULL), 0);
	remove_tree(base);
	free(base);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    R12_calls,
	    R12_calls_of_another_user,
	    R12_removed_linked_and_odd_names,
	    R12_implicit_devices,
	    R12_directories_are_searched_as_the_caller,
	};
	Suite *s = suite_create("behalf-attribute");
	TCase *t = tcase_create("races");
	TCase *all = tcase_create("calls");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 110);
	tcase_add_loop_test(t, R12_races_never_change_the_other_file, 0, (int)SL_ARRAY_LEN(races));
	suite_add_tcase(s, t);
	tcase_set_timeout(all, 110);
	for (size_t i = 0; i < SL_ARRAY_LEN(tests); i++)
		tcase_add_test(all, tests[i]);
	suite_add_tcase(s, all);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
