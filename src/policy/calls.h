/*
 * calls.h - the one table of system calls: number, which arguments are paths, what the call does, and how the
 * filter treats it. The filter builder, the observer and the supervisor all read it; adding a call is one row.
 */
#ifndef SL_POLICY_CALLS_H
#define SL_POLICY_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a call does, for the observer and the supervisor. Where arguments have no field of their own they stand
 * where the man page has them: a socket call's descriptor is argument 0, its address 1, its length 2. */
enum sl_op {
	SL_OP_NONE,
	SL_OP_OPEN,	   /* open, openat: flags in flags_arg, mode in mode_arg */
	SL_OP_OPENAT2,	   /* flags behind the open_how pointer in flags_arg */
	SL_OP_CREAT,
	SL_OP_EXEC,	   /* execve, execveat (flags_arg) */
	SL_OP_MKDIR,
	SL_OP_MKNOD,	   /* mode in mode_arg */
	SL_OP_LINK,	   /* old = path, new = path2 */
	SL_OP_SYMLINK,	   /* path2 is the new name; the target is no path access */
	SL_OP_UNLINK,	   /* unlinkat with AT_REMOVEDIR in flags_arg is a rmdir */
	SL_OP_RMDIR,
	SL_OP_RENAME,	   /* flags_arg for renameat2 */
	SL_OP_TRUNCATE,
	SL_OP_CHMOD,	   /* attribute calls: path, or a descriptor in dir_arg with no path_arg */
	SL_OP_CHOWN,
	SL_OP_UTIMES,
	SL_OP_SETXATTR,
	SL_OP_REMOVEXATTR,
	SL_OP_INODE_FLAGS, /* ioctl FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR (see sl_call_op); file_setattr */
	SL_OP_DEVICE_IOCTL, /* an ioctl that Landlock judges on devices: descriptor in dir_arg, request in flags_arg */
	SL_OP_CHDIR,
	SL_OP_STAT,	   /* reading calls, which only a view has to answer: path, or a descriptor in dir_arg */
	SL_OP_ACCESS,	   /* what is asked for in mode_arg */
	SL_OP_READLINK,
	SL_OP_STATFS,
	SL_OP_GETCWD,
	SL_OP_GETDENTS,
	SL_OP_GETXATTR,
	SL_OP_LISTXATTR,
	SL_OP_WATCH,	   /* inotify_add_watch */
	SL_OP_UMASK,	   /* whoever makes files on a view keeps umasks */
	SL_OP_BIND,
	SL_OP_CONNECT,
	SL_OP_LISTEN,
	SL_OP_SOCKET,	   /* family, type, protocol */
	SL_OP_ASYNC,	   /* ioctl FIOASYNC, fcntl F_SETFL with O_ASYNC (see sl_call_op) */
	SL_OP_SEND,	   /* sendto, sendmsg, sendmmsg: flags in flags_arg */
	SL_OP_JOIN,	   /* setsockopt that joins a multicast group (see sl_call_op) */
	SL_OP_RECEIVE,	   /* recvfrom: flags in argument 3, source address in 4 and 5; getpeername */
	SL_OP_SETID,	   /* changes credentials: the observer's permission checks follow */
	SL_OP_PROCESS,	   /* acts on another process: pid (or pidfd) in pid_arg */
	SL_OP_DUMPABLE,	   /* prctl: PR_SET_DUMPABLE closes the caller's memory, also to the supervisor */
	SL_OP_SYSV_IPC,
	SL_OP_FORK,	   /* makes a process (or, by clone's flags in argument 0, a thread) */
	SL_OP_EXIT,	   /* ends the process */
	SL_OP_MAP,	   /* maps memory: length in argument 1, protection in 2 */
	SL_OP_WRITE,	   /* can make a file larger: seen only under a limit of the disk */
};

/* How the filter treats the call before anything else is asked for. */
enum sl_treat {
	SL_TREAT_ALLOW,	    /* allowed (or notified, where the plan asks for its op) */
	SL_TREAT_REFUSE,    /* always refused with refuse_errno, whatever a profile lists */
	SL_TREAT_JUDGE,	    /* decided on arguments by the judge of that row in filter.c */
	SL_TREAT_ATTRIBUTE, /* notified when a supervisor listens, refused with EACCES without one */
	SL_TREAT_IPC,	    /* refused unless the sysv_ipc group is allowed */
};

#define SL_NO_ARG (-1)

struct sl_call {
	const char *name;
	int nr; /* of this architecture; rows for calls that it lacks are not compiled in */
	enum sl_op op;
	enum sl_treat treat;
	int refuse_errno;
	int8_t dir_arg, path_arg, dir2_arg, path2_arg, flags_arg, mode_arg, pid_arg; /* SL_NO_ARG where it has none */
	bool nofollow; /* a symbolic link as the last component is itself the object (lchown, unlink, rename …) */
	bool pidfd;    /* pid_arg is a pidfd, not a pid */
};

/* The highest number that this version knows, and the group name that stands for the SysV IPC calls. */
#define SL_CALL_LAST 469 /* file_setattr, Linux 6.17 */
#define SL_CALL_GROUP_SYSV_IPC "sysv_ipc"

/* ioctl requests that change an inode's flags, by their low 32 bits: the kernel ignores the others. */
#define SL_FS_IOC_SETFLAGS   0x40086602U
#define SL_FS_IOC_FSSETXATTR 0x401c5820U
#define SL_FIOASYNC	     0x00005452U

extern const struct sl_call sl_calls[];
extern const size_t sl_call_count;

/* The row of a call number (O(1)), or NULL: a call that nobody here cares for. */
const struct sl_call *sl_call_by_nr(int nr);

/* Does the number name a call of this architecture up to SL_CALL_LAST? The numbers that the architecture's table
 * leaves out are unknown: a newer kernel may fill them. */
bool sl_call_is_known(int nr);

/* What this very call does: the row's op, except that an ioctl of the inode-flag requests is SL_OP_INODE_FLAGS,
 * what switches signals of an open file is SL_OP_ASYNC, and what names a multicast group is SL_OP_JOIN. */
enum sl_op sl_call_op(const struct sl_call *call, const uint64_t args[6]);

/* Does the op make, remove or change names, or cut a file, all of which Landlock judges? */
bool sl_op_changes_names(enum sl_op op);

/* Does the op change attributes, which Landlock does not judge? */
bool sl_op_is_attribute(enum sl_op op);

/* A name to its number on this architecture, also for calls without a row. -ENOENT when unknown; -ENOSYS for a call
 * that only other architectures have. */
int sl_call_number(const char *name);

/* A number to its name; NULL when unknown. The string is static. */
const char *sl_call_name(int nr);

#endif
