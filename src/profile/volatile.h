/*
 * volatile.h - names that are others at every run: process ids, dates, hashes, random suffixes.
 */
#ifndef SL_PROFILE_VOLATILE_H
#define SL_PROFILE_VOLATILE_H

#include "profile/collapse.h"

struct sl_volatile_rules {
	const char *homes[2]; /* canonical home directories, or NULL */
	/* Is there something of that name, a link itself? */
	bool (*exists)(const char *path, void *arg);
	void *arg;
};

/* Replace each entry of *p that is not there any more, and whose missing part has a volatile name, by the
 * same right on the directory that it was in: the next run finds another one there. Not where that directory
 * is sensitive, or one that everybody makes temporary files in. Appends what was done to *ret. */
void sl_profile_replace_gone(struct sl_profile *p, const struct sl_volatile_rules *rules,
			     struct sl_collapses *ret);

/* The same for entries that only some runs needed (differ, by key): two or more of one right whose paths
 * differ in volatile names alone. Where these could as well be versions (plain numbers) or words, one must be
 * gone. */
void sl_profile_replace_differing(struct sl_profile *p, const struct sl_list differ[SL_FS_DENY],
				  const struct sl_volatile_rules *rules, struct sl_collapses *ret);

/* Append the path with every volatile part of its names as one letter. *ret_sure (may be NULL) is set where
 * one of them is a date, a hash or a UUID, which nobody chooses as a name for something that stays. Returns
 * whether there was any. */
bool sl_volatile_stem(struct sl_strbuf *out, const char *path, bool *ret_sure);

#endif
