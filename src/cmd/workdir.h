/*
 * workdir.h - applying changes that are kept in a directory.
 */
#ifndef SL_CMD_WORKDIR_H
#define SL_CMD_WORKDIR_H

#include "view/changes.h"

/* Apply the list, which is kept in the directory, to its lower, or go on with it, and remove the directory.
 * Says what stands in the way. 0 or an exit status; then the directory stays. */
int sl_workdir_apply(struct sl_view_changes *c, const char *dir);

/* Apply what a view differs by from its lower. dir: its upper, which is removed; it stays after a failure. 0
 * or an exit status. */
int sl_workdir_commit(struct sl_view *v, const char *dir);

/* Print the list to stdout: a line each, or one JSON array. 0 or an exit status. */
int sl_workdir_print(const struct sl_view_changes *c, bool json);

#endif
