/*
 * attack-deny.c - ways to what a profile denies inside of what it grants.
 *
 * usage: attack-deny read|change|names|race|beside [ATTEMPT]
 *
 * The working directory holds, all rights granted on box/ but for what is denied (+):
 *   box/secret+        a file; box/open/hard is another name of it, made before
 *   box/dir/deep/inner+  a file, so dir and deep are on the way
 *   box/closed/+       a directory with file in it
 *   box/missing+       is not there; nor is box/way/missing+
 *   box/link+          a symbolic link to box/pointed, which is therefore denied as well
 *   box/open/          a directory with file, box/free/, an empty one, and box/plain, a file
 * Every attempt of the first four works bare. What "beside" does is granted, and must work.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "attack.h"

#define RACE_ROUNDS 3000
#define MARK	    'S' /* what denied files begin with, and nothing else */

static long byte_of(long fd)
{
	char byte = 0;

	if (fd < 0)
		return -1;
	return read((int)fd, &byte, 1) == 1 && byte == MARK ? 0 : -1;
}

/* ---- reading ---- */

static long r_open(void)
{
	return byte_of(open("box/secret", O_RDONLY));
}
static long r_openat2(void)
{
	return byte_of(attack_openat2(AT_FDCWD, "box/secret", O_RDONLY, RESOLVE_BENEATH));
}
static long r_mode_3(void)
{
	return byte_of(open("box/secret", 3) < 0 ? -1 : open("box/secret", O_RDWR));
}
static long r_inner(void)
{
	return byte_of(open("box/dir/deep/inner", O_RDONLY));
}
static long r_in_directory(void)
{
	return byte_of(open("box/closed/file", O_RDONLY));
}
static long r_dots(void)
{
	return byte_of(open("box/open/../dir/./deep//inner", O_RDONLY));
}
static long r_hard_link(void)
{
	return byte_of(open("box/open/hard", O_RDONLY));
}
static long r_link(void)
{
	return byte_of(open("box/link", O_RDONLY));
}
static long r_pointed(void)
{
	return byte_of(open("box/pointed", O_RDONLY));
}
static long r_path_reopen(void)
{
	return byte_of(open(attack_proc_fd(attack_open("box/secret", O_PATH), ""), O_RDONLY));
}
static long r_path_directory(void)
{
	return byte_of(openat(attack_open("box/closed", O_PATH | O_DIRECTORY), "file", O_RDONLY));
}
static long r_proc_directory(void)
{
	return byte_of(
	    open(attack_proc_fd(attack_open("box/closed", O_PATH | O_DIRECTORY), "/file"), O_RDONLY));
}
static long r_proc_root(void)
{
	return byte_of(open(attack_rooted("/proc/self/root", "box/secret"), O_RDONLY));
}
static long r_proc_cwd(void)
{
	return byte_of(open("/proc/self/cwd/box/secret", O_RDONLY));
}
static long r_chdir(void)
{
	return chdir("box/closed") ? -1 : byte_of(open("file", O_RDONLY));
}
static long r_new_symlink(void)
{
	return symlink("secret", "box/to-secret") ? -1 : byte_of(open("box/to-secret", O_RDONLY));
}
static long r_new_symlink_deep(void)
{
	return symlink("../closed", "box/open/to-closed")
		   ? -1
		   : byte_of(open("box/open/to-closed/file", O_RDONLY));
}
static long r_symlink_through_new(void)
{
	if (mkdir("box/through", 0700) || symlink("../closed", "box/through/to"))
		return -1;
	return byte_of(open("box/through/to/file", O_RDONLY));
}
static long r_list(void)
{
	return open("box/closed", O_RDONLY | O_DIRECTORY);
}
static long r_list_here(void)
{
	return open("box/closed/.", O_RDONLY | O_DIRECTORY);
}
static long r_handle(void)
{
	int fd = attack_open("box/closed/file", O_PATH);

	return byte_of(openat(fd, "", O_RDONLY) < 0 ? open(attack_proc_fd(fd, ""), O_RDONLY) : -1);
}

