/*
 * attack.h - what the attack programs share: a table of attempts, each made in a process of its own, each reported
 * on a line "name: ERRNO", "name: SUCCEEDED" or "name: SIGNAL". The tests compare the lines with what must come.
 *
 * An attempt returns -1 with errno, or anything else for success. It may leave its process in any state.
 */
#ifndef ATTACK_H
#define ATTACK_H

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ATTACK_SECONDS 10
#define ATTACK_LEN(a)  (sizeof(a) / sizeof((a)[0]))

struct attempt {
	const char *name;
	long (*run)(void);
};

/* Calls that are newer than the distribution's headers. */
enum {
	ATTACK_NR_fchmodat2 = 452,
	ATTACK_NR_setxattrat = 463,
	ATTACK_NR_removexattrat = 466,
	ATTACK_NR_open_tree_attr = 467,
	ATTACK_NR_file_setattr = 469,
};

static inline void attack_die(const char *what)
{
	perror(what);
	exit(125);
}

/* A descriptor that the attempt cannot do without. */
static inline int attack_open(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0)
		attack_die(path);
	return fd;
}

/* "/proc/self/fd/N" and what follows. Until the next call. */
static inline const char *attack_proc_fd(int fd, const char *rest)
{
	static char text[64];

	snprintf(text, sizeof(text), "/proc/self/fd/%d%s", fd, rest);
	return text;
}

/* The absolute name of what lies below the working directory, with a prefix that leads to the root. Until the
 * next call. */
static inline const char *attack_rooted(const char *prefix, const char *relative)
{
	static char text[4280];
	char here[4096];

	if (!getcwd(here, sizeof(here)))
		attack_die("getcwd");
	snprintf(text, sizeof(text), "%s%s/%s", prefix, here, relative);
	return text;
}

static inline long attack_openat2(int dirfd, const char *path, unsigned long long flags,
				  unsigned long long resolve)
{
	struct open_how how = {.flags = flags, .mode = flags & O_CREAT ? 0600 : 0, .resolve = resolve};

	return syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
}

static inline void attack_report(const char *name, int status)
{
	if (WIFSIGNALED(status))
		printf("%s: SIG%s\n", name, sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		printf("%s: %s\n", name, strerrorname_np(WEXITSTATUS(status)));
	else
		printf("%s: SUCCEEDED\n", name);
	fflush(stdout);
}

/* One attempt in a child; its errno is the child's exit status. */
static inline void attack_try(const struct attempt *a)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		attack_die("fork");
	if (!pid) {
		alarm(ATTACK_SECONDS);
		errno = 0;
		_exit(a->run() == -1 ? errno : 0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	attack_report(a->name, status);
}

static inline void attack_table(const struct attempt *table, size_t len)
{
	for (size_t i = 0; i < len; i++)
		attack_try(&table[i]);
}

static inline int attack_number(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (end == text || *end)
		attack_die(text);
	return (int)value;
}

#endif
