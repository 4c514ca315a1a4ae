/*
 * conform-path.c - what every call that takes a path says of bad ones: a table of calls, and a table of paths.
 */
#define _GNU_SOURCE
#include "conform.h"

#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

/* ---- the calls ---- */

#define FOLLOWS 1 /* a symbolic link at the end */
#define MAKES	2 /* the name */
#define IN_VOID 4 /* is done to a directory */

static struct stat st;
static char buffer[PATH_MAX];

/* clang-format off: a line each */
static long p_open(const char *p) { return open(p, O_RDONLY); }
static long p_open_rw(const char *p) { return open(p, O_RDWR); }
static long p_open_trunc(const char *p) { return open(p, O_WRONLY | O_TRUNC); }
static long p_open_path(const char *p) { return open(p, O_PATH); }
static long p_create(const char *p) { return open(p, O_CREAT | O_EXCL | O_WRONLY, 0644); }
static long p_stat(const char *p) { return stat(p, &st); }
static long p_lstat(const char *p) { return lstat(p, &st); }
static long p_statx(const char *p)
{
	struct statx x;

	return statx(AT_FDCWD, p, 0, STATX_BASIC_STATS, &x);
}
static long p_access(const char *p) { return access(p, R_OK); }
static long p_readlink(const char *p) { return readlink(p, buffer, sizeof(buffer)); }
static long p_chmod(const char *p) { return chmod(p, 0644); }
static long p_chown(const char *p) { return chown(p, geteuid(), getegid()); }
static long p_lchown(const char *p) { return lchown(p, geteuid(), getegid()); }
/* not libc's, which takes no path for the descriptor itself */
static long p_utimes(const char *p) { return syscall(SYS_utimensat, AT_FDCWD, p, NULL, 0); }
static long p_truncate(const char *p) { return truncate(p, 0); }
static long p_setxattr(const char *p) { return setxattr(p, "user.x", "x", 1, 0); }
static long p_getxattr(const char *p) { return getxattr(p, "user.x", buffer, 10); }
static long p_listxattr(const char *p) { return listxattr(p, buffer, sizeof(buffer)); }
static long p_removexattr(const char *p) { return removexattr(p, "user.x"); }
static long p_statfs(const char *p)
{
	struct statfs fs;

	return statfs(p, &fs);
}
static long p_chdir(const char *p) { return chdir(p); }
static long p_opendir(const char *p) { return open(p, O_RDONLY | O_DIRECTORY); }
static long p_mkdir(const char *p) { return mkdir(p, 0755); }
static long p_mkfifo(const char *p) { return mknod(p, S_IFIFO | 0644, 0); }
static long p_mknod(const char *p) { return mknod(p, S_IFREG | 0644, 0); }
static long p_symlink(const char *p) { return symlink("x", p); }
static long p_link_from(const char *p) { return link(p, "linked"); }
static long p_link_to(const char *p) { return link("hard1", p); }
static long p_unlink(const char *p) { return unlink(p); }
static long p_rmdir(const char *p) { return rmdir(p); }
static long p_rename_from(const char *p) { return rename(p, "renamed"); }
static long p_rename_to(const char *p) { return rename("hard1", p); }
static long p_exec(const char *p)
{
	char *argv[] = {(char *)"x", NULL};

	return execve(p, argv, argv + 1);
}
/* clang-format on */

static const struct {
	const char *name;
	long (*call)(const char *path);
	int kind;
} calls[] = {
    {"open", p_open, FOLLOWS},
    {"open for writing", p_open_rw, FOLLOWS},
    {"open with O_TRUNC", p_open_trunc, FOLLOWS},
    {"open with O_PATH", p_open_path, FOLLOWS},
    {"open with O_CREAT and O_EXCL", p_create, MAKES},
    {"stat", p_stat, FOLLOWS},
    {"lstat", p_lstat, 0},
    {"statx", p_statx, FOLLOWS},
    {"access", p_access, FOLLOWS},
    {"readlink", p_readlink, 0},
    {"chmod", p_chmod, FOLLOWS},
    {"chown", p_chown, FOLLOWS},
    {"lchown", p_lchown, 0},
    {"utimensat", p_utimes, FOLLOWS},
    {"truncate", p_truncate, FOLLOWS},
    {"setxattr", p_setxattr, FOLLOWS},
    {"getxattr", p_getxattr, FOLLOWS},
    {"listxattr", p_listxattr, FOLLOWS},
    {"removexattr", p_removexattr, FOLLOWS},
    {"statfs", p_statfs, FOLLOWS},
    {"chdir", p_chdir, FOLLOWS | IN_VOID},
    {"open with O_DIRECTORY", p_opendir, FOLLOWS | IN_VOID},
    {"mkdir", p_mkdir, MAKES | IN_VOID},
    {"mkfifo", p_mkfifo, MAKES},
    {"mknod", p_mknod, MAKES},
    {"symlink", p_symlink, MAKES},
    {"link from", p_link_from, 0},
    {"link to", p_link_to, MAKES},
    {"unlink", p_unlink, 0},
    {"rmdir", p_rmdir, IN_VOID},
    {"rename from", p_rename_from, 0},
    {"rename to", p_rename_to, MAKES},
    {"execve", p_exec, FOLLOWS},
};

