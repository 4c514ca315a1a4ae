/*
 * fill.h - a TOML tree into a struct sl_profile, key by key. Used by read.c alone.
 */
#ifndef SL_PROFILE_FILL_H
#define SL_PROFILE_FILL_H

#include "profile/diag.h"
#include "profile/keys.h"
#include "profile/toml.h"

struct sl_fill {
	struct sl_profile profile; /* initialised with the file's version */
	struct sl_diags *diags;
	struct {
		int line, column; /* of the value; 0 where the key is absent */
	} where[SL_PROFILE_KEYS];
};

/* Take over every section and key of the root table, adding an error for each that is not known or not good.
 */
void sl_fill_root(struct sl_fill *f, const struct sl_toml_node *root);

/* What one key forbids another. */
void sl_fill_check_relations(struct sl_fill *f);

/* Append what a value is, for "found …": `integer 5`, `string "abc"`, "a table". */
void sl_toml_describe(struct sl_strbuf *out, const struct sl_toml_node *node);

/* The known section, or known key of that section, that is nearest to a name that is none; NULL where none is
 * near. */
const char *sl_nearest_section(const char *name);
const char *sl_nearest_key(const char *section, const char *name, int version);

#endif
