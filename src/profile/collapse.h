/*
 * collapse.h - many entries of one right as one entry for the directory that holds them.
 */
#ifndef SL_PROFILE_COLLAPSE_H
#define SL_PROFILE_COLLAPSE_H

#include "profile/cover.h"

struct sl_collapse_rules {
	size_t files; /* a directory in which so many names have a right becomes one entry; 0: none does */
	const struct sl_strv *prefixes; /* canonical directories: what is below each becomes that one entry */
	bool force;			/* a prefix may be a sensitive directory */
	const char *homes[2];		/* canonical home directories, or NULL */
	const struct sl_look *look;	/* may be NULL */
	/* Is there a store of credentials at or below the directory? May be NULL: then only entries tell. */
	bool (*holds_store)(const char *dir, void *arg);
	void *arg;
};

/* Entries that became one. */
struct sl_collapse {
	char *dir;
	enum sl_fs_key key;
	size_t entries; /* how many there were below dir */
};

struct sl_collapses {
	struct sl_collapse *items; /* by key, in each by dir */
	size_t len, cap;
};

/* Collapse the [filesystem] grants of *p, in place; the lists need not be sorted and are after it. Each right
 * is looked at by itself. Names are collapsed bottom up, so that collapsed directories count in theirs. For
 * create and delete, which only directories have, the names are sibling directories. No sensitive directory,
 * none that holds one, and nothing in /proc, /sys and /dev is collapsed by number; nor, for the rights to
 * change something, a directory that everybody makes temporary files in. What a symbolic link leads out of
 * the directory keeps its own entry. Appends to *ret. */
void sl_profile_collapse(struct sl_profile *p, const struct sl_collapse_rules *rules,
			 struct sl_collapses *ret);

void sl_collapses_release(struct sl_collapses *c);

#endif
