/*
 * net-server.c - what the network's figures need on the other side: all servers in one process, in the network and
 * mount namespace in which it was started (unshare(1)).
 *
 * usage: bench-net-server RESOLV_CONF
 *
 * Brings the loopback interface up, puts RESOLV_CONF (which names 127.0.0.53) in place of the machine's, serves the ports
 * of bench-net (net.h), writes "ready" and ends with its standard input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

#define SINK_BYTES (1 << 20)
#define TYPE_A	   1
#define TYPE_AAAA  28

static void die(const char *what)
{
	fprintf(stderr, "bench-net-server: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		die("lo");
	close(fd);
}

static int bound(const char *host, uint16_t port, int type, int backlog)
{
	struct sockaddr_in a = net_address(host, port);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || (type == SOCK_STREAM && listen(fd, backlog) < 0))
		die("bind");
	return fd;
}

static void *accept_all(void *arg)
{
	int fd = *(int *)arg;

	for (;;) {
		int one = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (one >= 0)
			close(one);
	}
	return NULL;
}

/* Takes what comes; a byte back when it was told that this is all. */
static void *sink_all(void *arg)
{
	int fd = *(int *)arg;
	char *buf = malloc(SINK_BYTES);

	for (;;) {
		int one = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		while (one >= 0 && recv(one, buf, SINK_BYTES, 0) > 0)
			;
		if (one >= 0 && send(one, "", 1, MSG_NOSIGNAL) < 0)
			perror("bench-net-server: send");
		close(one);
	}
	return NULL;
}

/* Answers every question with one address. The name has no compression, so the question ends where its labels do. */
static void *answer_all(void *arg)
{
	int fd = *(int *)arg;

	for (;;) {
		struct sockaddr_in peer;
		socklen_t peer_len = sizeof(peer);
		uint8_t msg[1024];
		ssize_t n = recvfrom(fd, msg, 512, 0, (struct sockaddr *)&peer, &peer_len);
		size_t at = 12, len;
		uint8_t type;

		while (n > 17 && at + 5 < (size_t)n && msg[at])
			at += msg[at] + 1u;
		if (n < 18 || at + 5 > (size_t)n)
			continue;
		type = msg[at + 2];
		len = type == TYPE_A ? 4 : type == TYPE_AAAA ? 16 : 0;
		at += 5;
		msg[2] = 0x81;
		msg[3] = 0x80;
		memset(msg + 4, 0, 8);
		msg[5] = 1;
		msg[7] = len > 0;
		if (len) {
			const uint8_t head[] = {0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, (uint8_t)len};

			memcpy(msg + at, head, sizeof(head));
			at += sizeof(head);
			memset(msg + at, 0, len);
			msg[at + len - 1] = 1; /* ::1 */
			if (len == 4)
				msg[at] = 127; /* 127.0.0.1 */
			at += len;
		}
		sendto(fd, msg, at, 0, (struct sockaddr *)&peer, peer_len);
	}
	return NULL;
}

/* A listener that nobody accepts from, with all places taken: whoever comes now waits. */
static void fill_backlog(void)
{
	struct sockaddr_in a = net_address(NET_HOST, NET_FULL);

	bound(NET_HOST, NET_FULL, SOCK_STREAM, 0);
	for (int i = 0; i < 4; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (fd < 0 || (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 && errno != EINPROGRESS))
			die("backlog");
	}
}

int main(int argc, char **argv)
{
	static int taking, sinking, datagrams, names;
	pthread_t thread;
	char c;

	if (argc != 2) {
		fprintf(stderr, "usage: bench-net-server RESOLV_CONF\n");
		return 2;
	}
	loopback_up();
	if (mount(argv[1], "/etc/resolv.conf", NULL, MS_BIND, NULL) < 0)
		die("/etc/resolv.conf");
	taking = bound(NET_HOST, NET_TAKE, SOCK_STREAM, 4096);
	sinking = bound(NET_HOST, NET_SINK, SOCK_STREAM, 16);
	datagrams = bound(NET_HOST, NET_DATAGRAM, SOCK_DGRAM, 0);
	names = bound(NET_NAMESERVER, NET_DOMAIN, SOCK_DGRAM, 0);
	fill_backlog();
	if (pthread_create(&thread, NULL, accept_all, &taking) || pthread_create(&thread, NULL, sink_all, &sinking) ||
	    pthread_create(&thread, NULL, answer_all, &names))
		die("pthread_create");
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (read(0, &c, 1) > 0)
		;
	return datagrams < 0;
}
