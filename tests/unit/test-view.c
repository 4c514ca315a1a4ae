/*
 * test-view.c - what random calls do not reach: sizes, numbers, depth, descriptors, and what remains
 * different from a bare file system.
 */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "view-harness.h"
#include "view/handle.h"

static struct world w;

static void make(void)
{
	world_make_apart(&w);
}

static void done(void)
{
	world_done_apart(&w);
}

static struct sl_view_file *view_open(struct sl_view_file *at, const char *path, int flags)
{
	struct sl_view_file *f = NULL;

	ck_assert_int_eq(sl_view_openat(&w.ctx, at, path, flags, 0644, 0, &f), 0);
	return f;
}

static struct stat view_stat(const char *path)
{
	struct stat st;

	ck_assert_int_eq(sl_view_statat(&w.ctx, NULL, path, AT_SYMLINK_NOFOLLOW, &st), 0);
	return st;
}

static void expect_content(int fd, const char *text)
{
	char buf[64] = "";
	ssize_t n = pread(fd, buf, sizeof(buf) - 1, 0);

	ck_assert_int_eq(n, (ssize_t)strlen(text));
	ck_assert_str_eq(buf, text);
}

/* Objects and blocks of 512 bytes in the upper. */
static unsigned int count_upper(blkcnt_t *ret_blocks)
{
	DIR *d = w.view ? opendir(sl_view_upper_path(w.view))
			: fdopendir(openat(w.upper, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	unsigned int n = 0;
	struct dirent *e;
	struct stat st;

	*ret_blocks = 0;
	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		ck_assert_int_eq(fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW), 0);
		*ret_blocks += st.st_blocks;
		n++;
	}
	closedir(d);
	return n;
}

START_TEST(sparse_file_costs_what_is_touched)
{
	struct sl_view_file *f;
	blkcnt_t blocks;
	struct stat st;
	int fd = openat(w.lower, "sparse", O_CREAT | O_RDWR | O_CLOEXEC, 0644);

	ck_assert_int_eq(ftruncate(fd, 1 << 30), 0);
	ck_assert_int_eq(pwrite(fd, "begin", 5, 0), 5);
	ck_assert_int_eq(pwrite(fd, "end", 3, (1 << 30) - 3), 3);
	close(fd);
	f = view_open(NULL, "sparse", O_RDWR);
	ck_assert_int_eq(pwrite(sl_view_fd(f), "middle", 6, 1 << 29), 6);
	ck_assert_int_eq(fsync(sl_view_fd(f)), 0);
	count_upper(&blocks);
	ck_assert_int_lt(blocks, 2048); /* a megabyte */
	st = view_stat("sparse");
	ck_assert_int_eq(st.st_size, 1 << 30);
	sl_view_close(f);
	ck_assert_int_eq(sl_view_merge_down(w.view, w.lower), 0);
	ck_assert_int_eq(fstatat(w.lower, "sparse", &st, 0), 0);
	ck_assert_int_eq(st.st_size, 1 << 30);
	ck_assert_int_lt(st.st_blocks, 2048);
}
END_TEST

START_TEST(links_and_numbers_outlive_copy_up)
{
	struct stat lower, a, b;
	struct sl_view_file *f;

	ck_assert_int_eq(fstatat(w.lower, "a/c", &lower, 0), 0);
	f = view_open(NULL, "a/c", O_WRONLY | O_TRUNC);
	ck_assert_int_eq(write(sl_view_fd(f), "new", 3), 3);
	sl_view_close(f);
	a = view_stat("a/c");
	b = view_stat("b/a");
	ck_assert(a.st_ino == lower.st_ino && b.st_ino == lower.st_ino && a.st_dev == lower.st_dev);
	ck_assert_uint_eq(a.st_nlink, 2);
	ck_assert_int_eq(sl_view_renameat2(&w.ctx, NULL, "a/c", NULL, "d/moved", 0), 0);
	ck_assert(view_stat("a/b/moved").st_ino == lower.st_ino);
	f = view_open(NULL, "b/a", O_RDONLY);
	expect_content(sl_view_fd(f), "new");
	sl_view_close(f);
	ck_assert_int_eq(sl_view_merge_down(w.view, w.lower), 0);
	ck_assert_int_eq(fstatat(w.lower, "a/b/moved", &a, 0), 0);
	ck_assert(a.st_ino == lower.st_ino && a.st_nlink == 2);
}
END_TEST

