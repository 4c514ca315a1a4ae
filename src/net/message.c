/*
 * message.c - see message.h. Of control data only what is known is passed on: what the kernel would judge by
 * who sends is judged here, by who asked.
 */
#include "net/message.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/macros.h"
#include "kernel/own-fd.h"

#define CONTROL_MAX (64 * 1024)
#define IOV_MAX_    1024 /* UIO_MAXIOV */
#define FDS_MAX	    253	 /* SCM_MAX_FD */

#ifndef SCM_TXTIME
#define SCM_TXTIME 61
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

void sl_message_release(struct sl_message *m)
{
	for (size_t i = 0; i < m->fd_count; i++)
		sl_close(m->fds[i]);
	free(m->fds);
	free(m->iov);
	free(m->control);
	*m = (struct sl_message){0};
}

static int add_up(struct sl_message *m)
{
	m->total = 0;
	for (size_t i = 0; i < m->iov_len; i++) {
		if (m->iov[i].iov_len > (size_t)SSIZE_MAX - m->total)
			return -EINVAL;
		m->total += m->iov[i].iov_len;
	}
	return 0;
}

int sl_message_read_sendto(const struct sl_net_call *c, struct sl_message *m)
{
	const __u64 *args = c->n.data.args;

	*m = (struct sl_message){.iov_len = 1};
	m->iov = sl_xcalloc(1, sizeof(*m->iov));
	/* The kernel cuts what is longer than it sends in one call. */
	m->iov[0] =
	    (struct iovec){(void *)(uintptr_t)args[1], SL_MIN((size_t)args[2], (size_t)INT_MAX & ~4095UL)};
	m->total = m->iov[0].iov_len;
	return args[4] ? sl_address_read(c->tid, args[4], args[5], &m->address) : 0;
}

/* The caller's descriptors become ours, in the same order. */
static int take_rights(const struct sl_net_call *c, struct sl_message *m, struct cmsghdr *h)
{
	size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int *fds = (int *)(void *)CMSG_DATA(h);

	if (m->fd_count + count > FDS_MAX)
		return -EINVAL;
	if (!m->fds)
		m->fds = sl_xcalloc(FDS_MAX, sizeof(*m->fds));
	for (size_t i = 0; i < count; i++) {
		int fd = sl_fd_take(c->tid, fds[i]);

		if (fd < 0)
			return -EBADF;
		m->fds[m->fd_count++] = fds[i] = fd;
	}
	return 0;
}

static bool is_one_of(uint32_t id, uint32_t real, uint32_t effective)
{
	return id == real || id == effective;
}

/* Whoever sends may only say who it is; we could say more. */
static int check_credentials(const struct sl_net_call *c, const struct cmsghdr *h)
{
	struct sl_creds creds;
	struct ucred said;

	if (h->cmsg_len != CMSG_LEN(sizeof(said)))
		return -EINVAL;
	memcpy(&said, CMSG_DATA(h), sizeof(said));
	if (sl_tracee_creds(c->tid, &creds) < 0 || said.pid != creds.tgid ||
	    !is_one_of(said.uid, creds.uid, creds.euid) || !is_one_of(said.gid, creds.gid, creds.egid))
		return -EPERM;
	return 0;
}

/* Can we say that we are somebody else? Its process number takes a capability, which we have from start to end or not. */
static bool may_speak_for_others(void)
{
	static int known; /* 1: yes, -1: no */
	int may = __atomic_load_n(&known, __ATOMIC_RELAXED);
	struct sl_creds own;

	if (!may) {
		may = geteuid() == 0 && sl_tracee_creds(getpid(), &own) == 0 &&
			      own.cap_effective & 1ULL << CAP_SYS_ADMIN
			  ? 1
			  : -1;
		__atomic_store_n(&known, may, __ATOMIC_RELAXED);
	}
	return may > 0;
}

static int check_control(const struct sl_net_call *c, struct sl_message *m, struct cmsghdr *h,
			 bool *has_credentials)
{
	static const struct {
		int level, type;
	} harmless[] = {
	    {SOL_SOCKET, SO_TIMESTAMPING}, {SOL_SOCKET, SCM_TXTIME},	{IPPROTO_IP, IP_PKTINFO},
	    {IPPROTO_IP, IP_TOS},	   {IPPROTO_IP, IP_TTL},	{IPPROTO_IPV6, IPV6_PKTINFO},
	    {IPPROTO_IPV6, IPV6_HOPLIMIT}, {IPPROTO_IPV6, IPV6_TCLASS}, {IPPROTO_IPV6, IPV6_DONTFRAG},
	    {IPPROTO_UDP, UDP_SEGMENT},
	};

	if (h->cmsg_level == SOL_SOCKET && c->family == AF_UNIX) {
		if (h->cmsg_type == SCM_RIGHTS)
			return take_rights(c, m, h);
		if (h->cmsg_type != SCM_CREDENTIALS)
			return -EINVAL;
		*has_credentials = true;
		return check_credentials(c, h);
	}
	for (size_t i = 0; i < SL_ARRAY_LEN(harmless); i++)
		if (h->cmsg_level == harmless[i].level && h->cmsg_type == harmless[i].type)
			return 0;
	return -EPERM;
}

