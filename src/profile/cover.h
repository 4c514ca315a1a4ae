/*
 * cover.h - does what some entries grant already give what another one does? Paths are compared as text, in
 * normal form; what a symbolic link changes about that is asked of whoever may look (struct sl_look).
 */
#ifndef SL_PROFILE_COVER_H
#define SL_PROFILE_COVER_H

#include "profile/profile.h"

/* What only the file system knows. Each function may be NULL: then it says no. */
struct sl_look {
	/* Is there something at the entry's path that is no directory? */
	bool (*is_file)(const char *path, void *arg);
	/* Does path, which as text is below dir, lead out of it? */
	bool (*leaves)(const char *path, const char *dir, void *arg);
	/* Is it a device node? Writing to one is more than what write on a directory gives. */
	bool (*is_device)(const char *path, void *arg);
	/* Append the paths of the device nodes below dir. */
	void (*devices)(const char *dir, struct sl_strv *ret, void *arg);
	void *arg;
};

/* One path and the filesystem keys (bits 1 << enum sl_fs_key) that name it. */
struct sl_cover_item {
	char *path;
	unsigned int keys;
};

struct sl_cover {
	struct sl_cover_item *items;
	size_t len, cap;
};

/* The normal form of an entry's path, malloc'd. A path with ".." stays as it is: what it means depends on
 * links. */
char *sl_cover_normal(const char *path);

/* Add an entry, or every grant of a profile's [filesystem] (not deny). */
void sl_cover_add(struct sl_cover *c, const char *path, unsigned int keys);
void sl_cover_add_profile(struct sl_cover *c, const struct sl_profile *p);

/* Sort and unite; before the first question, and after the last entry was added. */
void sl_cover_sort(struct sl_cover *c);

/* The keys, of a profile of that version, that the entries on path itself give. */
unsigned int sl_cover_on(const struct sl_cover *c, const char *path, int version);

/* The keys that entries on directories above it give, of those in want. look may be NULL. */
unsigned int sl_cover_above(const struct sl_cover *c, const char *path, unsigned int want, int version,
			    const struct sl_look *look);

void sl_cover_release(struct sl_cover *c);

#endif