static const struct attempt reads[] = {
    {"open", r_open},
    {"openat2", r_openat2},
    {"mode-3", r_mode_3},
    {"inner", r_inner},
    {"in-directory", r_in_directory},
    {"dots", r_dots},
    {"hard-link", r_hard_link},
    {"link", r_link},
    {"pointed", r_pointed},
    {"path-reopen", r_path_reopen},
    {"path-directory", r_path_directory},
    {"proc-directory", r_proc_directory},
    {"proc-root", r_proc_root},
    {"proc-cwd", r_proc_cwd},
    {"chdir", r_chdir},
    {"new-symlink", r_new_symlink},
    {"new-symlink-deep", r_new_symlink_deep},
    {"symlink-through-new", r_symlink_through_new},
    {"list", r_list},
    {"list-here", r_list_here},
    {"handle", r_handle},
};

/* ---- changing what is denied ---- */

static long c_write(void)
{
	return open("box/secret", O_WRONLY | O_APPEND);
}
static long c_truncating(void)
{
	return open("box/secret", O_WRONLY | O_TRUNC);
}
static long c_reading_truncating(void)
{
	return open("box/secret", O_RDONLY | O_TRUNC);
}
#ifdef SYS_creat
static long c_creat(void)
{
	return syscall(SYS_creat, "box/secret", 0600);
}
#else
static long c_creat(void)
{
	return open("box/secret", O_CREAT | O_WRONLY | O_TRUNC, 0600);
}
#endif
static long c_openat2(void)
{
	return attack_openat2(AT_FDCWD, "box/secret", O_CREAT | O_RDWR, 0);
}
static long c_truncate(void)
{
	return truncate("box/secret", 0);
}
static long c_truncate_hard(void)
{
	return truncate("box/open/hard", 0);
}
static long c_truncate_proc(void)
{
	return truncate(attack_proc_fd(attack_open("box/closed/file", O_PATH), ""), 0);
}
static long c_chmod(void)
{
	return chmod("box/secret", 0777);
}
static long c_chmod_hard(void)
{
	return chmod("box/open/hard", 0777);
}
static long c_chmod_directory(void)
{
	return chmod("box/closed", 0777);
}
static long c_chown(void)
{
	return lchown("box/link", getuid(), getgid());
}
static long c_times(void)
{
	return utimensat(AT_FDCWD, "box/dir/deep/inner", NULL, 0);
}
static long c_xattr(void)
{
	return setxattr("box/secret", "user.attack", "x", 1, 0);
}
static long c_xattr_hard(void)
{
	return setxattr("box/open/hard", "user.attack", "x", 1, 0);
}
static long c_make_in(void)
{
	return open("box/closed/new", O_CREAT | O_WRONLY, 0600);
}
static long c_mkdir_in(void)
{
	return mkdir("box/closed/newdir", 0700);
}
static long c_tmpfile_in(void)
{
	return open("box/closed", O_TMPFILE | O_WRONLY, 0600);
}
static long c_remove_in(void)
{
	return unlink("box/closed/removable");
}
static long c_execute(void)
{
	/* What cannot be executed says so; what is no program says something else. */
	execl("box/closed/program", "program", NULL);
	return errno == ENOEXEC || errno == ENOENT ? 0 : -1;
}

static const struct attempt changes[] = {
    {"write", c_write},
    {"truncating", c_truncating},
    {"reading-truncating", c_reading_truncating},
    {"creat", c_creat},
    {"openat2", c_openat2},
    {"truncate", c_truncate},
    {"truncate-hard", c_truncate_hard},
    {"truncate-proc", c_truncate_proc},
    {"chmod", c_chmod},
    {"chmod-hard", c_chmod_hard},
    {"chmod-directory", c_chmod_directory},
    {"chown", c_chown},
    {"times", c_times},
    {"xattr", c_xattr},
    {"xattr-hard", c_xattr_hard},
    {"make-in", c_make_in},
    {"mkdir-in", c_mkdir_in},
    {"tmpfile-in", c_tmpfile_in},
    {"remove-in", c_remove_in},
    {"execute", c_execute},
};

/* ---- names: taking a denied object elsewhere, making a denied name, freeing the way ---- */

