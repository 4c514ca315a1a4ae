/*
 * async.c - FIOASYNC and O_ASYNC: signals when an open file is ready.
 *
 * Whom a signal may reach is settled when the owner is set: hook_file_set_fowner() in security/landlock/fs.c remembers the domain
 * of who sets it, unless control_current_fowner() finds the owner in the caller's own process. Since Linux 6.15 that
 * looks at pid_task(owner, type): of a process group the member that joined last. Where that is the caller
 * nothing is remembered, and send_sigio() later signals every member, those outside the sandbox too: the
 * command's group is its caller's. No group can be made an owner from inside (judge_fcntl() in policy/filter.c), but
 * __tty_fasync() in drivers/tty/tty_io.c makes a terminal's foreground group one as FIOASYNC is switched on. sock_fasync()
 * and pipe_fasync() set none: what they signal is who was made the owner by itself, and one process is judged
 * rightly. So this is for sockets and pipes alone, and for none that a group owns, which somebody outside made so.
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
