/*
 * workdir.c - changes that were kept in a directory: by run --workdir, or by learn --commit, when it was killed or met a
 * conflict.
 */
#include "cmd/workdir.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#include "base/path.h"
#include "cmd/commands.h"
#include "cmd/commits.h"
#include "cmd/message.h"
#include "sandlock.h"
#include "supervise/guard.h"
#include "supervise/sandbox.h"

static void say_conflict(void *arg SL_UNUSED, const char *path, const char *what)
{
	sl_say("conflict: \"/%s\": %s", sl_esc(path), what);
}

/* What is done with is removed whole, also if we are killed over it. */
static void remove_all(struct sl_view_changes *c, const char *dir)
{
	struct sl_guard guard = SL_GUARD_INIT;
	SL_FREE char *canonical = realpath(dir, NULL);

	if (canonical)
		sl_guard_add(&guard, canonical, NULL);
	if (sl_view_changes_drop(c) == 0)
		sl_tree_remove(dir);
	sl_guard_stop(&guard);
}

int sl_workdir_apply(struct sl_view_changes *c, const char *dir)
{
	struct sl_error err = SL_ERROR_INIT;
	SL_CLOSE int target = open(sl_view_changes_lower(c), O_PATH | O_DIRECTORY | O_CLOEXEC);
	int conflicts = 0;

	if (target < 0) {
		sl_say("cannot open \"%s\": %s", sl_esc(sl_view_changes_lower(c)), strerror(errno));
		return SANDLOCK_STATUS_FAILED;
	}
	if (!sl_view_changes_begun(c))
		conflicts = sl_view_changes_check(c, target, say_conflict, NULL);
	if (conflicts > 0) {
		sl_say("nothing was applied; the changes are kept in \"%s\": sandlock workdir apply",
		       sl_esc(dir));
		return SANDLOCK_STATUS_FAILED;
	}
	sl_commits_mark(dir);
	if (sl_view_changes_apply(c, target, &err) < 0) {
		sl_say("%s; what is left is kept in \"%s\": sandlock workdir apply", err.text, sl_esc(dir));
		return SANDLOCK_STATUS_FAILED;
	}
	remove_all(c, dir);
	return 0;
}

int sl_workdir_commit(struct sl_view *v, const char *dir)
{
	struct sl_view_changes *c;
	int r = sl_view_changes_of(v, &c), status;

	if (r < 0) {
		sl_say("cannot list the changes: %s", strerror(-r));
		return SANDLOCK_STATUS_FAILED;
	}
	r = sl_view_changes_keep(v, c);
	if (r < 0)
		sl_say("cannot keep the changes in \"%s\": %s", sl_esc(dir), strerror(-r));
	status = r < 0 ? SANDLOCK_STATUS_FAILED : sl_workdir_apply(c, dir);
	sl_view_changes_free(c);
	return status;
}

/* Was it begun, and is any of it below dir? */
static bool is_unfinished(const struct sl_view_changes *c, const char *dir)
{
	for (size_t i = 0; sl_view_changes_begun(c) && i < sl_view_changes_len(c); i++) {
		SL_FREE char *path = sl_xasprintf("/%s", sl_view_changes_at(c, i)->path);

		if (sl_path_within(path, dir))
			return true;
	}
	return false;
}

