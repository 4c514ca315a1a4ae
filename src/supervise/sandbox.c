/*
 * sandbox.c - one run: set-up, loop, what it came to.
 *
 * Order: signals are taken first, so that none is lost and the killer inherits them blocked; then the outer
 * domain; then the killer, which must exist before the command does; then the command.
 */
#include "supervise/sandbox.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/path.h"
#include "kernel/landlock.h"
#include "kernel/own-fd.h"
#include "kernel/own-path.h"
#include "net/resolver.h"
#include "sandlock.h"
#include "supervise/registry.h"
#include "supervise/run.h"
#include "supervise/status.h"
#include "supervise/view-calls.h"

static bool has_cpus(const struct sl_command *command)
{
	return command->cpu_cores && command->cpu_cores->len;
}

static void plan_filter(const struct sl_run *run, bool listener, struct sl_filter_plan *ret)
{
	const struct sl_sandbox_options *options = run->options;
	const struct sl_policy *policy = options->policy;
	struct sl_landlock_masks masks = sl_landlock_masks(sl_landlock_abi(), options->disabled);
	struct sl_net_plan_input net = {
	    .rules = policy ? &policy->net : NULL,
	    .refuse_all = !policy && options->no_network,
	    .listener = listener,
	    .can_take = sl_fd_can_take(),
	    .landlock_tcp = masks.net & SL_LL_NET_BIND_TCP,
	    .private_tmp = policy && policy->tmp_dir,
	};

	*ret = (struct sl_filter_plan){
	    .listener = listener,
	    .attributes = policy != NULL,
	    .observe = options->observer != NULL,
	    .view = options->upper != NULL,
	    .keep_dumpable = listener && !sl_tracee_may_be_undumpable(),
	    .allow_sysv_ipc = options->allow_sysv_ipc,
	    .beside = policy && policy->deny.way_count,
	    .count_calls = options->count_calls,
	    .listed = policy && policy->calls_listed ? &policy->calls : NULL,
	    .limit_processes = policy && run->command->processes > 0,
	    .limit_disk = policy && run->command->disk_bytes > 0,
	    .limit_cpus = policy && has_cpus(run->command),
	    .limit_memory = policy && run->command->memory_bytes > 0 ? (uint64_t)run->command->memory_bytes : 0,
	    .memory_held = sl_limit_group_holds(&run->group, SL_CGROUP_MEMORY),
	    .limit_cpu = policy && run->command->cpu_percent > 0 &&
			 !sl_limit_group_holds(&run->group, SL_CGROUP_CPU),
	    .measure = run->notifier.measure,
	    .explain = policy && options->observer,
	    .extra_deny = options->extra_deny,
	};
	sl_net_plan_make(&net, &ret->net);
	if (ret->explain && listener && net.can_take)
		sl_net_plan_explain(&ret->net);
	for (size_t i = 0; policy && i < policy->self_rule_count; i++) {
		ret->open_self = true;
		if (policy->self_rules[i].rights & SL_RIGHT_WRITE)
			ret->open_self_write = true;
	}
}

/* "make-4711" where no name was given. A name that cannot be had is an error only if it was asked for. */
static int take_name(struct sl_run *run)
{
	const char *wanted = run->options->name;
	int r;

	if (wanted) {
		snprintf(run->name, sizeof(run->name), "%s", wanted);
	} else {
		snprintf(run->name, sizeof(run->name), "%.40s-%d", sl_path_basename(run->command->file),
			 (int)getpid());
		for (char *c = run->name; *c; c++)
			if (!isalnum((unsigned char)*c) &&
			    (!strchr("._-", *c) || (c == run->name && *c != '_')))
				*c = '_';
	}
	r = sl_registry_listen(wanted ? wanted : run->name, wanted ? run->err : NULL);
	if (r >= 0)
		run->control.fd = r;
	return r < 0 && wanted ? r : 0;
}

/* What of the network rules needs a supervisor cannot be held without one. */
static bool lacks_listener(struct sl_run *run)
{
	struct sl_filter_plan plan;
	const struct sl_net_plan_input in = {.rules = run->options->policy ? &run->options->policy->net : NULL};
	const char *lacks;

	plan_filter(run, false, &plan);
	lacks = sl_net_plan_lacks(&in, &plan.net);
	if (lacks)
		sl_error_set(run->err, EBUSY, "%s, and an outer sandbox watches this process already", lacks);
	return lacks;
}

