/*
 * headroom.h - from what a command used to limits under which it, and something like it, can run again.
 */
#ifndef SL_PROFILE_HEADROOM_H
#define SL_PROFILE_HEADROOM_H

#include <stdint.h>

/* A quarter more, then up to the next of 32M, 48M, 64M, 96M, 128M … */
int64_t sl_headroom_memory(int64_t bytes);

/* Twice as many, at least 4. */
int64_t sl_headroom_processes(int64_t count);

/* Twice as many as the largest table of descriptors had room for, at least 256: shells use numbers up to 255.
 */
int64_t sl_headroom_open_files(int64_t count);

/* Seconds of CPU time, up to the next of 1, 2, 5, 10, 20, 50 … */
int64_t sl_headroom_cpu_seconds(double seconds);

#endif
