/*
 * change.h - one attribute call of a confined process, copied: what stands behind its pointers is read here,
 * once, and nowhere else.
 */
#ifndef SL_SUPERVISE_CHANGE_H
#define SL_SUPERVISE_CHANGE_H

#include <limits.h>
#include <linux/limits.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "kernel/resolve.h"
#include "policy/calls.h"

/* Extended attributes of these names are sandlock's own (cmd/commits.h): no command sets or removes one. */
#define SL_MARK "user.sandlock."

/* The kernel takes no larger structure from any caller: a page. */
#define SL_ATTR_MAX 4096

/* How the call names its object. */
enum sl_change_form {
	SL_BY_PATH,   /* path, relative to dirfd */
	SL_BY_FD,     /* dirfd is the object, and the call wants one that is open (not O_PATH) */
	SL_BY_ANY_FD, /* dirfd is the object, O_PATH or not: AT_EMPTY_PATH */
};

struct sl_change {
	enum sl_op op;
	enum sl_change_form form;
	int dirfd;
	bool nofollow;
	bool nothing; /* both times are UTIME_OMIT: success, whatever the object */
	char path[PATH_MAX];

	mode_t mode;
	uid_t uid;
	gid_t gid;
	bool now; /* no times given */
	struct timespec times[2];
	char xattr[XATTR_NAME_MAX + 1];
	void *value; /* malloc'd; NULL where it is empty */
	size_t value_size;
	int xattr_flags;
	uint32_t request; /* of an ioctl; 0 for file_setattr */
	uint64_t attr[SL_ATTR_MAX / sizeof(uint64_t)];
	size_t attr_size;
};

/* Copy the arguments of a notified attribute call. 0, or the -errno that the kernel gives for arguments that
 * are wrong whatever object they name (-EFAULT, -EINVAL, -ERANGE, -E2BIG, -ENAMETOOLONG, -ENOENT); -EACCES
 * where the caller's memory is closed to us. Release *ret in either case. */
int sl_change_copy(const struct seccomp_notif *n, const struct sl_call *call, struct sl_change *ret);
void sl_change_release(struct sl_change *c);

/* What the kernel says of these arguments for this type of object (S_IFMT of mode), whoever asks; -EPERM for SL_MARK. 0 or
 * -errno. */
int sl_change_check(const struct sl_change *c, mode_t mode);

/* Is the object a pipe, a socket or a memfd: one that never had a name, whose attributes are its holders' to
 * change?
 */
bool sl_change_is_nameless(const struct sl_resolved *object, const struct stat *st);

/* Do it on the object behind a descriptor of ours, with the identity of the calling thread. reopened: fd is
 * O_PATH although the caller's was not. 0 or -errno; -EACCES where only the caller's own open file would do.
 */
int sl_change_apply(const struct sl_change *c, int fd, bool reopened);

#endif
