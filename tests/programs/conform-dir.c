/*
 * conform-dir.c - working directories, descriptors of what was moved or removed, the umask, inotify.
 */
#define _GNU_SOURCE
#include "conform.h"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/xattr.h>

static bool cwd_ends_with(const char *end)
{
	char path[PATH_MAX];

	return getcwd(path, sizeof(path)) && strlen(path) >= strlen(end) &&
	       !strcmp(path + strlen(path) - strlen(end), end);
}

void dir_working(void)
{
	int top = open(".", O_RDONLY), fd, path_fd = open("full", O_PATH);
	char path[PATH_MAX];

	TRUE(getcwd(path, sizeof(path)) != NULL);
	FAILS(ERANGE, syscall(SYS_getcwd, path, 3));
	OK(chdir("full"));
	TRUE(cwd_ends_with("/full"));
	OK(chdir("sub"));
	TRUE(cwd_ends_with("/full/sub"));
	TRUE(holds("c", "c\n"));
	OK(chdir(".."));
	OK(chdir("../dirlink"));
	TRUE(cwd_ends_with("/dir"));
	OK(fchdir(top));
	about("renamed");
	OK(chdir("full/sub"));
	OK(rename("../../full", "../../elsewhere"));
	TRUE(cwd_ends_with("/elsewhere/sub"));
	TRUE(holds("c", "c\n"));
	TRUE(holds("../a", "a\n"));
	OK(put("../new", "new"));
	OK(fchdir(top));
	TRUE(holds("elsewhere/new", "new"));
	OK(fchdir(path_fd));
	TRUE(cwd_ends_with("/elsewhere"));
	OK(fchdir(top));
	about("made");
	OK(mkdir("made", 0755));
	OK(chdir("made"));
	TRUE(cwd_ends_with("/made"));
	OK(put("x", "x"));
	OK(mkdir("deeper", 0755));
	OK(chdir("deeper"));
	TRUE(cwd_ends_with("/made/deeper"));
	OK(rename("../../made", "../../dir/made"));
	TRUE(cwd_ends_with("/dir/made/deeper"));
	TRUE(holds("../x", "x"));
	OK(chdir("../.."));
	TRUE(cwd_ends_with("/dir"));
	OK(fchdir(top));
	about("errors");
	fd = open("file", O_RDONLY);
	FAILS(ENOTDIR, fchdir(fd));
	FAILS(EBADF, fchdir(-1));
	FAILS(ENOTDIR, chdir("file"));
	FAILS(ENOENT, chdir("none"));
	FAILS(ENOENT, chdir("dangling"));
	FAILS(ELOOP, chdir("loop1"));
	FAILS(ENOENT, chdir(""));
}

static void gone_here(void)
{
	char path[PATH_MAX];
	struct stat st;

	FAILS(ENOENT, syscall(SYS_getcwd, path, sizeof(path)));
	FAILS(ENOENT, try_open("x", O_WRONLY | O_CREAT));
	FAILS(ENOENT, mkdir("x", 0755));
	FAILS(ENOENT, symlink("x", "y"));
	FAILS(ENOENT, try_open("x", O_RDONLY));
	OK(stat(".", &st));
	IS(0, st.st_nlink);
	FAILS(ENOENT, syscall(SYS_getdents64, open(".", O_RDONLY), path, sizeof(path)));
}

void dir_gone(void)
{
	int top = open(".", O_RDONLY), fd;

	OK(chdir("void"));
	OK(rmdir("../void"));
	gone_here();
	OK(mkdir("../void", 0755));
	gone_here();
	OK(fchdir(top));
	about("made before");
	OK(mkdir("made", 0755));
	OK(chdir("made"));
	OK(rmdir("../made"));
	gone_here();
	OK(fchdir(top));
	about("by a descriptor");
	fd = open("void2", O_RDONLY);
	OK(rmdir("void2"));
	OK(fchdir(fd));
	gone_here();
	OK(fchdir(top));
	about("replaced");
	OK(chdir("void"));
	OK(rename("../dir", "../void"));
	gone_here();
	OK(fchdir(top));
	TRUE(holds("void/file", "below\n"));
}

void dir_umask(void)
{
	IS(022, umask(077));
	OK(put("a", ""));
	IS(0600, mode_of("a"));
	OK(mkdir("b", 0777));
	IS(0700, mode_of("b"));
	OK(mkfifo("c", 0666));
	IS(0600, mode_of("c"));
	OK(symlink("x", "d"));
	IS(0777, stat_of("d").st_mode & 0777);
	IS(077, umask(0));
	OK(open("e", O_WRONLY | O_CREAT, 0666));
	IS(0666, mode_of("e"));
	OK(mkdir("f", 0777));
	IS(0777, mode_of("f"));
	IS(0, umask(0777));
	OK(open("g", O_WRONLY | O_CREAT, 0666));
	IS(0, mode_of("g"));
	OK(chmod("g", 0644));
	IS(0644, mode_of("g"));
	IS(0777, umask(022));
	OK(open("h", O_WRONLY | O_CREAT, 04711));
	IS(04711, mode_of("h"));
	OK(open("dir", O_TMPFILE | O_WRONLY, 0666));
}