/* A receiver that asks for the sender's credentials is told the caller's, where we may say so. */
static void add_credentials(const struct sl_net_call *c, struct sl_message *m)
{
	size_t at = CMSG_ALIGN(m->control_len), len = at + CMSG_SPACE(sizeof(struct ucred));
	struct cmsghdr h = {.cmsg_len = CMSG_LEN(sizeof(struct ucred)),
			    .cmsg_level = SOL_SOCKET,
			    .cmsg_type = SCM_CREDENTIALS};
	struct sl_creds creds;
	struct ucred own;

	if (!may_speak_for_others() || sl_tracee_creds(c->tid, &creds) < 0)
		return;
	own = (struct ucred){creds.tgid, creds.uid, creds.gid};
	m->control = sl_xrealloc(m->control, len);
	memset(m->control + m->control_len, 0, len - m->control_len);
	memcpy(m->control + at, &h, sizeof(h));
	memcpy(m->control + at + CMSG_LEN(0), &own, sizeof(own));
	m->control_len = len;
}

/* Take credentials out that we cannot state: the kernel states ours to a receiver that asks, which differ in the process's
 * number. */
static void drop_credentials(struct sl_message *m)
{
	size_t at = 0;

	while (at + sizeof(struct cmsghdr) <= m->control_len) {
		const struct cmsghdr *h = (const struct cmsghdr *)(const void *)(m->control + at);
		size_t size = SL_MIN(CMSG_ALIGN(h->cmsg_len), m->control_len - at);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_CREDENTIALS) {
			at += size;
			continue;
		}
		memmove(m->control + at, m->control + at + size, m->control_len - at - size);
		m->control_len -= size;
	}
}

static int read_control(const struct sl_net_call *c, uint64_t addr, uint64_t len, struct sl_message *m)
{
	bool has_credentials = false;
	size_t at = 0;
	int r;

	if (len > CONTROL_MAX)
		return -ENOBUFS;
	m->control_len = (size_t)len;
	if (len) {
		m->control = sl_xcalloc(1, (size_t)len);
		r = sl_tracee_read(c->tid, addr, m->control, (size_t)len);
		if (r < 0)
			return r == -EFAULT ? r : -EACCES;
	}
	/* As the kernel walks it: the last bytes may be no header. */
	while (at + sizeof(struct cmsghdr) <= m->control_len) {
		struct cmsghdr *h = (struct cmsghdr *)(void *)(m->control + at);

		if (h->cmsg_len < sizeof(*h) || h->cmsg_len > m->control_len - at)
			return -EINVAL;
		r = check_control(c, m, h, &has_credentials);
		if (r < 0)
			return r;
		at += CMSG_ALIGN(h->cmsg_len);
	}
	m->control_len = SL_MIN(m->control_len, at);
	if (has_credentials && !may_speak_for_others())
		drop_credentials(m);
	else if (!has_credentials && c->family == AF_UNIX && c->net->policy)
		add_credentials(c, m);
	return 0;
}

int sl_message_read(const struct sl_net_call *c, uint64_t addr, struct sl_message *m)
{
	struct msghdr h;
	int r;

	*m = (struct sl_message){0};
	r = sl_tracee_read(c->tid, addr, &h, sizeof(h));
	if (r < 0)
		return r == -EFAULT ? r : -EACCES;
	if (h.msg_name && (int)h.msg_namelen < 0)
		return -EINVAL;
	if (h.msg_name && h.msg_namelen) {
		r = sl_address_read(c->tid, (uintptr_t)h.msg_name,
				    SL_MIN((size_t)h.msg_namelen, sizeof(m->address.storage)), &m->address);
		if (r < 0)
			return r == -EFAULT || r == -EINVAL ? r : -EACCES;
	}
	if (h.msg_iovlen > IOV_MAX_)
		return -EMSGSIZE;
	m->iov_len = h.msg_iovlen;
	m->iov = sl_xcalloc(m->iov_len + 1, sizeof(*m->iov));
	if (m->iov_len) {
		r = sl_tracee_read(c->tid, (uintptr_t)h.msg_iov, m->iov, m->iov_len * sizeof(*m->iov));
		if (r < 0)
			return r == -EFAULT ? r : -EACCES;
	}
	r = add_up(m);
	return r < 0 ? r : read_control(c, (uintptr_t)h.msg_control, h.msg_control ? h.msg_controllen : 0, m);
}

int sl_message_copy(const struct sl_net_call *c, const struct sl_message *m, uint64_t offset, char *buf,
		    size_t len)
{
	for (size_t i = 0; i < m->iov_len && len; i++) {
		size_t here = m->iov[i].iov_len, take;
		int r;

		if (offset >= here) {
			offset -= here;
			continue;
		}
		take = SL_MIN(here - (size_t)offset, len);
		r = sl_tracee_read(c->tid, (uintptr_t)m->iov[i].iov_base + offset, buf, take);
		if (r < 0)
			return r == -EFAULT ? r : -EACCES;
		buf += take;
		len -= take;
		offset = 0;
	}
	return len ? -EFAULT : 0;
}
