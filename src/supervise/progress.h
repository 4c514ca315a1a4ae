/*
 * progress.h - the line that tells, on a terminal, that learning goes on.
 */
#ifndef SL_SUPERVISE_PROGRESS_H
#define SL_SUPERVISE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct sl_progress {
	bool enabled; /* asked for, and stderr is a terminal */
	bool shown;
	double next_s, taken_until_s; /* CLOCK_MONOTONIC */
};

void sl_progress_init(struct sl_progress *p, bool wanted, double now_s);
/* Show or renew the line if it is time. */
void sl_progress_tick(struct sl_progress *p, double now_s, double started_s, uint64_t calls);
/* Take the line away: before the terminal is anybody else's. */
void sl_progress_clear(struct sl_progress *p);

#endif
