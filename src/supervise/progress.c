/*
 * progress.c - the progress line. It stands on a line of its own only as long as the command prints nothing;
 * each renewal starts at the left margin and clears what is there.
 */
#include "supervise/progress.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define FIRST_S 1.0
#define AGAIN_S 0.5
#define TAKEN_S 1.2 /* a program that draws sets the terminal back for moments: at its end, for a command of its own */

static void put(const char *text)
{
	/* One write, so that it is not mixed with the command's. A terminal that is gone shows nothing. */
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return;
}

void sl_progress_init(struct sl_progress *p, bool wanted, double now_s)
{
	p->enabled = wanted && isatty(STDERR_FILENO);
	p->shown = false;
	p->next_s = now_s + FIRST_S;
	p->taken_until_s = now_s;
}

/* Does the command read keys (an editor, a pager, a prompt with line editing, a password)? It draws by itself then. */
static bool terminal_is_taken(void)
{
	struct termios modes;

	return tcgetattr(STDERR_FILENO, &modes) < 0 || (modes.c_lflag & (ICANON | ECHO)) != (ICANON | ECHO);
}

void sl_progress_tick(struct sl_progress *p, double now_s, double started_s, uint64_t calls)
{
	char line[128];

	if (!p->enabled || now_s < p->next_s)
		return;
	p->next_s = now_s + AGAIN_S;
	if (terminal_is_taken()) {
		p->shown = false; /* what was drawn over is the command's */
		p->taken_until_s = now_s + TAKEN_S;
	}
	if (now_s < p->taken_until_s)
		return;
	snprintf(line, sizeof(line), "\r\033[Ksandlock: learning, %.0f s, %llu calls seen", now_s - started_s,
		 (unsigned long long)calls);
	put(line);
	p->shown = true;
}

void sl_progress_clear(struct sl_progress *p)
{
	if (p->shown)
		put("\r\033[K");
	p->shown = false;
}
