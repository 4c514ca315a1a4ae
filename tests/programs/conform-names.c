/*
 * conform-names.c - names made, given, taken away and moved: mkdir, mknod, link, symlink, unlink, rmdir,
 * rename, renameat2.
 */
#define _GNU_SOURCE
#include "conform.h"

#include <linux/fs.h>
#include <sys/sysmacros.h>

void make_names(void)
{
	int dir = open("dir", O_RDONLY);

	about("mkdir");
	IS(0, age("dir"));
	OK(mkdir("dir/new", 0750));
	IS(0750, mode_of("dir/new"));
	IS(2, stat_of("dir/new").st_nlink);
	IS(3, stat_of("dir").st_nlink);
	TRUE(times_of("dir") > 2000);
	IS(0, entries_in("dir/new"));
	FAILS(EEXIST, mkdir("dir", 0755));
	FAILS(EEXIST, mkdir("file", 0755));
	FAILS(EEXIST, mkdir("link", 0755));
	FAILS(EEXIST, mkdir("dangling", 0755));
	FAILS(EEXIST, mkdir("dirlink", 0755));
	FAILS(EEXIST, mkdir("loop1", 0755));
	FAILS(EEXIST, mkdir(".", 0755));
	FAILS(EEXIST, mkdir("..", 0755));
	FAILS(EEXIST, mkdir("/", 0755));
	FAILS(EEXIST, mkdir("dir/.", 0755));
	FAILS(ENOENT, mkdir("new/.", 0755));
	OK(mkdir("slash/", 0755));
	OK(mkdir("slash//sub//", 01777));
	IS(01755, mode_of("slash/sub"));
	OK(mkdir("bits", 07777));
	IS(01755, mode_of("bits"));
	OK(mkdirat(dir, "at", 0755));
	OK(mkdirat(dir, "../beside", 0755));
	FAILS(EBADF, mkdirat(-1, "x", 0755));
	OK(mkdir("dirlink/through", 0755));
	TRUE(S_ISDIR(stat_of("dir/through").st_mode));
	about("mkfifo");
	OK(mkfifo("pipe", 0622));
	TRUE(S_ISFIFO(stat_of("pipe").st_mode));
	IS(0600, mode_of("pipe"));
	FAILS(EEXIST, mkfifo("pipe", 0600));
	FAILS(EEXIST, mkfifo("fifo", 0600));
	FAILS(EEXIST, mkfifo("dangling", 0600));
	FAILS(ENOENT, mkfifo("pipe2/", 0600));
	about("mknod");
	OK(mknod("plain", S_IFREG | 0640, 0));
	IS(0640, mode_of("plain"));
	OK(mknod("plain2", 0600, 0));
	TRUE(S_ISREG(stat_of("plain2").st_mode));
	OK(mknod("sock", S_IFSOCK | 0600, 0));
	FAILS(EPERM, mknod("d", S_IFDIR | 0755, 0));
	FAILS(EINVAL, mknod("l", S_IFLNK | 0755, 0));
	FAILS(EEXIST, mknod("file", S_IFREG | 0755, 0));
	FAILS(ENOENT, mknod("none/x", S_IFREG | 0755, 0));
	FAILS(EEXIST, mknod("file", S_IFCHR | 0755, makedev(1, 3)));
	about("symlink");
	OK(symlink("target", "sym"));
	IS(6, stat_of("sym").st_size);
	IS(0777, stat_of("sym").st_mode & 07777);
	FAILS(ENOENT, symlink("", "empty-target"));
	FAILS(ENOENT, symlink("target", ""));
	FAILS(EEXIST, symlink("target", "sym"));
	FAILS(EEXIST, symlink("target", "dir"));
	FAILS(ENOENT, symlink("target", "sym2/"));
	FAILS(EEXIST, symlink("target", "."));
	OK(symlinkat("target", dir, "sym"));
	FAILS(EBADF, symlinkat("target", -1, "x"));
}

