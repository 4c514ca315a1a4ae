/*
 * start.c - following what execve needs: EXECUTE on the program, on each interpreter that a first line "#!"
 * names, and on the loader that an ELF file names. A script is also read, by its interpreter.
 *
 * The files are read here as the caller could read them, only to find the next name; nothing is decided by
 * it.
 */
#include "cmd/start.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>

#include "base/path.h"
#include "cmd/message.h"
#include "kernel/own-path.h"

#define DEPTH_MAX	    6	/* the kernel follows five interpreters */
#define HEAD_BYTES	    256 /* BINPRM_BUF_SIZE */
#define PROGRAM_HEADERS_MAX 256

/* The interpreter of a script's first line, relative names included, or NULL. */
static char *script_interpreter(const char *head, size_t len)
{
	const char *start, *end;

	if (len < 3 || head[0] != '#' || head[1] != '!')
		return NULL;
	start = head + 2;
	while (start < head + len && (*start == ' ' || *start == '\t'))
		start++;
	end = start;
	while (end < head + len && *end && !strchr(" \t\r\n", *end))
		end++;
	return end > start ? sl_xstrndup(start, (size_t)(end - start)) : NULL;
}

/* The loader of a 64-bit ELF file (PT_INTERP), or NULL. */
static char *elf_loader(int fd, const char *head, size_t len)
{
	Elf64_Ehdr file;
	Elf64_Phdr program;
	char name[PATH_MAX];

	if (len < sizeof(file) || memcmp(head, ELFMAG, SELFMAG) != 0 || head[EI_CLASS] != ELFCLASS64)
		return NULL;
	memcpy(&file, head, sizeof(file));
	if (file.e_phentsize != sizeof(program) || file.e_phoff > INT32_MAX)
		return NULL;
	for (int i = 0; i < SL_MIN((int)file.e_phnum, PROGRAM_HEADERS_MAX); i++) {
		off_t at = (off_t)(file.e_phoff + (Elf64_Off)i * sizeof(program));

		if (pread(fd, &program, sizeof(program), at) != (ssize_t)sizeof(program))
			return NULL;
		if (program.p_type != PT_INTERP)
			continue;
		if (program.p_filesz < 2 || program.p_filesz > sizeof(name) || program.p_offset > INT32_MAX ||
		    pread(fd, name, program.p_filesz, (off_t)program.p_offset) != (ssize_t)program.p_filesz)
			return NULL;
		name[program.p_filesz - 1] = '\0';
		return sl_xstrdup(name);
	}
	return NULL;
}

/* What the kernel opens next after this file; *ret_script: because it is a script. NULL: nothing. */
static char *next_file(const char *path, bool *ret_script)
{
	SL_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char head[HEAD_BYTES];
	ssize_t len = fd < 0 ? -1 : pread(fd, head, sizeof(head), 0);
	char *name;

	*ret_script = false;
	if (len <= 0)
		return NULL;
	name = script_interpreter(head, (size_t)len);
	*ret_script = name != NULL;
	return name ? name : elf_loader(fd, head, (size_t)len);
}

static bool granted(const struct sl_policy *policy, const char *canonical, uint32_t right)
{
	const struct sl_access access = {right, canonical};

	return sl_policy_allows(policy, &access, NULL);
}

/* One line, with the entry that is missing as it is written in the profile at hand. */
static void say_missing(const struct sl_profile *profile, const char *path, const char *right)
{
	const char *key = profile->version == 1 ? "read" : right;

	if (profile->file)
		sl_say("cannot start: no entry lets %s be %s; what is missing in [filesystem]: %s = [\"%s\"]",
		       sl_esc(path), !strcmp(right, "exec") ? "executed" : "read", key, sl_esc(path));
	else
		sl_say("cannot start: nothing lets %s be %s; what is missing: -r %s", sl_esc(path),
		       !strcmp(right, "exec") ? "executed" : "read", sl_esc(path));
}

int sl_start_explain(const struct sl_policy *policy, const struct sl_profile *profile, const char *path)
{
	SL_FREE char *file = sl_xstrdup(path);
	int said = 0;

	for (int depth = 0; file && depth < DEPTH_MAX; depth++) {
		SL_CLOSE int fd = -EBADF;
		const struct sl_denied *denied;
		SL_FREE char *next = NULL;
		char canonical[PATH_MAX];
		bool script, executable;

		fd = sl_own_path_open(file, canonical);
		if (fd < 0) {
			sl_say("cannot start: %s: %s", sl_esc(file), strerror(-fd));
			return said + 1;
		}
		next = next_file(file, &script);
		denied = sl_policy_denied(policy, canonical);
		if (denied) {
			sl_say("cannot start: %s is denied by %s", sl_esc(canonical), denied->where);
			return said + 1;
		}
		executable = granted(policy, canonical, SL_RIGHT_EXEC);
		if (!executable)
			say_missing(profile, canonical, "exec");
		if (script && !granted(policy, canonical, SL_RIGHT_READ) &&
		    (executable || profile->version != 1)) {
			say_missing(profile, canonical, "read");
			said++;
		}
		said += !executable;
		free(file);
		file = SL_TAKE_PTR(next);
	}
	return said;
}