static long n_rename(void)
{
	return rename("box/secret", "box/moved");
}
static long n_rename_into(void)
{
	return rename("box/closed/file", "box/open/moved");
}
static long n_rename_directory(void)
{
	return rename("box/closed", "box/open/closed");
}
static long n_rename_parent(void)
{
	return rename("box/dir", "box/dir2");
}
static long n_rename_near_parent(void)
{
	return rename("box/dir/deep", "box/dir/deep2");
}
static long n_rename_parent_into(void)
{
	return rename("box/dir/deep", "box/open/deep");
}
static long n_exchange(void)
{
	return renameat2(AT_FDCWD, "box/plain", AT_FDCWD, "box/secret", RENAME_EXCHANGE);
}
static long n_exchange_parent(void)
{
	return renameat2(AT_FDCWD, "box/open", AT_FDCWD, "box/dir", RENAME_EXCHANGE);
}
static long n_replace(void)
{
	return rename("box/plain", "box/dir/deep/inner");
}
static long n_rename_hard(void)
{
	return rename("box/open/hard", "box/open/soft");
}
static long n_link(void)
{
	return link("box/secret", "box/linked");
}
static long n_link_into(void)
{
	return link("box/secret", "box/open/linked");
}
static long n_link_hard(void)
{
	return link("box/open/hard", "box/open/linked-hard");
}
static long n_link_from_directory(void)
{
	return link("box/closed/file", "box/open/from-closed");
}
static long n_link_proc(void)
{
	return linkat(AT_FDCWD, attack_proc_fd(attack_open("box/secret", O_PATH), ""), AT_FDCWD,
		      "box/open/by-proc", AT_SYMLINK_FOLLOW);
}
static long n_unlink(void)
{
	return unlink("box/dir/deep/inner2");
}
static long n_unlink_link(void)
{
	return unlink("box/link");
}
static long n_rmdir(void)
{
	return rmdir("box/emptied");
}
static long n_make_missing(void)
{
	return open("box/missing", O_CREAT | O_WRONLY, 0600);
}
static long n_make_missing_directory(void)
{
	return mkdir("box/missing", 0700);
}
static long n_make_missing_symlink(void)
{
	return symlink("plain", "box/missing");
}
static long n_make_missing_fifo(void)
{
	return mkfifo("box/missing", 0600);
}
static long n_link_missing(void)
{
	return link("box/plain", "box/missing");
}
static long n_rename_missing(void)
{
	return rename("box/plain2", "box/missing");
}
static long n_make_way(void)
{
	/* The way may be made; what is denied in it may not. */
	if (mkdir("box/way", 0700) && errno != EEXIST)
		return -1;
	return open("box/way/missing", O_CREAT | O_WRONLY, 0600);
}
static long n_symlink_way(void)
{
	return symlink("open", "box/way2");
}
static long n_rename_way(void)
{
	if (mkdir("box/prepared", 0700))
		return -1;
	close(open("box/prepared/missing", O_CREAT | O_WRONLY, 0600));
	return rename("box/prepared", "box/way3");
}

static const struct attempt names[] = {
    {"rename", n_rename},
    {"rename-into", n_rename_into},
    {"rename-directory", n_rename_directory},
    {"rename-parent", n_rename_parent},
    {"rename-near-parent", n_rename_near_parent},
    {"rename-parent-into", n_rename_parent_into},
    {"exchange", n_exchange},
    {"exchange-parent", n_exchange_parent},
    {"replace", n_replace},
    {"rename-hard", n_rename_hard},
    {"link", n_link},
    {"link-into", n_link_into},
    {"link-hard", n_link_hard},
    {"link-from-directory", n_link_from_directory},
    {"link-proc", n_link_proc},
    {"unlink", n_unlink},
    {"unlink-link", n_unlink_link},
    {"rmdir", n_rmdir},
    {"make-missing", n_make_missing},
    {"make-missing-directory", n_make_missing_directory},
    {"make-missing-symlink", n_make_missing_symlink},
    {"make-missing-fifo", n_make_missing_fifo},
    {"link-missing", n_link_missing},
    {"rename-missing", n_rename_missing},
    {"make-way", n_make_way},
    {"symlink-way", n_symlink_way},
    {"rename-way", n_rename_way},
};

/* ---- races: another thread turns things meanwhile ---- */

