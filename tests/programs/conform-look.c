/*
 * conform-look.c - what is asked: stat, statx, access, readlink, statfs, listings, and the times that follow
 * from changes.
 */
#define _GNU_SOURCE
#include "conform.h"

#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>

void look_stat(void)
{
	int dir = open("dir", O_RDONLY), fd = open("file", O_RDONLY);
	struct stat st, other;
	struct statx x;
	struct statfs fs;

	OK(stat("file", &st));
	IS(11, st.st_size);
	IS(S_IFREG | 0644, st.st_mode);
	IS(1, st.st_nlink);
	IS(geteuid(), st.st_uid);
	IS(2000, st.st_mtim.tv_sec);
	TRUE(st.st_blocks > 0);
	OK(fstat(fd, &other));
	TRUE(st.st_ino == other.st_ino && st.st_dev == other.st_dev);
	OK(stat("link", &other));
	TRUE(st.st_ino == other.st_ino);
	OK(lstat("link", &other));
	IS(S_IFLNK | 0777, other.st_mode);
	IS(4, other.st_size);
	OK(stat("dir", &other));
	TRUE(S_ISDIR(other.st_mode));
	TRUE(other.st_dev == st.st_dev);
	OK(lstat("dirlink/", &other));
	TRUE(S_ISDIR(other.st_mode));
	OK(stat("fifo", &other));
	TRUE(S_ISFIFO(other.st_mode));
	FAILS(ENOENT, stat("dangling", &st));
	OK(lstat("dangling", &st));
	FAILS(ELOOP, stat("loop1", &st));
	OK(lstat("loop1", &st));
	FAILS(ENOTDIR, stat("file/", &st));
	FAILS(ENOTDIR, lstat("link/", &st));
	FAILS(EBADF, fstat(-1, &st));
	OK(fstatat(dir, "file", &st, 0));
	IS(6, st.st_size);
	OK(fstatat(fd, "", &st, AT_EMPTY_PATH));
	IS(11, st.st_size);
	FAILS(ENOENT, fstatat(fd, "", &st, 0));
	FAILS(ENOTDIR, fstatat(fd, "x", &st, 0));
	FAILS(EINVAL, fstatat(dir, "file", &st, 0x8000));
	FAILS(EBADF, fstatat(-1, "file", &st, 0));
	about("statx");
	OK(statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS | STATX_BTIME, &x));
	TRUE((x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
	IS(11, x.stx_size);
	IS(2000, x.stx_mtime.tv_sec);
	TRUE(x.stx_ino == stat_of("file").st_ino);
	TRUE(makedev(x.stx_dev_major, x.stx_dev_minor) == stat_of("file").st_dev);
	OK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x));
	IS(11, x.stx_size);
	OK(statx(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW, STATX_TYPE, &x));
	TRUE(S_ISLNK(x.stx_mode));
	FAILS(ENOENT, statx(AT_FDCWD, "none", 0, STATX_TYPE, &x));
	FAILS(EINVAL, statx(AT_FDCWD, "file", 0x8000, STATX_TYPE, &x));
	FAILS(EINVAL, statx(AT_FDCWD, "file", 0, 0x80000000U, &x));
	FAILS(EINVAL, statx(AT_FDCWD, "file", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_TYPE, &x));
	about("after a change");
	OK(put("file", "abc"));
	OK(statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &x));
	IS(3, x.stx_size);
	TRUE(x.stx_ino == stat_of("file").st_ino);
	FAILS(EINVAL, statx(AT_FDCWD, "file", 0x8000, STATX_TYPE, &x));
	FAILS(EINVAL, statx(AT_FDCWD, "file", 0, 0x80000000U, &x));
	FAILS(EINVAL, fstatat(AT_FDCWD, "file", &st, 0x8000));
	FAILS(ENOENT, fstatat(AT_FDCWD, "", &st, 0));
	about("statfs");
	OK(statfs("file", &fs));
	TRUE(fs.f_bsize > 0 && fs.f_namelen == 255);
	OK(fstatfs(fd, &fs));
	OK(statfs("dir", &fs));
	FAILS(ENOENT, statfs("none", &fs));
	FAILS(ENOTDIR, statfs("file/x", &fs));
	FAILS(EBADF, fstatfs(-1, &fs));
	FAILS(ELOOP, statfs("loop1", &fs));
	FAILS(ENOENT, statfs("dangling", &fs));
}

