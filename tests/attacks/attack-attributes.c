/*
 * attack-attributes.c - each call that changes an attribute, through each way of naming the file.
 *
 * usage: attack-attributes each FILE
 *        attack-attributes race path|link|descriptor|directory|empty GOOD BAD TRIES
 *
 * each: FILE is changed in its mode, owner (to itself), times, extended attributes and flags. The file must have the
 * attribute user.there, which some attempts remove; the attempts put back what later ones need where they can.
 *
 * race: changes GOOD, which the profile lets be changed, while a second thread puts BAD, which it does not, in the place of
 * its name: in the string, behind a symbolic link, in the descriptor, in the directory descriptor. What a call
 * did to BAD the test sees by its mode, times and attributes. Prints how many calls changed GOOD, and how many failed.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <utime.h>

#include "attack.h"

#define RUBBISH 0x5a5a5a5a00000000UL

static const char *file;
static char directory[4096], base[256];

/* What setxattrat(2) takes. */
struct xattr_arguments {
	uint64_t value;
	uint32_t size;
	uint32_t flags;
};

/* What file_setattr(2) takes. */
struct file_attributes {
	uint64_t xflags;
	uint32_t extsize, nextents, projid, cowextsize;
};

static int must(int fd)
{
	if (fd < 0)
		attack_die("open");
	return fd;
}

static int opath(void)
{
	return must(open(file, O_PATH));
}

static int reading(void)
{
	return must(open(file, O_RDONLY));
}

static int dir(void)
{
	return must(open(directory, O_PATH | O_DIRECTORY));
}

/* A symbolic link to the file in a directory where the program may make one. */
static const char *link_to(void)
{
	static char name[64];

	snprintf(name, sizeof(name), "links/%d", (int)getpid());
	if (symlink(file, name) < 0)
		attack_die("symlink");
	return name;
}

static long m_chmod(void)
{
	return chmod(file, 0700);
}

static long m_chmod_link(void)
{
	return chmod(link_to(), 0700);
}

static long m_chmod_proc(void)
{
	return chmod(attack_proc_fd(opath(), ""), 0700);
}

static long m_chmod_root(void)
{
	char text[4200];

	snprintf(text, sizeof(text), "/proc/self/root%s", file);
	return chmod(text, 0700);
}

static long m_chmod_dots(void)
{
	char text[4700];

	snprintf(text, sizeof(text), "%s/.././%s/%s", directory, strrchr(directory, '/') + 1, base);
	return chmod(text, 0700);
}

static long m_chmod_cwd(void)
{
	if (chdir(directory) < 0)
		attack_die("chdir");
	return chmod(base, 0700);
}

static long m_chmod_proc_cwd(void)
{
	char text[300];

	if (chdir(directory) < 0)
		attack_die("chdir");
	snprintf(text, sizeof(text), "/proc/self/cwd/%s", base);
	return chmod(text, 0700);
}

static long m_fchmod(void)
{
	return fchmod(reading(), 0700);
}

static long m_fchmodat(void)
{
	return syscall(SYS_fchmodat, dir(), base, 0700);
}

static long m_fchmodat2(void)
{
	return syscall(ATTACK_NR_fchmodat2, dir(), base, 0700, 0);
}

static long m_fchmodat2_empty(void)
{
	return syscall(ATTACK_NR_fchmodat2, opath(), "", 0700, AT_EMPTY_PATH);
}

static long m_fchmodat2_rubbish(void)
{
	return syscall(ATTACK_NR_fchmodat2, (unsigned int)opath() | RUBBISH, "", 0700 | RUBBISH, AT_EMPTY_PATH | RUBBISH);
}

static long m_setuid_bit(void)
{
	return chmod(file, 04755);
}

static long o_chown(void)
{
	return chown(file, getuid(), getgid());
}

static long o_lchown(void)
{
	return lchown(file, getuid(), getgid());
}

static long o_fchown(void)
{
	return fchown(reading(), getuid(), getgid());
}

static long o_fchownat(void)
{
	return fchownat(dir(), base, getuid(), getgid(), 0);
}

