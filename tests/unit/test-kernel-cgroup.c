/*
 * test-kernel-cgroup.c - where a group may be made, and what is written there: on trees of plain files, and on the kernel's own
 * where we may.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "kernel/cgroup.h"

#define PID 4711

static char top[64];
static char self[128], mounts[128], manager[128];
static const char *missing; /* a file that new groups do not have */

static const char *at(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned int next;

	next = (next + 1) % SL_ARRAY_LEN(paths);
	snprintf(paths[next], PATH_MAX, "%s/%s", top, name);
	return paths[next];
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(at(name), "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static const char *get(const char *name)
{
	static char text[4096];
	FILE *f = fopen(at(name), "r");
	size_t n;

	if (!f)
		return "?";
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

/* A group as the kernel makes it. */
static int make_dir(const char *path, mode_t mode)
{
	static const char *const files[] = {"cgroup.procs", "cgroup.subtree_control", "cgroup.controllers", "cgroup.kill",
					    "memory.max",   "memory.oom.group",	      "memory.swap.max",    "memory.events",
					    "cpu.max"};

	if (mkdir(path, mode) < 0)
		return -1;
	for (size_t i = 0; i < SL_ARRAY_LEN(files); i++) {
		SL_FREE char *file = sl_xasprintf("%s/%s", path, files[i]);

		if (!missing || strcmp(missing, files[i]) != 0)
			close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	}
	return 0;
}

static int remove_one(const char *path, const struct stat *st SL_UNUSED, int type SL_UNUSED, struct FTW *ftw SL_UNUSED)
{
	return remove(path);
}

static const struct sl_cgroup_system fake = {
    .self = self, .mounts = mounts, .manager = manager, .pid = PID, .make_dir = make_dir};

/* A tree with its root at "cg", and our own group in it. */
static void tree(const char *own, const char *mount_root)
{
	char text[PATH_MAX + 256];

	snprintf(top, sizeof(top), "/var/tmp/sandlock-test-cgroup.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	snprintf(self, sizeof(self), "%s/self", top);
	snprintf(mounts, sizeof(mounts), "%s/mounts", top);
	snprintf(manager, sizeof(manager), "%s/systemd", top);
	missing = NULL;
	ck_assert_int_eq(make_dir(at("cg"), 0755), 0);
	snprintf(text, sizeof(text), "9:name=systemd:/x\n0::%s\n", own);
	put("self", text);
	snprintf(text, sizeof(text),
		 "20 1 0:20 / /proc rw,nosuid - proc proc rw\n"
		 "30 1 0:30 %s %s/cg rw,nosuid shared:9 - cgroup2 none rw,nsdelegate\n",
		 mount_root, top);
	put("mounts", text);
}

static void untree(void)
{
	ck_assert_int_eq(nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void group(const char *name)
{
	ck_assert_int_eq(make_dir(at(name), 0755), 0);
}

static struct sl_cgroup_place find(void)
{
	struct sl_cgroup_place place;

	sl_cgroup_find(&fake, SL_CGROUP_MEMORY | SL_CGROUP_CPU, &place);
	ck_assert_int_eq(!*place.dir, place.why_not != NULL);
	ck_assert_int_eq(!*place.dir, !place.controllers);
	return place;
}

static void found(const char *dir, unsigned int controllers, bool leaf)
{
	struct sl_cgroup_place place = find();

	ck_assert_str_eq(place.dir, at(dir));
	ck_assert_uint_eq(place.controllers, controllers);
	ck_assert_int_eq(place.leaf, leaf);
}

static void refused(const char *why)
{
	struct sl_cgroup_place place = find();

	ck_assert_msg(!*place.dir && strstr(place.why_not, why), "%s: %s", place.dir, place.why_not ? place.why_not : "");
}

START_TEST(test_R7_where_a_group_is_made)
{
	tree("/", "/");
	refused("has these controllers");
	put("cg/cgroup.subtree_control", "cpu io memory pids\n");
	found("cg", SL_CGROUP_MEMORY | SL_CGROUP_CPU, false);
	put("cg/cgroup.subtree_control", "io pids cpuset\n");
	refused("has these controllers");
	/* Nobody in it but us: a leaf makes room. */
	put("cg/cgroup.controllers", "io memory\n");
	put("cg/cgroup.procs", "4711\n");
	found("cg", SL_CGROUP_MEMORY, true);
	put("cg/cgroup.procs", "4710\n4711\n");
	refused("has these controllers");
	untree();
}
END_TEST

START_TEST(test_R7_a_group_beside_ours)
{
	/* A container shows a part of the tree, and our own group below it. */
	tree("/c/init", "/c");
	group("cg/init");
	put("cg/cgroup.subtree_control", "memory\n");
	put("cg/init/cgroup.procs", "1\n4711\n");
	refused("limits of its own"); /* what cannot be understood is a limit */
	put("cg/init/memory.swap.max", "max\n");
	put("cg/init/memory.max", "max\n");
	put("cg/init/cpu.max", "max 100000\n");
	found("cg", SL_CGROUP_MEMORY, false);
	/* It must be none that frees us of something. */
	put("cg/init/cpu.max", "50000 100000\n");
	refused("limits of its own");
	put("cg/init/cpu.max", "max 100000\n");
	put("cg/init/pids.max", "100\n");
	refused("limits of its own");
	put("cg/init/pids.max", "max\n");
	put("cg/init/cpuset.cpus", "0\n");
	refused("limits of its own");
	put("cg/init/cpuset.cpus", "\n");
	found("cg", SL_CGROUP_MEMORY, false);
	/* Never further up. */
	group("cg/init/deep");
	put("self", "0::/c/init/deep\n");
	refused("has these controllers");
	untree();
}
END_TEST

START_TEST(test_R7_no_group_where_none_is_ours)
{
	tree("/a", "/");
	refused("has these controllers"); /* the group is not there */
	untree();
	tree("/", "/");
	put("cg/cgroup.subtree_control", "memory\n");
	for (size_t i = 0; i < 3; i++) {
		static const char *const own[] = {"9:memory:/x\n", "0::/../y\n", "0::/ (deleted)\n"};

		put("self", own[i]);
		refused("can be written to");
	}
	put("self", "0::/\n");
	put("cg/cgroup.type", "domain threaded\n");
	refused("has these controllers");
	put("cg/cgroup.type", "domain\n");
	found("cg", SL_CGROUP_MEMORY, false);
	/* systemd's tree, but for what it gave away. */
	ck_assert_int_eq(mkdir(manager, 0755), 0);
	refused("not delegated");
	if (setxattr(at("cg"), "user.delegate", "1", 1, 0) == 0)
		found("cg", SL_CGROUP_MEMORY, false);
	ck_assert_int_eq(rmdir(manager), 0);
	{
		char text[PATH_MAX + 64];

		snprintf(text, sizeof(text), "30 1 0:30 / %s ro,nosuid - cgroup2 none rw\n", at("cg"));
		put("mounts", text);
		refused("can be written to");
	}
	untree();
}
END_TEST

START_TEST(test_R7_what_is_written)
{
	const struct sl_cgroup_limits limits = {.memory_bytes = 64 << 20, .cpu_percent = 150};
	struct sl_cgroup_place place;
	struct sl_cgroup g;

	tree("/", "/");
	put("cg/cgroup.subtree_control", "memory cpu\n");
	place = find();
	ck_assert_int_eq(sl_cgroup_make(&fake, &place, &limits, &g), 0);
	ck_assert_str_eq(g.dir, at("cg/sandlock-4711.0"));
	ck_assert_uint_eq(g.controllers, SL_CGROUP_MEMORY | SL_CGROUP_CPU);
	ck_assert_str_eq(get("cg/sandlock-4711.0/memory.max"), "67108864");
	ck_assert_str_eq(get("cg/sandlock-4711.0/memory.oom.group"), "1");
	ck_assert_str_eq(get("cg/sandlock-4711.0/memory.swap.max"), "0");
	ck_assert_str_eq(get("cg/sandlock-4711.0/cpu.max"), "150000 100000");
	ck_assert_int_eq(write(g.procs_fd, "0", 1), 1);
	ck_assert_str_eq(get("cg/sandlock-4711.0/cgroup.procs"), "0");
	close(g.procs_fd);
	ck_assert_uint_eq(sl_cgroup_oom_kills(&g), 0);
	put("cg/sandlock-4711.0/memory.events", "low 0\nhigh 0\nmax 7\noom 1\noom_kill 5\noom_group_kill 1\n");
	ck_assert_uint_eq(sl_cgroup_oom_kills(&g), 5);
	sl_cgroup_kill(&g);
	ck_assert_str_eq(get("cg/sandlock-4711.0/cgroup.kill"), "1");
	/* Somebody is in it, here: files. */
	ck_assert(!sl_cgroup_end(&g));
	/* The next one has another name. */
	ck_assert_int_eq(sl_cgroup_make(&fake, &place, &(struct sl_cgroup_limits){.cpu_percent = 20}, &g), 0);
	close(g.procs_fd);
	ck_assert_uint_eq(g.controllers, SL_CGROUP_CPU);
	ck_assert_str_eq(get("cg/sandlock-4711.1/memory.max"), "");
	ck_assert_str_eq(get("cg/sandlock-4711.1/cpu.max"), "20000 100000");
	untree();
}
END_TEST

START_TEST(test_R7_into_a_leaf_and_back)
{
	const struct sl_cgroup_limits limits = {.memory_bytes = 1 << 30};
	struct sl_cgroup_place place;
	struct sl_cgroup g;

	tree("/", "/");
	put("cg/cgroup.controllers", "memory\n");
	put("cg/cgroup.procs", "4711\n");
	place = find();
	ck_assert_int_eq(sl_cgroup_make(&fake, &place, &limits, &g), 0);
	close(g.procs_fd);
	ck_assert_str_eq(get("cg/sandlock-4711.tool/cgroup.procs"), "0");
	ck_assert_str_eq(get("cg/cgroup.subtree_control"), "+memory");
	ck_assert_int_eq(nftw(g.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	put("cg/cgroup.subtree_control", "memory\n");
	sl_cgroup_end(&g);
	ck_assert_int_eq(strncmp(get("cg/cgroup.subtree_control"), "-memory", 7), 0);
	ck_assert_int_eq(strncmp(get("cg/cgroup.procs"), "0", 1), 0);
	untree();
}
END_TEST

/* What the kernel refuses at any step: there is no group, and the error says so. */
START_TEST(test_R7_a_group_that_cannot_be_limited)
{
	static const char *const needed[] = {"memory.max", "memory.oom.group", "cpu.max", "cgroup.procs"};
	const struct sl_cgroup_limits limits = {.memory_bytes = 1 << 30, .cpu_percent = 10};
	struct sl_cgroup_place place;
	struct sl_cgroup g;

	tree("/", "/");
	put("cg/cgroup.subtree_control", "memory cpu\n");
	place = find();
	missing = needed[_i];
	ck_assert_int_eq(sl_cgroup_make(&fake, &place, &limits, &g), -ENOENT);
	ck_assert_str_eq(g.dir, "");
	ck_assert_int_eq(g.procs_fd, -EBADF);
	ck_assert_uint_eq(g.controllers, 0);
	ck_assert(sl_cgroup_end(&g));
	missing = "memory.swap.max";
	ck_assert_int_eq(sl_cgroup_make(&fake, &place, &limits, &g), 0);
	close(g.procs_fd);
	untree();
}
END_TEST

static void first_mount(const char *dir, void *arg)
{
	char *ret = arg;

	if (!*ret)
		snprintf(ret, PATH_MAX, "%s", dir);
}

/* In the group: says so by a byte, and stays until it is told to go. */
static void member(const struct sl_cgroup *g, int say, int hear)
{
	char text[PATH_MAX] = "", byte = 0;
	const char *name = strrchr(g->dir, '/');
	int fd;

	if (write(g->procs_fd, "0", 1) != 1)
		_exit(2);
	fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	if (read(fd, text, sizeof(text) - 1) <= 0 || !strstr(text, name))
		_exit(3);
	if (write(say, &byte, 1) != 1)
		_exit(4);
	_exit(read(hear, &byte, 1) == 1 ? 0 : 5);
}

/* The kernel's own tree: while a process is in the group it cannot be removed. */
START_TEST(test_R7_the_kernels_own_tree)
{
	struct sl_cgroup_place place = {.dir = ""};
	const struct sl_cgroup_limits none = {0};
	int status, to[2], from[2];
	struct sl_cgroup g;
	char byte = 0;
	pid_t pid;

	sl_cgroup_each_mount(&sl_cgroup_system, first_mount, place.dir);
	if (!*place.dir || sl_cgroup_make(&sl_cgroup_system, &place, &none, &g) < 0) {
		printf("skipped: no cgroup v2 in which this user can make groups\n");
		return;
	}
	ck_assert_int_eq(pipe2(to, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(from, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0)
		member(&g, from[1], to[0]);
	close(from[1]);
	ck_assert_int_eq(read(from[0], &byte, 1), 1);
	ck_assert(!sl_cgroup_end(&g));
	ck_assert_int_eq(write(to[1], &byte, 1), 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	close(g.procs_fd);
	ck_assert(sl_cgroup_end(&g));
	ck_assert_int_lt(access(g.dir, F_OK), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kernel-cgroup");
	TCase *t = tcase_create("cgroup");
	SRunner *r;
	int failed;

	tcase_add_test(t, test_R7_where_a_group_is_made);
	tcase_add_test(t, test_R7_a_group_beside_ours);
	tcase_add_test(t, test_R7_no_group_where_none_is_ours);
	tcase_add_test(t, test_R7_what_is_written);
	tcase_add_test(t, test_R7_into_a_leaf_and_back);
	tcase_add_loop_test(t, test_R7_a_group_that_cannot_be_limited, 0, 4);
	tcase_add_test(t, test_R7_the_kernels_own_tree);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
