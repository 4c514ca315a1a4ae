/*
 * cgroup.c - finding, making and removing a group; see cgroup.h.
 */
#include "kernel/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/path.h"

#define TEXT_MAX      4096
#define CPU_PERIOD_US 100000
#define NAMES_TRIED   100

const struct sl_cgroup_system sl_cgroup_system = {
    .self = "/proc/self/cgroup",
    .mounts = "/proc/self/mountinfo",
    .manager = "/run/systemd/system",
    .make_dir = mkdir,
};

static const struct {
	const char *name;
	unsigned int bit;
} controller_names[] = {{"memory", SL_CGROUP_MEMORY}, {"cpu", SL_CGROUP_CPU}};

/* Open a file of a group. Async-signal-safe. */
static int open_file(const char *dir, const char *name, int flags)
{
	SL_CLOSE int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = dir_fd < 0 ? -1 : openat(dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

/* The kernel takes what is written in one piece. Async-signal-safe. */
static int write_file(const char *dir, const char *name, const char *text)
{
	SL_CLOSE int fd = open_file(dir, name, O_WRONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = write(fd, text, strlen(text));
	return n < 0 ? -errno : n == (ssize_t)strlen(text) ? 0 : -EIO;
}

/* The start of a file of a group, without the newline at its end. */
static int read_file(const char *dir, const char *name, char *ret, size_t size)
{
	SL_CLOSE int fd = open_file(dir, name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

	if (n < 0)
		return fd < 0 ? fd : -errno;
	ret[n] = '\0';
	while (n && ret[n - 1] == '\n')
		ret[--n] = '\0';
	return 0;
}

static unsigned int controllers_in(const char *dir, const char *name)
{
	char text[TEXT_MAX];
	unsigned int found = 0;

	if (read_file(dir, name, text, sizeof(text)) < 0)
		return 0;
	for (char *rest = text, *word; (word = strsep(&rest, " "));)
		for (size_t i = 0; i < SL_ARRAY_LEN(controller_names); i++)
			if (!strcmp(word, controller_names[i].name))
				found |= controller_names[i].bit;
	return found;
}

/* Undo the octal escapes of /proc/PID/mountinfo, in place. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && strspn(s + 1, "01234567") >= 3) {
			*out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

/* A line of mountinfo: ID PARENT MAJOR:MINOR ROOT DIR OPTIONS [TAG…] - TYPE SOURCE OPTIONS */
struct mount {
	char *root, *dir;
	bool writable;
};

static bool parse_mount(char *line, struct mount *ret)
{
	char *type = strstr(line, " - "), *field[6];

	if (!type || strncmp(type + 3, "cgroup2 ", 8) != 0)
		return false;
	for (size_t i = 0; i < SL_ARRAY_LEN(field); i++)
		if (!(field[i] = strsep(&line, " ")))
			return false;
	unescape(field[3]);
	unescape(field[4]);
	*ret = (struct mount){field[3], field[4], !strncmp(field[5], "rw", 2)};
	return true;
}

void sl_cgroup_each_mount(const struct sl_cgroup_system *s, void (*visit)(const char *dir, void *arg), void *arg)
{
	SL_FCLOSE FILE *f = fopen(s->mounts, "re");
	SL_FREE char *line = NULL;
	size_t size = 0;
	struct mount m;

	while (f && getline(&line, &size, f) > 0)
		if (parse_mount(line, &m))
			visit(m.dir, arg);
}

/* Our own group's path as /proc/self/cgroup has it, "/" at least. */
static bool own_path(const struct sl_cgroup_system *s, char *ret, size_t size)
{
	SL_FCLOSE FILE *f = fopen(s->self, "re");
	SL_FREE char *line = NULL;
	size_t line_size = 0;
	bool found = false;

	while (f && getline(&line, &line_size, f) > 0) {
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		/* One that is gone, or outside of what we may see, is named so. */
		found = !strstr(line, "/..") && !strstr(line, " (deleted)") &&
			snprintf(ret, size, "%s", line + 3) < (int)size;
	}
	return found;
}

/* Our own group's directory, below the first mount that shows it and can be written to. *ret_top: is it what the mount
 * shows first? Then nothing above it is seen. */
static bool own_dir(const struct sl_cgroup_system *s, char ret[PATH_MAX], bool *ret_top)
{
	SL_FCLOSE FILE *f = fopen(s->mounts, "re");
	SL_FREE char *line = NULL;
	char own[PATH_MAX];
	size_t size = 0;
	struct mount m;

	if (!f || !own_path(s, own, sizeof(own)))
		return false;
	while (getline(&line, &size, f) > 0) {
		const char *rest;

		if (!parse_mount(line, &m) || !m.writable || !sl_path_within(own, m.root))
			continue;
		rest = own + (strcmp(m.root, "/") != 0 ? strlen(m.root) : 0);
		if (!strcmp(rest, "/"))
			rest = "";
		*ret_top = !*rest;
		return snprintf(ret, PATH_MAX, "%s%s", m.dir, rest) < PATH_MAX;
	}
	return false;
}

static pid_t own_pid(const struct sl_cgroup_system *s)
{
	return s->pid ? s->pid : getpid();
}

static bool is_alone(const struct sl_cgroup_system *s, const char *dir)
{
	char text[TEXT_MAX], expected[32];

	snprintf(expected, sizeof(expected), "%d", (int)own_pid(s));
	return read_file(dir, "cgroup.procs", text, sizeof(text)) == 0 && !strcmp(text, expected);
}

/* May groups be made in this one, and processes be moved within it? The kernel asks for the right to write to the
 * cgroup.procs of the group that is above both ends of a move. */
static bool is_ours(const char *dir)
{
	SL_CLOSE int fd = open_file(dir, "cgroup.procs", O_WRONLY);

	return fd >= 0 && access(dir, W_OK | X_OK) == 0;
}

static bool is_delegated(const char *dir)
{
	static const char *const names[] = {"user.delegate", "trusted.delegate"};
	char value[8];

	for (size_t i = 0; i < SL_ARRAY_LEN(names); i++)
		if (getxattr(dir, names[i], value, sizeof(value)) == 1 && value[0] == '1')
			return true;
	return false;
}

/* Has the group a limit that a group beside it would not have? */
static bool is_limited(const char *dir)
{
	static const struct {
		const char *file, *none;
	} rows[] = {
	    {"memory.max", "max"}, {"memory.high", "max"}, {"memory.swap.max", "max"}, {"cpu.max", "max "},
	    {"pids.max", "max"},   {"cpuset.cpus", ""},	   {"cpuset.mems", ""},	       {"io.max", ""},
	};
	char text[TEXT_MAX];

	for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
		int r = read_file(dir, rows[i].file, text, sizeof(text));

		if (r == -ENOENT)
			continue;
		if (r < 0 || (*rows[i].none ? strncmp(text, rows[i].none, strlen(rows[i].none)) != 0 : *text != '\0'))
			return true;
	}
	return false;
}

/* Where a domain of threads is, or frozen, or being emptied, it is no place for us. */
static bool is_plain_domain(const char *dir)
{
	char text[TEXT_MAX];
	int r = read_file(dir, "cgroup.type", text, sizeof(text));

	return r == -ENOENT || (r == 0 && !strcmp(text, "domain"));
}

static bool take(struct sl_cgroup_place *ret, const char *dir, unsigned int controllers, bool leaf)
{
	if (!controllers || snprintf(ret->dir, sizeof(ret->dir), "%s", dir) >= (int)sizeof(ret->dir))
		return false;
	ret->controllers = controllers;
	ret->leaf = leaf;
	ret->why_not = NULL;
	return true;
}

void sl_cgroup_find(const struct sl_cgroup_system *s, unsigned int wanted, struct sl_cgroup_place *ret)
{
	char own[PATH_MAX];
	SL_FREE char *above = NULL;
	bool top, managed = access(s->manager, F_OK) == 0;

	*ret = (struct sl_cgroup_place){.why_not = "there is no cgroup v2 that can be written to"};
	if (!own_dir(s, own, &top))
		return;
	ret->why_not = "systemd has not delegated the group of this process";
	if (managed && !is_delegated(own))
		return;
	ret->why_not = "no group that could be divided has these controllers";
	if (is_plain_domain(own) && is_ours(own)) {
		if (take(ret, own, controllers_in(own, "cgroup.subtree_control") & wanted, false))
			return;
		if (is_alone(s, own) && take(ret, own, controllers_in(own, "cgroup.controllers") & wanted, true))
			return;
	}
	if (top || managed)
		return;
	above = sl_path_dirname(own);
	if (!is_ours(above) || !(controllers_in(above, "cgroup.subtree_control") & wanted))
		return;
	ret->why_not = "the group of this process has limits of its own";
	if (!is_limited(own))
		take(ret, above, controllers_in(above, "cgroup.subtree_control") & wanted, false);
}

/* "+memory +cpu", or with '-', of these controllers. Async-signal-safe. */
static void set_text(char *out, size_t size, unsigned int controllers, char sign)
{
	size_t len = 0;

	for (size_t i = 0; i < SL_ARRAY_LEN(controller_names); i++) {
		const char *name = controller_names[i].name;

		if (!(controllers & controller_names[i].bit) || len + strlen(name) + 3 > size)
			continue;
		if (len)
			out[len++] = ' ';
		out[len++] = sign;
		memcpy(out + len, name, strlen(name));
		len += strlen(name);
	}
	out[len] = '\0';
}

/* Go into a leaf, so that our own group has nobody in it and may give its controllers. */
static int go_into_leaf(const struct sl_cgroup_system *s, struct sl_cgroup *g, unsigned int controllers)
{
	char leaf[PATH_MAX], text[64];
	int r;

	if (snprintf(leaf, sizeof(leaf), "%s/sandlock-%d.tool", g->parent, (int)own_pid(s)) >= (int)sizeof(leaf))
		return -ENAMETOOLONG;
	if (s->make_dir(leaf, 0755) < 0)
		return -errno;
	memcpy(g->leaf, leaf, sizeof(leaf));
	r = write_file(g->leaf, "cgroup.procs", "0");
	if (r < 0)
		return r;
	g->enabled = controllers;
	set_text(text, sizeof(text), controllers, '+');
	return write_file(g->parent, "cgroup.subtree_control", text);
}

static int make_group(const struct sl_cgroup_system *s, struct sl_cgroup *g)
{
	char dir[PATH_MAX];

	/* A group of an earlier process with our number may not be gone yet. */
	for (int i = 0; i < NAMES_TRIED; i++) {
		if (snprintf(dir, sizeof(dir), "%s/sandlock-%d.%d", g->parent, (int)own_pid(s), i) >= (int)sizeof(dir))
			return -ENAMETOOLONG;
		if (s->make_dir(dir, 0755) == 0) {
			memcpy(g->dir, dir, sizeof(dir));
			return 0;
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

static int set_memory(const struct sl_cgroup *g, int64_t bytes)
{
	char text[32];
	int r;

	snprintf(text, sizeof(text), "%lld", (long long)bytes);
	r = write_file(g->dir, "memory.max", text);
	if (r == 0)
		r = write_file(g->dir, "memory.oom.group", "1");
	/* What is swapped out counts as well: none is. A kernel without swap has no such file. */
	if (r == 0) {
		r = write_file(g->dir, "memory.swap.max", "0");
		r = r == -ENOENT ? 0 : r;
	}
	return r;
}

static int set_cpu(const struct sl_cgroup *g, int64_t percent)
{
	char text[64];

	snprintf(text, sizeof(text), "%lld %d", (long long)(percent * CPU_PERIOD_US / 100), CPU_PERIOD_US);
	return write_file(g->dir, "cpu.max", text);
}

static int make(const struct sl_cgroup_system *s, const struct sl_cgroup_place *place,
		const struct sl_cgroup_limits *limits, struct sl_cgroup *g)
{
	int r = place->leaf ? go_into_leaf(s, g, place->controllers) : 0;

	if (r == 0)
		r = make_group(s, g);
	if (r == 0 && limits->memory_bytes > 0 && place->controllers & SL_CGROUP_MEMORY) {
		r = set_memory(g, limits->memory_bytes);
		g->controllers |= SL_CGROUP_MEMORY;
	}
	if (r == 0 && limits->cpu_percent > 0 && place->controllers & SL_CGROUP_CPU) {
		r = set_cpu(g, limits->cpu_percent);
		g->controllers |= SL_CGROUP_CPU;
	}
	if (r == 0 && (g->procs_fd = open_file(g->dir, "cgroup.procs", O_WRONLY)) < 0)
		r = g->procs_fd;
	return r;
}

int sl_cgroup_make(const struct sl_cgroup_system *s, const struct sl_cgroup_place *place,
		   const struct sl_cgroup_limits *limits, struct sl_cgroup *ret)
{
	int r;

	*ret = SL_CGROUP_INIT;
	memcpy(ret->parent, place->dir, sizeof(ret->parent));
	r = make(s, place, limits, ret);
	if (r < 0) {
		sl_cgroup_end(ret);
		*ret = SL_CGROUP_INIT;
	}
	return r;
}

void sl_cgroup_kill(const struct sl_cgroup *g)
{
	if (*g->dir)
		write_file(g->dir, "cgroup.kill", "1");
}

bool sl_cgroup_end(const struct sl_cgroup *g)
{
	char text[64];

	if (*g->dir && rmdir(g->dir) < 0 && errno != ENOENT)
		return false;
	if (!*g->leaf)
		return true;
	set_text(text, sizeof(text), g->enabled, '-');
	if (*text)
		write_file(g->parent, "cgroup.subtree_control", text);
	write_file(g->parent, "cgroup.procs", "0");
	return rmdir(g->leaf) == 0 || errno == ENOENT;
}

uint64_t sl_cgroup_oom_kills(const struct sl_cgroup *g)
{
	char text[TEXT_MAX];

	if (!*g->dir || read_file(g->dir, "memory.events", text, sizeof(text)) < 0)
		return 0;
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
		if (!strncmp(line, "oom_kill ", 9))
			return strtoull(line + 9, NULL, 10);
	return 0;
}
