/*
 * status.c - one JSON object a line, written whole. A reader that is gone or slow never ends or delays a
 * command: a line that cannot be written is dropped.
 */
#include "supervise/status.h"

#include <jansson.h>
#include <poll.h>
#include <string.h>

#define WRITE_TIMEOUT_MS 1000

static void write_line(int fd, json_t *object)
{
	char *text = json_dumps(object, JSON_COMPACT);
	size_t len, done = 0;

	json_decref(object);
	if (!text)
		return;
	len = strlen(text);
	text[len++] = '\n'; /* in place of the NUL */
	while (done < len) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		ssize_t n = poll(&p, 1, WRITE_TIMEOUT_MS) == 1 ? write(fd, text + done, len - done) : -1;

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			break;
		if (n < 0 && !(p.revents & POLLOUT))
			break;
		done += n > 0 ? (size_t)n : 0;
	}
	free(text);
}

void sl_status_start(int fd, const char *name, const char *mode, pid_t command_pid)
{
	if (fd >= 0)
		write_line(fd, json_pack("{s:s, s:s, s:s, s:i, s:i}", "event", "start", "name", name, "mode",
					 mode, "pid", (int)getpid(), "command_pid", (int)command_pid));
}

static const char *reason(enum sl_outcome_kind kind)
{
	switch (kind) {
	case SL_OUTCOME_EXITED:
		return "exited";
	case SL_OUTCOME_SIGNALED:
		return "signaled";
	case SL_OUTCOME_TIMEOUT:
		return "timeout";
	case SL_OUTCOME_NOT_STARTED:
		return "not-started";
	case SL_OUTCOME_FAILED:
	default:
		return "failed";
	}
}

void sl_status_end(int fd, const struct sl_outcome *o, const struct sl_error *err)
{
	json_t *object;

	if (fd < 0)
		return;
	object = json_pack("{s:s, s:s, s:i}", "event", "end", "reason", reason(o->kind), "status",
			   sl_outcome_status(o));
	if (o->kind == SL_OUTCOME_SIGNALED)
		json_object_set_new(object, "signal", json_integer(o->code));
	json_object_set_new(object, "elapsed_s", json_real(o->elapsed_s));
	json_object_set_new(object, "max_rss_kib", json_integer(o->max_rss_kib));
	json_object_set_new(object, "killed", json_integer((json_int_t)o->killed));
	if (err && err->code)
		json_object_set_new(object, "error", json_string(err->text));
	write_line(fd, object);
}
