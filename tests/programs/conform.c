/*
 * conform.c - a suite of assertions on what POSIX and Linux say of the file-system calls, by call and error.
 *
 * conform prepare makes, in the working directory, a directory with the same small tree for each group; conform
 * run runs every group twice: in that tree, which was there before, and in one that it makes itself. Each
 * assertion is a line, "ok GROUP.KIND.NUMBER TEXT: OUTCOME" or "not ok …: OUTCOME, not WANTED"; the outcome is
 * the name of an error, or a value. So the lines of two runs are the same exactly if every outcome is.
 * conform run GROUP… runs these groups only.
 *
 * The other files hold the groups. What takes root is done where it is there, and says the same lines wherever
 * the same user runs it.
 */
#define _GNU_SOURCE
#include "conform.h"

#include <grp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

static const struct {
	const char *name;
	group *run;
} groups[] = {
    {"open", open_flags},
    {"create", open_create},
    {"open-links", open_links},
    {"open-special", open_special},
    {"tmpfile", open_tmpfile},
    {"openat2", open_resolve},
    {"make", make_names},
    {"link", link_names},
    {"remove", remove_names},
    {"rename", rename_names},
    {"renameat2", rename_flags},
    {"rename-dirs", rename_dirs},
    {"mode", change_mode},
    {"owner", change_owner},
    {"times", change_times},
    {"size", change_size},
    {"xattr", change_xattrs},
    {"inode-flags", change_flags},
    {"stat", look_stat},
    {"access", look_access},
    {"readlink", look_links},
    {"parents", look_times},
    {"list", list_names},
    {"list-meanwhile", list_meanwhile},
    {"path", path_errors},
    {"lengths", path_lengths},
    {"slashes", path_slashes},
    {"pointers", bad_addresses},
    {"user", other_user},
    {"sticky", other_sticky},
    {"setgid", other_setgid},
    {"offsets", data_offsets},
    {"maps", data_maps},
    {"copies", data_copies},
    {"locks", data_locks},
    {"busy", data_busy},
    {"readers", data_readers},
    {"stays", data_stays},
    {"cwd", dir_working},
    {"cwd-gone", dir_gone},
    {"umask", dir_umask},
    {"fd-gone", fd_gone},
    {"fd-moved", fd_moved},
    {"exec", exec_programs},
    {"sockets", named_sockets},
    {"inotify", notify_changes},
    {"inotify-names", notify_names},
};

static const char *group_name, *subject;

/* Shared with the children, so that numbers go on and failures count. */
static struct {
	int number, failed, passed;
} *score;

/* ---- assertions ---- */

void about(const char *what)
{
	subject = what;
}

static const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "no error";
}

static void line(bool good, const char *text, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void line(bool good, const char *text, const char *format, ...)
{
	char out[1024];
	int len = snprintf(out, sizeof(out), "%s %s.%d %s%s%s: ", good ? "ok" : "not ok", group_name,
			   ++score->number, subject ? subject : "", subject ? ": " : "", text);
	va_list args;

	va_start(args, format);
	len += vsnprintf(out + len, sizeof(out) - (size_t)len - 1, format, args);
	va_end(args);
	out[len++] = '\n';
	if (write(1, out, (size_t)len) != len) /* one write a line: children print too */
		_exit(1);
	if (good)
		score->passed++;
	else
		score->failed++;
}

void conform_fails(const char *text, long got, int error, int want)
{
	if (got == -1 && error == want)
		line(true, text, "%s", error_name(error));
	else if (got == -1)
		line(false, text, "%s, not %s", error_name(error), error_name(want));
	else
		line(false, text, "success, not %s", error_name(want));
}

void conform_ok(const char *text, long got, int error)
{
	if (got != -1)
		line(true, text, "success");
	else
		line(false, text, "%s, not success", error_name(error));
}

void conform_is(const char *text, long got, int error, long want)
{
	if (got == want)
		line(true, text, "%ld", got);
	else if (got == -1)
		line(false, text, "%s, not %ld", error_name(error), want);
	else
		line(false, text, "%ld, not %ld", got, want);
}

/* ---- what the groups use ---- */

int try_open(const char *path, int flags)
{
	int fd = open(path, flags, 0644);

	return fd < 0 ? -1 : close(fd);
}

bool fd_holds(int fd, const char *text)
{
	char buf[256];
	ssize_t n = pread(fd, buf, sizeof(buf), 0);

	return n == (ssize_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

bool holds(const char *path, const char *text)
{
	int fd = open(path, O_RDONLY);
	bool same = fd >= 0 && fd_holds(fd, text);

	if (fd >= 0)
		close(fd);
	return same;
}

int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	bool whole;

	if (fd < 0)
		return -1;
	whole = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	return close(fd) || !whole ? -1 : 0;
}

mode_t mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_mode & 07777;
}

struct stat stat_of(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		memset(&st, 0, sizeof(st));
	return st;
}

long entries_in(const char *path)
{
	DIR *d = opendir(path);
	long n = -2;

	if (!d)
		return -1;
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

long times_of(const char *path)
{
	return stat_of(path).st_mtim.tv_sec;
}

int age(const char *path)
{
	struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};

	return utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW);
}

