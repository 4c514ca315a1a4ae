/*
 * sandlock.h - the public interface of libsandlock. Everything else in the library is internal and may change
 * with any version.
 */
#ifndef SANDLOCK_H
#define SANDLOCK_H

#ifdef __cplusplus
extern "C" {
#endif

/* What `sandlock` exits with when it is not the command's own status. A command killed by signal N gives 128+N. */
enum sandlock_status {
	SANDLOCK_STATUS_USAGE = 2,	   /* a bad option or option value */
	SANDLOCK_STATUS_TIMEOUT = 124,	   /* --timeout ended the command */
	SANDLOCK_STATUS_FAILED = 125,	   /* sandlock itself failed; a bad or missing profile is one case */
	SANDLOCK_STATUS_NOT_EXECUTABLE = 126,
	SANDLOCK_STATUS_NOT_FOUND = 127,
};

/* The version of the library, "MAJOR.MINOR.PATCH". Static. */
const char *sandlock_version(void);

#ifdef __cplusplus
}
#endif

#endif
