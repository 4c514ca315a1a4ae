/*
 * attack-files.c - ways to files that a profile does not grant, or not with that right.
 *
 * usage: attack-files read|change|execute|inherited
 *
 * The working directory holds
 *   work/        everything is granted: file, dir/
 *   readonly/    read, no more: file, program, dir/
 *   secret/      nothing is granted: file, program, dir/inner
 * Every attempt works bare. None may depend on another having been made: the test restores nothing in between,
 * so names that an attempt takes are its own.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "attack.h"

#define SECRET "secret/file"

/* A byte of the descriptor: success is that something was read. */
static long byte_of(long fd)
{
	char byte;

	if (fd < 0)
		return -1;
	return read((int)fd, &byte, 1) == 1 ? 0 : -1;
}

/* Reading. */

static long r_open(void)
{
	return byte_of(open(SECRET, O_RDONLY));
}

#ifdef SYS_open
static long r_open_legacy(void)
{
	return byte_of(syscall(SYS_open, SECRET, O_RDONLY));
}
#endif

static long r_absolute(void)
{
	return byte_of(open(attack_rooted("", SECRET), O_RDONLY));
}

static long r_dotdot(void)
{
	return byte_of(open("work/dir/../../secret/../secret/./file", O_RDONLY));
}

static long r_openat(void)
{
	return byte_of(openat(attack_open("secret", O_PATH | O_DIRECTORY), "file", O_RDONLY));
}

static long r_openat2(void)
{
	return byte_of(attack_openat2(AT_FDCWD, SECRET, O_RDONLY, 0));
}

static long r_openat2_beneath(void)
{
	return byte_of(attack_openat2(attack_open("secret", O_PATH), "file", O_RDONLY, RESOLVE_BENEATH));
}

static long r_openat2_in_root(void)
{
	return byte_of(attack_openat2(attack_open("secret", O_PATH), "/file", O_RDONLY, RESOLVE_IN_ROOT));
}

static long r_openat2_cached(void)
{
	return byte_of(attack_openat2(AT_FDCWD, SECRET, O_RDONLY, RESOLVE_CACHED));
}

static long r_reopen(void)
{
	return byte_of(open(attack_proc_fd(attack_open(SECRET, O_PATH), ""), O_RDONLY));
}

static long r_dev_fd(void)
{
	char text[32];

	snprintf(text, sizeof(text), "/dev/fd/%d", attack_open(SECRET, O_PATH));
	return byte_of(open(text, O_RDONLY));
}

static long r_thread_fd(void)
{
	char text[48];

	snprintf(text, sizeof(text), "/proc/thread-self/fd/%d", attack_open(SECRET, O_PATH));
	return byte_of(open(text, O_RDONLY));
}

static long r_reopen_below(void)
{
	return byte_of(open(attack_proc_fd(attack_open("secret", O_PATH), "/file"), O_RDONLY));
}

static long r_proc_cwd(void)
{
	return byte_of(open("/proc/self/cwd/secret/file", O_RDONLY));
}

static long r_proc_root(void)
{
	char text[4300];

	snprintf(text, sizeof(text), "/proc/self/root%s", attack_rooted("", SECRET));
	return byte_of(open(text, O_RDONLY));
}

static long r_chdir(void)
{
	if (chdir("secret") < 0)
		return -1;
	return byte_of(open("file", O_RDONLY));
}

static long r_fchdir(void)
{
	if (fchdir(attack_open("secret", O_PATH)) < 0)
		return -1;
	return byte_of(open("file", O_RDONLY));
}

static long r_symlink(void)
{
	if (symlink("../secret/file", "work/r-symlink") < 0)
		return -1;
	return byte_of(open("work/r-symlink", O_RDONLY));
}

static long r_symlink_dir(void)
{
	if (symlink(attack_rooted("", "secret"), "work/r-symlink-dir") < 0)
		return -1;
	return byte_of(open("work/r-symlink-dir/file", O_RDONLY));
}

static long r_symlink_chain(void)
{
	if (symlink("/proc/self/cwd", "work/r-chain-1") < 0 || symlink("r-chain-1/secret", "work/r-chain-2") < 0)
		return -1;
	return byte_of(open("work/r-chain-2/file", O_RDONLY));
}

static long r_hard_link(void)
{
	if (link(SECRET, "work/r-link") < 0)
		return -1;
	return byte_of(open("work/r-link", O_RDONLY));
}

