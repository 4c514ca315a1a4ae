/*
 * program.c - looking up and setting up the command.
 *
 * The file is handed to execve as execvp would, so that a script sees the name that it would have seen;
 * `path` is what a profile can hold. The look-up is done for the directory in which the command will start.
 */
#include "cmd/program.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "cmd/message.h"
#include "sandlock.h"

#define DEFAULT_PATH "/bin:/usr/bin" /* what execvp searches without PATH */

void sl_program_release(struct sl_program *p)
{
	free(p->file);
	free(p->path);
	free(p->cwd);
	sl_strv_release(&p->argv);
	sl_strv_release(&p->envp);
}

/* Take one leading component "." or ".." off *path; for "..", off the physical directory in base too. */
static bool strip_dots(const char **path, struct sl_strbuf *base)
{
	const char *p = *path;
	size_t dots = strspn(p, ".");

	if (dots < 1 || dots > 2 || (p[dots] && p[dots] != '/'))
		return false;
	if (dots == 2) {
		SL_FREE char *parent = sl_path_dirname(sl_strbuf_str(base));

		sl_strbuf_reset(base);
		sl_strbuf_addstr(base, parent);
	}
	p += dots;
	*path = p + strspn(p, "/");
	return true;
}

char *sl_absolute(const char *base, const char *path)
{
	SL_STRBUF out = SL_STRBUF_INIT;
	SL_FREE char *cwd = NULL;

	if (path[0] == '/')
		return sl_xstrdup(path);
	if (!base)
		base = cwd = getcwd(NULL, 0);
	if (!base || base[0] != '/')
		return sl_xstrdup(
		    path); /* the directory is gone, or out of reach: the best name that there is */
	sl_strbuf_addstr(&out, base);
	/* A base that the user gave may end in a link: only what getcwd says may lose a component. */
	while (cwd && strip_dots(&path, &out))
		;
	while (path[0] == '.' && path[1] == '/')
		path += 1 + strspn(path + 1, "/");
	if (*path && out.data[out.len - 1] != '/')
		sl_strbuf_addch(&out, '/');
	sl_strbuf_addstr(&out, path);
	return sl_strbuf_detach(&out);
}

static size_t find_env(const struct sl_strv *envp, const char *name, size_t len)
{
	size_t i = 0;

	while (i < envp->len && (strncmp(envp->items[i], name, len) != 0 || envp->items[i][len] != '='))
		i++;
	return i;
}

static void put_env(struct sl_strv *envp, const char *text)
{
	size_t i = find_env(envp, text, strcspn(text, "="));

	if (i == envp->len) {
		sl_strv_add(envp, text);
		return;
	}
	free(envp->items[i]);
	envp->items[i] = sl_xstrdup(text);
}

void sl_program_setenv(struct sl_program *p, const char *name, const char *value)
{
	SL_FREE char *text = sl_xasprintf("%s=%s", name, value);

	put_env(&p->envp, text);
}

const char *sl_program_getenv(const struct sl_program *p, const char *name)
{
	size_t len = strlen(name), i = find_env(&p->envp, name, len);

	return i < p->envp.len ? p->envp.items[i] + len + 1 : NULL;
}

static void build_env(const struct sl_profile *profile, struct sl_strv *envp)
{
	static const char *const kept[] = {"PATH", "HOME", "USER", "TERM", "LANG"};

	if (profile->program.clean_env == SL_TRUE) {
		for (size_t i = 0; i < SL_ARRAY_LEN(kept); i++) {
			const char *value = getenv(kept[i]);

			if (value)
				sl_strv_take(envp, sl_xasprintf("%s=%s", kept[i], value));
		}
	} else {
		for (char **e = environ; e && *e; e++)
			sl_strv_add(envp, *e);
	}
	for (size_t i = 0; i < profile->program.env.len; i++)
		put_env(envp, profile->program.env.items[i].text);
}

/* Can the file be executed, seen from the directory where the command starts? 0 or a positive errno value. */
static int try_file(const char *cwd, const char *file)
{
	SL_FREE char *path = sl_absolute(cwd, file);
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? errno : 0;
}

static int cannot(const char *name, int error)
{
	bool missing = error == ENOENT || error == ENOTDIR;

	if (error == ENOENT && !strchr(name, '/'))
		sl_say("%s: command not found", sl_esc(name));
	else
		sl_say("%s: %s", sl_esc(name), strerror(error));
	return missing ? SANDLOCK_STATUS_NOT_FOUND : SANDLOCK_STATUS_NOT_EXECUTABLE;
}

/* The directories of PATH, in order; one that holds a file of the name which cannot be executed is
 * remembered. */
static int search_path(struct sl_program *p, const char *name)
{
	const char *dir = sl_program_getenv(p, "PATH");
	int error = ENOENT;

	for (dir = dir ? dir : DEFAULT_PATH;; dir++) {
		size_t len = strcspn(dir, ":");
		SL_FREE char *file = sl_xasprintf("%.*s%s%s", (int)len, dir, len ? "/" : "", name);
		int r = try_file(p->cwd, file);

		if (!r) {
			/* An empty element is the current directory. */
			p->file = len ? SL_TAKE_PTR(file) : sl_xasprintf("./%s", name);
			return 0;
		}
		if (r == EACCES || r == EPERM)
			error = r;
		dir += len;
		if (!*dir)
			return cannot(name, error);
	}
}

