/*
 * trace.c - learn --trace: every observed call as a line of JSON, written when it is seen.
 *
 *   {"time": 1764096000.123, "pid": 7, "program": "/usr/bin/cat", "call": "openat", "path": "a.txt",
 *    "outcome": "ok", "facts": [{"path": "/home/u/a.txt", "rights": ["read"]}]}
 *
 * A path that is not UTF-8 is escaped (\xNN) and the line has "escaped": true.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/path.h"
#include "observe/event.h"

static const char *const right_names[] = { "read", "list", "exec", "write", "create", "delete", "ioctl" };

/* What the caller runs, as the kernel names it. False where it cannot be read. */
static bool program_path(const struct sl_event *e, char path[PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", e->tid);
	n = readlink(link, path, PATH_MAX - 1);
	if (n <= 0)
		return false;
	path[n] = '\0';
	return true;
}

const char *sl_event_program(const struct sl_event *e)
{
	static char name[4 * PATH_MAX];
	char path[PATH_MAX];

	if (!program_path(e, path))
		return "?";
	snprintf(name, sizeof(name), "%s", sl_esc(strrchr(path, '/') ? strrchr(path, '/') + 1 : path));
	return name;
}

static void set_text(json_t *object, json_t *line, const char *key, const char *text)
{
	SL_STRBUF escaped = SL_STRBUF_INIT;

	if (sl_utf8_valid(text, strlen(text))) {
		json_object_set_new(object, key, json_string(text));
		return;
	}
	sl_escape(&escaped, text, strlen(text));
	json_object_set_new(object, key, json_string(sl_strbuf_str(&escaped)));
	json_object_set_new(line, "escaped", json_true());
}

static json_t *rights_array(uint32_t rights)
{
	json_t *array = json_array();

	for (size_t i = 0; i < SL_ARRAY_LEN(right_names); i++)
		if (rights >> i & 1)
			json_array_append_new(array, json_string(right_names[i]));
	return array;
}

static json_t *facts_array(const struct sl_event *e, json_t *line)
{
	json_t *array = json_array();

	for (size_t i = 0; i < e->step_count; i++) {
		json_t *fact;

		if (e->steps[i].kind != SL_STEP_USE)
			continue;
		fact = json_object();
		set_text(fact, line, "path", e->steps[i].path);
		json_object_set_new(fact, "rights", rights_array(e->steps[i].rights));
		json_array_append_new(array, fact);
	}
	return array;
}

static void set_program(const struct sl_event *e, json_t *line)
{
	char path[PATH_MAX];

	if (program_path(e, path))
		set_text(line, line, "program", path);
}

void sl_event_trace(const struct sl_event *e, int outcome)
{
	FILE *out = e->o->options.trace;
	json_t *line = json_object();
	struct timespec now;
	const char *name = outcome < 0 ? strerrorname_np(-outcome) : "ok";

	clock_gettime(CLOCK_REALTIME, &now);
	json_object_set_new(line, "time", json_real((double)now.tv_sec + (double)now.tv_nsec / 1e9));
	json_object_set_new(line, "pid", json_integer(e->tid));
	set_program(e, line);
	json_object_set_new(line, "call", json_string(e->call->name));
	if (e->has_raw[0])
		set_text(line, line, "path", e->raw[0]);
	if (e->has_raw[1])
		set_text(line, line, "path2", e->raw[1]);
	json_object_set_new(line, "outcome", json_string(name ? name : "error"));
	if (outcome >= 0 || e->failure_needs_rights)
		json_object_set_new(line, "facts", facts_array(e, line));
	json_dumpf(line, out, JSON_COMPACT | JSON_REAL_PRECISION(16));
	fputc('\n', out);
	fflush(out);
	json_decref(line);
}
