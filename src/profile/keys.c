/*
 * keys.c - the key table. Its order is the order of a written profile.
 */
#include "profile/keys.h"

#include <limits.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "profile/check.h"
#include "profile/read.h"

#define BOTH	   (SL_IN_V1 | SL_IN_V2)
#define AT(member) offsetof(struct sl_profile, member)
/* clang-format off */
/* NOLINTBEGIN(bugprone-macro-parentheses): the arguments are names of members */
#define STR(s, n, v, sup, check) { #s, #n, SL_KEY_STRING, v, sup, AT(s.n), check, 0, 0 }
#define INT(s, n, sup, min, max) { #s, #n, SL_KEY_INT, BOTH, sup, AT(s.n), NULL, min, max }
#define BOOL(s, n, sup) { #s, #n, SL_KEY_BOOL, BOTH, sup, AT(s.n), NULL, 0, 0 }
#define END(s, n) { #s, #n, SL_KEY_END, BOTH, SL_KEY_BUILT, AT(s.n), NULL, 0, 0 }
#define SIZE(s, n, sup) { #s, #n, SL_KEY_SIZE, BOTH, sup, AT(s.n), NULL, 1, INT64_MAX }
#define LIST(s, n, v, sup, check) { #s, #n, SL_KEY_STRINGS, v, sup, AT(s.n), check, 0, 0 }
#define INTS(s, n, sup, min, max) { #s, #n, SL_KEY_INTS, BOTH, sup, AT(s.n), NULL, min, max }
#define PORTS(s, n) { #s, #n, SL_KEY_PORTS, BOTH, SL_KEY_BUILT, AT(s.n), NULL, 0, UINT16_MAX }
#define FS(n, key, v, sup) \
	{ "filesystem", #n, SL_KEY_STRINGS, v, sup, AT(filesystem.lists[key]), sl_check_path, 0, 0 }
/* NOLINTEND(bugprone-macro-parentheses) */
/* clang-format on */

/* An id of -1 means "unchanged" to the kernel. */
#define ID_MAX ((int64_t)UINT32_MAX - 1)

const struct sl_key sl_keys[SL_PROFILE_KEYS] = {
    STR(config, name, BOTH, SL_KEY_LATER, sl_check_nonempty),
    STR(config, workdir, BOTH, SL_KEY_BUILT, sl_check_path),
    STR(config, fs_storage, BOTH, SL_KEY_BUILT, sl_check_path),
    STR(config, http_ca, BOTH, SL_KEY_LATER, sl_check_path),
    STR(config, http_key, BOTH, SL_KEY_LATER, sl_check_path),
    STR(config, http_inject_ca, BOTH, SL_KEY_LATER, sl_check_path),
    STR(config, http_ca_out, BOTH, SL_KEY_LATER, sl_check_path),

    INT(determinism, random_seed, SL_KEY_LATER, 0, INT64_MAX),
    STR(determinism, time_start, BOTH, SL_KEY_LATER, sl_check_time),
    BOOL(determinism, deterministic_dirs, SL_KEY_LATER),
    BOOL(determinism, no_randomize_memory, SL_KEY_BUILT),

    STR(program, exec, BOTH, SL_KEY_BUILT, sl_check_nonempty),
    STR(program, argv0, SL_IN_V2, SL_KEY_BUILT, NULL),
    LIST(program, args, BOTH, SL_KEY_BUILT, NULL),
    STR(program, cwd, BOTH, SL_KEY_BUILT, sl_check_path),
    INT(program, uid, SL_KEY_OWN_UID, 0, ID_MAX),
    INT(program, gid, SL_KEY_OWN_GID, 0, ID_MAX),
    BOOL(program, clean_env, SL_KEY_BUILT),
    BOOL(program, no_coredump, SL_KEY_BUILT),
    BOOL(program, no_huge_pages, SL_KEY_BUILT),
    /* The last of its section: it is written as the table [program.env], which ends [program]. */
    {"program", "env", SL_KEY_ENV, BOTH, SL_KEY_BUILT, AT(program.env), NULL, 0, 0},

    FS(read, SL_FS_READ, BOTH, SL_KEY_BUILT),
    FS(list, SL_FS_LIST, SL_IN_V2, SL_KEY_BUILT),
    FS(exec, SL_FS_EXEC, SL_IN_V2, SL_KEY_BUILT),
    FS(write, SL_FS_WRITE, BOTH, SL_KEY_BUILT),
    FS(create, SL_FS_CREATE, SL_IN_V2, SL_KEY_BUILT),
    FS(delete, SL_FS_DELETE, SL_IN_V2, SL_KEY_BUILT),
    FS(deny, SL_FS_DENY, BOTH, SL_KEY_BUILT),
    {"filesystem", "tmp", SL_KEY_PRIVATE, SL_IN_V2, SL_KEY_BUILT, AT(filesystem.tmp_private), NULL, 0, 0},
    STR(filesystem, chroot, BOTH, SL_KEY_LATER, sl_check_path),
    LIST(filesystem, mount, BOTH, SL_KEY_LATER, sl_check_mount),
    END(filesystem, on_exit),
    END(filesystem, on_error),

    LIST(network, allow, BOTH, SL_KEY_BUILT, sl_check_destination),
    LIST(network, deny, BOTH, SL_KEY_BUILT, sl_check_denied_destination),
    PORTS(network, allow_bind),
    PORTS(network, deny_bind),
    {"network", "unix", SL_KEY_STRINGS, SL_IN_V2, SL_KEY_BUILT, AT(network.unix_sockets), sl_check_socket, 0,
     0},
    BOOL(network, port_remap, SL_KEY_LATER),

    INTS(http, ports, SL_KEY_LATER, 1, UINT16_MAX),
    LIST(http, allow, BOTH, SL_KEY_LATER, sl_check_http_rule),
    LIST(http, deny, BOTH, SL_KEY_LATER, sl_check_http_rule),

    LIST(syscalls, extra_allow, BOTH, SL_KEY_BUILT, sl_check_call_group),
    LIST(syscalls, extra_deny, BOTH, SL_KEY_BUILT, sl_check_call),
    LIST(syscalls, allow, SL_IN_V2, SL_KEY_BUILT, sl_check_listed_call),

    SIZE(limits, memory, SL_KEY_BUILT),
    INT(limits, processes, SL_KEY_BUILT, 1, INT32_MAX),
    INT(limits, open_files, SL_KEY_BUILT, 1, INT32_MAX),
    INT(limits, cpu, SL_KEY_BUILT, 1, 100 * CPU_SETSIZE),
    SIZE(limits, disk, SL_KEY_BUILT),
    INTS(limits, cpu_cores, SL_KEY_BUILT, 0, CPU_SETSIZE - 1),
    INT(limits, num_cpus, SL_KEY_LATER, 1, CPU_SETSIZE),
    INTS(limits, gpu_devices, SL_KEY_LATER, 0, INT32_MAX),
};

static const char *const end_names[] = {NULL, "commit", "abort", "keep"};

const char *sl_on_end_name(enum sl_on_end end)
{
	return end_names[end];
}

enum sl_on_end sl_on_end_parse(const char *name)
{
	for (unsigned int i = SL_END_COMMIT; i <= SL_END_KEEP; i++)
		if (!strcmp(end_names[i], name))
			return (enum sl_on_end)i;
	return SL_END_UNSET;
}

const struct sl_key *sl_key_find(const char *section, const char *name)
{
	for (size_t i = 0; i < SL_PROFILE_KEYS; i++)
		if (!strcmp(sl_keys[i].section, section) && !strcmp(sl_keys[i].name, name))
			return &sl_keys[i];
	return NULL;
}

bool sl_key_section_exists(const char *section)
{
	for (size_t i = 0; i < SL_PROFILE_KEYS; i++)
		if (!strcmp(sl_keys[i].section, section))
			return true;
	return false;
}

size_t sl_key_index(const struct sl_key *key)
{
	return (size_t)(key - sl_keys);
}

bool sl_key_in_version(const struct sl_key *key, int version)
{
	return key->versions & (version == 1 ? SL_IN_V1 : SL_IN_V2);
}

bool sl_key_is_list(const struct sl_key *key)
{
	return key->type == SL_KEY_STRINGS || key->type == SL_KEY_INTS || key->type == SL_KEY_PORTS ||
	       key->type == SL_KEY_ENV;
}

void *sl_key_value(const struct sl_key *key, struct sl_profile *p)
{
	return (char *)p + key->offset;
}

const void *sl_key_value_const(const struct sl_key *key, const struct sl_profile *p)
{
	return (const char *)p + key->offset;
}

bool sl_key_is_set(const struct sl_key *key, const struct sl_profile *p)
{
	const void *value = sl_key_value_const(key, p);

	switch (key->type) {
	case SL_KEY_STRING:
		return *(char *const *)value != NULL;
	case SL_KEY_INT:
	case SL_KEY_SIZE:
		return *(const int64_t *)value != SL_INT_UNSET;
	case SL_KEY_BOOL:
		return *(const enum sl_tristate *)value != SL_UNSET;
	case SL_KEY_END:
		return *(const enum sl_on_end *)value != SL_END_UNSET;
	case SL_KEY_PRIVATE:
		return *(const bool *)value;
	case SL_KEY_STRINGS:
	case SL_KEY_INTS:
	case SL_KEY_PORTS:
	case SL_KEY_ENV:
		break;
	}
	return ((const struct sl_list *)value)->present || ((const struct sl_list *)value)->len;
}

bool sl_key_unsupported(const struct sl_key *key, const struct sl_profile *p)
{
	const void *value = sl_key_value_const(key, p);

	if (!sl_key_is_set(key, p))
		return false;
	switch (key->support) {
	case SL_KEY_BUILT:
		return false;
	case SL_KEY_OWN_UID:
		return *(const int64_t *)value != (int64_t)getuid();
	case SL_KEY_OWN_GID:
		return *(const int64_t *)value != (int64_t)getgid();
	case SL_KEY_LATER:
		break;
	}
	if (key->type == SL_KEY_BOOL)
		return *(const enum sl_tristate *)value == SL_TRUE;
	if (sl_key_is_list(key))
		return ((const struct sl_list *)value)->len > 0;
	return true;
}

const char *sl_profile_unsupported(const struct sl_profile *p, int *ret_line)
{
	static _Thread_local char name[64];
	const struct sl_key *first = NULL;
	int first_line = 0;

	for (size_t i = 0; i < SL_PROFILE_KEYS; i++) {
		int line = p->key_lines[i] ? p->key_lines[i] : INT_MAX;

		if ((first && line >= first_line) || !sl_key_unsupported(&sl_keys[i], p))
			continue;
		first = &sl_keys[i];
		first_line = line;
	}
	if (!first)
		return NULL;
	if (ret_line)
		*ret_line = first_line == INT_MAX ? 0 : first_line;
	snprintf(name, sizeof(name), "%s.%s", first->section, first->name);
	return name;
}
