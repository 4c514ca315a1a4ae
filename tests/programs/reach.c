/*
 * reach.c - asks, from inside a sandbox, what can be reached.
 *
 * Each argument is a destination: tcp://HOST:PORT, udp://HOST:PORT, icmp://HOST (HOST an address, IPv6 in
 * brackets), bind://PORT (TCP), unix:PATH or unix:@NAME (a stream), datagram:PATH. One line each: "0" where it worked,
 * else the name of the error. Static, so that it needs no grant but that on itself.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip_icmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un local;
};

/* "1.2.3.4:80", "[::1]:80"; the port may be missing. The address's length, or 0. */
static socklen_t parse(const char *text, union address *a)
{
	char host[64];
	const char *end = *text == '[' ? strchr(text, ']') : strchrnul(text, ':'), *port;

	if (!end || end - text >= (long)sizeof(host))
		return 0;
	memcpy(host, text, (size_t)(end - text));
	host[end - text] = '\0';
	port = strchr(end, ':');
	memset(a, 0, sizeof(*a));
	if (*text == '[') {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = htons(port ? atoi(port + 1) : 0);
		return inet_pton(AF_INET6, host + 1, &a->in6.sin6_addr) == 1 ? sizeof(a->in6) : 0;
	}
	a->in.sin_family = AF_INET;
	a->in.sin_port = htons(port ? atoi(port + 1) : 0);
	return inet_pton(AF_INET, host, &a->in.sin_addr) == 1 ? sizeof(a->in) : 0;
}

static int try_connect(int type, int protocol, const union address *a, socklen_t len)
{
	int fd = socket(a->any.sa_family, type, protocol), error = 0;

	if (fd < 0)
		return errno;
	if (connect(fd, &a->any, len) || (type == SOCK_DGRAM && send(fd, "x", 1, 0) < 0))
		error = errno;
	close(fd);
	return error;
}

static int try_echo(const union address *a, socklen_t len)
{
	bool six = a->any.sa_family == AF_INET6;
	struct icmphdr echo = { .type = six ? 128 : ICMP_ECHO };
	int fd = socket(a->any.sa_family, SOCK_DGRAM, six ? IPPROTO_ICMPV6 : IPPROTO_ICMP), error = 0;

	if (fd < 0)
		return errno;
	if (sendto(fd, &echo, sizeof(echo), 0, &a->any, len) < 0)
		error = errno;
	close(fd);
	return error;
}

static int try_bind(const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1, error = 0;

	if (fd < 0)
		return errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1))
		error = errno;
	close(fd);
	return error;
}

static int try_local(int type, const char *name)
{
	union address a = { .local = { .sun_family = AF_UNIX } };
	size_t len = strlen(name);

	if (len >= sizeof(a.local.sun_path))
		return ENAMETOOLONG;
	memcpy(a.local.sun_path, name, len);
	if (*name == '@')
		a.local.sun_path[0] = '\0';
	return try_connect(type, 0, &a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (*name != '@')));
}

static int try(const char *target)
{
	const char *rest = strstr(target, "://");
	union address a;
	socklen_t len;

	if (!strncmp(target, "unix:", 5))
		return try_local(SOCK_STREAM, target + 5);
	if (!strncmp(target, "datagram:", 9))
		return try_local(SOCK_DGRAM, target + 9);
	if (!rest)
		return EINVAL;
	if (!strncmp(target, "bind", 4))
		return try_bind(rest + 3);
	len = parse(rest + 3, &a);
	if (!len)
		return EINVAL;
	switch (target[0]) {
	case 't':
		return try_connect(SOCK_STREAM, 0, &a, len);
	case 'u':
		return try_connect(SOCK_DGRAM, 0, &a, len);
	default:
		return try_echo(&a, len);
	}
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int error = try(argv[i]);

		printf("%s\n", error ? strerrorname_np(error) : "0");
	}
	return 0;
}
