/*
 * attack-self.c - entries of other processes below /proc, where a profile grants only each process's own.
 *
 * usage: attack-self own                 entries of this process, a thread, and a child of this process: they open
 *        attack-self others PID [TID]    the same entries of another process, by many spellings
 *        attack-self race|race-link PID TRIES    a second thread turns "self" into PID and back during each open
 *        attack-self tool PID            what tells about the tool: environment, memory, descriptors
 *
 * The working directory has links/, where links can be made. The profile grants status and maps of /proc/self.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "attack.h"

static pid_t other;

static const char *entry_of(pid_t pid, const char *rest)
{
	static char text[128];

	snprintf(text, sizeof(text), "/proc/%d/%s", (int)pid, rest);
	return text;
}

/* Open, and read a byte: some entries are judged only when they are read. */
static long readable(long fd)
{
	char byte;

	if (fd < 0)
		return -1;
	return read((int)fd, &byte, 1) < 0 ? -1 : 0;
}

static int must(int fd)
{
	if (fd < 0)
		attack_die("open");
	return fd;
}

static long o_plain(void)
{
	return readable(open(entry_of(other, "status"), O_RDONLY));
}

static long o_maps(void)
{
	return readable(open(entry_of(other, "maps"), O_RDONLY));
}

static long o_openat2(void)
{
	return readable(attack_openat2(AT_FDCWD, entry_of(other, "status"), O_RDONLY, 0));
}

static long o_dirfd(void)
{
	int proc = must(open("/proc", O_PATH | O_DIRECTORY));

	return readable(openat(proc, entry_of(other, "status") + strlen("/proc/"), O_RDONLY));
}

static long o_dirfd_own(void)
{
	return readable(openat(must(open(entry_of(other, ""), O_PATH | O_DIRECTORY)), "status", O_RDONLY));
}

static long o_openat2_dirfd(void)
{
	return readable(attack_openat2(must(open(entry_of(other, ""), O_PATH | O_DIRECTORY)), "status",
				       O_RDONLY, RESOLVE_BENEATH));
}

static long o_openat2_root(void)
{
	return readable(attack_openat2(must(open(entry_of(other, ""), O_PATH | O_DIRECTORY)), "/status",
				       O_RDONLY, RESOLVE_IN_ROOT));
}

static long o_chdir(void)
{
	if (chdir(entry_of(other, "")) < 0)
		attack_die("chdir");
	return readable(open("status", O_RDONLY));
}

static long o_dotdot(void)
{
	char text[160];

	snprintf(text, sizeof(text), "/proc/self/../%d/status", (int)other);
	return readable(open(text, O_RDONLY));
}

static long o_dotdot_task(void)
{
	char text[160];

	snprintf(text, sizeof(text), "/proc/self/task/%d/../../../%d/status", (int)getpid(), (int)other);
	return readable(open(text, O_RDONLY));
}

static long o_dotdot_thread(void)
{
	char text[160];

	snprintf(text, sizeof(text), "/proc/thread-self/../../../%d/status", (int)other);
	return readable(open(text, O_RDONLY));
}

static long o_slashes(void)
{
	char text[160];

	snprintf(text, sizeof(text), "//proc/.//%d/./status", (int)other);
	return readable(open(text, O_RDONLY));
}

static long o_task(void)
{
	char text[160];

	snprintf(text, sizeof(text), "/proc/%d/task/%d/status", (int)other, (int)other);
	return readable(open(text, O_RDONLY));
}

static long o_root(void)
{
	char text[160];

	snprintf(text, sizeof(text), "/proc/self/root/proc/%d/status", (int)other);
	return readable(open(text, O_RDONLY));
}

static long o_symlink(void)
{
	if (symlink(entry_of(other, "status"), "links/status") < 0)
		attack_die("symlink");
	return readable(open("links/status", O_RDONLY));
}

static long o_symlink_dir(void)
{
	if (symlink(entry_of(other, ""), "links/self") < 0)
		attack_die("symlink");
	return readable(open("links/self/status", O_RDONLY));
}

/* A name "self" in a directory of one's own, and a working directory that makes it look like the real one. */
static long o_symlink_self(void)
{
	if (mkdir("links/proc", 0700) < 0 || symlink(entry_of(other, ""), "links/proc/self") < 0 || chdir("links") < 0)
		attack_die("links/proc");
	return readable(open("proc/self/status", O_RDONLY));
}

