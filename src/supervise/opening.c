/*
 * opening.c - see opening.h.
 */
#include "supervise/opening.h"

#include <fcntl.h>
#include <linux/openat2.h>

#include "base/macros.h"
#include "kernel/tracee.h"
#include "policy/policy.h"

#define OPEN_HOW_MAX 4096 /* a page, as in the kernel */

static bool copy_how(struct sl_opening *o, uint64_t address, size_t size)
{
	uint64_t how[OPEN_HOW_MAX / sizeof(uint64_t)] = {0}; /* flags, mode, resolve, and what may come */

	if (size < sizeof(struct open_how) || size > sizeof(how) ||
	    sl_tracee_read(o->tid, address, how, size) < 0)
		return false;
	for (size_t i = sizeof(struct open_how) / sizeof(how[0]); i < SL_ARRAY_LEN(how); i++)
		if (how[i])
			return false;
	o->flags = how[0];
	o->mode = how[1];
	o->resolve = how[2];
	return true;
}

bool sl_opening_copy(struct sl_opening *o, const struct seccomp_notif *n, const struct sl_call *call)
{
	o->tid = (pid_t)n->pid;
	o->dirfd = call->dir_arg == SL_NO_ARG ? AT_FDCWD : (int)n->data.args[call->dir_arg];
	o->flags = o->mode = o->resolve = 0;
	if (sl_tracee_read_string(o->tid, n->data.args[call->path_arg], o->path, sizeof(o->path)) <= 0)
		return false;
	if (call->op == SL_OP_OPENAT2)
		return copy_how(o, n->data.args[call->flags_arg], n->data.args[3]);
	o->flags =
	    call->op == SL_OP_CREAT ? O_CREAT | O_WRONLY | O_TRUNC : (uint32_t)n->data.args[call->flags_arg];
	o->mode = (uint32_t)n->data.args[call->mode_arg];
	return true;
}

uint32_t sl_opening_rights(const struct sl_opening *o, bool is_dir)
{
	uint32_t rights = 0;

	switch (o->flags & O_ACCMODE) {
	case O_RDONLY:
		rights = is_dir ? SL_RIGHT_LIST : SL_RIGHT_READ;
		break;
	case O_WRONLY:
		rights = SL_RIGHT_WRITE;
		break;
	default:
		rights = SL_RIGHT_READ | SL_RIGHT_WRITE;
		break;
	}
	return o->flags & O_TRUNC ? rights | SL_RIGHT_WRITE : rights;
}
