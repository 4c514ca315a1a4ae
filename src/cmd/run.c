/*
 * run.c - `sandlock run`: a command under a profile, options, or both.
 *
 * The command line is made part of the profile first, so that everything after it has one source. -r and -w
 * stay apart: they mean the same whatever the profile's version is.
 */
#include <string.h>

#include "base/path.h"
#include "cmd/commands.h"
#include "cmd/degrade.h"
#include "cmd/message.h"
#include "cmd/profile-arg.h"
#include "cmd/run-view.h"
#include "cmd/program.h"
#include "cmd/setup.h"
#include "cmd/start.h"
#include "kernel/landlock.h"
#include "kernel/own-fd.h"
#include "policy/calls.h"
#include "profile/check.h"
#include "profile/read.h"
#include "sandlock.h"
#include "supervise/sandbox.h"

enum { NET_ALLOW, NET_DENY, NET_ALLOW_BIND, NET_DENY_BIND, NET_LISTS };

struct run {
	/* From the command line. */
	struct sl_setup setup;
	const char *profile_arg, *profile_file;
	struct sl_list extra_deny, extra_allow, fs_deny;
	struct sl_list net[NET_LISTS];
	uint64_t degradable, disabled;
	bool strict, explain;
	int status_fd;
	int64_t memory, processes, cpu, disk; /* limits; 0: not asked for */
	struct sl_run_view view;
	/* Made from it. */
	char *path; /* of the profile, or NULL */
	struct sl_profile profile;
	struct sl_program program;
	struct sl_policy policy;
	int ruleset_fd;
	char *tmp_dir;
};

#define LATER(name, letter, kind, arg, help)                                                                 \
	{                                                                                                    \
		name, letter, kind, arg, true, SL_COMPLETE_NOTHING, 0, help                                  \
	}

