/* net.h - what bench-net and bench-net-server agree on. */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>

#define NET_HOST       "127.0.0.1"
#define NET_TAKE       7001 /* TCP: accepts and closes */
#define NET_SINK       7002 /* TCP: takes bytes */
#define NET_DATAGRAM   7003 /* UDP: nobody reads */
#define NET_FULL       7004 /* TCP: the backlog is full */
#define NET_NAMESERVER "127.0.0.53"
#define NET_DOMAIN     53
#define NET_NAME       "host.example"

static inline struct sockaddr_in net_address(const char *host, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	inet_pton(AF_INET, host, &a.sin_addr);
	return a;
}

#endif