static int build_filter(struct sl_run *run, bool listener, struct sl_filter *ret)
{
	struct sl_filter_plan plan;

	plan_filter(run, listener, &plan);
	if (listener)
		run->net.plan = plan.net;
	return sl_filter_build(&plan, ret, run->err);
}

/* Make the command's process, and observe it from its first call on where that is asked for. */
static int start_command(struct sl_run *run, const struct sl_filter *filter, bool listener)
{
	int r;

	run->child.filter = filter;
	run->child.listener = listener;
	run->child.listener_fd = -EBADF;
	run->child.step = run->child.error = 0;
	if (listener && (run->options->observer || run->options->upper)) {
		r = sl_notifier_start(&run->notifier, run->err);
		if (r < 0)
			return r;
	}
	r = sl_child_start(&run->child, run->err);
	run->child.filter = NULL;
	run->notifier.behalf.root_pid = run->child.pid;
	if (r < 0 || run->child.step)
		sl_notifier_stop(&run->notifier);
	run->watch_listener = run->child.listener_fd >= 0 && !run->notifier.running;
	return r;
}

/* The command did not get as far as its execve, or this failed: reap it and say why. */
static void not_started(struct sl_run *run)
{
	while (waitpid(run->child.pid, NULL, 0) < 0 && errno == EINTR)
		;
	sl_child_error(&run->child, run->err);
	if (run->child.step != SL_CHILD_EXEC)
		return;
	run->outcome->kind = SL_OUTCOME_NOT_STARTED;
	run->outcome->code = run->child.error;
}

int sl_run_killer(struct sl_run *run, struct sl_error *err)
{
	const char *const dirs[2] = {run->options->tmp_dir, run->options->upper};

	return sl_killer_start(run->domain, dirs, &run->group.cgroup, &run->killer, err);
}

/* The view of a command whose changes are not real, from now on until tear_down(). */
static int set_up_view(struct sl_run *run)
{
	const struct sl_sandbox_options *options = run->options;
	struct sl_view *view = NULL;
	int r;

	if (!options->upper)
		return 0;
	if (options->view)
		view = SL_TAKE_PTR(*options->view);
	r = sl_view_calls_new(options->upper, options->tmp_dir, view, options->policy ? NULL : options->observer,
			      &run->notifier.behalf, &run->notifier.view, run->err);
	if (r == 0) {
		run->notifier.view->substitute = &run->notifier.substitute;
		run->notifier.view->keep = options->keep_view ? options->view : NULL;
		if (run->notifier.disk.limit_bytes)
			sl_view_set_fault(run->notifier.view->view, sl_disk_gate, &run->notifier.disk);
		run->net.find_local = sl_view_find_socket;
		run->net.find_arg = run->notifier.view;
	}
	return r < 0 || !options->policy
		   ? r
		   : sl_view_rules(run->notifier.view, options->ruleset_fd, options->disabled, run->err);
}

static bool is_inside(void *arg, pid_t pid)
{
	const struct sl_run *run = arg;

	return sl_behalf_is_inside(&run->notifier.behalf, pid);
}

static void report(void *arg, const struct sl_net_event *e)
{
	const struct sl_run *run = arg;

	sl_observer_net(run->options->observer, e);
}

static bool may_change_name(const struct sl_policy *policy, const char *path)
{
	SL_FREE char *dir = sl_path_dirname(path);
	struct sl_access write = {SL_RIGHT_WRITE, path}, delete = {SL_RIGHT_DELETE, dir};

	return sl_policy_allows(policy, &write, NULL) || sl_policy_allows(policy, &delete, NULL);
}

/* May the command say what the file says: by its name, or by that to which a symbolic link leads? */
static bool may_change(const struct sl_policy *policy, const char *path)
{
	char found[PATH_MAX];
	SL_CLOSE int fd = sl_own_path_open(path, found);

	return may_change_name(policy, path) || (fd >= 0 && may_change_name(policy, found));
}