static const struct sl_option options[] = {
    {"profile", 'p', SL_OPTION_STRING, "NAME|PATH", false, SL_COMPLETE_PROFILE,
     offsetof(struct run, profile_arg), "enforce this profile"},
    {"profile-file", 0, SL_OPTION_STRING, "PATH", false, SL_COMPLETE_FILE, offsetof(struct run, profile_file),
     "the same, always a path"},
    SL_SETUP_OPTIONS(struct run),
    {"max-memory", 'm', SL_OPTION_SIZE, "SIZE", false, SL_COMPLETE_NOTHING, offsetof(struct run, memory),
     "at most SIZE bytes of memory, as in 512M"},
    {"max-processes", 'P', SL_OPTION_COUNT, "N", false, SL_COMPLETE_NOTHING, offsetof(struct run, processes),
     "at most N processes at once"},
    {"cpu", 'c', SL_OPTION_COUNT, "PERCENT", false, SL_COMPLETE_NOTHING, offsetof(struct run, cpu),
     "at most PERCENT of one CPU"},
    {"extra-deny-syscall", 0, SL_OPTION_SYSCALL, "NAME", false, SL_COMPLETE_NOTHING,
     offsetof(struct run, extra_deny), "refuse this system call too"},
    {"extra-allow-syscall", 0, SL_OPTION_SYSCALL, "GROUP", false, SL_COMPLETE_NOTHING,
     offsetof(struct run, extra_allow), "allow this group of system calls: sysv_ipc"},
    {"allow-degraded", 0, SL_OPTION_PROTECTION, "PROTECTION", false, SL_COMPLETE_PROTECTION,
     offsetof(struct run, degradable), "run although the kernel lacks this protection"},
    {"disable", 0, SL_OPTION_DISABLE, "PROTECTION", false, SL_COMPLETE_PROTECTION,
     offsetof(struct run, disabled), "leave this protection out"},
    {"strict", 0, SL_OPTION_FLAG, NULL, false, SL_COMPLETE_NOTHING, offsetof(struct run, strict),
     "an entry that does not exist is an error"},
    {"explain", 0, SL_OPTION_FLAG, NULL, false, SL_COMPLETE_NOTHING, offsetof(struct run, explain),
     "say what was refused, and which entry would grant it"},
    {"status-fd", 0, SL_OPTION_DESCRIPTOR, "FD", false, SL_COMPLETE_NOTHING, offsetof(struct run, status_fd),
     "write start and end as JSON lines to FD"},
    {"fs-deny", 0, SL_OPTION_LIST, "PATH", false, SL_COMPLETE_FILE, offsetof(struct run, fs_deny),
     "refuse PATH and what is below it, whatever is granted"},
    {"net-allow", 0, SL_OPTION_LIST, "DEST", false, SL_COMPLETE_NOTHING, offsetof(struct run, net[NET_ALLOW]),
     "let the command reach DEST"},
    {"net-deny", 0, SL_OPTION_LIST, "DEST", false, SL_COMPLETE_NOTHING, offsetof(struct run, net[NET_DENY]),
     "every destination but DEST"},
    {"net-allow-bind", 0, SL_OPTION_LIST, "PORTS", false, SL_COMPLETE_NOTHING,
     offsetof(struct run, net[NET_ALLOW_BIND]), "let the command bind PORTS"},
    {"net-deny-bind", 0, SL_OPTION_LIST, "PORTS", false, SL_COMPLETE_NOTHING,
     offsetof(struct run, net[NET_DENY_BIND]), "every port but PORTS"},
    LATER("http-allow", 0, SL_OPTION_LIST, "RULE", "allow these requests"),
    LATER("http-deny", 0, SL_OPTION_LIST, "RULE", "refuse these requests"),
    LATER("http-port", 0, SL_OPTION_LIST, "PORT", "port on which requests are judged"),
    LATER("http-ca", 0, SL_OPTION_STRING, "PATH", "certificate authority for HTTPS"),
    LATER("http-key", 0, SL_OPTION_STRING, "PATH", "its key"),
    LATER("http-inject-ca", 0, SL_OPTION_LIST, "PATH", "bundle to add an authority of one's own to"),
    LATER("http-ca-out", 0, SL_OPTION_STRING, "PATH", "where to write that authority"),
    LATER("http-auth", 0, SL_OPTION_LIST, "RULE", "add authorisation to requests"),
    LATER("credential", 0, SL_OPTION_LIST, "SPEC", "a credential for --http-auth"),
    {"max-disk", 0, SL_OPTION_SIZE, "SIZE", false, SL_COMPLETE_NOTHING, offsetof(struct run, disk),
     "at most SIZE bytes in the view and the private temporary directory"},
    {"workdir", 0, SL_OPTION_STRING, "DIR", false, SL_COMPLETE_DIRECTORY, offsetof(struct run, view.workdir),
     "keep changes in a copy-on-write view of DIR"},
    {"fs-storage", 0, SL_OPTION_STRING, "DIR", false, SL_COMPLETE_DIRECTORY,
     offsetof(struct run, view.fs_storage), "where that view is kept"},
    {"on-exit", 0, SL_OPTION_ON_END, "ACTION", false, SL_COMPLETE_NOTHING, offsetof(struct run, view.on_exit),
     "commit, abort or keep its changes"},
    {"on-error", 0, SL_OPTION_ON_END, "ACTION", false, SL_COMPLETE_NOTHING,
     offsetof(struct run, view.on_error), "the same where the command failed"},
    {"dry-run", 0, SL_OPTION_FLAG, NULL, false, SL_COMPLETE_NOTHING, offsetof(struct run, view.dry_run),
     "show the changes, then discard them"},
    {"json", 0, SL_OPTION_FLAG, NULL, false, SL_COMPLETE_NOTHING, offsetof(struct run, view.json),
     "show them as one JSON array"},
    LATER("chroot", 0, SL_OPTION_STRING, "DIR", "change the root directory"),
    LATER("fs-mount", 0, SL_OPTION_LIST, "SPEC", "show a directory somewhere else"),
    LATER("image", 0, SL_OPTION_STRING, "IMAGE", "take the root directory from an image"),
    LATER("user", 0, SL_OPTION_STRING, "UID:GID", "run as another user"),
    LATER("gpu", 0, SL_OPTION_STRING, "LIST", "GPUs that can be used"),
    LATER("num-cpus", 0, SL_OPTION_STRING, "N", "number of CPUs that is shown"),
    LATER("port-remap", 0, SL_OPTION_FLAG, NULL, "give each sandbox ports of its own"),
    LATER("random-seed", 0, SL_OPTION_STRING, "N", "repeatable random numbers"),
    LATER("time-start", 0, SL_OPTION_STRING, "TIME", "start of a clock of the sandbox's own"),
    LATER("deterministic-dirs", 0, SL_OPTION_FLAG, NULL, "directories are listed in order"),
    LATER("interactive", 'i', SL_OPTION_FLAG, NULL, "keep the terminal"),
    LATER("no-supervisor", 0, SL_OPTION_FLAG, NULL, "enforce without a supervisor"),
    {NULL},
};

