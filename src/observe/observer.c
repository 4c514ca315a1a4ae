/*
 * observer.c - the life of an observer, and the way of one notification: which handler looks at it, and what becomes
 * of what the handler found.
 *
 * Looking never opens anything but O_PATH descriptors and the first bytes of regular files that are executed, so it
 * cannot block. Memory is the facts, one event's scratch and fixed tables.
 */
#include <string.h>

#include "kernel/seccomp.h"
#include "observe/event.h"
#include "observe/used-calls.h"

typedef int handler_fn(struct sl_event *e);

static handler_fn *const handlers[] = {
	[SL_OP_OPEN] = sl_observe_open,
	[SL_OP_OPENAT2] = sl_observe_open,
	[SL_OP_CREAT] = sl_observe_open,
	[SL_OP_EXEC] = sl_observe_exec,
	[SL_OP_MKDIR] = sl_observe_make,
	[SL_OP_MKNOD] = sl_observe_make,
	[SL_OP_LINK] = sl_observe_link,
	[SL_OP_SYMLINK] = sl_observe_make,
	[SL_OP_UNLINK] = sl_observe_remove,
	[SL_OP_RMDIR] = sl_observe_remove,
	[SL_OP_RENAME] = sl_observe_rename,
	[SL_OP_TRUNCATE] = sl_observe_truncate,
	[SL_OP_CHMOD] = sl_observe_attribute,
	[SL_OP_CHOWN] = sl_observe_attribute,
	[SL_OP_UTIMES] = sl_observe_attribute,
	[SL_OP_SETXATTR] = sl_observe_attribute,
	[SL_OP_REMOVEXATTR] = sl_observe_attribute,
	[SL_OP_INODE_FLAGS] = sl_observe_attribute,
	[SL_OP_DEVICE_IOCTL] = sl_observe_ioctl,
	[SL_OP_BIND] = sl_observe_bind,
	[SL_OP_SYSV_IPC] = sl_observe_ipc,
};

struct sl_observer *sl_observer_new(const struct sl_observer_options *options)
{
	struct sl_observer *o = sl_xcalloc(1, sizeof(*o));

	o->options = *options;
	o->tmp_dir = options->tmp_dir ? sl_xstrdup(options->tmp_dir) : NULL;
	o->facts = sl_facts_new();
	o->net = sl_net_facts_new();
	sl_cache_init(&o->cache);
	return o;
}

void sl_observer_free(struct sl_observer *o)
{
	if (!o)
		return;
	sl_facts_free(o->facts);
	sl_net_facts_free(o->net);
	sl_memory_release(&o->memory);
	free(o->tmp_dir);
	free(o);
}

void sl_observer_set_root(struct sl_observer *o, pid_t root_pid)
{
	o->options.root_pid = root_pid;
}

/* The scratch is not cleared: that would cost more than the rest of a call that was seen before. */
static struct sl_event *begin(struct sl_observer *o, int listener, const struct seccomp_notif *n,
			      const struct sl_call *call)
{
	struct sl_event *e = &o->event;

	e->o = o;
	e->n = n;
	e->call = call;
	e->op = sl_call_op(call, (const uint64_t *)n->data.args);
	e->listener = listener;
	e->tid = (pid_t)n->pid;
	e->lenient = e->held = e->fifo = false;
	e->differs = e->tmp_used = e->removes_names = e->failure_needs_rights = false;
	e->has_raw[0] = e->has_raw[1] = false;
	e->step_count = e->arena_used = 0;
	e->answer = 0;
	e->cache_key = (struct sl_cache_key){ { 0 } };
	return e;
}

/* The caller must still wait: else its memory and its /proc entry may have been another's. */
static void finish(struct sl_event *e, int outcome)
{
	struct sl_observer *o = e->o;
	bool counts = outcome >= 0 || e->failure_needs_rights, allowed = true;

	if (!sl_notif_valid(e->listener, e->n->id))
		return;
	if (counts && o->options.explain)
		allowed = sl_event_explain(e);
	else if (counts)
		sl_event_commit(e);
	if (o->options.trace)
		sl_event_trace(e, outcome);
	if (outcome < 0 || !allowed)
		return;
	if (e->removes_names)
		sl_cache_bump(&o->cache);
	else if (e->cache_key.word[0] || e->cache_key.word[1])
		sl_cache_put(&o->cache, &e->cache_key, o->now_ms);
}

