/*
 * view-exec.c - execve and execveat on the view.
 *
 * Where the caller's own call would run what the view has, it is continued. Else the caller is made to call
 * execve with the real path of the program (kernel/substitute.h), an object in the upper or a file of the
 * lower that goes by another name there. Scripts are taken apart as fs/binfmt_script.c does, since the kernel
 * would look for the script and its interpreter in the real tree: what is executed is the last interpreter,
 * with the arguments that the kernel would give it.
 *
 * What the program sees is as it would be: its name (comm) is the last component of the path that it was
 * called by, so a symbolic link of that name stands for the program while it is executed; the path that the
 * kernel hands on in the auxiliary vector (AT_EXECFN) is put back afterwards, for which there is room, since
 * ours is stretched with slashes. Where a program asks for its ELF interpreter by a path that leads elsewhere
 * in the view, a copy that asks for the real path is executed.
 *
 * The strings are in the caller's memory and its threads may change them. Then it runs another program of the
 * real tree, which it may do anyway.
 */
#include <fcntl.h>
#include <linux/auxvec.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/path.h"
#include "base/strbuf.h"
#include "kernel/features.h"
#include "kernel/own-fd.h"
#include "kernel/substitute.h"
#include "supervise/view-calls.h"
#include "supervise/view-image.h"
#include "view/perm.h"

#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000
#endif

#define LEVELS	      5 /* of scripts that are interpreters of scripts; exec_binprm() gives up beyond (ELOOP) */
#define HEAD_MAX      (3 * (LEVELS + 1))
#define ARGUMENTS_MAX (1u << 20)
#define ARGUMENTS_ONE 512   /* pointers that are read at once */

/* What the caller is to execute. */
struct exec {
	struct sl_view_call *c;
	char *filename;	      /* as the kernel calls the program (bprm->filename) */
	char *head[HEAD_MAX]; /* of a script: what stands for argv[0] */
	size_t head_len;
	char *program;	     /* real path */
	char name[PATH_MAX]; /* the view's name of it, or "" */
	bool differs;	     /* from what the caller's own call would run */
};

static void exec_release(struct exec *x)
{
	free(x->filename);
	free(x->program);
	for (size_t i = 0; i < x->head_len; i++)
		free(x->head[i]);
}

/* ---- the program ---- */

/* The real path of what a place is. */
static int real_path(const struct sl_place *p, char **ret)
{
	struct sl_view_file at;

	if (p->kind != SL_PLACE_VIEW) {
		*ret = sl_xstrdup(p->text);
		return 0;
	}
	at = sl_view_at(p->walk.node);
	return sl_view_real_path(&at, ret);
}

/* do_open_execat(): may the caller execute it? */
static int check_program(struct exec *x, const struct sl_place *p)
{
	struct sl_vnode *n = p->walk.node;
	int r;

	x->differs |= !sl_place_is_native(x->c, p);
	if (p->kind != SL_PLACE_VIEW)
		return 0; /* the kernel will say */
	if (S_ISLNK(n->mode))
		return -ELOOP;
	if (!S_ISREG(n->mode) || sl_vperm_noexec(n))
		return -EACCES;
	r = sl_vperm(&x->c->ctx, n, X_OK);
	return r < 0 ? r : sl_view_may(x->c, p, SL_RIGHT_EXEC | SL_RIGHT_READ);
}

/* The arguments of a script's interpreter, as load_script() pushes them before argv[1]. */
static void put_head(struct exec *x, const struct sl_script *script, const char *name)
{
	size_t add = script->has_argument ? 3 : 2, drop = x->head_len ? 1 : 0;

	if (drop)
		free(x->head[0]);
	memmove(x->head + add, x->head + drop, (x->head_len - drop) * sizeof(x->head[0]));
	x->head_len += add - drop;
	x->head[0] = sl_xstrdup(script->interpreter);
	if (add == 3)
		x->head[1] = sl_xstrdup(script->argument);
	x->head[add - 1] = sl_xstrdup(name);
}

static int copy_elf(const struct sl_view_calls *v, int fd, const struct sl_elf_asks *asks, const char *interpreter,
		    char **ret_path)
{
	SL_FREE char *shelf = sl_view_shelf(v);

	return shelf ? sl_elf_copy(fd, asks, shelf, interpreter, ret_path) : -errno;
}