static volatile bool stopped;
static volatile int turns;
static char shared[2][64]; /* paths that are rewritten */
static int turning;	   /* a descriptor that is replaced */
static int one, other;

/* Run turn() over and over beside attempt(), until this once succeeds or enough was tried. */
static void *turner(void *turn)
{
	while (!stopped) {
		((void (*)(void))turn)();
		turns++;
	}
	return NULL;
}

static long race(void (*turn)(void), long (*attempt)(void))
{
	pthread_t thread;
	long r = -1;

	if (pthread_create(&thread, NULL, turner, (void *)turn))
		attack_die("pthread_create");
	for (int i = 0; r && (i < RACE_ROUNDS || turns < RACE_ROUNDS); i++)
		r = attempt();
	stopped = true;
	pthread_join(thread, NULL);
	errno = r ? EACCES : 0;
	return r;
}

/* The compiler must not leave the first of two out. */
static void put(char *where, const char *text)
{
	for (size_t i = 0; i <= strlen(text); i++)
		((volatile char *)where)[i] = text[i];
}

static void turn_path(void)
{
	put(shared[0], "box/secret");
	put(shared[0], "box/madeby");
}

static long read_shared(void)
{
	int fd = open(shared[0], O_RDONLY);
	long r = byte_of(fd);

	close(fd);
	return r;
}

static long x_path(void)
{
	close(open("box/madeby", O_CREAT | O_WRONLY, 0600));
	memcpy(shared[0], "box/madeby", 11);
	return race(turn_path, read_shared);
}

static void turn_symlink(void)
{
	unlink("box/turned");
	(void)!symlink("open", "box/turned");
	unlink("box/turned");
	(void)!symlink("closed", "box/turned");
}

static long read_turned(void)
{
	int fd = open("box/turned/file", O_RDONLY);
	long r = byte_of(fd);

	close(fd);
	return r;
}

static long x_symlink(void)
{
	return race(turn_symlink, read_turned);
}

/* Both are symbolic links or directories in a directory where all is granted by the kernel alone. */
static void turn_exchange(void)
{
	renameat2(AT_FDCWD, "box/open/x", AT_FDCWD, "box/open/y", RENAME_EXCHANGE);
}

static long read_exchanged(void)
{
	int fd = open("box/open/x/file", O_RDONLY);
	long r = byte_of(fd);

	close(fd);
	return r;
}

static long x_exchange(void)
{
	mkdir("box/open/x", 0700);
	(void)!symlink("../closed", "box/open/y");
	return race(turn_exchange, read_exchanged);
}

static void turn_descriptor(void)
{
	dup2(one, turning);
	dup2(other, turning);
}

static long read_descriptor(void)
{
	int fd = openat(turning, "file", O_RDONLY);
	long r = byte_of(fd);

	close(fd);
	return r;
}

static long x_descriptor(void)
{
	mkdir("box/fresh", 0700);
	close(open("box/fresh/file", O_CREAT | O_WRONLY, 0600));
	one = attack_open("box/closed", O_PATH | O_DIRECTORY);
	other = attack_open("box/fresh", O_PATH | O_DIRECTORY);
	turning = dup(other);
	return race(turn_descriptor, read_descriptor);
}

static void turn_names(void)
{
	put(shared[0], "box/dir");
	put(shared[0], "box/aaa");
}

/* The first name is a new directory's or that of one on the way. */
static long rename_shared(void)
{
	mkdir("box/aaa", 0700);
	(void)!rename(shared[0], "box/open/zzz");
	if (!access("box/open/zzz/deep", F_OK))
		return byte_of(open("box/open/zzz/deep/inner", O_RDONLY));
	rmdir("box/open/zzz");
	return -1;
}

static long x_rename(void)
{
	memcpy(shared[0], "box/aaa", 8);
	return race(turn_names, rename_shared);
}

static void turn_target(void)
{
	put(shared[1], "box/secret");
	put(shared[1], "box/madebx");
}

static long link_shared(void)
{
	unlink("box/open/got");
	if (link(shared[1], "box/open/got"))
		return -1;
	return byte_of(open("box/open/got", O_RDONLY));
}

static long x_link(void)
{
	close(open("box/madebx", O_CREAT | O_WRONLY, 0600));
	memcpy(shared[1], "box/madebx", 11);
	return race(turn_target, link_shared);
}

