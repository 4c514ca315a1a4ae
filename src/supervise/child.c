/*
 * child.c - the command's process from its making to its execve.
 *
 * Between clone and execve only async-signal-safe calls are made, on memory that the calling thread of the
 * tool, which is suspended, had prepared. After the filter is loaded one system call is left, the execve: no
 * rule of a profile can get in the way of the set-up. The order is given by what each step forbids to the
 * next.
 */
#include "supervise/child.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/path.h"
#include "kernel/capabilities.h"
#include "kernel/landlock.h"
#include "kernel/seccomp.h"
#include "supervise/limits.h"

#define STACK_BYTES (64 * 1024)
#define SHELL_PATH  "/bin/sh"

/* The child never returns from the frames it leaves on its stack, which the sanitizer could not know. */
#define CHILD_SIDE __attribute__((no_sanitize("address")))

/* Both the limit and its bound, never above what they are now. */
CHILD_SIDE static int lower_limit(int resource, int64_t most)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
		return -errno;
	limit.rlim_max = SL_MIN((rlim_t)most, limit.rlim_max);
	limit.rlim_cur = limit.rlim_max;
	return setrlimit((__rlimit_resource_t)resource, &limit) < 0 ? -errno : 0;
}

/* Room for stacks is made by the supervisor (limits.h), or, where there is none, from the start. */
CHILD_SIDE static int limit_data(const struct sl_child *c)
{
	struct rlimit limit;
	rlim_t most = (rlim_t)c->command->memory_bytes;

	if (getrlimit(RLIMIT_DATA, &limit) < 0)
		return -errno;
	limit.rlim_max = SL_MIN(most + SL_LIMITS_STACKS_BYTES, limit.rlim_max);
	limit.rlim_cur = c->listener ? SL_MIN(most, limit.rlim_max) : limit.rlim_max;
	return setrlimit(RLIMIT_DATA, &limit) < 0 ? -errno : 0;
}

CHILD_SIDE static int limit_resources(const struct sl_child *c)
{
	const struct sl_command *command = c->command;
	int r = 0;

	if (command->no_coredump)
		r = lower_limit(RLIMIT_CORE, 0);
	if (r == 0 && command->open_files > 0)
		r = lower_limit(RLIMIT_NOFILE, command->open_files);
	if (r == 0 && c->limit_data)
		r = limit_data(c);
	return r;
}

/* Whoever may raise the kernel's limits is not limited by them. */
CHILD_SIDE static bool has_resource_limits(const struct sl_child *c)
{
	return c->limit_data || c->command->open_files > 0;
}

CHILD_SIDE static int fix_addresses(void)
{
	int persona = personality(0xffffffff);

	return persona < 0 || personality((unsigned int)persona | ADDR_NO_RANDOMIZE) < 0 ? -errno : 0;
}

CHILD_SIDE static void fail(struct sl_child *c, enum sl_child_step step, int error)
{
	c->error = error;
	__atomic_store_n(&c->step, (int)step, __ATOMIC_RELEASE);
	syscall(SYS_futex, &c->listener_fd, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	_exit(127);
}

CHILD_SIDE static void prepare(struct sl_child *c)
{
	const struct sl_command *command = c->command;
	int r;

	if (command->cwd && chdir(command->cwd) < 0)
		fail(c, SL_CHILD_CWD, errno);
	if (c->group_fd >= 0 && write(c->group_fd, "0", 1) != 1)
		fail(c, SL_CHILD_GROUP, errno);
	r = limit_resources(c);
	if (r < 0)
		fail(c, SL_CHILD_LIMITS, -r);
	if (command->no_randomize_memory && (r = fix_addresses()) < 0)
		fail(c, SL_CHILD_PERSONALITY, -r);
	if (c->cpus && sched_setaffinity(0, c->cpus_size, c->cpus) < 0)
		fail(c, SL_CHILD_AFFINITY, errno);
	r = sl_capabilities_limit(has_resource_limits(c));
	if (r < 0)
		fail(c, SL_CHILD_CAPABILITIES, -r);
	if (c->ruleset_fd >= 0 && (r = sl_landlock_restrict(c->ruleset_fd)) < 0)
		fail(c, SL_CHILD_DOMAIN, -r);
	sigaction(SIGCHLD, c->caller_sigchld, NULL);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, c->caller_mask, NULL, sizeof(*c->caller_mask));
}

