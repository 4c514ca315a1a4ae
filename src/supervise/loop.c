/*
 * loop.c - the main thread's loop: one poll over signals, killer, listener, registry; small handlers that do
 * not block.
 *
 * The end is the kernel's word: every process of the sandbox descends from the tool, whose orphans come to it
 * (it is their subreaper), and the killer does not count as a child here (killer.h). So when wait4 says
 * ECHILD nothing is left.
 */
#include <signal.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "supervise/members.h"
#include "supervise/run.h"

#define LINGER_S     1.0  /* for what the command left running */
#define TERM_GRACE_S 1.0  /* between SIGTERM and SIGKILL */
#define KILL_AGAIN_S 0.02 /* between passes where there is no signal scope */
#define LOOK_AGAIN_S 0.001 /* for children while the notifier has the word */
#define FDS_FIXED    3
#define FDS_MAX	     (FDS_FIXED + SL_CONTROL_FDS_MAX)

/* kill(-1) reached the killer as well. The private directories and a cgroup still need one until they are removed. */
static void renew_killer(struct sl_run *run)
{
	sl_killer_stop(&run->killer);
	if (run->options->tmp_dir || run->options->upper || sl_limit_group_is_open(&run->group))
		sl_run_killer(run, NULL);
}

static void kill_all(struct sl_run *run)
{
	bool first = run->phase != SL_PHASE_KILLED;

	sl_throttle_let_go(&run->throttle);
	run->phase = SL_PHASE_KILLED;
	run->deadline_s = run->domain == SL_DOMAIN_SIGNAL ? 0 : sl_now_s() + KILL_AGAIN_S;
	sl_members_signal(&run->notifier.behalf, SIGKILL);
	if (first && run->domain == SL_DOMAIN_SIGNAL)
		renew_killer(run);
}

static void end_all(struct sl_run *run)
{
	if (run->phase >= SL_PHASE_ENDING)
		return;
	run->phase = SL_PHASE_ENDING;
	run->deadline_s = sl_now_s() + TERM_GRACE_S;
	sl_members_signal(&run->notifier.behalf, SIGTERM);
	sl_members_signal(&run->notifier.behalf, SIGCONT);
}

static void fail(struct sl_run *run)
{
	run->outcome->kind = SL_OUTCOME_FAILED;
	kill_all(run);
}

static void command_ended(struct sl_run *run, int status)
{
	run->command_ended = true;
	run->wait_status = status;
	if (run->phase == SL_PHASE_RUNNING) {
		run->phase = SL_PHASE_LINGERING;
		run->deadline_s = sl_now_s() + LINGER_S;
	}
}

/* Would somebody who sees us stop continue us? A shell with job control is in our session and has put us into a process
 * group of our own. Any other parent only waits for our end, and whatever then continues the command does not know us. */
static bool is_job(void)
{
	pid_t parent = getppid();

	return parent > 0 && getsid(parent) == getsid(0) && getpgid(parent) != getpgrp();
}

/* The time limit holds while we are stopped: a signal of our own continues us then. */
static void wake_at_timeout(struct sl_run *run)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGCONT};
	double left_s = run->started_s + run->options->timeout_s - sl_now_s();
	struct itimerspec when = {0};
	timer_t timer;

	if (run->options->timeout_s <= 0 || run->wake_armed)
		return;
	left_s = SL_MAX(left_s, 0.001);
	when.it_value.tv_sec = (time_t)left_s;
	when.it_value.tv_nsec = (long)((left_s - (double)when.it_value.tv_sec) * 1e9);
	run->wake_armed = timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 &&
			  timer_settime(timer, 0, &when, NULL) == 0;
}

/* wait4(2) for the main thread. While the notifier makes a caller do another call, stops of children may be its own:
 * nothing is taken then, as if there were no news, and we look again soon. */
static pid_t next_news(struct sl_run *run, pid_t pid, int flags, int *status, struct rusage *usage)
{
	pid_t r = 0;

	*status = 0;
	if (pthread_mutex_trylock(&run->notifier.substitute.lock) == 0) {
		r = wait4(pid, status, flags | WNOHANG, usage);
		pthread_mutex_unlock(&run->notifier.substitute.lock);
	} else {
		run->look_again = true;
	}
	return r;
}

