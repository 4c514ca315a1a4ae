/*
 * conform-user.c - what an ordinary user may do to what is not its own. As root, by a child of another identity;
 * what the tree's own user may is asked as well.
 */
#define _GNU_SOURCE
#include "conform.h"

#include <sys/xattr.h>

static void other_looks(void)
{
	struct stat st;
	char buf[16];

	OK(try_open("file", O_RDONLY));
	FAILS(EACCES, try_open("file", O_WRONLY));
	FAILS(EACCES, try_open("file", O_RDWR));
	FAILS(EACCES, try_open("file", O_RDONLY | O_TRUNC));
	FAILS(EACCES, try_open("secret", O_RDONLY));
	OK(try_open("secret", O_PATH));
	FAILS(EACCES, try_open("new", O_WRONLY | O_CREAT));
	FAILS(EPERM, try_open("file", O_RDONLY | O_NOATIME));
	OK(try_open("public", O_RDWR));
	OK(put("public", "by another"));
	FAILS(EACCES, try_open("closed/file", O_RDONLY));
	FAILS(EACCES, stat("closed/file", &st));
	FAILS(EACCES, stat("closed/none", &st));
	FAILS(EACCES, entries_in("closed"));
	FAILS(EACCES, chdir("closed"));
	OK(stat("closed", &st));
	FAILS(EACCES, entries_in("passage"));
	OK(try_open("passage/file", O_RDONLY));
	FAILS(ENOENT, try_open("passage/none", O_RDONLY));
	FAILS(EACCES, access("secret", R_OK));
	FAILS(EACCES, access("file", W_OK));
	OK(access("secret", F_OK));
	about("names");
	FAILS(EACCES, mkdir("new", 0755));
	FAILS(EEXIST, mkdir("file", 0755));
	FAILS(EACCES, mkfifo("new", 0755));
	FAILS(EACCES, symlink("x", "new"));
	FAILS(EACCES, link("public", "new"));
	FAILS(EACCES, unlink("file"));
	FAILS(EACCES, rmdir("void"));
	FAILS(EACCES, rename("file", "new"));
	FAILS(EACCES, rename("file", "open/new"));
	FAILS(ENOENT, unlink("none"));
	OK(mkdir("open/mine", 0700));
	IS(OTHER, stat_of("open/mine").st_uid);
	OK(put("open/mine/x", "x"));
	OK(rename("open/file", "open/renamed"));
	OK(unlink("open/renamed"));
	OK(rename("open/mine", "open/yours"));
	about("attributes");
	FAILS(EPERM, chmod("file", 0666));
	FAILS(EPERM, chmod("public", 0600));
	FAILS(EPERM, chown("file", OTHER, OTHER));
	FAILS(EPERM, chown("open/yours", 0, (gid_t)-1));
	FAILS(EPERM, chown("open/yours", (uid_t)-1, 0));
	OK(chown("open/yours", OTHER, OTHER));
	FAILS(EPERM, age("file"));
	FAILS(EPERM, age("public"));
	FAILS(EACCES, utimensat(AT_FDCWD, "file", NULL, 0));
	OK(utimensat(AT_FDCWD, "public", NULL, 0));
	FAILS(EACCES, truncate("file", 0));
	OK(truncate("public", 3));
	FAILS(EACCES, setxattr("file", "user.x", "x", 1, 0));
	OK(setxattr("public", "user.x", "x", 1, 0));
	FAILS(EACCES, getxattr("secret", "user.x", buf, 16));
	OK(chmod("open/yours/x", 0600));
	OK(age("open/yours/x"));
	about("devices");
	FAILS(EACCES, mknod("dev", S_IFCHR | 0600, 0x103));
	FAILS(EPERM, mknod("open/dev", S_IFCHR | 0600, 0x103));
}

void other_user(void)
{
	OK(put("public", "public\n"));
	OK(chmod("public", 0666));
	OK(mkdir("closed", 0700));
	OK(put("closed/file", "x"));
	OK(mkdir("passage", 0711));
	OK(put("passage/file", "x"));
	OK(mkdir("open", 0777));
	OK(chmod("open", 0777));
	OK(put("open/file", "x"));
	as_other(other_looks);
	TRUE(geteuid() || holds("public", "by "));
	about("one's own, closed to oneself");
	OK(chmod("dir", 0));
	if (geteuid()) {
		FAILS(EACCES, try_open("dir/file", O_RDONLY));
		FAILS(EACCES, entries_in("dir"));
		FAILS(EACCES, mkdir("dir/x", 0755));
		FAILS(EACCES, rename("dir/file", "x"));
		OK(chmod("dir", 0500));
		OK(try_open("dir/file", O_RDONLY));
		FAILS(EACCES, mkdir("dir/x", 0755));
		FAILS(EACCES, unlink("dir/file"));
		FAILS(EACCES, rename("dir", "void/dir"));
		OK(rename("dir", "dir3"));
		OK(rename("dir3", "dir"));
		OK(chmod("dir", 0300));
		FAILS(EACCES, entries_in("dir"));
		OK(mkdir("dir/x", 0755));
		OK(chmod("dir", 0600));
		FAILS(EACCES, stat_of("dir").st_mode ? access("dir/file", F_OK) : 0);
		FAILS(EACCES, try_open("readonly", O_WRONLY));
		FAILS(EACCES, truncate("readonly", 0));
	} else {
		OK(try_open("dir/file", O_RDONLY));
		IS(1, entries_in("dir"));
		OK(try_open("readonly", O_WRONLY));
	}
	OK(chmod("dir", 0755));
	OK(unlink("readonly"));
}

