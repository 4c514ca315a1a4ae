/*
 * attack-network.c - reaching a network, or a socket of a process outside, under a profile that lists nothing.
 *
 * usage: attack-network TCP4 TCP6 UDP4 STREAM-PATH DGRAM-PATH ABSTRACT
 *
 * The first three are ports of servers on the loopback interface, the others names of AF_UNIX servers. Only what sends
 * or connects counts there; the rest tells what kinds of sockets can be made.
 */
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "attack.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef AF_XDP
#define AF_XDP 44
#endif

static int tcp4, tcp6, udp4;
static const char *stream_path, *dgram_path, *abstract_name;

static struct sockaddr_in at4(int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static struct sockaddr_in6 at6(int port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = in6addr_loopback};

	return a;
}

static struct sockaddr_un local(const char *path, bool is_abstract, socklen_t *len)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	memcpy(a.sun_path + is_abstract, path, strlen(path));
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + is_abstract + strlen(path) + !is_abstract);
	return a;
}

static long connect4(int fd)
{
	struct sockaddr_in a = at4(tcp4);

	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&a, sizeof(a));
}

static long n_tcp4(void)
{
	return connect4(socket(AF_INET, SOCK_STREAM, 0));
}

static long n_tcp4_nonblock(void)
{
	long r = connect4(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP));

	return r < 0 && errno == EINPROGRESS ? 0 : r;
}

static long n_tcp6(void)
{
	struct sockaddr_in6 a = at6(tcp6);
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&a, sizeof(a));
}

static long n_mapped(void)
{
	struct sockaddr_in6 a = at6(tcp4);
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	a.sin6_addr = (struct in6_addr)IN6ADDR_ANY_INIT;
	a.sin6_addr.s6_addr[10] = a.sin6_addr.s6_addr[11] = 255;
	a.sin6_addr.s6_addr[12] = 127;
	a.sin6_addr.s6_addr[15] = 1;
	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&a, sizeof(a));
}

static long n_mptcp(void)
{
	return connect4(socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP));
}

static long n_sctp(void)
{
	return socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
}

static long n_dccp(void)
{
	return socket(AF_INET, 6 /* SOCK_DCCP */, IPPROTO_DCCP);
}

static long fast_open(unsigned int more)
{
	struct sockaddr_in a = at4(tcp4);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? -1 : sendto(fd, "x", 1, (int)(MSG_FASTOPEN | more), (struct sockaddr *)&a, sizeof(a));
}

static long n_sendto_fast(void)
{
	return fast_open(0);
}

static long n_sendto_fast_more(void)
{
	long r = fast_open(MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE);

	return r < 0 && errno == EINPROGRESS ? 0 : r;
}

static long n_sendto_fast_rubbish(void)
{
	struct sockaddr_in a = at4(tcp4);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? -1
		      : syscall(SYS_sendto, fd, "x", 1UL, MSG_FASTOPEN | 0x5a5a5a5a00000000UL, (struct sockaddr *)&a,
				(unsigned long)sizeof(a));
}

static long n_sendmsg_fast(void)
{
	struct sockaddr_in a = at4(tcp4);
	struct iovec iov = {(char *)"x", 1};
	struct msghdr m = {.msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &iov, .msg_iovlen = 1};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	m.msg_flags = MSG_FASTOPEN;
	return fd < 0 ? -1 : sendmsg(fd, &m, MSG_FASTOPEN);
}

static long n_sendmmsg_fast(void)
{
	struct sockaddr_in a = at4(tcp4);
	struct iovec iov = {(char *)"x", 1};
	struct mmsghdr m = {.msg_hdr = {.msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &iov, .msg_iovlen = 1}};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? -1 : sendmmsg(fd, &m, 1, MSG_FASTOPEN);
}

/* An option makes a later connect wait for the first write, and flags in the header mean nothing to the kernel. */
static long n_fast_option(void)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one)) < 0)
		attack_die("TCP_FASTOPEN_CONNECT");
	return connect4(fd) < 0 || write(fd, "x", 1) < 0 ? -1 : 0;
}

