/*
 * exec.c - execve and execveat: the program, the interpreters that "#!" lines name, the ELF interpreter.
 *
 * The kernel opens each of them for reading and executing (do_open_execat), so each needs both rights. An exec that
 * ends in ENOEXEC leaves them too: a shell then reads the file as a script. What the kernel really mapped is looked at
 * when the new image makes its first notified call, before it can have mapped anything else: interpreters of
 * binfmt_misc become facts that way.
 */
#include <elf.h>
#include <fcntl.h>
#include <string.h>

#include "base/path.h"
#include "kernel/mappings.h"
#include "kernel/own-fd.h"
#include "kernel/usage.h"
#include "observe/event.h"

#define HEADER_BYTES   4096
#define SCRIPT_BYTES   256 /* BINPRM_BUF_SIZE: how much of a "#!" line the kernel sees */
#define SCRIPT_LEVELS  5   /* exec_binprm() gives up beyond (ELOOP) */
#define PHDRS_MAX      512
#define PROCESS_STACK  28 /* field of /proc/PID/stat */
#define EXEC_RIGHTS    (SL_RIGHT_EXEC | SL_RIGHT_READ)

#if defined(__x86_64__)
#define NATIVE_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define NATIVE_MACHINE EM_AARCH64
#endif

/* May the caller execute the object? It is noted for use. */
static int check_program(struct sl_event *e, const struct sl_resolved *at)
{
	struct stat st;
	int r;

	if (fstat(at->fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	r = sl_may_access(e, at->fd, X_OK);
	if (r < 0)
		return r;
	if (!at->anonymous)
		sl_event_use(e, EXEC_RIGHTS, at->path, false);
	return 0;
}

/* The interpreter of a "#!" line as fs/binfmt_script.c finds it. -ENOEXEC where there is none. */
static int script_interpreter(const char *header, size_t len, char *ret, size_t size)
{
	const char *end = header + SL_MIN(len, (size_t)SCRIPT_BYTES), *newline, *start, *stop;
	bool whole = len < SCRIPT_BYTES;

	newline = memchr(header, '\n', (size_t)(end - header));
	start = header + 2;
	if (newline)
		end = newline;
	while (start < end && (*start == ' ' || *start == '\t'))
		start++;
	stop = start;
	while (stop < end && *stop && *stop != ' ' && *stop != '\t')
		stop++;
	if (stop == start)
		return -ENOEXEC;
	if (!newline && !whole && stop == end)
		return -ENOEXEC; /* the name may be cut */
	snprintf(ret, size, "%.*s", (int)(stop - start), start);
	return 0;
}

/* The PT_INTERP text of a 64-bit program: 0 and "" when it has none. */
static int elf_interpreter(int fd, const Elf64_Ehdr *header, char *ret, size_t size)
{
	Elf64_Phdr phdr;

	ret[0] = '\0';
	if (header->e_phentsize != sizeof(phdr) || header->e_phnum > PHDRS_MAX)
		return -ENOEXEC;
	for (unsigned int i = 0; i < header->e_phnum; i++) {
		off_t at = (off_t)(header->e_phoff + i * sizeof(phdr));

		if (pread(fd, &phdr, sizeof(phdr), at) != sizeof(phdr))
			return -ENOEXEC;
		if (phdr.p_type != PT_INTERP)
			continue;
		if (phdr.p_filesz < 2 || phdr.p_filesz > size)
			return -ENOEXEC;
		if (pread(fd, ret, phdr.p_filesz, (off_t)phdr.p_offset) != (ssize_t)phdr.p_filesz ||
		    ret[phdr.p_filesz - 1])
			return -ENOEXEC;
		return 0;
	}
	return 0;
}

/* The same for a 32-bit one. */
static int elf32_interpreter(int fd, const Elf32_Ehdr *header, char *ret, size_t size)
{
	Elf32_Phdr phdr;

	ret[0] = '\0';
	if (header->e_phentsize != sizeof(phdr) || header->e_phnum > PHDRS_MAX)
		return -ENOEXEC;
	for (unsigned int i = 0; i < header->e_phnum; i++) {
		if (pread(fd, &phdr, sizeof(phdr), (off_t)(header->e_phoff + i * sizeof(phdr))) != sizeof(phdr))
			return -ENOEXEC;
		if (phdr.p_type != PT_INTERP)
			continue;
		if (phdr.p_filesz < 2 || phdr.p_filesz > size ||
		    pread(fd, ret, phdr.p_filesz, (off_t)phdr.p_offset) != (ssize_t)phdr.p_filesz ||
		    ret[phdr.p_filesz - 1])
			return -ENOEXEC;
		return 0;
	}
	return 0;
}

static int load_elf(struct sl_event *e, int fd, const void *header, size_t len)
{
	SL_CLEANUP(sl_resolved_release) struct sl_resolved at = SL_RESOLVED_INIT;
	char path[PATH_MAX];
	Elf64_Ehdr elf;
	int r;

	if (len < sizeof(elf))
		return -ENOEXEC;
	memcpy(&elf, header, sizeof(elf));
	if (elf.e_type != ET_EXEC && elf.e_type != ET_DYN)
		return -ENOEXEC;
	if (elf.e_ident[EI_CLASS] == ELFCLASS32) {
		Elf32_Ehdr elf32;

		memcpy(&elf32, header, sizeof(elf32));
		sl_event_note(e, false, "a 32-bit program was started: its system calls are refused");
		r = elf32_interpreter(fd, &elf32, path, sizeof(path));
	} else if (elf.e_machine != NATIVE_MACHINE) {
		return -ENOEXEC;
	} else {
		r = elf_interpreter(fd, &elf, path, sizeof(path));
	}
	if (r < 0 || !path[0])
		return r;
	r = sl_event_resolve_plain(e, path, 0, &at);
	return r < 0 ? r : check_program(e, &at);
}

/* Is the descriptor closed by exec? A script behind one cannot be opened again by its interpreter (ENOENT). */
static bool closes_on_exec(pid_t tid, int fd)
{
	int flags = sl_fd_flags(tid, fd);

	return flags >= 0 && flags & O_CLOEXEC;
}

/* One program of the chain: 0 when it loads, 1 with the next interpreter's path in next, or -errno. */
static int load_one(struct sl_event *e, const struct sl_resolved *at, char next[PATH_MAX])
{
	char header[HEADER_BYTES];
	SL_CLOSE int fd = -EBADF;
	ssize_t len;
	int r = check_program(e, at);

	if (r < 0)
		return r;
	fd = sl_fd_read_anew(at->fd);
	if (fd < 0)
		return 0; /* executable but not readable for us: the mappings will tell */
	len = pread(fd, header, sizeof(header), 0);
	if (len >= 2 && header[0] == '#' && header[1] == '!') {
		r = script_interpreter(header, (size_t)len, next, PATH_MAX);
		return r < 0 ? r : 1;
	}
	if (len >= SELFMAG && !memcmp(header, ELFMAG, SELFMAG))
		return load_elf(e, fd, header, (size_t)len);
	return -ENOEXEC;
}

static int load_chain(struct sl_event *e, struct sl_resolved *at)
{
	int flags = e->call->flags_arg == SL_NO_ARG ? 0 : (int)e->n->data.args[e->call->flags_arg];
	bool by_fd = e->call->dir_arg != SL_NO_ARG && e->raw[0][0] != '/' && sl_event_dirfd(e, 0) >= 0;
	char next[PATH_MAX];
	int r;

	for (int level = 0;; level++) {
		r = load_one(e, at, next);
		if (r <= 0)
			return r;
		if (level == SCRIPT_LEVELS)
			return -ELOOP;
		if (!level && by_fd && (flags & AT_EMPTY_PATH || e->raw[0][0]) &&
		    closes_on_exec(e->tid, sl_event_dirfd(e, 0)))
			return -ENOENT;
		sl_resolved_release(at);
		*at = SL_RESOLVED_INIT;
		r = sl_event_resolve_plain(e, next, 0, at);
		if (r < 0)
			return r;
	}
}

/* The start of the stack: each image has its own. 0 when it cannot be seen. */
static uint64_t image_stack(pid_t pid)
{
	uint64_t stack = 0;

	sl_usage_field(pid, PROCESS_STACK, &stack);
	return stack;
}

static void expect_image(struct sl_observer *o, pid_t pid)
{
	size_t slot = o->pending_count;

	for (size_t i = 0; i < o->pending_count; i++)
		if (o->pending[i].pid == pid)
			slot = i;
	if (slot == SL_PENDING_MAX) { /* the oldest never made a call */
		memmove(&o->pending[0], &o->pending[1], sizeof(o->pending) - sizeof(o->pending[0]));
		slot = SL_PENDING_MAX - 1;
	}
	o->pending[slot] = (struct sl_pending_exec){ .pid = pid, .stack = image_stack(pid) };
	if (slot >= o->pending_count)
		o->pending_count = slot + 1;
}

int sl_observe_exec(struct sl_event *e)
{
	SL_CLEANUP(sl_resolved_release) struct sl_resolved at = SL_RESOLVED_INIT;
	int flags = e->call->flags_arg == SL_NO_ARG ? 0 : (int)e->n->data.args[e->call->flags_arg];
	pid_t tgid;
	int r;

	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	r = sl_event_read_path(e, 0);
	tgid = sl_tracee_tgid(e->tid);
	sl_memory_forget(&e->o->memory, e->tid);
	sl_memory_forget(&e->o->memory, tgid);
	if (r < 0)
		return r;
	r = sl_event_resolve(e, 0,
			     (flags & AT_EMPTY_PATH ? SL_RESOLVE_EMPTY : 0) |
				     (flags & AT_SYMLINK_NOFOLLOW ? SL_RESOLVE_NOFOLLOW : 0),
			     &at);
	if (r < 0)
		return r;
	r = load_chain(e, &at);
	e->failure_needs_rights = r == -ENOEXEC;
	if (r == 0 || r == -ENOEXEC) {
		if (tgid > 0)
			expect_image(e->o, tgid);
	}
	return r;
}

struct image {
	struct sl_observer *o;
	pid_t pid;
};

static void record_mapping(const struct sl_mapping *mapping, void *arg)
{
	const struct image *image = arg;
	const char *tmp_dir = image->o->tmp_dir, *upper = image->o->view.upper;

	if (upper && sl_path_within(mapping->path, upper))
		return; /* an object of the view, which was looked at by its name there */

	if (!mapping->deleted && !(tmp_dir && sl_path_within(mapping->path, tmp_dir)))
		sl_facts_add(image->o->facts, EXEC_RIGHTS, mapping->path, false, image->pid);
}

void sl_exec_verify(struct sl_observer *o, pid_t pid)
{
	for (size_t i = 0; i < o->pending_count; i++) {
		if (o->pending[i].pid != pid)
			continue;
		/* The same stack: that exec failed, the old image is still there. */
		if (image_stack(pid) != o->pending[i].stack) {
			sl_observer_new_image(o, pid);
			if (!o->options.explain)
				sl_tracee_mappings(pid, record_mapping, &(struct image){ o, pid });
		}
		o->pending[i] = o->pending[--o->pending_count];
		return;
	}
}