static void turn_parent(void)
{
	(void)!rename("box/dir", "box/away");
	(void)!rename("box/away", "box/dir");
}

static long read_away(void)
{
	int fd = open("box/away/deep/inner", O_RDONLY);
	long r = byte_of(fd);

	close(fd);
	return r;
}

static long x_parent(void)
{
	return race(turn_parent, read_away);
}

static const struct attempt races[] = {
    {"path", x_path},	  {"symlink", x_symlink}, {"exchange", x_exchange}, {"descriptor", x_descriptor},
    {"rename", x_rename}, {"link", x_link},	  {"parent", x_parent},
};

/* ---- what is granted beside all that must work ---- */

static long b_make(void)
{
	int fd = open("box/new", O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0640);
	char text[4] = "";
	struct stat st;

	if (fd < 0 || write(fd, "abc", 3) != 3 || lseek(fd, 0, SEEK_SET) || read(fd, text, 3) != 3 ||
	    fstat(fd, &st))
		return -1;
	if (memcmp(text, "abc", 3) || (st.st_mode & 07777) != 0640 || !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
		return -1;
	return open("box/new", O_CREAT | O_EXCL | O_WRONLY, 0600) < 0 && errno == EEXIST ? 0 : -1;
}
static long b_append(void)
{
	int fd = open("box/new", O_WRONLY | O_APPEND);

	return fd < 0 || !(fcntl(fd, F_GETFL) & O_APPEND) || fcntl(fd, F_GETFL) & O_NONBLOCK
		   ? -1
		   : write(fd, "d", 1);
}
static long b_creat(void)
{
	return open("box/new", O_CREAT | O_WRONLY | O_TRUNC, 0600);
}
static long b_truncate(void)
{
	return truncate("box/new", 7);
}
static long b_umask(void)
{
	struct stat st;

	umask(027);
	return mkdir("box/newdir", 0777) || stat("box/newdir", &st) || (st.st_mode & 0777) != 0750 ? -1 : 0;
}
static long b_below_new(void)
{
	int fd = open("box/newdir/file", O_CREAT | O_RDWR, 0600);

	return fd < 0 || write(fd, "x", 1) != 1 || access("box/newdir/file", R_OK) ? -1 : 0;
}
static long b_list_new(void)
{
	DIR *d = opendir("box/newdir");

	return d && readdir(d) ? 0 : -1;
}
static long b_list_way(void)
{
	return open("box", O_RDONLY | O_DIRECTORY);
}
static long b_tmpfile(void)
{
	int fd = open("box", O_TMPFILE | O_RDWR, 0600);

	if (fd < 0 || write(fd, "t", 1) != 1)
		return -1;
	return linkat(AT_FDCWD, attack_proc_fd(fd, ""), AT_FDCWD, "box/named", AT_SYMLINK_FOLLOW);
}
static long b_symlink(void)
{
	char target[16];

	return symlink("new", "box/soft") || readlink("box/soft", target, sizeof(target)) != 3
		   ? -1
		   : open("box/soft", O_RDWR);
}
static long b_rename(void)
{
	return rename("box/named", "box/renamed");
}
static long b_into(void)
{
	return rename("box/renamed", "box/open/renamed");
}
static long b_out(void)
{
	return rename("box/open/renamed", "box/back");
}
static long b_open_moved(void)
{
	return open("box/back", O_RDWR);
}
static long b_exchange(void)
{
	return renameat2(AT_FDCWD, "box/new", AT_FDCWD, "box/back", RENAME_EXCHANGE);
}
static long b_link(void)
{
	return link("box/new", "box/open/link-of-new") ? -1 : link("box/new", "box/link2");
}
static long b_chmod(void)
{
	return chmod("box/new", 0600);
}
static long b_remove(void)
{
	return unlink("box/link2");
}
static long b_rename_directory(void)
{
	return rename("box/newdir", "box/otherdir");
}
static long b_remove_directory(void)
{
	return unlink("box/otherdir/file") ? -1 : rmdir("box/otherdir");
}
static long b_deleted(void)
{
	int fd = open("box/gone", O_CREAT | O_RDWR, 0600);

	return fd < 0 || unlink("box/gone") ? -1 : open(attack_proc_fd(fd, ""), O_RDWR);
}
static long b_fifo(void)
{
	char byte = 0;
	int fd;

	if (mkfifo("box/fifo", 0600))
		return -1;
	if (!fork()) {
		fd = open("box/fifo", O_WRONLY);
		_exit(fd < 0 || write(fd, "f", 1) != 1);
	}
	fd = open("box/fifo", O_RDONLY);
	return fd < 0 || read(fd, &byte, 1) != 1 || byte != 'f' ? -1 : 0;
}
static long b_socket_node(void)
{
	return mknod("box/node", S_IFSOCK | 0600, 0);
}
static long b_old(void)
{
	return open("box/plain", O_RDWR);
}
static long b_old_directory(void)
{
	return open("box/free/file2", O_CREAT | O_RDWR, 0600);
}
static long b_way(void)
{
	return open("box/dir/deep/beside", O_CREAT | O_RDWR, 0600);
}
static long b_replaced(void)
{
	/* The inode number may come back: the new file is not the old one. */
	for (int i = 0; i < 3; i++) {
		int fd;

		if (unlink("box/plain"))
			return -1;
		fd = open("box/plain", O_CREAT | O_EXCL | O_RDWR, 0600);
		if (fd < 0 || open("box/plain", O_RDONLY) < 0)
			return -1;
	}
	return 0;
}
static long b_errors(void)
{
	struct open_how how = {.flags = O_RDONLY, .resolve = 1ULL << 40};

	if (mkdir("box/full", 0700) || mkdir("box/full/in", 0700))
		return -1;
	if (open("box/none", O_RDONLY) != -1 || errno != ENOENT || mkdir("box/new", 0700) != -1 ||
	    errno != EEXIST)
		return -1;
	if (open("box/new/x", O_RDONLY) != -1 || errno != ENOTDIR || rmdir("box/full") != -1 ||
	    errno != ENOTEMPTY)
		return -1;
	if (syscall(SYS_openat2, AT_FDCWD, "box/new", &how, sizeof(how)) != -1 || errno != EINVAL)
		return -1;
	return open("box/new/", O_RDWR) != -1 || errno != ENOTDIR || unlink("box/full") != -1 ||
		       errno != EISDIR
		   ? -1
		   : 0;
}

static const struct attempt besides[] = {
    {"make", b_make},
    {"append", b_append},
    {"creat", b_creat},
    {"truncate", b_truncate},
    {"umask", b_umask},
    {"below-new", b_below_new},
    {"list-new", b_list_new},
    {"list-way", b_list_way},
    {"tmpfile", b_tmpfile},
    {"symlink", b_symlink},
    {"rename", b_rename},
    {"into", b_into},
    {"out", b_out},
    {"open-moved", b_open_moved},
    {"exchange", b_exchange},
    {"link", b_link},
    {"chmod", b_chmod},
    {"remove", b_remove},
    {"rename-directory", b_rename_directory},
    {"remove-directory", b_remove_directory},
    {"deleted", b_deleted},
    {"fifo", b_fifo},
    {"socket-node", b_socket_node},
    {"old", b_old},
    {"old-directory", b_old_directory},
    {"way", b_way},
    {"replaced", b_replaced},
    {"errors", b_errors},
};

/* All of a table, or the one attempt of a name. */
static void make(const struct attempt *table, size_t len, const char *name)
{
	for (size_t i = 0; i < len; i++)
		if (!name || !strcmp(name, table[i].name))
			attack_try(&table[i]);
}

int main(int argc, char **argv)
{
	const char *group = argc > 1 ? argv[1] : "", *name = argc > 2 ? argv[2] : NULL;

	umask(022);
	if (!strcmp(group, "read"))
		make(reads, ATTACK_LEN(reads), name);
	else if (!strcmp(group, "change"))
		make(changes, ATTACK_LEN(changes), name);
	else if (!strcmp(group, "names"))
		make(names, ATTACK_LEN(names), name);
	else if (!strcmp(group, "race"))
		make(races, ATTACK_LEN(races), name);
	else if (!strcmp(group, "beside"))
		make(besides, ATTACK_LEN(besides), name);
	else
		return 125;
	return 0;
}
