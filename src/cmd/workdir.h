/*
 * workdir.h - applying changes that are kept in a directory.
 */
#ifndef SL_CMD_WORKDIR_H
#define SL_CMD_WORKDIR_H

#include "cmd/options.h"
#include "view/changes.h"

/* Apply the list, which is kept in the directory, to its lower, or go on with it, and remove the directory.
 * Says what stands in the way. 0 or an exit status; then the directory stays. */
int sl_workdir_apply(struct sl_view_changes *c, const char *dir);

/* Apply what a view differs by from its lower. dir: its upper, which is removed; it stays after a failure. 0
 * or an exit status. */
int sl_workdir_commit(struct sl_view *v, const char *dir);

/* Go on with what was begun to be applied below dir and was not ended, because its process was killed; storage: where
 * changes may be kept besides the usual places, or NULL. 0, also where there is nothing, or an exit status. */
int sl_workdir_resume(const char *dir, const char *storage);

/* Of the commands about kept changes: parse the command line, options receiving what stands in the table, and load the list of
 * the directory that it names. SL_PARSED, or an exit status after a line. */
int sl_workdir_load(const struct sl_cmd *cmd, int argc, char **argv, void *options, const char **ret_dir,
		    struct sl_view_changes **ret);

/* Print the list to stdout: a line each, or one JSON array. 0 or an exit status. */
int sl_workdir_print(const struct sl_view_changes *c, bool json);

#endif
