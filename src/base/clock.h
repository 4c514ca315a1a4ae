/*
 * clock.h - the monotonic clock, in the units that its users count in.
 */
#ifndef SL_BASE_CLOCK_H
#define SL_BASE_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC: seconds, and whole milliseconds. */
double sl_now_s(void);
int64_t sl_now_ms(void);

#endif
