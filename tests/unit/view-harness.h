/*
 * view-harness.h - one call at a time on a real directory and on a view of a copy of it, and what both look
 * like after.
 *
 * The real side never leaves its directory: every path is resolved by openat2(RESOLVE_IN_ROOT) up to its last
 * name, and the calls that take a last name get one without a '/' in front of others.
 */
#ifndef SL_TEST_VIEW_HARNESS_H
#define SL_TEST_VIEW_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/strbuf.h"
#include "view/view.h"

#define SLOTS 4

enum op {
	OP_OPEN,
	OP_TMPFILE,
	OP_CLOSE,
	OP_WRITE,
	OP_READ,
	OP_FSTAT,
	OP_FTRUNCATE,
	OP_FCHMOD,
	OP_FLINK,
	OP_CHDIR,
	OP_MKDIR,
	OP_MKNOD,
	OP_SYMLINK,
	OP_LINK,
	OP_UNLINK,
	OP_RMDIR,
	OP_RENAME,
	OP_STAT,
	OP_ACCESS,
	OP_READLINK,
	OP_CHMOD,
	OP_CHOWN,
	OP_UTIMES,
	OP_TRUNCATE,
	OP_SETXATTR,
	OP_GETXATTR,
	OP_REMOVEXATTR,
	OP_READDIR,
	OP_COUNT
};

struct step {
	enum op op;
	int slot;
	int flags;   /* of the call */
	mode_t mode; /* or a small number for calls without one */
	char path[320];
	char other[320]; /* second path; a symbolic link's text; an attribute's value */
};

struct world {
	char *top; /* holds real, lower, upper */
	int real, lower, upper;
	struct sl_view *view;
	struct sl_view_file *root, *cwd;
	struct sl_view_creds creds;
	struct sl_view_ctx ctx;
	int real_cwd; /* -EBADF: the root */
	int real_fd[SLOTS];
	struct sl_view_file *file[SLOTS];
	uid_t user; /* whose calls are made; 0: ours */
};

/* Make both trees below the directory `in`. user: root's alone, and then some of the tree is root's. */
void world_make(struct world *w, const char *in, uid_t user);
void world_done(struct world *w);

/* The same in a directory that is made for it, ours; nothing else may be left in it at the end. */
void world_make_apart(struct world *w);
void world_done_apart(struct world *w);

/* The step on one side. Result or -errno; out gets what it read. */
long real_do(struct world *w, const struct step *s, struct sl_strbuf *out);
long view_do(struct world *w, const struct step *s, struct sl_strbuf *out);

/* Everything that can be seen, as text: of the real directory behind fd, or of the view. */
void snapshot_real(struct sl_strbuf *out, int root);
void snapshot_view(struct sl_strbuf *out, struct world *w);

/* Close what is open, on both sides. */
void world_close_all(struct world *w);

void step_print(struct sl_strbuf *out, const struct step *s);

#endif
