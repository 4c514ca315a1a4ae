/*
 * bind-path.c - binding an AF_UNIX socket to a path on the caller's behalf.
 *
 * The name that is bound is what peers are shown, so it has to be the caller's own text, and the kernel walks
 * it: as who the caller is, from its working directory. What that walk may make is Landlock's to say, for the
 * links on the way can change until it is over. So it is done in a thread that is in the command's Landlock
 * domain, has a working directory and umask of its own, and does nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/macros.h"
#include "kernel/landlock.h"
#include "kernel/resolve.h"
#include "net/call.h"

struct path_bind {
	struct sl_net_call *c;
	const struct sl_address *address;
	int result;
};

/* Nothing of the caller can be looked at from inside the domain, and perhaps nothing of /proc: the domain
 * comes last. The thread ends as it is, so nothing is restored. */
static int bind_as_caller(const struct path_bind *p)
{
	struct sl_net_call *c = p->c;
	SL_CLOSE int cwd = sl_open_base(c->tid, AT_FDCWD);
	SL_FREE struct sl_identity *saved = NULL;
	struct sl_creds creds;

	if (cwd < 0 || sl_tracee_creds(c->tid, &creds) < 0 || !sl_net_call_valid(c))
		return -EACCES;
	if (unshare(CLONE_FS) < 0 || fchdir(cwd) < 0 || sl_identity_assume(&creds, &saved) < 0)
		return -EACCES;
	umask(creds.umask);
	if (sl_landlock_restrict(c->net->ruleset_fd) < 0)
		return -EACCES;
	return bind(c->fd, &p->address->any, p->address->len) < 0 ? -errno : 0;
}

static void *confined_main(void *arg)
{
	struct path_bind *p = arg;

	p->result = bind_as_caller(p);
	return NULL;
}

int64_t sl_net_bind_path(struct sl_net_call *c, const struct sl_address *a)
{
	struct path_bind p = {.c = c, .address = a, .result = -EACCES};
	pthread_t thread;

	/* Nothing is confined; the observer has seen it. */
	if (!c->net->policy)
		return SL_GO_ON;
	/* A thread for each: it is a rare call, and a domain cannot be left. */
	if (c->net->ruleset_fd < 0 || pthread_create(&thread, NULL, confined_main, &p) != 0)
		return -EACCES;
	pthread_join(thread, NULL);
	return p.result;
}