void link_names(void)
{
	int fd = open("file", O_RDWR), gone, dir = open("dir", O_RDONLY);
	ino_t ino = stat_of("file").st_ino;
	struct stat st;

	IS(0, age("dir"));
	OK(link("file", "dir/two"));
	IS(2, stat_of("file").st_nlink);
	TRUE(stat_of("dir/two").st_ino == ino);
	TRUE(times_of("dir") > 2000);
	IS(2000, times_of("file"));
	IS(2, write(fd, "XY", 2));
	TRUE(holds("dir/two", "XY23456789\n"));
	TRUE(stat_of("dir/two").st_ino == ino);
	OK(unlink("file"));
	IS(1, stat_of("dir/two").st_nlink);
	OK(rename("dir/two", "file"));
	TRUE(stat_of("file").st_ino == ino);
	about("errors");
	FAILS(EEXIST, link("file", "hard1"));
	FAILS(EEXIST, link("file", "dir"));
	FAILS(EEXIST, link("file", "dangling"));
	FAILS(EEXIST, link("file", "file"));
	FAILS(EPERM, link("dir", "dir2"));
	FAILS(ENOENT, link("none", "x"));
	FAILS(ENOENT, link("file", "none/x"));
	FAILS(ENOTDIR, link("file/", "x"));
	FAILS(ENOENT, link("file", "x/"));
	FAILS(ENOTDIR, link("file", "hard1/x"));
	FAILS(EXDEV, link("/proc/version", "x"));
	FAILS(EINVAL, linkat(AT_FDCWD, "file", AT_FDCWD, "x", 0x4));
	FAILS(EBADF, linkat(-1, "file", AT_FDCWD, "x", 0));
	FAILS(EBADF, linkat(AT_FDCWD, "file", -1, "x", 0));
	about("symbolic links");
	OK(link("link", "linked"));
	TRUE(S_ISLNK(stat_of("linked").st_mode));
	IS(2, stat_of("link").st_nlink);
	OK(link("dangling", "dangling2"));
	OK(linkat(AT_FDCWD, "link", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
	TRUE(stat_of("followed").st_ino == ino);
	FAILS(ENOENT, linkat(AT_FDCWD, "dangling", AT_FDCWD, "x", AT_SYMLINK_FOLLOW));
	OK(linkat(dir, "../file", dir, "at", 0));
	about("hard links");
	OK(put("hard1", "changed\n"));
	TRUE(holds("hard2", "changed\n"));
	TRUE(stat_of("hard1").st_ino == stat_of("hard2").st_ino);
	OK(chmod("hard2", 0600));
	IS(0600, mode_of("hard1"));
	OK(unlink("hard1"));
	IS(1, stat_of("hard2").st_nlink);
	OK(link("hard2", "hard1"));
	IS(2, stat_of("hard2").st_nlink);
	OK(link("fifo", "fifo2"));
	IS(2, stat_of("fifo").st_nlink);
	about("of what has no name");
	gone = open("empty", O_RDWR);
	OK(unlink("empty"));
	OK(fstat(gone, &st));
	IS(0, st.st_nlink);
	FAILS(ENOENT, linkat(gone, "", AT_FDCWD, "back", AT_EMPTY_PATH));
}

void remove_names(void)
{
	int dir = open("dir", O_RDONLY), full = open("full", O_RDONLY);

	about("unlink");
	IS(0, age("dir"));
	OK(unlink("dir/file"));
	FAILS(ENOENT, unlink("dir/file"));
	TRUE(times_of("dir") > 2000);
	FAILS(EISDIR, unlink("dir"));
	FAILS(EISDIR, unlink("dir/"));
	FAILS(EISDIR, unlink("."));
	FAILS(EISDIR, unlink(".."));
	FAILS(EISDIR, unlink("/"));
	FAILS(ENOTDIR, unlink("file/"));
	FAILS(ENOTDIR, unlink("link/"));
	FAILS(ENOENT, unlink("none"));
	FAILS(ENOENT, unlink("none/"));
	OK(unlink("link"));
	OK(stat_of("file").st_size == 11 ? 0 : -1);
	OK(unlink("dangling"));
	OK(unlink("dirlink"));
	OK(unlink("loop1"));
	OK(unlink("fifo"));
	OK(unlink("readonly"));
	IS(2, stat_of("hard1").st_nlink);
	OK(unlink("hard1"));
	IS(1, stat_of("hard2").st_nlink);
	about("rmdir");
	IS(6, stat_of(".").st_nlink);
	OK(rmdir("void"));
	FAILS(ENOENT, rmdir("void"));
	IS(5, stat_of(".").st_nlink);
	FAILS(ENOTEMPTY, rmdir("full"));
	FAILS(ENOTEMPTY, rmdir("full/sub/"));
	FAILS(ENOTDIR, rmdir("file"));
	FAILS(ENOTDIR, rmdir("loop2"));
	FAILS(ENOENT, rmdir("none"));
	FAILS(EINVAL, rmdir("."));
	FAILS(EINVAL, rmdir("void2/."));
	FAILS(ENOTEMPTY, rmdir(".."));
	FAILS(ENOTEMPTY, rmdir("void2/.."));
	FAILS(EBUSY, rmdir("/"));
	OK(rmdir("void2/"));
	OK(rmdir("dir"));
	FAILS(ENOENT, mkdirat(dir, "x", 0755));
	FAILS(ENOENT, openat(dir, "x", O_WRONLY | O_CREAT, 0644));
	OK(symlink("full", "fulllink"));
	FAILS(ENOTDIR, rmdir("fulllink"));
	FAILS(ENOTDIR, rmdir("fulllink/"));
	about("unlinkat");
	FAILS(EISDIR, unlinkat(full, "sub", 0));
	FAILS(ENOTEMPTY, unlinkat(full, "sub", AT_REMOVEDIR));
	FAILS(ENOTDIR, unlinkat(full, "a", AT_REMOVEDIR));
	FAILS(EINVAL, unlinkat(full, "a", 0x10000));
	FAILS(EBADF, unlinkat(-1, "a", 0));
	OK(unlinkat(full, "sub/c", 0));
	OK(unlinkat(full, "sub", AT_REMOVEDIR));
	IS(2, stat_of("full").st_nlink);
	OK(unlinkat(full, "a", 0));
	OK(unlinkat(full, "b", 0));
	IS(0, entries_in("full"));
	OK(rmdir("full"));
	about("again");
	OK(mkdir("full", 0755));
	IS(0, entries_in("full"));
	FAILS(ENOENT, try_open("full/a", O_RDONLY));
}

void rename_names(void)
{
	ino_t ino = stat_of("file").st_ino;
	int fd = open("full/b", O_RDONLY), to = open("dir", O_RDONLY);
	struct stat st;

	IS(0, age("dir"));
	OK(rename("file", "dir/moved"));
	FAILS(ENOENT, try_open("file", O_RDONLY));
	TRUE(stat_of("dir/moved").st_ino == ino);
	IS(2000, times_of("dir/moved"));
	TRUE(times_of("dir") > 2000);
	TRUE(holds("dir/moved", "0123456789\n"));
	OK(rename("dir/moved", "file"));
	OK(rename("file", "file"));
	OK(rename("hard1", "hard2"));
	IS(2, stat_of("hard1").st_nlink);
	about("over a file");
	OK(rename("full/a", "full/b"));
	TRUE(holds("full/b", "a\n"));
	TRUE(fd_holds(fd, "b\n"));
	OK(fstat(fd, &st));
	IS(0, st.st_nlink);
	FAILS(EISDIR, rename("file", "dir"));
	FAILS(EISDIR, rename("file", "void"));
	FAILS(ENOTDIR, rename("dir", "file"));
	FAILS(ENOTDIR, rename("dir", "link"));
	OK(rename("link", "full/link"));
	TRUE(S_ISLNK(stat_of("full/link").st_mode));
	OK(rename("file", "dangling"));
	TRUE(S_ISREG(stat_of("dangling").st_mode));
	OK(rename("fifo", "empty"));
	TRUE(S_ISFIFO(stat_of("empty").st_mode));
	OK(rename("hard1", "secret"));
	IS(2, stat_of("hard2").st_nlink);
	OK(rename("secret", "hard1"));
	about("errors");
	FAILS(ENOENT, rename("none", "x"));
	FAILS(ENOENT, rename("none", "dir"));
	FAILS(ENOENT, rename("hard1", "none/x"));
	FAILS(ENOTDIR, rename("hard1", "exec/x"));
	FAILS(ENOTDIR, rename("hard1/", "x"));
	FAILS(ENOTDIR, rename("hard1", "x/"));
	FAILS(ENOENT, rename("none/", "x"));
	FAILS(EBUSY, rename(".", "x"));
	FAILS(EBUSY, rename("dir/.", "x"));
	FAILS(EBUSY, rename("dir/..", "x"));
	FAILS(EBUSY, rename("dir", "."));
	FAILS(EBUSY, rename("dir", "void/.."));
	FAILS(EXDEV, rename("hard1", "/proc/x"));
	about("renameat");
	OK(renameat(to, "file", AT_FDCWD, "at"));
	OK(renameat(AT_FDCWD, "at", to, "file"));
	FAILS(EBADF, renameat(-1, "x", AT_FDCWD, "y"));
	FAILS(EBADF, renameat(AT_FDCWD, "exec", -1, "y"));
}

void rename_flags(void)
{
	ino_t file = stat_of("file").st_ino, dir = stat_of("dir").st_ino;

	about("NOREPLACE");
	FAILS(EEXIST, renameat2(AT_FDCWD, "file", AT_FDCWD, "hard1", RENAME_NOREPLACE));
	FAILS(EEXIST, renameat2(AT_FDCWD, "file", AT_FDCWD, "file", RENAME_NOREPLACE));
	FAILS(EEXIST, renameat2(AT_FDCWD, "file", AT_FDCWD, "dangling", RENAME_NOREPLACE));
	FAILS(EEXIST, renameat2(AT_FDCWD, "void", AT_FDCWD, "void2", RENAME_NOREPLACE));
	FAILS(EEXIST, renameat2(AT_FDCWD, "file", AT_FDCWD, ".", RENAME_NOREPLACE));
	FAILS(ENOENT, renameat2(AT_FDCWD, "none", AT_FDCWD, "x", RENAME_NOREPLACE));
	OK(renameat2(AT_FDCWD, "file", AT_FDCWD, "x", RENAME_NOREPLACE));
	OK(renameat2(AT_FDCWD, "x", AT_FDCWD, "file", RENAME_NOREPLACE));
	about("EXCHANGE");
	OK(renameat2(AT_FDCWD, "file", AT_FDCWD, "hard1", RENAME_EXCHANGE));
	TRUE(stat_of("hard1").st_ino == file);
	TRUE(holds("file", "two names\n"));
	IS(2, stat_of("file").st_nlink);
	OK(renameat2(AT_FDCWD, "hard1", AT_FDCWD, "full", RENAME_EXCHANGE));
	TRUE(S_ISREG(stat_of("full").st_mode));
	TRUE(holds("hard1/sub/c", "c\n"));
	OK(renameat2(AT_FDCWD, "hard1", AT_FDCWD, "full", RENAME_EXCHANGE));
	OK(renameat2(AT_FDCWD, "dir", AT_FDCWD, "full/sub", RENAME_EXCHANGE));
	TRUE(stat_of("full/sub").st_ino == dir);
	TRUE(holds("dir/c", "c\n"));
	TRUE(holds("full/sub/file", "below\n"));
	IS(3, stat_of("full").st_nlink);
	OK(renameat2(AT_FDCWD, "link", AT_FDCWD, "fifo", RENAME_EXCHANGE));
	TRUE(S_ISLNK(stat_of("fifo").st_mode));
	OK(renameat2(AT_FDCWD, "file", AT_FDCWD, "file", RENAME_EXCHANGE));
	FAILS(ENOENT, renameat2(AT_FDCWD, "file", AT_FDCWD, "x", RENAME_EXCHANGE));
	FAILS(ENOENT, renameat2(AT_FDCWD, "x", AT_FDCWD, "file", RENAME_EXCHANGE));
	FAILS(EINVAL, renameat2(AT_FDCWD, "full", AT_FDCWD, "full/sub", RENAME_EXCHANGE));
	FAILS(EINVAL, renameat2(AT_FDCWD, "full/sub", AT_FDCWD, "full", RENAME_EXCHANGE));
	FAILS(EBUSY, renameat2(AT_FDCWD, "file", AT_FDCWD, ".", RENAME_EXCHANGE));
	FAILS(ENOTDIR, renameat2(AT_FDCWD, "file/", AT_FDCWD, "full", RENAME_EXCHANGE));
	about("flags");
	FAILS(EINVAL, renameat2(AT_FDCWD, "file", AT_FDCWD, "x", RENAME_NOREPLACE | RENAME_EXCHANGE));
	FAILS(EINVAL, renameat2(AT_FDCWD, "file", AT_FDCWD, "x", RENAME_WHITEOUT | RENAME_EXCHANGE));
	FAILS(EINVAL, renameat2(AT_FDCWD, "file", AT_FDCWD, "x", 1U << 10));
	FAILS(ENOENT, renameat2(AT_FDCWD, "none", AT_FDCWD, "x", RENAME_NOREPLACE));
}

void rename_dirs(void)
{
	ino_t full = stat_of("full").st_ino, here = stat_of(".").st_ino;
	int inside = open("full/sub", O_RDONLY);
	struct stat st;

	FAILS(EINVAL, rename("full", "full/x"));
	FAILS(EINVAL, rename("full", "full/sub/x"));
	FAILS(EINVAL, rename("full", "full/sub"));
	FAILS(ENOTEMPTY, rename("full/sub", "full"));
	FAILS(ENOTEMPTY, rename("full/a", "full"));
	FAILS(ENOTEMPTY, rename("dir", "full"));
	FAILS(ENOTEMPTY, rename("void", "full/sub"));
	OK(rename("void", "void2"));
	FAILS(ENOENT, rmdir("void"));
	OK(rename("dir", "void2"));
	TRUE(holds("void2/file", "below\n"));
	OK(rename("full", "void2/full"));
	TRUE(stat_of("void2/full").st_ino == full);
	TRUE(holds("void2/full/sub/c", "c\n"));
	FAILS(ENOENT, rmdir("full"));
	IS(3, stat_of("void2").st_nlink);
	TRUE(stat_of("void2/full/..").st_ino == stat_of("void2").st_ino);
	OK(fstatat(inside, "../..", &st, 0));
	TRUE(st.st_ino == stat_of("void2").st_ino);
	OK(fstatat(inside, "../../..", &st, 0));
	TRUE(st.st_ino == here);
	OK(mkdirat(inside, "made", 0755));
	TRUE(S_ISDIR(stat_of("void2/full/sub/made").st_mode));
	OK(rename("void2/full/sub/", "sub/"));
	TRUE(holds("sub/c", "c\n"));
	IS(2, stat_of("void2/full").st_nlink);
	IS(2, entries_in("void2/full"));
	OK(mkdir("full", 0755));
	IS(0, entries_in("full"));
	OK(rename("void2/full", "full"));
	IS(2, entries_in("full"));
	TRUE(holds("full/a", "a\n"));
	OK(rename("full", "a-name-that-is-longer"));
	OK(rename("a-name-that-is-longer", "f"));
	TRUE(holds("f/b", "b\n"));
	OK(chmod("f", 0));
	OK(rename("f", "g"));
	IS(0, mode_of("g"));
	OK(chmod("g", 0755));
	OK(symlink("g", "glink"));
	OK(rename("glink", "hlink"));
	TRUE(holds("hlink/b", "b\n"));
	FAILS(ENOTDIR, rename("hlink/", "x"));
}