static long o_fchownat_empty(void)
{
	return fchownat(opath(), "", getuid(), getgid(), AT_EMPTY_PATH);
}

static long o_nobody(void)
{
	return chown(file, (uid_t)-1, getgid());
}

#ifdef SYS_utime
static long t_utime(void)
{
	struct utimbuf t = {.actime = 1, .modtime = 1};

	return syscall(SYS_utime, file, &t);
}

static long t_utimes(void)
{
	struct timeval t[2] = {{.tv_sec = 2}, {.tv_sec = 2}};

	return syscall(SYS_utimes, file, t);
}

static long t_futimesat(void)
{
	struct timeval t[2] = {{.tv_sec = 3}, {.tv_sec = 3}};

	return syscall(SYS_futimesat, dir(), base, t);
}

static long t_futimesat_fd(void)
{
	struct timeval t[2] = {{.tv_sec = 3}, {.tv_sec = 3}};

	return syscall(SYS_futimesat, reading(), NULL, t);
}
#endif

static const struct timespec four[2] = {{.tv_sec = 4}, {.tv_sec = 4}};

static long t_utimensat(void)
{
	return syscall(SYS_utimensat, AT_FDCWD, file, four, 0);
}

static long t_utimensat_now(void)
{
	return syscall(SYS_utimensat, AT_FDCWD, file, NULL, 0);
}

static long t_utimensat_fd(void)
{
	return syscall(SYS_utimensat, reading(), NULL, four, 0);
}

static long t_utimensat_nofollow(void)
{
	return syscall(SYS_utimensat, dir(), base, four, AT_SYMLINK_NOFOLLOW);
}

static long t_utimensat_empty(void)
{
	return syscall(SYS_utimensat, opath(), "", four, AT_EMPTY_PATH);
}

static long t_atime(void)
{
	const struct timespec t[2] = {{.tv_sec = 5}, {.tv_nsec = UTIME_OMIT}};

	return syscall(SYS_utimensat, AT_FDCWD, file, t, 0);
}

static long x_set(void)
{
	return setxattr(file, "user.attack", "x", 1, 0);
}

static long x_lset(void)
{
	return lsetxattr(file, "user.attack", "x", 1, 0);
}

static long x_fset(void)
{
	return fsetxattr(reading(), "user.attack", "x", 1, 0);
}

static long x_setat(void)
{
	struct xattr_arguments a = {.value = (uintptr_t) "x", .size = 1};

	return syscall(ATTACK_NR_setxattrat, dir(), base, 0, "user.attack", &a, sizeof(a));
}

static long x_setat_empty(void)
{
	struct xattr_arguments a = {.value = (uintptr_t) "x", .size = 1};

	return syscall(ATTACK_NR_setxattrat, reading(), "", AT_EMPTY_PATH, "user.attack", &a, sizeof(a));
}

static long x_set_proc(void)
{
	return setxattr(attack_proc_fd(opath(), ""), "user.attack", "x", 1, 0);
}

/* An access control list: of the owner, the group and all, as the mode says it (version 2, entries of 8 bytes). */
static long x_acl(void)
{
	static const uint8_t acl[] = {2, 0, 0, 0, 1,  0, 7, 0, 255, 255, 255, 255, 4, 0, 0, 0,
				      255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255};

	return setxattr(file, "system.posix_acl_access", acl, sizeof(acl), 0);
}

static long x_remove(void)
{
	return removexattr(file, "user.there");
}

static long x_lremove(void)
{
	return lremovexattr(file, "user.there");
}

static long x_fremove(void)
{
	return fremovexattr(reading(), "user.there");
}

static long x_removeat(void)
{
	return syscall(ATTACK_NR_removexattrat, dir(), base, 0, "user.there");
}

static long x_removeat_empty(void)
{
	return syscall(ATTACK_NR_removexattrat, reading(), "", AT_EMPTY_PATH, "user.there");
}

static long flags_by(int fd, unsigned long request)
{
	unsigned int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		attack_die("FS_IOC_GETFLAGS");
	flags ^= FS_NODUMP_FL;
	return syscall(SYS_ioctl, fd, request, &flags);
}