static long r_hard_link_fd(void)
{
	if (linkat(AT_FDCWD, attack_proc_fd(attack_open(SECRET, O_PATH), ""), AT_FDCWD, "work/r-link-fd",
		   AT_SYMLINK_FOLLOW) < 0)
		return -1;
	return byte_of(open("work/r-link-fd", O_RDONLY));
}

static long r_rename_in(void)
{
	if (rename("secret/moved-1", "work/r-moved") < 0)
		return -1;
	return byte_of(open("work/r-moved", O_RDONLY));
}

static long r_rename_dir_in(void)
{
	if (rename("secret/moved-dir", "work/r-moved-dir") < 0)
		return -1;
	return byte_of(open("work/r-moved-dir/inner", O_RDONLY));
}

static long r_exchange(void)
{
	if (mkdir("work/r-exchange", 0700) < 0)
		return -1;
	if (syscall(SYS_renameat2, AT_FDCWD, "secret/exchanged", AT_FDCWD, "work/r-exchange", 2 /* RENAME_EXCHANGE */) < 0)
		return -1;
	return byte_of(open("work/r-exchange/inner", O_RDONLY));
}

/* Renaming a granted directory's parent, or putting another in its place. */
static long r_replace_parent(void)
{
	if (rename("spare/granted", "spare/away") < 0 || rename("spare/secret", "spare/granted") < 0)
		return -1;
	return byte_of(open("spare/granted/file", O_RDONLY));
}

static long r_list(void)
{
	DIR *d = opendir("secret");

	return d && readdir(d) ? 0 : -1;
}

static long r_list_fd(void)
{
	int fd = openat(attack_open("secret", O_PATH), ".", O_RDONLY | O_DIRECTORY);
	char buf[1024];

	return fd < 0 ? -1 : syscall(SYS_getdents64, fd, buf, sizeof(buf)) > 0 ? 0 : -1;
}

static long r_opath_read(void)
{
	return byte_of(attack_open(SECRET, O_PATH));
}

static long r_opath_mmap(void)
{
	return mmap(NULL, 1, PROT_READ, MAP_PRIVATE, attack_open(SECRET, O_PATH), 0) == MAP_FAILED ? -1 : 0;
}

static long r_opath_sendfile(void)
{
	return sendfile(attack_open("work/file", O_RDWR), attack_open(SECRET, O_PATH), NULL, 1) == 1 ? 0 : -1;
}

static long r_opath_copy(void)
{
	return copy_file_range(attack_open(SECRET, O_PATH), NULL, attack_open("work/file", O_RDWR), NULL, 1,
			       0) == 1
		   ? 0
		   : -1;
}

static long r_opath_splice(void)
{
	int p[2];

	if (pipe(p) < 0)
		attack_die("pipe");
	return splice(attack_open(SECRET, O_PATH), NULL, p[1], NULL, 1, 0) == 1 ? 0 : -1;
}

/* What O_PATH descriptors are refused anyway, with one that reads: the open is what must fail. */
static long r_sendfile(void)
{
	int fd = open(SECRET, O_RDONLY);

	return fd < 0 ? -1 : sendfile(attack_open("work/file", O_RDWR), fd, NULL, 1) == 1 ? 0 : -1;
}

static const struct attempt reads[] = {
    {"open", r_open},
#ifdef SYS_open
    {"open-legacy", r_open_legacy},
#endif
    {"open-absolute", r_absolute},
    {"open-dotdot", r_dotdot},
    {"openat", r_openat},
    {"openat2", r_openat2},
    {"openat2-beneath", r_openat2_beneath},
    {"openat2-in-root", r_openat2_in_root},
    {"openat2-cached", r_openat2_cached},
    {"reopen-proc-fd", r_reopen},
    {"reopen-dev-fd", r_dev_fd},
    {"reopen-thread-fd", r_thread_fd},
    {"reopen-below", r_reopen_below},
    {"proc-cwd", r_proc_cwd},
    {"proc-root", r_proc_root},
    {"chdir", r_chdir},
    {"fchdir", r_fchdir},
    {"symlink", r_symlink},
    {"symlink-directory", r_symlink_dir},
    {"symlink-chain", r_symlink_chain},
    {"hard-link", r_hard_link},
    {"hard-link-fd", r_hard_link_fd},
    {"rename-in", r_rename_in},
    {"rename-directory-in", r_rename_dir_in},
    {"exchange", r_exchange},
    {"replace-parent", r_replace_parent},
    {"list", r_list},
    {"list-fd", r_list_fd},
    {"sendfile", r_sendfile},
    {"opath-read", r_opath_read},
    {"opath-mmap", r_opath_mmap},
    {"opath-sendfile", r_opath_sendfile},
    {"opath-copy", r_opath_copy},
    {"opath-splice", r_opath_splice},
};

