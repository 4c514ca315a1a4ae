/*
 * walk.h - from a path to an object of the view, component by component, as fs/namei.c walks.
 */
#ifndef SL_VIEW_WALK_H
#define SL_VIEW_WALK_H

#include <limits.h>

#include "view/node.h"

enum sl_vwalk_flags {
	SL_VWALK_FOLLOW = 1 << 0,    /* a symbolic link at the end is followed */
	SL_VWALK_PARENT = 1 << 1,    /* stop before the last name: dir, name, last, slash; node stays NULL */
	SL_VWALK_CREATE = 1 << 2,    /* for open(O_CREAT): a missing last name leaves node NULL */
	SL_VWALK_EMPTY = 1 << 3,     /* "" is the start itself */
	SL_VWALK_DIRECTORY = 1 << 4, /* the object must be a directory */
};

enum sl_vwalk_last {
	SL_VWALK_NORM,
	SL_VWALK_DOT,
	SL_VWALK_DOTDOT,
	SL_VWALK_ROOT, /* "/", or "" with EMPTY */
};

struct sl_vwalk {
	struct sl_vnode *dir;  /* of the last name; NULL with ROOT */
	struct sl_vnode *node; /* the object */
	enum sl_vwalk_last last;
	bool slash; /* slashes follow the last name */
	char name[NAME_MAX + 2];
};

#define SL_VWALK SL_CLEANUP(sl_vwalk_release) struct sl_vwalk

/* Both nodes of *ret are used. resolve: RESOLVE_* of openat2(2). -errno, *ret then holds nothing. */
int sl_vwalk(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, int flags,
	     uint64_t resolve, struct sl_vwalk *ret);
void sl_vwalk_release(struct sl_vwalk *w);

/* The object of a path for a call with AT_* flags, used: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH. -errno. */
int sl_vwalk_object(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, int at_flags,
		    struct sl_vnode **ret);

/* Where a symbolic link leads, malloc'd. -errno. */
int sl_vnode_target(struct sl_vnode *n, char **ret);

#endif
