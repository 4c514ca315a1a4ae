/*
 * async.c - FIOASYNC and O_ASYNC: signals when an open file is ready.
 *
 * Where its owner is a process group that the command shares with its caller, some kernels leave out
 * Landlock's signal scope (see judge_fcntl() in policy/filter.c), and a terminal takes such a group by
 * itself. So they can be switched on for sockets and pipes alone, which have no owner but the one they were
 * given, and for none that a group owns. No group can be made an owner from inside.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/macros.h"
#include "kernel/own-fd.h"
#include "net/call.h"

static bool may_signal(int fd)
{
	struct f_owner_ex owner = {0};
	struct stat st;

	if (fstat(fd, &st) < 0 || !(S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode)))
		return false;
	return fcntl(fd, F_GETOWN_EX, &owner) == 0 && owner.type != F_OWNER_PGRP;
}

int64_t sl_net_async(struct sl_net_call *c)
{
	int on = 1, r;

	c->fd = sl_fd_take_by(&c->net->pidfds, c->tid, (int)c->n.data.args[0]);
	if (c->fd < 0)
		return c->fd == -EBADF ? -EBADF : -EPERM;
	if (c->call->nr == __NR_ioctl) {
		r = sl_tracee_read(c->tid, c->n.data.args[2], &on, sizeof(on));
		if (r < 0)
			return r == -EFAULT ? r : -EPERM;
	}
	if (!sl_net_call_valid(c) || (on && !may_signal(c->fd)))
		return -EPERM;
	if (c->call->nr == __NR_ioctl)
		r = ioctl(c->fd, FIOASYNC, &on);
	else
		r = fcntl(c->fd, F_SETFL, (int)c->n.data.args[2]);
	return r < 0 ? -errno : 0;
}
