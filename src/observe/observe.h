/*
 * observe.h - from notified calls to facts, from facts to a profile.
 *
 * A fact is (right, canonical object), held once. The right is what the kernel granted, not what was asked: each
 * call's outcome is predicted from the state the kernel is about to see (resolve as the caller, check as the
 * caller), the call itself is continued, and only a call that will succeed leaves facts. An exec that ends
 * in ENOEXEC is the one failure that needs a right, and leaves it.
 *
 * Objects that the run itself made (or put in place by rename) have no names of their own in the profile: what was
 * done to them counts on the nearest directory that was there before.
 *
 * The same prediction serves run --explain: instead of recording, each needed right is put to the policy.
 */
#ifndef SL_OBSERVE_OBSERVE_H
#define SL_OBSERVE_OBSERVE_H

#include <linux/seccomp.h>
#include <stdio.h>

#include "base/error.h"
#include "policy/policy.h"
#include "profile/profile.h"
#include "profile/sensitive.h"
#include "profile/write.h"

struct sl_observer;

struct sl_observer_options {
	pid_t root_pid;	      /* the command's process */
	const char *tmp_dir;  /* canonical private temporary directory, or NULL */
	FILE *trace;	      /* JSON lines, or NULL */
	bool calls;	      /* learn: record which system calls are made (the filter's plan has count_calls) */
	const struct sl_policy *explain; /* run --explain: report denials to stderr instead of recording */
};

struct sl_observer *sl_observer_new(const struct sl_observer_options *options);
void sl_observer_free(struct sl_observer *o);

/* The command's process id, known only after it was made. Before the first notification. */
void sl_observer_set_root(struct sl_observer *o, pid_t root_pid);

/* Objects are looked for on a view of the file system, which performs the calls itself: resolve is asked in the
 * place of sl_resolve_with(). *ret_native: the caller's own call arrives at the same object, and will be continued, so
 * that its outcome is to be predicted; else the view decides. upper: what is mapped from below this path is nobody's to
 * record. Both are borrowed. */
struct sl_resolve_opts;
struct sl_resolved;
struct sl_observer_view {
	int (*resolve)(void *arg, int dirfd, const char *path, const struct sl_resolve_opts *opts,
		       struct sl_resolved *ret, bool *ret_native);
	void *arg;
	const char *upper;
};
void sl_observer_set_view(struct sl_observer *o, const struct sl_observer_view *view);

/* With a view: look at a notification, and say later what became of the call. sl_observer_look() returns what
 * sl_observer_notify() does, or SL_OBSERVER_SEEN for an open that was continued a moment ago: nothing of it can have
 * changed, and there is nothing to settle. sl_observer_settle() records what was found if the outcome (0 or more) is a
 * success; native: the call is about to be continued, what was predicted decides. Only the first call after a look does
 * anything, and it must come before the answer. changed: something that was there before differs now. */
#define SL_OBSERVER_SEEN 1
int sl_observer_look(struct sl_observer *o, int listener, const struct seccomp_notif *n);
void sl_observer_settle(struct sl_observer *o, int outcome, bool native, bool changed);

/* Is what was looked at the open of a FIFO? */
bool sl_observer_met_fifo(const struct sl_observer *o);

/* The identity of the caller that was looked at, where it is not ours; else NULL. */
const struct sl_creds *sl_observer_caller(const struct sl_observer *o);

/* A warning from whoever performs the calls. */
void sl_observer_note(struct sl_observer *o, bool partial, const char *text);

/* Look at one notification. Never answers it: the caller continues the call (0), or answers it with the -errno that is
 * returned, which is what run would answer. listener is for sl_notif_valid(). Called from one thread only. */
int sl_observer_notify(struct sl_observer *o, int listener, const struct seccomp_notif *n);

/* What a directory entry opens that was never used. */
struct sl_opening {
	char *path;
	enum sl_fs_key key;
	size_t objects; /* 1 or more */
	bool more;	/* counting ended at a bound */
	struct sl_strv names; /* the first in byte order, below path */
};

/* Append "KEY on PATH opens N objects that were not used: a, b, c". */
void sl_opening_format(struct sl_strbuf *out, const struct sl_opening *o);

/* A call that is answered without being looked at: it was used. */
void sl_observer_count_call(struct sl_observer *o, int nr);

/* What was done with a socket, or refused. From any thread. */
struct sl_net_event;
void sl_observer_net(struct sl_observer *o, const struct sl_net_event *e);

/* The run is over: what it reached gets its names. names may be NULL. */
struct sl_names;
void sl_observer_net_settle(struct sl_observer *o, struct sl_names *names);

/* How the summary and the caller see the observation. */
struct sl_observation {
	size_t used;	      /* distinct (right, object) pairs that were used */
	size_t granted;	      /* those, and every other (right, object) that the profile's entries open now */
	bool granted_more;    /* counting ended at a bound: granted is a lower one */
	size_t count[SL_FS_KEY_COUNT]; /* entries by key */
	bool tmp_used;
	bool partial;	      /* something could not be seen or written; the notes say what */
	struct sl_strv notes; /* warnings, one escaped line each; the same for the same facts */
	struct sl_list some_runs[SL_FS_DENY]; /* after several runs: entries that not every one of them needed */
	struct sl_opening *openings; /* most objects first */
	size_t opening_count;
};
void sl_observation_release(struct sl_observation *r);

/* The command has ended, and its view, if it has one, is still there: see sl_facts_left(). */
void sl_observer_left(struct sl_observer *o, int (*type_of)(void *arg, const char *path, mode_t *ret), void *arg);

/* A run of the command has ended; another one may follow, with the same observer. */
void sl_observer_run_done(struct sl_observer *o);

/* Turn the facts into filesystem, syscalls and tmp keys of *profile (version 2; the rest is left alone), and fill
 * *ret. Deterministic: sorted, the same facts give the same bytes. */
void sl_observer_finish(struct sl_observer *o, struct sl_profile *profile, struct sl_observation *ret);

/* After directories in *p got more rights than the facts gave them: let names be moved and linked across directories as in
 * the run, by giving each source what its destination has. Not a protected source (homes: canonical or NULL): then a line
 * is appended to *notes. Returns whether entries were added, which may cover others. */
bool sl_observer_level(const struct sl_observer *o, struct sl_profile *p, const char *const homes[2],
		       struct sl_strv *notes);

/* Count again for a profile that is not quite what was observed: before is what the user has seen used (the observed
 * entries, and those of a profile that they were added to), written what the profile grants. Fills used, granted,
 * granted_more, count and openings of *ret anew. Changes the facts: the observer is good for nothing else after it. */
void sl_observer_recount(struct sl_observer *o, const struct sl_profile *before, const struct sl_profile *written,
			 struct sl_observation *ret);

/* The canonical home directories, malloc'd or NULL: what HOME says, and what the account has. */
void sl_homes(char *ret[2]);

/* How sensitive a canonical path is, by either home of sl_homes(). */
enum sl_sensitivity sl_homes_sensitivity(char *const homes[2], const char *path);

/* Bytes of memory held for facts and caches: grows with distinct objects, not with calls. */
size_t sl_observer_memory(const struct sl_observer *o);

#endif
