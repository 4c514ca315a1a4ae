/*
 * behalf-harness.h - run a function in a process that is confined as run confines it (outer signal scope,
 * Landlock domain, seccomp program) while this process answers its notifications with sl_behalf_notify().
 *
 * Included by the tests of behalf.h alone. check runs each test in a process of its own, which stays in the
 * outer domain.
 */
#ifndef SL_TESTS_BEHALF_HARNESS_H
#define SL_TESTS_BEHALF_HARNESS_H

#include <check.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/strbuf.h"
#include "kernel/landlock.h"
#include "kernel/seccomp.h"
#include "policy/filter.h"
#include "net-plans.h"
#include "net/net.h"
#include "supervise/behalf.h"

#ifndef __NR_pidfd_open
#define __NR_pidfd_open 434
#endif
#ifndef __NR_pidfd_getfd
#define __NR_pidfd_getfd 438
#endif

#define OTHER_UID 61234 /* an ordinary user; nobody has the number */

/* How the child is confined. */
struct confinement {
	const char *writable; /* directory in which all rights are granted; "/" can be read and executed */
	uid_t uid;	      /* the child becomes this user, and executes nothing since; 0: it stays */
	struct sl_self_rule self[4]; /* ends with a NULL rest */
	bool no_network; /* nothing listed; else as while learning */
};

/* Memory that the child and the test share. */
static inline void *shared_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

static inline void enter_outer_domain(void)
{
	static bool entered;
	struct sl_landlock_masks masks = {.scoped = SL_LL_SCOPE_SIGNAL | SL_LL_SCOPE_ABSTRACT_UNIX};
	int fd;

	if (entered)
		return;
	fd = sl_landlock_create(&masks);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(sl_landlock_restrict(fd), 0);
	close(fd);
	entered = true;
}

static inline int add_path(int ruleset, const char *path, uint64_t rights)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	int r = fd < 0 ? -errno : sl_landlock_add_path(ruleset, fd, rights);

	sl_close(fd);
	return r;
}

/* The child's side: 0, or the number of the step that failed. The listener's number goes through the socket.
 */
static inline int confine(const struct confinement *c, int report)
{
	struct sl_landlock_masks masks = sl_landlock_masks(sl_landlock_abi(), 0);
	struct sl_filter_plan plan = {.listener = true,
				      .attributes = true,
				      .open_self = c->self[0].rest,
				      .open_self_write = c->self[0].rest,
				      .net = NET_LEARN};
	struct sl_filter filter;
	static const struct sl_net_plan nothing = NET_NOTHING;
	int ruleset = sl_landlock_create(&masks), number;

	if (c->no_network)
		plan.net = nothing;
	if (ruleset < 0 || sl_filter_build(&plan, &filter, NULL) < 0)
		return 240;
	/* Directories but /proc are open, as far as modes let. */
	if (add_path(ruleset, "/usr", SL_LL_READ_FILE | SL_LL_READ_DIR | SL_LL_EXECUTE) ||
	    add_path(ruleset, "/etc", SL_LL_READ_FILE | SL_LL_READ_DIR) ||
	    add_path(ruleset, "/dev", SL_LL_READ_FILE | SL_LL_WRITE_FILE | SL_LL_READ_DIR) ||
	    add_path(ruleset, "/tmp", SL_LL_READ_FILE | SL_LL_READ_DIR) ||
	    add_path(ruleset, "/var", SL_LL_READ_FILE | SL_LL_READ_DIR) ||
	    (c->writable && add_path(ruleset, c->writable, masks.fs)))
		return 241;
	if (c->uid && (syscall(__NR_setgroups, 0, NULL) || setresgid(c->uid, c->uid, c->uid) ||
		       setresuid(c->uid, c->uid, c->uid)))
		return 242;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || sl_landlock_restrict(ruleset))
		return 243;
	number = sl_seccomp_load(filter.insns, filter.len, 1);
	sl_filter_release(&filter);
	if (number < 0 || write(report, &number, sizeof(number)) != sizeof(number))
		return 244;
	/* The test's turn: it takes the listener. */
	return read(report, &number, 1) == 1 ? 0 : 245;
}

struct confined {
	pid_t pid;
	int listener;
	struct sl_policy policy;
	struct sl_rule rule;
	struct sl_net net;
	struct sl_behalf behalf;
};

static inline void confined_start(struct confined *k, const struct confinement *c, int (*run)(void *),
				  void *arg)
{
	int ends[2], number, pidfd, r;

	enter_outer_domain();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	k->pid = fork();
	ck_assert_int_ge(k->pid, 0);
	if (k->pid == 0) {
		r = confine(c, ends[1]);
		_exit(r ? r : run(arg));
	}
	close(ends[1]);
	r = (int)read(ends[0], &number, sizeof(number));
	ck_assert_msg(r == sizeof(number), "the child could not be confined");
	pidfd = (int)syscall(__NR_pidfd_open, k->pid, 0);
	k->listener = (int)syscall(__NR_pidfd_getfd, pidfd, number, 0);
	ck_assert_int_ge(k->listener, 0);
	close(pidfd);
	ck_assert_int_eq(write(ends[0], "", 1), 1);
	close(ends[0]);
	k->policy = SL_POLICY_INIT;
	k->rule =
	    (struct sl_rule){(char *)(uintptr_t)c->writable, SL_RIGHTS_ALL, true, "filesystem.create", 1};
	k->policy.rules = &k->rule;
	k->policy.rule_count = c->writable ? 1 : 0;
	k->policy.self_rules = (struct sl_self_rule *)(uintptr_t)c->self;
	while (k->policy.self_rule_count < SL_ARRAY_LEN(c->self) && c->self[k->policy.self_rule_count].rest)
		k->policy.self_rule_count++;
	k->net = (struct sl_net){.policy = &k->policy, .plan = NET_NOTHING, .ruleset_fd = -EBADF};
	k->behalf = (struct sl_behalf){
	    .net = &k->net, .policy = &k->policy, .tool_pid = getpid(), .root_pid = k->pid, .signal_scope = true};
}

/* Answer until the last process of the sandbox is gone. The first one's status, negative for a signal. */
static inline int confined_serve(struct confined *k)
{
	struct pollfd p = {.fd = k->listener, .events = POLLIN};
	struct seccomp_notif n;
	int status;

	while (poll(&p, 1, 60000) == 1 && !(p.revents & POLLHUP))
		if (sl_notif_recv(k->listener, &n) == 0)
			sl_behalf_notify(&k->behalf, k->listener, &n);
	close(k->listener);
	ck_assert_int_eq(waitpid(k->pid, &status, 0), k->pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline int run_confined(const struct confinement *c, int (*run)(void *), void *arg)
{
	struct confined k;

	confined_start(&k, c, run, arg);
	return confined_serve(&k);
}

/* A new directory, canonical; malloc'd. */
static inline char *make_dir(void)
{
	char name[] = "/var/tmp/sl-behalf-XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(name));
	ck_assert_int_eq(chmod(name, 0755), 0);
	return strdup(name);
}

static inline int run_tests(const char *name, const TTest *const *tests, size_t count)
{
	Suite *s = suite_create(name);
	TCase *t = tcase_create(name);
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 90);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(t, tests[i]);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