/* Let the call's handler look at it. SL_NOTHING, or the predicted outcome, then to be settled. */
static int look(struct sl_observer *o, int listener, const struct seccomp_notif *n)
{
	const struct sl_call *call = sl_call_by_nr(n->data.nr);
	struct sl_event *e;

	o->event.answer = 0;
	o->event.held = o->event.differs = false;
	if (o->options.calls)
		sl_call_set_add(&o->calls, n->data.nr);
	if (o->options.explain && !sl_policy_allows_call(o->options.explain, n->data.nr)) {
		o->event.listener = listener;
		sl_explain_unlisted(o, n);
		o->event.answer = -sl_call_unlisted_errno(n->data.nr);
		return SL_NOTHING;
	}
	if (!call)
		return SL_NOTHING;
	if (o->pending_count)
		sl_exec_verify(o, (pid_t)n->pid);
	if (call->op == SL_OP_NONE)
		return SL_NOTHING;
	o->now_ms = sl_cache_now_ms();
	e = begin(o, listener, n, call);
	if (o->setid_seen)
		sl_event_identify(e);
	if (e->op == SL_OP_SETID) {
		sl_event_setid(e);
		return SL_NOTHING;
	}
	if ((size_t)e->op >= SL_ARRAY_LEN(handlers) || !handlers[e->op])
		return SL_NOTHING;
	return handlers[e->op](e);
}

int sl_observer_notify(struct sl_observer *o, int listener, const struct seccomp_notif *n)
{
	int outcome = look(o, listener, n);

	if (outcome != SL_NOTHING)
		finish(&o->event, outcome);
	return o->event.answer;
}

void sl_observer_set_view(struct sl_observer *o, const struct sl_observer_view *view)
{
	o->view = *view;
	sl_cache_bump(&o->cache);
}

int sl_observer_look(struct sl_observer *o, int listener, const struct seccomp_notif *n)
{
	o->predicted = look(o, listener, n);
	o->looking = o->predicted != SL_NOTHING;
	return o->event.held ? SL_OBSERVER_SEEN : o->event.answer;
}

void sl_observer_settle(struct sl_observer *o, int outcome, bool native, bool changed)
{
	struct sl_event *e = &o->event;

	if (changed)
		sl_cache_bump(&o->cache);
	if (!o->looking)
		return;
	o->looking = false;
	if (!native) /* what the view answers is asked of it again */
		e->cache_key = (struct sl_cache_key){ { 0 } };
	finish(e, native || o->predicted < 0 ? o->predicted : SL_MIN(outcome, 0));
}

bool sl_observer_met_fifo(const struct sl_observer *o)
{
	return o->looking && o->event.fifo;
}

const struct sl_creds *sl_observer_caller(const struct sl_observer *o)
{
	return o->event.differs ? &o->event.caller : NULL;
}

void sl_observer_note(struct sl_observer *o, bool partial, const char *text)
{
	sl_facts_note(o->facts, partial, text);
}

void sl_observer_left(struct sl_observer *o, int (*type_of)(void *arg, const char *path, mode_t *ret), void *arg)
{
	sl_facts_left(o->facts, type_of, arg);
}

void sl_observer_run_done(struct sl_observer *o)
{
	/* What the next run does alike is to be seen again. */
	sl_cache_bump(&o->cache);
	sl_facts_run_done(o->facts);
}

void sl_observer_count_call(struct sl_observer *o, int nr)
{
	if (o->options.calls)
		sl_call_set_add(&o->calls, nr);
}

void sl_observer_net(struct sl_observer *o, const struct sl_net_event *e)
{
	if (o->options.explain)
		sl_net_explain(o, e);
	else
		sl_net_facts_event(o->net, e);
}

void sl_observer_net_settle(struct sl_observer *o, struct sl_names *names)
{
	char hosts[PATH_MAX];
	bool read = realpath("/etc/hosts", hosts) && sl_facts_has(o->facts, SL_RIGHT_READ, hosts);

	sl_net_facts_settle(o->net, names, read);
}

void sl_observer_finish(struct sl_observer *o, struct sl_profile *profile, struct sl_observation *ret)
{
	sl_facts_to_profile(o->facts, profile, ret);
	sl_net_facts_to_profile(o->net, profile);
	if (o->options.calls)
		sl_used_calls_to_profile(&o->calls, profile);
}

size_t sl_observer_memory(const struct sl_observer *o)
{
	return sizeof(*o) + sl_facts_memory(o->facts);
}