/* A row: the call and what it was asked. */
static void row(const char *call, const char *path_name, long got, int error, int want)
{
	char text[128];

	snprintf(text, sizeof(text), "%s of %s", call, path_name);
	conform_fails(text, got, error, want);
}

#define ROW(i, label, path, want)                                                                            \
	do {                                                                                                 \
		errno = 0;                                                                                   \
		long got_ = calls[i].call(path);                                                             \
		row(calls[i].name, label, got_, errno, want);                                                \
	} while (0)

static char too_long[NAME_MAX + 10], below_too_long[NAME_MAX + 10], longest[PATH_MAX + 1];

static void make_long(void)
{
	memset(too_long, 'n', NAME_MAX + 1);
	snprintf(below_too_long, sizeof(below_too_long), "%.256s/x", too_long);
	for (int i = 0; i < PATH_MAX; i += 2)
		memcpy(longest + i, "./", 2);
	longest[PATH_MAX - 1] = 'x'; /* 4096 characters with no room for the NUL */
	longest[PATH_MAX] = '\0';
}

void path_errors(void)
{
	make_long();
	for (size_t i = 0; i < LEN(calls); i++) {
		ROW(i, "\"\"", "", ENOENT);
		ROW(i, "none/x", "none/x", ENOENT);
		ROW(i, "dangling/x", "dangling/x", ENOENT);
		ROW(i, "exec/x", "exec/x", ENOTDIR);
		ROW(i, "link/x", "link/x", ENOTDIR);
		ROW(i, "loop1/x", "loop1/x", ELOOP);
		ROW(i, "a name of 256", too_long, ENAMETOOLONG);
		ROW(i, "a name of 256/x", below_too_long, ENAMETOOLONG);
		ROW(i, "a path of 4096", longest, ENAMETOOLONG);
		if (!(calls[i].kind & MAKES))
			ROW(i, "none", "none", ENOENT);
		if (calls[i].kind & FOLLOWS) {
			ROW(i, "loop1", "loop1", ELOOP);
			ROW(i, "dangling", "dangling", ENOENT);
		}
		if (!(calls[i].kind & MAKES))
			ROW(i, "exec/", "exec/", ENOTDIR);
		if (calls[i].kind & IN_VOID && !(calls[i].kind & MAKES))
			ROW(i, "exec", "exec", ENOTDIR);
	}
}

void bad_addresses(void)
{
	for (size_t i = 0; i < LEN(calls); i++) {
		ROW(i, "NULL", NULL, EFAULT);
		ROW(i, "a bad pointer", (const char *)bad_pointer(), EFAULT);
	}
	about("where to");
	FAILS(EFAULT, syscall(SYS_newfstatat, AT_FDCWD, "file", bad_pointer(), 0));
	FAILS(EFAULT, syscall(SYS_statx, AT_FDCWD, "file", 0, STATX_TYPE, bad_pointer()));
	FAILS(EFAULT, syscall(SYS_readlinkat, AT_FDCWD, "link", bad_pointer(), 10));
	FAILS(EFAULT, syscall(SYS_getxattr, "file", bad_pointer(), NULL, 0));
	FAILS(EFAULT, syscall(SYS_setxattr, "file", "user.x", bad_pointer(), 10, 0));
	FAILS(EFAULT, syscall(SYS_utimensat, AT_FDCWD, "file", bad_pointer(), 0));
	FAILS(EFAULT, syscall(SYS_statfs, "file", bad_pointer()));
	FAILS(EFAULT, syscall(SYS_getcwd, bad_pointer(), 4096));
	FAILS(EFAULT, syscall(SYS_openat2, AT_FDCWD, "file", bad_pointer(), 24));
	FAILS(EFAULT, syscall(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, bad_pointer(), 0));
	FAILS(EFAULT, syscall(SYS_symlinkat, bad_pointer(), AT_FDCWD, "x"));
	about("after a change");
	OK(put("file", "changed"));
	OK(setxattr("file", "user.y", "value", 5, 0));
	FAILS(EFAULT, syscall(SYS_newfstatat, AT_FDCWD, "file", bad_pointer(), 0));
	FAILS(EFAULT, syscall(SYS_statx, AT_FDCWD, "file", 0, STATX_TYPE, bad_pointer()));
	FAILS(EFAULT, syscall(SYS_getxattr, "file", "user.y", bad_pointer(), 10));
	FAILS(EFAULT, syscall(SYS_listxattr, "file", bad_pointer(), 100));
	OK(symlink("x", "newlink"));
	FAILS(EFAULT, syscall(SYS_readlinkat, AT_FDCWD, "newlink", bad_pointer(), 10));
	FAILS(EFAULT, syscall(SYS_statfs, "file", bad_pointer()));
}

