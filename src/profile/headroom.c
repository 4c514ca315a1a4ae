/*
 * headroom.c - the rounding of limits; see headroom.h. Coarse on purpose: two runs of one command shall give
 * one profile.
 */
#include "profile/headroom.h"

#include "base/macros.h"

#define MEMORY_LEAST	 (32LL << 20)
#define PROCESSES_LEAST	 4
#define PROCESSES_MOST	 INT32_MAX
#define OPEN_FILES_LEAST 256

int64_t sl_headroom_memory(int64_t bytes)
{
	int64_t size = MEMORY_LEAST;

	if (bytes > INT64_MAX / 8)
		return INT64_MAX;
	bytes += bytes / 4;
	while (size < bytes)
		size += size & (size - 1) ? size / 3
					  : size / 2; /* from a power of two to half more, and to the next */
	return size;
}

int64_t sl_headroom_processes(int64_t count)
{
	return SL_MIN(SL_MAX(2 * SL_MIN(count, (int64_t)PROCESSES_MOST), PROCESSES_LEAST),
		      (int64_t)PROCESSES_MOST);
}

int64_t sl_headroom_open_files(int64_t count)
{
	return SL_MIN(SL_MAX(2 * SL_MIN(count, (int64_t)INT32_MAX), OPEN_FILES_LEAST), (int64_t)INT32_MAX);
}

int64_t sl_headroom_cpu_seconds(double seconds)
{
	int64_t step = 1;

	for (int i = 0; (double)step < seconds && step < INT64_MAX / 10; i++)
		step = i % 3 == 1 ? step / 2 * 5 : step * 2;
	return step;
}