/* Changing. */

static long c_open_write(void)
{
	return open("readonly/file", O_WRONLY);
}

static long c_open_rdwr(void)
{
	return open("readonly/file", O_RDWR);
}

static long c_open_append(void)
{
	return open("readonly/file", O_WRONLY | O_APPEND);
}

static long c_open_truncate(void)
{
	return open("readonly/truncated-1", O_RDONLY | O_TRUNC);
}

/* Access mode 3 neither reads nor writes, it is for ioctl: Landlock sees nothing to judge until then. */
static long c_open_mode3(void)
{
	return open("readonly/file", O_ACCMODE);
}

static long c_mode3_write(void)
{
	return write((int)attack_open("readonly/file", O_ACCMODE), "x", 1);
}

static long c_mode3_truncate(void)
{
	return open("readonly/truncated-1", O_ACCMODE | O_TRUNC);
}

static long c_mode3_ioctl(void)
{
	int number;

	return ioctl(attack_open("/dev/ptmx", O_ACCMODE | O_NOCTTY), TIOCGPTN, &number);
}

static long c_creat_over(void)
{
	return creat("readonly/truncated-2", 0600);
}

static long c_creat_new(void)
{
	return creat("readonly/new-1", 0600);
}

static long c_creat_secret(void)
{
	return creat("secret/new-1", 0600);
}

static long c_openat2_creat(void)
{
	return attack_openat2(AT_FDCWD, "secret/new-2", O_WRONLY | O_CREAT | O_EXCL, 0);
}

static long c_truncate(void)
{
	return truncate("readonly/truncated-3", 0);
}

static long c_truncate_secret(void)
{
	return truncate("secret/truncated-1", 0);
}

static long c_truncate_fd(void)
{
	return truncate(attack_proc_fd(attack_open("readonly/truncated-4", O_PATH), ""), 0);
}

static long c_reopen(void)
{
	return open(attack_proc_fd(attack_open("readonly/file", O_RDONLY), ""), O_WRONLY);
}

static long c_dev_fd(void)
{
	char text[32];

	snprintf(text, sizeof(text), "/dev/fd/%d", attack_open("readonly/file", O_RDONLY));
	return open(text, O_WRONLY);
}

static long c_symlink(void)
{
	if (symlink("../readonly/file", "work/c-symlink") < 0)
		return -1;
	return open("work/c-symlink", O_WRONLY | O_CREAT, 0600);
}

static long c_dangling(void)
{
	if (symlink("../secret/new-3", "work/c-dangling") < 0)
		return -1;
	return open("work/c-dangling", O_WRONLY | O_CREAT, 0600);
}

static long c_hard_link(void)
{
	if (link("readonly/file", "work/c-link") < 0)
		return -1;
	return open("work/c-link", O_WRONLY);
}

static long c_hard_link_out(void)
{
	return link("work/file", "secret/new-4");
}

static long c_rename_over(void)
{
	if (close(creat("work/c-over", 0600)) < 0)
		return -1;
	return rename("work/c-over", "readonly/replaced-1");
}

static long c_rename_out(void)
{
	if (close(creat("work/c-out", 0600)) < 0)
		return -1;
	return rename("work/c-out", "secret/new-5");
}

static long c_rename_in(void)
{
	if (rename("readonly/moved-1", "work/c-moved") < 0)
		return -1;
	return open("work/c-moved", O_WRONLY);
}

static long c_exchange(void)
{
	if (close(creat("work/c-exchange", 0600)) < 0)
		return -1;
	return syscall(SYS_renameat2, AT_FDCWD, "work/c-exchange", AT_FDCWD, "readonly/exchanged", 2);
}

static long c_whiteout(void)
{
	return syscall(SYS_renameat2, AT_FDCWD, "readonly/whiteout", AT_FDCWD, "readonly/whiteout-2", 4 /* RENAME_WHITEOUT */);
}

static long c_tmpfile(void)
{
	return open("secret", O_TMPFILE | O_RDWR, 0600);
}

static long c_tmpfile_link(void)
{
	int fd = open("work", O_TMPFILE | O_RDWR, 0600);

	if (fd < 0)
		attack_die("O_TMPFILE");
	return linkat(AT_FDCWD, attack_proc_fd(fd, ""), AT_FDCWD, "readonly/new-2", AT_SYMLINK_FOLLOW);
}

static long c_mkdir(void)
{
	return mkdir("secret/new-dir", 0700);
}

