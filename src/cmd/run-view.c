/*
 * run-view.c - see run-view.h.
 */
#include "cmd/run-view.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "cmd/message.h"
#include "cmd/program.h"
#include "cmd/workdir.h"
#include "sandlock.h"
#include "supervise/view-calls.h"
#include "view/changes.h"

void sl_run_view_release(struct sl_run_view *v)
{
	sl_view_free(SL_TAKE_PTR(v->view));
	if (v->upper)
		sl_tree_remove(v->upper);
	free(SL_TAKE_PTR(v->upper));
	free(SL_TAKE_PTR(v->dir));
	sl_guard_stop(&v->guard);
}

static void replace(char **member, char *text)
{
	free(*member);
	*member = text;
}

int sl_run_view_apply(const struct sl_run_view *v, struct sl_profile *profile)
{
	if (v->json && !v->dry_run) {
		sl_say("--json: only --dry-run prints something");
		return SANDLOCK_STATUS_USAGE;
	}
	if (v->workdir)
		replace(&profile->config.workdir, sl_absolute(NULL, v->workdir));
	if (v->fs_storage)
		replace(&profile->config.fs_storage, sl_absolute(NULL, v->fs_storage));
	if (v->on_exit)
		profile->filesystem.on_exit = v->on_exit;
	if (v->on_error)
		profile->filesystem.on_error = v->on_error;
	if ((v->on_exit || v->on_error) && !profile->config.workdir) {
		sl_say("--on-%s: there is no --workdir whose changes could be committed or kept",
		       v->on_exit ? "exit" : "error");
		return SANDLOCK_STATUS_USAGE;
	}
	if (profile->config.workdir && !profile->program.cwd)
		profile->program.cwd = sl_xstrdup(profile->config.workdir);
	return 0;
}

/* A directory that the profile or the command line names, canonical. NULL after a line. */
static char *find_directory(const char *what, const char *text)
{
	const char *home = text[0] == '~' && (!text[1] || text[1] == '/') ? getenv("HOME") : NULL;
	SL_FREE char *path = home ? sl_xasprintf("%s%s", home, text + 1) : sl_xstrdup(text);
	char *canonical = realpath(path, NULL);
	struct stat st;

	if (canonical && stat(canonical, &st) == 0 && S_ISDIR(st.st_mode))
		return canonical;
	sl_say("%s: \"%s\": %s", what, sl_esc(text), strerror(canonical ? ENOTDIR : errno));
	free(canonical);
	return NULL;
}

int sl_run_view_open(struct sl_run_view *v, const struct sl_profile *profile)
{
	const char *workdir = profile->config.workdir;
	SL_FREE char *storage = NULL;
	struct sl_error err = SL_ERROR_INIT;
	int status;

	if (!workdir && !v->dry_run)
		return 0;
	v->dir = workdir ? find_directory("workdir", workdir) : sl_xstrdup("/");
	if (!v->dir)
		return SANDLOCK_STATUS_FAILED;
	if (profile->config.fs_storage) {
		storage = find_directory("fs_storage", profile->config.fs_storage);
		if (!storage)
			return SANDLOCK_STATUS_FAILED;
		if (workdir && sl_path_within(storage, v->dir)) {
			sl_say("fs_storage: \"%s\" is in the workdir", sl_esc(storage));
			return SANDLOCK_STATUS_FAILED;
		}
	}
	/* What an earlier run was killed over comes first. */
	status = workdir ? sl_workdir_resume(v->dir, storage) : 0;
	if (status)
		return status;
	if (sl_view_upper_make(storage, &v->guard, &v->upper, &err) == 0)
		return 0;
	sl_say("%s", err.text);
	return SANDLOCK_STATUS_FAILED;
}

static int list_of(struct sl_view *view, struct sl_view_changes **ret)
{
	int r = sl_view_changes_of(view, ret);

	if (r == 0)
		return 0;
	sl_say("cannot list the changes: %s", strerror(-r));
	return SANDLOCK_STATUS_FAILED;
}

static int print(const struct sl_run_view *v)
{
	struct sl_view_changes *c;
	int status = list_of(v->view, &c);

	if (status)
		return status;
	status = sl_workdir_print(c, v->json);
	sl_view_changes_free(c);
	return status;
}

static int keep(struct sl_run_view *v)
{
	struct sl_view_changes *c;
	int status = list_of(v->view, &c), r;

	if (status)
		return status;
	r = sl_view_changes_len(c) ? sl_view_changes_keep(v->view, c) : 0;
	if (r < 0) {
		sl_say("cannot keep the changes in \"%s\": %s", sl_esc(v->upper), strerror(-r));
		status = SANDLOCK_STATUS_FAILED;
	} else if (!sl_view_changes_len(c)) {
		sl_say("nothing was changed in \"%s\"", sl_esc(v->dir));
	} else {
		sl_say("the changes are kept in \"%s\": sandlock workdir list, diff, apply or drop", sl_esc(v->upper));
		free(SL_TAKE_PTR(v->upper));
	}
	sl_view_changes_free(c);
	return status;
}

static int commit(struct sl_run_view *v)
{
	int status = sl_workdir_commit(v->view, v->upper);

	free(SL_TAKE_PTR(v->upper)); /* it is removed, or was said to be kept */
	return status;
}

int sl_run_view_end(struct sl_run_view *v, const struct sl_profile *profile, const struct sl_outcome *o, int status)
{
	bool failed = status || o->interrupted;
	enum sl_on_end end = failed ? profile->filesystem.on_error : profile->filesystem.on_exit;
	int own = 0;

	if (!v->view || o->kind == SL_OUTCOME_NOT_STARTED || o->kind == SL_OUTCOME_FAILED)
		return status;
	if (end == SL_END_UNSET)
		end = failed ? SL_END_ABORT : SL_END_COMMIT;
	if (v->dry_run)
		own = print(v);
	else if (end == SL_END_KEEP)
		own = keep(v);
	else if (end == SL_END_COMMIT)
		own = commit(v);
	return own ? own : status;
}
