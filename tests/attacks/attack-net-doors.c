/*
 * attack-net-doors.c - socket options that send packets to, or by way of, somebody whom no rule grants.
 *
 * usage: attack-net-doors [stream]
 *        attack-net-doors netlink FD
 *
 * To be run under a profile that grants udp://239.77.0.1 and udp://[ff02::77:1] and no other destination; "stream": what
 * takes no datagram socket, under one that grants nothing. All groups are
 * joined on the loopback interface, so nothing leaves the machine.
 */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <arpa/inet.h>

#include "attack.h"

#define GRANTED	 "239.77.0.1"
#define DENIED	 "239.77.0.2"
#define GRANTED6 "ff02::77:1"
#define DENIED6	 "ff02::77:2"
#define LOOPBACK 1 /* the first interface of every network namespace */
#define TRIES	 10000

#ifndef IPV6_FLOWLABEL_MGR
#define IPV6_FLOWLABEL_MGR 32
#endif
#define FL_ACTION_GET	 0
#define FL_FLAG_CREATE	 1
#define FL_SHARE_PROCESS 2

static int made(int family, int type)
{
	int fd = socket(family, type, 0);

	if (fd < 0)
		attack_die("socket");
	return fd;
}

static int datagram(int family)
{
	return made(family, SOCK_DGRAM);
}

static struct ip_mreqn membership(const char *group)
{
	struct ip_mreqn m = {.imr_ifindex = LOOPBACK};

	inet_pton(AF_INET, group, &m.imr_multiaddr);
	return m;
}

static struct ipv6_mreq membership6(const char *group)
{
	struct ipv6_mreq m = {.ipv6mr_interface = LOOPBACK};

	inet_pton(AF_INET6, group, &m.ipv6mr_multiaddr);
	return m;
}

static long join4(int family, const char *group)
{
	struct ip_mreqn m = membership(group);

	return setsockopt(datagram(family), IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m));
}

static long join6(const char *group)
{
	struct ipv6_mreq m = membership6(group);

	return setsockopt(datagram(AF_INET6), IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m, sizeof(m));
}

static void put_address(struct sockaddr_storage *to, const char *text)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &a.sin_addr) == 1)
		memcpy(to, &a, sizeof(a));
	else if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1)
		memcpy(to, &six, sizeof(six));
}

static long join_any(int fd, int family, const char *group)
{
	struct group_req g = {.gr_interface = LOOPBACK};

	put_address(&g.gr_group, group);
	return setsockopt(fd, family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, MCAST_JOIN_GROUP, &g, sizeof(g));
}

static long join_source(int family, const char *group, const char *source)
{
	struct group_source_req g = {.gsr_interface = LOOPBACK};

	put_address(&g.gsr_group, group);
	put_address(&g.gsr_source, source);
	return setsockopt(datagram(family), family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, &g, sizeof(g));
}

static long d_granted(void)
{
	return join4(AF_INET, GRANTED);
}

static long d_granted6(void)
{
	return join6(GRANTED6);
}

static long d_granted_any(void)
{
	return join_any(datagram(AF_INET), AF_INET, GRANTED);
}

static long d_join(void)
{
	return join4(AF_INET, DENIED);
}

static long d_join_on_six(void)
{
	return join4(AF_INET6, DENIED);
}

static long d_join_rubbish(void)
{
	struct ip_mreqn m = membership(DENIED);

	return syscall(SYS_setsockopt, datagram(AF_INET), 0x7700000000L | IPPROTO_IP, 0x7700000000L | IP_ADD_MEMBERSHIP, &m,
		       sizeof(m));
}

static long d_join_short(void)
{
	struct ip_mreqn m = membership(DENIED);

	m.imr_address.s_addr = htonl(INADDR_LOOPBACK);
	return setsockopt(datagram(AF_INET), IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(struct ip_mreq));
}

static long d_join_ssm(void)
{
	struct ip_mreq_source m = {.imr_interface.s_addr = htonl(INADDR_LOOPBACK), .imr_sourceaddr.s_addr = htonl(0x7f000002)};

	inet_pton(AF_INET, DENIED, &m.imr_multiaddr);
	return setsockopt(datagram(AF_INET), IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &m, sizeof(m));
}

static long d_join6(void)
{
	return join6(DENIED6);
}

static long d_join_any(void)
{
	return join_any(datagram(AF_INET), AF_INET, DENIED);
}

static long d_join_any6(void)
{
	return join_any(datagram(AF_INET6), AF_INET6, DENIED6);
}

/* Though no datagram comes out of a socket of TCP. */
static long d_join_stream(void)
{
	return join_any(made(AF_INET, SOCK_STREAM), AF_INET, DENIED);
}

static long d_join_stream6(void)
{
	return join_any(made(AF_INET6, SOCK_STREAM), AF_INET6, DENIED6);
}

static long d_join_source(void)
{
	return join_source(AF_INET, DENIED, "127.0.0.2");
}

static long d_join_source6(void)
{
	return join_source(AF_INET6, DENIED6, "::1");
}

/* Which group it is stands in memory. */
static struct ip_mreqn shared;
static atomic_int started, done;