static void run_release(struct run *r)
{
	sl_setup_release(&r->setup);
	sl_run_view_release(&r->view);
	sl_list_release(&r->extra_deny);
	sl_list_release(&r->extra_allow);
	for (size_t i = 0; i < NET_LISTS; i++)
		sl_list_release(&r->net[i]);
	sl_list_release(&r->fs_deny);
	sl_profile_release(&r->profile);
	sl_program_release(&r->program);
	sl_policy_release(&r->policy);
	r->ruleset_fd = sl_close(r->ruleset_fd);
	if (r->tmp_dir)
		sl_tree_remove(r->tmp_dir);
	free(r->tmp_dir);
	free(r->path);
}

/* The profile's file, if one is named, into r->profile. 0 or a status. */
static int load_profile(struct run *r)
{
	const char *key;
	int line = 0, status;

	if (r->profile_arg && r->profile_file) {
		sl_say("--profile-file: --profile is given too");
		return SANDLOCK_STATUS_USAGE;
	}
	if (r->profile_file)
		r->path = sl_xstrdup(r->profile_file);
	else if (r->profile_arg && !(r->path = sl_profile_arg_path(r->profile_arg)))
		return SANDLOCK_STATUS_FAILED;
	if (!r->path)
		return 0;
	status = sl_profile_load(r->path, &r->profile);
	if (status)
		return status;
	key = sl_profile_unsupported(&r->profile, &line);
	if (key && line)
		sl_say("%s:%d: %s: not supported yet", sl_esc(r->path), line, key);
	else if (key)
		sl_say("%s: %s: not supported yet", sl_esc(r->path), key);
	return key ? SANDLOCK_STATUS_FAILED : 0;
}

static void add_to_list(struct sl_list *list, const struct sl_list *more)
{
	for (size_t i = 0; i < more->len; i++)
		if (!sl_list_contains(list, more->items[i].text))
			sl_list_add(list, more->items[i].text, 0);
}

/* The system calls of the command line, as the profile's. 0 or a status. */
static int apply_syscalls(struct run *r)
{
	for (size_t i = 0; i < r->extra_allow.len; i++) {
		const char *name = r->extra_allow.items[i].text;

		if (strcmp(name, SL_CALL_GROUP_SYSV_IPC) != 0) {
			sl_say("--extra-allow-syscall: \"%s\" is not a group that can be "
			       "allowed: " SL_CALL_GROUP_SYSV_IPC,
			       sl_esc(name));
			return SANDLOCK_STATUS_USAGE;
		}
	}
	add_to_list(&r->profile.syscalls.extra_allow, &r->extra_allow);
	add_to_list(&r->profile.syscalls.extra_deny, &r->extra_deny);
	if (sl_list_contains(&r->profile.syscalls.extra_allow, SL_CALL_GROUP_SYSV_IPC) &&
	    sl_list_contains(&r->profile.syscalls.extra_deny, SL_CALL_GROUP_SYSV_IPC)) {
		sl_say(SL_CALL_GROUP_SYSV_IPC " is both allowed and denied");
		return SANDLOCK_STATUS_USAGE;
	}
	return 0;
}

