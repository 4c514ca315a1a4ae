/*
 * landlock.c - the three Landlock system calls, and what each ABI can handle.
 *
 * The masks follow the kernel's history (landlock(7), include/uapi/linux/landlock.h): ABI 1 has the first
 * thirteen file-system rights, 2 adds REFER, 3 TRUNCATE, 4 TCP bind and connect, 5 IOCTL_DEV, 6 the two
 * scopes; 7 adds nothing that restricts. A right that a ruleset does not handle is not restricted, but for
 * REFER: a domain that does not handle it refuses every link and rename across directories, so leaving it out
 * is never wider.
 */
#include "kernel/landlock.h"

#include <stdlib.h>
#include <sys/syscall.h>

#ifndef __NR_landlock_create_ruleset
#define __NR_landlock_create_ruleset 444
#define __NR_landlock_add_rule	     445
#define __NR_landlock_restrict_self  446
#endif

#define CREATE_RULESET_VERSION (1U << 0)
#define RULE_PATH_BENEATH      1
#define RULE_NET_PORT	       2

#define FS_ABI_1 ((SL_LL_MAKE_SYM << 1) - 1)

struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net; /* ABI 4 */
	uint64_t scoped;	     /* ABI 6 */
};

struct path_beneath_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

struct net_port_attr {
	uint64_t allowed_access;
	uint64_t port; /* host order */
};

const struct sl_protection_row sl_protections[] = {
    {"fs-refer", SL_PROTECT_FS_REFER, 2, false,
     "no link or rename across directories is possible, not even where the profile allows it"},
    {"fs-truncate", SL_PROTECT_FS_TRUNCATE, 3, true, "files can be cut to length zero without a write right"},
    {"net-tcp", SL_PROTECT_NET_TCP, 4, true, "TCP ports can be bound"},
    {"fs-ioctl-dev", SL_PROTECT_FS_IOCTL_DEV, 5, true, "device ioctls need no right"},
    {"signal-scope", SL_PROTECT_SIGNAL_SCOPE, 6, true, "processes outside the sandbox can be signalled"},
    {"abstract-unix-socket-scope", SL_PROTECT_ABSTRACT_UNIX, 6, true,
     "abstract sockets outside the sandbox can be reached"},
    {NULL, 0, 0, false, NULL},
};

int sl_landlock_abi_raw(void)
{
	long abi = syscall(__NR_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

int sl_landlock_abi(void)
{
	int abi = SL_MIN(sl_landlock_abi_raw(), SL_LL_ABI_MAX);
	const char *text = getenv("SANDLOCK_TEST_LANDLOCK_ABI");
	char *end;
	long lower;

	if (!text || !*text)
		return abi;
	lower = strtol(text, &end, 10);
	if (*end || lower < 0)
		return abi;
	return lower < abi ? (int)lower : abi;
}

struct sl_landlock_masks sl_landlock_masks(int abi, uint64_t disabled)
{
	struct sl_landlock_masks m = {0};

	if (abi >= 1)
		m.fs = FS_ABI_1;
	if (abi >= 2)
		m.fs |= SL_LL_REFER;
	if (abi >= 3 && !(disabled & SL_PROTECT_FS_TRUNCATE))
		m.fs |= SL_LL_TRUNCATE;
	if (abi >= 4 && !(disabled & SL_PROTECT_NET_TCP))
		m.net = SL_LL_NET_BIND_TCP | SL_LL_NET_CONNECT_TCP;
	if (abi >= 5 && !(disabled & SL_PROTECT_FS_IOCTL_DEV))
		m.fs |= SL_LL_IOCTL_DEV;
	if (abi >= 6 && !(disabled & SL_PROTECT_ABSTRACT_UNIX))
		m.scoped |= SL_LL_SCOPE_ABSTRACT_UNIX;
	if (abi >= 6 && !(disabled & SL_PROTECT_SIGNAL_SCOPE))
		m.scoped |= SL_LL_SCOPE_SIGNAL;
	return m;
}

int sl_landlock_create(const struct sl_landlock_masks *masks)
{
	struct ruleset_attr attr = {masks->fs, masks->net, masks->scoped};
	size_t size = masks->scoped ? sizeof(attr)
		      : masks->net  ? offsetof(struct ruleset_attr, scoped)
				    : offsetof(struct ruleset_attr, handled_access_net);
	long fd = syscall(__NR_landlock_create_ruleset, &attr, size, 0); /* always close-on-exec */

	return fd < 0 ? -errno : (int)fd;
}

int sl_landlock_add_path(int ruleset_fd, int path_fd, uint64_t rights)
{
	struct path_beneath_attr attr = {rights, path_fd};

	if (!rights)
		return 0;
	if (syscall(__NR_landlock_add_rule, ruleset_fd, RULE_PATH_BENEATH, &attr, 0) < 0)
		return -errno;
	return 0;
}

int sl_landlock_add_port(int ruleset_fd, uint16_t port, uint64_t rights)
{
	struct net_port_attr attr = {rights, port};

	if (syscall(__NR_landlock_add_rule, ruleset_fd, RULE_NET_PORT, &attr, 0) < 0)
		return -errno;
	return 0;
}

int sl_landlock_restrict(int ruleset_fd)
{
	return syscall(__NR_landlock_restrict_self, ruleset_fd, 0) < 0 ? -errno : 0;
}