static long c_mkdir_readonly(void)
{
	return mkdirat(attack_open("readonly", O_PATH), "new-dir", 0700);
}

static long c_rmdir(void)
{
	return rmdir("readonly/removed-dir");
}

static long c_unlink(void)
{
	return unlink("readonly/removed-1");
}

static long c_unlinkat(void)
{
	return unlinkat(attack_open("secret", O_PATH), "removed-1", 0);
}

static long c_new_symlink(void)
{
	return symlink("x", "secret/new-symlink");
}

static long c_fifo(void)
{
	return mkfifo("readonly/new-fifo", 0600);
}

static long c_socket(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "secret/new-socket"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0)
		attack_die("socket");
	return bind(fd, (struct sockaddr *)&a, sizeof(a));
}

/* Device nodes are created by nobody, even where everything else is. */
static long c_char_device(void)
{
	return mknod("work/c-null", S_IFCHR | 0600, (dev_t)0x103);
}

static long c_block_device(void)
{
	return mknod("work/c-block", S_IFBLK | 0600, (dev_t)0x700);
}

static long c_mmap_shared(void)
{
	int fd = open("readonly/file", O_RDWR);

	return fd < 0 || mmap(NULL, 1, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0;
}

static long c_proc_cwd(void)
{
	return open("/proc/self/cwd/readonly/file", O_WRONLY);
}

static long c_system(void)
{
	return open("/usr", O_TMPFILE | O_RDWR, 0600);
}

static const struct attempt changes[] = {
    {"open-write", c_open_write},
    {"open-rdwr", c_open_rdwr},
    {"open-append", c_open_append},
    {"open-truncate", c_open_truncate},
    {"open-mode-3", c_open_mode3},
    {"mode-3-write", c_mode3_write},
    {"mode-3-truncate", c_mode3_truncate},
    {"mode-3-ioctl", c_mode3_ioctl},
    {"creat-over", c_creat_over},
    {"creat-readonly", c_creat_new},
    {"creat-secret", c_creat_secret},
    {"openat2-creat", c_openat2_creat},
    {"truncate", c_truncate},
    {"truncate-secret", c_truncate_secret},
    {"truncate-fd", c_truncate_fd},
    {"reopen-proc-fd", c_reopen},
    {"reopen-dev-fd", c_dev_fd},
    {"symlink", c_symlink},
    {"symlink-dangling", c_dangling},
    {"hard-link", c_hard_link},
    {"hard-link-out", c_hard_link_out},
    {"rename-over", c_rename_over},
    {"rename-out", c_rename_out},
    {"rename-in", c_rename_in},
    {"exchange", c_exchange},
    {"whiteout", c_whiteout},
    {"tmpfile", c_tmpfile},
    {"tmpfile-link", c_tmpfile_link},
    {"mkdir", c_mkdir},
    {"mkdirat-readonly", c_mkdir_readonly},
    {"rmdir", c_rmdir},
    {"unlink", c_unlink},
    {"unlinkat-secret", c_unlinkat},
    {"symlink-new", c_new_symlink},
    {"mkfifo", c_fifo},
    {"bind", c_socket},
    {"mknod-char", c_char_device},
    {"mknod-block", c_block_device},
    {"mmap-shared", c_mmap_shared},
    {"proc-cwd", c_proc_cwd},
    {"tmpfile-usr", c_system},
};

/* Executing: the programs exit 0, so that a wait tells. */

static long status_of(long (*exec_it)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		exec_it();
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	return errno ? -1 : 0;
}

static char *const program_argv[] = {(char *)"attack-files", (char *)"nothing", NULL};
static char *const program_envp[] = {NULL};

static long x_readonly_raw(void)
{
	return execve("readonly/program", program_argv, program_envp);
}

static long x_readonly(void)
{
	return status_of(x_readonly_raw);
}

static long x_secret_raw(void)
{
	return execve("secret/program", program_argv, program_envp);
}

static long x_secret(void)
{
	return status_of(x_secret_raw);
}

static long x_fd_raw(void)
{
	return syscall(SYS_execveat, attack_open("secret/program", O_PATH), "", program_argv, program_envp,
		       AT_EMPTY_PATH);
}

static long x_fd(void)
{
	return status_of(x_fd_raw);
}

static long x_read_fd_raw(void)
{
	return syscall(SYS_execveat, attack_open("readonly/program", O_RDONLY), "", program_argv,
		       program_envp, AT_EMPTY_PATH);
}

static long x_read_fd(void)
{
	return status_of(x_read_fd_raw);
}

static long x_proc_fd_raw(void)
{
	return execve(attack_proc_fd(attack_open("readonly/program", O_RDONLY), ""), program_argv,
		      program_envp);
}

static long x_proc_fd(void)
{
	return status_of(x_proc_fd_raw);
}

static void copy(const char *from, int to)
{
	int fd = attack_open(from, O_RDONLY);
	char buf[65536];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(to, buf, (size_t)n) != n)
			attack_die("write");
	close(fd);
}

