/*
 * native.c - what it costs to enter a directory and to execute a program that the run itself has made. On the
 * copy-on-write view the caller is made to do both on other paths; bare it just does them.
 *
 * usage: bench-native COUNT
 *
 * Makes a directory and a copy of itself in the working directory, which are removed again. Prints two lines:
 * the median nanoseconds of one chdir, and of one posix_spawn with its wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void die(const char *what)
{
	fprintf(stderr, "bench-native: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void copy_self(const char *to)
{
	char buf[65536];
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
	    fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	ssize_t n;

	if (from < 0 || fd < 0)
		die(to);
	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(fd, buf, (size_t)n) != n)
			die(to);
	close(from);
	close(fd);
}

static uint64_t enter_once(void)
{
	uint64_t start = now_ns(), end;

	if (chdir("made") < 0)
		die("chdir");
	end = now_ns();
	if (chdir("..") < 0)
		die("chdir ..");
	return end - start;
}

static uint64_t execute_once(void)
{
	char *const argv[] = {(char *)"./copy", (char *)"0", NULL};
	uint64_t start = now_ns();
	int status, r;
	pid_t pid;

	r = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
	if (r) {
		errno = r;
		die("posix_spawn");
	}
	if (waitpid(pid, &status, 0) != pid || status)
		die("waitpid");
	return now_ns() - start;
}

static void measure(size_t count, uint64_t (*once)(void))
{
	uint64_t *times = calloc(count, sizeof(*times));

	if (!times)
		die("calloc");
	for (size_t i = 0; i < count; i++)
		times[i] = once();
	qsort(times, count, sizeof(*times), compare);
	printf("%llu\n", (unsigned long long)times[count / 2]);
	free(times);
}

int main(int argc, char **argv)
{
	size_t count = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;

	if (argc == 2 && !strcmp(argv[1], "0"))
		return 0;
	if (!count) {
		fprintf(stderr, "usage: bench-native COUNT\n");
		return 2;
	}
	if (mkdir("made", 0755) < 0)
		die("made");
	copy_self("copy");
	measure(count, enter_once);
	measure(count, execute_once);
	if (rmdir("made") < 0 || unlink("copy") < 0)
		die("removing");
	return 0;
}