static long o_reopen(void)
{
	char text[64];

	snprintf(text, sizeof(text), "/proc/self/fd/%d", must(open(entry_of(other, "status"), O_PATH)));
	return readable(open(text, O_RDONLY));
}

static long o_reopen_dir(void)
{
	char text[64];

	snprintf(text, sizeof(text), "/proc/self/fd/%d/status", must(open(entry_of(other, ""), O_PATH)));
	return readable(open(text, O_RDONLY));
}

static const struct attempt on_other[] = {
    {"plain", o_plain},
    {"maps", o_maps},
    {"openat2", o_openat2},
    {"directory-proc", o_dirfd},
    {"directory-own", o_dirfd_own},
    {"openat2-beneath", o_openat2_dirfd},
    {"openat2-in-root", o_openat2_root},
    {"chdir", o_chdir},
    {"dotdot", o_dotdot},
    {"dotdot-task", o_dotdot_task},
    {"dotdot-thread", o_dotdot_thread},
    {"slashes", o_slashes},
    {"task", o_task},
    {"proc-root", o_root},
    {"symlink", o_symlink},
    {"symlink-directory", o_symlink_dir},
    {"symlink-self", o_symlink_self},
    {"reopen", o_reopen},
    {"reopen-directory", o_reopen_dir},
};

/* One's own. */

static long s_self(void)
{
	return readable(open("/proc/self/status", O_RDONLY));
}

static long s_maps(void)
{
	return readable(open("/proc/self/maps", O_RDONLY));
}

static long s_number(void)
{
	return readable(open(entry_of(getpid(), "status"), O_RDONLY));
}

static long s_thread_self(void)
{
	return readable(open("/proc/thread-self/status", O_RDONLY));
}

static void *in_thread(void *result)
{
	*(long *)result = readable(open("/proc/self/status", O_RDONLY)) < 0 ? errno : 0;
	return NULL;
}

static long s_from_thread(void)
{
	long result = EINTR;
	pthread_t t;

	if (pthread_create(&t, NULL, in_thread, &result))
		attack_die("pthread_create");
	pthread_join(t, NULL);
	errno = (int)result;
	return result ? -1 : 0;
}

static long s_from_child(void)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(s_self() < 0 ? errno : 0);
	waitpid(pid, &status, 0);
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	return errno ? -1 : 0;
}

static long s_environ(void)
{
	return readable(open("/proc/self/environ", O_RDONLY));
}

static long s_mem(void)
{
	int fd = open("/proc/self/mem", O_RDWR);

	return fd;
}

/* A process that sits still until it is killed. */
static pid_t sitter(void)
{
	int ready[2];
	char byte;

	if (pipe(ready) < 0)
		attack_die("pipe");
	pid_t pid = fork();
	if (!pid) {
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(0);
	}
	if (read(ready[0], &byte, 1) != 1)
		attack_die("read");
	return pid;
}

/* A child counts as one's own, as it does when learning. */
static long s_child(void)
{
	pid_t pid = sitter();
	long r = readable(open(entry_of(pid, "status"), O_RDONLY));
	int saved = errno;

	kill(pid, SIGKILL);
	errno = saved;
	return r;
}

/* Another child of the same parent does not, though it is in the sandbox. */
static long s_sibling(void)
{
	pid_t brother = sitter();
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(readable(open(entry_of(brother, "status"), O_RDONLY)) < 0 ? errno : 0);
	waitpid(pid, &status, 0);
	kill(brother, SIGKILL);
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	return errno ? -1 : 0;
}

static long s_parent(void)
{
	return readable(open(entry_of(getppid(), "status"), O_RDONLY));
}

static const struct attempt on_self[] = {
    {"self", s_self},
    {"self-maps", s_maps},
    {"number", s_number},
    {"thread-self", s_thread_self},
    {"from-thread", s_from_thread},
    {"from-child", s_from_child},
    {"environ-not-listed", s_environ},
    {"mem-not-listed", s_mem},
    {"child", s_child},
    {"sibling", s_sibling},
    {"parent", s_parent},
};

/* What tells about the tool. */

