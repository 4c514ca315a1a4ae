/*
 * spawn.c - how long it takes from posix_spawn to the end of a command, for several commands in turn.
 *
 * usage: bench-spawn ROUNDS COMMAND [ARG...] [, COMMAND [ARG...]]...
 *
 * Every round runs each command once, so that a slow moment of the machine meets all of them. Prints one line a
 * command: the median and the tenth percentile in nanoseconds. A command that does not exit 0 is an error.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define COMMANDS_MAX 16

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

/* One run of a command with its output on /dev/null: its time in nanoseconds; ends the program on any failure. */
static uint64_t run_once(char **argv, posix_spawn_file_actions_t *actions)
{
	uint64_t start = now_ns();
	pid_t pid;
	int status;
	int r = posix_spawnp(&pid, argv[0], actions, NULL, argv, environ);

	if (r) {
		fprintf(stderr, "bench-spawn: %s: %s\n", argv[0], strerror(r));
		exit(1);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "bench-spawn: %s ended with wait status %#x\n", argv[0], (unsigned int)status);
		exit(1);
	}
	return now_ns() - start;
}

int main(int argc, char **argv)
{
	char **commands[COMMANDS_MAX];
	size_t count = 0, rounds;
	uint64_t *times;
	posix_spawn_file_actions_t actions;

	if (argc < 3) {
		fprintf(stderr, "usage: bench-spawn ROUNDS COMMAND [ARG...] [, COMMAND [ARG...]]...\n");
		return 2;
	}
	rounds = strtoul(argv[1], NULL, 10);
	commands[count++] = argv + 2;
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], ",") || count == COMMANDS_MAX)
			continue;
		argv[i] = NULL;
		commands[count++] = argv + i + 1;
	}
	times = calloc(count * rounds, sizeof(*times));
	if (!times || !rounds || posix_spawn_file_actions_init(&actions) ||
	    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0) ||
	    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0))
		return 1;
	for (size_t c = 0; c < count; c++) /* warm */
		run_once(commands[c], &actions);
	for (size_t round = 0; round < rounds; round++)
		for (size_t c = 0; c < count; c++)
			times[c * rounds + round] = run_once(commands[c], &actions);
	for (size_t c = 0; c < count; c++) {
		uint64_t *row = times + c * rounds;

		qsort(row, rounds, sizeof(*row), compare);
		printf("%llu %llu\n", (unsigned long long)row[rounds / 2], (unsigned long long)row[rounds / 10]);
	}
	free(times);
	return 0;
}