void fd_gone(void)
{
	int fd = open("file", O_RDWR), made, path_fd = open("secret", O_PATH), again;
	char link[64], buf[16];
	struct stat st;

	OK(unlink("file"));
	OK(fstat(fd, &st));
	IS(0, st.st_nlink);
	IS(3, pwrite(fd, "abc", 3, 0));
	IS(3, pread(fd, buf, 3, 0));
	OK(fchmod(fd, 0600));
	OK(fstat(fd, &st));
	IS(0600, st.st_mode & 07777);
	OK(ftruncate(fd, 1));
	OK(fstat(fd, &st));
	IS(1, st.st_size);
	OK(futimens(fd, NULL));
	OK(fsetxattr(fd, "user.x", "y", 1, 0));
	IS(1, fgetxattr(fd, "user.x", buf, sizeof(buf)));
	OK(fchown(fd, geteuid(), getegid()));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	TRUE(readlink(link, buf, sizeof(buf)) > 0);
	again = open(link, O_RDWR);
	TRUE(again >= 0);
	IS(1, pread(again, buf, 4, 0));
	OK(put("file", "another"));
	OK(fstat(fd, &st));
	TRUE(st.st_ino != stat_of("file").st_ino);
	OK(fstatat(fd, "", &st, AT_EMPTY_PATH));
	IS(1, st.st_size);
	about("made and removed");
	made = open("made", O_RDWR | O_CREAT, 0644);
	IS(4, write(made, "made", 4));
	OK(unlink("made"));
	OK(fchmod(made, 0711));
	OK(fstat(made, &st));
	IS(0711, st.st_mode & 07777);
	IS(0, st.st_nlink);
	OK(ftruncate(made, 2));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", made);
	again = open(link, O_RDONLY);
	IS(2, pread(again, buf, 4, 0));
	OK(stat(link, &st));
	IS(2, st.st_size);
	about("O_PATH");
	OK(unlink("secret"));
	OK(fstat(path_fd, &st));
	IS(0, st.st_nlink);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
	OK(try_open(link, O_RDONLY));
}

