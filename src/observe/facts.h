/*
 * facts.h - the store of facts: (right, canonical object), each held once, with what the run made itself.
 *
 * Paths are interned as a tree of (parent, name) nodes in arenas, so 100 000 distinct paths cost well under 100
 * bytes each. The store also knows which names the run made or put in place: a fact on such an object, or on
 * anything below it, is attributed to the nearest directory above that was there before the run, at the moment it
 * is added. Everything is called from one thread.
 */
#ifndef SL_OBSERVE_FACTS_H
#define SL_OBSERVE_FACTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "policy/policy.h"

struct sl_facts;

struct sl_facts *sl_facts_new(void);
void sl_facts_free(struct sl_facts *f);

/* Record that rights (SL_RIGHT_*) were used on the object at this canonical path. For CREATE and DELETE path is the
 * directory. is_dir: the object is a directory. A path that is not absolute, or of PATH_MAX bytes, is left out.
 * Returns true when something new was recorded. */
bool sl_facts_add(struct sl_facts *f, uint32_t rights, const char *path, bool is_dir, pid_t pid);

/* The run made an object at path (or moved one there, or replaced one). */
void sl_facts_made(struct sl_facts *f, const char *path);

/* The name is gone (unlinked, removed, renamed away): what the run makes there later is its own again. A name that
 * the run had made stays its own: a fact that arrives late, through a descriptor, still goes to the directory. */
void sl_facts_gone(struct sl_facts *f, const char *path);

/* Were these rights, or some of them, used on the object of this name? */
bool sl_facts_has(struct sl_facts *f, uint32_t rights, const char *path);

/* Was the object at path, or a directory above it, made by the run? */
bool sl_facts_is_made(const struct sl_facts *f, const char *path);

/* A rename or link went from a name in directory src to one in dst (both canonical, different): their rights must be
 * alike for REFER. flags: SL_REFER_*. Call it before sl_facts_made() and sl_facts_gone() of the names. */
enum sl_refer_flags {
	SL_REFER_EXCHANGE = 1 << 0, /* both ways */
	SL_REFER_FILES = 1 << 1,    /* no directory is moved: rights that only directories have need not be alike */
};
void sl_facts_refer(struct sl_facts *f, const char *src_dir, const char *dst_dir, unsigned int flags);

/* Look at what the run made in protected directories: what is there at its end. type_of gives the S_IFMT bits of what
 * has that path, or -errno; NULL: of the real file system. */
typedef int sl_type_fn(void *arg, const char *path, mode_t *ret);
void sl_facts_left(struct sl_facts *f, sl_type_fn *type_of, void *arg);

/* A run of the command has ended; another one may follow. */
void sl_facts_run_done(struct sl_facts *f);

/* A note for the user (warning), said once; one escaped line; at most 1000. partial marks the profile partial. */
void sl_facts_note(struct sl_facts *f, bool partial, const char *text);

/* Flags. */
void sl_facts_tmp_used(struct sl_facts *f);
void sl_facts_sysv_ipc(struct sl_facts *f);

/* Bytes held. */
size_t sl_facts_memory(const struct sl_facts *f);

/* Visit every fact in byte order of the path, after attribution and REFER balancing. */
struct sl_fact {
	const char *path; /* valid during the call */
	uint32_t rights;
	bool is_dir;
	pid_t first_pid;
};
void sl_facts_each(const struct sl_facts *f, void (*visit)(const struct sl_fact *fact, void *arg), void *arg);

struct sl_profile;
struct sl_observation;

/* Fill the filesystem and syscalls keys of a version 2 profile, and the observation (observe.h), from the facts. */
void sl_facts_to_profile(const struct sl_facts *f, struct sl_profile *profile, struct sl_observation *ret);

#endif
