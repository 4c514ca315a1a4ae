/*
 * check.c - checks of single strings: paths, mounts, times, names of system calls.
 */
#include "profile/check.h"

#include <ctype.h>
#include <string.h>

#include "profile/call-names.h"

const char *sl_check_nonempty(const char *text, int version SL_UNUSED)
{
	return text[0] ? NULL : "a string that is not empty";
}

static bool is_rooted(const char *text)
{
	return text[0] == '/' || (text[0] == '~' && (text[1] == '/' || text[1] == '\0'));
}

const char *sl_check_path(const char *text, int version)
{
	if (version == 1)
		return text[0] ? NULL : "a path";
	return is_rooted(text) ? NULL : "an absolute path or one that begins with \"~/\"";
}

const char *sl_check_mount(const char *text, int version)
{
	static const char expected[] = "\"VIRTUAL:HOST\" or \"VIRTUAL:HOST:ro\"";
	const char *host = strchr(text, ':'), *flag;
	SL_FREE char *path = NULL;

	if (!host || text[0] != '/')
		return expected;
	host++;
	flag = strchr(host, ':');
	if (flag && strcmp(flag, ":ro") != 0)
		return expected;
	path = sl_xstrndup(host, flag ? (size_t)(flag - host) : strlen(host));
	return sl_check_path(path, version) ? expected : NULL;
}

/* Read two digits at *p; -1 where there are none. */
static int two_digits(const char **p)
{
	int value;

	if (!isdigit((unsigned char)(*p)[0]) || !isdigit((unsigned char)(*p)[1]))
		return -1;
	value = ((*p)[0] - '0') * 10 + ((*p)[1] - '0');
	*p += 2;
	return value;
}

static bool take(const char **p, char c)
{
	if (**p != c)
		return false;
	++*p;
	return true;
}

/* "YYYY-MM-DD", a day that exists. */
static bool take_date(const char **p)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int century = two_digits(p), year = century < 0 ? -1 : two_digits(p), month, day, last;

	if (year < 0 || !take(p, '-'))
		return false;
	month = two_digits(p);
	if (month < 1 || month > 12 || !take(p, '-'))
		return false;
	day = two_digits(p);
	year += century * 100;
	last = days[month - 1];
	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		last++;
	return day >= 1 && day <= last;
}

/* "HH:MM", and with seconds ":SS[.FRACTION]"; 60 is a leap second. */
static bool take_clock(const char **p, bool seconds)
{
	int hour = two_digits(p), minute, second;

	if (hour < 0 || hour > 23 || !take(p, ':'))
		return false;
	minute = two_digits(p);
	if (minute < 0 || minute > 59)
		return false;
	if (!seconds)
		return true;
	if (!take(p, ':'))
		return false;
	second = two_digits(p);
	if (second < 0 || second > 60)
		return false;
	if (!take(p, '.'))
		return true;
	if (!isdigit((unsigned char)**p))
		return false;
	*p += strspn(*p, "0123456789");
	return true;
}

const char *sl_check_time(const char *text, int version SL_UNUSED)
{
	static const char expected[] = "a time as in RFC 3339, like \"2026-01-31T12:00:00Z\"";
	const char *p = text;

	if (!take_date(&p) || !(take(&p, 'T') || take(&p, 't') || take(&p, ' ')) || !take_clock(&p, true))
		return expected;
	if (take(&p, 'Z') || take(&p, 'z'))
		return *p ? expected : NULL;
	if (!take(&p, '+') && !take(&p, '-'))
		return expected;
	return take_clock(&p, false) && !*p ? NULL : expected;
}

const char *sl_check_call(const char *text, int version SL_UNUSED)
{
	size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return len && len <= 64 && !text[len] && !isdigit((unsigned char)text[0])
		   ? NULL
		   : "the name of a system call";
}

const char *sl_check_listed_call(const char *text, int version)
{
	if (!strcmp(text, SL_CALL_BASE))
		return NULL;
	if (!strcmp(text, "sysv_ipc"))
		return "the name of a system call or \"" SL_CALL_BASE "\"; this group belongs into extra_allow";
	return sl_check_call(text, version) ? "the name of a system call or \"" SL_CALL_BASE "\"" : NULL;
}

const char *sl_check_call_group(const char *text, int version SL_UNUSED)
{
	return strcmp(text, "sysv_ipc") ? "a group of system calls; the one group is \"sysv_ipc\"" : NULL;
}
