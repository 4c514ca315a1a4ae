/*
 * store.h - the upper: one file a changed or new object, in one directory, named by number. Every I/O on the
 * upper that can fail for lack of room goes through here, behind one gate where tests make it fail.
 */
#ifndef SL_VIEW_STORE_H
#define SL_VIEW_STORE_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct sl_vstore {
	int fd;			 /* of the objects' directory */
	int upper;		 /* where that one is */
	char *path;		 /* absolute, of fd */
	uint32_t last;		 /* number of the newest object */
	bool keep;		 /* everything stays when the view is freed */
	int (*fault)(void *arg); /* NULL, or asked before each I/O */
	void *arg;
};

#define SL_VSTORE_NAME 16 /* bytes of an object's name with its NUL */
#define SL_VSTORE_PROC 32 /* bytes of sl_vstore_proc()'s */

/* The name of an object within store->fd, written into name. */
const char *sl_vstore_name(uint32_t obj, char name[SL_VSTORE_NAME]);

/* "/proc/self/fd/N" of a descriptor of ours, O_PATH or not: the way to open it anew and to its xattrs. */
const char *sl_vstore_proc(int fd, char name[SL_VSTORE_PROC]);

/* May the next I/O be done? 0 or -errno. */
int sl_vstore_gate(struct sl_vstore *s);

/* A new regular file, opened with flags (access mode, O_APPEND …). Of mode it has the permissions that our umask leaves. The
 * descriptor or -errno. */
int sl_vstore_create(struct sl_vstore *s, int flags, mode_t mode, uint32_t *ret_obj);

/* A new object of another type (S_IFDIR, S_IFIFO, S_IFSOCK, S_IFLNK with its target), the type being in mode; else
 * the same. -errno. */
int sl_vstore_make(struct sl_vstore *s, mode_t mode, const char *target, uint32_t *ret_obj);

/* Open an object. The descriptor or -errno. */
int sl_vstore_open(struct sl_vstore *s, uint32_t obj, int flags);

int sl_vstore_stat(struct sl_vstore *s, uint32_t obj, struct stat *ret);
int sl_vstore_chmod(struct sl_vstore *s, uint32_t obj, mode_t mode);
int sl_vstore_chown(struct sl_vstore *s, uint32_t obj, uid_t uid, gid_t gid);
int sl_vstore_utimes(struct sl_vstore *s, uint32_t obj, const struct timespec times[2]);

/* Remove an object; failing leaves a file behind that sl_vstore_clear() takes. */
void sl_vstore_remove(struct sl_vstore *s, uint32_t obj);

/* Make the directory of the objects, with a name that nobody guesses, below upper. shared: others may search it, for
 * what is executed there, but not read it. -errno. */
int sl_vstore_open_dir(struct sl_vstore *s, int upper, bool shared);

/* Remove all objects and their directory, and close all. */
void sl_vstore_clear(struct sl_vstore *s);

#endif