/* A program that asks for an ELF interpreter: is it the one of the view? */
static int check_elf(struct exec *x, int fd)
{
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	SL_FREE char *real = NULL;
	struct sl_elf_asks asks;
	char *copy = NULL;
	bool differed = x->differs;
	int r = sl_elf_asks(fd, &asks);

	if (r <= 0)
		return 0; /* none, or the kernel will say */
	r = sl_view_locate(x->c, AT_FDCWD, asks.interpreter, SL_VWALK_FOLLOW, 0, &p);
	if (r < 0) {
		x->differs |= p.moved;
		return r;
	}
	x->differs = false;
	r = check_program(x, &p);
	if (r < 0 || !x->differs) {
		x->differs |= differed;
		return r;
	}
	r = real_path(&p, &real);
	if (r == 0)
		r = copy_elf(x->c->v, fd, &asks, real, &copy);
	if (r == 0) {
		free(x->program);
		x->program = copy;
	}
	return r;
}

/* One file of the chain. 0: it is the program; 1: a script, *script says which interpreter. */
static int examine(struct exec *x, const struct sl_place *p, struct sl_script *script)
{
	bool named = p->walk.dir && p->walk.last == SL_VWALK_NORM;
	char header[SL_SCRIPT_BYTES];
	struct sl_view_file at;
	SL_CLOSE int path_fd = -EBADF, fd = -EBADF;
	ssize_t len;
	int r = check_program(x, p);

	if (r < 0)
		return r;
	free(SL_TAKE_PTR(x->program));
	r = real_path(p, &x->program);
	x->name[0] = '\0';
	if (r < 0 || p->kind != SL_PLACE_VIEW)
		return r;
	if (sl_view_name(p->walk.node, named ? p->walk.dir : NULL, p->walk.name, x->name) < 0)
		x->name[0] = '\0';
	at = sl_view_at(p->walk.node);
	path_fd = sl_view_real_fd(&at, O_PATH);
	if (path_fd < 0)
		return path_fd;
	fd = sl_fd_read_anew(path_fd);
	if (fd < 0)
		return 0; /* executable but not readable for us: the kernel will say */
	len = pread(fd, header, sizeof(header), 0);
	if (len >= 2 && header[0] == '#' && header[1] == '!') {
		r = sl_script_parse(header, (size_t)len, script);
		return r < 0 ? r : 1;
	}
	return check_elf(x, fd);
}

/* execveat() of a script through a descriptor that exec closes: its interpreter could not open it. */
static bool is_closed_on_exec(const struct sl_view_call *c, const char *filename)
{
	int flags;

	if (strncmp(filename, "/dev/fd/", 8) != 0 || c->row->dir_arg == SL_NO_ARG || c->path[0][0] == '/')
		return false;
	flags = sl_fd_flags(c->tid, (int)c->n->data.args[c->row->dir_arg]);
	return flags >= 0 && flags & O_CLOEXEC;
}

/* From the file that was named to the program, through the interpreters of scripts. */
static int follow_chain(struct exec *x, struct sl_place *p)
{
	SL_FREE char *name = sl_xstrdup(x->filename);
	struct sl_script script = {0};
	int r;

	for (int level = 0;; level++) {
		r = examine(x, p, &script);
		if (r <= 0)
			return r;
		if (level == LEVELS)
			return -ELOOP;
		if (!level && is_closed_on_exec(x->c, x->filename))
			return -ENOENT;
		put_head(x, &script, name);
		free(name);
		name = sl_xstrdup(script.interpreter);
		sl_place_release(p);
		r = sl_view_locate(x->c, AT_FDCWD, script.interpreter, SL_VWALK_FOLLOW, 0, p);
		if (r < 0) {
			x->differs |= p->moved;
			return r;
		}
	}
}

/* ---- the arguments ---- */

struct arguments {
	uint64_t *pointers; /* with the NULL at the end */
	size_t len;	    /* without it */
};

/* The pointers of the caller's argv. */
static int read_arguments(const struct sl_view_call *c, uint64_t at, struct arguments *ret)
{
	size_t cap = 0;

	*ret = (struct arguments){0};
	while (ret->len < ARGUMENTS_MAX) {
		size_t to_page = (4096 - (at + ret->len * 8) % 4096) / 8;
		size_t want = SL_MAX(SL_MIN(to_page, (size_t)ARGUMENTS_ONE), (size_t)1);

		if (cap < ret->len + want + 1) {
			cap = 2 * cap + ARGUMENTS_ONE + 1;
			ret->pointers = sl_xrealloc(ret->pointers, cap * sizeof(*ret->pointers));
		}
		if (!at)
			want = 0;
		else if (sl_tracee_read(c->tid, at + ret->len * 8, ret->pointers + ret->len, want * 8) < 0)
			return -EFAULT;
		for (size_t i = 0; i < want; i++, ret->len++)
			if (!ret->pointers[ret->len])
				return 0;
		if (!at) {
			ret->pointers[0] = 0;
			return 0;
		}
	}
	return -E2BIG;
}

