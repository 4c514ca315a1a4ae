/*
 * learn.c - `sandlock learn`: run a command, watch it, write a profile.
 *
 * Everything that can fail without the command is done before it runs: the output is opened, the program
 * found. The profile is written only after a command that succeeded, unless --keep-failed says otherwise; a
 * run that was interrupted or ended by a failure of ours never changes a file.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "cmd/commands.h"
#include "cmd/learn.h"
#include "cmd/message.h"
#include "cmd/workdir.h"
#include "sandlock.h"
#include "supervise/view-calls.h"

static const struct sl_option options[] = {
    {"output", 'o', SL_OPTION_STRING, "FILE", false, SL_COMPLETE_FILE, offsetof(struct sl_learn, output),
     "write the profile to FILE, not to stdout"},
    {"in-place", 0, SL_OPTION_FLAG, NULL, false, SL_COMPLETE_NOTHING, offsetof(struct sl_learn, in_place),
     "the command's writes are real"},
    {"keep-failed", 0, SL_OPTION_FLAG, NULL, false, SL_COMPLETE_NOTHING,
     offsetof(struct sl_learn, keep_failed), "write the profile although the command failed"},
    {"repeat", 0, SL_OPTION_COUNT, "N", false, SL_COMPLETE_NOTHING, offsetof(struct sl_learn, repeat),
     "run the command N times, one profile for all"},
    {"shared-tmp", 0, SL_OPTION_FLAG, NULL, false, SL_COMPLETE_NOTHING, offsetof(struct sl_learn, shared_tmp),
     "no private temporary directory"},
    {"no-network", 0, SL_OPTION_FLAG, NULL, false, SL_COMPLETE_NOTHING, offsetof(struct sl_learn, no_network),
     "refuse every destination while learning"},
    {"profile-version", 0, SL_OPTION_VERSION, "1|2", false, SL_COMPLETE_NOTHING,
     offsetof(struct sl_learn, profile_version), "2 (exact rights) or 1 (the format of sandlock 0.8)"},
    {"trace", 0, SL_OPTION_STRING, "FILE", false, SL_COMPLETE_FILE, offsetof(struct sl_learn, trace_path),
     "write every observed event to FILE, as JSON lines"},
    {"verbose", 'v', SL_OPTION_FLAG, NULL, false, SL_COMPLETE_NOTHING, offsetof(struct sl_learn, verbose),
     "print the summary although stderr is no terminal"},
    {"quiet", 'q', SL_OPTION_FLAG, NULL, false, SL_COMPLETE_NOTHING, offsetof(struct sl_learn, quiet),
     "print warnings only"},
    SL_SETUP_OPTIONS(struct sl_learn),
    {"commit", 0, SL_OPTION_FLAG, NULL, false, SL_COMPLETE_NOTHING, offsetof(struct sl_learn, commit),
     "keep a successful command's changes (not with --in-place)"},
    {"merge", 0, SL_OPTION_STRING, "FILE", false, SL_COMPLETE_FILE, offsetof(struct sl_learn, merge),
     "add what is observed to this profile"},
    {"collapse", 0, SL_OPTION_COUNT_OPTIONAL, "N", false, SL_COMPLETE_NOTHING,
     offsetof(struct sl_learn, collapse), "one grant for a directory with N or more used files"},
    {"collapse-prefix", 0, SL_OPTION_LIST, "DIR", false, SL_COMPLETE_DIRECTORY,
     offsetof(struct sl_learn, collapse_prefix), "one grant for everything under DIR"},
    {"force-sensitive-collapse", 0, SL_OPTION_FLAG, NULL, false, SL_COMPLETE_NOTHING,
     offsetof(struct sl_learn, force_collapse), "let --collapse-prefix name a sensitive directory"},
    {"learn-syscalls", 0, SL_OPTION_FLAG, NULL, false, SL_COMPLETE_NOTHING,
     offsetof(struct sl_learn, observe_syscalls), "list the system calls that were used"},
    {"learn-limits", 0, SL_OPTION_FLAG, NULL, false, SL_COMPLETE_NOTHING,
     offsetof(struct sl_learn, observe_limits), "write limits of memory, processes and open files"},
    {"http-inject-ca", 0, SL_OPTION_LIST, "PATH", true, SL_COMPLETE_NOTHING, 0,
     "bundle to add an authority to"},
    {"http-port", 0, SL_OPTION_LIST, "PORT", true, SL_COMPLETE_NOTHING, 0,
     "port on which requests are observed"},
    {"http-ca-out", 0, SL_OPTION_STRING, "PATH", true, SL_COMPLETE_NOTHING, 0,
     "where to write that authority"},
    {NULL},
};

static void learn_release(struct sl_learn *l)
{
	sl_setup_release(&l->setup);
	sl_profile_release(&l->profile);
	sl_program_release(&l->program);
	sl_observer_free(l->observer);
	sl_outfile_free(l->out);
	if (l->trace)
		fclose(l->trace);
	if (l->tmp_dir)
		sl_tree_remove(l->tmp_dir);
	free(l->tmp_dir);
	sl_guard_stop(&l->guard);
	sl_list_release(&l->collapse_prefix);
	sl_strv_release(&l->prefixes);
	free(l->homes[0]);
	free(l->homes[1]);
}

/* What cannot be combined, or done at all. 0 or a status. */
static int check_options(const struct sl_learn *l)
{
	if (l->commit && l->in_place) {
		sl_say("--commit: with --in-place the command's writes are real, there is nothing to commit");
		return SANDLOCK_STATUS_USAGE;
	}
	if (l->observe_syscalls && l->profile_version == 1) {
		sl_say("--learn-syscalls: a profile of version 1 cannot list system calls");
		return SANDLOCK_STATUS_USAGE;
	}
	return 0;
}