void path_lengths(void)
{
	char name[NAME_MAX + 1], path[PATH_MAX + 10];
	int fd;

	memset(name, 'n', NAME_MAX);
	name[NAME_MAX] = '\0';
	OK(put(name, "long name"));
	TRUE(holds(name, "long name"));
	OK(rename(name, "short"));
	OK(rename("short", name));
	OK(unlink(name));
	OK(mkdir(name, 0755));
	OK(rmdir(name));
	OK(symlink(name, "to-name"));
	IS(NAME_MAX, readlink("to-name", path, sizeof(path)));
	OK(try_open("to-name", O_WRONLY | O_CREAT));
	OK(unlink(name));
	for (int i = 0; i < PATH_MAX; i += 2)
		memcpy(path + i, "./", 2);
	memcpy(path + PATH_MAX - 5, "file", 5); /* 4095 and the NUL */
	path[PATH_MAX - 6] = '/';
	IS(PATH_MAX - 1, strlen(path));
	OK(try_open(path, O_RDONLY));
	OK(try_open(path, O_WRONLY));
	OK(chmod(path, 0600));
	OK(truncate(path, 1));
	IS(1, stat_of(path).st_size);
	about("deeper than a path is long");
	fd = open(".", O_RDONLY);
	memset(name, 'd', 200);
	name[200] = '\0';
	for (int i = 0; i < 25; i++)
		if (mkdir(name, 0755) || chdir(name))
			break;
	FAILS(ENAMETOOLONG, syscall(SYS_getcwd, path, sizeof(path)));
	OK(put("deep", "deep"));
	TRUE(holds("deep", "deep"));
	OK(try_open("../../deep2", O_WRONLY | O_CREAT));
	OK(unlink("deep"));
	OK(unlink("../../deep2"));
	for (int i = 0; i < 25; i++)
		if (chdir("..") || rmdir(name))
			break;
	OK(fchdir(fd));
	FAILS(ENOENT, rmdir(name));
	about("forty links");
	OK(symlink("file", "l0"));
	for (int i = 1; i < 42; i++) {
		char a[16], b[16];

		snprintf(a, sizeof(a), "l%d", i - 1);
		snprintf(b, sizeof(b), "l%d", i);
		if (symlink(a, b))
			break;
	}
	OK(try_open("l39", O_RDONLY));
	FAILS(ELOOP, try_open("l40", O_RDONLY));
	OK(stat_of("l41").st_size == 3 ? 0 : -1);
}

void path_slashes(void)
{
	OK(try_open("./file", O_RDONLY));
	OK(try_open(".//.//file", O_RDONLY));
	OK(try_open("dir/../file", O_RDONLY));
	OK(try_open("dir//file", O_RDONLY));
	FAILS(ENOENT, try_open("none/../file", O_RDONLY));
	FAILS(ENOTDIR, try_open("file/../file", O_RDONLY));
	FAILS(ENOTDIR, try_open("file/.", O_RDONLY));
	FAILS(ENOTDIR, try_open("file/..", O_RDONLY));
	FAILS(ENOTDIR, try_open("file/", O_RDONLY));
	FAILS(ENOTDIR, try_open("file//", O_WRONLY));
	FAILS(EISDIR, try_open("file/", O_WRONLY | O_CREAT));
	FAILS(EISDIR, try_open("new/", O_WRONLY | O_CREAT));
	FAILS(EISDIR, try_open("new/", O_WRONLY | O_CREAT | O_EXCL));
	FAILS(EISDIR, try_open("dir/.", O_WRONLY | O_CREAT));
	FAILS(EEXIST, try_open("dir/..", O_WRONLY | O_CREAT | O_EXCL));
	FAILS(EISDIR, try_open(".", O_WRONLY));
	OK(try_open("dir/", O_RDONLY));
	OK(try_open("dirlink/.", O_RDONLY));
	OK(try_open("dirlink//file", O_RDONLY));
	OK(try_open("dirlink/../file", O_RDONLY));
	OK(try_open("dirlink/", O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
	FAILS(ENOENT, try_open("dangling/", O_RDONLY | O_DIRECTORY));
	FAILS(EISDIR, try_open("dangling/", O_WRONLY | O_CREAT));
	TRUE(stat_of("/..").st_ino == stat_of("/").st_ino);
	TRUE(stat_of("dirlink/.").st_ino == stat_of("dir").st_ino);
	about("of what was made and moved");
	OK(mkdir("made", 0755));
	OK(put("made/x", "x"));
	OK(rename("made", "dir/made"));
	TRUE(holds("dir/made/../made/./x", "x"));
	TRUE(holds("dir/made/../../dir/made//x", "x"));
	TRUE(stat_of("dir/made/..").st_ino == stat_of("dir").st_ino);
	FAILS(ENOTDIR, try_open("dir/made/x/", O_RDONLY));
	FAILS(ENOTDIR, try_open("dir/made/x/..", O_RDONLY));
	FAILS(ENOENT, try_open("made/../file", O_RDONLY));
	about("of what is a directory");
	OK(rmdir("void/"));
	OK(mkdir("void/", 0755));
	OK(rename("void/", "void3/"));
	OK(rename("void3", "void"));
	FAILS(ENOENT, unlink("void3/"));
	FAILS(EISDIR, unlink("void/"));
	FAILS(ENOTDIR, rename("exec", "void3/"));
}