void look_access(void)
{
	int dir = open("dir", O_RDONLY), fd = open("file", O_RDONLY);

	OK(access("file", F_OK));
	OK(access("file", R_OK));
	OK(access("file", W_OK));
	OK(access("file", R_OK | W_OK));
	FAILS(EACCES, access("file", X_OK));
	OK(access("exec", R_OK | W_OK | X_OK));
	OK(access("dir", R_OK | W_OK | X_OK));
	FAILS(ENOENT, access("none", F_OK));
	FAILS(ENOENT, access("dangling", F_OK));
	OK(access("link", R_OK));
	FAILS(ELOOP, access("loop1", F_OK));
	FAILS(ENOTDIR, access("file/", F_OK));
	FAILS(ENOTDIR, access("file/x", F_OK));
	FAILS(EINVAL, access("file", 8));
	OK(faccessat(dir, "file", R_OK, 0));
	FAILS(EBADF, faccessat(-1, "file", R_OK, 0));
	about("faccessat2");
	OK(syscall(SYS_faccessat2, AT_FDCWD, "file", R_OK | W_OK, AT_EACCESS));
	OK(syscall(SYS_faccessat2, AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW));
	OK(syscall(SYS_faccessat2, fd, "", R_OK, AT_EMPTY_PATH));
	FAILS(EINVAL, syscall(SYS_faccessat2, AT_FDCWD, "file", R_OK, 0x8000));
	FAILS(ENOENT, syscall(SYS_faccessat2, AT_FDCWD, "", R_OK, 0));
	about("after a change");
	OK(chmod("file", 0755));
	OK(access("file", X_OK));
	OK(chmod("file", 0));
	if (geteuid()) {
		FAILS(EACCES, access("file", R_OK));
		FAILS(EACCES, access("file", W_OK));
		FAILS(EACCES, try_open("file", O_RDONLY));
	} else {
		OK(access("file", R_OK));
		OK(access("file", W_OK));
		FAILS(EACCES, access("file", X_OK));
	}
	OK(access("file", F_OK));
	OK(put("new", "x"));
	FAILS(EACCES, access("new", X_OK));
	OK(access("new", R_OK | W_OK));
	FAILS(EINVAL, access("new", 8));
	FAILS(EINVAL, syscall(SYS_faccessat2, AT_FDCWD, "new", R_OK, 0x8000));
}

void look_links(void)
{
	char buf[PATH_MAX] = "", text[PATH_MAX];
	int fd = open("link", O_PATH | O_NOFOLLOW), dir = open(".", O_RDONLY);

	IS(4, readlink("link", buf, sizeof(buf)));
	TRUE(!memcmp(buf, "file", 4));
	IS(2, readlink("link", buf, 2));
	IS(7, readlink("dangling", buf, sizeof(buf)));
	IS(5, readlink("loop1", buf, sizeof(buf)));
	FAILS(EINVAL, readlink("link", buf, 0));
	FAILS(EINVAL, readlink("file", buf, sizeof(buf)));
	FAILS(EINVAL, readlink("dir", buf, sizeof(buf)));
	FAILS(ENOENT, readlink("none", buf, sizeof(buf)));
	FAILS(ENOTDIR, readlink("link/", buf, sizeof(buf)));
	FAILS(EINVAL, readlink("dirlink/", buf, sizeof(buf)));
	FAILS(ENOTDIR, readlink("file/x", buf, sizeof(buf)));
	IS(4, readlinkat(dir, "link", buf, sizeof(buf)));
	IS(4, readlinkat(fd, "", buf, sizeof(buf)));
	FAILS(EBADF, readlinkat(-1, "link", buf, sizeof(buf)));
	about("new ones");
	OK(unlink("link"));
	OK(symlink("another", "link"));
	IS(7, readlink("link", buf, sizeof(buf)));
	FAILS(EINVAL, readlink("link", buf, 0));
	OK(put("another", "text"));
	TRUE(holds("link", "text"));
	FAILS(EINVAL, readlink("another", buf, sizeof(buf)));
	memset(text, 't', sizeof(text));
	text[4095] = '\0';
	OK(symlink(text, "longest"));
	IS(4095, readlink("longest", buf, sizeof(buf)));
	IS(4095, stat_of("longest").st_size);
	FAILS(ENAMETOOLONG, try_open("longest", O_RDONLY));
	about("links of procfs");
	snprintf(text, sizeof(text), "/proc/self/fd/%d", open("another", O_RDONLY));
	TRUE(readlink(text, buf, sizeof(buf)) > 8);
	TRUE(strstr(buf, "readlink.") != NULL && strstr(buf, "/another") != NULL);
	TRUE(readlink("/proc/self/cwd", buf, sizeof(buf)) > 0);
	TRUE(strstr(buf, "/readlink.") != NULL);
}

