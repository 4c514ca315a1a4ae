/*
 * permission.c - would the kernel allow it to the caller?
 *
 * A caller whose identity equals ours is checked by asking the kernel about ourselves: faccessat2() on the O_PATH
 * descriptor answers with access control lists, read-only mounts and capabilities and all. Identities can only come
 * apart through the set*id() calls and capset(), which are notified (no_new_privs makes set-user-ID programs start
 * plainly), and through an exec by a root whose bounding set was made smaller, so nothing is looked up before the first
 * of those that would change something. After it each thread's
 * credentials are read, and the checks are made with its file-system identity taken on by our thread.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include "observe/event.h"

#ifndef STATX_ATTR_MOUNT_ROOT
#define STATX_ATTR_MOUNT_ROOT 0x2000
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

#define IDENTITY_AGE_MS 1000

/* The capabilities that decide about files; others come and go without a difference here. */
#define FILE_CAPABILITIES                                                                                    \
	(1ULL << CAP_CHOWN | 1ULL << CAP_DAC_OVERRIDE | 1ULL << CAP_DAC_READ_SEARCH | 1ULL << CAP_FOWNER |        \
	 1ULL << CAP_FSETID | 1ULL << CAP_LINUX_IMMUTABLE | 1ULL << CAP_MKNOD | 1ULL << CAP_SETFCAP)

static bool same_identity(const struct sl_creds *a, const struct sl_creds *b)
{
	return a->uid == b->uid && a->euid == b->euid && a->fsuid == b->fsuid && a->gid == b->gid &&
	       a->egid == b->egid && a->fsgid == b->fsgid &&
	       !((a->cap_effective ^ b->cap_effective) & FILE_CAPABILITIES) &&
	       a->group_count == b->group_count &&
	       !memcmp(a->groups, b->groups, (size_t)a->group_count * sizeof(a->groups[0]));
}

static const struct sl_creds *own_creds(struct sl_observer *o)
{
	if (!o->own_known)
		o->own_known = sl_tracee_creds((pid_t)syscall(__NR_gettid), &o->own) == 0;
	return &o->own;
}

void sl_event_identify(struct sl_event *e)
{
	struct sl_observer *o = e->o;
	size_t slot = (uint32_t)e->tid % SL_IDENTITY_SLOTS;
	uint32_t now = o->now_ms;

	if (o->same_identity[slot].tid == e->tid && now - o->same_identity[slot].time_ms < IDENTITY_AGE_MS)
		return;
	if (sl_tracee_creds(e->tid, &e->caller) < 0)
		return;
	e->differs = !same_identity(&e->caller, own_creds(o));
	if (!e->differs) {
		o->same_identity[slot].tid = e->tid;
		o->same_identity[slot].time_ms = now;
	}
}

/* Does the argument of a set*id() call leave an identity like ours as it is? (uid_t)-1 keeps what is there. */
static bool keeps(uint64_t arg, uint32_t own, bool may_be_unset)
{
	return (uint32_t)arg == own || (may_be_unset && (uint32_t)arg == UINT32_MAX);
}

static bool changes_nothing(const struct sl_creds *own, int nr, const uint64_t *args)
{
	bool plain_uid = own->uid == own->euid && own->euid == own->fsuid;
	bool plain_gid = own->gid == own->egid && own->egid == own->fsgid;

	switch (nr) {
	case __NR_setuid:
		return plain_uid && keeps(args[0], own->euid, false);
	case __NR_setgid:
		return plain_gid && keeps(args[0], own->egid, false);
	case __NR_setfsuid:
		return keeps(args[0], own->fsuid, true);
	case __NR_setfsgid:
		return keeps(args[0], own->fsgid, true);
	case __NR_setreuid:
		return plain_uid && keeps(args[0], own->uid, true) && keeps(args[1], own->uid, true);
	case __NR_setregid:
		return plain_gid && keeps(args[0], own->gid, true) && keeps(args[1], own->gid, true);
	case __NR_setresuid:
		return plain_uid && keeps(args[0], own->uid, true) && keeps(args[1], own->uid, true) &&
		       keeps(args[2], own->uid, true);
	case __NR_setresgid:
		return plain_gid && keeps(args[0], own->gid, true) && keeps(args[1], own->gid, true) &&
		       keeps(args[2], own->gid, true);
	default: /* setgroups, capset: what they say is behind a pointer */
		return false;
	}
}

void sl_event_setid(struct sl_event *e)
{
	struct sl_observer *o = e->o;

	if (!e->differs && changes_nothing(own_creds(o), e->n->data.nr, (const uint64_t *)e->n->data.args))
		return;
	o->setid_seen = true;
	o->same_identity[(uint32_t)e->tid % SL_IDENTITY_SLOTS].tid = 0;
}

void sl_observer_new_image(struct sl_observer *o, pid_t pid)
{
	size_t slot = (uint32_t)pid % SL_IDENTITY_SLOTS;
	struct sl_creds now;

	if (o->same_identity[slot].tid == pid)
		o->same_identity[slot].tid = 0;
	/* Without capabilities there is nothing that an exec could take. */
	if (o->setid_seen || !own_creds(o)->cap_effective || sl_tracee_creds(pid, &now) < 0)
		return;
	o->setid_seen = !same_identity(&now, own_creds(o));
}