static long t_entry(const char *name)
{
	return readable(open(entry_of(other, name), O_RDONLY));
}

static long t_environ(void)
{
	return t_entry("environ");
}

static long t_maps(void)
{
	return t_entry("maps");
}

static long t_mem(void)
{
	return open(entry_of(other, "mem"), O_RDWR);
}

static long t_auxv(void)
{
	return t_entry("auxv");
}

static long t_fd(void)
{
	char text[256];

	return readlink(entry_of(other, "fd/0"), text, sizeof(text));
}

static long t_fd_open(void)
{
	return open(entry_of(other, "fd/1"), O_WRONLY);
}

static long t_cwd(void)
{
	char text[256];

	return readlink(entry_of(other, "cwd"), text, sizeof(text));
}

static long t_root(void)
{
	return open(entry_of(other, "root/etc/passwd"), O_RDONLY);
}

static long t_exe(void)
{
	char text[256];

	return readlink(entry_of(other, "exe"), text, sizeof(text));
}

static long t_score(void)
{
	int fd = open(entry_of(other, "oom_score_adj"), O_WRONLY);

	return fd < 0 ? -1 : write(fd, "0", 1);
}

static const struct attempt on_tool[] = {
    {"environ", t_environ}, {"maps", t_maps}, {"mem", t_mem},	{"auxv", t_auxv}, {"fd", t_fd},
    {"fd-open", t_fd_open}, {"cwd", t_cwd},   {"root", t_root}, {"exe", t_exe},	  {"oom_score_adj", t_score},
};

/* The race. Both names are of one length: "/proc/self/./status" with a pid that is filled up. */

static char shared[64], mine[64], theirs[64];
static atomic_bool finished;

static void *flip(void *unused)
{
	while (!atomic_load(&finished)) {
		memcpy(shared, theirs, sizeof(shared));
		__asm__ volatile("" ::: "memory");
		memcpy(shared, mine, sizeof(shared));
		__asm__ volatile("" ::: "memory");
	}
	return unused;
}

static void *flip_link(void *unused)
{
	for (int i = 0; !atomic_load(&finished); i++)
		if (symlink(i & 1 ? "/proc/self" : theirs, "links/next") < 0 || rename("links/next", "links/race") < 0)
			attack_die("links/race");
	return unused;
}

static int race(bool by_link, int tries)
{
	char text[4096], own[32];
	int opened = 0, refused = 0, foreign = 0;
	pthread_t t;

	snprintf(own, sizeof(own), "\nPid:\t%d\n", (int)getpid());
	snprintf(mine, sizeof(mine), by_link ? "links/race/status" : "/proc/self/status");
	snprintf(theirs, sizeof(theirs), by_link ? "/proc/%d" : "/proc/%d/status", (int)other);
	memcpy(shared, mine, sizeof(shared));
	if (by_link && symlink("/proc/self", "links/race") < 0)
		attack_die("links/race");
	if (pthread_create(&t, NULL, by_link ? flip_link : flip, NULL))
		attack_die("pthread_create");
	for (int i = 0; i < tries; i++) {
		int fd = open(shared, O_RDONLY);
		ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

		close(fd);
		text[n < 0 ? 0 : n] = '\0';
		if (n <= 0)
			refused++;
		else if (strstr(text, own))
			opened++;
		else
			foreign++;
	}
	atomic_store(&finished, true);
	pthread_join(t, NULL);
	printf("opened: %d\nrefused: %d\nforeign: %d\n", opened, refused, foreign);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc >= 2 ? argv[1] : "";

	other = argc >= 3 ? attack_number(argv[2]) : 0;
	if (!other)
		other = getppid();
	if (!strcmp(what, "own"))
		attack_table(on_self, ATTACK_LEN(on_self));
	else if (!strcmp(what, "others"))
		attack_table(on_other, ATTACK_LEN(on_other));
	else if (!strcmp(what, "tool"))
		attack_table(on_tool, ATTACK_LEN(on_tool));
	else if (argc == 4 && !strcmp(what, "race"))
		return race(false, attack_number(argv[3]));
	else if (argc == 4 && !strcmp(what, "race-link"))
		return race(true, attack_number(argv[3]));
	else
		return 2;
	return 0;
}