static void wait_a_tick(void)
{
	static const struct timespec tick = {.tv_nsec = 12000000};

	nanosleep(&tick, NULL);
}

static bool later(struct timespec a, struct timespec b)
{
	return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

/* One row a change: what becomes later by it. */
/* clang-format off: a line each */
static int c_create(void) { return try_open("dir/1", O_WRONLY | O_CREAT); }
static int c_mkdir(void) { return mkdir("dir/2", 0755); }
static int c_symlink(void) { return symlink("x", "dir/3"); }
static int c_link(void) { return link("file", "dir/4"); }
static int c_fifo(void) { return mkfifo("dir/5", 0600); }
static int c_rename(void) { return rename("dir/1", "dir/6"); }
static int c_unlink(void) { return unlink("dir/6"); }
static int c_rmdir(void) { return rmdir("dir/2"); }
static int c_chmod(void) { return chmod("file", 0600); }
static int c_write(void) { return put("file", "w"); }
static int c_truncate(void) { return truncate("file", 0); }
static int c_unlink_link(void) { return unlink("dir/4"); }
static int c_rename_file(void) { return rename("file", "file2") || rename("file2", "file"); }
static int c_open(void) { return try_open("file", O_RDWR); }
static int c_read(void) { return entries_in("dir") < 0; }
static int c_failed(void) { return mkdir("dir/file", 0755) == 0; }
static int c_chmod_dir(void) { return chmod("dir", 0700); }
/* clang-format on */

#define MTIME 1
#define CTIME 2
static const struct {
	const char *what;
	int (*change)(void);
	const char *path;
	int later;
} changes[] = {
    {"O_CREAT of an entry", c_create, "dir", MTIME | CTIME},
    {"mkdir of an entry", c_mkdir, "dir", MTIME | CTIME},
    {"symlink of an entry", c_symlink, "dir", MTIME | CTIME},
    {"link of an entry", c_link, "dir", MTIME | CTIME},
    {"mkfifo of an entry", c_fifo, "dir", MTIME | CTIME},
    {"rename of an entry", c_rename, "dir", MTIME | CTIME},
    {"unlink of an entry", c_unlink, "dir", MTIME | CTIME},
    {"rmdir of an entry", c_rmdir, "dir", MTIME | CTIME},
    {"chmod", c_chmod, "file", CTIME},
    {"chmod of a directory", c_chmod_dir, "dir", CTIME},
    {"write", c_write, "file", MTIME | CTIME},
    {"truncate", c_truncate, "file", MTIME | CTIME},
    {"unlink of another name", c_unlink_link, "file", CTIME},
    {"rename of the file", c_rename_file, "file", CTIME},
    {"an open for writing", c_open, "file", 0},
    {"a listing", c_read, "dir", 0},
    {"a mkdir that fails", c_failed, "dir", 0},
};

void look_times(void)
{
	for (size_t i = 0; i < LEN(changes); i++) {
		struct stat before, after;

		before = stat_of(changes[i].path);
		wait_a_tick();
		about(changes[i].what);
		OK(changes[i].change());
		after = stat_of(changes[i].path);
		IS(changes[i].later & MTIME ? 1 : 0, later(after.st_mtim, before.st_mtim));
		IS(changes[i].later & CTIME ? 1 : 0, later(after.st_ctim, before.st_ctim));
	}
}

static int type_in(const char *dir, const char *name)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	int type = -1;

	while (d && (e = readdir(d)))
		if (!strcmp(e->d_name, name) && (type != -1 || (type = e->d_type, false)))
			type = -2; /* twice */
	if (d)
		closedir(d);
	return type;
}

