/* Unit tests of policy/calls.h: the table agrees with itself, with libseccomp, and holds every call that it
 * must. */
#include <check.h>
#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/macros.h"
#include "policy/calls.h"

START_TEST(rows)
{
	for (size_t i = 0; i < sl_call_count; i++) {
		const struct sl_call *c = &sl_calls[i];
		int nr = seccomp_syscall_resolve_name(c->name);

		ck_assert_ptr_eq(sl_call_by_nr(c->nr), c);
		ck_assert_int_eq(sl_call_number(c->name), c->nr);
		ck_assert_str_eq(sl_call_name(c->nr), c->name);
		ck_assert(sl_call_is_known(c->nr));
		if (nr != __NR_SCMP_ERROR)
			ck_assert_msg(nr == c->nr, "%s is %d, not %d", c->name, nr, c->nr);
		else
			ck_assert_msg(c->nr > 450, "%s is unknown to libseccomp", c->name);
		for (size_t j = 0; j < i; j++)
			ck_assert_int_ne(sl_calls[j].nr, c->nr);
		ck_assert_msg((c->treat == SL_TREAT_REFUSE) == (c->op == SL_OP_NONE && c->refuse_errno), "%s",
			      c->name);
	}
}
END_TEST

START_TEST(numbers)
{
	static const int outside[] = {-1, -2147483647 - 1, SL_CALL_LAST + 1, 0x40000000, 2147483647};

	for (size_t i = 0; i < SL_ARRAY_LEN(outside); i++) {
		ck_assert_ptr_null(sl_call_by_nr(outside[i]));
		ck_assert_ptr_null(sl_call_name(outside[i]));
		ck_assert(!sl_call_is_known(outside[i]));
	}
	for (int nr = 0; nr <= SL_CALL_LAST; nr++) {
		const char *name = sl_call_name(nr);

		if (!sl_call_is_known(nr)) {
			ck_assert_ptr_null(name);
			ck_assert_ptr_null(sl_call_by_nr(nr));
			continue;
		}
		ck_assert_msg(name != NULL, "%d has no name", nr);
		ck_assert_msg(sl_call_number(name) == nr, "%s is %d, not %d", name, sl_call_number(name), nr);
		ck_assert_ptr_eq(sl_call_name(nr), name);
	}
	ck_assert_int_eq(sl_call_number("no_such_call"), -ENOENT);
	ck_assert_int_eq(sl_call_number(""), -ENOENT);
	ck_assert_int_eq(sl_call_number("socketcall"), -ENOSYS);
	ck_assert_int_eq(sl_call_number("read"), __NR_read);
	ck_assert_int_eq(sl_call_number("mseal"), 462);
}
END_TEST

/* Calls that must have a row, by what they do. */
static const struct {
	enum sl_op op;
	const char *names;
} needed[] = {
    {SL_OP_OPEN, "openat"},
    {SL_OP_OPENAT2, "openat2"},
    {SL_OP_EXEC, "execve execveat"},
    {SL_OP_MKDIR, "mkdirat"},
    {SL_OP_MKNOD, "mknodat"},
    {SL_OP_LINK, "linkat"},
    {SL_OP_SYMLINK, "symlinkat"},
    {SL_OP_UNLINK, "unlinkat"},
    {SL_OP_RENAME, "renameat renameat2"},
    {SL_OP_TRUNCATE, "truncate"},
    {SL_OP_CHMOD, "fchmod fchmodat fchmodat2"},
    {SL_OP_CHOWN, "fchown fchownat"},
    {SL_OP_UTIMES, "utimensat"},
    {SL_OP_SETXATTR, "setxattr lsetxattr fsetxattr setxattrat"},
    {SL_OP_REMOVEXATTR, "removexattr lremovexattr fremovexattr removexattrat"},
    {SL_OP_INODE_FLAGS, "file_setattr"},
    {SL_OP_DEVICE_IOCTL, "ioctl"},
    {SL_OP_CHDIR, "chdir fchdir"},
    {SL_OP_BIND, "bind"},
    {SL_OP_CONNECT, "connect"},
    {SL_OP_LISTEN, "listen"},
    {SL_OP_SETID, "setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset"},
    {SL_OP_PROCESS, "prlimit64 sched_setaffinity sched_setscheduler sched_setparam sched_setattr setpriority "
		    "ioprio_set process_madvise"},
    {SL_OP_SYSV_IPC, "shmget shmat shmctl shmdt semget semop semtimedop semctl msgget msgsnd msgrcv msgctl "
		     "mq_open mq_unlink"},
#ifdef __x86_64__
    {SL_OP_OPEN, "open"},
    {SL_OP_CREAT, "creat"},
    {SL_OP_MKDIR, "mkdir"},
    {SL_OP_MKNOD, "mknod"},
    {SL_OP_LINK, "link"},
    {SL_OP_SYMLINK, "symlink"},
    {SL_OP_UNLINK, "unlink"},
    {SL_OP_RMDIR, "rmdir"},
    {SL_OP_RENAME, "rename"},
    {SL_OP_CHMOD, "chmod"},
    {SL_OP_CHOWN, "chown lchown"},
    {SL_OP_UTIMES, "utime utimes futimesat"},
#endif
};

