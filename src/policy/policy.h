/*
 * policy.h - what is to be enforced, made from a profile once, and the one evaluator.
 *
 * A policy is built when run starts: every entry is opened (O_PATH), turned into its canonical path, kind and
 * rights, and added to the Landlock ruleset by the same descriptor, so that what Landlock enforces and what the
 * evaluator answers come from one list. After that it never changes; it may be read from any thread.
 *
 * Rights are those of version 2. Version 1 entries are translated: read gives READ|LIST|EXEC, write everything.
 */
#ifndef SL_POLICY_POLICY_H
#define SL_POLICY_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/call-set.h"
#include "policy/deny.h"
#include "policy/net-plan.h"
#include "policy/net-rules.h"
#include "profile/profile.h"

enum sl_right {
	SL_RIGHT_READ = 1 << 0,
	SL_RIGHT_LIST = 1 << 1,
	SL_RIGHT_EXEC = 1 << 2,
	SL_RIGHT_WRITE = 1 << 3,
	SL_RIGHT_CREATE = 1 << 4,
	SL_RIGHT_DELETE = 1 << 5,
	SL_RIGHT_IOCTL = 1 << 6, /* device ioctl: comes with write on a device, never written by itself */
};
#define SL_RIGHTS_ALL 0x7fu
#define SL_RIGHTS_READING ((uint32_t)(SL_RIGHT_READ | SL_RIGHT_LIST | SL_RIGHT_EXEC))

/* One granted object. */
struct sl_rule {
	char *path;	    /* canonical */
	uint32_t rights;    /* enum sl_right, as they hold on the object (and below it, for a directory) */
	bool is_dir;
	const char *origin; /* "filesystem.read" or "--fs-read": for messages; static */
	int line;	    /* in the profile, or 0 */
	bool carved; /* something below is denied: Landlock has rules for what is in it instead of this one */
	struct sl_object_id id; /* what the rule is for, where anything is denied */
};

/* Entries below /proc/self (or /proc/thread-self): held by the supervisor for each process of the sandbox. */
struct sl_self_rule {
	char *rest;	  /* "maps", "task", "" for /proc/self itself; normal, relative */
	uint32_t rights;  /* READ, LIST, WRITE */
};

struct sl_policy {
	struct sl_rule *rules; /* sorted by path, one per path */
	size_t rule_count;
	struct sl_self_rule *self_rules;
	size_t self_rule_count;
	struct sl_strv self_denied; /* of those, what is denied, in the same form */
	struct sl_deny deny;
	char *tmp_dir; /* canonical path of the private temporary directory, or NULL; also in rules */
	char *view;    /* canonical path of the directory whose changes go to a view, or NULL: below it Landlock
			  grants reading alone, the supervisor the rest */
	bool allow_sysv_ipc;
	struct sl_net_rules net;
	struct sl_net_plan net_plan; /* as it is where a supervisor answers */
	struct sl_strv extra_deny; /* system call names */
	bool calls_listed;	   /* only these calls are possible: */
	struct sl_call_set calls;
	struct sl_strv warnings;   /* entries that were skipped, one escaped line each */
};

#define SL_POLICY_INIT ((struct sl_policy){ 0 })
void sl_policy_release(struct sl_policy *p);

/* Something a process wants to do to an object. */
struct sl_access {
	uint32_t right;	  /* one or more SL_RIGHT_* bits; all must be granted */
	const char *path; /* canonical */
};

/* Does the policy grant the access? Pure: looks only at the rules. For CREATE and DELETE path is the directory in
 * which a name is made or removed. WRITE is also granted by CREATE on a directory above (Landlock cannot tell).
 * *ret_rule (may be NULL) receives one rule that grants it, or NULL. */
bool sl_policy_allows(const struct sl_policy *p, const struct sl_access *access, const struct sl_rule **ret_rule);

/* What denies the object at this canonical path by its name, or NULL. */
const struct sl_denied *sl_policy_denied(const struct sl_policy *p, const char *path);

/* Must the name at this canonical path stay what it is: denied, or on the way to something denied? */
bool sl_policy_holds_name(const struct sl_policy *p, const char *path);

/* What the command has at a canonical path below a way (policy/deny.h), denied or not: the rights that Landlock gives by
 * itself there, and all that the profile grants, which are those and what directories that were carved give. False
 * where no way is above the path: Landlock has everything. A rule counts only while what it is for is still at its
 * path; names above a way cannot be moved by the command. Looks at the file system, as ourselves. */
struct sl_beside {
	uint32_t native, granted;
};
bool sl_policy_beside(const struct sl_policy *p, const char *path, struct sl_beside *ret);

/* The rights that the rule on exactly this canonical path gives, 0 where there is none: for who knows by itself what
 * an object is below of. */
uint32_t sl_policy_rule_rights(const struct sl_policy *p, const char *path);

/* Is the canonical path in the view's directory, so that nothing there may be changed for real? */
bool sl_policy_is_viewed(const struct sl_policy *p, const char *path);

/* May attributes (mode, owner, times, xattrs, flags) of the real object at this canonical path be changed: WRITE or
 * CREATE on it or on a directory above. */
bool sl_policy_allows_attributes(const struct sl_policy *p, const char *path);

/* Is /proc/<own process>/rest granted with these rights? */
bool sl_policy_allows_self(const struct sl_policy *p, const char *rest, uint32_t rights);

/* Is the system call one that may be made, as far as [syscalls] allow goes? */
bool sl_policy_allows_call(const struct sl_policy *p, int nr);

/* What always is granted: the device files of the contract. Ends with a NULL path. */
struct sl_implicit_grant {
	const char *path;
	uint32_t rights;
};
extern const struct sl_implicit_grant sl_implicit_grants[];

struct sl_policy_options {
	bool strict;		 /* a missing entry is an error */
	const char *tmp_dir;	 /* private temporary directory already made, or NULL */
	const struct sl_list *cli_read, *cli_write; /* -r and -w: version 1 meaning; may be NULL */
	const struct sl_list *cli_deny; /* --fs-deny; may be NULL */
	const char *view;	 /* see struct sl_policy */
	const char *hidden;	 /* canonical: a directory of our own that is denied, or NULL */
	int landlock_abi;	 /* 0: build the rules without a ruleset */
	uint64_t disabled;	 /* SL_PROTECT_* bits (kernel/landlock.h) that are not to be enforced */
	bool can_take;		 /* the supervisor can take descriptors of the command (kernel/own-fd.h) */
};

/* Build policy and Landlock ruleset from a validated profile. Entries that do not exist become warnings, or an
 * error with strict. *ret_ruleset_fd receives the ruleset (O_CLOEXEC) or stays untouched with landlock_abi 0.
 * Returns 0 or -errno with err set. */
int sl_policy_build(const struct sl_profile *profile, const struct sl_policy_options *options,
		    struct sl_policy *ret_policy, int *ret_ruleset_fd, struct sl_error *err);

#endif