void list_names(void)
{
	int fd = open("full", O_RDONLY | O_DIRECTORY);
	char buf[4096];

	IS(3, entries_in("full"));
	IS(DT_REG, type_in("full", "a"));
	IS(DT_DIR, type_in("full", "sub"));
	IS(DT_LNK, type_in(".", "link"));
	IS(DT_FIFO, type_in(".", "fifo"));
	IS(DT_DIR, type_in("full", "."));
	IS(DT_DIR, type_in("full", ".."));
	OK(unlink("full/a"));
	IS(-1, type_in("full", "a"));
	OK(put("full/new", "x"));
	IS(DT_REG, type_in("full", "new"));
	OK(rename("full/b", "full/c"));
	IS(-1, type_in("full", "b"));
	IS(DT_REG, type_in("full", "c"));
	OK(symlink("x", "full/l"));
	IS(DT_LNK, type_in("full", "l"));
	OK(mkdir("full/a", 0755));
	IS(DT_DIR, type_in("full", "a"));
	IS(5, entries_in("full"));
	IS(0, entries_in("void"));
	FAILS(ENOENT, entries_in("none"));
	FAILS(ENOTDIR, entries_in("file"));
	FAILS(EINVAL, syscall(SYS_getdents64, fd, buf, 8));
	FAILS(EBADF, syscall(SYS_getdents64, -1, buf, sizeof(buf)));
	FAILS(ENOTDIR, syscall(SYS_getdents64, open("file", O_RDONLY), buf, sizeof(buf)));
	FAILS(EFAULT, syscall(SYS_getdents64, fd, bad_pointer(), sizeof(buf)));
	TRUE(syscall(SYS_getdents64, fd, buf, sizeof(buf)) > 0);
	IS(0, syscall(SYS_getdents64, fd, buf, sizeof(buf)));
	IS(0, lseek(fd, 0, SEEK_SET));
	TRUE(syscall(SYS_getdents64, fd, buf, sizeof(buf)) > 0);
	OK(rmdir("void"));
}

static int count_rest(DIR *d)
{
	int n = 0;

	while (readdir(d))
		n++;
	return n;
}

void list_meanwhile(void)
{
	char name[32], again[256] = "";
	const struct dirent *e;
	int seen = 0, dup_fd;
	long at;
	DIR *d;

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "dir/entry-%03d", i);
		if (put(name, ""))
			seen = -1000;
	}
	IS(0, seen);
	IS(301, entries_in("dir"));
	d = opendir("dir");
	about("removing while reading");
	while ((e = readdir(d))) {
		if (strncmp(e->d_name, "entry-", 6))
			continue;
		snprintf(name, sizeof(name), "dir/%.24s", e->d_name);
		seen += unlink(name) == 0;
	}
	IS(300, seen);
	IS(1, entries_in("dir"));
	about("rewinddir");
	rewinddir(d);
	IS(3, count_rest(d));
	OK(put("dir/late", ""));
	rewinddir(d);
	IS(4, count_rest(d));
	about("seekdir");
	rewinddir(d);
	TRUE(readdir(d) != NULL);
	at = telldir(d);
	e = readdir(d);
	TRUE(e != NULL);
	snprintf(again, sizeof(again), "%s", e ? e->d_name : "");
	IS(2, count_rest(d));
	seekdir(d, at);
	e = readdir(d);
	TRUE(e && !strcmp(e->d_name, again));
	IS(2, count_rest(d));
	about("a doubled descriptor");
	rewinddir(d);
	dup_fd = dup(dirfd(d));
	lseek(dup_fd, 0, SEEK_SET);
	IS(4, count_rest(d));
	IS(0, syscall(SYS_getdents64, dup_fd, again, sizeof(again)));
	lseek(dup_fd, 0, SEEK_SET);
	TRUE(syscall(SYS_getdents64, dup_fd, again, sizeof(again)) > 0);
	about("of a directory that moves");
	OK(rename("dir", "full/moved"));
	rewinddir(d);
	IS(4, count_rest(d));
	OK(put("full/moved/more", ""));
	rewinddir(d);
	IS(5, count_rest(d));
	closedir(d);
}