/* One that is marked. arg: the directory of the run. */
static int resume(const char *upper, void *arg)
{
	SL_CLOSE int fd = open(upper, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct sl_view_changes *c;
	int status = 0;

	if (fd < 0 || sl_view_changes_load(fd, &c) < 0)
		return 0;
	if (is_unfinished(c, arg)) {
		sl_say("going on with the changes of an earlier run, which are kept in \"%s\"", sl_esc(upper));
		status = sl_workdir_apply(c, upper);
	}
	sl_view_changes_free(c);
	return status;
}

int sl_workdir_resume(const char *dir, const char *storage)
{
	return sl_commits_each(storage, resume, (void *)(uintptr_t)dir);
}

static void add_words(struct sl_strbuf *out, const struct sl_view_change *e)
{
	sl_strbuf_addf(out, "%c %lld %lld ", (char)e->kind, (long long)e->old_size, (long long)e->size);
	if (e->from)
		sl_strbuf_addf(out, "/%s -> ", sl_esc(e->from));
	sl_strbuf_addf(out, "/%s%s\n", sl_esc(e->path), S_ISDIR(e->type) ? "/" : "");
}

/* A path is text where it is UTF-8; else it is escaped, which the object says. */
static void set_path(json_t *object, const char *key, const char *path)
{
	SL_FREE char *full = sl_xasprintf("/%s", path);
	SL_STRBUF escaped = SL_STRBUF_INIT;

	if (sl_utf8_valid(full, strlen(full))) {
		json_object_set_new(object, key, json_string(full));
		return;
	}
	sl_escape(&escaped, full, strlen(full));
	json_object_set_new(object, key, json_string(sl_strbuf_str(&escaped)));
	json_object_set_new(object, "escaped", json_true());
}

static const char *type_name(mode_t type)
{
	switch (type & S_IFMT) {
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "symlink";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	case S_IFREG:
		return "file";
	default:
		return "device";
	}
}

static void add_object(struct sl_strbuf *out, const struct sl_view_change *e, const char *before)
{
	const char kind[] = {(char)e->kind, '\0'};
	json_t *object = json_object();
	char *text;

	json_object_set_new(object, "change", json_string(kind));
	set_path(object, "path", e->path);
	if (e->from)
		set_path(object, "from", e->from);
	json_object_set_new(object, "type", json_string(type_name(e->type)));
	json_object_set_new(object, "size_before", json_integer(e->old_size));
	json_object_set_new(object, "size_after", json_integer(e->size));
	text = json_dumps(object, 0);
	sl_strbuf_addf(out, "%s\n  %s", before, text ? text : "{}");
	free(text);
	json_decref(object);
}

int sl_workdir_print(const struct sl_view_changes *c, bool json)
{
	size_t len = sl_view_changes_len(c);
	SL_STRBUF out = SL_STRBUF_INIT;

	if (json)
		sl_strbuf_addch(&out, '[');
	for (size_t i = 0; i < len; i++) {
		if (json)
			add_object(&out, sl_view_changes_at(c, i), i ? "," : "");
		else
			add_words(&out, sl_view_changes_at(c, i));
	}
	if (json)
		sl_strbuf_addstr(&out, len ? "\n]\n" : "]\n");
	return sl_output(&out);
}

int sl_workdir_load(const struct sl_cmd *cmd, int argc, char **argv, void *options, const char **ret_dir,
		    struct sl_view_changes **ret)
{
	char **operands;
	int status = sl_options_parse(cmd, argc, argv, options, &operands, NULL), r;
	SL_CLOSE int dir = -EBADF;

	if (status != SL_PARSED)
		return status;
	*ret_dir = operands[0];
	dir = open(operands[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = dir < 0 ? -errno : sl_view_changes_load(dir, ret);
	if (r == 0)
		return SL_PARSED;
	sl_say("\"%s\" holds no changes: %s", sl_esc(operands[0]), strerror(-r));
	return SANDLOCK_STATUS_FAILED;
}

struct list_options {
	bool json;
};

static const struct sl_option list_options[] = {
    {"json", 0, SL_OPTION_FLAG, NULL, false, SL_COMPLETE_NOTHING, offsetof(struct list_options, json),
     "print one JSON array"},
    {NULL},
};

static int list(const struct sl_cmd *cmd, int argc, char **argv)
{
	struct list_options options = {0};
	struct sl_view_changes *c = NULL;
	const char *dir = NULL;
	int status = sl_workdir_load(cmd, argc, argv, &options, &dir, &c);

	if (status != SL_PARSED)
		return status;
	status = sl_workdir_print(c, options.json);
	sl_view_changes_free(c);
	return status;
}

static int apply(const struct sl_cmd *cmd, int argc, char **argv)
{
	struct sl_view_changes *c = NULL;
	const char *dir = NULL;
	int status = sl_workdir_load(cmd, argc, argv, NULL, &dir, &c);

	if (status != SL_PARSED)
		return status;
	status = sl_workdir_apply(c, dir);
	sl_view_changes_free(c);
	return status;
}

static int drop(const struct sl_cmd *cmd, int argc, char **argv)
{
	struct sl_view_changes *c = NULL;
	const char *dir = NULL;
	int status = sl_workdir_load(cmd, argc, argv, NULL, &dir, &c);

	if (status != SL_PARSED)
		return status;
	status = 0;
	if (sl_view_changes_begun(c)) {
		sl_say("\"%s\" was applied in part: go on with sandlock workdir apply", sl_esc(dir));
		status = SANDLOCK_STATUS_FAILED;
	} else {
		remove_all(c, dir);
	}
	sl_view_changes_free(c);
	return status;
}

const struct sl_cmd sl_cmd_workdir_list = {
    .name = "workdir list",
    .operands = "DIR",
    .summary = "list changes that were kept: A, M, D or R, size before and after, path",
    .options = list_options,
    .min_operands = 1,
    .max_operands = 1,
    .complete = SL_COMPLETE_DIRECTORY,
    .run = list,
};

const struct sl_cmd sl_cmd_workdir_apply = {
    .name = "workdir apply",
    .operands = "DIR",
    .summary = "apply changes that were kept, or go on with it",
    .min_operands = 1,
    .max_operands = 1,
    .complete = SL_COMPLETE_DIRECTORY,
    .run = apply,
};

const struct sl_cmd sl_cmd_workdir_drop = {
    .name = "workdir drop",
    .operands = "DIR",
    .summary = "forget changes that were kept",
    .min_operands = 1,
    .max_operands = 1,
    .complete = SL_COMPLETE_DIRECTORY,
    .run = drop,
};