START_TEST(complete)
{
	for (size_t i = 0; i < SL_ARRAY_LEN(needed); i++) {
		char name[64];
		int n;

		for (const char *p = needed[i].names; sscanf(p, "%63s%n", name, &n) == 1; p += n) {
			const struct sl_call *c = sl_call_by_nr(sl_call_number(name));

			ck_assert_msg(c != NULL, "%s has no row", name);
			ck_assert_msg(c->op == needed[i].op, "%s has op %d", name, (int)c->op);
		}
	}
}
END_TEST

/* Where the arguments stand, for the shapes that there are. */
START_TEST(arguments)
{
	static const struct {
		const char *name;
		int dir, path, dir2, path2, flags, mode, pid, nofollow;
	} rows_wanted[] = {
	    {"openat", 0, 1, -1, -1, 2, 3, -1, 0},	  {"openat2", 0, 1, -1, -1, 2, -1, -1, 0},
	    {"execve", -1, 0, -1, -1, -1, -1, -1, 0},	  {"execveat", 0, 1, -1, -1, 4, -1, -1, 0},
	    {"linkat", 0, 1, 2, 3, 4, -1, -1, 1},	  {"symlinkat", -1, -1, 1, 2, -1, -1, -1, 1},
	    {"renameat2", 0, 1, 2, 3, 4, -1, -1, 1},	  {"unlinkat", 0, 1, -1, -1, 2, -1, -1, 1},
	    {"fchmod", 0, -1, -1, -1, -1, 1, -1, 0},	  {"fchmodat2", 0, 1, -1, -1, 3, 2, -1, 0},
	    {"fchownat", 0, 1, -1, -1, 4, -1, -1, 0},	  {"utimensat", 0, 1, -1, -1, 3, -1, -1, 0},
	    {"lsetxattr", -1, 0, -1, -1, -1, -1, -1, 1},  {"setxattrat", 0, 1, -1, -1, 2, -1, -1, 0},
	    {"file_setattr", 0, 1, -1, -1, 4, -1, -1, 0}, {"setpriority", -1, -1, -1, -1, -1, -1, 1, 0},
	    {"prlimit64", -1, -1, -1, -1, -1, -1, 0, 0},  {"mount", -1, -1, -1, -1, -1, -1, -1, 0},
#ifdef __x86_64__
	    {"open", -1, 0, -1, -1, 1, 2, -1, 0},	  {"creat", -1, 0, -1, -1, -1, 1, -1, 0},
	    {"link", -1, 0, -1, 1, -1, -1, -1, 1},	  {"symlink", -1, -1, -1, 1, -1, -1, -1, 1},
	    {"lchown", -1, 0, -1, -1, -1, -1, -1, 1},	  {"futimesat", 0, 1, -1, -1, -1, -1, -1, 0},
#endif
	};

	for (size_t i = 0; i < SL_ARRAY_LEN(rows_wanted); i++) {
		const struct sl_call *c = sl_call_by_nr(sl_call_number(rows_wanted[i].name));

		ck_assert_ptr_nonnull(c);
		ck_assert_msg(
		    c->dir_arg == rows_wanted[i].dir && c->path_arg == rows_wanted[i].path &&
			c->dir2_arg == rows_wanted[i].dir2 && c->path2_arg == rows_wanted[i].path2 &&
			c->flags_arg == rows_wanted[i].flags && c->mode_arg == rows_wanted[i].mode &&
			c->pid_arg == rows_wanted[i].pid && c->nofollow == !!rows_wanted[i].nofollow,
		    "%s", c->name);
		ck_assert(!c->pidfd);
	}
	ck_assert(sl_call_by_nr(sl_call_number("process_madvise"))->pidfd);
}
END_TEST

START_TEST(op_by_request)
{
	const struct sl_call *call = sl_call_by_nr(__NR_ioctl);

	ck_assert_int_eq(sl_call_op(call, (uint64_t[6]){3, 0x5401}), SL_OP_DEVICE_IOCTL);
	ck_assert_int_eq(sl_call_op(call, (uint64_t[6]){3, SL_FS_IOC_SETFLAGS}), SL_OP_INODE_FLAGS);
	ck_assert_int_eq(sl_call_op(call, (uint64_t[6]){3, SL_FS_IOC_FSSETXATTR}), SL_OP_INODE_FLAGS);
	ck_assert_int_eq(sl_call_op(call, (uint64_t[6]){3, 0x1234567800000000ULL | SL_FS_IOC_SETFLAGS}),
			 SL_OP_INODE_FLAGS);
	ck_assert_int_eq(sl_call_op(sl_call_by_nr(__NR_openat), (uint64_t[6]){3, SL_FS_IOC_SETFLAGS}),
			 SL_OP_OPEN);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy-calls");
	TCase *t = tcase_create("calls");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, rows);
	tcase_add_test(t, numbers);
	tcase_add_test(t, complete);
	tcase_add_test(t, arguments);
	tcase_add_test(t, op_by_request);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