START_TEST(directory_renamed_without_what_is_below)
{
	struct stat lower;
	blkcnt_t blocks;
	char name[32];

	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "a/b/file%d", i);
		close(openat(w.lower, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	}
	ck_assert_int_eq(fstatat(w.lower, "a/b/file77", &lower, 0), 0);
	ck_assert_int_eq(sl_view_renameat2(&w.ctx, NULL, "a", NULL, "b/moved", 0), 0);
	ck_assert(view_stat("b/moved/b/file77").st_ino == lower.st_ino);
	ck_assert_int_eq(sl_view_unlinkat(&w.ctx, NULL, "b/moved/b/file77", 0), 0);
	ck_assert_uint_le(count_upper(&blocks), 3); /* the three directories that lost or got a name */
	ck_assert_int_eq(sl_view_merge_down(w.view, w.lower), 0);
	ck_assert_int_eq(fstatat(w.lower, "b/moved/b/file78", &lower, 0), 0);
	ck_assert_int_eq(fstatat(w.lower, "b/moved/b/file77", &lower, 0), -1);
	ck_assert_int_eq(fstatat(w.lower, "a", &lower, 0), -1);
}
END_TEST

static struct sl_vnode *told;

static void copied(struct sl_vnode *n, void *arg SL_UNUSED)
{
	told = n;
}

START_TEST(reader_from_before_sees_the_write)
{
	struct sl_view_file *reader = view_open(NULL, "c", O_RDONLY), *writer;
	int fd = sl_view_fd(reader);
	char one;

	sl_view_set_copied(w.view, copied, NULL);
	ck_assert_int_eq(read(fd, &one, 1), 1);
	writer = view_open(NULL, "c", O_WRONLY);
	ck_assert_ptr_nonnull(told);
	ck_assert_int_eq(sl_view_fd(reader), fd);
	ck_assert_int_eq(pwrite(sl_view_fd(writer), "TOP", 3, 0), 3);
	ck_assert_int_eq(read(fd, &one, 1), 1);
	ck_assert_int_eq(one, 'O'); /* the position is kept */
	sl_view_close(reader);
	sl_view_close(writer);
}
END_TEST

/* What remains different: who is meant to serve others' descriptors is told, but a copy of the number and a
 * mapping stay with the lower's file. */
START_TEST(difference_duplicates_and_mappings_stay)
{
	struct sl_view_file *reader = view_open(NULL, "c", O_RDONLY), *writer;
	int copy = dup(sl_view_fd(reader));
	char *map = mmap(NULL, 3, PROT_READ, MAP_SHARED, sl_view_fd(reader), 0);

	ck_assert_ptr_ne(map, MAP_FAILED);
	writer = view_open(NULL, "c", O_WRONLY);
	ck_assert_int_eq(pwrite(sl_view_fd(writer), "TOP", 3, 0), 3);
	expect_content(sl_view_fd(reader), "TOP");
	expect_content(copy, "top");
	ck_assert_int_eq(memcmp(map, "top", 3), 0);
	munmap(map, 3);
	close(copy);
	sl_view_close(reader);
	sl_view_close(writer);
}
END_TEST

START_TEST(listing_survives_removal)
{
	struct sl_view_file *f;
	struct sl_view_dirent e;
	unsigned int seen = 0;
	uint64_t pos = 0;
	char name[32];

	ck_assert_int_eq(sl_view_mkdirat(&w.ctx, NULL, "many", 0755), 0);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		ck_assert_int_eq(sl_view_mknodat(&w.ctx, NULL, name, S_IFREG | 0644), 0);
	}
	f = view_open(NULL, "many", O_RDONLY | O_DIRECTORY);
	while (sl_view_readdir(f, &pos, &e) == 1) {
		if (e.name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "many/%s", e.name);
		ck_assert_int_eq(sl_view_unlinkat(&w.ctx, NULL, name, 0), 0);
		seen++;
	}
	ck_assert_uint_eq(seen, 300);
	ck_assert_int_eq(sl_view_unlinkat(&w.ctx, NULL, "many", AT_REMOVEDIR), 0);
	pos = 0;
	ck_assert_int_eq(sl_view_readdir(f, &pos, &e), -ENOENT);
	sl_view_close(f);
}
END_TEST

