/*
 * lookup.c - asks for a name in the ways that resolvers have, each as that resolver does it, and says what
 * came of it.
 *
 * usage: lookup HOW NAME [PORT]
 *
 * libc       getaddrinfo; with PORT connects to the addresses in turn and prints what an HTTP server says
 * connected  UDP: connect, write, read (Go)
 * checked    UDP: connect, send, recvfrom, and the source must be the nameserver's (c-ares)
 * blocking   the same with a blocking recvfrom
 * sendto     UDP without connect: sendto, recvfrom, and the source must be the nameserver's (musl)
 * sendmsg, sendmmsg   the same with these
 * tcp        TCP: both lengths and all (the fallback of each)
 * peer       UDP: connect; prints the peer
 * smuggle    like sendto; behind the question stand bytes that are no part of it
 *
 * Prints addresses, "rcode N", "timeout", "peer ADDRESS", or "CALL: error".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 20000

static int failed(const char *call)
{
	printf("%s: %s\n", call, strerror(errno));
	return 1;
}

/* A query for the A records. */
static size_t make_query(const char *name, unsigned char *out)
{
	size_t len = 12;

	memset(out, 0, 12);
	out[0] = 0x12;
	out[1] = 0x34;
	out[2] = 1;
	out[5] = 1;
	while (*name) {
		size_t label = strcspn(name, ".");

		out[len++] = (unsigned char)label;
		memcpy(out + len, name, label);
		len += label;
		name += label + (name[label] == '.');
	}
	memcpy(out + len, "\0\0\1\0\1", 5);
	return len + 5;
}

/* Only what our own nameserver writes: names in the answer are plain, or one pointer. */
static int print_reply(const unsigned char *msg, size_t len, size_t query_len)
{
	size_t at = query_len;

	if (len < query_len || msg[0] != 0x12 || msg[1] != 0x34) {
		printf("no reply to the query\n");
		return 1;
	}
	if (msg[3] & 15) {
		printf("rcode %d\n", msg[3] & 15);
		return 1;
	}
	for (int i = msg[6] << 8 | msg[7]; i > 0; i--) {
		size_t size;

		while (at < len && msg[at] && (msg[at] & 0xc0) != 0xc0)
			at += 1 + msg[at];
		at += at < len && msg[at] ? 2 : 1;
		if (at + 10 > len)
			return 1;
		size = (size_t)msg[at + 8] << 8 | msg[at + 9];
		if (msg[at + 1] == 1 && at + 14 <= len)
			printf("%d.%d.%d.%d\n", msg[at + 10], msg[at + 11], msg[at + 12], msg[at + 13]);
		at += 10 + size;
	}
	return 0;
}

static struct sockaddr_in nameserver(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(53)};
	char line[256], word[64];
	FILE *f = fopen("/etc/resolv.conf", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "nameserver %63s", word) == 1 && inet_pton(AF_INET, word, &a.sin_addr) == 1)
			break;
	if (f)
		fclose(f);
	return a;
}

static int same(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
	return a->sin_family == b->sin_family && a->sin_addr.s_addr == b->sin_addr.s_addr &&
	       a->sin_port == b->sin_port;
}

static int send_query(int fd, const char *how, unsigned char *query, size_t len, struct sockaddr_in *server)
{
	struct iovec parts[2] = {{query, 5}, {query + 5, len - 5}};
	struct mmsghdr m = {
	    .msg_hdr = {
		.msg_name = server, .msg_namelen = sizeof(*server), .msg_iov = parts, .msg_iovlen = 2}};

	if (!strcmp(how, "sendmsg"))
		return sendmsg(fd, &m.msg_hdr, 0) < 0 ? failed("sendmsg") : 0;
	if (!strcmp(how, "sendmmsg"))
		return sendmmsg(fd, &m, 1, 0) < 0 ? failed("sendmmsg") : 0;
	return sendto(fd, query, len, 0, (struct sockaddr *)server, sizeof(*server)) < 0 ? failed("sendto")
											 : 0;
}