void fd_moved(void)
{
	int fd = open("file", O_RDWR), dir = open("full", O_RDONLY), sub = open("full/sub", O_PATH);
	char link[64], path[PATH_MAX] = "";
	struct stat st;

	OK(rename("file", "dir/moved"));
	IS(3, pwrite(fd, "abc", 3, 0));
	TRUE(holds("dir/moved", "abc3456789\n"));
	OK(fchmod(fd, 0600));
	IS(0600, mode_of("dir/moved"));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	TRUE(readlink(link, path, sizeof(path)) > 10);
	TRUE(strstr(path, "/dir/moved") != NULL);
	OK(chmod(link, 0640));
	IS(0640, mode_of("dir/moved"));
	OK(truncate(link, 1));
	IS(1, stat_of("dir/moved").st_size);
	OK(linkat(AT_FDCWD, link, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
	IS(2, stat_of("linked").st_nlink);
	about("directories");
	OK(rename("full", "dir/full"));
	OK(openat(dir, "a", O_RDONLY));
	OK(openat(dir, "new", O_WRONLY | O_CREAT, 0644));
	TRUE(S_ISREG(stat_of("dir/full/new").st_mode));
	OK(mkdirat(sub, "below", 0755));
	TRUE(S_ISDIR(stat_of("dir/full/sub/below").st_mode));
	OK(unlinkat(sub, "c", 0));
	FAILS(ENOENT, unlinkat(sub, "c", 0));
	OK(fstatat(sub, "..", &st, 0));
	TRUE(st.st_ino == stat_of("dir/full").st_ino);
	OK(fchmod(dir, 0700));
	IS(0700, mode_of("dir/full"));
	OK(renameat(dir, "a", sub, "a"));
	TRUE(holds("dir/full/sub/a", "a\n"));
	memset(path, 0, sizeof(path));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
	TRUE(readlink(link, path, sizeof(path) - 1) > 10);
	TRUE(strstr(path, "/dir/full") != NULL);
	snprintf(path, sizeof(path), "%.60s/sub/a", link);
	OK(try_open(path, O_RDONLY));
}

/* The events that have come, by name; the wanted ones are waited for. A close is told when the last descriptor is
 * closed, which need not be the program's own. */
static unsigned int events(int fd, const char *name, unsigned int want)
{
	static char buf[8192] __attribute__((aligned(8)));
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	unsigned int mask = 0;
	ssize_t n;

	while (poll(&poll_fd, 1, (mask & want) == want ? 0 : 2000) == 1 && (n = read(fd, buf, sizeof(buf))) > 0) {
		for (char *at = buf; at < buf + n;) {
			const struct inotify_event *e = (const void *)at;

			if (!strcmp(e->len ? e->name : "", name))
				mask |= e->mask;
			at += sizeof(*e) + e->len;
		}
	}
	return mask & ~(unsigned int)IN_IGNORED;
}

#define COMES(want) IS(want, events(fd, "", want))
#define TOLD(want, name) IS(want, events(fd, name, 0)) /* these come at once, or not at all */

void notify_changes(void)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), file, writer;

	TRUE(fd >= 0);
	FAILS(ENOENT, inotify_add_watch(fd, "none", IN_ALL_EVENTS));
	FAILS(ENOENT, inotify_add_watch(fd, "dangling", IN_ALL_EVENTS));
	FAILS(ENOTDIR, inotify_add_watch(fd, "file/x", IN_ALL_EVENTS));
	FAILS(EFAULT, inotify_add_watch(fd, bad_pointer(), IN_ALL_EVENTS));
	FAILS(EBADF, inotify_add_watch(-1, "file", IN_ALL_EVENTS));
	FAILS(EINVAL, inotify_add_watch(open("file", O_RDONLY), "file", IN_ALL_EVENTS));
	FAILS(EINVAL, inotify_add_watch(fd, "file", 0));
	FAILS(ENOTDIR, inotify_add_watch(fd, "file", IN_CREATE | IN_ONLYDIR));
	OK(inotify_add_watch(fd, "dir", IN_CREATE | IN_ONLYDIR));
	OK(inotify_add_watch(fd, "link", IN_OPEN | IN_DONT_FOLLOW));
	OK(inotify_add_watch(fd, "readonly", IN_OPEN | IN_CLOSE_NOWRITE));
	OK(try_open("readonly", O_RDONLY));
	COMES(IN_OPEN | IN_CLOSE_NOWRITE);
	file = inotify_add_watch(fd, "empty", IN_OPEN);
	OK(inotify_rm_watch(fd, file));
	FAILS(EINVAL, inotify_rm_watch(fd, file));
	FAILS(EINVAL, inotify_rm_watch(fd, 9999));
	about("of what was made or written");
	writer = open("made", O_WRONLY | O_CREAT, 0644);
	file = inotify_add_watch(fd, "made", IN_MODIFY | IN_CLOSE_WRITE | IN_OPEN);
	TRUE(file > 0);
	IS(file, inotify_add_watch(fd, "./made", IN_MODIFY | IN_CLOSE_WRITE | IN_OPEN));
	IS(1, write(writer, "x", 1));
	COMES(IN_MODIFY);
	OK(close(writer));
	COMES(IN_CLOSE_WRITE);
	OK(try_open("made", O_RDONLY));
	COMES(IN_OPEN);
	OK(rename("made", "dir/moved"));
	OK(put("dir/moved", "y"));
	COMES(IN_OPEN | IN_MODIFY | IN_CLOSE_WRITE);
	OK(chmod("hard1", 0600));
	OK(put("hard1", "changed"));
	OK(inotify_add_watch(fd, "hard2", IN_MODIFY));
	OK(put("hard1", "again"));
	COMES(IN_MODIFY);
	OK(mkdir("made", 0755));
	OK(inotify_add_watch(fd, "made", IN_CREATE));
	OK(symlink("made", "dir/linked"));
	FAILS(ENOENT, inotify_add_watch(fd, "dir/linked", IN_CREATE));
	FAILS(ENOENT, inotify_add_watch(fd, "file2", IN_CREATE));
	if (geteuid()) {
		OK(chmod("made", 0));
		FAILS(EACCES, inotify_add_watch(fd, "made", IN_CREATE));
		OK(chmod("made", 0755));
	}
}

/* What a watch of a directory tells. */
void notify_names(void)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	OK(inotify_add_watch(fd, "dir", IN_ALL_EVENTS & ~(IN_OPEN | IN_ACCESS | IN_CLOSE_NOWRITE)));
	OK(put("dir/new", "x"));
	TOLD(IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE, "new");
	OK(rename("dir/new", "dir/moved"));
	TOLD(IN_MOVED_TO, "moved");
	OK(unlink("dir/moved"));
	TOLD(IN_DELETE, "moved");
	OK(mkdir("dir/sub", 0755));
	TOLD(IN_CREATE | IN_ISDIR, "sub");
	OK(put("dir/file", "y"));
	TOLD(IN_MODIFY | IN_CLOSE_WRITE, "file");
}
