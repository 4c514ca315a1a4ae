/*
 * cgroup.h - a group of cgroup v2 of our own, where a part of the tree is ours to divide (cgroups(7),
 * Documentation/admin-guide/cgroup-v2.rst).
 *
 * Three places are used, and no other:
 * - below our own group, where it gives its children controllers: that is the root of the tree, which may have processes
 *   beside groups;
 * - below our own group, where nobody but us is in it: we go into a leaf of it, after which it may give controllers;
 * - beside our own group, where the group above gives controllers, and our own has no limits that a neighbour would escape.
 * Where systemd runs the tree is its own, but for what it has delegated: only a group that says so (the extended attributes
 * user.delegate and trusted.delegate), and only below it.
 *
 * Whoever ends the groups may be a copy of us that is left with async-signal-safe calls: sl_cgroup_end() makes no others.
 */
#ifndef SL_KERNEL_CGROUP_H
#define SL_KERNEL_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

enum sl_cgroup_controller {
	SL_CGROUP_MEMORY = 1 << 0,
	SL_CGROUP_CPU = 1 << 1,
};

/* Where to look. Tests look at a tree of their own. */
struct sl_cgroup_system {
	const char *self, *mounts; /* /proc/self/cgroup, /proc/self/mountinfo */
	const char *manager;	   /* there where systemd runs the tree */
	pid_t pid;		   /* ours; 0: ask */
	int (*make_dir)(const char *path, mode_t mode); /* mkdir(2) */
};
extern const struct sl_cgroup_system sl_cgroup_system;

struct sl_cgroup_place {
	char dir[PATH_MAX];	  /* what a group is made in; "" where there is no place */
	unsigned int controllers; /* SL_CGROUP_*: what a group there can be limited by */
	bool leaf;		  /* we have to go into a leaf first */
	const char *why_not;	  /* why there is no place; static */
};

/* Find a place where groups get at least one of the wanted controllers (SL_CGROUP_*). Changes nothing. */
void sl_cgroup_find(const struct sl_cgroup_system *s, unsigned int wanted, struct sl_cgroup_place *ret);

struct sl_cgroup_limits {
	int64_t memory_bytes; /* below 1: none */
	int64_t cpu_percent;  /* of one CPU; below 1: none */
};

/* A group that was made. Zero: none. */
struct sl_cgroup {
	unsigned int controllers; /* what holds the group's limits */
	int procs_fd;		  /* "0" written to it puts the writer into the group; -EBADF */
	unsigned int enabled;	  /* what our own group gives because of us */
	char dir[PATH_MAX];
	char leaf[PATH_MAX];   /* where we went, or "" */
	char parent[PATH_MAX]; /* where we came from */
};
#define SL_CGROUP_INIT ((struct sl_cgroup){.procs_fd = -EBADF})

/* Make the group and set its limits: memory with nothing swapped out and all processes ended together, CPU time in periods of
 * 100 ms. What has no controller at the place is left out. 0, or -errno with nothing left behind. */
int sl_cgroup_make(const struct sl_cgroup_system *s, const struct sl_cgroup_place *place,
		   const struct sl_cgroup_limits *limits, struct sl_cgroup *ret);

/* End every process of the group at once. Nothing where the kernel cannot (before 5.14). Async-signal-safe. */
void sl_cgroup_kill(const struct sl_cgroup *g);

/* Remove the group, and go back to where we came from. While somebody is in it nothing can be removed: false.
 * Async-signal-safe. */
bool sl_cgroup_end(const struct sl_cgroup *g);

/* How often the kernel had to end processes of the group for want of memory. */
uint64_t sl_cgroup_oom_kills(const struct sl_cgroup *g);

/* The directories at which the tree is mounted, one call each. */
void sl_cgroup_each_mount(const struct sl_cgroup_system *s, void (*visit)(const char *dir, void *arg), void *arg);

#endif