static long i_setflags(void)
{
	return flags_by(reading(), FS_IOC_SETFLAGS);
}

static long i_setflags_rubbish(void)
{
	return flags_by(reading(), FS_IOC_SETFLAGS | RUBBISH);
}

static long i_fssetxattr(void)
{
	struct fsxattr a;
	int fd = reading();

	if (ioctl(fd, FS_IOC_FSGETXATTR, &a) < 0)
		attack_die("FS_IOC_FSGETXATTR");
	a.fsx_xflags ^= FS_XFLAG_NODUMP;
	return ioctl(fd, FS_IOC_FSSETXATTR, &a);
}

static long file_setattr(int dirfd, const char *path, unsigned int at_flags)
{
	struct file_attributes a = {0};

	if (syscall(468 /* file_getattr */, dirfd, path, &a, sizeof(a), at_flags) < 0)
		attack_die("file_getattr");
	a.xflags &= FS_XFLAG_NODUMP | FS_XFLAG_NOATIME | FS_XFLAG_SYNC | FS_XFLAG_APPEND | FS_XFLAG_IMMUTABLE;
	a.xflags ^= FS_XFLAG_NODUMP;
	return syscall(ATTACK_NR_file_setattr, dirfd, path, &a, sizeof(a), at_flags);
}

static long i_file_setattr(void)
{
	return file_setattr(dir(), base, 0);
}

static long i_file_setattr_empty(void)
{
	return file_setattr(reading(), "", AT_EMPTY_PATH);
}

static const struct attempt attempts[] = {
    {"chmod", m_chmod},
    {"chmod-link", m_chmod_link},
    {"chmod-proc-fd", m_chmod_proc},
    {"chmod-proc-root", m_chmod_root},
    {"chmod-dots", m_chmod_dots},
    {"chmod-relative", m_chmod_cwd},
    {"chmod-proc-cwd", m_chmod_proc_cwd},
    {"chmod-setuid", m_setuid_bit},
    {"fchmod", m_fchmod},
    {"fchmodat", m_fchmodat},
    {"fchmodat2", m_fchmodat2},
    {"fchmodat2-empty", m_fchmodat2_empty},
    {"fchmodat2-rubbish", m_fchmodat2_rubbish},
    {"chown", o_chown},
    {"chown-group", o_nobody},
    {"lchown", o_lchown},
    {"fchown", o_fchown},
    {"fchownat", o_fchownat},
    {"fchownat-empty", o_fchownat_empty},
#ifdef SYS_utime
    {"utime", t_utime},
    {"utimes", t_utimes},
    {"futimesat", t_futimesat},
    {"futimesat-fd", t_futimesat_fd},
#endif
    {"utimensat", t_utimensat},
    {"utimensat-now", t_utimensat_now},
    {"utimensat-fd", t_utimensat_fd},
    {"utimensat-nofollow", t_utimensat_nofollow},
    {"utimensat-empty", t_utimensat_empty},
    {"utimensat-atime", t_atime},
    {"setxattr", x_set},
    {"setxattr-proc-fd", x_set_proc},
    {"setxattr-acl", x_acl},
    {"lsetxattr", x_lset},
    {"fsetxattr", x_fset},
    {"setxattrat", x_setat},
    {"setxattrat-empty", x_setat_empty},
    {"removexattr", x_remove},
    {"lremovexattr", x_lremove},
    {"fremovexattr", x_fremove},
    {"removexattrat", x_removeat},
    {"removexattrat-empty", x_removeat_empty},
    {"FS_IOC_SETFLAGS", i_setflags},
    {"FS_IOC_SETFLAGS-rubbish", i_setflags_rubbish},
    {"FS_IOC_FSSETXATTR", i_fssetxattr},
    {"file_setattr", i_file_setattr},
    {"file_setattr-empty", i_file_setattr_empty},
};

