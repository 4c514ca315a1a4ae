/*
 * mappings.c - see mappings.h. /proc/PID/maps writes a newline of a name as \012 and leaves a backslash as it
 * is, and appends " (deleted)" to a name that is gone: a file's own name may look like either. The rare line
 * that does is settled by the link in /proc/PID/map_files, which escapes nothing, and by the inode number
 * that the line has.
 */
#include "kernel/mappings.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define DELETED " (deleted)"

/* The parts of a line of maps; path is not there for anonymous memory and "[heap]". */
struct line {
	uint64_t start, end, inode;
	bool executable;
	char *path;
};

static bool parse_line(char *text, struct line *ret)
{
	char perms[5];
	int at = 0;

	if (sscanf(text, "%" SCNx64 "-%" SCNx64 " %4s %*x %*x:%*x %" SCNu64 " %n", /* NOLINT(cert-err34-c) */
		   &ret->start, &ret->end, perms, &ret->inode, &at) != 4)
		return false;
	text[strcspn(text, "\n")] = '\0';
	ret->executable = perms[2] == 'x';
	ret->path = text + at;
	return ret->path[0] == '/';
}

/* The name without escapes from map_files; where that cannot be read every \012 is taken for a newline. */
static void unescape(pid_t pid, const struct line *l, char path[PATH_MAX])
{
	char name[96];
	char *out = path;
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid, l->start, l->end);
	n = readlink(name, path, PATH_MAX);
	if (n > 0 && n < PATH_MAX) {
		path[n] = '\0';
		return;
	}
	for (const char *in = l->path; *in && out < path + PATH_MAX - 1; out++) {
		bool newline = strncmp(in, "\\012", 4) == 0;

		*out = newline ? '\n' : *in;
		in += newline ? 4 : 1;
	}
	*out = '\0';
}

/* Cut " (deleted)" off, unless a file of just that name is what is mapped. The device is not compared: maps
 * and stat do not agree about it on some file systems. */
static bool cut_deleted(char *path, uint64_t inode)
{
	size_t len = strlen(path), suffix = strlen(DELETED);
	struct stat st;

	if (len <= suffix || strcmp(path + len - suffix, DELETED) != 0)
		return false;
	if (lstat(path, &st) == 0 && st.st_ino == inode)
		return false;
	path[len - suffix] = '\0';
	return true;
}

int sl_tracee_mappings(pid_t pid, void (*visit)(const struct sl_mapping *mapping, void *arg), void *arg)
{
	char name[48], path[PATH_MAX], last[PATH_MAX] = "";
	SL_FCLOSE FILE *f = NULL;
	SL_FREE char *text = NULL;
	size_t size = 0;
	struct line l;

	snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);
	f = fopen(name, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	errno = 0;
	while (getline(&text, &size, f) > 0) {
		struct sl_mapping m = {.path = path};
		size_t len;

		if (!parse_line(text, &l) || !l.executable)
			continue;
		len = strlen(l.path);
		if (strstr(l.path, "\\012"))
			unescape(pid, &l, path);
		else
			memcpy(path, l.path, SL_MIN(len + 1, sizeof(path)));
		path[sizeof(path) - 1] = '\0';
		m.deleted = cut_deleted(path, l.inode);
		if (strcmp(path, last) == 0)
			continue;
		visit(&m, arg);
		memcpy(last, path, strlen(path) + 1);
	}
	return ferror(f) ? -errno : 0;
}

int sl_tracee_exe(pid_t pid, struct sl_resolved *ret)
{
	char name[48];
	int r;

	*ret = SL_RESOLVED_INIT;
	snprintf(name, sizeof(name), "/proc/%d", (int)pid);
	if (access(name, F_OK) < 0)
		return -ESRCH;
	snprintf(name, sizeof(name), "/proc/%d/exe", (int)pid);
	ret->fd = open(name, O_PATH | O_CLOEXEC);
	if (ret->fd < 0)
		return -errno;
	r = sl_resolve_name(ret, 0);
	if (r < 0)
		sl_resolved_release(ret);
	return r;
}