static long n_bind4(void)
{
	struct sockaddr_in a = at4(0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? -1 : bind(fd, (struct sockaddr *)&a, sizeof(a));
}

static long n_bind6(void)
{
	struct sockaddr_in6 a = at6(0);
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	return fd < 0 ? -1 : bind(fd, (struct sockaddr *)&a, sizeof(a));
}

/* TCP_REPAIR and AF_UNSPEC go other ways in the kernel. */
static long n_bind_unspec(void)
{
	struct sockaddr_in a = {.sin_family = AF_UNSPEC};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? -1 : bind(fd, (struct sockaddr *)&a, sizeof(a));
}

static long n_listen(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? -1 : listen(fd, 1);
}

static long n_listen6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP);

	return fd < 0 ? -1 : listen(fd, 1);
}

static long n_udp4(void)
{
	struct sockaddr_in a = at4(udp4);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	return fd < 0 ? -1 : sendto(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof(a));
}

static long n_udp6(void)
{
	return socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static long n_udp_rubbish(void)
{
	return syscall(SYS_socket, AF_INET | 0x5a5a5a5a00000000L, SOCK_DGRAM | 0x5a5a5a5a00000000L, 0);
}

static long n_udplite(void)
{
	return socket(AF_INET, SOCK_DGRAM, 136 /* IPPROTO_UDPLITE */);
}

static long n_icmp(void)
{
	return socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
}

static long n_raw(void)
{
	return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static long n_raw6(void)
{
	return socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
}

static long n_packet(void)
{
	return socket(AF_PACKET, SOCK_DGRAM, htons(0x0800));
}

static long n_sock_packet(void)
{
	return socket(AF_INET, SOCK_PACKET, htons(0x0800));
}

static long n_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
}

static long n_vsock(void)
{
	return socket(AF_VSOCK, SOCK_STREAM, 0);
}

static long n_alg(void)
{
	return socket(AF_ALG, SOCK_SEQPACKET, 0);
}

static long n_key(void)
{
	return socket(AF_KEY, SOCK_RAW, 2);
}

static long n_xdp(void)
{
	return socket(AF_XDP, SOCK_RAW, 0);
}

static long n_can(void)
{
	return socket(AF_CAN, SOCK_RAW, 1);
}

static long n_bluetooth(void)
{
	return socket(AF_BLUETOOTH, SOCK_RAW, 1);
}

static long unix_connect(int type, const char *name, bool is_abstract)
{
	socklen_t len;
	struct sockaddr_un a = local(name, is_abstract, &len);
	int fd = socket(AF_UNIX, type, 0);

	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&a, len);
}

static long u_stream(void)
{
	return unix_connect(SOCK_STREAM, stream_path, false);
}

static long u_abstract(void)
{
	return unix_connect(SOCK_STREAM, abstract_name, true);
}

static long u_dgram_connect(void)
{
	return unix_connect(SOCK_DGRAM, dgram_path, false);
}

static long u_dgram(void)
{
	socklen_t len;
	struct sockaddr_un a = local(dgram_path, false, &len);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	return fd < 0 ? -1 : sendto(fd, "x", 1, 0, (struct sockaddr *)&a, len);
}

static long u_raw(void)
{
	socklen_t len;
	struct sockaddr_un a = local(dgram_path, false, &len);
	int fd = socket(AF_UNIX, SOCK_RAW, 0); /* the same as SOCK_DGRAM */

	return fd < 0 ? -1 : sendto(fd, "x", 1, 0, (struct sockaddr *)&a, len);
}

/* One end of a pair of datagram sockets can send to any name. */
static long u_pair_dgram(void)
{
	socklen_t len;
	struct sockaddr_un a = local(dgram_path, false, &len);
	struct iovec iov = {(char *)"x", 1};
	struct msghdr m = {.msg_name = &a, .msg_namelen = len, .msg_iov = &iov, .msg_iovlen = 1};
	int fds[2];

	return socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) < 0 ? -1 : sendmsg(fds[0], &m, 0);
}

static long u_pair_seqpacket(void)
{
	socklen_t len;
	struct sockaddr_un a = local(dgram_path, false, &len);
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) < 0)
		return -1;
	/* the address is not used on a connected socket: what is sent stays in the pair */
	sendto(fds[0], "x", 1, 0, (struct sockaddr *)&a, len);
	return 0;
}

static long pair_inet(void)
{
	int fds[2];

	return socketpair(AF_INET, SOCK_STREAM, 0, fds);
}

