/*
 * features.h - what the kernel's seccomp can do, found out without changing anything.
 */
#ifndef SL_KERNEL_FEATURES_H
#define SL_KERNEL_FEATURES_H

#include <stdbool.h>

enum sl_kernel_feature_bit {
	SL_FEATURE_FILTER = 1 << 0,
	SL_FEATURE_LISTENER = 1 << 1,
	SL_FEATURE_ADDFD_SEND = 1 << 2,
	SL_FEATURE_WAIT_KILLABLE = 1 << 3,
	SL_FEATURE_SYNC_WAKE_UP = 1 << 4,
};

/* One row a feature; ends with a NULL name. */
struct sl_kernel_feature {
	const char *name;
	unsigned int bit;
	bool needed;	     /* without it nothing is run */
	const char *without; /* what is different then, for messages */
};
extern const struct sl_kernel_feature sl_kernel_feature_rows[];

/* SL_FEATURE_* bits of what is there. */
unsigned int sl_kernel_features(void);

/* Is the kernel, by its name, of this version or a later one? For what it tells of no other way. */
bool sl_kernel_at_least(unsigned long major, unsigned long minor);

#endif
