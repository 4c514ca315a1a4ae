/*
 * size.c - sizes with a unit.
 */
#include <ctype.h>
#include <string.h>

#include "profile/read.h"

/* value = value * factor + more, remembering that it did not fit. */
static void step(int64_t *value, int factor, int more, bool *overflow)
{
	int64_t result;

	if (__builtin_mul_overflow(*value, factor, &result) || __builtin_add_overflow(result, more, &result))
		*overflow = true;
	else
		*value = result;
}

int sl_size_parse(const char *text, int64_t *ret_bytes)
{
	static const char units[] = "kmgt";
	bool overflow = false;
	const char *p = text, *unit;
	int64_t value = 0;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++)
		step(&value, 10, *p - '0', &overflow);
	if (*p) {
		unit = strchr(units, tolower((unsigned char)*p++));
		if (!unit)
			return -EINVAL;
		if (*p &&
		    (tolower((unsigned char)p[0]) != 'i' || tolower((unsigned char)p[1]) != 'b' || p[2]))
			return -EINVAL;
		for (const char *u = units; u <= unit; u++)
			step(&value, 1024, 0, &overflow);
	}
	if (overflow)
		return -ERANGE;
	*ret_bytes = value;
	return 0;
}