uid_t sl_may_fsuid(const struct sl_event *e)
{
	return e->differs ? e->caller.fsuid : own_creds(e->o)->fsuid;
}

bool sl_may_capable(const struct sl_event *e, int capability)
{
	const struct sl_creds *creds = e->differs ? &e->caller : own_creds(e->o);

	return creds->cap_effective >> capability & 1;
}

bool sl_may_in_group(const struct sl_event *e, gid_t gid)
{
	const struct sl_creds *creds = e->differs ? &e->caller : own_creds(e->o);

	if (gid == creds->fsgid)
		return true;
	for (int i = 0; i < creds->group_count; i++)
		if (creds->groups[i] == gid)
			return true;
	return false;
}

static int access_of(int fd, int mode)
{
	return syscall(__NR_faccessat2, fd, "", mode, AT_EMPTY_PATH | AT_EACCESS) < 0 ? -errno : 0;
}

int sl_may_access(struct sl_event *e, int fd, int mode)
{
	struct sl_identity *saved;
	int r;

	if (e->lenient)
		return 0;
	if (!e->differs)
		return access_of(fd, mode);
	r = sl_identity_assume(&e->caller, &saved);
	if (r < 0)
		return r;
	r = access_of(fd, mode);
	sl_identity_restore(saved);
	return r;
}

int sl_may_own(struct sl_event *e, const struct stat *st)
{
	if (e->lenient || sl_may_fsuid(e) == st->st_uid || sl_may_capable(e, CAP_FOWNER))
		return 0;
	return -EPERM;
}

int sl_may_create(struct sl_event *e, const struct sl_resolved *at)
{
	struct stat st;
	int r = sl_may_access(e, at->parent_fd, W_OK | X_OK);

	if (r < 0 || e->lenient)
		return r;
	if (fstat(at->parent_fd, &st) < 0 || !st.st_nlink)
		return -ENOENT; /* the directory itself was removed */
	return 0;
}

static int protected_by_sticky(struct sl_event *e, const struct stat *dir, const struct stat *st)
{
	uid_t fsuid = sl_may_fsuid(e);

	if (!(dir->st_mode & S_ISVTX) || fsuid == dir->st_uid || fsuid == st->st_uid)
		return 0;
	return sl_may_capable(e, CAP_FOWNER) ? 0 : -EPERM;
}

int sl_may_remove(struct sl_event *e, const struct sl_resolved *at, const struct stat *st)
{
	struct stat dir;
	struct statx x;
	int r = sl_may_access(e, at->parent_fd, W_OK | X_OK);

	if (r < 0 || e->lenient)
		return r;
	if (fstat(at->parent_fd, &dir) < 0)
		return -errno;
	r = protected_by_sticky(e, &dir, st);
	if (r < 0)
		return r;
	if (statx(at->fd, "", AT_EMPTY_PATH, STATX_TYPE, &x) == 0) {
		if (x.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND))
			return -EPERM;
		if (x.stx_attributes & STATX_ATTR_MOUNT_ROOT)
			return -EBUSY;
	}
	return 0;
}

int sl_directory_empty(int fd)
{
	SL_CLOSEDIR DIR *dir = NULL;
	int readable = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOATIME);
	const struct dirent *entry;
	struct stat st;

	if (readable < 0)
		readable = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (readable < 0) /* closed to us: subdirectories are counted all the same, by most file systems */
		return fstat(fd, &st) == 0 && st.st_nlink > 2 ? -ENOTEMPTY : 0;
	dir = fdopendir(readable);
	if (!dir) {
		sl_close(readable);
		return 0;
	}
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return -ENOTEMPTY;
	return 0;
}

int sl_mount_of(int fd, uint64_t *ret_id, bool *ret_is_root)
{
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MNT_ID, &x) < 0)
		return -errno;
	if (ret_is_root)
		*ret_is_root = x.stx_attributes & STATX_ATTR_MOUNT_ROOT;
	/* Before Linux 5.8 there is no mount id: the device tells most mounts apart. */
	*ret_id = x.stx_mask & STATX_MNT_ID ? x.stx_mnt_id :
					      (uint64_t)x.stx_dev_major << 32 | x.stx_dev_minor;
	return 0;
}

int sl_protection_level(enum sl_protected which)
{
	static const char *const files[SL_PROTECTED_COUNT] = {
		[SL_PROTECTED_HARDLINKS] = "/proc/sys/fs/protected_hardlinks",
		[SL_PROTECTED_REGULAR] = "/proc/sys/fs/protected_regular",
		[SL_PROTECTED_FIFOS] = "/proc/sys/fs/protected_fifos",
	};
	static char levels[SL_PROTECTED_COUNT];
	SL_CLOSE int fd = -EBADF;

	if (!levels[which]) {
		fd = open(files[which], O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, &levels[which], 1) != 1)
			levels[which] = '1';
	}
	return levels[which] - '0';
}
