/*
 * limit-group.c - see limit-group.h.
 *
 * Where memory runs out the kernel ends all processes of the group at once and says in its log alone whom it had chosen. All of
 * them come to us to be waited for, since their parents end with them: the one that had the most memory is named.
 */
#include "supervise/limit-group.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/path.h"
#include "profile/write.h"
#include "supervise/limits.h"

#define CHANGES (SL_RIGHT_WRITE | SL_RIGHT_CREATE | SL_RIGHT_DELETE)

struct search {
	const struct sl_policy *policy;
	bool found;
};

static void look_at_mount(const char *dir, void *arg)
{
	struct search *s = arg;

	for (size_t i = 0; i < s->policy->rule_count && !s->found; i++) {
		const struct sl_rule *rule = &s->policy->rules[i];

		s->found = rule->rights & CHANGES &&
			   (sl_path_within(rule->path, dir) || sl_path_within(dir, rule->path));
	}
}

/* May the command write anywhere in a tree of groups? */
static bool may_change_groups(const struct sl_policy *policy)
{
	struct search s = {.policy = policy};

	sl_cgroup_each_mount(&sl_cgroup_system, look_at_mount, &s);
	return s.found;
}

/* Processes that the kernel never ends for want of memory would wait for it instead. */
static bool is_never_killed(void)
{
	SL_FCLOSE FILE *f = fopen("/proc/self/oom_score_adj", "re");
	char text[16];

	return !f || !fgets(text, sizeof(text), f) || strtol(text, NULL, 10) <= -1000;
}

bool sl_limit_group_wanted(const struct sl_command *command, const struct sl_policy *policy)
{
	return policy && (command->memory_bytes > 0 || command->cpu_percent > 0);
}

void sl_limit_group_open(struct sl_limit_group *g, const struct sl_command *command, const struct sl_policy *policy)
{
	struct sl_cgroup_limits limits = {command->memory_bytes, command->cpu_percent};
	struct sl_cgroup_place place;
	unsigned int wanted;

	*g = SL_LIMIT_GROUP_INIT;
	if (!sl_limit_group_wanted(command, policy) || may_change_groups(policy))
		return;
	if (limits.memory_bytes > 0 && is_never_killed())
		limits.memory_bytes = 0;
	wanted = (limits.memory_bytes > 0 ? SL_CGROUP_MEMORY : 0U) | (limits.cpu_percent > 0 ? SL_CGROUP_CPU : 0U);
	if (!wanted)
		return;
	sl_cgroup_find(&sl_cgroup_system, wanted, &place);
	if (*place.dir)
		sl_cgroup_make(&sl_cgroup_system, &place, &limits, &g->cgroup);
}

void sl_limit_group_end(struct sl_limit_group *g)
{
	if (!sl_limit_group_is_open(g))
		return;
	g->cgroup.procs_fd = sl_close(g->cgroup.procs_fd);
	sl_cgroup_end(&g->cgroup);
}

pid_t sl_limit_group_peek(struct sl_limit_group *g)
{
	siginfo_t info = {0};

	if (!sl_limit_group_holds(g, SL_CGROUP_MEMORY) ||
	    waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid <= 0)
		return -1;
	g->peeked = info.si_pid;
	sl_limits_name_of(g->peeked, g->peeked_name, sizeof(g->peeked_name));
	return g->peeked;
}

void sl_limit_group_reaped(struct sl_limit_group *g, pid_t pid, int status, const struct rusage *usage)
{
	if (pid != g->peeked || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL ||
	    usage->ru_maxrss < g->largest_kib)
		return;
	g->largest = pid;
	g->largest_kib = usage->ru_maxrss;
	memcpy(g->largest_name, g->peeked_name, sizeof(g->largest_name));
}

bool sl_limit_group_over(const struct sl_limit_group *g, int64_t memory_bytes, char *ret, size_t size)
{
	if (!sl_limit_group_holds(g, SL_CGROUP_MEMORY) || !sl_cgroup_oom_kills(&g->cgroup))
		return false;
	sl_limits_say(memory_bytes, g->largest ? g->largest_name : "?", g->largest, ret, size);
	return true;
}