START_TEST(deeper_than_a_path_is_long)
{
	struct sl_view_file *at = view_open(NULL, "a", O_PATH | O_DIRECTORY), *next;
	int real = openat(w.lower, "a", O_PATH | O_DIRECTORY | O_CLOEXEC), below;
	char name[201];
	struct stat st;

	memset(name, 'n', 200);
	name[200] = '\0';
	for (int i = 0; i < 40; i++) { /* 8000 bytes */
		ck_assert_int_eq(mkdirat(real, name, 0755), 0);
		below = openat(real, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		ck_assert_int_ge(below, 0);
		close(real);
		real = below;
		next = view_open(at, name, O_PATH | O_DIRECTORY);
		sl_view_close(at);
		at = next;
	}
	ck_assert_int_eq(sl_view_mkdirat(&w.ctx, at, "new", 0755), 0);
	next = view_open(at, "new/file", O_CREAT | O_WRONLY);
	ck_assert_int_eq(write(sl_view_fd(next), "deep", 4), 4);
	sl_view_close(next);
	ck_assert_int_eq(sl_view_statat(&w.ctx, at, "new/file", 0, &st), 0);
	ck_assert_int_eq(sl_view_merge_down(w.view, w.lower), 0);
	sl_view_close(at);
	ck_assert_int_eq(fstatat(real, "new/file", &st, 0), 0);
	ck_assert_int_eq(st.st_size, 4);
	close(real);
}
END_TEST

START_TEST(forty_links_and_no_more)
{
	char name[16], target[16];
	struct stat st;

	for (int i = 1; i <= 41; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		snprintf(target, sizeof(target), i == 1 ? "c" : "l%d", i - 1);
		ck_assert_int_eq(sl_view_symlinkat(&w.ctx, target, NULL, name), 0);
	}
	ck_assert_int_eq(sl_view_statat(&w.ctx, NULL, "l40", 0, &st), 0);
	ck_assert_int_eq(sl_view_statat(&w.ctx, NULL, "l41", 0, &st), -ELOOP);
	ck_assert_int_eq(sl_view_statat(&w.ctx, NULL, "l41", AT_SYMLINK_NOFOLLOW, &st), 0);
}
END_TEST

START_TEST(resolve_flags)
{
	struct sl_view_file *a = view_open(NULL, "a", O_PATH), *f = NULL;

#define EXPECT(path, resolve, error)                                                                         \
	ck_assert_int_eq(sl_view_openat(&w.ctx, a, path, O_PATH, 0, resolve, &f), error);                    \
	sl_view_close(f);                                                                                    \
	f = NULL
	EXPECT("b/../c", RESOLVE_BENEATH, 0);
	EXPECT("../c", RESOLVE_BENEATH, -EXDEV);
	EXPECT("d", RESOLVE_BENEATH, -EXDEV); /* leads to ../b */
	EXPECT("/c", RESOLVE_BENEATH, -EXDEV);
	EXPECT("/c", RESOLVE_IN_ROOT, 0);
	EXPECT("../../c", RESOLVE_IN_ROOT, 0);
	EXPECT("d/c", RESOLVE_NO_SYMLINKS, -ELOOP);
	EXPECT("d/c", RESOLVE_NO_XDEV, 0);
	EXPECT("c", RESOLVE_CACHED, -EAGAIN);
#undef EXPECT
	sl_view_close(a);
}
END_TEST

START_TEST(working_directory_moves_and_goes)
{
	struct sl_view_file *at = view_open(NULL, "a/b", O_PATH);
	SL_FREE char *path = NULL, *other = NULL;
	struct stat st;

	ck_assert_int_eq(sl_view_renameat2(&w.ctx, NULL, "a", NULL, "b/z", 0), 0);
	ck_assert_int_eq(sl_view_path(at, &path), 0);
	ck_assert_str_eq(path, "/b/z/b");
	ck_assert_int_eq(sl_view_statat(&w.ctx, at, "../../d", 0, &st), 0);
	ck_assert_int_eq(sl_view_unlinkat(&w.ctx, at, "c", 0), 0);
	ck_assert_int_eq(sl_view_unlinkat(&w.ctx, at, "d", 0), 0);
	ck_assert_int_eq(sl_view_unlinkat(&w.ctx, at, "../b", AT_REMOVEDIR), 0);
	ck_assert_int_eq(sl_view_path(at, &other), -ENOENT);
	ck_assert_int_eq(sl_view_mkdirat(&w.ctx, at, "x", 0755), -ENOENT);
	ck_assert_int_eq(sl_view_statat(&w.ctx, at, "..", 0, &st), 0);
	ck_assert_int_eq(sl_view_statat(&w.ctx, at, "", AT_EMPTY_PATH, &st), 0);
	ck_assert_uint_eq(st.st_nlink, 0);
	sl_view_close(at);
}
END_TEST

START_TEST(devices_are_refused)
{
	ck_assert_int_eq(sl_view_renameat2(&w.ctx, NULL, "c", NULL, "x", RENAME_WHITEOUT), -EINVAL);
	ck_assert_int_eq(sl_view_mknodat(&w.ctx, NULL, "null", S_IFCHR | 0666), -EPERM);
	ck_assert_int_eq(sl_view_mknodat(&w.ctx, NULL, "c/null", S_IFCHR | 0666), -ENOTDIR);
}
END_TEST

/* Access ACLs of the lower decide, for a caller who is not the owner. */
START_TEST(access_acl_decides)
{
	static const struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} e[5];
	} acl = {2, {{1, 6, -1U}, {2, 4, 777}, {4, 0, -1U}, {0x10, 6, -1U}, {0x20, 0, -1U}}};
	struct sl_view_creds named = {.uid = 777, .gid = 777}, other = {.uid = 778, .gid = 778};
	struct sl_view_ctx c = w.ctx;
	int fd = openat(w.lower, "a/b/c", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(fsetxattr(fd, "system.posix_acl_access", &acl, sizeof(acl), 0), 0);
	close(fd);
	for (int i = 0; i < 2; i++) {
		c.creds = &named;
		ck_assert_int_eq(sl_view_accessat(&c, NULL, "a/b/c", R_OK, 0), 0);
		ck_assert_int_eq(sl_view_accessat(&c, NULL, "a/b/c", W_OK, 0), -EACCES);
		c.creds = &other;
		ck_assert_int_eq(sl_view_accessat(&c, NULL, "a/b/c", R_OK, 0), -EACCES);
		/* The second time the copy's. */
		ck_assert_int_eq(sl_view_utimensat(&w.ctx, NULL, "a/b/c", NULL, 0), 0);
	}
}
END_TEST

