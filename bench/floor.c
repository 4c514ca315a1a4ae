/*
 * floor - run a command under the least that the kernel can enforce: a seccomp program of one instruction that allows
 * everything, and a Landlock ruleset that grants one path everything. What a call costs here more than bare is the kernel's
 * price for having such a thing at all; no profile can be cheaper. Its start is what any static program of this libc costs that
 * does so.
 *
 * usage: bench-floor PATH COMMAND [ARGUMENT...]	PATH: what the Landlock rule is for, as "/"
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALL_RIGHTS ((1ULL << 16) - 1)

static int fail(const char *what)
{
	perror(what);
	return 1;
}

int main(int argc, char **argv)
{
	/* Every right that ABI 5 knows, granted again below. */
	struct landlock_ruleset_attr attr = {.handled_access_fs = ALL_RIGHTS};
	struct landlock_path_beneath_attr rule = {.allowed_access = attr.handled_access_fs};
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {.len = 1, .filter = &allow};
	int ruleset;

	if (argc < 3) {
		fprintf(stderr, "usage: bench-floor PATH COMMAND [ARGUMENT...]\n");
		return 2;
	}
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return fail("landlock_create_ruleset");
	rule.parent_fd = open(argv[1], O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return fail(argv[1]);
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		return fail("landlock_add_rule");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_landlock_restrict_self, ruleset, 0))
		return fail("landlock_restrict_self");
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program))
		return fail("seccomp");
	close(ruleset);
	execvp(argv[2], argv + 2);
	return fail(argv[2]);
}