static int look_up(struct sl_program *p, const char *name)
{
	int r;

	if (!*name)
		return cannot(name, ENOENT);
	if (!strchr(name, '/')) {
		r = search_path(p, name);
	} else {
		p->file = sl_xstrdup(name);
		r = try_file(p->cwd, name);
		r = r ? cannot(name, r) : 0;
	}
	if (!r)
		p->path = sl_absolute(p->cwd, p->file);
	return r;
}

/*
 * A script learns its own name from the file that execve gets, not from argv[0]. Where the profile's argv0
 * leads to its exec from here ("./configure", in the directory where it was learned), execve gets that.
 */
static void prefer_argv0(struct sl_program *p, const char *argv0)
{
	SL_FREE char *path = NULL;

	if (!argv0 || !strchr(argv0, '/'))
		return;
	path = sl_absolute(p->cwd, argv0);
	if (strcmp(path, p->path) != 0)
		return;
	free(p->file);
	p->file = sl_xstrdup(argv0);
}

/* argv from the command line, --exec-shell, or the profile; *ret_name is what to look up. */
static int build_argv(const struct sl_profile *profile, char **words, const char *shell, struct sl_program *p,
		      const char **ret_name)
{
	if (shell && words[0]) {
		sl_say("--exec-shell: there is a command besides");
		return SANDLOCK_STATUS_USAGE;
	}
	if (shell) {
		*ret_name = "/bin/sh";
		sl_strv_add(&p->argv, "/bin/sh");
		sl_strv_add(&p->argv, "-c");
		sl_strv_add(&p->argv, shell);
		return 0;
	}
	if (words[0]) {
		*ret_name = words[0];
		for (; *words; words++)
			sl_strv_add(&p->argv, *words);
		return 0;
	}
	if (!profile->program.exec) {
		sl_say(profile->file ? "no command was given, and the profile has no program.exec"
				     : "no command was given");
		return SANDLOCK_STATUS_USAGE;
	}
	*ret_name = profile->program.exec;
	sl_strv_add(&p->argv, profile->program.argv0 ? profile->program.argv0 : profile->program.exec);
	for (size_t i = 0; i < profile->program.args.len; i++)
		sl_strv_add(&p->argv, profile->program.args.items[i].text);
	return 0;
}

/* A directory that can be entered, or a line and 125. */
static int check_cwd(const char *cwd)
{
	SL_CLOSE int fd = open(cwd, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && faccessat(fd, ".", X_OK, AT_EACCESS) == 0)
		return 0;
	sl_say("cannot start in \"%s\": %s", sl_esc(cwd), strerror(errno));
	return SANDLOCK_STATUS_FAILED;
}

int sl_program_find(const struct sl_profile *profile, char **words, const char *shell, struct sl_program *ret)
{
	const char *name;
	int status = build_argv(profile, words, shell, ret, &name);

	if (status)
		return status;
	if (profile->program.cwd) {
		ret->cwd = sl_absolute(NULL, profile->program.cwd);
		status = check_cwd(ret->cwd);
		if (status)
			return status;
	}
	build_env(profile, &ret->envp);
	status = look_up(ret, name);
	if (!status && name == profile->program.exec)
		prefer_argv0(ret, profile->program.argv0);
	return status;
}

struct sl_command sl_program_command(const struct sl_program *p, const struct sl_profile *profile)
{
	static char *no_environment[] = {NULL};

	return (struct sl_command){
	    .file = p->file,
	    .argv = p->argv.items,
	    .envp = p->envp.len ? p->envp.items : no_environment,
	    .cwd = p->cwd,
	    .no_coredump = profile->program.no_coredump == SL_TRUE,
	    .no_huge_pages = profile->program.no_huge_pages == SL_TRUE,
	    .no_randomize_memory = profile->determinism.no_randomize_memory == SL_TRUE,
	    .open_files = profile->limits.open_files,
	    .memory_bytes = profile->limits.memory,
	    .processes = profile->limits.processes,
	    .cpu_percent = profile->limits.cpu,
	    .disk_bytes = profile->limits.disk,
	    .cpu_cores = &profile->limits.cpu_cores,
	};
}

void sl_program_use_shell(struct sl_program *p)
{
	struct sl_strv argv = SL_STRV_INIT;

	sl_strv_add(&argv, "/bin/sh");
	sl_strv_add(&argv, p->file);
	for (size_t i = 1; i < p->argv.len; i++)
		sl_strv_add(&argv, p->argv.items[i]);
	sl_strv_release(&p->argv);
	p->argv = argv;
	free(p->file);
	free(p->path);
	p->file = sl_xstrdup("/bin/sh");
	p->path = sl_xstrdup("/bin/sh");
}
