/*
 * error.h - one error object per operation, filled where the failure happens, given context by the
 * callers on the way up and printed once, by the command. A library function returns -errno and fills
 * the error, or logs, never both. A full chain reads "context: context: what failed: strerror".
 */
#ifndef SL_BASE_ERROR_H
#define SL_BASE_ERROR_H

#include "base/macros.h"

struct sl_error {
	int code;	 /* positive errno value, 0 while unset */
	char text[1024]; /* one line, already escaped, without a prefix or newline */
};

#define SL_ERROR_INIT ((struct sl_error){ 0 })

/* Set the error to the formatted text; with code != 0 and no strerror added. Returns -code. err may be NULL. */
int sl_error_set(struct sl_error *err, int code, const char *fmt, ...) SL_PRINTF(3, 4);

/* The same with ": strerror(code)" appended. Returns -code. */
int sl_error_errno(struct sl_error *err, int code, const char *fmt, ...) SL_PRINTF(3, 4);

#endif