static void sticky_names(void)
{
	FAILS(EPERM, unlink("sticky/root"));
	FAILS(EPERM, rename("sticky/root", "sticky/x"));
	FAILS(EPERM, rename("sticky/root", "open/x"));
	FAILS(EPERM, rmdir("sticky/dir"));
	OK(put("sticky/mine", "mine"));
	FAILS(EPERM, rename("sticky/mine", "sticky/root"));
	FAILS(EPERM, renameat2(AT_FDCWD, "sticky/mine", AT_FDCWD, "sticky/root", RENAME_EXCHANGE));
	OK(rename("sticky/mine", "sticky/mine2"));
	OK(unlink("sticky/mine2"));
	OK(unlink("sticky/given"));
	OK(unlink("sticky-own/root"));
	OK(mkdir("sticky/sub", 0755));
	OK(rmdir("sticky/sub"));
	FAILS(EPERM, chmod("sticky", 0777));
	FAILS(EPERM, setxattr("sticky", "user.x", "x", 1, 0));
	OK(put("open/x", "x"));
	FAILS(EPERM, rename("open/x", "sticky/root"));
	OK(rename("open/x", "sticky/x"));
	FAILS(EPERM, link("secret", "sticky/hard"));
}

void other_sticky(void)
{
	OK(mkdir("sticky", 0755));
	OK(chmod("sticky", 01777));
	IS(01777, mode_of("sticky"));
	OK(mkdir("open", 0755));
	OK(chmod("open", 0777));
	OK(mkdir("sticky-own", 0755));
	OK(chmod("sticky-own", 01777));
	OK(put("sticky/root", "root"));
	OK(put("sticky/given", "given"));
	OK(put("sticky-own/root", "root"));
	OK(mkdir("sticky/dir", 0755));
	if (!geteuid()) {
		OK(chown("sticky/given", OTHER, OTHER));
		OK(chown("sticky-own", OTHER, OTHER));
	}
	as_other(sticky_names);
	OK(unlink("sticky/root"));
	OK(rmdir("sticky/dir"));
}

static void setgid_names(void)
{
	OK(put("setgid/mine", "x"));
	IS(77, stat_of("setgid/mine").st_gid);
	IS(OTHER, stat_of("setgid/mine").st_uid);
	OK(mkdir("setgid/dir", 0755));
	IS(77, stat_of("setgid/dir").st_gid);
	IS(02755, mode_of("setgid/dir"));
	OK(chmod("setgid/mine", 02755));
	IS(0755, mode_of("setgid/mine"));
	OK(open("setgid/exec", O_WRONLY | O_CREAT, 02775));
	IS(0755, mode_of("setgid/exec"));
	OK(symlink("x", "setgid/link"));
	IS(77, stat_of("setgid/link").st_gid);
	OK(mkfifo("setgid/fifo", 0600));
	IS(77, stat_of("setgid/fifo").st_gid);
	about("writing clears");
	OK(put("clears", "x"));
	IS(0777, mode_of("clears"));
	OK(truncate("clears2", 0));
	IS(0777, mode_of("clears2"));
	OK(try_open("clears3", O_RDONLY | O_TRUNC));
	IS(0777, mode_of("clears3"));
	OK(put("group", "x"));
	IS(0666, mode_of("group"));
}

void other_setgid(void)
{
	OK(mkdir("setgid", 0755));
	if (!geteuid())
		OK(chown("setgid", 0, 77));
	OK(chmod("setgid", 02777));
	IS(0, put("clears", "") + put("clears2", "") + put("clears3", "") + put("group", ""));
	OK(chmod("clears", 06777));
	OK(chmod("clears2", 06777));
	OK(chmod("clears3", 06777));
	OK(chmod("group", 02666));
	as_other(setgid_names);
	OK(mkdir("setgid/own", 0700));
	IS(02700, mode_of("setgid/own"));
	OK(rename("dir", "setgid/moved"));
	IS(0755, mode_of("setgid/moved"));
}
