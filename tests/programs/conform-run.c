/*
 * conform-run.c - what is executed, and sockets that have names.
 */
#define _GNU_SOURCE
#include "conform.h"

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/un.h>

/* ---- programs ---- */

#define REFUSED 126 /* a child's status where nothing was executed; its errno is in a pipe */

struct outcome {
	int error; /* of the exec; 0 */
	char said[4096];
};

/* By path, or (path NULL) by descriptor. Its output, or why it did not run. */
static struct outcome run_program(const char *path, int fd, char *const argv[])
{
	static struct outcome out;
	int said[2], why[2], error = 0;
	size_t len = 0;
	ssize_t n;
	pid_t child;

	memset(&out, 0, sizeof(out));
	if (pipe(said) || pipe2(why, O_CLOEXEC))
		return out;
	child = fork();
	if (child == 0) {
		char *none[] = {NULL};

		dup2(said[1], 1);
		close(2);
		if (path)
			execve(path, argv, none);
		else
			syscall(SYS_execveat, fd, "", argv, none, AT_EMPTY_PATH);
		error = errno;
		_exit(write(why[1], &error, sizeof(error)) == sizeof(error) ? REFUSED : 1);
	}
	close(said[1]);
	close(why[1]);
	while ((n = read(said[0], out.said + len, sizeof(out.said) - 1 - len)) > 0)
		len += (size_t)n;
	if (read(why[0], &error, sizeof(error)) == sizeof(error))
		out.error = error;
	waitpid(child, NULL, 0);
	close(said[0]);
	close(why[0]);
	return out;
}

static int exec_error(const char *path)
{
	char *argv[] = {(char *)"name", NULL};

	return run_program(path, -1, argv).error;
}

static bool says(const char *path, const char *text)
{
	char *argv[] = {(char *)"name", (char *)"one", NULL};

	return strstr(run_program(path, -1, argv).said, text) != NULL;
}

static int script(const char *path, const char *text)
{
	return put(path, text) || chmod(path, 0755) ? -1 : 0;
}

/* A copy of ourselves, which prints what it was called when it is told to. */
static int copy_self(const char *to)
{
	int in = open("/proc/self/exe", O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	ssize_t n;

	while ((n = sendfile(out, in, NULL, 1 << 20)) > 0)
		;
	close(in);
	return close(out) || n;
}

int say_self(int argc, char **argv)
{
	char exe[PATH_MAX] = "", comm[32] = "", cwd[PATH_MAX] = "";
	int fd = open("/proc/self/comm", O_RDONLY);

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0 || read(fd, comm, sizeof(comm) - 1) < 0)
		return 1;
	comm[strcspn(comm, "\n")] = '\0';
	printf("argc %d argv0 %s exe %s comm %s cwd %s\n", argc, argv[0], strrchr(exe, '/'), comm,
	       strrchr(getcwd(cwd, sizeof(cwd)) ? cwd : "/", '/'));
	return 0;
}

/* A program that was executed by its descriptor alone has the file's name (Linux 6.14) or, before, the number's. */
static bool has_run(const char *said, const char *by_number)
{
	return strstr(said, "comm moved ") || strstr(said, by_number);
}

