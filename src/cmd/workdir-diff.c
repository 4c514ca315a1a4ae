/*
 * workdir-diff.c - `sandlock workdir diff`: what kept changes do to the contents of files, by the system's diff(1).
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/path.h"
#include "cmd/commands.h"
#include "cmd/message.h"
#include "cmd/workdir.h"
#include "sandlock.h"
#include "view/store.h"

static const char *type_name(mode_t type)
{
	switch (type & S_IFMT) {
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "symbolic link";
	case S_IFIFO:
		return "FIFO";
	case S_IFSOCK:
		return "socket";
	case S_IFREG:
		return "file";
	default:
		return "device";
	}
}

/* What is no text: one line. */
static void describe(struct sl_strbuf *out, const struct sl_view_change *e)
{
	switch (e->kind) {
	case SL_VIEW_ADDED:
		if (S_ISREG(e->type))
			return;
		sl_strbuf_addf(out, "new %s /%s", type_name(e->type), sl_esc(e->path));
		break;
	case SL_VIEW_DELETED:
		if (S_ISREG(e->type))
			return;
		sl_strbuf_addf(out, "deleted %s /%s", type_name(e->type), sl_esc(e->path));
		break;
	case SL_VIEW_RENAMED:
		sl_strbuf_addf(out, "renamed /%s -> ", sl_esc(e->from));
		sl_strbuf_addf(out, "/%s", sl_esc(e->path));
		break;
	case SL_VIEW_MODIFIED:
		if (e->contents)
			return;
		sl_strbuf_addf(out, "attributes of /%s", sl_esc(e->path));
		break;
	}
	sl_strbuf_addch(out, '\n');
}

/* Run diff on two descriptors of ours (below 0: nothing there). 0, or a status after a line. */
static int run_diff(int before, int after, const char *old_label, const char *new_label)
{
	char old_name[SL_VSTORE_PROC], new_name[SL_VSTORE_PROC];
	char *argv[] = {(char *)(uintptr_t)"diff",
			(char *)(uintptr_t)"-u",
			(char *)(uintptr_t)"--label",
			(char *)(uintptr_t)old_label,
			(char *)(uintptr_t)"--label",
			(char *)(uintptr_t)new_label,
			(char *)(uintptr_t)(before < 0 ? "/dev/null" : sl_vstore_proc(before, old_name)),
			(char *)(uintptr_t)(after < 0 ? "/dev/null" : sl_vstore_proc(after, new_name)),
			NULL};
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		if (before >= 0)
			fcntl(before, F_SETFD, 0);
		if (after >= 0)
			fcntl(after, F_SETFD, 0);
		execvp(argv[0], argv);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) < 2)
		return 0;
	sl_say("cannot run diff on %s", sl_esc(new_label));
	return SANDLOCK_STATUS_FAILED;
}

/* The contents of one regular file. */
static int diff_file(const struct sl_view_changes *c, const struct sl_view_change *e)
{
	const char *old_path = e->from ? e->from : e->path;
	SL_FREE char *lower = sl_xasprintf("%s/%s", strcmp(sl_view_changes_lower(c), "/") ? sl_view_changes_lower(c) : "",
					   old_path);
	SL_FREE char *old_label = sl_xasprintf("a/%s", sl_esc(old_path)), *new_label = sl_xasprintf("b/%s", sl_esc(e->path));
	SL_CLOSE int before = e->kind == SL_VIEW_ADDED ? -EBADF : open(lower, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	SL_CLOSE int after = e->kind == SL_VIEW_DELETED ? -EBADF : sl_view_changes_open(c, e);

	if ((e->kind != SL_VIEW_ADDED && before < 0) || (e->kind != SL_VIEW_DELETED && after < 0)) {
		sl_say("cannot read \"/%s\": %s", sl_esc(e->path), strerror(before < 0 && e->kind != SL_VIEW_ADDED ? errno : -after));
		return SANDLOCK_STATUS_FAILED;
	}
	return run_diff(before, after, e->kind == SL_VIEW_ADDED ? "/dev/null" : old_label,
			e->kind == SL_VIEW_DELETED ? "/dev/null" : new_label);
}

static int diff(const struct sl_cmd *cmd, int argc, char **argv)
{
	struct sl_view_changes *c = NULL;
	const char *dir = NULL;
	int status = sl_workdir_load(cmd, argc, argv, NULL, &dir, &c), failed = 0;

	if (status != SL_PARSED)
		return status;
	for (size_t i = 0; i < sl_view_changes_len(c); i++) {
		const struct sl_view_change *e = sl_view_changes_at(c, i);
		SL_STRBUF text = SL_STRBUF_INIT;

		describe(&text, e);
		status = sl_output(&text);
		if (!status && S_ISREG(e->type) && (e->kind == SL_VIEW_ADDED || e->kind == SL_VIEW_DELETED || e->contents))
			status = diff_file(c, e);
		failed = status ? status : failed;
	}
	sl_view_changes_free(c);
	return failed;
}

const struct sl_cmd sl_cmd_workdir_diff = {
    .name = "workdir diff",
    .operands = "DIR",
    .summary = "show changes that were kept, as diff -u does",
    .min_operands = 1,
    .max_operands = 1,
    .complete = SL_COMPLETE_DIRECTORY,
    .run = diff,
};
