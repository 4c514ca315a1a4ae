/*
 * deny.h - what [filesystem] deny takes out of everything that is granted: the denied names and objects, and
 * how a grant on a directory above one is carved.
 *
 * Landlock only grants, and what it grants on a directory holds for everything below. So a directory on the
 * way to a denied name ("a way") is granted nothing itself, but each of its entries, as they stand when run
 * starts, is: the denial holds with no supervisor at all. What is made in a way later has no rule, and is
 * used through the supervisor, which asks sl_policy_beside() what the profile grants there.
 *
 * Only listing can be left on a way itself, where all that is denied below are files that are there.
 *
 * A denied name is canonical. A symbolic link that an entry leads through is denied as well as what it leads
 * to, so that a command cannot turn it elsewhere for the next run. The other names of a denied file, where
 * they are in a directory that is granted, are found and denied too.
 */
#ifndef SL_POLICY_DENY_H
#define SL_POLICY_DENY_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "kernel/object-id.h"

enum sl_denied_kind {
	SL_DENIED_MISSING, /* not there, or out of our sight */
	SL_DENIED_FILE,	   /* anything but a directory */
	SL_DENIED_DIRECTORY,
};

struct sl_denied {
	char *path; /* canonical */
	enum sl_denied_kind kind;
	struct sl_object_id id; /* not with MISSING */
	nlink_t links;		/* of a file */
	char *where; /* the entry that denies it, for messages: 'p.toml:7: filesystem.deny: "~/.ssh"' */
};

/* Rights that Landlock was given on an object by carving. */
struct sl_native {
	struct sl_object_id id;
	uint32_t rights;
};

struct sl_way {
	char *path;
	uint32_t kept; /* rights that rules on this way itself give */
};

struct sl_deny {
	struct sl_denied *items; /* sorted by path */
	size_t count, cap;
	struct sl_way *ways; /* sorted by path once sealed: directories above a denied name in which a grant
				was carved */
	size_t way_count, way_cap;
	struct sl_native *natives; /* sorted by object once sealed */
	size_t native_count, native_cap;
};

void sl_deny_release(struct sl_deny *d);

/* Deny what an absolute path names, and the links on its way. What is not there is denied under the name that
 * it would have. where: the entry, for messages. 0; -ELOOP, -ENAMETOOLONG. Sort before asking. */
int sl_deny_add(struct sl_deny *d, const char *text, const char *where);
void sl_deny_sort(struct sl_deny *d);

/* Deny another name of a file that is denied, with the same entry. */
void sl_deny_add_name(struct sl_deny *d, const char *path, const struct sl_denied *like);

/* Look for the other names of denied files below these directories (canonical names). Sorted again. */
void sl_deny_find_links(struct sl_deny *d, const struct sl_strv *directories);

/* What denies the canonical path: the entry on it or above it; NULL. */
const struct sl_denied *sl_deny_on(const struct sl_deny *d, const char *path);
/* Is something strictly below the path denied? */
bool sl_deny_below(const struct sl_deny *d, const char *path);
/* What denies the object by its identity, however it was reached; NULL. */
const struct sl_denied *sl_deny_object(const struct sl_deny *d, const struct sl_object_id *id);

/* Carve the grant of a directory above something denied: grant is called once for every entry that is to have
 * the grant, with an O_PATH descriptor of it, and for each way with keep set and the rights (of those asked)
 * that may stay on it. It returns the rights that it gave or -errno, which ends the carving. Entries that
 * cannot be seen are left out. */
struct sl_carving {
	uint32_t rights;
	int (*grant)(int fd, const char *path, mode_t mode, uint32_t rights, void *arg);
	void *arg;
};
int sl_deny_carve(struct sl_deny *d, int fd, const char *path, const struct sl_carving *c);

/* For carving grants of writing around the directory of a view (policy/policy.h): what d denies, and path too. */
void sl_deny_around(const struct sl_deny *d, const char *path, struct sl_deny *ret);

/* Take the ways and natives that carving left in from, which is released. kept: rights that rules on those ways
 * give besides. */
void sl_deny_adopt(struct sl_deny *d, struct sl_deny *from, uint32_t kept);

/* After the last carving. */
void sl_deny_seal(struct sl_deny *d);

/* The way at this path of len bytes, or NULL; rights by carving of the object with this identity. */
const struct sl_way *sl_deny_way(const struct sl_deny *d, const char *path, size_t len);
uint32_t sl_deny_native(const struct sl_deny *d, const struct sl_object_id *id);

#endif