void *bad_pointer(void)
{
	static void *page;

	if (!page)
		page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return page;
}

void as_other(void (*run)(void))
{
	pid_t child;
	int status;

	if (geteuid())
		return;
	child = fork();
	if (child == 0) {
		gid_t none = OTHER;

		if (setgroups(1, &none) || setgid(OTHER) || setuid(OTHER))
			_exit(1);
		run();
		_exit(0);
	}
	waitpid(child, &status, 0);
	TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- the tree of a group ---- */

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "conform: %s: %s\n", what, strerror(errno));
		exit(2);
	}
}

static void fixture(void)
{
	must(put("file", "0123456789\n") == 0 && put("empty", "") == 0, "file");
	must(put("exec", "#!/bin/true\n") == 0 && chmod("exec", 0755) == 0, "exec");
	must(put("readonly", "fixed\n") == 0 && chmod("readonly", 0444) == 0, "readonly");
	must(put("secret", "secret\n") == 0 && chmod("secret", 0600) == 0, "secret");
	must(put("hard1", "two names\n") == 0 && link("hard1", "hard2") == 0, "hard1");
	must(mkdir("dir", 0755) == 0 && put("dir/file", "below\n") == 0, "dir");
	must(mkdir("void", 0755) == 0 && mkdir("void2", 0755) == 0, "void");
	must(mkdir("full", 0755) == 0 && mkdir("full/sub", 0755) == 0, "full");
	must(put("full/a", "a\n") == 0 && put("full/b", "b\n") == 0 && put("full/sub/c", "c\n") == 0, "full/a");
	must(symlink("file", "link") == 0 && symlink("dir", "dirlink") == 0, "link");
	must(symlink("nothing", "dangling") == 0, "dangling");
	must(symlink("loop2", "loop1") == 0 && symlink("loop1", "loop2") == 0, "loop1");
	must(mkfifo("fifo", 0644) == 0, "fifo");
	must(age("file") == 0 && age("dir") == 0 && age("full") == 0 && age("link") == 0, "times");
}

static void enter(const char *name, const char *kind)
{
	char path[128];

	snprintf(path, sizeof(path), "%s.%s", name, kind);
	must(mkdir(path, 0755) == 0 || errno == EEXIST, path);
	must(chdir(path) == 0, path);
}

static void prepare(void)
{
	int top = open(".", O_RDONLY | O_DIRECTORY);

	for (size_t i = 0; i < LEN(groups); i++) {
		enter(groups[i].name, "old");
		fixture();
		must(fchdir(top) == 0, "fchdir");
	}
	close(top);
}

static void run_group(size_t i, const char *kind)
{
	char name[64];
	pid_t child;
	int status;

	score->number = 0;
	snprintf(name, sizeof(name), "%s.%s", groups[i].name, kind);
	group_name = name;
	child = fork();
	if (child == 0) {
		alarm(60);
		enter(groups[i].name, kind);
		if (!strcmp(kind, "new"))
			fixture();
		groups[i].run();
		_exit(0);
	}
	waitpid(child, &status, 0);
	about(NULL);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		line(false, "the group", "ended with status %x", status);
}

static bool is_asked(const char *name, int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc == 2;
}

int main(int argc, char **argv)
{
	static const struct rlimit files = {1024, 1024};

	if (argc > 1 && !strcmp(argv[1], "say-self"))
		return say_self(argc, argv);
	umask(022);
	setrlimit(RLIMIT_NOFILE, &files);
	if (argc == 2 && !strcmp(argv[1], "prepare")) {
		prepare();
		return 0;
	}
	must(argc >= 2 && !strcmp(argv[1], "run"), "usage: conform prepare|run [GROUP...]");
	score = mmap(NULL, sizeof(*score), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(score != MAP_FAILED, "mmap");
	for (size_t i = 0; i < LEN(groups); i++) {
		if (!is_asked(groups[i].name, argc, argv))
			continue;
		run_group(i, "old");
		run_group(i, "new");
	}
	printf("passed %d, failed %d\n", score->passed, score->failed);
	return 0;
}
