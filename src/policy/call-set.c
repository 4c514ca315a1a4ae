/*
 * call-set.c - see call-set.h. The tables by number are made from the lists of names at compile time: a list
 * that is enforced costs a look-up of the names that it has, not of those that "@base" stands for.
 */
#include "policy/call-set.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/macros.h"
#include "profile/call-names.h"

#define NUMBER(n) __NR_##n,
#define NOTHING(...)
#define PAIR(legacy, portable) {__NR_##legacy, __NR_##portable},

#ifdef __x86_64__
static const short base_numbers[] = {SL_CALL_BASE_NAMES(NUMBER, NUMBER)};
static const struct {
	short legacy, portable;
} legacy_numbers[] = {SL_CALL_LEGACY_NAMES(PAIR)};
#define LEGACY_COUNT SL_ARRAY_LEN(legacy_numbers)
#else
static const short base_numbers[] = {SL_CALL_BASE_NAMES(NUMBER, NOTHING)};
static const struct {
	short legacy, portable;
} legacy_numbers[1];
#define LEGACY_COUNT 0
#endif

/* Calls that are younger than what libraries and programs still run on: each has an older way that is taken
 * where it is missing. From this number on every call is. */
#define FIRST_NEW __NR_pidfd_send_signal /* Linux 5.1, from where all architectures have the same numbers */
static const short young_numbers[] = {
    __NR_accept4,    __NR_copy_file_range,  __NR_execveat,
    __NR_getcpu,     __NR_getrandom,	    __NR_io_cancel,
    __NR_io_destroy, __NR_io_getevents,	    __NR_io_pgetevents,
    __NR_io_setup,   __NR_io_submit,	    __NR_kcmp,
    __NR_membarrier, __NR_memfd_create,	    __NR_mlock2,
    __NR_pkey_alloc, __NR_pkey_free,	    __NR_pkey_mprotect,
    __NR_preadv2,    __NR_process_vm_readv, __NR_process_vm_writev,
    __NR_pwritev2,   __NR_recvmmsg,	    __NR_renameat2,
    __NR_rseq,	     __NR_sched_getattr,    __NR_sched_setattr,
    __NR_seccomp,    __NR_sendmmsg,	    __NR_statx,
};

/* None on an architecture without legacy calls. */
static const size_t legacy_count = LEGACY_COUNT;

/* A call, and all that it took the place of. */
static void add_family(struct sl_call_set *s, int nr)
{
	sl_call_set_add(s, nr);
	for (size_t i = 0; i < legacy_count; i++)
		if (legacy_numbers[i].portable == nr)
			sl_call_set_add(s, legacy_numbers[i].legacy);
}

void sl_call_set_add_base(struct sl_call_set *s)
{
	for (size_t i = 0; i < SL_ARRAY_LEN(base_numbers); i++)
		sl_call_set_add(s, base_numbers[i]);
	for (size_t i = 0; i < legacy_count; i++)
		if (sl_call_set_has(s, legacy_numbers[i].portable))
			sl_call_set_add(s, legacy_numbers[i].legacy);
}

void sl_call_set_add_start(struct sl_call_set *s)
{
	static const int numbers[] = {__NR_execve, __NR_exit, __NR_exit_group, __NR_restart_syscall,
				      __NR_rt_sigreturn};

	for (size_t i = 0; i < SL_ARRAY_LEN(numbers); i++)
		sl_call_set_add(s, numbers[i]);
}

int sl_call_set_add_name(struct sl_call_set *s, const char *name)
{
	int nr;

	if (!strcmp(name, SL_CALL_BASE)) {
		sl_call_set_add_base(s);
		return 0;
	}
	/* A name of x86_64 alone stands for a call that every architecture has. */
	nr = sl_call_number(sl_call_portable(name));
	if (nr == -ENOENT)
		return nr;
	if (nr >= 0)
		add_family(s, nr);
	return 0;
}

int sl_call_unlisted_errno(int nr)
{
	if (nr >= FIRST_NEW)
		return ENOSYS;
	for (size_t i = 0; i < SL_ARRAY_LEN(young_numbers); i++)
		if (young_numbers[i] == nr)
			return ENOSYS;
	return EPERM;
}