void exec_programs(void)
{
	char number[32];
	char *argv[] = {(char *)"name", (char *)"say-self", NULL};
	int fd;

	IS(0, copy_self("program"));
	TRUE(strstr(run_program("./program", -1, argv).said, "argc 2 argv0 name exe /program comm program") != NULL);
	OK(rename("program", "dir/moved"));
	TRUE(strstr(run_program("dir/moved", -1, argv).said, "exe /moved comm moved") != NULL);
	OK(symlink("dir/moved", "by-link"));
	TRUE(strstr(run_program("./by-link", -1, argv).said, "exe /moved comm by-link") != NULL);
	OK(link("dir/moved", "second"));
	TRUE(strstr(run_program("./second", -1, argv).said, "exe /second comm second") != NULL);
	OK(rename("dir", "elsewhere"));
	TRUE(strstr(run_program("elsewhere/moved", -1, argv).said, "exe /moved") != NULL);
	OK(unlink("by-link"));
	OK(symlink("elsewhere/moved", "by-link"));
	OK(mkdir("made", 0755));
	OK(chdir("made"));
	TRUE(strstr(run_program("../elsewhere/moved", -1, argv).said, "exe /moved comm moved cwd /made") != NULL);
	OK(chdir(".."));
	OK(unlink("second"));
	IS(ENOENT, exec_error("./second"));
	fd = open("elsewhere/moved", O_RDONLY);
	TRUE(strstr(run_program(NULL, fd, argv).said, "argc 2 argv0 name exe /moved comm") != NULL);
	fd = open("elsewhere/moved", O_PATH);
	TRUE(strstr(run_program(NULL, fd, argv).said, "argc 2 argv0 name exe /moved comm") != NULL);
	snprintf(number, sizeof(number), "comm %d ", fd);
	TRUE(has_run(run_program(NULL, fd, argv).said, number));
	about("scripts");
	IS(0, script("script", "#!/bin/sh\necho said $0 $1\n"));
	TRUE(says("./script", "said ./script one"));
	IS(0, script("script", "#!/bin/sh\necho another $0\n"));
	TRUE(says("./script", "another ./script"));
	OK(rename("script", "elsewhere/script"));
	TRUE(says("elsewhere/script", "another elsewhere/script"));
	OK(symlink("elsewhere/script", "script-link"));
	TRUE(says("./script-link", "another ./script-link"));
	IS(0, script("above", "#!./by-link\n"));
	IS(0, exec_error("./above"));
	IS(0, script("bad", "#!none\n"));
	IS(ENOENT, exec_error("./bad"));
	IS(0, script("self", "#!./self\n"));
	IS(ELOOP, exec_error("./self"));
	about("who may");
	OK(chmod("elsewhere/moved", 0644));
	IS(EACCES, exec_error("./by-link"));
	OK(chmod("elsewhere/moved", 0111));
	IS(0, exec_error("./by-link"));
	IS(EACCES, exec_error("./file"));
	OK(chmod("file", 0755));
	IS(ENOEXEC, exec_error("./file"));
	OK(put("empty2", ""));
	OK(chmod("empty2", 0755));
	IS(ENOEXEC, exec_error("./empty2"));
	IS(EACCES, exec_error("./made"));
	IS(ENOTDIR, exec_error("./file/"));
}

/* ---- sockets ---- */

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return a;
}

static int bound(const char *path, int type)
{
	struct sockaddr_un a = address(path);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (const void *)&a, sizeof(a))) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static int connected(const char *path, int type)
{
	struct sockaddr_un a = address(path);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (const void *)&a, sizeof(a))) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

void named_sockets(void)
{
	int server = bound("sock", SOCK_STREAM), client, peer, datagrams;
	struct sockaddr_un name;
	socklen_t len = sizeof(name);
	char c = 0;

	TRUE(server >= 0);
	TRUE(S_ISSOCK(stat_of("sock").st_mode));
	IS(0755, mode_of("sock"));
	OK(getsockname(server, (void *)&name, &len));
	TRUE(!strcmp(name.sun_path, "sock"));
	FAILS(ECONNREFUSED, connected("sock", SOCK_STREAM));
	OK(listen(server, 5));
	client = connected("sock", SOCK_STREAM);
	TRUE(client >= 0);
	peer = accept(server, NULL, NULL);
	IS(1, write(client, "x", 1));
	IS(1, read(peer, &c, 1));
	IS('x', c);
	FAILS(EADDRINUSE, bound("sock", SOCK_STREAM));
	FAILS(EADDRINUSE, bound("file", SOCK_STREAM));
	FAILS(EADDRINUSE, bound("dir", SOCK_STREAM));
	FAILS(EADDRINUSE, bound("dangling", SOCK_STREAM));
	FAILS(ENOENT, bound("none/sock", SOCK_STREAM));
	FAILS(ENOTDIR, bound("file/sock", SOCK_STREAM));
	FAILS(ENOENT, connected("none", SOCK_STREAM));
	FAILS(ECONNREFUSED, connected("file", SOCK_STREAM));
	FAILS(EPROTOTYPE, connected("sock", SOCK_DGRAM));
	OK(rename("sock", "dir/moved"));
	FAILS(ENOENT, connected("sock", SOCK_STREAM));
	OK(connected("dir/moved", SOCK_STREAM));
	OK(link("dir/moved", "second"));
	OK(connected("second", SOCK_STREAM));
	OK(symlink("dir/moved", "sock-link"));
	OK(connected("sock-link", SOCK_STREAM));
	OK(chmod("dir/moved", 0600));
	IS(0600, mode_of("second"));
	OK(unlink("dir/moved"));
	OK(unlink("second"));
	FAILS(ENOENT, connected("sock-link", SOCK_STREAM));
	datagrams = bound("sock", SOCK_DGRAM);
	TRUE(datagrams >= 0);
	client = connected("sock", SOCK_DGRAM);
	IS(1, write(client, "y", 1));
	IS(1, read(datagrams, &c, 1));
	IS('y', c);
	OK(close(server));
	OK(unlink("sock"));
	OK(mkdir("made", 0700));
	server = bound("made/sock", SOCK_STREAM);
	OK(listen(server, 1));
	OK(connected("made/sock", SOCK_STREAM));
	OK(close(server));
	FAILS(ECONNREFUSED, connected("made/sock", SOCK_STREAM));
}
