/*
 * attack-net-race.c - another thread changes what a socket call names while it is made.
 *
 * usage: attack-net-race KIND TRIES GOOD BAD
 *
 * GOOD is granted, BAD is not; ports of the loopback interface or paths of AF_UNIX sockets, by KIND:
 *   connect, connect6, fastopen       TCP: the address behind the pointer changes
 *   sendto, sendmsg, iovec, sendmmsg  UDP: the address, the message header, or the vector of messages changes
 *   unspec                            UDP: the family goes between AF_INET and AF_UNSPEC, and the port with it
 *   named                             TCP: whether a send that connects has an address changes; only BAD is named
 *   descriptor                        the number is now a TCP socket, now a UDP socket, on which GOOD means something else
 *   path, path-dgram                  AF_UNIX: the path's bytes change
 *   link, link-dgram                  AF_UNIX: a symbolic link on the way changes, GOOD.link
 * Prints "good: N" and "denied: N", the calls that succeeded and those that gave EACCES. The servers count who came.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "attack.h"

static union {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un local;
} good, bad, shared;
static socklen_t good_len, bad_len, shared_len;
static volatile bool finished;
static volatile int raced_fd = -1, fds[2] = {-1, -1};
static struct msghdr shared_message;
static struct mmsghdr shared_messages[3];
static struct iovec payload = {(char *)"x", 1};
static char link_path[sizeof(good.local.sun_path)], link_other[2][136];
static const char *kind;
static long succeeded, denied;

static bool is(const char *name)
{
	return !strcmp(kind, name);
}

static void copy_slowly(const void *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((volatile char *)&shared)[i] = ((const char *)from)[i];
}

static void swap_link(int which)
{
	unlink(link_other[which]);
	if (symlink(which ? bad.local.sun_path : good.local.sun_path, link_other[which]) == 0)
		rename(link_other[which], link_path);
}

static void *meddle(void *unused)
{
	for (unsigned int i = 0; !finished; i++) {
		int which = (int)(i & 1);
		const void *from = which ? (const void *)&bad : &good;

		if (is("descriptor")) {
			dup2(fds[which], raced_fd);
		} else if (!strncmp(kind, "link", 4)) {
			swap_link(which);
		} else if (is("sendmsg") || is("iovec")) {
			shared_message.msg_name = which ? &bad : &good;
		} else if (is("named")) {
			shared_message.msg_name = which ? &bad : NULL;
		} else if (is("sendmmsg")) {
			for (int m = 0; m < 3; m++)
				shared_messages[m].msg_hdr.msg_name = which ? &bad : &good;
		} else if (is("unspec")) {
			shared.any.sa_family = which ? AF_UNSPEC : AF_INET;
			shared.in.sin_port = which ? bad.in.sin_port : good.in.sin_port;
		} else {
			copy_slowly(from, which ? bad_len : good_len);
		}
	}
	return unused;
}

static int make(int family, int type)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		attack_die("socket");
	return fd;
}

static long try_stream(int family)
{
	int fd = make(family, SOCK_STREAM);
	long r;

	if (is("fastopen"))
		r = sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, &shared.any, shared_len);
	else if (is("named"))
		r = sendmsg(fd, &shared_message, MSG_FASTOPEN | MSG_NOSIGNAL);
	else
		r = connect(fd, &shared.any, shared_len);
	r = r < 0 ? -errno : r;
	close(fd);
	return r;
}

static long try_datagram(int fd)
{
	long r;

	if (is("sendmsg") || is("iovec"))
		r = sendmsg(fd, &shared_message, 0);
	else if (is("sendmmsg"))
		r = sendmmsg(fd, shared_messages, 3, 0);
	else
		r = sendto(fd, "x", 1, MSG_DONTWAIT, &shared.any, shared_len);
	return r < 0 ? -errno : r;
}

/* To a datagram socket BAD's port is as denied as to a stream; GOOD's is only granted to streams. */
static long try_descriptor(void)
{
	long r = sendto(raced_fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL, &bad.any, bad_len);

	r = r < 0 ? -errno : r;
	if (r == -EACCES)
		return r;
	r = connect(raced_fd, &good.any, good_len) < 0 ? -errno : 0;
	return r == -EISCONN || r == -EALREADY ? 0 : r;
}

static void attempt(int datagram_fd)
{
	long r;

	if (is("descriptor"))
		r = try_descriptor();
	else if (datagram_fd >= 0)
		r = try_datagram(datagram_fd);
	else
		r = try_stream(shared.any.sa_family == AF_INET6 || is("connect6") ? AF_INET6
			       : good.any.sa_family);
	if (r >= 0)
		succeeded++;
	else if (r == -EACCES)
		denied++;
}

static socklen_t parse(const char *text, void *ret)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	struct sockaddr_un local = {.sun_family = AF_UNIX};

	if (text[0] == '/') {
		snprintf(local.sun_path, sizeof(local.sun_path), "%s", text);
		memcpy(ret, &local, sizeof(local));
		return sizeof(local);
	}
	in.sin_port = in6.sin6_port = htons((uint16_t)strtoul(text, NULL, 10));
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (is("connect6")) {
		memcpy(ret, &in6, sizeof(in6));
		return sizeof(in6);
	}
	memcpy(ret, &in, sizeof(in));
	return sizeof(in);
}

static void set_up(const char *good_text, const char *bad_text)
{
	good_len = parse(good_text, &good);
	bad_len = parse(bad_text, &bad);
	memcpy(&shared, &good, sizeof(shared));
	shared_len = good_len;
	if (!strncmp(kind, "link", 4)) {
		snprintf(link_path, sizeof(link_path), "%s.link", good_text);
		for (int i = 0; i < 2; i++)
			snprintf(link_other[i], sizeof(link_other[i]), "%s%d", link_path, i);
		swap_link(0);
		shared.local.sun_family = AF_UNIX;
		snprintf(shared.local.sun_path, sizeof(shared.local.sun_path), "%s", link_path);
		shared_len = sizeof(shared.local);
	}
	shared_message = (struct msghdr){.msg_name = &good, .msg_namelen = good_len, .msg_iov = &payload, .msg_iovlen = 1};
	for (int m = 0; m < 3; m++)
		shared_messages[m].msg_hdr = shared_message;
}

int main(int argc, char **argv)
{
	int datagram_fd = -1;
	pthread_t thread;
	long tries;

	if (argc != 5)
		attack_die("usage");
	kind = argv[1];
	tries = strtol(argv[2], NULL, 10);
	set_up(argv[3], argv[4]);
	if (is("descriptor")) {
		fds[0] = make(AF_INET, SOCK_STREAM);
		fds[1] = make(AF_INET, SOCK_DGRAM);
		raced_fd = dup(fds[0]);
	} else if (is("sendto") || is("sendmsg") || is("iovec") || is("sendmmsg") || is("unspec")) {
		datagram_fd = make(AF_INET, SOCK_DGRAM);
	} else if (strstr(kind, "dgram")) {
		datagram_fd = make(AF_UNIX, SOCK_DGRAM);
	}
	if (pthread_create(&thread, NULL, meddle, NULL))
		attack_die("pthread_create");
	for (long i = 0; i < tries; i++)
		attempt(datagram_fd);
	finished = true;
	pthread_join(thread, NULL);
	printf("good: %ld\ndenied: %ld\n", succeeded, denied);
	return 0;
}
