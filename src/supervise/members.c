/*
 * members.c - enumerating and signalling the sandbox.
 */
#include "supervise/members.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "base/macros.h"

size_t sl_members_each(const struct sl_behalf *who, void (*visit)(pid_t pid, void *arg), void *arg)
{
	SL_CLOSEDIR DIR *proc = opendir("/proc");
	size_t count = 0;
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);

		if (*end || pid < 1 || pid > INT_MAX || !sl_behalf_is_inside(who, (pid_t)pid))
			continue;
		count++;
		visit((pid_t)pid, arg);
	}
	return count;
}

struct signalling {
	const struct sl_behalf *who;
	int sig;
};

/* Through a pidfd that was opened before asking once more: the number may have been given to another. */
static void signal_one(pid_t pid, void *arg)
{
	const struct signalling *s = arg;
	SL_CLOSE int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd >= 0 && sl_behalf_is_inside(s->who, pid))
		syscall(SYS_pidfd_send_signal, fd, s->sig, NULL, 0);
}

void sl_members_signal(const struct sl_behalf *who, int sig)
{
	struct signalling s = {who, sig};

	if (who->signal_scope)
		kill(-1, sig);
	else
		sl_members_each(who, signal_one, &s);
}
