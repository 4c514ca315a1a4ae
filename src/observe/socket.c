/*
 * socket.c - bind to a path, which makes a file, and System V IPC. All else about sockets is done by the supervisor, which
 * reports it (network.h).
 */
#include <fcntl.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/path.h"
#include "observe/event.h"

union address {
	struct sockaddr any;
	struct sockaddr_un unix_path;
	char bytes[sizeof(struct sockaddr_storage)];
};

/* Copy the address argument; *ret_len is what the kernel looks at. The rest is zero, so a path is terminated. */
static int read_address(struct sl_event *e, union address *ret, size_t *ret_len)
{
	size_t len = (uint32_t)e->n->data.args[2];

	if (len > sizeof(*ret) || len < sizeof(sa_family_t))
		return -EINVAL;
	memset(ret, 0, sizeof(*ret));
	*ret_len = len;
	return sl_tracee_read(e->tid, e->n->data.args[1], ret, len);
}

/* The path of an AF_UNIX address that has one, into e->raw[0]. False for unnamed and abstract ones. */
static bool unix_path(struct sl_event *e, const union address *a, size_t len)
{
	size_t offset = offsetof(struct sockaddr_un, sun_path);

	if (a->any.sa_family != AF_UNIX || len <= offset || !a->unix_path.sun_path[0])
		return false;
	snprintf(e->raw[0], sizeof(e->raw[0]), "%.*s", (int)(len - offset), a->bytes + offset);
	e->has_raw[0] = true;
	return true;
}

static int bind_path(struct sl_event *e)
{
	SL_CLEANUP(sl_resolved_release) struct sl_resolved at = SL_RESOLVED_INIT;
	SL_FREE char *dir = NULL;
	int r = sl_event_resolve_plain(e, e->raw[0], SL_RESOLVE_PARENT | SL_RESOLVE_NOFOLLOW, &at);

	if (r < 0)
		return r;
	if (at.fd >= 0 || !at.name[0])
		return -EADDRINUSE;
	r = at.trailing_slash ? -ENOENT : sl_may_create(e, &at);
	if (r < 0)
		return r;
	dir = sl_path_dirname(at.path);
	sl_event_use(e, SL_RIGHT_CREATE, dir, true);
	sl_event_made(e, at.path);
	return 0;
}

int sl_observe_bind(struct sl_event *e)
{
	union address a;
	size_t len;
	int r = read_address(e, &a, &len);

	if (r < 0)
		return r;
	return unix_path(e, &a, len) ? bind_path(e) : SL_NOTHING;
}

int sl_observe_ipc(struct sl_event *e)
{
	const uint64_t *args = (const uint64_t *)e->n->data.args;
	bool used = true;

	/* A look-up that may find nothing is no use; what is done with what it finds is. */
	switch (e->n->data.nr) {
	case __NR_shmget:
	case __NR_semget:
		used = (key_t)args[0] == IPC_PRIVATE || args[2] & IPC_CREAT;
		break;
	case __NR_msgget:
		used = (key_t)args[0] == IPC_PRIVATE || args[1] & IPC_CREAT;
		break;
	case __NR_mq_open:
		used = args[1] & O_CREAT;
		break;
	default:
		break;
	}
	if (used && !e->o->options.explain)
		sl_facts_sysv_ipc(e->o->facts);
	return SL_NOTHING;
}