/* Sockets on the command's behalf, and names where rules have some. */
static void set_up_net(struct sl_run *run)
{
	const struct sl_policy *policy = run->options->policy;
	const struct sl_resolver_options resolve = {.learn = !policy};
	struct sl_net *net = &run->net;

	net->policy = policy;
	net->refuse_all = !policy && run->options->no_network;
	net->ruleset_fd = run->options->ruleset_fd;
	net->is_inside = is_inside;
	net->report = run->options->observer ? report : NULL;
	net->arg = run;
	run->notifier.behalf.net = net;
	if (policy ? !sl_net_has_hosts(&policy->net) : net->refuse_all || !run->options->observer)
		return;
	net->resolver = sl_resolver_new(&resolve);
	for (size_t i = 0; policy && i < policy->net.allow_count; i++)
		if (policy->net.allow[i].target == SL_NET_HOST)
			sl_names_grant(sl_resolver_names(net->resolver), policy->net.allow[i].host);
	if (policy)
		sl_resolver_keep(net->resolver, may_change(policy, "/etc/resolv.conf"), may_change(policy, "/etc/hosts"));
}

/* What of the limits no cgroup holds is measured. */
static void set_up_limits(struct sl_run *run)
{
	const struct sl_sandbox_options *options = run->options;
	int64_t memory_bytes = run->command->memory_bytes, cpu_percent = run->command->cpu_percent;

	if (!options->policy || sl_limit_group_holds(&run->group, SL_CGROUP_MEMORY))
		memory_bytes = 0;
	if (!options->policy || sl_limit_group_holds(&run->group, SL_CGROUP_CPU))
		cpu_percent = 0;
	sl_limits_init(&run->limits, memory_bytes, options->tmp_dir, &run->notifier.behalf, &run->notifier.makers,
		       run->notifier.measure);
	sl_limits_init(&run->notifier.ends, memory_bytes, options->tmp_dir, &run->notifier.behalf,
		       &run->notifier.makers, false);
	sl_throttle_init(&run->throttle, cpu_percent, &run->notifier.behalf);
}

/* The command could not be put into its group: it goes without. */
static void do_without_group(struct sl_run *run)
{
	sl_limit_group_end(&run->group);
	run->group = SL_LIMIT_GROUP_INIT;
	run->child.group_fd = -EBADF;
	sl_limits_release(&run->limits);
	sl_limits_release(&run->notifier.ends);
	sl_throttle_release(&run->throttle);
	set_up_limits(run);
}

static int set_up(struct sl_run *run)
{
	const struct sl_sandbox_options *options = run->options;
	int r = sl_signals_take(&run->signals, run->err);

	if (r < 0)
		return r;
	if (options->status_fd >= 0 && fcntl(options->status_fd, F_SETFD, FD_CLOEXEC) < 0)
		return sl_error_errno(run->err, errno, "cannot use descriptor %d for the status",
				      options->status_fd);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return sl_error_errno(run->err, errno, "cannot become a subreaper");
	r = sl_domain_enter(options->disabled, run->err);
	if (r < 0)
		return r;
	run->domain = (enum sl_domain_kind)r;
	r = take_name(run);
	if (r < 0)
		return r;
	sl_limit_group_open(&run->group, run->command, options->policy);
	run->child.group_fd = run->group.cgroup.procs_fd;
	r = sl_run_killer(run, run->err);
	if (r < 0)
		return r;
	run->notifier.behalf = (struct sl_behalf){
	    .policy = options->policy,
	    .tool_pid = getpid(),
	    .killer_pid = run->killer.pid,
	    .signal_scope = run->domain == SL_DOMAIN_SIGNAL,
	    .cpus = options->policy ? run->child.cpus : NULL,
	    .cpus_size = run->child.cpus_size,
	};
	set_up_net(run);
	set_up_limits(run);
	if (options->policy && run->command->disk_bytes > 0)
		run->notifier.disk = (struct sl_disk){.limit_bytes = run->command->disk_bytes,
						      .dirs = {options->upper, options->tmp_dir},
						      .who = &run->notifier.behalf};
	return set_up_view(run);
}

