/*
 * nameservers.c - see nameservers.h.
 */
#include "net/nameservers.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

static bool parse_address(char *text, uint16_t port, struct sl_nameserver *ret)
{
	char *scope = strchr(text, '%');

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &ret->in.sin_addr) == 1) {
		ret->in.sin_family = AF_INET;
		ret->in.sin_port = htons(port);
		ret->len = sizeof(ret->in);
		return true;
	}
	if (scope)
		*scope++ = '\0';
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET6, text, &ret->in6.sin6_addr) != 1)
		return false;
	ret->in6.sin6_family = AF_INET6;
	ret->in6.sin6_port = htons(port);
	if (scope) {
		ret->in6.sin6_scope_id = if_nametoindex(scope);
		if (!ret->in6.sin6_scope_id)
			ret->in6.sin6_scope_id = (uint32_t)strtoul(scope, NULL, 10);
	}
	ret->len = sizeof(ret->in6);
	return true;
}

void sl_nameservers_parse(const char *text, size_t len, uint16_t port, struct sl_nameservers *ret)
{
	static const char keyword[] = "nameserver", blanks[] = " \t\r";
	SL_FREE char *copy = sl_xstrndup(text, len);
	char *rest = copy, *line;

	ret->count = 0;
	while ((line = strsep(&rest, "\n")) && ret->count < SL_NAMESERVERS_MAX) {
		line += strspn(line, blanks);
		if (strncmp(line, keyword, sizeof(keyword) - 1) != 0)
			continue;
		line += sizeof(keyword) - 1;
		if (!strspn(line, blanks))
			continue;
		line += strspn(line, blanks);
		line[strcspn(line, " \t\r#;")] = '\0';
		if (parse_address(line, port, &ret->list[ret->count]))
			ret->count++;
	}
	if (!ret->count) {
		char local[] = "127.0.0.1";

		ret->count = parse_address(local, port, &ret->list[0]);
	}
}

/* Address and port in one form for both families. */
static bool fold(const struct sockaddr *addr, socklen_t len, struct sockaddr_in6 *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (len >= sizeof(struct sockaddr_in) && addr->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, addr, sizeof(in));
		ret->sin6_port = in.sin_port;
		ret->sin6_addr.s6_addr[10] = ret->sin6_addr.s6_addr[11] = 0xff;
		memcpy(ret->sin6_addr.s6_addr + 12, &in.sin_addr, sizeof(in.sin_addr));
		return true;
	}
	/* The kernel takes addresses without a scope too. */
	if (len >= offsetof(struct sockaddr_in6, sin6_scope_id) && addr->sa_family == AF_INET6) {
		memcpy(ret, addr, SL_MIN((size_t)len, sizeof(*ret)));
		return true;
	}
	return false;
}

int sl_nameservers_find(const struct sl_nameservers *n, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_in6 wanted, have;

	if (!fold(addr, len, &wanted))
		return -1;
	for (size_t i = 0; i < n->count; i++)
		if (fold(&n->list[i].any, n->list[i].len, &have) && have.sin6_port == wanted.sin6_port &&
		    IN6_ARE_ADDR_EQUAL(&have.sin6_addr, &wanted.sin6_addr))
			return (int)i;
	return -1;
}
