/*
 * usage.c - reading /proc/PID/{stat,status,smaps_rollup,syscall}; see usage.h.
 */
#include "kernel/usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define TEXT_SIZE 8192

/* The text of a file in /proc, which must fit. Returns its length, -ESRCH where the process is gone, or
 * -errno. */
static ssize_t read_proc(const char *path, char text[TEXT_SIZE])
{
	SL_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	while (len < TEXT_SIZE - 1) {
		ssize_t n = read(fd, text + len, TEXT_SIZE - 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	return (ssize_t)len;
}

static ssize_t read_of(pid_t pid, const char *name, char text[TEXT_SIZE])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return read_proc(path, text);
}

/* The line of a process from field 3, its state, on: the name before it, which can hold anything, ends with
 * the last ')'. In text. 0, -ESRCH, -EPROTO, -errno. */
static int read_stat(pid_t pid, char text[TEXT_SIZE], char **ret_state)
{
	ssize_t n = read_of(pid, "stat", text);
	char *at;

	if (n <= 0)
		return n < 0 ? (int)n : -ESRCH;
	at = strrchr(text, ')');
	if (!at || strlen(at) < 4)
		return -EPROTO;
	*ret_state = at + 2;
	return 0;
}

int sl_usage_field(pid_t pid, unsigned int field, uint64_t *ret)
{
	char text[TEXT_SIZE], *at;
	int r = read_stat(pid, text, &at);

	if (r < 0)
		return r;
	for (unsigned int i = 3; at && i < field; i++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	if (!at)
		return -EPROTO;
	*ret = strtoull(at, NULL, 10);
	return 0;
}

int sl_usage_stat(pid_t pid, struct sl_usage_stat *ret)
{
	char text[TEXT_SIZE], *at;
	uint64_t fields[23] = {0}; /* by the numbers of proc(5) */
	int r = read_stat(pid, text, &at);

	if (r < 0)
		return r;
	ret->state = *at;
	at++;
	for (size_t i = 4; i < SL_ARRAY_LEN(fields); i++)
		fields[i] = strtoull(at, &at, 10); /* the negative ones among them are of no interest */
	ret->ppid = (pid_t)fields[4];
	ret->own_ticks = fields[14] + fields[15];
	ret->cpu_ticks = ret->own_ticks + fields[16] + fields[17];
	ret->threads = (int64_t)fields[20];
	ret->started = fields[22];
	return 0;
}

/* The number in the line that begins with key, in bytes where it is in kB; 0 without such a line. */
static int64_t line_value(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		int64_t value;
		char *end;

		line += *line == '\n';
		if (strncmp(line, key, len) != 0)
			continue;
		value = strtoll(line + len, &end, 10);
		if (value < 0 || value > INT64_MAX / 1024)
			return 0;
		return !strncmp(end, " kB", 3) ? value * 1024 : value;
	}
	return 0;
}

int sl_usage_peak(pid_t pid, struct sl_usage_peak *ret)
{
	char text[TEXT_SIZE];
	ssize_t n = read_of(pid, "status", text);

	if (n <= 0)
		return n < 0 ? (int)n : -ESRCH;
	ret->data_bytes = line_value(text, "VmData:");
	ret->resident_bytes = line_value(text, "VmHWM:");
	ret->descriptors = line_value(text, "FDSize:");
	return 0;
}

void sl_usage_peak_add(struct sl_usage_peak *most, pid_t pid)
{
	struct sl_usage_peak used;

	if (sl_usage_peak(pid, &used) < 0)
		return;
	most->data_bytes = SL_MAX(most->data_bytes, used.data_bytes);
	most->resident_bytes = SL_MAX(most->resident_bytes, used.resident_bytes);
	most->descriptors = SL_MAX(most->descriptors, used.descriptors);
}

static int parse_rollup(const char *text, struct sl_usage_memory *ret)
{
	bool split = strstr(text, "\nPss_Anon:"); /* since Linux 5.4 */

	ret->private_bytes = line_value(text, "SwapPss:") + line_value(text, "Private_Hugetlb:") +
			     line_value(text, "Shared_Hugetlb:");
	ret->private_bytes += line_value(text, split ? "Pss_Anon:" : "Pss:");
	ret->shared_bytes = split ? line_value(text, "Pss_Shmem:") : 0;
	return 0;
}

/* A process whose first thread has ended lives on in its others, but its own entry shows no memory any more.
 */
static int memory_of_threads(pid_t pid, struct sl_usage_memory *ret)
{
	char path[PATH_MAX], text[TEXT_SIZE];
	SL_CLOSEDIR DIR *tasks = NULL;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/smaps_rollup", (int)pid, entry->d_name);
		if (read_proc(path, text) > 0)
			return parse_rollup(text, ret);
	}
	return -ESRCH;
}

int sl_usage_memory(pid_t pid, struct sl_usage_memory *ret)
{
	char text[TEXT_SIZE];
	ssize_t n = read_of(pid, "smaps_rollup", text);

	if (n > 0)
		return parse_rollup(text, ret);
	return n == 0 || n == -ESRCH ? memory_of_threads(pid, ret) : (int)n;
}

enum sl_usage_call sl_usage_call(pid_t tid, int *ret_nr)
{
	char text[TEXT_SIZE], *end;
	ssize_t n = read_of(tid, "syscall", text);
	long nr;

	if (n == -ESRCH)
		return SL_USAGE_GONE;
	if (n <= 0)
		return SL_USAGE_UNKNOWN;
	nr = strtol(text, &end, 10); /* "running", or the number, -1 outside a call */
	if (end == text || nr > INT_MAX)
		return SL_USAGE_UNKNOWN;
	*ret_nr = (int)nr;
	return SL_USAGE_CALL;
}