static void run_command(struct sl_run *run)
{
	const struct sl_sandbox_options *options = run->options;
	SL_CLEANUP(sl_filter_release) struct sl_filter filter = {0}, unheard = {0};
	SL_CLOSE int learn_ruleset = -EBADF;

	/* Before the killer is made, because every page that is written while it shares it is copied. But what a
	 * group holds is known only after it was made. */
	bool late = sl_limit_group_wanted(run->command, options->policy);

	if ((!late && build_filter(run, true, &filter) < 0) || sl_child_prepare(&run->child, run->err) < 0 ||
	    set_up(run) < 0 || (late && build_filter(run, true, &filter) < 0))
		return;
	run->child.ruleset_fd = options->ruleset_fd;
	run->child.limit_data = options->policy && run->command->memory_bytes > 0;
	if (!options->policy) {
		learn_ruleset = options->upper
				    ? sl_view_ruleset(options->tmp_dir, options->disabled, run->err)
				    : sl_domain_ruleset(options->disabled, run->err);
		if (learn_ruleset < 0 && learn_ruleset != -EBADF)
			return;
		run->child.ruleset_fd = learn_ruleset;
	}
	if (start_command(run, &filter, true) < 0)
		return;
	if (run->child.step == SL_CHILD_GROUP) {
		not_started(run);
		*run->err = SL_ERROR_INIT;
		do_without_group(run);
		sl_filter_release(&filter);
		if (build_filter(run, true, &filter) < 0 || start_command(run, &filter, true) < 0)
			return;
	}
	/* An outer sandbox has the one listener that the kernel allows. */
	if (run->child.step == SL_CHILD_FILTER && run->child.error == EBUSY) {
		not_started(run);
		if (options->observer) {
			sl_error_set(run->err, EBUSY,
				     "cannot observe here: an outer sandbox watches this process already");
			return;
		}
		if (options->upper || run->command->disk_bytes > 0) {
			sl_error_set(run->err, EBUSY,
				     "cannot keep changes apart here: an outer sandbox watches this process already");
			return;
		}
		if (run->command->processes > 0) {
			sl_error_set(run->err, EBUSY,
				     "cannot limit the number of processes here: an outer sandbox watches this process already; "
				     "limit the outer one");
			return;
		}
		if (lacks_listener(run))
			return;
		*run->err = SL_ERROR_INIT;
		if (build_filter(run, false, &unheard) < 0 || start_command(run, &unheard, false) < 0)
			return;
	}
	if (run->child.step) {
		not_started(run);
		return;
	}
	sl_status_start(options->status_fd, run->name, options->mode, run->child.pid);
	run->outcome->kind = SL_OUTCOME_EXITED;
	sl_run_loop(run);
	if (run->outcome->kind == SL_OUTCOME_FAILED)
		return;
	run->outcome->code =
	    WIFSIGNALED(run->wait_status) ? WTERMSIG(run->wait_status) : WEXITSTATUS(run->wait_status);
	if (WIFSIGNALED(run->wait_status))
		run->outcome->kind = SL_OUTCOME_SIGNALED;
	if (sl_limit_group_over(&run->group, run->command->memory_bytes, run->outcome->limit,
				sizeof(run->outcome->limit)))
		run->over_limit = WIFSIGNALED(run->wait_status);
	if (run->over_limit) {
		run->outcome->kind = SL_OUTCOME_SIGNALED;
		run->outcome->code = SIGKILL;
	}
	if (run->timed_out)
		run->outcome->kind = SL_OUTCOME_TIMEOUT;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* CPU time of all children so far that were waited for. */
static double children_cpu_s(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_CHILDREN, &usage) == 0 ? seconds(usage.ru_utime) + seconds(usage.ru_stime) : 0;
}

static void keep_peaks(const struct sl_run *run)
{
	const struct sl_usage_peak *ends = &run->notifier.peak, *looks = &run->limits.meter.peak;
	int64_t data_bytes = SL_MAX(ends->data_bytes, looks->data_bytes);

	run->outcome->peaks = (struct sl_peaks){
	    .memory_bytes = SL_MAX(run->limits.peak_bytes, SL_MAX(data_bytes, ends->resident_bytes)),
	    .processes = SL_MAX(run->notifier.forks.peak, 1),
	    .descriptors = SL_MAX(ends->descriptors, looks->descriptors),
	};
}