/* What one may create one may not execute, unless that is granted too. */
static long x_created_raw(void)
{
	int fd = open("work/x-program", O_WRONLY | O_CREAT, 0700);

	if (fd < 0)
		attack_die("work/x-program");
	copy("readonly/program", fd);
	close(fd);
	return execve("work/x-program", program_argv, program_envp);
}

static long x_created(void)
{
	return status_of(x_created_raw);
}

static long x_script_raw(void)
{
	int fd = open("work/x-script", O_WRONLY | O_CREAT, 0700);

	if (fd < 0 || dprintf(fd, "#!%s nothing\n", attack_rooted("", "readonly/program")) < 0)
		attack_die("work/x-script");
	close(fd);
	return execve("work/x-script", program_argv, program_envp);
}

static long x_script(void)
{
	return status_of(x_script_raw);
}

static long x_symlink_raw(void)
{
	if (symlink("../secret/program", "work/x-symlink") < 0)
		attack_die("symlink");
	return execve("work/x-symlink", program_argv, program_envp);
}

static long x_symlink(void)
{
	return status_of(x_symlink_raw);
}

static long x_memfd_raw(void)
{
	int fd = memfd_create("x", 0);

	if (fd < 0)
		attack_die("memfd_create");
	copy("readonly/program", fd);
	return syscall(SYS_execveat, fd, "", program_argv, program_envp, AT_EMPTY_PATH);
}

static long x_memfd(void)
{
	return status_of(x_memfd_raw);
}

static long x_mmap(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, attack_open("readonly/program", O_RDONLY),
		    0) == MAP_FAILED
		   ? -1
		   : 0;
}

/* The loader of this machine, which the profile lets be executed, on a program that it lets only be read. */
static long x_loader_raw(void)
{
#ifdef __x86_64__
	const char *loader = "/lib64/ld-linux-x86-64.so.2";
#else
	const char *loader = "/lib/ld-linux-aarch64.so.1";
#endif
	char *const argv[] = {(char *)loader, (char *)"/usr/bin/true", NULL};

	return execve(loader, argv, program_envp);
}

static long x_loader(void)
{
	return status_of(x_loader_raw);
}

static const struct attempt executes[] = {
    {"execve-readonly", x_readonly},
    {"execve-secret", x_secret},
    {"execveat-opath", x_fd},
    {"execveat-read-fd", x_read_fd},
    {"execve-proc-fd", x_proc_fd},
    {"execve-created", x_created},
    {"script-interpreter", x_script},
    {"symlink", x_symlink},
    {"memfd", x_memfd},
    {"mmap-exec", x_mmap},
    {"loader", x_loader},
};

/* Which descriptors above 2 the program was started with, and what it may do with standard input. */
static void inherited(void)
{
	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("descriptor-%d: SUCCEEDED\n", fd);
	printf("stdin-read: %s\n", byte_of(0) < 0 ? strerrorname_np(errno) : "SUCCEEDED");
	printf("stdin-write: %s\n", write(0, "x", 1) < 0 ? strerrorname_np(errno) : "SUCCEEDED");
	printf("stdin-reopen-write: %s\n", open("/dev/stdin", O_WRONLY) < 0 ? strerrorname_np(errno) : "SUCCEEDED");
	printf("stdin-reopen-read: %s\n", open("/proc/self/fd/0", O_RDONLY) < 0 ? strerrorname_np(errno) : "SUCCEEDED");
	printf("stdin-truncate: %s\n", ftruncate(0, 0) < 0 ? strerrorname_np(errno) : "SUCCEEDED");
}

int main(int argc, char **argv)
{
	const char *what = argc >= 2 ? argv[1] : "";

	if (!strcmp(what, "read"))
		attack_table(reads, ATTACK_LEN(reads));
	else if (!strcmp(what, "change"))
		attack_table(changes, ATTACK_LEN(changes));
	else if (!strcmp(what, "execute"))
		attack_table(executes, ATTACK_LEN(executes));
	else if (!strcmp(what, "inherited"))
		inherited();
	else if (strcmp(what, "nothing"))
		return 2;
	return 0;
}
