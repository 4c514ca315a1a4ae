/*
 * setup.h - the options that learn and run share: how the command's process is set up.
 */
#ifndef SL_CMD_SETUP_H
#define SL_CMD_SETUP_H

#include <stdint.h>

#include "cmd/options.h"
#include "profile/profile.h"

struct sl_setup {
	struct sl_list read, write; /* -r, -w */
	struct sl_list env;	    /* KEY=VALUE */
	struct sl_list cpu_cores;   /* decimal text */
	const char *cwd, *name, *exec_shell;
	bool clean_env, no_coredump, no_huge_pages, no_randomize_memory;
	int64_t open_files; /* 0: not asked for */
	double timeout_s;   /* 0: none */
};

/* Rows for the table of a command whose struct has a member `setup`. */
#define SL_SETUP_OPTIONS(type)                                                                               \
	{"fs-read",                                                                                          \
	 'r',                                                                                                \
	 SL_OPTION_LIST,                                                                                     \
	 "PATH",                                                                                             \
	 false,                                                                                              \
	 SL_COMPLETE_FILE,                                                                                   \
	 offsetof(type, setup.read),                                                                         \
	 "read, list and execute PATH and what is below it"},                                                \
	    {"fs-write",                                                                                     \
	     'w',                                                                                            \
	     SL_OPTION_LIST,                                                                                 \
	     "PATH",                                                                                         \
	     false,                                                                                          \
	     SL_COMPLETE_FILE,                                                                               \
	     offsetof(type, setup.write),                                                                    \
	     "every right on PATH and what is below it"},                                                    \
	    {"timeout",                                                                                      \
	     't',                                                                                            \
	     SL_OPTION_SECONDS,                                                                              \
	     "SECS",                                                                                         \
	     false,                                                                                          \
	     SL_COMPLETE_NOTHING,                                                                            \
	     offsetof(type, setup.timeout_s),                                                                \
	     "end the whole process tree after SECS seconds"},                                               \
	    {"env",                                                                                          \
	     0,                                                                                              \
	     SL_OPTION_ENV,                                                                                  \
	     "KEY=VALUE",                                                                                    \
	     false,                                                                                          \
	     SL_COMPLETE_NOTHING,                                                                            \
	     offsetof(type, setup.env),                                                                      \
	     "set a variable of the command's environment"},                                                 \
	    {"clean-env",                                                                                    \
	     0,                                                                                              \
	     SL_OPTION_FLAG,                                                                                 \
	     NULL,                                                                                           \
	     false,                                                                                          \
	     SL_COMPLETE_NOTHING,                                                                            \
	     offsetof(type, setup.clean_env),                                                                \
	     "start from PATH, HOME, USER, TERM and LANG alone"},                                            \
	    {"cwd",                                                                                          \
	     0,                                                                                              \
	     SL_OPTION_STRING,                                                                               \
	     "DIR",                                                                                          \
	     false,                                                                                          \
	     SL_COMPLETE_DIRECTORY,                                                                          \
	     offsetof(type, setup.cwd),                                                                      \
	     "start the command in DIR"},                                                                    \
	    {"name",                                                                                         \
	     0,                                                                                              \
	     SL_OPTION_NAME,                                                                                 \
	     "NAME",                                                                                         \
	     false,                                                                                          \
	     SL_COMPLETE_NOTHING,                                                                            \
	     offsetof(type, setup.name),                                                                     \
	     "the sandbox's name for ps, inspect and kill"},                                                 \
	    {"exec-shell",                                                                                   \
	     'e',                                                                                            \
	     SL_OPTION_STRING,                                                                               \
	     "CMD",                                                                                          \
	     false,                                                                                          \
	     SL_COMPLETE_NOTHING,                                                                            \
	     offsetof(type, setup.exec_shell),                                                               \
	     "run CMD with /bin/sh -c"},                                                                     \
	    {"max-open-files",                                                                               \
	     0,                                                                                              \
	     SL_OPTION_COUNT,                                                                                \
	     "N",                                                                                            \
	     false,                                                                                          \
	     SL_COMPLETE_NOTHING,                                                                            \
	     offsetof(type, setup.open_files),                                                               \
	     "at most N descriptors a process"},                                                             \
	    {"cpu-cores",                                                                                    \
	     0,                                                                                              \
	     SL_OPTION_CPUS,                                                                                 \
	     "LIST",                                                                                         \
	     false,                                                                                          \
	     SL_COMPLETE_NOTHING,                                                                            \
	     offsetof(type, setup.cpu_cores),                                                                \
	     "run on these CPUs only, as in 0,2-3"},                                                         \
	    {"no-randomize-memory",                                                                          \
	     0,                                                                                              \
	     SL_OPTION_FLAG,                                                                                 \
	     NULL,                                                                                           \
	     false,                                                                                          \
	     SL_COMPLETE_NOTHING,                                                                            \
	     offsetof(type, setup.no_randomize_memory),                                                      \
	     "no address space randomisation"},                                                              \
	    {"no-huge-pages",                                                                                \
	     0,                                                                                              \
	     SL_OPTION_FLAG,                                                                                 \
	     NULL,                                                                                           \
	     false,                                                                                          \
	     SL_COMPLETE_NOTHING,                                                                            \
	     offsetof(type, setup.no_huge_pages),                                                            \
	     "no transparent huge pages"},                                                                   \
	{                                                                                                    \
		"no-coredump", 0, SL_OPTION_FLAG, NULL, false, SL_COMPLETE_NOTHING,                          \
		    offsetof(type, setup.no_coredump), "no core files"                                       \
	}

void sl_setup_release(struct sl_setup *s);

/* Put what the options say into the profile: lists are added to, single values replaced. Not -r and -w. */
void sl_setup_apply(const struct sl_setup *s, struct sl_profile *profile);

#endif
