/*
 * toml.h - TOML 1.0 text as a tree of nodes that know where they stand. Behind it is toml++, in C++
 * (toml.cc); the text is first held to bounds (toml-bounds.c) that keep toml++ from using up stack, time or
 * memory.
 */
#ifndef SL_PROFILE_TOML_H
#define SL_PROFILE_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The bounds. A profile of 100 000 paths is below a tenth of them. */
#define SL_TOML_BYTES_MAX   ((size_t)16 << 20)
#define SL_TOML_VALUES_MAX  500000 /* values and keys */
#define SL_TOML_NESTING_MAX 16	   /* lists and inline tables in one another */
#define SL_TOML_DOTS_MAX    16	   /* dots in one key */
#define SL_TOML_STRING_MAX  ((size_t)1 << 20)
#define SL_TOML_KEY_MAX	    ((size_t)4096) /* bytes of a key without quotes, or of any other bare word */

enum sl_toml_type {
	SL_TOML_TABLE,
	SL_TOML_ARRAY,
	SL_TOML_STRING,
	SL_TOML_INTEGER,
	SL_TOML_BOOLEAN,
	SL_TOML_FLOAT,
	SL_TOML_TIME, /* date, time or both */
};

struct sl_toml_node {
	enum sl_toml_type type;
	int line, column; /* of the value; of the header of a table that has one */

	/* Of the key, in a table's child. */
	char *key;
	size_t key_len; /* a key may hold NUL */
	int key_line, key_column;

	char *string; /* UTF-8, NUL-terminated */
	size_t len;   /* of string, which may hold NUL */
	int64_t integer;
	bool boolean;

	struct sl_toml_node *children; /* of a table, in the order of the text; of an array */
	size_t count;
};

struct sl_toml_error {
	int line, column;
	char text[512]; /* one line, not escaped */
};

/* Read the text. Returns 0 and the root table in *ret, or -EINVAL and where and why in *err. */
int sl_toml_parse(const char *text, size_t len, struct sl_toml_node **ret, struct sl_toml_error *err);

void sl_toml_free(struct sl_toml_node *root);

/* Hold the text to the bounds, to UTF-8 and to no NUL. Returns 0, or -EINVAL with *err filled. */
int sl_toml_check_bounds(const char *text, size_t len, struct sl_toml_error *err);

#ifdef __cplusplus
}
#endif

#endif
