/*
 * domain.c - the outer domain: no right withheld, signals scoped.
 *
 * A Landlock layer that does not handle REFER refuses every rename and link across directories as soon as any
 * layer above or below it handles files (landlock(7): REFER is denied by default). So the ruleset handles
 * REFER and grants it from the root down. ABI 1 has no REFER; there it handles the making of block devices,
 * and grants that.
 */
#include "supervise/domain.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>

#include "kernel/landlock.h"

int sl_domain_ruleset(uint64_t disabled, struct sl_error *err)
{
	int abi = sl_landlock_abi();
	struct sl_landlock_masks masks = sl_landlock_masks(abi, disabled | SL_PROTECT_ABSTRACT_UNIX);
	SL_CLOSE int root = -EBADF;
	SL_CLOSE int ruleset = -EBADF;
	int r;

	if (abi < 1)
		return -EBADF;
	masks.fs = abi >= 2 ? SL_LL_REFER : SL_LL_MAKE_BLOCK;
	masks.net = 0;
	ruleset = sl_landlock_create(&masks);
	if (ruleset < 0)
		return sl_error_errno(err, -ruleset, "cannot make a Landlock ruleset");
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = root < 0 ? -errno : sl_landlock_add_path(ruleset, root, masks.fs);
	if (r < 0)
		return sl_error_errno(err, -r, "cannot add / to a Landlock ruleset");
	return SL_TAKE_FD(ruleset);
}

static int enter(uint64_t disabled, bool scope, struct sl_error *err)
{
	SL_CLOSE int ruleset = sl_domain_ruleset(disabled, err);
	pid_t outsider = getppid();
	bool reached;
	int r;

	if (ruleset < 0)
		return ruleset;
	/* Of a parent in another pid namespace only 0 is known. */
	reached = outsider > 0 && kill(outsider, 0) == 0;
	r = sl_landlock_restrict(ruleset);
	if (r < 0)
		return sl_error_errno(err, -r, "cannot enter a Landlock domain");
	if (scope && reached && kill(outsider, 0) == 0)
		return sl_error_set(err, ENOTSUP, "the kernel's signal scope does not hold");
	return 0;
}

int sl_domain_enter(uint64_t disabled, struct sl_error *err)
{
	static int entered = SL_DOMAIN_NONE;
	int abi = sl_landlock_abi();
	bool scope = sl_landlock_masks(abi, disabled).scoped & SL_LL_SCOPE_SIGNAL;
	int wanted = scope ? SL_DOMAIN_SIGNAL : abi >= 1 ? SL_DOMAIN_TRACE : SL_DOMAIN_NONE;
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return sl_error_errno(err, errno, "cannot set no_new_privs");
	if (entered >= wanted)
		return entered;
	r = enter(disabled, scope, err);
	if (r < 0)
		return r;
	entered = wanted;
	return entered;
}