/* The limits of the command line in the place of the profile's. */
static void apply_limits(struct run *r)
{
	struct sl_profile *p = &r->profile;

	if (r->memory)
		p->limits.memory = r->memory;
	if (r->processes)
		p->limits.processes = r->processes;
	if (r->cpu)
		p->limits.cpu = r->cpu;
	if (r->disk)
		p->limits.disk = r->disk;
}

/* The destinations and ports of the command line, as the profile's. 0 or a status. */
static int apply_network(struct run *r)
{
	static const char *const names[] = {"net-allow", "net-deny", "net-allow-bind", "net-deny-bind"};
	struct sl_list *const lists[] = {&r->profile.network.allow, &r->profile.network.deny,
					 &r->profile.network.allow_bind, &r->profile.network.deny_bind};

	for (size_t i = 0; i < NET_LISTS; i++)
		for (size_t j = 0; j < r->net[i].len; j++) {
			const char *text = r->net[i].items[j].text, *expected;
			bool port = i >= NET_ALLOW_BIND;

			expected = port ? sl_ports_add(lists[i], text, 0)
				   : i == NET_ALLOW ? sl_check_destination(text, 2)
						    : sl_check_denied_destination(text, 2);
			if (!expected && i == NET_DENY_BIND && !strcmp(text, "*"))
				expected = "ports: binding is refused where no list allows it";
			if (expected) {
				sl_say("--%s: found \"%s\", expected %s", names[i], sl_esc(text), expected);
				return SANDLOCK_STATUS_USAGE;
			}
			if (!port && !sl_list_contains(lists[i], text))
				sl_list_add(lists[i], text, 0);
		}
	return 0;
}

/* The private directory, named in the command's environment. 0 or a status. */
static int make_tmp_dir(struct run *r)
{
	static const char *const variables[] = {"TMPDIR", "TMP", "TEMP"};
	struct sl_error err = SL_ERROR_INIT;

	free(r->tmp_dir);
	r->tmp_dir = NULL;
	if (!r->profile.filesystem.tmp_private)
		return 0;
	if (sl_tmp_dir_make(NULL, &r->tmp_dir, &err) < 0) {
		sl_say("%s", err.text);
		return SANDLOCK_STATUS_FAILED;
	}
	for (size_t i = 0; i < SL_ARRAY_LEN(variables); i++)
		sl_program_setenv(&r->program, variables[i], r->tmp_dir);
	return 0;
}

static int build_policy(struct run *r)
{
	const struct sl_policy_options build = {
	    .strict = r->strict,
	    .tmp_dir = r->tmp_dir,
	    .cli_read = &r->setup.read,
	    .cli_write = &r->setup.write,
	    .cli_deny = &r->fs_deny,
	    .landlock_abi = sl_landlock_abi(),
	    .can_take = sl_fd_can_take(),
	    .disabled = r->disabled,
	    .view = r->view.dir,
	    .hidden = r->view.upper,
	};
	struct sl_error err = SL_ERROR_INIT;

	sl_policy_release(&r->policy);
	r->ruleset_fd = sl_close(r->ruleset_fd);
	if (sl_policy_build(&r->profile, &build, &r->policy, &r->ruleset_fd, &err) == 0)
		return 0;
	sl_say("%s", err.text);
	return SANDLOCK_STATUS_FAILED;
}

static void run_once(struct run *r, struct sl_outcome *ret, struct sl_error *err)
{
	struct sl_command command = sl_program_command(&r->program, &r->profile);
	struct sl_observer_options explain = {.tmp_dir = r->tmp_dir, .explain = &r->policy};
	struct sl_sandbox_options sandbox = {
	    .name = r->setup.name,
	    .mode = "run",
	    .profile = r->path,
	    .policy = &r->policy,
	    .ruleset_fd = r->ruleset_fd,
	    .observer = r->explain ? sl_observer_new(&explain) : NULL,
	    .extra_deny = &r->policy.extra_deny,
	    .allow_sysv_ipc = r->policy.allow_sysv_ipc,
	    .disabled = r->disabled,
	    .timeout_s = r->setup.timeout_s,
	    .status_fd = r->status_fd,
	    .tmp_dir = r->tmp_dir,
	    .upper = r->view.upper,
	    .view = &r->view.view,
	    .keep_view = r->view.upper,
	};

	command.stdout_to_stderr = r->view.dry_run;
	sl_sandbox_run(&command, &sandbox, ret, err);
	sl_observer_free(sandbox.observer);
}

