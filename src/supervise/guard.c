/*
 * guard.c - see guard.h.
 *
 * Like the killer it is a fork with memory of its own, in a session of its own, with every signal blocked, every
 * descriptor closed but two, and makes only async-signal-safe calls. The names stand in memory that both share, each before
 * its directory is made.
 */
#include "supervise/guard.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "base/macros.h"
#include "base/path.h"
#include "supervise/sandbox.h"
#include "view/changes.h"

#define REMOVE_TRIES 50
#define DIRS_MAX     4
#define LETTERS	     6 /* at the end of a name */

struct sl_guarded {
	char paths[DIRS_MAX][PATH_MAX]; /* "": none */
};

static bool is_begun(const char *upper)
{
	int dir = open(upper, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool begun = dir >= 0 && faccessat(dir, SL_VIEW_PROGRESS, F_OK, AT_SYMLINK_NOFOLLOW) == 0;

	sl_close(dir);
	return begun;
}

__attribute__((noreturn)) static void guard_main(int owner, int word, const struct sl_guarded *dirs)
{
	const struct timespec nap = {.tv_nsec = 20000000};
	char said;
	struct pollfd fds[] = {{.fd = 0, .events = POLLIN}, {.fd = 1, .events = POLLIN}};

	setsid();
	/* Two numbers that neither has. */
	owner = fcntl(owner, F_DUPFD, 10);
	word = fcntl(word, F_DUPFD, 10);
	if (owner < 0 || word < 0 || dup2(owner, 0) < 0 || dup2(word, 1) < 0)
		_exit(1);
	close_range(2, ~0U, 0);
	if (chdir("/") < 0)
		_exit(1);
	prctl(PR_SET_NAME, "sandlock-guard", 0, 0, 0);
	while (poll(fds, 2, -1) < 1)
		;
	/* The end of a socket reads as well: as nothing. */
	if (fds[1].revents & POLLIN && read(1, &said, 1) == 1)
		_exit(0);
	while (poll(fds, 1, -1) < 1) /* its end is closed, it itself is about to be gone */
		;
	for (size_t dir = 0; dir < DIRS_MAX; dir++) {
		const char *path = dirs->paths[dir];

		for (int i = 0; *path && !is_begun(path) && i < REMOVE_TRIES && sl_tree_remove(path) < 0; i++)
			nanosleep(&nap, NULL); /* who was killed with it may need a moment to be gone */
	}
	_exit(0);
}

static int start(struct sl_guard *g, struct sl_error *err)
{
	SL_CLOSE int owner = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct sl_guarded *dirs =
	    mmap(NULL, sizeof(*dirs), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ends[2] = {-EBADF, -EBADF};
	sigset_t all, old;
	long pid = -1;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	if (owner >= 0 && dirs != MAP_FAILED && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0)
		pid = syscall(SYS_clone, 0UL, NULL, NULL, NULL, NULL); /* no exit signal: a "clone child" (wait(2)) */
	if (pid == 0)
		guard_main(owner, ends[0], dirs);
	sigprocmask(SIG_SETMASK, &old, NULL);
	sl_close(ends[0]);
	if (pid < 0) {
		int r = sl_error_errno(err, errno, "cannot make the guard process");

		sl_close(ends[1]);
		if (dirs != MAP_FAILED)
			munmap(dirs, sizeof(*dirs));
		return r;
	}
	*g = (struct sl_guard){(pid_t)pid, ends[1], dirs};
	return 0;
}

/* Where a path may be put: no directory of the tool's is there any more. */
static char *free_slot(struct sl_guarded *dirs)
{
	for (size_t i = 0; i < DIRS_MAX; i++)
		if (!dirs->paths[i][0] || (access(dirs->paths[i], F_OK) < 0 && errno == ENOENT))
			return dirs->paths[i];
	return NULL;
}

/* Its first byte is written last: half a name is none. */
static int put(struct sl_guard *g, const char *path, char **ret_slot, struct sl_error *err)
{
	int r = g->pid ? 0 : start(g, err);
	char *slot = r < 0 ? NULL : free_slot(g->dirs);

	if (r < 0)
		return r;
	if (!slot || strlen(path) >= PATH_MAX)
		return sl_error_errno(err, ENAMETOOLONG, "cannot watch over \"%s\"", sl_esc(path));
	__atomic_store_n(slot, '\0', __ATOMIC_RELEASE);
	snprintf(slot + 1, PATH_MAX - 1, "%s", path + 1);
	__atomic_store_n(slot, path[0], __ATOMIC_RELEASE);
	*ret_slot = slot;
	return 0;
}

int sl_guard_add(struct sl_guard *g, const char *path, struct sl_error *err)
{
	char *slot;

	return put(g, path, &slot, err);
}

/* So many that no two tools ever meet: the guard could not tell whose directory it is. */
static int put_letters(char *at)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	unsigned char random[LETTERS];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	for (size_t i = 0; i < LETTERS; i++)
		at[i] = letters[random[i] % (sizeof(letters) - 1)];
	return 0;
}

int sl_guard_make(struct sl_guard *g, const char *prefix, char **ret_path, struct sl_error *err)
{
	SL_FREE char *path = sl_xasprintf("%sXXXXXX", prefix);
	char *slot;
	int r = put_letters(path + strlen(prefix));

	if (r == 0) {
		r = put(g, path, &slot, err);
		if (r < 0)
			return r;
		r = mkdir(path, 0700) < 0 || chmod(path, 0700) < 0 ? -errno : 0; /* whatever the umask */
		if (r < 0)
			__atomic_store_n(slot, '\0', __ATOMIC_RELEASE);
	}
	if (r < 0)
		return sl_error_errno(err, -r, "cannot make the directory %s", sl_esc(path));
	*ret_path = SL_TAKE_PTR(path);
	return 0;
}

void sl_guard_stop(struct sl_guard *g)
{
	if (g->pid > 0) {
		send(g->fd, "", 1, MSG_NOSIGNAL);
		while (waitpid(g->pid, NULL, __WALL) < 0 && errno == EINTR)
			;
	}
	if (g->dirs)
		munmap(g->dirs, sizeof(*g->dirs));
	g->dirs = NULL;
	g->pid = 0;
	g->fd = sl_close(g->fd);
}
