/*
 * message.c - lines to stderr, results to stdout, both by write(2): nothing is buffered, so nothing can be
 * lost or doubled around a fork.
 */
#include "cmd/message.h"

#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include "base/fd.h"
#include "sandlock.h"

static void say(const char *prefix, const char *fmt, va_list args)
{
	SL_STRBUF line = SL_STRBUF_INIT;
	char text[4096];

	vsnprintf(text, sizeof(text), fmt, args);
	sl_strbuf_addf(&line, "%s%s\n", prefix, text);
	sl_say_lines(&line);
}

void sl_say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("sandlock: ", fmt, args);
	va_end(args);
}

void sl_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("sandlock: warning: ", fmt, args);
	va_end(args);
}

void sl_say_lines(const struct sl_strbuf *lines)
{
	/* Where stderr is gone there is nobody left to tell. */
	(void)sl_write_all(STDERR_FILENO, sl_strbuf_str(lines), lines->len);
}

int sl_output(const struct sl_strbuf *text)
{
	void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* a closed pipe is to be reported, not to kill us */
	int r = sl_write_all(STDOUT_FILENO, sl_strbuf_str(text), text->len);

	signal(SIGPIPE, before);
	if (!r)
		return 0;
	sl_say("cannot write to stdout: %s", strerror(-r));
	return SANDLOCK_STATUS_FAILED;
}
