/*
 * profile.h - the profile as data: every section and key of version 1 and 2, nothing about enforcement.
 *
 * A struct sl_profile is filled by the reader (profile/read.h), by learn (observe/) or by command-line
 * options (cmd/), and written by profile/write.h. Lists keep their order until sl_profile_sort().
 * Each list entry remembers the line it came from, so that later errors can name it.
 */
#ifndef SL_PROFILE_PROFILE_H
#define SL_PROFILE_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"

/* [filesystem] list keys; read, write and deny exist in version 1, all in version 2. Written in this order.
 */
enum sl_fs_key {
	SL_FS_READ,
	SL_FS_LIST,
	SL_FS_EXEC,
	SL_FS_WRITE,
	SL_FS_CREATE,
	SL_FS_DELETE,
	SL_FS_DENY,
	SL_FS_KEY_COUNT,
};

/* One string of a list. line is 1-based in the profile's file, 0 when it came from elsewhere. */
struct sl_entry {
	char *text;
	int line;
};

struct sl_list {
	struct sl_entry *items;
	size_t len;
	size_t cap;
	bool present; /* the key stood in the file, maybe with an empty list */
};

enum sl_on_end { SL_END_UNSET, SL_END_COMMIT, SL_END_ABORT, SL_END_KEEP };

enum sl_tristate { SL_UNSET = -1, SL_FALSE = 0, SL_TRUE = 1 };

#define SL_INT_UNSET INT64_MIN

/* How many keys the key table (keys.c) has. */
#define SL_PROFILE_KEYS 53

struct sl_profile {
	int version; /* 1 or 2 */
	char *file;  /* where it was read from, for messages; NULL when made in memory */

	/* Strings are NULL, integers SL_INT_UNSET and booleans SL_UNSET where the key is absent. */
	struct {
		char *http_ca, *http_key, *http_inject_ca, *http_ca_out, *fs_storage, *workdir, *name;
	} config;
	struct {
		int64_t random_seed;
		char *time_start; /* RFC 3339, as written */
		enum sl_tristate deterministic_dirs, no_randomize_memory;
	} determinism;
	struct {
		char *exec, *argv0, *cwd;
		struct sl_list args;
		struct sl_list env; /* entries are "KEY=VALUE" */
		int64_t uid, gid;
		enum sl_tristate clean_env, no_coredump, no_huge_pages;
	} program;
	struct {
		struct sl_list lists[SL_FS_KEY_COUNT];
		char *chroot;
		struct sl_list mount;
		enum sl_on_end on_exit, on_error;
		bool tmp_private; /* tmp = "private" */
	} filesystem;
	struct {
		struct sl_list allow, deny, allow_bind, deny_bind, unix_sockets; /* binds as canonical text */
		enum sl_tristate port_remap;
	} network;
	struct {
		struct sl_list ports; /* decimal text */
		struct sl_list allow, deny;
	} http;
	struct {
		struct sl_list extra_allow, extra_deny, allow;
	} syscalls;
	struct {
		int64_t memory, disk; /* bytes */
		int64_t processes, open_files, cpu, num_cpus;
		struct sl_list cpu_cores, gpu_devices; /* decimal text */
	} limits;
	int key_lines[SL_PROFILE_KEYS]; /* by index in the key table: 1-based, 0 where not from a file */
};

/* An empty profile of that version, every key absent. Release with sl_profile_release (also on a half-built
 * one). */
void sl_profile_init(struct sl_profile *p, int version);
void sl_profile_release(struct sl_profile *p);

/* Set every key of dst (initialised) that dst's version has to what src has. */
void sl_profile_copy(struct sl_profile *dst, const struct sl_profile *src);

void sl_list_add(struct sl_list *l, const char *text, int line); /* also makes it present */
bool sl_list_contains(const struct sl_list *l, const char *text);
void sl_list_sort_unique(struct sl_list *l); /* byte order, first line number kept */
/* "NAME=VALUE" entries by name; of several with one name the last stays, as it would for setenv(3). */
void sl_list_sort_env(struct sl_list *l);
void sl_list_release(struct sl_list *l);

/* Sort and deduplicate every list whose order means nothing (all but program.args), in place: numbers by
 * value, the environment by name (the last of one name stays), all else in byte order. */
void sl_profile_sort(struct sl_profile *p);

/* The TOML name of a filesystem key: "read", "list", … */
const char *sl_fs_key_name(enum sl_fs_key key);

#endif
