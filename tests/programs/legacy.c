/*
 * legacy.c - the oldest forms of the file calls, straight through syscall(2), from the main thread, another thread, a
 * vfork child and a grandchild. usage: legacy FILE, in a directory where it may write.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(long result, const char *what)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", what, strerror(errno));
		_exit(1);
	}
}

#ifdef SYS_open
static long old_open(const char *path, int flags) { return syscall(SYS_open, path, flags, 0644); }
static long old_creat(const char *path) { return syscall(SYS_creat, path, 0644); }
static long old_mkdir(const char *path) { return syscall(SYS_mkdir, path, 0755); }
static long old_rmdir(const char *path) { return syscall(SYS_rmdir, path); }
static long old_rename(const char *a, const char *b) { return syscall(SYS_rename, a, b); }
static long old_link(const char *a, const char *b) { return syscall(SYS_link, a, b); }
static long old_symlink(const char *a, const char *b) { return syscall(SYS_symlink, a, b); }
static long old_unlink(const char *path) { return syscall(SYS_unlink, path); }
static long old_chmod(const char *path) { return syscall(SYS_chmod, path, 0640); }
#else
static long old_open(const char *path, int flags) { return openat(AT_FDCWD, path, flags, 0644); }
static long old_creat(const char *path) { return openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, 0644); }
static long old_mkdir(const char *path) { return mkdirat(AT_FDCWD, path, 0755); }
static long old_rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
static long old_rename(const char *a, const char *b) { return renameat(AT_FDCWD, a, AT_FDCWD, b); }
static long old_link(const char *a, const char *b) { return linkat(AT_FDCWD, a, AT_FDCWD, b, 0); }
static long old_symlink(const char *a, const char *b) { return symlinkat(a, AT_FDCWD, b); }
static long old_unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
static long old_chmod(const char *path) { return fchmodat(AT_FDCWD, path, 0640, 0); }
#endif

static void *in_thread(void *name)
{
	long fd = old_creat(name);

	must(fd, "creat in a thread");
	must(write((int)fd, "thread\n", 7), "write");
	close((int)fd);
	return NULL;
}

static void in_children(const char *file)
{
	int status;
	pid_t child = vfork();

	if (child == 0) {
		char *argv[] = { "cat", (char *)file, NULL };

		execv("/bin/cat", argv);
		_exit(127);
	}
	must(waitpid(child, &status, 0), "wait");
	must(WEXITSTATUS(status) ? -1 : 0, "cat");
	child = fork();
	if (child == 0) {
		pid_t grandchild = fork();

		if (grandchild == 0) {
			must(old_mkdir("by-grandchild"), "mkdir in a grandchild");
			_exit(0);
		}
		waitpid(grandchild, &status, 0);
		_exit(WEXITSTATUS(status));
	}
	must(waitpid(child, &status, 0), "wait");
	must(WEXITSTATUS(status) ? -1 : 0, "grandchild");
}

int main(int argc, char **argv)
{
	char text[64] = "";
	pthread_t thread;
	long fd;

	if (argc != 2 && argc != 3)
		return 2;
	fd = old_open(argv[1], O_RDONLY);
	must(fd, "open");
	must(read((int)fd, text, sizeof(text) - 1), "read");
	fputs(text, stdout);
	fflush(stdout);
	must(old_mkdir("made"), "mkdir");
	fd = old_creat("made/file");
	must(fd, "creat");
	must(old_link("made/file", "made/second"), "link");
	must(old_symlink("file", "made/soft"), "symlink");
	must(old_rename("made/second", "made/third"), "rename");
	must(old_chmod("made/third"), "chmod");
	must(old_unlink("made/soft"), "unlink");
	must(old_mkdir("gone"), "mkdir");
	must(old_rmdir("gone"), "rmdir");
	pthread_create(&thread, NULL, in_thread, "from-thread");
	pthread_join(thread, NULL);
	if (argc == 3)
		in_children(argv[1]);
	return 0;
}
