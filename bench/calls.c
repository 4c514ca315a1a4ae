/*
 * calls.c - the program under test: does one kind of system call many times and says how long one took.
 *
 * usage: bench-calls open|stat|read FILE COUNT
 *        bench-calls paths DIR COUNT        opens DIR/a/b for COUNT distinct names that are there
 *        bench-calls make DIR COUNT         makes COUNT empty files in DIR
 *
 * Speaks to the driver in lines, so that the driver can look at the supervisor at set moments: writes "ready", waits
 * for a line, works, writes the nanoseconds that one step took (the best of five parts), waits for a line, ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PARTS 5
#define PER_DIRECTORY 1000

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "bench-calls: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void wait_for_line(void)
{
	char c;
	ssize_t n;

	do
		n = read(0, &c, 1);
	while ((n < 0 && errno == EINTR) || (n == 1 && c != '\n'));
}

static void open_close(const char *path, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			die(path);
		close(fd);
	}
}

static void stat_only(const char *path, size_t count)
{
	struct stat st;

	for (size_t i = 0; i < count; i++)
		if (stat(path, &st))
			die(path);
}

static void read_only(const char *path, size_t count)
{
	char c[64];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(path);
	for (size_t i = 0; i < count; i++)
		if (pread(fd, c, sizeof(c), 0) < 1)
			die(path);
	close(fd);
}

/* The best of several parts: what the machine can do when nothing else disturbs it. */
static double best_part(void (*work)(const char *, size_t), const char *path, size_t count)
{
	double best = 0;

	for (int part = 0; part < PARTS; part++) {
		double start = now_ns(), one;

		work(path, count / PARTS);
		one = (now_ns() - start) / (double)(count / PARTS);
		if (!part || one < best)
			best = one;
	}
	return best;
}

static double open_distinct(const char *dir, size_t count)
{
	char path[4096];
	double start = now_ns();

	for (size_t i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%zu/%zu", dir, i / PER_DIRECTORY, i % PER_DIRECTORY);
		open_close(path, 1);
	}
	return (now_ns() - start) / (double)count;
}

static double make_files(const char *dir, size_t count)
{
	char path[4096];
	double start = now_ns();

	for (size_t i = 0; i < count; i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/file-%zu.o", dir, i);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (fd < 0)
			die(path);
		close(fd);
	}
	return (now_ns() - start) / (double)count;
}

int main(int argc, char **argv)
{
	size_t count = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
	double ns;

	if (count < PARTS) {
		fprintf(stderr, "usage: bench-calls open|stat|read|paths|make PATH COUNT\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	wait_for_line();
	if (!strcmp(argv[1], "open"))
		ns = best_part(open_close, argv[2], count);
	else if (!strcmp(argv[1], "stat"))
		ns = best_part(stat_only, argv[2], count);
	else if (!strcmp(argv[1], "read"))
		ns = best_part(read_only, argv[2], count);
	else if (!strcmp(argv[1], "paths"))
		ns = open_distinct(argv[2], count);
	else if (!strcmp(argv[1], "make"))
		ns = make_files(argv[2], count);
	else
		return 2;
	printf("%.2f\n", ns);
	wait_for_line();
	return 0;
}
