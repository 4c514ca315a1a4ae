/*
 * values.c - the kinds of option values. Numbers are read strictly: no sign, no blanks, nothing after them.
 */
#include "cmd/values.h"

#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "kernel/landlock.h"
#include "policy/calls.h"
#include "profile/keys.h"
#include "profile/profile.h"
#include "profile/read.h"
#include "supervise/registry.h"

#define COUNT_OPTIONAL_DEFAULT 4

/* Decimal digits at *s, at most max; *s is moved behind them. Returns the number or -1. */
static int64_t number(const char **s, int64_t max)
{
	int64_t n = 0;
	const char *p = *s;

	if (*p < '0' || *p > '9')
		return -1;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (n > (max - (*p - '0')) / 10)
			return -1;
		n = n * 10 + (*p - '0');
	}
	*s = p;
	return n;
}

static int store_flag(SL_UNUSED const char *value, void *member)
{
	*(bool *)member = true;
	return 0;
}

static int store_string(const char *value, void *member)
{
	if (!*value)
		return -EINVAL;
	*(const char **)member = value;
	return 0;
}

static int store_list(const char *value, void *member)
{
	if (!*value)
		return -EINVAL;
	sl_list_add(member, value, 0);
	return 0;
}

static int store_env(const char *value, void *member)
{
	const char *equals = strchr(value, '=');

	return equals && equals != value ? store_list(value, member) : -EINVAL;
}

static int store_seconds(const char *value, void *member)
{
	const char *s = value;
	int64_t whole = number(&s, 1000000000);
	double seconds = (double)whole, unit = 1;

	if (whole < 0)
		return -EINVAL;
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9'; s++)
			seconds += (*s - '0') * (unit /= 10);
	if (*s || s[-1] == '.')
		return -EINVAL;
	*(double *)member = seconds;
	return 0;
}

static int store_count(const char *value, void *member)
{
	const char *s = value;
	int64_t n = number(&s, INT64_MAX);

	if (n < 1 || *s)
		return -EINVAL;
	*(int64_t *)member = n;
	return 0;
}

static int store_size(const char *value, void *member)
{
	int64_t bytes;
	int r = sl_size_parse(value, &bytes);

	if (r < 0 || bytes < 1)
		return -EINVAL;
	*(int64_t *)member = bytes;
	return 0;
}

static int store_count_optional(const char *value, void *member)
{
	if (value)
		return store_count(value, member);
	*(int64_t *)member = COUNT_OPTIONAL_DEFAULT;
	return 0;
}

static int store_descriptor(const char *value, void *member)
{
	const char *s = value;
	int64_t n = number(&s, INT32_MAX);
	int flags;

	if (n < 0 || *s)
		return -EINVAL;
	flags = fcntl((int)n, F_GETFD);
	if (flags < 0)
		return -EINVAL;
	if (n > STDERR_FILENO &&
	    fcntl((int)n, F_SETFD, flags | FD_CLOEXEC) < 0) /* for us, not for the command */
		return -EINVAL;
	*(int *)member = (int)n;
	return 0;
}

static int store_cpus(const char *value, void *member)
{
	const char *s = value;

	for (;;) {
		int64_t first = number(&s, CPU_SETSIZE - 1), last = first;

		if (*s == '-') {
			s++;
			last = number(&s, CPU_SETSIZE - 1);
		}
		if (first < 0 || last < first)
			return -EINVAL;
		for (; first <= last; first++) {
			char text[16];

			snprintf(text, sizeof(text), "%d", (int)first);
			if (!sl_list_contains(member, text))
				sl_list_add(member, text, 0);
		}
		if (!*s)
			return 0;
		if (*s++ != ',')
			return -EINVAL;
	}
}

static int store_name(const char *value, void *member)
{
	return sl_registry_name_valid(value) ? store_string(value, member) : -EINVAL;
}

static const struct sl_protection_row *protection(const char *name)
{
	for (const struct sl_protection_row *p = sl_protections; p->name; p++)
		if (!strcasecmp(p->name, name))
			return p;
	return NULL;
}

static int store_protection(const char *value, void *member)
{
	const struct sl_protection_row *p = protection(value);

	if (!p)
		return -EINVAL;
	*(uint64_t *)member |= p->bit;
	return 0;
}

static int store_disable(const char *value, void *member)
{
	const struct sl_protection_row *p = protection(value);

	return p && p->can_disable ? store_protection(value, member) : -EINVAL;
}

static int store_syscall(const char *value, void *member)
{
	if (strcmp(value, SL_CALL_GROUP_SYSV_IPC) != 0 && sl_call_number(value) == -ENOENT)
		return -EINVAL;
	return store_list(value, member);
}

static int store_version(const char *value, void *member)
{
	if (strcmp(value, "1") != 0 && strcmp(value, "2") != 0)
		return -EINVAL;
	*(int *)member = value[0] - '0';
	return 0;
}

static int store_on_end(const char *value, void *member)
{
	enum sl_on_end end = sl_on_end_parse(value);

	if (end == SL_END_UNSET)
		return -EINVAL;
	*(enum sl_on_end *)member = end;
	return 0;
}

const struct sl_value_kind *sl_value_kind(enum sl_option_kind kind)
{
	static const struct sl_value_kind kinds[] = {
	    [SL_OPTION_FLAG] = {false, NULL, store_flag},
	    [SL_OPTION_STRING] = {true, "a value", store_string},
	    [SL_OPTION_LIST] = {true, "a value", store_list},
	    [SL_OPTION_ENV] = {true, "KEY=VALUE", store_env},
	    [SL_OPTION_SECONDS] = {true, "a number of seconds", store_seconds},
	    [SL_OPTION_SIZE] = {true, "a size such as 512M", store_size},
	    [SL_OPTION_COUNT] = {true, "a whole number from 1", store_count},
	    [SL_OPTION_COUNT_OPTIONAL] = {true, "a whole number from 1", store_count_optional},
	    [SL_OPTION_DESCRIPTOR] = {true, "an open descriptor", store_descriptor},
	    [SL_OPTION_CPUS] = {true, "a list of CPU numbers such as 0,2-3", store_cpus},
	    [SL_OPTION_NAME] = {true, "a name (1 to 64 letters, digits and ._-)", store_name},
	    [SL_OPTION_PROTECTION] = {true, "a protection (`sandlock check` lists them)", store_protection},
	    [SL_OPTION_DISABLE] = {true, "a protection that can be left out (`sandlock check` lists them)",
				   store_disable},
	    [SL_OPTION_SYSCALL] = {true, "a system call or a group of them", store_syscall},
	    [SL_OPTION_VERSION] = {true, "a profile version (1 or 2)", store_version},
	    [SL_OPTION_ON_END] = {true, "commit, abort or keep", store_on_end},
	};

	return &kinds[kind];
}