static int open_outputs(struct sl_learn *l)
{
	struct sl_error err = SL_ERROR_INIT;
	int fd;

	if (l->output && strcmp(l->output, "-") != 0 && sl_outfile_open(l->output, &l->out, &err) < 0) {
		sl_say("%s", err.text);
		return SANDLOCK_STATUS_FAILED;
	}
	if (!l->trace_path)
		return 0;
	fd = open(l->trace_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
	l->trace = fd < 0 ? NULL : fdopen(fd, "w");
	if (l->trace)
		return 0;
	sl_say("cannot write the trace \"%s\": %s", sl_esc(l->trace_path), strerror(errno));
	sl_close(fd);
	return SANDLOCK_STATUS_FAILED;
}

static int make_tmp_dir(struct sl_learn *l)
{
	static const char *const variables[] = {"TMPDIR", "TMP", "TEMP"};
	struct sl_error err = SL_ERROR_INIT;

	if (l->shared_tmp || sl_program_getenv(&l->program, "TMPDIR"))
		return 0;
	if (sl_tmp_dir_make(&l->guard, &l->tmp_dir, &err) < 0) {
		sl_say("%s", err.text);
		return SANDLOCK_STATUS_FAILED;
	}
	for (size_t i = 0; i < SL_ARRAY_LEN(variables); i++)
		sl_program_setenv(&l->program, variables[i], l->tmp_dir);
	return 0;
}

static void run_once(struct sl_learn *l, struct sl_outcome *ret, struct sl_error *err)
{
	struct sl_command command = sl_program_command(&l->program, &l->profile);
	struct sl_sandbox_options sandbox = {
	    .name = l->setup.name,
	    .mode = "learn",
	    .profile = l->output,
	    .ruleset_fd = -EBADF,
	    .observer = l->observer,
	    .count_calls = l->observe_syscalls,
	    .allow_sysv_ipc = true,
	    .no_network = l->no_network,
	    .timeout_s = l->setup.timeout_s,
	    .status_fd = -EBADF,
	    .tmp_dir = l->tmp_dir,
	    .measure = l->observe_limits,
	    .progress = !l->quiet && isatty(STDERR_FILENO),
	};

	command.stdout_to_stderr = !l->out;
	*ret = (struct sl_outcome){0};
	*err = SL_ERROR_INIT;
	if (!l->in_place && !l->upper && sl_view_upper_make(NULL, &l->guard, &l->upper, err) < 0) {
		ret->kind = SL_OUTCOME_FAILED;
		return;
	}
	sandbox.upper = l->upper;
	sandbox.view = &l->view;
	sandbox.keep_view = l->upper && (!l->last_run || l->commit);
	sl_sandbox_run(&command, &sandbox, ret, err);
	if (!sandbox.keep_view)
		free(SL_TAKE_PTR(l->upper)); /* it is removed */
}

/* --commit: what a command that succeeded has changed is made real. 0 or a status of ours; what could not be
 * made real is then kept. */
static int commit(struct sl_learn *l, const struct sl_outcome *o, int status)
{
	int r;

	if (!l->commit || !l->view || status || o->interrupted)
		return 0;
	r = sl_workdir_commit(l->view, l->upper);
	if (r)
		free(SL_TAKE_PTR(l->upper));
	return r;
}

/* End a view that no further run goes on with. */
static void drop_view(struct sl_learn *l)
{
	sl_view_free(SL_TAKE_PTR(l->view));
	if (l->upper)
		sl_tree_remove(l->upper);
	free(SL_TAKE_PTR(l->upper));
	sl_guard_stop(&l->guard);
}

/* An empty private directory, under its old name, for the next run: the end of the last one removed it. 0 or
 * a status. */
static int renew_tmp_dir(const struct sl_learn *l)
{
	if (!l->tmp_dir || mkdir(l->tmp_dir, 0700) == 0)
		return 0;
	sl_say("cannot make \"%s\": %s", sl_esc(l->tmp_dir), strerror(errno));
	return SANDLOCK_STATUS_FAILED;
}

/* The same, and what the kernel takes for no program is run by the shell, as execvp does. 0 or a status of
 * ours. */
static int run_command(struct sl_learn *l, struct sl_outcome *ret, struct sl_error *err)
{
	int status;

	run_once(l, ret, err);
	if (ret->kind != SL_OUTCOME_NOT_STARTED || ret->code != ENOEXEC)
		return 0;
	status = renew_tmp_dir(l);
	if (status)
		return status;
	sl_program_use_shell(&l->program);
	run_once(l, ret, err);
	return 0;
}

/* Run the command as often as asked for, until one fails. Returns the exit status; after a failure of ours,
 * which was said in one line, *ret says FAILED. */
static int run_all(struct sl_learn *l, struct sl_outcome *ret)
{
	for (int64_t i = 1;; i++) {
		struct sl_error err;
		int status, own;

		l->last_run = i == l->repeat;
		status = run_command(l, ret, &err);
		if (status) {
			ret->kind = SL_OUTCOME_FAILED;
			return status;
		}
		sl_learn_peaks(l, &ret->peaks);
		status = sl_outcome_status(ret);
		sl_observer_run_done(l->observer);
		if (ret->kind == SL_OUTCOME_NOT_STARTED || ret->kind == SL_OUTCOME_FAILED)
			sl_say("%s", err.text);
		if (status || ret->interrupted || i == l->repeat)
			return status;
		own = renew_tmp_dir(l);
		if (own) {
			ret->kind = SL_OUTCOME_FAILED;
			return own;
		}
	}
}

/* Is there to be a profile after this outcome? If not, say why in one line. */
static bool wants_profile(const struct sl_learn *l, const struct sl_outcome *o, int status)
{
	if (o->interrupted) {
		sl_say("interrupted: no profile was written");
		return false;
	}
	if (o->kind == SL_OUTCOME_NOT_STARTED || o->kind == SL_OUTCOME_FAILED)
		return false;
	if (o->kind == SL_OUTCOME_TIMEOUT || !status || l->keep_failed)
		return true;
	if (o->kind == SL_OUTCOME_SIGNALED)
		sl_say(
		    "the command was killed by signal %d: no profile was written (--keep-failed writes it)",
		    o->code);
	else
		sl_say("the command failed with status %d: no profile was written (--keep-failed writes it)",
		       status);
	return false;
}

static int close_trace(struct sl_learn *l)
{
	FILE *trace = SL_TAKE_PTR(l->trace);
	bool failed;

	if (!trace)
		return 0;
	failed = ferror(trace);
	errno = failed ? EIO : 0;
	if (!fclose(trace) && !failed)
		return 0;
	sl_say("cannot write the trace \"%s\": %s", sl_esc(l->trace_path), strerror(errno));
	return SANDLOCK_STATUS_FAILED;
}

static int learn_main(struct sl_learn *l, char **words)
{
	struct sl_observer_options observe;
	struct sl_outcome outcome;
	int status = sl_learn_collapse_open(l), written = 0, committed;

	if (!status)
		status = check_options(l);
	if (status)
		return status;
	sl_setup_apply(&l->setup, &l->profile);
	status = sl_program_find(&l->profile, words, l->setup.exec_shell, &l->program);
	if (!status)
		status = sl_learn_merge_open(l);
	if (!status)
		status = open_outputs(l);
	if (!status)
		status = make_tmp_dir(l);
	if (status)
		return status;
	sl_learn_program(l);
	observe = (struct sl_observer_options){
	    .tmp_dir = l->tmp_dir, .trace = l->trace, .calls = l->observe_syscalls};
	l->observer = sl_observer_new(&observe);
	status = run_all(l, &outcome);
	committed = commit(l, &outcome, status);
	drop_view(l);
	if (wants_profile(l, &outcome, status))
		written = sl_learn_write(l, &outcome);
	if (close_trace(l) || written || committed)
		return SANDLOCK_STATUS_FAILED;
	return status;
}

static int learn(const struct sl_cmd *cmd, int argc, char **argv)
{
	SL_CLEANUP(learn_release) struct sl_learn l = {.repeat = 1, .profile_version = 2, .guard = SL_GUARD_INIT};
	char **words;
	int status;

	sl_profile_init(&l.profile, 2);
	status = sl_options_parse(cmd, argc, argv, &l, &words, NULL);
	return status == SL_PARSED ? learn_main(&l, words) : status;
}

const struct sl_cmd sl_cmd_learn = {
    .name = "learn",
    .operands = "[--] CMD [ARG...]",
    .summary = "run a command, watch it, and write a profile of what it needs",
    .options = options,
    .runs_program = true,
    .max_operands = -1,
    .complete = SL_COMPLETE_COMMAND,
    .run = learn,
};
