/*
 * run-view.h - run --workdir and --dry-run: the command's changes go to a copy-on-write view, and what becomes of
 * them.
 */
#ifndef SL_CMD_RUN_VIEW_H
#define SL_CMD_RUN_VIEW_H

#include "cmd/options.h"
#include "profile/profile.h"
#include "supervise/guard.h"
#include "supervise/sandbox.h"
#include "view/view.h"

struct sl_run_view {
	/* From the command line. */
	const char *workdir, *fs_storage;
	enum sl_on_end on_exit, on_error;
	bool dry_run, json;
	/* Made from that and the profile. */
	char *dir;   /* whose changes go to the view, canonical; NULL: there is no view */
	char *upper; /* where they are kept; ours to remove while it is not NULL */
	struct sl_view *view;
	struct sl_guard guard; /* of upper */
};
#define SL_RUN_VIEW_INIT ((struct sl_run_view){.guard = SL_GUARD_INIT})

/* Remove what was not committed or kept. */
void sl_run_view_release(struct sl_run_view *v);

/* Put the options into the profile, [program] cwd among it. 0 or a status. */
int sl_run_view_apply(const struct sl_run_view *v, struct sl_profile *profile);

/* Find the directory and make the upper, where there is to be a view. 0 or a status, after a line. */
int sl_run_view_open(struct sl_run_view *v, const struct sl_profile *profile);

/* What on_exit, on_error or --dry-run say, after a command with that outcome and status. Returns the exit status: the
 * given one, or 125 after a line. */
int sl_run_view_end(struct sl_run_view *v, const struct sl_profile *profile, const struct sl_outcome *o, int status);

#endif
