/*
 * keys.h - the one table of profile keys: section, name, TOML type, versions, where the value lives, how it
 * is checked and whether this release enforces it. The reader, the writer, copying and releasing all walk it,
 * in its order. A new key is a row here, a member of struct sl_profile and a paragraph of the manual.
 */
#ifndef SL_PROFILE_KEYS_H
#define SL_PROFILE_KEYS_H

#include "profile/profile.h"

enum sl_key_type {
	SL_KEY_STRING,	/* char * */
	SL_KEY_INT,	/* int64_t, from min to max */
	SL_KEY_SIZE,	/* int64_t: a string with a unit, or an integer */
	SL_KEY_BOOL,	/* enum sl_tristate */
	SL_KEY_END,	/* enum sl_on_end, as a string */
	SL_KEY_PRIVATE, /* bool, as the string "private" */
	SL_KEY_STRINGS, /* struct sl_list */
	SL_KEY_INTS,	/* struct sl_list of decimal text, from min to max */
	SL_KEY_PORTS,	/* struct sl_list of "N", "LO-HI" or "*"; integers and strings */
	SL_KEY_ENV,	/* struct sl_list of "NAME=VALUE", as a table of strings */
};

enum sl_key_support {
	SL_KEY_BUILT,
	SL_KEY_LATER, /* not enforced yet: run refuses it where it is set to anything but the default */
	SL_KEY_OWN_UID,		 /* only the real user id can be had */
	SL_KEY_OWN_GID,
};

#define SL_IN_V1 1u
#define SL_IN_V2 2u

/* NULL where text is a good value in a profile of that version, else what was expected instead. */
typedef const char *sl_key_check(const char *text, int version);

struct sl_key {
	const char *section, *name;
	enum sl_key_type type;
	unsigned int versions; /* SL_IN_V1 | SL_IN_V2 */
	enum sl_key_support support;
	size_t offset;	     /* of the value in struct sl_profile */
	sl_key_check *check; /* of a string or of each string of a list; NULL: any */
	int64_t min, max;    /* of an integer, or of each integer of a list */
};

extern const struct sl_key sl_keys[SL_PROFILE_KEYS];

/* The row of section.name, or NULL. */
const struct sl_key *sl_key_find(const char *section, const char *name);

/* Is there a section of that name? */
bool sl_key_section_exists(const char *section);

/* The row's index, for sl_profile.key_lines. */
size_t sl_key_index(const struct sl_key *key);

/* Is the key in profiles of that version? */
bool sl_key_in_version(const struct sl_key *key, int version);

/* Is the value a struct sl_list? */
bool sl_key_is_list(const struct sl_key *key);

/* The value of a key; its C type follows from key->type. */
void *sl_key_value(const struct sl_key *key, struct sl_profile *p);
const void *sl_key_value_const(const struct sl_key *key, const struct sl_profile *p);

/* Does the profile say anything for the key, an empty list included? */
bool sl_key_is_set(const struct sl_key *key, const struct sl_profile *p);

/* Does the profile ask with this key for something that this release cannot enforce? */
bool sl_key_unsupported(const struct sl_key *key, const struct sl_profile *p);

/* "commit" … for an enum sl_on_end other than SL_END_UNSET; SL_END_UNSET for a name that is none. */
const char *sl_on_end_name(enum sl_on_end end);
enum sl_on_end sl_on_end_parse(const char *name);

#endif