/* The command stopped: so do we, if we are somebody's job, unless it has been continued in the meantime. */
static void command_stopped(struct sl_run *run, int sig)
{
	int status;

	run->command_stopped = true;
	if (next_news(run, run->child.pid, WCONTINUED, &status, NULL) == run->child.pid) {
		run->command_stopped = false;
		if (!WIFCONTINUED(status))
			command_ended(run, status);
		return;
	}
	if (!is_job())
		return;
	sl_progress_clear(&run->progress);
	sl_throttle_let_go(&run->throttle);
	wake_at_timeout(run);
	sl_signals_stop_self(sig);
}

/* A process can make its parent its tracer (PTRACE_TRACEME), and we are the parent of the command and of all that lost
 * theirs. It would stop for each signal and wait for us, and such a stop says nothing about the job: let go of it, and let
 * the signal take its way. False where it is not traced by us. */
static bool let_go(pid_t pid, int sig)
{
	return ptrace(PTRACE_DETACH, pid, NULL, (void *)(intptr_t)sig) == 0;
}

/* Take the news of all children. Returns false when there are none left. */
static bool reap(struct sl_run *run)
{
	struct rusage usage;
	pid_t pid;
	int status;

	run->look_again = false;
	while ((pid = next_news(run, sl_limit_group_peek(&run->group), WUNTRACED | WCONTINUED, &status, &usage)) > 0) {
		bool command = pid == run->child.pid && !run->command_ended;

		if (sl_throttle_has_stopped(&run->throttle, pid, status))
			continue;
		if (WIFSTOPPED(status) && let_go(pid, WSTOPSIG(status)))
			continue;
		if (WIFSTOPPED(status) || WIFCONTINUED(status)) {
			if (command && WIFSTOPPED(status))
				command_stopped(run, WSTOPSIG(status));
			else if (command)
				run->command_stopped = false;
			continue;
		}
		sl_limit_group_reaped(&run->group, pid, status, &usage);
		run->outcome->max_rss_kib = SL_MAX(run->outcome->max_rss_kib, usage.ru_maxrss);
		if (run->phase == SL_PHASE_KILLED && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
			run->outcome->killed++;
		if (command)
			command_ended(run, status);
	}
	return !(pid < 0 && errno == ECHILD);
}

/* We were continued: by a shell that continued the whole job, the command with it, or somebody who knows us
 * alone. */
static void forward_continue(struct sl_run *run)
{
	pid_t group = getpgid(run->child.pid);
	int status;

	if (next_news(run, run->child.pid, WCONTINUED, &status, NULL) == run->child.pid) {
		if (!WIFCONTINUED(status))
			command_ended(run, status);
		run->command_stopped = false;
		return;
	}
	/* Within the signal scope the group is no more than the sandbox's part of it, and we. */
	if (run->command_stopped && group > 0 && (run->domain == SL_DOMAIN_SIGNAL || group != getpgrp()))
		kill(-group, SIGCONT);
	else
		kill(run->child.pid, SIGCONT);
	run->command_stopped = false;
}

/* Somebody ends the tool: as timeout(1) does, all of the command's process group hears it. A shell that waits for a
 * child would else go on until that child ends. Within the signal scope the group is no more than the sandbox's part
 * of it, and we, who do not listen to ourselves. */
static void forward_end(struct sl_run *run, int sig)
{
	pid_t group = run->domain == SL_DOMAIN_SIGNAL ? getpgid(run->child.pid) : -1;

	if (group <= 1 || kill(-group, sig) < 0)
		kill(run->child.pid, sig);
}

static void handle_signal(struct sl_run *run, const struct signalfd_siginfo *info)
{
	int sig = (int)info->ssi_signo;
	bool terminating = sig == SIGTERM || sig == SIGINT || sig == SIGHUP || sig == SIGQUIT;

	if (sig == SIGCHLD)
		return;
	if (terminating && run->phase == SL_PHASE_LINGERING)
		run->deadline_s = sl_now_s();
	if (!sl_signal_is_ours(info))
		return;
	if (terminating)
		run->outcome->interrupted = true;
	if (run->command_ended)
		return;
	if (sig == SIGCONT)
		forward_continue(run);
	else if (terminating)
		forward_end(run, sig);
	else
		kill(run->child.pid, sig);
}

static void limit_reached(struct sl_run *run)
{
	snprintf(run->outcome->limit, sizeof(run->outcome->limit), "%s", run->limits.text);
	run->over_limit = !run->command_ended;
	kill_all(run);
}

static void check_time(struct sl_run *run)
{
	double now_s = sl_now_s();

	if (run->options->timeout_s > 0 && now_s >= run->started_s + run->options->timeout_s &&
	    run->phase == SL_PHASE_RUNNING) {
		run->timed_out = true;
		end_all(run);
	}
	if (run->deadline_s > 0 && now_s >= run->deadline_s)
		kill_all(run);
	if (run->phase != SL_PHASE_KILLED)
		sl_throttle_tick(&run->throttle, now_s);
	if (run->phase != SL_PHASE_KILLED && sl_limits_tick(&run->limits, now_s))
		limit_reached(run);
	sl_progress_tick(&run->progress, now_s, run->started_s,
			 __atomic_load_n(&run->notifier.calls, __ATOMIC_RELAXED));
}

/* Milliseconds to the next thing to do by itself, or -1. */
static int wait_ms(const struct sl_run *run)
{
	double now_s = sl_now_s(), next_s = 0;

	if (run->look_again)
		next_s = now_s + LOOK_AGAIN_S;
	if (run->options->timeout_s > 0 && run->phase == SL_PHASE_RUNNING && !run->look_again)
		next_s = run->started_s + run->options->timeout_s;
	if (run->deadline_s > 0 && (next_s <= 0 || run->deadline_s < next_s))
		next_s = run->deadline_s;
	if (run->progress.enabled && (next_s <= 0 || run->progress.next_s < next_s))
		next_s = run->progress.next_s;
	if (run->throttle.share > 0 && run->phase != SL_PHASE_KILLED && (next_s <= 0 || run->throttle.next_s < next_s))
		next_s = run->throttle.next_s;
	if (run->limits.enabled && run->phase != SL_PHASE_KILLED && (next_s <= 0 || run->limits.next_s < next_s))
		next_s = run->limits.next_s;
	if (next_s <= 0)
		return -1;
	if (next_s <= now_s)
		return 0;
	return next_s - now_s > 3600 ? 3600 * 1000 : (int)((next_s - now_s) * 1000) + 1;
}

/* Nobody is under the filter any more: all of the sandbox is past the last instruction of its own (do_exit(),
 * or release_task() before Linux 6.11), so there is nothing left to kill. The killer ends while the kernel
 * ends them. Where it would have a directory to remove it stays. */
static void dismiss_killer(struct sl_run *run)
{
	if (run->options->tmp_dir || run->options->upper || sl_limit_group_is_open(&run->group) ||
	    run->phase == SL_PHASE_KILLED)
		return;
	run->killer_dismissed = true;
	sl_killer_kill(&run->killer);
}

static void listener_ready(struct sl_run *run, short events)
{
	run->watch_listener = false;
	if (events == POLLHUP)
		dismiss_killer(run);
	if ((events & POLLIN) && sl_notifier_start(&run->notifier, run->err) < 0)
		fail(run);
}

static void wait_and_serve(struct sl_run *run)
{
	bool watch_killer = run->phase != SL_PHASE_KILLED && !run->killer_dismissed;
	struct pollfd fds[FDS_MAX] = {
	    {.fd = run->signals.fd, .events = POLLIN},
	    {.fd = watch_killer ? run->killer.fd : -1, .events = POLLIN},
	    {.fd = run->watch_listener ? run->child.listener_fd : -1, .events = POLLIN},
	};
	size_t control = sl_control_poll(&run->control, fds + FDS_FIXED);
	struct signalfd_siginfo info;

	if (poll(fds, FDS_FIXED + control, wait_ms(run)) < 0)
		return;
	if (fds[1].revents) {
		sl_error_set(run->err, ECHILD, "the killer process was ended by somebody; so is the sandbox");
		fail(run);
	}
	if (fds[2].revents)
		listener_ready(run, fds[2].revents);
	while (fds[0].revents && sl_signals_next(&run->signals, &info))
		handle_signal(run, &info);
	sl_control_serve(&run->control, fds + FDS_FIXED, control);
	if (run->control.kill_requested)
		end_all(run);
}

void sl_run_loop(struct sl_run *run)
{
	do {
		wait_and_serve(run);
		check_time(run);
	} while (reap(run));
	sl_progress_clear(&run->progress);
}