static void *rewrite(void *arg)
{
	struct in_addr groups[2];

	inet_pton(AF_INET, GRANTED, &groups[0]);
	inet_pton(AF_INET, DENIED, &groups[1]);
	started = 1;
	for (unsigned int i = 0; !done; i++)
		__atomic_store_n(&shared.imr_multiaddr.s_addr, groups[i & 1].s_addr, __ATOMIC_RELAXED);
	return arg;
}

/* Only a member can leave. */
static long d_join_race(void)
{
	struct ip_mreqn granted = membership(GRANTED), denied = membership(DENIED);
	int fd = datagram(AF_INET);
	pthread_t thread;
	long won = 0;

	shared = granted;
	if (pthread_create(&thread, NULL, rewrite, NULL))
		attack_die("pthread_create");
	while (!started)
		;
	for (int i = 0; i < TRIES; i++) {
		if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &shared, sizeof(shared)) < 0)
			continue;
		won += setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &denied, sizeof(denied)) == 0;
		setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &granted, sizeof(granted));
	}
	done = 1;
	pthread_join(thread, NULL);
	errno = EACCES;
	return won ? 0 : -1;
}

/* A routing header of type 2 (RFC 6275) with one address, and of type 4 (RFC 8754). */
static const unsigned char by_way_of[24] = {IPPROTO_UDP, 2, 2, 1, [8] = 0x20, 0x01, 0x0d, 0xb8, [23] = 1};
static const unsigned char segments[24] = {IPPROTO_UDP, 2, 4, 0, [8] = 0x20, 0x01, 0x0d, 0xb8, [23] = 1};

/* A label that holds a routing header: packets with it go by way of what that names. */
static long d_flow_label(void)
{
	struct {
		struct in6_addr dst;
		uint32_t label;
		uint8_t action, share;
		uint16_t flags, expires, linger;
		uint32_t pad;
		struct cmsghdr header;
		unsigned char routing[sizeof(by_way_of)];
	} request = {
	    .dst = in6addr_loopback,
	    .action = FL_ACTION_GET,
	    .share = FL_SHARE_PROCESS,
	    .flags = FL_FLAG_CREATE,
	    .header = {.cmsg_len = CMSG_LEN(sizeof(by_way_of)), .cmsg_level = IPPROTO_IPV6, .cmsg_type = IPV6_RTHDR},
	};

	memcpy(request.routing, by_way_of, sizeof(by_way_of));
	return setsockopt(datagram(AF_INET6), IPPROTO_IPV6, IPV6_FLOWLABEL_MGR, &request, sizeof(request));
}

static long d_routing_header(void)
{
	return setsockopt(datagram(AF_INET6), IPPROTO_IPV6, IPV6_RTHDR, segments, sizeof(segments));
}

static long d_source_route(void)
{
	static const unsigned char route[] = {IPOPT_LSRR, 7, 4, 127, 0, 0, 9, 0};

	return setsockopt(datagram(AF_INET), IPPROTO_IP, IP_OPTIONS, route, sizeof(route));
}

/* A netlink socket that was open before the sandbox was there: set an address of the loopback interface. */
static int inherited;

static long d_netlink(void)
{
	struct {
		struct nlmsghdr header;
		struct ifaddrmsg message;
		struct rtattr attribute;
		struct in_addr address;
	} request = {
	    .header = {.nlmsg_len = sizeof(request), .nlmsg_type = RTM_NEWADDR, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE},
	    .message = {.ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = LOOPBACK},
	    .attribute = {.rta_len = RTA_LENGTH(sizeof(struct in_addr)), .rta_type = IFA_LOCAL},
	    .address.s_addr = htonl(0x0a4d0009),
	};
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[512];
	} answer;

	if (sendto(inherited, &request, sizeof(request), 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0 ||
	    recv(inherited, &answer, sizeof(answer), 0) < 0)
		return -1;
	errno = -answer.error.error;
	return errno ? -1 : 0;
}

int main(int argc, char **argv)
{
	static const struct attempt table[] = {
	    {"granted", d_granted},
	    {"granted-6", d_granted6},
	    {"granted-any", d_granted_any},
	    {"join", d_join},
	    {"join-on-six", d_join_on_six},
	    {"join-rubbish", d_join_rubbish},
	    {"join-short", d_join_short},
	    {"join-ssm", d_join_ssm},
	    {"join-6", d_join6},
	    {"join-any", d_join_any},
	    {"join-any-6", d_join_any6},
	    {"join-stream", d_join_stream},
	    {"join-stream-6", d_join_stream6},
	    {"join-source", d_join_source},
	    {"join-source-6", d_join_source6},
	    {"join-race", d_join_race},
	    {"flow-label", d_flow_label},
	    {"routing-header", d_routing_header},
	    {"source-route", d_source_route},
	};
	static const struct attempt netlink = {"netlink", d_netlink};

	if (argc == 3) {
		inherited = attack_number(argv[2]);
		attack_try(&netlink);
		return 0;
	}

	for (size_t i = 0; i < ATTACK_LEN(table); i++)
		if (argc < 2 || strstr(table[i].name, argv[1]))
			attack_try(&table[i]);
	return 0;
}
