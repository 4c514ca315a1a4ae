/*
 * object-id.c - see object-id.h.
 */
#include "kernel/object-id.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static int identify(int dir, const char *path, int flags, struct sl_object_id *ret)
{
	struct statx st;

	if (statx(dir, path, flags | AT_NO_AUTOMOUNT, STATX_INO | STATX_BTIME, &st) < 0)
		return -errno;
	*ret = (struct sl_object_id){
	    .dev = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor,
	    .ino = st.stx_ino,
	    .born_s = st.stx_btime.tv_sec,
	    .born_ns = st.stx_btime.tv_nsec,
	    .known = st.stx_mask & STATX_BTIME,
	};
	return 0;
}

int sl_object_id_of_fd(int fd, struct sl_object_id *ret)
{
	return identify(fd, "", AT_EMPTY_PATH, ret);
}

int sl_object_id_of_path(const char *path, struct sl_object_id *ret)
{
	return identify(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, ret);
}

int sl_object_id_compare(const struct sl_object_id *a, const struct sl_object_id *b)
{
	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	return (a->ino > b->ino) - (a->ino < b->ino);
}

bool sl_object_id_same(const struct sl_object_id *a, const struct sl_object_id *b)
{
	return a->known && b->known && !sl_object_id_compare(a, b) && a->born_s == b->born_s &&
	       a->born_ns == b->born_ns;
}
