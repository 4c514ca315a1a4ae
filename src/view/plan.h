/*
 * plan.h - the inside of a list of changes: objects, and the steps that apply them.
 *
 * Steps, in this order:
 *  1. CONTENTS of lower files are written in place, while every lower path still holds;
 *  2. a staging directory is made (STAGE) in each directory that stays where it is and below which names come
 * from elsewhere; what the view shows under another name is TAKEN into one, what it hides is REMOVED, deepest
 * paths first: so a path is used before anything above it moves;
 *  3. from the top down, directories are made (MAKE_DIR), new objects are made in staging (MAKE), and names
 * are given out of staging (MOVE, LINK);
 *  4. staging directories are removed (UNSTAGE), and directories get their attributes, deepest first.
 *
 * Staging makes any permutation of names possible, directories exchanged with their own grandchildren too.
 */
#ifndef SL_VIEW_PLAN_H
#define SL_VIEW_PLAN_H

#include "base/strbuf.h"
#include "view/changes.h"
#include "view/node.h"

enum sl_vstep_op {
	SL_VSTEP_CONTENTS = 'c',
	SL_VSTEP_STAGE = 's',
	SL_VSTEP_TAKE = 't',
	SL_VSTEP_REMOVE = 'r',
	SL_VSTEP_MAKE_DIR = 'd',
	SL_VSTEP_MAKE = 'n',
	SL_VSTEP_MOVE = 'm',
	SL_VSTEP_LINK = 'l',
	SL_VSTEP_UNSTAGE = 'u',
	SL_VSTEP_ATTRIBUTES = 'a',
};

struct sl_vstep {
	enum sl_vstep_op op;
	uint32_t object; /* index + 1; 0: none */
	char *path; /* in the target, at the time of the step; of UNSTAGE and STAGE the directory that holds
		       staging */
	bool was_there; /* STAGE, MAKE_DIR, MOVE, LINK: the directory of the name is as the lower has it */
	ino_t ino;	/* REMOVE: of what is removed */
};

/* An object that has something to be applied. */
struct sl_vobject {
	uint32_t obj;	 /* in the upper; 0: none */
	char *lower;	 /* path; NULL: new */
	char *staging;	 /* the directory that holds staging for it; NULL: none is needed */
	uint32_t staged; /* number there */
	mode_t mode;	 /* as shown */
	uid_t uid;
	gid_t gid;
	bool foreign;  /* mode, uid and gid of the upper's object are not those */
	bool contents; /* of a regular file: to be written */
	bool standin;  /* the upper has only a file with the attributes */
	bool attrs;    /* mode, owner or extended attributes were changed */
	bool vacates;  /* its lower path gets free: it may be moved from there, else it is linked */
	dev_t dev;     /* of the lower object */
	ino_t ino;
	int64_t seen_ns; /* its change time when it was copied up; 0: unknown */
	mode_t old_mode; /* of a directory: while it is moved its owner may have more rights */
	uint32_t names;	 /* that it is given */
	bool made;	 /* by a step */
};

struct sl_view_changes {
	int upper;   /* O_PATH; -EBADF: not kept */
	int objects; /* the directory of the objects */
	char *objects_name;
	char *lower;
	int64_t started_ns; /* of the view */
	uint32_t id;	    /* names the staging directories */
	struct sl_vobject *objs;
	size_t objs_len, objs_cap;
	struct sl_vstep *steps;
	size_t steps_len, steps_cap;
	struct sl_view_change *list;
	size_t len, cap;
	size_t done; /* steps */
	bool begun;  /* steps[done] too */
	int (*fault)(void *arg);
	void *arg;
};

#define SL_VPLAN_STAGING 40 /* bytes of a staging directory's name */

/* ".sandlock-…", of the list. */
const char *sl_vplan_staging(const struct sl_view_changes *c, char name[SL_VPLAN_STAGING]);

struct sl_vstep *sl_vplan_add_step(struct sl_view_changes *c, enum sl_vstep_op op, uint32_t object,
				   char *path);
struct sl_vobject *sl_vplan_add_object(struct sl_view_changes *c);
struct sl_view_change *sl_vplan_add_change(struct sl_view_changes *c, enum sl_view_change_kind kind,
					   char *path);

/* The directory of a path below dir, by component, as paths may be long, no symbolic link followed. O_PATH;
 * *ret_name is its last component. -errno. */
int sl_vplan_open_parent(int dir, const char *path, const char **ret_name);

/* Read how far applying came. */
void sl_vplan_read_progress(struct sl_view_changes *c);

#endif
