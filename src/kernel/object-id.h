/*
 * object-id.h - telling a file-system object from another one that took its place, inode number included: by
 * device, inode and time of birth. A file system that gives no time of birth gives no such identity.
 */
#ifndef SL_KERNEL_OBJECT_ID_H
#define SL_KERNEL_OBJECT_ID_H

#include <stdbool.h>
#include <stdint.h>

struct sl_object_id {
	uint64_t dev, ino;
	int64_t born_s;
	uint32_t born_ns;
	bool known; /* false: it equals nothing, itself among it */
};

/* The identity of the object behind a descriptor of any kind, or at a path (a final symbolic link is the
 * object itself), as ourselves. 0 or -errno; without a time of birth dev and ino are set and known is false.
 */
int sl_object_id_of_fd(int fd, struct sl_object_id *ret);
int sl_object_id_of_path(const char *path, struct sl_object_id *ret);

/* An order over device and inode alone, for sorting and searching. */
int sl_object_id_compare(const struct sl_object_id *a, const struct sl_object_id *b);

/* Are both the same object? */
bool sl_object_id_same(const struct sl_object_id *a, const struct sl_object_id *b);

#endif
