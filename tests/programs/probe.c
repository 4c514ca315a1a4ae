/*
 * probe.c - asks the kernel, from inside a sandbox, what can be done to paths.
 *
 * Reads requests from the standard input, one "HOW PATH" each, ended by a NUL byte; writes one line a request:
 * "0" where it worked, else the name of the error. It changes nothing that succeeds: files are opened without
 * O_TRUNC, and what is made is removed again. Static, so that it needs no grant but that on itself.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static int try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int try_exec(const char *path)
{
	int status, pipe_fd[2], error = 0;
	pid_t child;

	if (pipe2(pipe_fd, O_CLOEXEC))
		return errno;
	child = fork();
	if (child == 0) {
		char *argv[] = { (char *)path, (char *)"--version", NULL };

		if (try_open("/dev/null", O_RDWR) == 0) {
			int null = open("/dev/null", O_RDWR);

			dup2(null, 0);
			dup2(null, 1);
			dup2(null, 2);
		}
		execv(path, argv);
		error = errno;
		if (write(pipe_fd[1], &error, sizeof(error)) < 0)
			_exit(1);
		_exit(0);
	}
	close(pipe_fd[1]);
	if (read(pipe_fd[0], &error, sizeof(error)) < 0)
		error = errno;
	close(pipe_fd[0]);
	waitpid(child, &status, 0);
	return error;
}

static int try_create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno;
	close(fd);
	/* Without the right to remove it, it stays: the caller looks. */
	unlink(path);
	return 0;
}

static int try_make_directory(const char *path)
{
	if (mkdir(path, 0700))
		return errno;
	rmdir(path);
	return 0;
}

static int try_rename_itself(const char *path)
{
	char other[8192];

	snprintf(other, sizeof(other), "%s.probe", path);
	if (rename(path, other))
		return errno;
	return rename(other, path) ? errno : 0;
}

static int try(const char *how, const char *path)
{
	if (!strcmp(how, "read"))
		return try_open(path, O_RDONLY);
	if (!strcmp(how, "list"))
		return try_open(path, O_RDONLY | O_DIRECTORY);
	if (!strcmp(how, "write"))
		return try_open(path, O_WRONLY);
	if (!strcmp(how, "exec"))
		return try_exec(path);
	if (!strcmp(how, "create"))
		return try_create(path);
	if (!strcmp(how, "mkdir"))
		return try_make_directory(path);
	if (!strcmp(how, "delete"))
		return try_rename_itself(path);
	if (!strcmp(how, "truncate"))
		return truncate(path, 0) ? errno : 0;
	if (!strcmp(how, "stat")) {
		struct stat st;

		return stat(path, &st) ? errno : 0;
	}
	return EINVAL;
}

int main(void)
{
	char *request = NULL;
	size_t size = 0;

	while (getdelim(&request, &size, '\0', stdin) > 0) {
		char *path = strchr(request, ' ');
		int error;

		if (!path)
			return 2;
		*path++ = '\0';
		error = try(request, path);
		printf("%s\n", error ? strerrorname_np(error) : "0");
		fflush(stdout);
	}
	free(request);
	return 0;
}
