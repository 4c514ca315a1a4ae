/*
 * beside.h - calls next to what is denied, done on behalf of a confined process.
 *
 * A directory on the way to something denied (a "way", policy/deny.h) has no rule of Landlock's that would
 * let anything be made, removed or renamed in it, and what is made in it has no rule of its own. Such a call
 * is done here where the profile grants it. Whatever Landlock decides as well (what it has a rule for, what
 * the profile does not grant, what is denied, what would fail anyhow) is continued: that can give a process
 * nothing that it has not.
 *
 * What keeps the denial: no name that is denied or leads to something denied is made, removed, renamed or
 * replaced, but that a directory may be made on the way to a denied name that is not there; no object that is
 * denied is opened, linked or moved, whatever its name; a name moved to another directory gains no right. In
 * a way, and in what was made there, a confined process can change no name by itself, and this thread does
 * one call at a time: what was decided about a name there holds when the call is done. Elsewhere every object
 * is held by a descriptor from before the decision.
 *
 * Every call is looked at twice: as ourselves, which is enough to tell what is continued, and then as the
 * caller, with its identity, root and directory, for the decision that counts.
 */
#ifndef SL_SUPERVISE_BESIDE_H
#define SL_SUPERVISE_BESIDE_H

#include "kernel/resolve.h"
#include "kernel/tracee.h"
#include "policy/calls.h"
#include "supervise/behalf.h"
#include "supervise/opening.h"

/* A handler's result for a call that is to be continued. */
#define SL_NOT_OURS (-100000)

struct sl_beside_call {
	const struct sl_behalf *behalf;
	const struct seccomp_notif *notif;
	const struct sl_call *call;
	int listener;
	bool act; /* the second look: resolve as the caller, then do it */
	struct sl_creds creds;
	bool answered;		/* by another thread, sooner or later */
	struct sl_opening open; /* of an open */
	char path[2][PATH_MAX]; /* of other calls, copied once */
	char target[PATH_MAX];	/* of a symbolic link that is made */
};

/* How the profile and Landlock stand to rights at a path. */
enum sl_beside_verdict {
	SL_BESIDE_REFUSED, /* not granted, or denied */
	SL_BESIDE_NATIVE,  /* Landlock grants them itself */
	SL_BESIDE_OURS,
};
enum sl_beside_verdict sl_beside_decide(const struct sl_policy *p, const char *path, uint32_t rights);

/* Is the object denied by its identity? Also where that cannot be told. */
bool sl_beside_denies_object(const struct sl_policy *p, int fd);

/* Resolve a path of the call relative to a descriptor of the caller's. SL_RESOLVE_* flags, RESOLVE_* of
 * openat2(2). 0 or -errno: in the first look, -errno means that it is to be continued. */
int sl_beside_resolve(const struct sl_beside_call *c, int dirfd, const char *path, int flags,
		      uint64_t resolve, struct sl_resolved *ret);

/* Take on the caller's identity and umask for one call. 0 or -EACCES. */
struct sl_beside_identity {
	struct sl_identity *saved;
	mode_t umask;
};
int sl_beside_assume(const struct sl_beside_call *c, struct sl_beside_identity *ret);
void sl_beside_restore(struct sl_beside_identity *i);

/* The handlers. With act unset: SL_NOT_OURS, or 0 where it is ours. With act set the result of the call: a
 * descriptor of our own for an open, 0, -errno, or SL_NOT_OURS. */
int sl_beside_open(struct sl_beside_call *c);
int sl_beside_make(struct sl_beside_call *c); /* mkdir, mknod, symlink */
int sl_beside_remove(struct sl_beside_call *c);
int sl_beside_rename(struct sl_beside_call *c);
int sl_beside_link(struct sl_beside_call *c);
int sl_beside_truncate(struct sl_beside_call *c);

#endif