/* What must work. */

static long w_pair(void)
{
	int fds[2];
	char c;

	return socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 || write(fds[0], "x", 1) != 1 ? -1 : read(fds[1], &c, 1);
}

static long w_pipe(void)
{
	int fds[2];
	char c;

	return pipe(fds) < 0 || write(fds[1], "x", 1) != 1 ? -1 : read(fds[0], &c, 1);
}

static long w_unix_listen(void)
{
	socklen_t len;
	struct sockaddr_un a = local("own-socket", false, &len);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 ? -1 : listen(fd, 1);
}

/* Interfaces and routes are changed by ioctl on any socket; these name an interface that is not there. */

static long interface_ioctl(int family, unsigned long request)
{
	struct ifreq r = {.ifr_name = "no-such"};
	int fd = socket(family, SOCK_STREAM, 0);

	return fd < 0 ? -1 : ioctl(fd, request, &r);
}

static long i_flags(void)
{
	return interface_ioctl(AF_INET, SIOCSIFFLAGS);
}

static long i_flags_unix(void)
{
	return interface_ioctl(AF_UNIX, SIOCSIFFLAGS);
}

static long i_address(void)
{
	return interface_ioctl(AF_INET, SIOCSIFADDR);
}

static long i_route(void)
{
	unsigned char entry[120] = {0};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? -1 : ioctl(fd, SIOCADDRT, entry);
}

static long i_firewall(void)
{
	char rubbish[8] = {0};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? -1 : setsockopt(fd, IPPROTO_IP, 64 /* IPT_SO_SET_REPLACE */, rubbish, sizeof(rubbish));
}

static const struct attempt attempts[] = {
    {"tcp4", n_tcp4},
    {"tcp4-nonblocking", n_tcp4_nonblock},
    {"tcp6", n_tcp6},
    {"tcp6-mapped", n_mapped},
    {"mptcp", n_mptcp},
    {"sctp", n_sctp},
    {"dccp", n_dccp},
    {"sendto-fastopen", n_sendto_fast},
    {"sendto-fastopen-more", n_sendto_fast_more},
    {"sendto-fastopen-rubbish", n_sendto_fast_rubbish},
    {"sendmsg-fastopen", n_sendmsg_fast},
    {"sendmmsg-fastopen", n_sendmmsg_fast},
    {"fastopen-connect", n_fast_option},
    {"bind4", n_bind4},
    {"bind6", n_bind6},
    {"bind-unspec", n_bind_unspec},
    {"listen4", n_listen},
    {"listen6", n_listen6},
    {"udp4", n_udp4},
    {"udp6", n_udp6},
    {"udp-rubbish", n_udp_rubbish},
    {"udplite", n_udplite},
    {"icmp", n_icmp},
    {"raw4", n_raw},
    {"raw6", n_raw6},
    {"packet", n_packet},
    {"sock-packet", n_sock_packet},
    {"netlink", n_netlink},
    {"vsock", n_vsock},
    {"alg", n_alg},
    {"key", n_key},
    {"xdp", n_xdp},
    {"can", n_can},
    {"bluetooth", n_bluetooth},
    {"unix-stream", u_stream},
    {"unix-abstract", u_abstract},
    {"unix-dgram", u_dgram},
    {"unix-dgram-connect", u_dgram_connect},
    {"unix-raw", u_raw},
    {"pair-dgram", u_pair_dgram},
    {"pair-inet", pair_inet},
    {"interface-flags", i_flags},
    {"interface-flags-unix", i_flags_unix},
    {"interface-address", i_address},
    {"route", i_route},
    {"firewall", i_firewall},
    {"works-pair", w_pair},
    {"works-pair-seqpacket", u_pair_seqpacket},
    {"works-pipe", w_pipe},
    {"works-unix-listen", w_unix_listen},
};

int main(int argc, char **argv)
{
	if (argc != 7)
		return 2;
	tcp4 = attack_number(argv[1]);
	tcp6 = attack_number(argv[2]);
	udp4 = attack_number(argv[3]);
	stream_path = argv[4];
	dgram_path = argv[5];
	abstract_name = argv[6];
	attack_table(attempts, ATTACK_LEN(attempts));
	return 0;
}
