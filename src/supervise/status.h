/*
 * status.h - the JSON lines of --status-fd.
 */
#ifndef SL_SUPERVISE_STATUS_H
#define SL_SUPERVISE_STATUS_H

#include <sys/types.h>

#include "supervise/sandbox.h"

/* {"event":"start","name":…,"mode":…,"pid":…,"command_pid":…} */
void sl_status_start(int fd, const char *name, const char *mode, pid_t command_pid);

/* {"event":"end","reason":…,"status":…,"signal":…,"elapsed_s":…,"max_rss_kib":…,"killed":…,"error":…} */
void sl_status_end(int fd, const struct sl_outcome *o, const struct sl_error *err);

#endif
