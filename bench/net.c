/*
 * net.c - the program under test for the network's figures: does one kind of thing many times and says how long one
 * took. Its servers are bench-net-server's.
 *
 * usage: bench-net connect|blocked|stream|datagram|lookup COUNT
 *
 *   connect   TCP connections, each closed at once (reset, so that no port stays in TIME_WAIT)
 *   blocked   the same while a child waits in a connect to a listener whose backlog is full
 *   stream    COUNT mebibytes over one connection
 *   datagram  sends on one connected UDP socket
 *   lookup    getaddrinfo(3) of a name that a nameserver has
 *
 * Speaks to the driver in lines as bench-calls does: "ready", a line, nanoseconds for one (what can be repeated: the best
 * of five parts) and nanoseconds of CPU for one (the mean of all), a line, the end.
 */
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net.h"

#define PARTS	 5
#define MEBIBYTE (1 << 20)

static double clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void die(const char *what)
{
	fprintf(stderr, "bench-net: %s: %s\n", what, strerror(errno));
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

static int connected(int type, uint16_t port)
{
	struct sockaddr_in a = net_address(NET_HOST, port);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die("connect");
	return fd;
}

static void connect_close(size_t count)
{
	const struct linger reset = {.l_onoff = 1};

	for (size_t i = 0; i < count; i++) {
		int fd = connected(SOCK_STREAM, NET_TAKE);

		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
	}
}

static void send_datagrams(size_t count)
{
	static const char text[64];
	int fd = connected(SOCK_DGRAM, NET_DATAGRAM);

	for (size_t i = 0; i < count; i++)
		if (send(fd, text, sizeof(text), 0) < 0)
			die("send");
	close(fd);
}

static void look_up(size_t count)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;

	for (size_t i = 0; i < count; i++) {
		if (getaddrinfo(NET_NAME, "80", &hints, &found))
			die(NET_NAME);
		freeaddrinfo(found);
	}
}

/* Whole, until the other side has it all. */
static double stream(size_t mebibytes)
{
	char *buf = calloc(1, MEBIBYTE), c;
	int fd = connected(SOCK_STREAM, NET_SINK);
	double start = now_ns();

	for (size_t i = 0; i < mebibytes; i++)
		for (size_t done = 0; done < MEBIBYTE;) {
			ssize_t n = send(fd, buf + done, MEBIBYTE - done, 0);

			if (n < 0)
				die("send");
			done += (size_t)n;
		}
	shutdown(fd, SHUT_WR);
	if (recv(fd, &c, 1, 0) != 1)
		die("recv");
	free(buf);
	return (now_ns() - start) / (double)mebibytes;
}

static void start_blocked(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	connected(SOCK_STREAM, NET_FULL);
	_exit(1);
}

static double best_part(void (*work)(size_t), size_t count)
{
	size_t each = count / PARTS;
	double best = 0;

	for (int part = 0; part < PARTS; part++) {
		double start = now_ns(), one;

		work(each);
		one = (now_ns() - start) / (double)each;
		if (!part || one < best)
			best = one;
	}
	return best;
}

int main(int argc, char **argv)
{
	size_t count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	const char *kind = argc == 3 ? argv[1] : "";
	double ns, cpu_ns;

	if (count < PARTS) {
		fprintf(stderr, "usage: bench-net connect|blocked|stream|datagram|lookup COUNT\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!strcmp(kind, "blocked"))
		start_blocked();
	puts("ready");
	wait_for_line();
	cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	if (!strcmp(kind, "connect") || !strcmp(kind, "blocked"))
		ns = best_part(connect_close, count);
	else if (!strcmp(kind, "datagram"))
		ns = best_part(send_datagrams, count);
	else if (!strcmp(kind, "lookup"))
		ns = best_part(look_up, count);
	else if (!strcmp(kind, "stream"))
		ns = stream(count);
	else
		return 2;
	cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	printf("%.2f %.2f\n", ns, cpu_ns / (double)count);
	wait_for_line();
	return 0;
}