/* The kernel takes the file for no program: have it run by the shell, as execvp does. The first attempt's
 * private directory is gone, and the rules with it. 0 or a status. */
static int run_by_shell(struct run *r, struct sl_outcome *ret, struct sl_error *err)
{
	int status;

	sl_program_use_shell(&r->program);
	status = make_tmp_dir(r);
	if (!status)
		status = build_policy(r);
	if (!status)
		run_once(r, ret, err);
	return status;
}

/* Run the command. Returns the exit status. */
static int run_command(struct run *r)
{
	struct sl_outcome outcome = {0};
	struct sl_error err = SL_ERROR_INIT;

	run_once(r, &outcome, &err);
	if (outcome.kind == SL_OUTCOME_NOT_STARTED && outcome.code == ENOEXEC) {
		int status;

		err = SL_ERROR_INIT;
		status = run_by_shell(r, &outcome, &err);
		if (status)
			return status;
	}
	if (outcome.kind == SL_OUTCOME_NOT_STARTED &&
	    (outcome.code != EACCES || !sl_start_explain(&r->policy, &r->profile, r->program.path)))
		sl_say("%s", err.text);
	if (outcome.kind == SL_OUTCOME_FAILED)
		sl_say("%s", err.text);
	if (outcome.limit[0])
		sl_say("%s", outcome.limit);
	return sl_run_view_end(&r->view, &r->profile, &outcome, sl_outcome_status(&outcome));
}

/* --explain watches the real tree. */
static int check_explain(const struct run *r)
{
	if (!r->explain || !r->view.dir)
		return 0;
	sl_say("--explain: not together with a view (--workdir, --dry-run)");
	return SANDLOCK_STATUS_USAGE;
}

/* A limit that nothing would hold is no limit. */
static int check_disk(const struct run *r)
{
	if (r->profile.limits.disk <= 0 || r->view.dir || r->tmp_dir)
		return 0;
	sl_say("limits.disk: there is no view (--workdir, --dry-run) or private temporary directory to limit");
	return SANDLOCK_STATUS_FAILED;
}

static int run_main(struct run *r, char **words)
{
	int status = load_profile(r);

	if (!status)
		status = apply_syscalls(r);
	if (!status)
		status = apply_network(r);
	if (status)
		return status;
	sl_setup_apply(&r->setup, &r->profile);
	apply_limits(r);
	status = sl_run_view_apply(&r->view, &r->profile);
	if (status)
		return status;
	status = sl_program_find(&r->profile, words, r->setup.exec_shell, &r->program);
	if (!status)
		status = sl_degrade_check(sl_landlock_abi(), r->disabled, r->degradable);
	if (!status)
		status = make_tmp_dir(r);
	if (!status)
		status = sl_run_view_open(&r->view, &r->profile);
	if (!status)
		status = check_explain(r);
	if (!status)
		status = check_disk(r);
	if (!status)
		status = build_policy(r);
	if (status)
		return status;
	for (size_t i = 0; i < r->policy.warnings.len; i++)
		sl_warn("%s", r->policy.warnings.items[i]);
	return run_command(r);
}

static int run(const struct sl_cmd *cmd, int argc, char **argv)
{
	SL_CLEANUP(run_release) struct run r = {.status_fd = -EBADF, .ruleset_fd = -EBADF, .view = SL_RUN_VIEW_INIT};
	char **words;
	int status;

	sl_profile_init(&r.profile, 2);
	status = sl_options_parse(cmd, argc, argv, &r, &words, NULL);
	return status == SL_PARSED ? run_main(&r, words) : status;
}

const struct sl_cmd sl_cmd_run = {
    .name = "run",
    .operands = "[--] [CMD [ARG...]]",
    .summary = "run a command with a profile enforced by the kernel",
    .options = options,
    .runs_program = true,
    .max_operands = -1,
    .complete = SL_COMPLETE_COMMAND,
    .run = run,
};