/* Strings and pointers as they are to stand in the caller's memory from addr on: the pointers of argv if it
 * is a new one, then its strings, then the path. */
static void lay_out(const struct exec *x, const struct arguments *argv, const char *path, uint64_t addr,
		    struct sl_strbuf *ret, uint64_t *ret_path)
{
	size_t rest = argv->len ? argv->len - 1 : 0, count = x->head_len ? x->head_len + rest + 1 : 0;
	uint64_t at = addr + count * sizeof(uint64_t);
	const uint64_t end = 0;

	for (size_t i = 0; i < x->head_len; i++) {
		sl_strbuf_add(ret, &at, sizeof(at));
		at += strlen(x->head[i]) + 1;
	}
	if (count) {
		if (rest)
			sl_strbuf_add(ret, argv->pointers + 1, rest * sizeof(uint64_t));
		sl_strbuf_add(ret, &end, sizeof(end));
	}
	for (size_t i = 0; i < x->head_len; i++)
		sl_strbuf_add(ret, x->head[i], strlen(x->head[i]) + 1);
	*ret_path = addr + ret->len;
	sl_strbuf_add(ret, path, strlen(path) + 1);
}

/* ---- the call ---- */

/* What the program's name (comm) is to be: the file's own where it was executed by its descriptor alone (Linux 6.14;
 * before, the descriptor's number). */
static const char *comm_of(const struct exec *x)
{
	bool by_file = !x->c->path[0][0] && x->name[0] && sl_kernel_at_least(6, 14);

	return sl_path_basename(by_file ? x->name : x->filename);
}

/* The path to execute the program by, malloc'd: its last component is the name that the program gets, and it
 * is no shorter than the file name, which takes its place afterwards. link: one was made and must be removed.
 * NULL, with errno. */
static char *choose_path(const struct exec *x, bool *ret_link)
{
	const char *name = comm_of(x);
	SL_FREE char *path = sl_xstrdup(x->program);
	size_t want = strlen(x->filename), pad;

	*ret_link = *name && strcmp(sl_path_basename(x->program), name) != 0;
	if (*ret_link) {
		SL_FREE char *dir = sl_view_shelf(x->c->v);

		free(path);
		path = sl_xasprintf("%s/%s", dir ? dir : "", name);
		if (!dir)
			return NULL;
		unlink(path);
		if (symlink(x->program, path) < 0)
			return NULL;
	}
	pad = want > strlen(path) ? want - strlen(path) : 0;
	if (pad) {
		char *slashes = sl_xmalloc(pad + 1), *longer;

		memset(slashes, '/', pad);
		slashes[pad] = '\0';
		longer = sl_xasprintf("%s%s", slashes, path); /* "//usr" is "/usr" */
		free(slashes);
		return longer;
	}
	return SL_TAKE_PTR(path);
}

static void remove_link(const struct exec *x)
{
	SL_FREE char *path = sl_xasprintf("%s/" SL_VIEW_SHELF "/%s", sl_view_upper_path(x->c->v->view), comm_of(x));

	unlink(path);
}

/* The new image's AT_EXECFN, which is our path: put the file name there. */
static void restore_execfn(pid_t pid, const char *path, const char *filename)
{
	char name[48], seen[PATH_MAX];
	uint64_t auxv[2 * 64];
	SL_CLOSE int fd = -EBADF;
	ssize_t n;

	if (strlen(filename) > strlen(path))
		return;
	snprintf(name, sizeof(name), "/proc/%d/auxv", (int)pid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, auxv, sizeof(auxv));
	for (ssize_t i = 0; i + 1 < n / (ssize_t)sizeof(auxv[0]); i += 2) {
		if (auxv[i] != AT_EXECFN)
			continue;
		if (sl_tracee_read_string(pid, auxv[i + 1], seen, sizeof(seen)) > 0 && !strcmp(seen, path))
			sl_tracee_write(pid, auxv[i + 1], filename, strlen(filename) + 1);
		return;
	}
}

/* Within a substitution: the execve. Its result, or -ECANCELED. */
static int64_t call_execve(const struct exec *x, struct sl_substitution *s, const struct arguments *argv,
			   const char *path)
{
	int argv_arg = x->c->row->path_arg + 1;
	uint64_t args[6] = {0, x->c->n->data.args[argv_arg], x->c->n->data.args[argv_arg + 1]}, addr;
	SL_STRBUF block = SL_STRBUF_INIT;
	int64_t result;
	int r;

	lay_out(x, argv, path, 0, &block, &args[0]);
	r = sl_substitute_place(s, block.len, &addr);
	if (r < 0)
		return r;
	sl_strbuf_reset(&block);
	lay_out(x, argv, path, addr, &block, &args[0]);
	if (x->head_len)
		args[1] = addr;
	if (sl_tracee_write(sl_substitute_tid(s), addr, block.data, block.len) < 0)
		return -ENOMEM;
	r = sl_substitute_call(s, __NR_execve, args, true, &result);
	if (r < 0)
		return r;
	if (result == 0) {
		restore_execfn(sl_substitute_tid(s), path, x->filename);
		if (x->name[0])
			sl_view_runs(x->c->v, sl_substitute_tid(s), x->program, x->name);
	}
	return result;
}

