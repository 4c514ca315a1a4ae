/*
 * view-umask.c - the umasks of callers that make files. /proc/TID/status has the umask, but that text costs more than
 * the file does, so a thread's is kept for a moment.
 *
 * Nobody changes a umask but by umask(2), and whoever shares it shares its fs_struct (CLONE_FS). That call is notified, and is
 * made after it was answered. So it ends what is kept of all threads, and until the thread that made it comes with
 * its next call, or is gone, only that thread's umask is kept anew: it alone is certain to be past the change.
 */
#include <signal.h>
#include <string.h>

#include "kernel/tracee.h"
#include "supervise/view-calls.h"

static void drop_change(struct sl_view_umasks *u, size_t i)
{
	u->changing[i] = u->changing[--u->changing_len];
}

void sl_view_umask_call(struct sl_view_umasks *u, pid_t tid, bool changes)
{
	for (size_t i = 0; i < u->changing_len; i++)
		if (u->changing[i] == tid)
			drop_change(u, i--);
	if (!changes)
		return;
	memset(u->slots, 0, sizeof(u->slots));
	if (u->changing_len == SL_ARRAY_LEN(u->changing))
		u->lost = true;
	else
		u->changing[u->changing_len++] = tid;
}

/* May a umask be under change that tid shares? */
static bool is_changing(struct sl_view_umasks *u, pid_t tid)
{
	for (size_t i = 0; i < u->changing_len; i++) {
		if (u->changing[i] == tid)
			continue;
		if (kill(u->changing[i], 0) == 0 || errno != ESRCH)
			return true;
		drop_change(u, i--);
	}
	return u->lost;
}

int sl_view_umask_of(struct sl_view_umasks *u, pid_t tid, uint32_t now_ms, mode_t *ret)
{
	struct sl_view_umask *slot = &u->slots[(uint32_t)tid % SL_ARRAY_LEN(u->slots)];
	struct sl_creds creds;
	int r;

	if (slot->tid == tid && now_ms - slot->ms < SL_VIEW_AGE_MS) {
		*ret = slot->mask;
		return 0;
	}
	r = sl_tracee_creds(tid, &creds);
	if (r < 0)
		return r;
	slot->tid = is_changing(u, tid) ? 0 : tid;
	slot->mask = creds.umask;
	slot->ms = now_ms;
	*ret = creds.umask;
	return 0;
}
