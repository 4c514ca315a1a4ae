/*
 * learn-merge.c - `learn --merge FILE`: what was learned, added to a profile that is there.
 *
 * The profile is read before the command runs, so that a bad one is refused while nothing has happened, and
 * again at the end, under the lock: another learn may have added to it meanwhile, and that stays.
 */
#include "base/path.h"
#include "cmd/learn.h"
#include "cmd/message.h"
#include "cmd/profile-arg.h"
#include "cmd/profile-look.h"
#include "cmd/profile-text.h"
#include "profile/merge.h"
#include "sandlock.h"

/* May the two be merged in the version that was asked for? 0 or a status. */
static int check_version(const struct sl_learn *l, const struct sl_profile *old)
{
	if (l->profile_version == 1 && old->version != 1) {
		sl_say("--profile-version: \"%s\" is of version %d, which version 1 cannot hold",
		       sl_esc(l->merge), old->version);
		return SANDLOCK_STATUS_USAGE;
	}
	return 0;
}

/* Limits that are there grow with what is used; no other is added. */
static bool has_limits(const struct sl_profile *p)
{
	return p->limits.memory != SL_INT_UNSET || p->limits.processes != SL_INT_UNSET ||
	       p->limits.open_files != SL_INT_UNSET;
}

int sl_learn_merge_open(struct sl_learn *l)
{
	struct sl_profile old;
	int status;

	if (!l->merge)
		return 0;
	sl_profile_init(&old, 2);
	status = sl_profile_load(l->merge, &old);
	if (!status)
		status = check_version(l, &old);
	/* A list that does not grow would refuse what was seen. */
	if (!status && old.syscalls.allow.present)
		l->observe_syscalls = true;
	if (!status && has_limits(&old))
		l->observe_limits = true;
	if (!l->output)
		l->output = l->merge;
	sl_profile_release(&old);
	return status;
}

int sl_learn_merge(struct sl_learn *l, struct sl_merge_base *base, struct sl_profile *ret,
		   struct sl_strv *notes)
{
	struct sl_error err = SL_ERROR_INIT;
	struct sl_profile *old = &base->old, v1;
	int status;

	if (l->out && sl_profile_lock(l->output, &base->lock, &err) < 0) {
		sl_say("%s", err.text);
		return SANDLOCK_STATUS_FAILED;
	}
	sl_profile_init(old, 2);
	status = sl_profile_text_read(l->merge, &base->text);
	if (!status)
		status = sl_profile_text_parse(&base->text, l->merge, old);
	if (!status)
		status = check_version(l, old);
	if (status)
		return status;
	if (l->profile_version == 1) {
		sl_profile_to_v1(&l->profile, &v1);
		sl_profile_merge_learned(old, &v1, &sl_profile_look, ret, notes);
		sl_profile_release(&v1);
	} else {
		if (old->version == 1)
			sl_profile_make_absolute(old);
		sl_profile_merge_learned(old, &l->profile, &sl_profile_look, ret, notes);
	}
	return 0;
}

void sl_merge_base_release(struct sl_merge_base *base)
{
	sl_strbuf_release(&base->text);
	if (base->old.version)
		sl_profile_release(&base->old);
	base->lock = sl_close(base->lock);
}
