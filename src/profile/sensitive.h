/*
 * sensitive.h - directories that a profile should not open as a whole. Judged on the canonical path that would be
 * granted; purely lexical.
 */
#ifndef SL_PROFILE_SENSITIVE_H
#define SL_PROFILE_SENSITIVE_H

#include <stdbool.h>

enum sl_sensitivity {
	SL_SENSITIVE_NOT,
	SL_SENSITIVE_GUARDED,	/* a system directory itself: /etc, /usr, /usr/lib*, /var … */
	SL_SENSITIVE_PROTECTED, /* /, /root, the home directory, a store of credentials, or above one of them */
};

/* How sensitive a grant on the directory at this canonical path would be. home is the user's canonical home
 * directory, or NULL. Anything in a store of credentials (.ssh, .gnupg …) counts as the store. */
enum sl_sensitivity sl_path_sensitivity(const char *path, const char *home);

/* Is this a directory itself in which everybody makes temporary files: /tmp, /var/tmp, /dev/shm? */
bool sl_path_is_shared_tmp(const char *path);

#endif
