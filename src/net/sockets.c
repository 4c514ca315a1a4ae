/*
 * sockets.c - see sockets.h. The kernel lists AF_UNIX sockets with the device and inode that they are bound
 * to, or their abstract name (unix_diag, sock_diag(7)); who holds one is looked up among the descriptors of
 * the processes inside.
 *
 * An inode is bound to once in its life, by one socket, so "this inode belongs to that socket" stays true. An
 * accepted connection carries its listener's name, so only listening sockets and datagram sockets count.
 */
#include "net/sockets.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/macros.h"
#include "kernel/own-fd.h"

#define DUMP_BYTES (32 * 1024)

#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

/* What the socket is looked for by. */
struct wanted {
	const char *name; /* abstract, with its leading NUL; or NULL */
	size_t name_len;
	uint32_t inode, device; /* as the kernel numbers devices inside */
};

static bool matches(const struct unix_diag_msg *m, size_t len, const struct wanted *want)
{
	const struct rtattr *a = (const struct rtattr *)(m + 1);
	size_t left = len - sizeof(*m);

	if (m->udiag_type == SOCK_DGRAM ? false : m->udiag_state != TCP_LISTEN)
		return false;
	while (left >= sizeof(*a) && a->rta_len >= sizeof(*a) && a->rta_len <= left) {
		size_t step = RTA_ALIGN(a->rta_len);
		const struct unix_diag_vfs *vfs = RTA_DATA(a);

		if (a->rta_type == UNIX_DIAG_NAME && want->name && (size_t)RTA_PAYLOAD(a) == want->name_len &&
		    !memcmp(RTA_DATA(a), want->name, want->name_len))
			return true;
		if (a->rta_type == UNIX_DIAG_VFS && !want->name && (size_t)RTA_PAYLOAD(a) >= sizeof(*vfs) &&
		    vfs->udiag_vfs_ino == want->inode && vfs->udiag_vfs_dev == want->device)
			return true;
		left -= SL_MIN(step, left);
		a = (const struct rtattr *)(const void *)((const char *)a + step);
	}
	return false;
}

static int ask(const struct wanted *want)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req request;
	} message = {
	    .header = {.nlmsg_len = sizeof(message),
		       .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	    .request = {.sdiag_family = AF_UNIX,
			.udiag_states = UINT32_MAX,
			.udiag_show = want->name ? UDIAG_SHOW_NAME : UDIAG_SHOW_VFS},
	};
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd >= 0 && send(fd, &message, sizeof(message), 0) != sizeof(message))
		fd = sl_close(fd);
	return fd;
}

/* A socket: its inode number (sockfs), by which it stands in /proc, and its cookie. Numbers come round after 2^32 sockets,
 * which is some hours' work; cookies never do. */
struct found {
	uint32_t inode; /* 0: none */
	uint64_t cookie;
};

static struct found find_socket(const struct wanted *want)
{
	SL_CLOSE int fd = ask(want);
	SL_FREE char *buf = sl_xmalloc(DUMP_BYTES);
	const struct found none = {0};
	struct found found = none;

	while (fd >= 0) {
		ssize_t n = recv(fd, buf, DUMP_BYTES, 0);
		const struct nlmsghdr *h = (const struct nlmsghdr *)buf;
		unsigned int left = n > 0 ? (unsigned int)n : 0;

		if (n <= 0)
			return none;
		for (; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			const struct unix_diag_msg *m = NLMSG_DATA(h);

			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
				return h->nlmsg_type == NLMSG_DONE ? found : none;
			if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(*m)) &&
			    matches(m, h->nlmsg_len - NLMSG_LENGTH(0), want))
				found = (struct found){
				    m->udiag_ino, (uint64_t)m->udiag_cookie[1] << 32 | m->udiag_cookie[0]};
		}
	}
	return none;
}

static bool has_cookie(int fd, uint64_t cookie)
{
	uint64_t own = 0;
	socklen_t size = sizeof(own);

	return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &own, &size) == 0 && own == cookie;
}

/* The process's descriptor of that socket, ours; -ENOENT. */
static int take_from(pid_t pid, const char *link, uint64_t cookie)
{
	SL_FREE char *dir_name = sl_xasprintf("/proc/%d/fd", (int)pid);
	SL_CLOSEDIR DIR *dir = opendir(dir_name);
	const struct dirent *e;
	char text[64];

	while (dir && (e = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, text, sizeof(text) - 1);
		int fd;

		if (n <= 0)
			continue;
		text[n] = '\0';
		if (strcmp(text, link) != 0)
			continue;
		fd = sl_fd_take(pid, (int)strtol(e->d_name, NULL, 10));
		if (fd >= 0 && has_cookie(fd, cookie))
			return fd;
		sl_close(fd);
	}
	return -ENOENT;
}

static int take_from_any(const struct sl_net_call *c, struct found socket)
{
	SL_FREE char *link = sl_xasprintf("socket:[%u]", socket.inode);
	SL_CLOSEDIR DIR *proc = opendir("/proc");
	const struct dirent *e;

	while (proc && (e = readdir(proc))) {
		pid_t pid = isdigit((unsigned char)e->d_name[0]) ? (pid_t)strtol(e->d_name, NULL, 10) : 0;
		int fd;

		if (pid <= 0 || !c->net->is_inside(c->net->arg, pid))
			continue;
		fd = take_from(pid, link, socket.cookie);
		/* Looked at again: its number may have been given to somebody outside before the socket was taken. */
		if (fd >= 0 && c->net->is_inside(c->net->arg, pid))
			return fd;
		sl_close(fd);
	}
	return -EACCES;
}

int sl_own_socket_take(const struct sl_net_call *c, uint32_t inode, uint64_t cookie)
{
	return take_from_any(c, (struct found){inode, cookie});
}

int sl_own_socket_hold(const struct sl_net_call *c, const struct sl_address *a, int object)
{
	size_t offset = offsetof(struct sockaddr_un, sun_path);
	struct wanted want = {0};
	struct stat st;
	struct found socket;

	if (object >= 0) {
		if (fstat(object, &st) < 0)
			return -EACCES;
		want.inode = (uint32_t)st.st_ino;
		want.device = major(st.st_dev) << 20 | minor(st.st_dev);
	} else {
		want.name = a->local.sun_path;
		want.name_len = a->len - offset;
	}
	socket = find_socket(&want);
	return socket.inode ? take_from_any(c, socket) : -EACCES;
}
