/*
 * merge.h - several profiles as one that allows what any of them does.
 */
#ifndef SL_PROFILE_MERGE_H
#define SL_PROFILE_MERGE_H

#include "profile/cover.h"

/* Unite count (1 or more) profiles into *ret, sorted; of version 1 where all are, else of version 2. A
 * version 1 profile that goes into version 2 must not hold relative paths. Grants are united, a wider one
 * absorbs a narrower; every deny stays; a limit stays where all have it. What was dropped, and which grant a
 * deny covers, is appended to notes, one escaped line each. look may be NULL. */
void sl_profile_merge(const struct sl_profile *const *in, size_t count, const struct sl_look *look,
		      struct sl_profile *ret, struct sl_strv *notes);

/* The profile old with what was learned added: the same, but that [program] and all else that says what is run and how
 * are old's, and a limit or [syscalls] allow stays where old has it, raised or extended, and is added nowhere. */
void sl_profile_merge_learned(const struct sl_profile *old, const struct sl_profile *learned,
			      const struct sl_look *look, struct sl_profile *ret, struct sl_strv *notes);

/* A version 2 profile with the rights of src. look may be NULL: then an entry of write gives create and
 * delete too where it is a file, which changes nothing but gives a warning at run. */
void sl_profile_to_v2(const struct sl_profile *src, const struct sl_look *look, struct sl_profile *ret);

/* Put the comments of a profile's old text where they stood into the text of a new one: above, or behind, the
 * same entry, key or section; a comment whose line is gone goes to its key, else to the end. before and after
 * are the two texts, parsed. The new text is appended to out. */
void sl_profile_keep_comments(const char *old_text, const struct sl_profile *before, const char *new_text,
			      const struct sl_profile *after, struct sl_strbuf *out);

#endif