static void tear_down(struct sl_run *run)
{
	sl_notifier_stop(&run->notifier);
	if (!run->options->policy && run->net.resolver)
		sl_resolver_await(run->net.resolver);
	if (run->options->observer)
		sl_observer_net_settle(run->options->observer,
				       run->net.resolver ? sl_resolver_names(run->net.resolver) : NULL);
	sl_resolver_free(run->net.resolver);
	if (run->notifier.measure)
		keep_peaks(run);
	run->outcome->peaks.cpu_s = children_cpu_s() - run->started_cpu_s;
	sl_forks_release(&run->notifier.forks);
	sl_limits_release(&run->limits);
	sl_limits_release(&run->notifier.ends);
	if (run->options->observer && !run->options->policy)
		sl_observer_left(run->options->observer, run->notifier.view ? sl_view_calls_type : NULL,
				 run->notifier.view);
	if (run->notifier.view && run->notifier.disk.limit_bytes) /* it may outlive us */
		sl_view_set_fault(run->notifier.view->view, NULL, NULL);
	sl_view_calls_free(run->notifier.view);
	run->notifier.view = NULL;
	if (run->options->upper && !run->options->keep_view)
		sl_tree_remove(run->options->upper);
	sl_throttle_release(&run->throttle);
	if (run->options->tmp_dir)
		sl_tree_remove(run->options->tmp_dir);
	sl_limit_group_end(&run->group);
	sl_killer_stop(&run->killer);
	sl_limit_group_end(&run->group);
	run->child.listener_fd = sl_close(run->child.listener_fd);
	sl_child_release(&run->child);
	run->outcome->elapsed_s = sl_now_s() - run->started_s;
	sl_status_end(run->options->status_fd, run->outcome, run->err);
	sl_control_release(&run->control);
	sl_notifier_release(&run->notifier);
	sl_signals_release(&run->signals);
}

void sl_sandbox_run(const struct sl_command *command, const struct sl_sandbox_options *options,
		    struct sl_outcome *ret, struct sl_error *err)
{
	struct sl_error unwanted = SL_ERROR_INIT;
	struct sl_run run = {
	    .command = command,
	    .options = options,
	    .outcome = ret,
	    .err = err ? err : &unwanted,
	    .signals = SL_SIGNALS_INIT,
	    .killer = SL_KILLER_INIT,
	    .group = SL_LIMIT_GROUP_INIT,
	    .control = SL_CONTROL_INIT,
	    .started_s = sl_now_s(),
	};

	run.started_cpu_s = children_cpu_s();
	*ret = (struct sl_outcome){.kind = SL_OUTCOME_FAILED};
	run.child.command = command;
	run.child.listener_fd = -EBADF;
	run.child.group_fd = -EBADF;
	run.child.caller_mask = &run.signals.caller_mask;
	run.child.caller_sigchld = &run.signals.caller_sigchld;
	run.notifier.observer = options->observer;
	run.notifier.child = &run.child;
	run.notifier.measure = options->measure && options->observer;
	run.notifier.forks.limit = options->policy ? SL_MAX(command->processes, 0) : 0;
	run.control.command = command;
	run.control.options = options;
	run.control.who = &run.notifier.behalf;
	run.control.name = run.name;
	run.control.started = time(NULL);
	sl_notifier_init(&run.notifier);
	sl_progress_init(&run.progress, options->progress, run.started_s);
	run_command(&run);
	tear_down(&run);
}

int sl_outcome_status(const struct sl_outcome *o)
{
	switch (o->kind) {
	case SL_OUTCOME_EXITED:
		return o->code;
	case SL_OUTCOME_SIGNALED:
		return 128 + o->code;
	case SL_OUTCOME_TIMEOUT:
		return SANDLOCK_STATUS_TIMEOUT;
	case SL_OUTCOME_NOT_STARTED:
		return o->code == ENOENT ? SANDLOCK_STATUS_NOT_FOUND : SANDLOCK_STATUS_NOT_EXECUTABLE;
	case SL_OUTCOME_FAILED:
	default:
		return SANDLOCK_STATUS_FAILED;
	}
}
