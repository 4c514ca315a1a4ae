/*
 * landlock.h - Landlock system calls and constants, masks by ABI. Headers of the distribution are older than
 * the kernel, so the constants stand here (include/uapi/linux/landlock.h).
 */
#ifndef SL_KERNEL_LANDLOCK_H
#define SL_KERNEL_LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define SL_LL_EXECUTE	  (1ULL << 0)
#define SL_LL_WRITE_FILE  (1ULL << 1)
#define SL_LL_READ_FILE	  (1ULL << 2)
#define SL_LL_READ_DIR	  (1ULL << 3)
#define SL_LL_REMOVE_DIR  (1ULL << 4)
#define SL_LL_REMOVE_FILE (1ULL << 5)
#define SL_LL_MAKE_CHAR	  (1ULL << 6)
#define SL_LL_MAKE_DIR	  (1ULL << 7)
#define SL_LL_MAKE_REG	  (1ULL << 8)
#define SL_LL_MAKE_SOCK	  (1ULL << 9)
#define SL_LL_MAKE_FIFO	  (1ULL << 10)
#define SL_LL_MAKE_BLOCK  (1ULL << 11)
#define SL_LL_MAKE_SYM	  (1ULL << 12)
#define SL_LL_REFER	  (1ULL << 13) /* ABI 2 */
#define SL_LL_TRUNCATE	  (1ULL << 14) /* ABI 3 */
#define SL_LL_IOCTL_DEV	  (1ULL << 15) /* ABI 5 */

#define SL_LL_NET_BIND_TCP    (1ULL << 0) /* ABI 4 */
#define SL_LL_NET_CONNECT_TCP (1ULL << 1)

#define SL_LL_SCOPE_ABSTRACT_UNIX (1ULL << 0) /* ABI 6 */
#define SL_LL_SCOPE_SIGNAL	  (1ULL << 1)

/* The newest ABI whose rights are known here; a newer kernel is clamped to it. */
#define SL_LL_ABI_MAX 7

/* Protections that can be allowed to degrade (--allow-degraded) or be left out (--disable), as bits. */
enum sl_protection {
	SL_PROTECT_FS_REFER = 1 << 0,
	SL_PROTECT_FS_TRUNCATE = 1 << 1,
	SL_PROTECT_NET_TCP = 1 << 2,
	SL_PROTECT_FS_IOCTL_DEV = 1 << 3,
	SL_PROTECT_SIGNAL_SCOPE = 1 << 4,
	SL_PROTECT_ABSTRACT_UNIX = 1 << 5,
};

/* One row a protection: its option name, bit, the first ABI that has it, whether --disable takes it. Ends with NULL. */
struct sl_protection_row {
	const char *name;
	uint64_t bit;
	int min_abi;
	bool can_disable;
	const char *without; /* what a program could do if it is not enforced, for messages */
};
extern const struct sl_protection_row sl_protections[];

/* The kernel's ABI clamped to SL_LL_ABI_MAX; 0 where Landlock is absent or disabled; lowered by the environment
 * variable SANDLOCK_TEST_LANDLOCK_ABI (never raised), so that older kernels can be tested. */
int sl_landlock_abi(void);

/* The kernel's own number, not clamped. */
int sl_landlock_abi_raw(void);

/* Rights that a ruleset of this ABI handles with these protections left out. */
struct sl_landlock_masks {
	uint64_t fs, net, scoped;
};
struct sl_landlock_masks sl_landlock_masks(int abi, uint64_t disabled);

/* Create a ruleset handling the masks: a descriptor (O_CLOEXEC) or -errno. */
int sl_landlock_create(const struct sl_landlock_masks *masks);

/* Grant rights (already limited to the handled mask, and to file rights for a non-directory) beneath an O_PATH
 * descriptor. Empty rights are no rule. 0 or -errno. */
int sl_landlock_add_path(int ruleset_fd, int path_fd, uint64_t rights);

/* Grant SL_LL_NET_* rights, which the ruleset handles, on a TCP port. Binding port 0 is binding one that the kernel picks.
 * 0 or -errno. */
int sl_landlock_add_port(int ruleset_fd, uint16_t port, uint64_t rights);

/* Restrict the calling thread. Needs no_new_privs or CAP_SYS_ADMIN. 0 or -errno. Async-signal-safe. */
int sl_landlock_restrict(int ruleset_fd);

#endif
