/*
 * degrade.h - what happens where the kernel lacks a protection: nothing is skipped in silence.
 */
#ifndef SL_CMD_DEGRADE_H
#define SL_CMD_DEGRADE_H

#include <stdint.h>

/* Compare what is asked for with what this Landlock ABI (sl_landlock_abi()) can enforce. disabled and
 * degradable are SL_PROTECT_* bits. A missing protection that may degrade gives one warning; any other one
 * line each and 125. Returns 0 or that status. */
int sl_degrade_check(int abi, uint64_t disabled, uint64_t degradable);

#endif
