/*
 * observe-harness.h - runs a function in a child under the observing filter, serves its notifications as the
 * supervisor does (look, then continue), and gives what the observer made of it.
 */
#ifndef TESTS_UNIT_OBSERVE_HARNESS_H
#define TESTS_UNIT_OBSERVE_HARNESS_H

#include "observe/observe.h"

struct harness {
	char dir[64];		    /* a fresh directory, the child's working directory; mode 0777 */
	struct sl_observer *observer;
	struct sl_profile profile;
	struct sl_observation seen;
	size_t calls;		    /* notifications served */
	int status;		    /* the child's exit status */
};

struct harness_options {
	bool other_identity;	 /* as root: the child first becomes another user */
	const char *tmp_dir;	 /* below the fresh directory: the private temporary directory, made here */
	const char *trace;	 /* a file below the fresh directory */
	const struct sl_policy *explain;
};

/* Make the fresh directory and go there. */
void harness_begin(struct harness *h);

/* Run a function in an observed child; what it returns is its status. */
void harness_run(struct harness *h, const struct harness_options *options, int (*run)(void));

/* The filesystem lists as "key path" lines in the order of the keys, the fresh directory written "D". malloc'd. Lines on
 * what every program of the machine uses (libraries, the loader) are left out. */
char *harness_text(const struct harness *h);

/* Is this path (a leading "D" is the fresh directory) in the list of the key? */
bool harness_has(const struct harness *h, enum sl_fs_key key, const char *path);

/* Does a note hold this text? */
bool harness_noted(const struct harness *h, const char *text);

/* A call of the child succeeds, or fails with that error; else the child says so and returns 1. */
#define OK(x)                                                                                                \
	do {                                                                                                 \
		if ((x) < 0) {                                                                               \
			fprintf(stderr, "line %d: %s: %s\n", __LINE__, #x, strerror(errno));                  \
			return 1;                                                                            \
		}                                                                                            \
	} while (0)
#define FAILS(error, x)                                                                                      \
	do {                                                                                                 \
		if ((x) >= 0 || errno != (error)) {                                                          \
			fprintf(stderr, "line %d: %s: %s, not %s\n", __LINE__, #x, strerror(errno), #error);   \
			return 1;                                                                            \
		}                                                                                            \
	} while (0)

/* Make a file with this text and mode, relative to the fresh directory. */
void harness_put(const char *name, const char *text, unsigned int mode);

/* Removes the directory. */
void harness_end(struct harness *h);

#endif
