/*
 * view-image.h - what a program file says about how it is to be loaded.
 */
#ifndef SL_SUPERVISE_VIEW_IMAGE_H
#define SL_SUPERVISE_VIEW_IMAGE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_SCRIPT_BYTES 256 /* BINPRM_BUF_SIZE: how much of a "#!" line the kernel sees */

/* The "#!" line of a script. */
struct sl_script {
	char interpreter[SL_SCRIPT_BYTES]; /* may be "", which is ENOENT */
	bool has_argument;
	char argument[SL_SCRIPT_BYTES]; /* all that follows, in one piece; may be "" */
};

/* Take a line apart as load_script() of fs/binfmt_script.c does. header: the first bytes of the file, at most
 * SL_SCRIPT_BYTES. 0 or -ENOEXEC. */
int sl_script_parse(const char *header, size_t len, struct sl_script *ret);

/* Where a 64-bit ELF program asks for an interpreter (PT_INTERP). */
struct sl_elf_asks {
	uint64_t header; /* offset of the program header that says so */
	char interpreter[PATH_MAX];
};

/* 1 where it does; 0 where it does not, or is no such program. */
int sl_elf_asks(int fd, struct sl_elf_asks *ret);

/* Make a copy that asks for another interpreter, in the directory dir, in which it gets a name of its own:
 * its path, malloc'd. What the program sees of itself in memory stays. 0 or -errno. */
int sl_elf_copy(int fd, const struct sl_elf_asks *asks, const char *dir, const char *interpreter,
		char **ret_path);

#endif
