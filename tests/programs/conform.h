/*
 * conform.h - what the groups of the conformance suite share (conform.c).
 *
 * A group is a function that runs in a process and a directory of its own, in which it finds the tree that
 * fixture() made. It makes assertions, one call each as a rule: the call is the text of the line that is
 * printed, and what came of it.
 */
#ifndef CONFORM_H
#define CONFORM_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEN(array) (sizeof(array) / sizeof((array)[0]))
#define OTHER	   65534 /* another user and group than root: nobody */

/* One assertion each. FAILS: the call is -1 with this errno. OK: it is not -1. IS: it has this value. */
#define FAILS(want, expr)                                                                                    \
	do {                                                                                                 \
		errno = 0;                                                                                   \
		long got_ = (long)(expr);                                                                    \
		conform_fails(#expr, got_, errno, want);                                                     \
	} while (0)
#define OK(expr)                                                                                             \
	do {                                                                                                 \
		errno = 0;                                                                                   \
		long got_ = (long)(expr);                                                                    \
		conform_ok(#expr, got_, errno);                                                              \
	} while (0)
#define IS(want, expr)                                                                                       \
	do {                                                                                                 \
		errno = 0;                                                                                   \
		long got_ = (long)(expr);                                                                    \
		conform_is(#expr, got_, errno, (long)(want));                                                \
	} while (0)
#define TRUE(expr) IS(1, !!(expr))

void conform_fails(const char *text, long got, int error, int want);
void conform_ok(const char *text, long got, int error);
void conform_is(const char *text, long got, int error, long want);

/* What comes is about this; NULL: about nothing in particular. */
void about(const char *what);

/* Open and close: 0, or -1 with the error of the open. */
int try_open(const char *path, int flags);
/* The whole file is this text (up to 255 bytes). */
bool holds(const char *path, const char *text);
bool fd_holds(int fd, const char *text);
int put(const char *path, const char *text); /* made or replaced in its contents: 0 or -1 */
mode_t mode_of(const char *path);	     /* permissions, of a link's target; 0 where it is not there */
struct stat stat_of(const char *path);	     /* of the link itself; zeros where it is not there */
long entries_in(const char *path);	     /* names but "." and ".."; -1 */
long times_of(const char *path);	     /* seconds of mtime */
int age(const char *path);		     /* times far back */
void *bad_pointer(void);		     /* of no memory */

/* Is it done with another user's rights? run() in a child of that identity, where we are root; else not at all. */
void as_other(void (*run)(void));

typedef void group(void);
group open_flags, open_create, open_links, open_special, open_tmpfile, open_resolve;	 /* conform-open.c */
group make_names, link_names, remove_names, rename_names, rename_flags, rename_dirs; /* conform-names.c */
group change_mode, change_owner, change_times, change_size, change_xattrs, change_flags; /* conform-attr.c */
group look_stat, look_access, look_links, look_times, list_names, list_meanwhile;	 /* conform-look.c */
group path_errors, path_lengths, path_slashes, bad_addresses;				 /* conform-path.c */
group other_user, other_sticky, other_setgid;					 /* conform-user.c */
group data_offsets, data_maps, data_copies, data_locks, data_busy, data_readers, data_stays; /* conform-data.c */
group dir_working, dir_gone, dir_umask, fd_gone, fd_moved, notify_changes, notify_names; /* conform-dir.c */
group exec_programs, named_sockets;						 /* conform-run.c */
int say_self(int argc, char **argv); /* of a program that was copied: how it was called */

#endif
