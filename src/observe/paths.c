/*
 * paths.c - from the canonical path of an object to what a profile calls it, so that it holds in the next run, when
 * pids and terminals have other numbers.
 *
 *   below the private temporary directory   nothing: the profile says tmp = "private"
 *   /proc/PID/x of the caller, its children  /proc/self/x; threads, descriptors: the directory that holds them
 *   /proc/PID/x of others                    a note; /proc/self/x besides where the process is the run's own
 *   /dev/pts/N                               /dev/pts
 */
#include <fcntl.h>
#include <string.h>

#include "base/path.h"
#include "observe/event.h"

bool sl_event_in_tmp(const struct sl_event *e, const char *path)
{
	return e->o->tmp_dir && sl_path_within(path, e->o->tmp_dir);
}

/* Directories of /proc/PID whose entries have the numbers of one run. */
static const char *const numbered[] = { "task", "fd", "fdinfo", "map_files" };

/* Put "/proc/self/rest" into e->named; rest begins with '/' or is empty. */
static const char *self_name(struct sl_event *e, const char *rest, bool *is_dir)
{
	size_t len = strlen(rest);

	for (size_t i = 0; len && i < SL_ARRAY_LEN(numbered); i++) {
		size_t n = strlen(numbered[i]);

		if (strncmp(rest + 1, numbered[i], n) != 0 || rest[n + 1] != '/')
			continue;
		len = n + 1;
		*is_dir = true;
		break;
	}
	if (!len)
		*is_dir = true;
	snprintf(e->named, sizeof(e->named), "/proc/self%.*s", (int)len, rest);
	return e->named;
}

/* Is the process the caller's own or descends from it, or at least part of the run? */
enum kin { KIN_SELF, KIN_SANDBOX, KIN_OUTSIDER };

static enum kin kin_of(const struct sl_event *e, pid_t pid)
{
	pid_t own = sl_tracee_tgid(e->tid), other = sl_tracee_tgid(pid);

	if (other <= 0)
		other = pid;
	if (own > 0 && (other == own || sl_tracee_is_descendant(other, own)))
		return KIN_SELF;
	if (e->o->options.root_pid > 0 && sl_tracee_is_descendant(other, e->o->options.root_pid))
		return KIN_SANDBOX;
	return KIN_OUTSIDER;
}

static void note_process(struct sl_event *e, const char *rest, const char *whose)
{
	SL_STRBUF text = SL_STRBUF_INIT;
	size_t len = *rest ? strcspn(rest + 1, "/") + 1 : 0;

	sl_strbuf_addstr(&text, "/proc/PID");
	sl_escape(&text, rest, len);
	sl_strbuf_addf(&text, " of %s was used, which a profile cannot grant", whose);
	sl_event_note(e, true, sl_strbuf_str(&text));
}

static const char *process_name(struct sl_event *e, pid_t pid, const char *rest, bool *is_dir)
{
	switch (kin_of(e, pid)) {
	case KIN_SANDBOX:
		note_process(e, rest, "another process of the command");
		return self_name(e, rest, is_dir);
	case KIN_OUTSIDER:
		note_process(e, rest, "a process outside");
		return NULL;
	case KIN_SELF:
		break;
	}
	return self_name(e, rest, is_dir);
}

const char *sl_event_name(struct sl_event *e, const char *path, bool *is_dir)
{
	const char *rest;
	pid_t pid;

	if (path[0] != '/')
		return NULL;
	if (sl_event_in_tmp(e, path)) {
		e->tmp_used = true;
		return NULL;
	}
	pid = sl_proc_pid(path, &rest);
	if (pid)
		return process_name(e, pid, rest, is_dir);
	if (!strncmp(path, "/dev/pts/", 9) && path[9] >= '0' && path[9] <= '9') {
		*is_dir = true;
		return "/dev/pts";
	}
	return path;
}