static void put_default_acl(int root, const char *path)
{
	static const struct {
		uint32_t version;
		struct {
			uint16_t tag, perm;
			uint32_t id;
		} e[5];
	} acl = {2, {{1, 7, -1U}, {2, 6, 777}, {4, 5, -1U}, {0x10, 6, -1U}, {0x20, 4, -1U}}};
	int fd = openat(root, path, O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(fsetxattr(fd, "system.posix_acl_default", &acl, sizeof(acl), 0), 0);
	close(fd);
}

static void expect_same_acl(const char *path, const char *name)
{
	char real[256], view[256], proc[64];
	int fd = openat(w.real, path, O_PATH | O_CLOEXEC);
	ssize_t len;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	len = getxattr(proc, name, real, sizeof(real));
	if (len < 0)
		len = -errno;
	ck_assert_int_eq(sl_view_getxattrat(&w.ctx, NULL, path, name, view, sizeof(view), 0), len);
	if (len > 0)
		ck_assert_int_eq(memcmp(real, view, (size_t)len), 0);
	close(fd);
}

/* What is made in a directory with a default list, and below what is made there, has the lists and the mode
 * of a bare file system. */
START_TEST(default_acl_is_inherited)
{
	static const char *const names[] = {"a/f0", "a/d0", "a/d0/f", "a/d0/d", "a/p", "a/f7", "a/l"};
	static const mode_t modes[] = {0644, 0777, 0600, 0750, 0666, 0777, 0};
	struct stat real, view;

	put_default_acl(w.real, "a");
	put_default_acl(w.lower, "a");
	for (size_t i = 0; i < SL_ARRAY_LEN(names); i++) {
		struct sl_view_file *f = NULL;

		switch (names[i][strlen(names[i]) - 1] == 'f' ? 'f' : strrchr(names[i], '/')[1]) {
		case 'd':
			ck_assert_int_eq(mkdirat(w.real, names[i], modes[i]), 0);
			ck_assert_int_eq(sl_view_mkdirat(&w.ctx, NULL, names[i], modes[i]), 0);
			break;
		case 'p':
			ck_assert_int_eq(mknodat(w.real, names[i], S_IFIFO | modes[i], 0), 0);
			ck_assert_int_eq(sl_view_mknodat(&w.ctx, NULL, names[i], S_IFIFO | modes[i]), 0);
			break;
		case 'l':
			ck_assert_int_eq(symlinkat("x", w.real, names[i]), 0);
			ck_assert_int_eq(sl_view_symlinkat(&w.ctx, "x", NULL, names[i]), 0);
			break;
		default:
			close(openat(w.real, names[i], O_CREAT | O_WRONLY | O_CLOEXEC, modes[i]));
			ck_assert_int_eq(
			    sl_view_openat(&w.ctx, NULL, names[i], O_CREAT | O_WRONLY, modes[i], 0, &f), 0);
			sl_view_close(f);
		}
		ck_assert_int_eq(fstatat(w.real, names[i], &real, AT_SYMLINK_NOFOLLOW), 0);
		view = view_stat(names[i]);
		ck_assert_msg(real.st_mode == view.st_mode, "%s: %o %o", names[i], real.st_mode,
			      view.st_mode);
		if (S_ISLNK(view.st_mode))
			continue;
		expect_same_acl(names[i], "system.posix_acl_access");
		if (S_ISDIR(view.st_mode))
			expect_same_acl(names[i], "system.posix_acl_default");
	}
}
END_TEST

/* A gigabyte whose attributes change is not copied until it is written to, or executed. */
START_TEST(attributes_alone_are_copied)
{
	struct sl_view_file *f;
	SL_FREE char *path = NULL;
	blkcnt_t blocks;
	struct stat st;
	int fd = openat(w.lower, "big", O_CREAT | O_RDWR | O_CLOEXEC, 0644), copy;
	char block[65536];

	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 64; i++)
		ck_assert_int_eq(write(fd, block, sizeof(block)), (ssize_t)sizeof(block));
	close(fd);
	ck_assert_int_eq(sl_view_chmodat(&w.ctx, NULL, "big", 0700, 0), 0);
	ck_assert_int_eq(sl_view_utimensat(&w.ctx, NULL, "big", (struct timespec[2]){{1, 2}, {3, 4}}, 0), 0);
	count_upper(&blocks);
	ck_assert_int_lt(blocks, 256);
	st = view_stat("big");
	ck_assert_int_eq(st.st_size, 64 * (off_t)sizeof(block));
	f = view_open(NULL, "big", O_RDONLY);
	ck_assert_int_eq(pread(sl_view_fd(f), block, 4, 100), 4);
	ck_assert_int_eq(memcmp(block, "xxxx", 4), 0);
	ck_assert_int_eq(sl_view_real_path(f, &path), 0);
	copy = open(path, O_RDONLY | O_CLOEXEC); /* the lower's may not be executed */
	ck_assert_int_eq(fstat(copy, &st), 0);
	ck_assert(st.st_size == 64 * (off_t)sizeof(block) && (st.st_mode & 07777) == 0700);
	st = view_stat("big");
	ck_assert(st.st_mtim.tv_sec == 3 && st.st_mtim.tv_nsec == 4);
	close(copy);
	sl_view_close(f);
}
END_TEST