static int execute_by(const struct exec *x, const struct arguments *argv, const char *path)
{
	struct sl_substitution *s;
	int64_t result;
	int r;

	sl_view_call_settle(x->c, SL_VIEW_ANSWERED); /* afterwards the caller is another */
	r = sl_substitute_begin(x->c->v->substitute, x->c->n, &s);
	if (r == -EPERM)
		return sl_view_untraceable(x->c->v);
	if (r)
		return r < 0 ? r
			     : -ECANCELED; /* it makes its call anew, or is gone: nobody hears this answer */
	result = call_execve(x, s, argv, path);
	if (!sl_substitute_end(s, result))
		return -ECANCELED;
	return result == 0 ? SL_VIEW_ANSWERED : (int)result;
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return lstat(a, &x) == 0 && lstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Of a run: objects of the upper are nobody's to execute, what is on the shelf is. An object that may be executed goes
 * there under the name that the program is to have, in a directory of its own number, by which it is told from then on
 * (view-place.c). It stays: the program may be asked for again, through /proc/self/exe. */
static int put_on_shelf(struct exec *x)
{
	const char *object = x->c->v->policy ? sl_path_basename(x->program) : "", *name = sl_path_basename(x->filename);
	SL_FREE char *shelf = NULL, *dir = NULL, *path = NULL;

	if (!x->c->v->policy || !sl_path_within(x->program, sl_view_upper_path(x->c->v->view)))
		return 0;
	shelf = sl_view_shelf(x->c->v);
	if (!shelf)
		return -errno;
	dir = sl_xasprintf("%s/.%s", shelf, object);
	path = sl_xasprintf("%s/%s", dir, *name ? name : object);
	if ((mkdir(dir, 0711) < 0 && errno != EEXIST) || chmod(dir, 0711) < 0)
		return -errno;
	if (link(x->program, path) < 0 && (errno != EEXIST || !same_file(x->program, path)))
		return -errno;
	free(x->program);
	x->program = SL_TAKE_PTR(path);
	return 0;
}

static int execute(struct exec *x)
{
	SL_FREE char *path = NULL;
	struct arguments argv = {0};
	bool link = false;
	int r = 0;

	r = put_on_shelf(x);
	if (r == 0 && x->head_len)
		r = read_arguments(x->c, x->c->n->data.args[x->c->row->path_arg + 1], &argv);
	if (r == 0) {
		path = choose_path(x, &link);
		r = path ? execute_by(x, &argv, path) : -errno;
	}
	if (link)
		remove_link(x);
	free(argv.pointers);
	return r;
}

/* bprm->filename, as alloc_bprm() makes it. */
static char *kernel_name(const struct sl_view_call *c)
{
	int dir = c->row->dir_arg == SL_NO_ARG ? AT_FDCWD : (int)c->n->data.args[c->row->dir_arg];

	if (dir == AT_FDCWD || c->path[0][0] == '/')
		return sl_xstrdup(c->path[0]);
	return c->path[0][0] ? sl_xasprintf("/dev/fd/%d/%s", dir, c->path[0])
			     : sl_xasprintf("/dev/fd/%d", dir);
}

int sl_view_do_exec(struct sl_view_call *c)
{
	int flags = c->row->flags_arg == SL_NO_ARG ? 0 : (int)c->n->data.args[c->row->flags_arg];
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	SL_CLEANUP(exec_release) struct exec x = {.c = c};
	int r;

	if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_EXECVE_CHECK))
		return SL_VIEW_CONTINUE; /* the kernel knows what to say */
	r = sl_view_locate_arg(c, 0,
			       (flags & AT_SYMLINK_NOFOLLOW ? 0 : SL_VWALK_FOLLOW) |
				   (flags & AT_EMPTY_PATH ? SL_VWALK_EMPTY : 0),
			       &p);
	if (r < 0)
		return p.moved ? r : SL_VIEW_CONTINUE;
	x.filename = kernel_name(c);
	r = flags & AT_EXECVE_CHECK ? check_program(&x, &p) : follow_chain(&x, &p);
	if (!x.differs)
		return SL_VIEW_CONTINUE;
	if (r < 0 || flags & AT_EXECVE_CHECK)
		return r;
	return execute(&x);
}
