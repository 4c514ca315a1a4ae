/*
 * view-image.c - see view-image.h.
 */
#include "supervise/view-image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "view/copy-up.h"

#define PHDRS_MAX 512

/* ---- scripts ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The first byte from `at` up to and with last that is no blank; NULL. */
static const char *skip_blanks(const char *at, const char *last)
{
	for (; at <= last; at++)
		if (!is_blank(*at))
			return at;
	return NULL;
}

/* The first blank or NUL from `at` up to and with last; NULL. */
static const char *find_end(const char *at, const char *last)
{
	for (; at <= last; at++)
		if (is_blank(*at) || !*at)
			return at;
	return NULL;
}

static void take(char *to, const char *from, const char *end)
{
	size_t len = strnlen(from, (size_t)(end - from));

	memcpy(to, from, len);
	to[len] = '\0';
}

int sl_script_parse(const char *header, size_t len, struct sl_script *ret)
{
	char buf[SL_SCRIPT_BYTES] = {0};
	const char *last = buf + sizeof(buf) - 1, *end, *name, *name_end, *argument = NULL;

	memcpy(buf, header, SL_MIN(len, sizeof(buf)));
	end = memchr(buf, '\n', sizeof(buf));
	if (!end) {
		name = skip_blanks(buf + 2, last);
		if (!name || !find_end(name, last))
			return -ENOEXEC; /* nothing, or the name may be cut */
		end = last;
	}
	while (is_blank(end[-1]))
		end--;
	name = skip_blanks(buf + 2, end);
	if (!name || name == end)
		return -ENOEXEC;
	name_end = find_end(name, end);
	if (name_end && *name_end)
		argument = skip_blanks(name_end, end);
	take(ret->interpreter, name, name_end ? SL_MIN(name_end, end) : end);
	ret->argument[0] = '\0';
	ret->has_argument = argument;
	if (argument)
		take(ret->argument, argument, end);
	return 0;
}

/* ---- ELF ---- */

int sl_elf_asks(int fd, struct sl_elf_asks *ret)
{
	Elf64_Ehdr elf;
	Elf64_Phdr phdr;

	if (pread(fd, &elf, sizeof(elf), 0) != sizeof(elf) || memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 ||
	    elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_phentsize != sizeof(phdr) || elf.e_phnum > PHDRS_MAX)
		return 0;
	for (unsigned int i = 0; i < elf.e_phnum; i++) {
		ret->header = elf.e_phoff + i * sizeof(phdr);
		if (pread(fd, &phdr, sizeof(phdr), (off_t)ret->header) != sizeof(phdr))
			return 0;
		if (phdr.p_type != PT_INTERP)
			continue;
		if (phdr.p_filesz < 2 || phdr.p_filesz > sizeof(ret->interpreter) ||
		    pread(fd, ret->interpreter, phdr.p_filesz, (off_t)phdr.p_offset) !=
			(ssize_t)phdr.p_filesz ||
		    ret->interpreter[phdr.p_filesz - 1])
			return 0;
		return 1;
	}
	return 0;
}

/* The text goes behind the end of the file, and the header in the file says so. */
static int set_interpreter(int fd, const struct sl_elf_asks *asks, const char *interpreter)
{
	size_t len = strlen(interpreter) + 1;
	Elf64_Phdr phdr;
	struct stat st;

	if (pread(fd, &phdr, sizeof(phdr), (off_t)asks->header) != sizeof(phdr) || fstat(fd, &st) < 0)
		return -EIO;
	phdr.p_offset = (uint64_t)st.st_size;
	phdr.p_filesz = len;
	if (pwrite(fd, interpreter, len, st.st_size) != (ssize_t)len ||
	    pwrite(fd, &phdr, sizeof(phdr), (off_t)asks->header) != sizeof(phdr))
		return -ENOSPC;
	return 0;
}

int sl_elf_copy(int fd, const struct sl_elf_asks *asks, const char *dir, const char *interpreter,
		char **ret_path)
{
	SL_FREE char *path = sl_xasprintf("%s/program-XXXXXX", dir);
	SL_CLOSE int copy = mkostemp(path, O_CLOEXEC);
	struct stat st;
	int r;

	if (copy < 0)
		return -errno;
	r = sl_vcopy_data(NULL, fd, copy, SL_VCOPY_ALL);
	if (r == 0 && (fstat(fd, &st) < 0 || ftruncate(copy, st.st_size) < 0)) /* it may end in a hole */
		r = -errno;
	if (r == 0)
		r = set_interpreter(copy, asks, interpreter);
	if (r == 0 && fchmod(copy, 0755) < 0)
		r = -errno;
	if (r < 0)
		unlink(path);
	else
		*ret_path = SL_TAKE_PTR(path);
	return r;
}