static void each(void)
{
	bool there = getxattr(file, "user.there", NULL, 0) >= 0;

	if (!there)
		attack_die("user.there");
	for (size_t i = 0; i < ATTACK_LEN(attempts); i++) {
		attack_try(&attempts[i]);
		if (getxattr(file, "user.there", NULL, 0) < 0 && setxattr(file, "user.there", "x", 1, 0) < 0)
			attack_die("user.there");
	}
}

/* Races. Both names have the same length, so that a flip of the string is a few bytes. */

static const char *good, *bad;
static char shared[4096];
static int shared_fd;
static atomic_bool finished;

static void *flip_path(void *unused)
{
	size_t len = strlen(good);

	while (!atomic_load(&finished)) {
		memcpy(shared, bad, len);
		__asm__ volatile("" ::: "memory");
		memcpy(shared, good, len);
		__asm__ volatile("" ::: "memory");
	}
	return unused;
}

/* links/race points to the one or the other. */
static void *flip_link(void *unused)
{
	for (int i = 0; !atomic_load(&finished); i++) {
		if (symlink(i & 1 ? good : bad, "links/next") < 0 || rename("links/next", "links/race") < 0)
			attack_die("links/race");
	}
	return unused;
}

static void *flip_descriptor(void *unused)
{
	int g = must(open(good, O_RDONLY)), b = must(open(bad, O_RDONLY));

	for (int i = 0; !atomic_load(&finished); i++)
		if (dup2(i & 1 ? g : b, shared_fd) < 0)
			attack_die("dup2");
	return unused;
}

static long change_path(int i)
{
	return i & 1 ? chmod(shared, 0700) : setxattr(shared, "user.attack", "x", 1, 0);
}

static long change_link(int i)
{
	return i & 1 ? chmod("links/race", 0700) : (long)chown("links/race", (uid_t)-1, getgid());
}

static long change_descriptor(int i)
{
	return i & 1 ? fchmod(shared_fd, 0700) : fsetxattr(shared_fd, "user.attack", "x", 1, 0);
}

static long change_directory(int i)
{
	return syscall(SYS_fchmodat, shared_fd, "file", i & 1 ? 0700 : 0710);
}

/* AT_EMPTY_PATH and the NULL path: the descriptor itself. */
static long change_empty(int i)
{
	return i & 1 ? syscall(ATTACK_NR_fchmodat2, shared_fd, "", 0700, AT_EMPTY_PATH)
		     : syscall(SYS_utimensat, shared_fd, NULL, four, 0);
}

static int race(const char *how, int tries)
{
	static const struct {
		const char *name;
		void *(*flip)(void *);
		long (*change)(int);
	} races[] = {
	    {"path", flip_path, change_path},
	    {"link", flip_link, change_link},
	    {"descriptor", flip_descriptor, change_descriptor},
	    {"directory", flip_descriptor, change_directory},
	    {"empty", flip_descriptor, change_empty},
	};
	int changed = 0, failed = 0;

	for (size_t r = 0; r < ATTACK_LEN(races); r++) {
		pthread_t flipper;

		if (strcmp(races[r].name, how))
			continue;
		snprintf(shared, sizeof(shared), "%s", good);
		shared_fd = must(open(good, O_RDONLY));
		if (races[r].flip == flip_link && symlink(good, "links/race") < 0)
			attack_die("links/race");
		if (pthread_create(&flipper, NULL, races[r].flip, NULL))
			attack_die("pthread_create");
		for (int i = 0; i < tries; i++)
			*(races[r].change(i) < 0 ? &failed : &changed) += 1;
		atomic_store(&finished, true);
		pthread_join(flipper, NULL);
		printf("changed: %d\nfailed: %d\n", changed, failed);
		return 0;
	}
	return 2;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "each")) {
		char *slash = strrchr(argv[2], '/');

		file = argv[2];
		snprintf(directory, sizeof(directory), "%.*s", (int)(slash - file), file);
		snprintf(base, sizeof(base), "%s", slash + 1);
		each();
		return 0;
	}
	if (argc == 6 && !strcmp(argv[1], "race") && strlen(argv[3]) == strlen(argv[4])) {
		good = argv[3];
		bad = argv[4];
		return race(argv[2], attack_number(argv[5]));
	}
	return 2;
}
