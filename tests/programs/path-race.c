/*
 * Threads rewrite the path arguments of calls while other threads make them: "lowerN" and "upperN", of equal
 * length, take turns in one buffer. Argument: seconds to go on, at most; it ends earlier once enough calls
 * went through.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define PATHS  8
#define ENOUGH 3000

static char paths[PATHS][16];
static volatile int stop;
static volatile long rounds;

static void *rewrite(void *arg)
{
	(void)arg;
	for (unsigned i = 0; !stop; i++) {
		memcpy(paths[i % PATHS], i / PATHS % 2 ? "lower" : "upper", 5);
		if (i % 4096 == 0)
			usleep(1);
	}
	return NULL;
}

static void attempt(unsigned i)
{
	char *path = paths[i % PATHS], other[16];
	int fd;

	switch (i / PATHS % 8) {
	case 0:
	case 1:
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		if (fd >= 0) {
			if (write(fd, "overwritten", 11) < 0)
				stop = 1;
			close(fd);
		}
		break;
	case 2:
		unlink(path);
		break;
	case 3:
		chmod(path, 0600);
		break;
	case 4:
		snprintf(other, sizeof(other), "upper%u", (i + 1) % PATHS);
		rename(path, other);
		break;
	case 5:
		truncate(path, 1);
		break;
	case 6:
		setxattr(path, "user.race", "x", 1, 0);
		break;
	default:
		fd = open(path, O_RDONLY);
		if (fd >= 0) {
			fchmod(fd, 0640);
			ftruncate(fd, 0);
			close(fd);
		}
		break;
	}
	rounds++;
}

static void *work(void *arg)
{
	for (unsigned i = (unsigned)(size_t)arg; !stop; i += 3)
		attempt(i);
	return NULL;
}

int main(int argc, char **argv)
{
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 1);
	pthread_t threads[4];

	for (int i = 0; i < PATHS; i++)
		snprintf(paths[i], sizeof(paths[i]), "lower%d", i);
	pthread_create(&threads[0], NULL, rewrite, NULL);
	for (size_t i = 1; i < 4; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	while (rounds < ENOUGH && time(NULL) <= end)
		usleep(1000);
	stop = 1;
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	printf("rounds %ld\n", rounds);
	return 0;
}
