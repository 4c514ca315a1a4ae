/*
 * write.h - struct sl_profile to TOML text, deterministic; and replacing a file atomically.
 */
#ifndef SL_PROFILE_WRITE_H
#define SL_PROFILE_WRITE_H

#include "profile/profile.h"

/* How the notes of a header start that say what was observed, so that they are known again. */
#define SL_HEADER_OBSERVED "observed: "

/* The comment block at the top of a written profile. NULL strings are left out. */
struct sl_profile_header {
	const char *tool_version; /* "sandlock 1.0.0" */
	const char *date;	  /* "2026-11-24" */
	const char *kernel;	  /* "6.18.44" */
	bool partial;		  /* the observation did not see everything */
	const struct sl_strv *notes; /* one comment line each, already escaped */
	bool only_partial;	  /* nothing but that is said: the rest of the header is an older text's */
};

/* Append the profile as TOML in its own version: version 2 one entry a line, version 1 each list on one line;
 * sections and keys in the fixed order of the key table; absent keys left out; the caller sorts first.
 * Reading the result gives the same profile, writing that the same bytes. header may be NULL. */
void sl_profile_format(struct sl_strbuf *out, const struct sl_profile *p, const struct sl_profile_header *header);

/* Does the header of a profile's text say that the observation was partial? */
bool sl_profile_text_is_partial(const char *text);

/* Is this line, which starts with '#' and stands above everything, one that sl_profile_format() wrote? Of the text of a
 * profile that is written again with a header, fresh, all of these go; else those alone that may no longer be true. */
bool sl_profile_header_owns(const char *line, bool fresh);

/* A version 1 profile with the rights of the version 2 profile src (coarser), in *ret. */
void sl_profile_to_v1(const struct sl_profile *src, struct sl_profile *ret);

/* Append a size in the largest unit that divides it: "512M". */
void sl_size_format(struct sl_strbuf *out, int64_t bytes);

/* Append s as a TOML basic string with quotes. s must be valid UTF-8. */
void sl_toml_quote(struct sl_strbuf *out, const char *s);

/* An output file that was opened before the command ran and is replaced atomically at the end. No name exists in
 * the directory until commit (O_TMPFILE, or an unlinked-on-abort temporary where that is unavailable). */
struct sl_outfile;

/* Prepare to replace path (through a symbolic link: its target), keeping mode and owner of an existing file.
 * Fails now, not at the end, where the directory is not writable or path is a directory. */
int sl_outfile_open(const char *path, struct sl_outfile **ret, struct sl_error *err);
/* Write text, fsync, and rename over. The old content stays whole on any failure. */
int sl_outfile_commit(struct sl_outfile *o, const char *text, size_t len, struct sl_error *err);
/* Wait until nobody else holds the lock on the profile at path, and take it until *ret_fd is closed. Where there is
 * no file yet its directory is locked instead. What cannot be opened for reading, or is no file, cannot be added to:
 * *ret_fd is untouched. Returns 0 or -errno. */
int sl_profile_lock(const char *path, int *ret_fd, struct sl_error *err);
/* The path that a chain of symbolic links at the end of path leads to, malloc'd; what it names need not exist. NULL and
 * errno on failure. */
char *sl_outfile_target(const char *path);
/* Frees; without a commit nothing changed on disk. NULL is fine. */
void sl_outfile_free(struct sl_outfile *o);

#endif