/* statx(2) agrees with stat(2), on either side of a copy. */
START_TEST(statx_is_stat)
{
	for (int i = 0; i < 2; i++) {
		struct stat st = view_stat("a/c");
		struct statx stx;

		ck_assert_int_eq(sl_view_statx(&w.ctx, NULL, "a/c", 0, STATX_ALL, &stx), 0);
		ck_assert(stx.stx_ino == st.st_ino && stx.stx_nlink == st.st_nlink &&
			  stx.stx_mode == st.st_mode && stx.stx_size == (uint64_t)st.st_size &&
			  stx.stx_dev_minor == minor(st.st_dev) && stx.stx_dev_major == major(st.st_dev));
		ck_assert_int_eq(sl_view_chmodat(&w.ctx, NULL, "a/c", 0640, 0), 0);
	}
}
END_TEST

/* On a read-only mount, or of what is immutable, nothing changes, and the errors say so. Where neither can be
 * made, by root or in namespaces, what is asked of the library is the same and succeeds. */
START_TEST(read_only_lower)
{
	bool mounted = unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) == 0 &&
		       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	SL_FREE char *path = sl_xasprintf("%s/lower/a/ro", w.top);
	struct sl_view_file *f = NULL;
	struct sl_view_ctx c = w.ctx;
	int r, in;

	ck_assert_int_eq(mkdir(path, 0755), 0);
	mounted = mounted && mount("none", path, "tmpfs", 0, NULL) == 0;
	in = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC); /* of the new name space */
	close(openat(in, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	mounted = mounted && mount("none", path, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL) == 0;
	r = mounted ? -EROFS : 0;
	ck_assert_int_eq(sl_view_new(in, w.upper, &c.view), 0);
	ck_assert_int_eq(sl_view_root(c.view, &c.root), 0);
	c.cwd = c.root;
	ck_assert_int_eq(sl_view_accessat(&c, NULL, "file", W_OK, 0), r);
	ck_assert_int_eq(sl_view_openat(&c, NULL, "file", O_WRONLY, 0, 0, &f), r);
	sl_view_close(f);
	ck_assert_int_eq(sl_view_chmodat(&c, NULL, "file", 0600, 0), r);
	ck_assert_int_eq(sl_view_mkdirat(&c, NULL, "dir", 0755), r);
	ck_assert_int_eq(sl_view_unlinkat(&c, NULL, "file", 0), r);
	sl_view_close(c.root);
	sl_view_free(c.view);
	close(in);
	if (mounted)
		umount(path);
}
END_TEST

/* Nothing below a mount that forbids it is executed, what the view makes there neither; elsewhere it is. */
START_TEST(no_execution_where_the_mount_forbids_it)
{
	bool mounted = unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) == 0 &&
		       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	SL_FREE char *path = sl_xasprintf("%s/lower/a/noexec", w.top);
	struct sl_view_file *f = NULL;
	struct sl_view_ctx c = w.ctx;
	int r, in;

	ck_assert_int_eq(mkdir(path, 0755), 0);
	mounted = mounted && mount("none", path, "tmpfs", MS_NOEXEC, NULL) == 0;
	in = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	close(openat(in, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0755));
	r = mounted ? -EACCES : 0;
	ck_assert_int_eq(sl_view_new(in, w.upper, &c.view), 0);
	ck_assert_int_eq(sl_view_root(c.view, &c.root), 0);
	c.cwd = c.root;
	ck_assert_int_eq(sl_view_mkdirat(&c, NULL, "dir", 0755), 0);
	ck_assert_int_eq(sl_view_openat(&c, NULL, "dir/new", O_CREAT | O_WRONLY, 0755, 0, &f), 0);
	sl_view_close(f);
	ck_assert_int_eq(sl_view_accessat(&c, NULL, "file", X_OK, 0), r);
	ck_assert_int_eq(sl_view_accessat(&c, NULL, "dir/new", R_OK | X_OK, 0), r);
	ck_assert_int_eq(sl_view_chmodat(&c, NULL, "file", 0711, 0), 0);
	ck_assert_int_eq(sl_view_accessat(&c, NULL, "file", X_OK, 0), r);
	ck_assert_int_eq(sl_view_accessat(&c, NULL, "file", W_OK, 0), 0);
	ck_assert_int_eq(sl_view_accessat(&c, NULL, "dir", X_OK, 0), 0);
	sl_view_close(c.root);
	sl_view_free(c.view);
	close(in);
	if (mounted)
		umount(path);
	ck_assert_int_eq(sl_view_chmodat(&w.ctx, NULL, "a/c", 0755, 0), 0);
	ck_assert_int_eq(sl_view_accessat(&w.ctx, NULL, "a/c", X_OK, 0), 0);
}
END_TEST