CHILD_SIDE static int child_main(void *arg)
{
	struct sl_child *c = arg;
	const struct sl_command *command = c->command;
	int r;

	prepare(c);
	r = sl_seccomp_load(c->filter->insns, c->filter->len, c->listener);
	if (r < 0)
		fail(c, SL_CHILD_FILTER, -r);
	if (c->listener) {
		__atomic_store_n(&c->listener_fd, r, __ATOMIC_RELEASE);
		syscall(SYS_futex, &c->listener_fd, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	}
	execve(command->file, command->argv, command->envp);
	if (errno == ENOEXEC)
		execve(SHELL_PATH, c->shell_argv, command->envp);
	fail(c, SL_CHILD_EXEC, errno);
	return 127;
}

void sl_child_await_listener(struct sl_child *c, const bool *stop)
{
	/* The profile may refuse the child its futex call: look again now and then. */
	const struct timespec again = {.tv_nsec = 2000000};

	while (__atomic_load_n(&c->listener_fd, __ATOMIC_ACQUIRE) < 0 &&
	       !__atomic_load_n(&c->step, __ATOMIC_ACQUIRE) && !__atomic_load_n(stop, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &c->listener_fd, FUTEX_WAIT_PRIVATE, -EBADF, &again, NULL, 0);
}

static int parse_cpus(const struct sl_list *cores, struct sl_child *c, struct sl_error *err)
{
	long highest = 0;

	for (size_t i = 0; i < cores->len; i++)
		highest = SL_MAX(highest, strtol(cores->items[i].text, NULL, 10));
	if (highest < 0 || highest > 1 << 16)
		return sl_error_set(err, EINVAL, "there is no CPU %ld", highest);
	c->cpus_size = CPU_ALLOC_SIZE((size_t)highest + 1);
	c->cpus = sl_xcalloc(1, c->cpus_size);
	for (size_t i = 0; i < cores->len; i++)
		CPU_SET_S(strtoul(cores->items[i].text, NULL, 10), c->cpus_size, c->cpus);
	return 0;
}

static void make_shell_argv(struct sl_child *c)
{
	size_t n = 0;

	while (c->command->argv[n])
		n++;
	c->shell_argv = sl_xcalloc(n + 3, sizeof(*c->shell_argv));
	c->shell_argv[0] = (char *)SHELL_PATH;
	c->shell_argv[1] = (char *)c->command->file;
	for (size_t i = 1; i < n; i++)
		c->shell_argv[i + 1] = c->command->argv[i];
}

/* The child shares our descriptors until its execve: what it is to see on 1 stands there meanwhile. */
static int swap_stdout(const struct sl_command *command)
{
	int saved;

	if (!command->stdout_to_stderr)
		return -EBADF;
	saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	return saved;
}

static void restore_stdout(const struct sl_command *command, int saved)
{
	if (!command->stdout_to_stderr)
		return;
	if (saved < 0)
		close(STDOUT_FILENO);
	else
		dup2(saved, STDOUT_FILENO);
	sl_close(saved);
}

/* Suspended until the child has executed the command or ended. */
static int vfork_child(struct sl_child *c)
{
	static _Alignas(16) char stack[STACK_BYTES];
	const struct sl_command *command = c->command;
	int huge_pages = command->no_huge_pages ? prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) : 0;
	int stdout_fd = swap_stdout(command);
	int r = 0;

	/* A property of the memory, which execve hands on. */
	if (command->no_huge_pages)
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	if (clone(child_main, stack + sizeof(stack),
		  CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_PARENT_SETTID | SIGCHLD, c, &c->pid) < 0)
		r = -errno;
	if (command->no_huge_pages)
		prctl(PR_SET_THP_DISABLE, huge_pages, 0, 0, 0);
	restore_stdout(command, stdout_fd);
	return r;
}

int sl_child_prepare(struct sl_child *c, struct sl_error *err)
{
	const struct sl_list *cores = c->command->cpu_cores;
	int r = cores && cores->len ? parse_cpus(cores, c, err) : 0;

	if (r == 0)
		make_shell_argv(c);
	return r;
}

void sl_child_release(struct sl_child *c)
{
	free(c->cpus);
	free(c->shell_argv);
	c->cpus = NULL;
	c->shell_argv = NULL;
}

int sl_child_start(struct sl_child *c, struct sl_error *err)
{
	int r = vfork_child(c);

	return r < 0 ? sl_error_errno(err, -r, "cannot make a process") : 0;
}

int sl_child_error(const struct sl_child *c, struct sl_error *err)
{
	switch (c->step) {
	case SL_CHILD_CWD:
		return sl_error_errno(err, c->error, "cannot enter the directory %s",
				      sl_esc(c->command->cwd));
	case SL_CHILD_GROUP:
		return sl_error_errno(err, c->error, "cannot put the command into its cgroup");
	case SL_CHILD_LIMITS:
		return sl_error_errno(err, c->error, "cannot set resource limits");
	case SL_CHILD_PERSONALITY:
		return sl_error_errno(err, c->error, "cannot switch address randomization off");
	case SL_CHILD_AFFINITY:
		return sl_error_errno(err, c->error, "cannot bind the command to the listed CPUs");
	case SL_CHILD_CAPABILITIES:
		return sl_error_errno(err, c->error, "cannot give up capabilities");
	case SL_CHILD_DOMAIN:
		return sl_error_errno(err, c->error, "cannot enforce the Landlock ruleset");
	case SL_CHILD_FILTER:
		return sl_error_errno(err, c->error, "cannot load the seccomp program");
	default:
		return sl_error_errno(err, c->error, "cannot execute %s", sl_esc(c->command->file));
	}
}