static int over_udp(const char *how, const char *name)
{
	struct sockaddr_in server = nameserver(), from = {0};
	socklen_t from_len = sizeof(from);
	unsigned char query[512], reply[4096];
	size_t len = make_query(name, query), query_len = len;
	int connected = !strcmp(how, "connected") || !strcmp(how, "peer");
	int checked = !strcmp(how, "checked") || !strcmp(how, "blocking");
	int fd =
	    socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | (strcmp(how, "blocking") ? SOCK_NONBLOCK : 0), 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char text[INET_ADDRSTRLEN];
	ssize_t n;

	if (fd < 0)
		return failed("socket");
	if ((connected || checked) && connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0)
		return failed("connect");
	if (!strcmp(how, "peer")) {
		if (getpeername(fd, (struct sockaddr *)&from, &from_len) < 0)
			return failed("getpeername");
		printf("peer %s %d\n", inet_ntop(AF_INET, &from.sin_addr, text, sizeof(text)),
		       ntohs(from.sin_port));
		return 0;
	}
	if (!strcmp(how, "smuggle")) {
		memcpy(query + len, "secret", 6);
		len += 6;
	}
	if (connected || checked) {
		if ((connected ? write(fd, query, len) : send(fd, query, len, 0)) < 0)
			return failed("send");
	} else if (send_query(fd, how, query, len, &server)) {
		return 1;
	}
	while (strcmp(how, "blocking") != 0 && poll(&p, 1, WAIT_MS) < 0)
		if (errno != EINTR)
			return failed("poll");
	if (strcmp(how, "blocking") != 0 && !p.revents) {
		printf("timeout\n");
		return 1;
	}
	n = connected ? read(fd, reply, sizeof(reply))
		      : recvfrom(fd, reply, sizeof(reply), 0, (struct sockaddr *)&from, &from_len);
	if (n < 0)
		return failed("receive");
	if (!connected && !same(&from, &server)) {
		printf("from %s %d\n", inet_ntop(AF_INET, &from.sin_addr, text, sizeof(text)),
		       ntohs(from.sin_port));
		return 1;
	}
	return print_reply(reply, (size_t)n, query_len);
}

static int over_tcp(const char *name)
{
	struct sockaddr_in server = nameserver();
	unsigned char query[512], reply[4096];
	size_t len = make_query(name, query + 2), size;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	query[0] = (unsigned char)(len >> 8);
	query[1] = (unsigned char)len;
	if (connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0)
		return failed("connect");
	if (write(fd, query, len + 2) != (ssize_t)len + 2)
		return failed("write");
	if (recv(fd, reply, 2, MSG_WAITALL) != 2)
		return failed("recv");
	size = (size_t)reply[0] << 8 | reply[1];
	if (size > sizeof(reply) || recv(fd, reply, size, MSG_WAITALL) != (ssize_t)size)
		return failed("recv");
	return print_reply(reply, size, len);
}

static int get(int fd)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	char text[4096];
	size_t len = 0;
	ssize_t n;
	const char *body;

	if (write(fd, request, sizeof(request) - 1) < 0)
		return failed("write");
	while (len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	body = strstr(text, "\r\n\r\n");
	printf("%s", body ? body + 4 : "no answer\n");
	return body ? 0 : 1;
}

static int with_libc(const char *name, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	int r = getaddrinfo(name, port, &hints, &found), fd = -1;

	if (r) {
		printf("getaddrinfo: %s\n", gai_strerror(r));
		return 1;
	}
	for (struct addrinfo *a = found; a; a = a->ai_next) {
		char text[NI_MAXHOST];

		if (!port) {
			getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
			puts(text);
			continue;
		}
		fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0)
			return get(fd);
	}
	return port ? failed("connect") : 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3)
		return 2;
	if (!strcmp(argv[1], "libc"))
		return with_libc(argv[2], argv[3]);
	if (!strcmp(argv[1], "tcp"))
		return over_tcp(argv[2]);
	return over_udp(argv[1], argv[2]);
}