/* The call sets all flags at once, and ext4 that is told to do without extents sets the others and then says
 * EOPNOTSUPP where it cannot: what is there stays. */
static bool set_inode_flag(int fd, int flag)
{
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return false;
	flags = (flags & ~(FS_APPEND_FL | FS_IMMUTABLE_FL)) | flag;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

START_TEST(immutable_and_append_only_lower)
{
	int fd = openat(w.lower, "a/c", O_RDONLY | O_CLOEXEC);
	bool set = set_inode_flag(fd, FS_APPEND_FL); /* root, on most file systems */
	struct sl_view_file *f = NULL;
	int r = set ? -EPERM : 0;

	if (set) { /* else it would be changed, and what follows tests nothing of the first state */
		ck_assert_int_eq(sl_view_openat(&w.ctx, NULL, "a/c", O_WRONLY, 0, 0, &f), -EPERM);
		ck_assert_int_eq(sl_view_truncate(&w.ctx, NULL, "a/c", 0), -EPERM);
		ck_assert_int_eq(sl_view_unlinkat(&w.ctx, NULL, "a/c", 0), -EPERM);
		ck_assert(set_inode_flag(fd, FS_IMMUTABLE_FL));
	}
	ck_assert_int_eq(sl_view_chmodat(&w.ctx, NULL, "a/c", 0600, 0), r);
	ck_assert_int_eq(sl_view_linkat(&w.ctx, NULL, "a/c", NULL, "link", 0), r);
	ck_assert_int_eq(sl_view_setxattrat(&w.ctx, NULL, "a/c", "user.x", "y", 1, 0, 0), r);
	ck_assert_int_eq(sl_view_renameat2(&w.ctx, NULL, "a/c", NULL, "moved", 0), r);
	if (set) {
		ck_assert_int_eq(sl_view_openat(&w.ctx, NULL, "a/c", O_WRONLY | O_APPEND, 0, 0, &f), -EPERM);
		ck_assert(set_inode_flag(fd, 0));
	}
	close(fd);
}
END_TEST

START_TEST(statfs_is_the_lower_s)
{
	struct statfs view, lower;

	ck_assert_int_eq(sl_view_mkdirat(&w.ctx, NULL, "dir", 0755), 0);
	ck_assert_int_eq(fstatfs(w.lower, &lower), 0);
	ck_assert_int_eq(sl_view_statfs(&w.ctx, NULL, "dir", 0, &view), 0);
	ck_assert(view.f_type == lower.f_type && view.f_bsize == lower.f_bsize &&
		  view.f_blocks == lower.f_blocks);
	ck_assert_int_eq(sl_view_statfs(&w.ctx, NULL, "none", 0, &view), -ENOENT);
}
END_TEST

START_TEST(nothing_is_left_in_the_upper)
{
	struct sl_view_file *f = view_open(NULL, "a/new", O_CREAT | O_RDWR);
	blkcnt_t blocks;

	ck_assert_int_eq(sl_view_mkdirat(&w.ctx, NULL, "dir", 0755), 0);
	ck_assert_int_eq(sl_view_unlinkat(&w.ctx, NULL, "a/new", 0), 0);
	ck_assert_uint_eq(count_upper(&blocks), 4); /* the open file, dir, a, and the root */
	sl_view_close(f);
	ck_assert_uint_eq(count_upper(&blocks), 3);
	world_close_all(&w);
	sl_view_close(w.cwd);
	sl_view_close(w.root);
	sl_view_free(w.view);
	w.view = NULL;
	w.root = w.cwd = NULL;
	ck_assert_uint_eq(count_upper(&blocks), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("view");
	TCase *t = tcase_create("view");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, make, done);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, sparse_file_costs_what_is_touched);
	tcase_add_test(t, links_and_numbers_outlive_copy_up);
	tcase_add_test(t, directory_renamed_without_what_is_below);
	tcase_add_test(t, reader_from_before_sees_the_write);
	tcase_add_test(t, difference_duplicates_and_mappings_stay);
	tcase_add_test(t, listing_survives_removal);
	tcase_add_test(t, deeper_than_a_path_is_long);
	tcase_add_test(t, forty_links_and_no_more);
	tcase_add_test(t, resolve_flags);
	tcase_add_test(t, working_directory_moves_and_goes);
	tcase_add_test(t, devices_are_refused);
	tcase_add_test(t, access_acl_decides);
	tcase_add_test(t, default_acl_is_inherited);
	tcase_add_test(t, attributes_alone_are_copied);
	tcase_add_test(t, statx_is_stat);
	tcase_add_test(t, read_only_lower);
	tcase_add_test(t, no_execution_where_the_mount_forbids_it);
	tcase_add_test(t, immutable_and_append_only_lower);
	tcase_add_test(t, statfs_is_the_lower_s);
	tcase_add_test(t, nothing_is_left_in_the_upper);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
