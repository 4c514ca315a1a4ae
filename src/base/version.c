/*
 * version.c - the version that the build gave this library.
 */
#include "sandlock.h"

const char *sandlock_version(void)
{
	return SANDLOCK_VERSION;
}
