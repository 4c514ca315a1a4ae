/*
 * commands.h - the commands; main.c puts them in order, each file defines its own.
 */
#ifndef SL_CMD_COMMANDS_H
#define SL_CMD_COMMANDS_H

#include "cmd/options.h"

extern const struct sl_cmd sl_cmd_learn, sl_cmd_run, sl_cmd_verify;
extern const struct sl_cmd sl_cmd_profile_show, sl_cmd_profile_list, sl_cmd_profile_check,
    sl_cmd_profile_delete;
extern const struct sl_cmd sl_cmd_profile_diff, sl_cmd_profile_merge, sl_cmd_profile_explain,
    sl_cmd_profile_export;
extern const struct sl_cmd sl_cmd_workdir_list, sl_cmd_workdir_diff, sl_cmd_workdir_apply, sl_cmd_workdir_drop;
extern const struct sl_cmd sl_cmd_check, sl_cmd_ps, sl_cmd_inspect, sl_cmd_kill;

#endif
