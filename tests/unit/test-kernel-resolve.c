/*
 * Unit tests of kernel/resolve.h, most of them one comparison: a child makes the real call on a random path
 * in a random tree and says errno, device and inode; what sl_resolve() finds for the child must be the same.
 * The child and the test have different objects under the same descriptor numbers, different working
 * directories, and where it is possible different roots, so whatever is looked up as the wrong one of the two
 * shows.
 */
#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <linux/openat2.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "kernel/resolve.h"
#include "kernel/tracee.h"

#define USER	    65534
#define NOBODY_ELSE 12345
#define BROKEN	    250
#define PATHS	    3000

static char base[] = "/var/tmp/sandlock-test-resolve-XXXXXX";
static char top[64]; /* the directory of one test */
static bool is_root;
static unsigned int seed;

static unsigned int pick(unsigned int n)
{
	return (unsigned int)rand_r(&seed) % n;
}

static void need(bool ok, const char *what)
{
	if (!ok) {
		perror(what);
		_exit(BROKEN);
	}
}

/* ---- the tree ---- */

static const char long_name[] =
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"; /* 255 bytes */
static const char *const names[] = {"a",	 "b",	     "c",  "d",	     "e (deleted)",
				    "new\nline", "\xff\xfe", "17", long_name};
/* Ways that lead through somebody's identity, or end there. */
static const char *const special[] = {
    "/proc/self/cwd",
    "/proc/self/root",
    "/proc/self/fd/20",
    "/proc/self/fd/21",
    "/proc/self/fd/22",
    "/proc/self/fd/23",
    "/proc/self/fd/24",
    "/proc/self/fd/25",
    "/proc/thread-self/cwd",
    "/dev/fd/20",
    "/dev/fd/24",
    "/dev/fd/25",
    "/dev/stdin",
    "/dev/stdout",
    "/proc/self",
    "/proc/self/exe",
    "/proc/mounts",
    "/proc/net",
    "/proc/thread-self/fd",
    "/proc/self/task",
    "/proc/self/status",
    "/dev/tty",
    "/proc/self/../self",
    "/proc/thread-self/../../fd/20",
    "/proc/self/ns/mnt",
    "/proc/1/root",
    "/proc/self/fd",
    "/proc/self/nothing",
    "/proc/self/fd/20/..",
    "/proc/self/cwd/.",
    "/proc/sys/kernel",
    "/dev/null",
    "/",
    "/..",
    "/etc",
    "/proc/self/root/proc/self/cwd",
    "../proc/self/fd/20",
    "../proc/self/cwd",
    "../dev/fd",
};

/* One to five components; in front of them a directory, or one of the special ways. */
static void random_path(struct sl_strbuf *b, const char *absolute)
{
	unsigned int kind = pick(10);
	unsigned int count = 1 + pick(pick(2) ? 2 : 5);

	sl_strbuf_reset(b);
	if (kind < 3) {
		sl_strbuf_addstr(b, absolute);
	} else if (kind < 5) {
		sl_strbuf_addstr(b, special[pick(SL_ARRAY_LEN(special))]);
		if (pick(3) == 0)
			return;
	}
	for (unsigned int i = 0; i < count; i++) {
		unsigned int what = pick(20);

		if (i || kind < 5)
			sl_strbuf_addstr(b, pick(12) ? "/" : "//");
		if (what < 2)
			sl_strbuf_addstr(b, "..");
		else if (what == 2)
			sl_strbuf_addstr(b, ".");
		else if (what == 3)
			sl_strbuf_addstr(b, "missing");
		else
			sl_strbuf_addstr(b, names[pick(what < 16 ? 4 : SL_ARRAY_LEN(names))]);
	}
	if (pick(8) == 0)
		sl_strbuf_addstr(b, pick(2) ? "/" : "///");
}

static void make_file(int dir, const char *name)
{
	SL_CLOSE int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	need(fd >= 0, name);
}

static void make_link(int dir, const char *name, const char *absolute)
{
	SL_STRBUF target = SL_STRBUF_INIT;

	random_path(&target, absolute);
	need(symlinkat(sl_strbuf_str(&target), dir, name) == 0, name);
	if (geteuid() == 0 && pick(3) == 0)
		need(fchownat(dir, name, NOBODY_ELSE, NOBODY_ELSE, AT_SYMLINK_NOFOLLOW) == 0, name);
}

static void make_tree(int dir, int depth, const char *absolute)
{
	for (size_t i = 0; i < SL_ARRAY_LEN(names); i++) {
		unsigned int what = pick(10);

		if (what < 4 && depth > 0) {
			SL_CLOSE int sub = -EBADF;

			need(mkdirat(dir, names[i], 0755) == 0, "mkdir");
			sub = openat(dir, names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			need(sub >= 0, names[i]);
			make_tree(sub, depth - 1, absolute);
			if (pick(8) == 0)
				need(fchmod(sub, pick(2) ? 01777 : 0700) == 0, "chmod");
			else if (pick(10) == 0)
				need(fchmod(sub, 0) == 0, "chmod");
		} else if (what < 5) {
			make_file(dir, names[i]);
		} else if (what < 9) {
			make_link(dir, names[i], absolute);
		} else if (pick(3) == 0) {
			need(mkfifoat(dir, names[i], 0644) == 0, "mkfifo");
		}
	}
}

static int open_up(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type == FTW_D || type == FTW_DNR)
		chmod(path, 0700);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_base(void)
{
	/* As an ordinary user a closed directory can only be read after it was opened up, so level by level.
	 */
	for (int i = 0; i < 8 && access(base, F_OK) == 0; i++) {
		nftw(base, open_up, 16, FTW_PHYS);
		nftw(base, remove_one, 16, FTW_PHYS | FTW_DEPTH);
	}
}

/* Runs in each test's own process; the tree is removed at the end, by whoever runs the tests. */
static void make_top(void)
{
	char name[128];

	umask(0);
	snprintf(top, sizeof(top), "%s/%d", base, (int)getpid());
	snprintf(name, sizeof(name), "%s/its", top);
	need(mkdir(top, 0777) == 0 && mkdir(name, 0777) == 0, name);
	snprintf(name, sizeof(name), "%s/ours", top);
	need(mkdir(name, 0777) == 0, name);
}

/* ---- the child that makes the real calls ---- */

enum op { OP_LOOK, OP_EMPTY, OP_CREATE, OP_MKDIR, OP_NONE };

struct request {
	int op, dirfd, flags;
	uint64_t resolve;
	char path[PATH_MAX];
};

struct reply {
	int error; /* errno */
	mode_t mode;
	dev_t dev;
	ino_t ino;
};

/* Descriptors that the child has under the same numbers as the test has others. */
enum fds { FD_DIR = 20, FD_FILE, FD_PIPE, FD_GONE, FD_OURS, FD_ITS, FD_GONE_DIR, FD_SPARE };

struct subject {
	pid_t pid, tid;
	int sock;
	bool jailed, threaded, closed; /* closed: not dumpable */
	uid_t uid;
};

static int real_call(const struct request *q, int *ret_fd)
{
	struct open_how how = {.flags = (uint32_t)(q->flags | O_PATH | O_CLOEXEC), .resolve = q->resolve};

	switch (q->op) {
	case OP_LOOK:
		*ret_fd = (int)syscall(__NR_openat2, q->dirfd, q->path, &how, sizeof(how));
		return *ret_fd < 0 ? errno : 0;
	case OP_CREATE:
		*ret_fd = openat(q->dirfd, q->path,
				 q->flags | O_CREAT | O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
		return *ret_fd < 0 ? errno : 0;
	case OP_MKDIR:
		return mkdirat(q->dirfd, q->path, 0700) < 0 ? errno : 0;
	default:
		return 0;
	}
}

static void answer_all(int sock)
{
	static struct request q;
	int fd = -EBADF;

	while (recv(sock, &q, sizeof(q), 0) == sizeof(q)) {
		struct reply r = {0};
		struct stat st = {0};

		/* Kept until the next request: an inode number of procfs lasts as long as the inode. */
		fd = sl_close(fd);
		r.error = real_call(&q, &fd);
		if (!r.error && q.op == OP_EMPTY)
			r.error = fstatat(q.dirfd, "", &st, AT_EMPTY_PATH) < 0 ? errno : 0;
		else if (!r.error && fd >= 0)
			need(fstat(fd, &st) == 0, "fstat");
		r.mode = st.st_mode;
		r.dev = st.st_dev;
		r.ino = st.st_ino;
		need(send(sock, &r, sizeof(r), 0) == sizeof(r), "send");
	}
	_exit(0);
}

/* Put an object under a number of the table. */
static void place(int fd, int number)
{
	need(fd >= 0 && dup2(fd, number) == number, "dup2");
	close(fd);
}

/* Descriptors as the child has them (its == true) or as the test has. */
static void place_all(bool its)
{
	char name[128];
	int pipes[2];

	snprintf(name, sizeof(name), "%s/%s", top, its ? "its" : "ours");
	place(open(name, O_RDONLY | O_DIRECTORY), FD_DIR);
	snprintf(name, sizeof(name), "%s/%s/file", top, its ? "its" : "ours");
	place(open(name, O_RDWR | O_CREAT, 0666), FD_FILE);
	need(pipe(pipes) == 0, "pipe");
	place(pipes[0], FD_PIPE);
	place(pipes[1], FD_SPARE);
	snprintf(name, sizeof(name), "%s/%s/gone", top, its ? "its" : "ours");
	place(open(name, O_RDWR | O_CREAT, 0666), FD_GONE);
	need(unlink(name) == 0, name);
	need(mkdir(name, 0755) == 0, name);
	place(open(name, O_RDONLY | O_DIRECTORY), FD_GONE_DIR);
	need(rmdir(name) == 0, name);
	place(open("/usr", O_RDONLY | O_DIRECTORY), its ? FD_ITS : FD_OURS);
	close(its ? FD_OURS : FD_ITS);
}

static void become(uid_t uid, bool closed)
{
	if (uid && geteuid() == 0)
		need(setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 &&
			 setresuid(uid, uid, uid) == 0,
		     "become");
	need(prctl(PR_SET_DUMPABLE, closed ? 0 : 1) == 0, "dumpable");
}

struct thread_arg {
	int sock;
	const char *dir;
};

static void *thread_main(void *arg)
{
	const struct thread_arg *a = arg;
	pid_t tid = (pid_t)syscall(__NR_gettid);

	need(unshare(CLONE_FS | CLONE_FILES) == 0 && chdir(a->dir) == 0, "unshare");
	place_all(true);
	need(send(a->sock, &tid, sizeof(tid), 0) == sizeof(tid), "send");
	answer_all(a->sock);
	return NULL;
}

static void subject_main(const struct subject *s, int sock, const char *dir)
{
	struct thread_arg arg = {sock, dir};
	pid_t tid = getpid();
	pthread_t t;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (s->threaded) {
		become(s->uid, s->closed);
		need(chdir("/etc") == 0 && pthread_create(&t, NULL, thread_main, &arg) == 0, "thread");
		pause();
	}
	need(chdir(dir) == 0, dir);
	place_all(true);
	if (s->jailed)
		need(chroot(top) == 0, "chroot");
	become(s->uid, s->closed);
	need(send(sock, &tid, sizeof(tid), 0) == sizeof(tid), "send");
	answer_all(sock);
}

static void start(struct subject *s, const char *dir)
{
	int socks[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks), 0);
	s->pid = fork();
	ck_assert_int_ge(s->pid, 0);
	if (s->pid == 0) {
		close(socks[0]);
		subject_main(s, socks[1], dir);
		_exit(0);
	}
	close(socks[1]);
	s->sock = socks[0];
	ck_assert_int_eq(recv(s->sock, &s->tid, sizeof(s->tid), 0), sizeof(s->tid));
}

static void stop(struct subject *s)
{
	int status;

	close(s->sock);
	ck_assert_int_eq(waitpid(s->pid, &status, 0), s->pid);
	ck_assert_int_eq(status, 0);
}

static struct reply ask(const struct subject *s, const struct request *q)
{
	struct reply r;

	ck_assert_int_eq(send(s->sock, q, sizeof(*q), 0), sizeof(*q));
	ck_assert_int_eq(recv(s->sock, &r, sizeof(r), 0), sizeof(r));
	return r;
}

/* ---- the comparison ---- */

static int resolve_as(const struct subject *s, const struct request *q, int flags, struct sl_resolved *ret)
{
	struct sl_creds creds;
	struct sl_resolve_opts opts = {.flags = flags, .resolve = q->resolve, .creds = &creds};

	ck_assert_int_eq(sl_tracee_creds(s->tid, &creds), 0);
	return sl_resolve_with(s->tid, q->dirfd, q->path, &opts, ret);
}

/* The canonical name leads back to the object. */
static void check_name(const struct sl_resolved *r, const struct stat *object, const char *what)
{
	struct stat st;

	if (r->anonymous || r->deleted) {
		ck_assert_msg(r->anonymous || object->st_nlink == 0 || lstat(r->path, &st) < 0 ||
				  st.st_ino != object->st_ino,
			      "'%s': %s is not deleted", what, r->path);
		return;
	}
	ck_assert_msg(r->path[0] == '/', "'%s': %s", what, r->path);
	if (lstat(r->path, &st) < 0) {
		ck_assert_msg(errno == EACCES && geteuid() != 0, "'%s': %s: %m", what, r->path);
		return;
	}
	ck_assert_msg(st.st_dev == object->st_dev && st.st_ino == object->st_ino,
		      "'%s': %s is another object", what, r->path);
}

static void describe(struct sl_strbuf *b, const struct request *q)
{
	sl_strbuf_addf(b, "op %d dirfd %d flags %#x resolve %#llx '%s'", q->op, q->dirfd,
		       (unsigned int)q->flags, (unsigned long long)q->resolve, q->path);
}

static void compare_look(const struct subject *s, const struct request *q)
{
	struct sl_resolved *r = sl_xcalloc(1, sizeof(*r));
	struct reply real = ask(s, q);
	SL_STRBUF what = SL_STRBUF_INIT;
	struct stat st;
	int flags = q->flags & O_NOFOLLOW ? SL_RESOLVE_NOFOLLOW : 0;
	int got;

	if (q->op == OP_EMPTY)
		flags = SL_RESOLVE_EMPTY;
	describe(&what, q);
	got = resolve_as(s, q, flags, r);
	ck_assert_msg(-got == real.error, "%s: kernel %s, we %s", what.data, strerror(real.error),
		      strerror(-got));
	if (got == 0) {
		ck_assert_int_eq(fstat(r->fd, &st), 0);
		ck_assert_msg(st.st_dev == real.dev && st.st_ino == real.ino, "%s: another object: %s",
			      what.data, r->path);
		check_name(r, &st, what.data);
	} else {
		ck_assert(r->fd < 0 && r->parent_fd < 0);
	}
	sl_resolved_release(r);
	free(r);
}

/* Would the call make something outside of the test's own tree? */
static bool leaves_tree(const struct sl_resolved *r)
{
	size_t len = strlen(top);

	return r->parent_fd >= 0 && (strncmp(r->path, top, len) != 0 || r->path[len] != '/');
}

/* Something was made: it stands where it was said that it would, and is removed again. */
static void check_made(const struct request *q, const struct sl_resolved *r, const struct reply *real,
		       const char *what)
{
	struct stat st, named;
	int flag = q->op == OP_MKDIR ? AT_REMOVEDIR : 0;

	ck_assert_int_ge(r->parent_fd, 0);
	ck_assert_msg(fstatat(r->parent_fd, r->name, &st, AT_SYMLINK_NOFOLLOW) == 0,
		      "%s: made elsewhere than %s", what, r->path);
	if (q->op == OP_CREATE)
		ck_assert_msg(st.st_dev == real->dev && st.st_ino == real->ino, "%s: another object: %s",
			      what, r->path);
	if (lstat(r->path, &named) == 0)
		ck_assert_msg(named.st_ino == st.st_ino, "%s: named %s", what, r->path);
	else
		ck_assert_msg(errno == EACCES, "%s: named %s: %m", what, r->path);
	ck_assert_msg(unlinkat(r->parent_fd, r->name, flag) == 0, "%s: %m", what);
}

/* What open(O_CREAT) or mkdir say for a found or missing object: 0 or errno. Permission to write the
 * directory or to read the object is not the resolver's: -1 where that may decide. */
static int expected(const struct request *q, const struct sl_resolved *r, int got)
{
	struct stat st;

	if (q->op == OP_MKDIR)
		return got			   ? (got == -ENOTDIR && r->trailing_slash ? -1 : -got)
		       : r->fd >= 0 || !r->name[0] ? EEXIST
						   : 0;
	if (got)
		return -got;
	if (r->fd < 0)
		return r->trailing_slash ? EISDIR : 0;
	if (fstat(r->fd, &st) < 0)
		return EBADF;
	return S_ISDIR(st.st_mode) || r->trailing_slash ? EISDIR : S_ISREG(st.st_mode) ? 0 : -1;
}

static void compare_parent(const struct subject *s, const struct request *q)
{
	struct sl_resolved *r = sl_xcalloc(1, sizeof(*r));
	bool nofollow = q->op == OP_MKDIR || q->flags & O_EXCL;
	int got = resolve_as(s, q, SL_RESOLVE_PARENT | (nofollow ? SL_RESOLVE_NOFOLLOW : 0), r);
	SL_STRBUF what = SL_STRBUF_INIT;
	struct reply real;
	struct stat st;
	int want;

	describe(&what, q);
	if (got == 0 && leaves_tree(r)) {
		sl_resolved_release(r);
		free(r);
		return;
	}
	want = expected(q, r, got);
	real = ask(s, q);
	if (want == 0 && nofollow && r->fd >= 0)
		want = EEXIST;
	if (got && real.error == EISDIR)
		; /* open(O_CREAT) says it of a slash at the end, of the path or of a link, before it looks
		     further */
	else if (want > 0 || (want == 0 && !real.error))
		ck_assert_msg(want == real.error || (nofollow && r->fd >= 0 && real.error == EEXIST) ||
				  (r->parent_fd >= 0 && real.error == EACCES),
			      "%s: kernel %s, we %s (%d)", what.data, strerror(real.error), strerror(want),
			      got);
	else if (want == 0)
		ck_assert_msg(real.error == EACCES || real.error == EPERM, "%s: kernel %s", what.data,
			      strerror(real.error));
	if (!real.error && (r->fd < 0 || got)) {
		ck_assert_msg(got == 0, "%s: made, though we say %s", what.data, strerror(-got));
		check_made(q, r, &real, what.data);
	} else if (!real.error) {
		ck_assert_int_eq(fstat(r->fd, &st), 0);
		ck_assert_msg(st.st_dev == real.dev && st.st_ino == real.ino, "%s: another object",
			      what.data);
	}
	sl_resolved_release(r);
	free(r);
}

static void random_request(struct request *q, const struct subject *s)
{
	static const int dirfds[] = {AT_FDCWD, AT_FDCWD, AT_FDCWD, FD_DIR,	FD_FILE, FD_PIPE,
				     FD_GONE,  FD_OURS,	 FD_ITS,   FD_GONE_DIR, -7};
	static const uint64_t resolves[] = {RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_XDEV,
					    RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS};
	SL_STRBUF path = SL_STRBUF_INIT;

	memset(q, 0, sizeof(*q));
	q->op = pick(3) ? OP_LOOK : pick(8) == 0 ? OP_EMPTY : pick(2) ? OP_CREATE : OP_MKDIR;
	q->dirfd = dirfds[pick(SL_ARRAY_LEN(dirfds))];
	if (q->op == OP_LOOK && pick(4) == 0)
		q->resolve = resolves[pick(SL_ARRAY_LEN(resolves))];
	if (q->op == OP_LOOK && pick(3) == 0)
		q->flags = O_NOFOLLOW;
	if (q->op == OP_CREATE && pick(3) == 0)
		q->flags = O_EXCL;
	if (q->op == OP_EMPTY)
		return;
	random_path(&path, s->jailed && pick(2) ? "/its" : top);
	if (!path.len || path.len >= sizeof(q->path))
		return;
	memcpy(q->path, sl_strbuf_str(&path), path.len + 1);
}

static void run_variant(struct subject s, uid_t own_uid, unsigned int first_seed)
{
	struct request *q = sl_xcalloc(1, sizeof(*q));
	char dir[128];
	int fd;

	seed = first_seed;
	place_all(false);
	snprintf(dir, sizeof(dir), "%s/its", top);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_tree(fd, 2, s.jailed ? "/its" : dir);
	close(fd);
	become(own_uid, false);
	start(&s, dir);
	for (int i = 0; i < PATHS; i++) {
		random_request(q, &s);
		if (q->op == OP_LOOK || q->op == OP_EMPTY)
			compare_look(&s, q);
		else
			compare_parent(&s, q);
	}
	stop(&s);
	free(q);
}

static const struct variant {
	uid_t uid, own_uid;
	bool root_only, jailed, threaded, closed;
} variants[] = {
    {0, 0, false, false, false, false}, /* alike: as whoever runs the tests */
    {0, 0, false, false, true, false},
    {USER, USER, true, false, false, false}, /* both are an ordinary user */
    {USER, USER, true, false, true, false},
    {USER, 0, true, false, false, false}, /* root for an ordinary user */
    {USER, 0, true, false, true, true},
    {0, 0, true, true, false, false},
    {USER, 0, true, true, false, true},
};
#define SEEDS 2

START_TEST(as_the_kernel)
{
	const struct variant *v = &variants[_i / SEEDS];
	struct subject s = {.uid = v->uid, .jailed = v->jailed, .threaded = v->threaded, .closed = v->closed};

	ck_assert(is_root || !v->root_only);
	run_variant(s, v->own_uid, (unsigned int)(7 + _i));
}
END_TEST

/* ---- single cases ---- */

static struct sl_resolved r;

/* A child in top/its that waits; the test is as it was. */
static struct subject waiting_child(void)
{
	struct subject s = {0};
	char dir[128];

	place_all(false);
	snprintf(dir, sizeof(dir), "%s/its", top);
	ck_assert_int_eq(chdir(dir), 0);
	start(&s, dir);
	return s;
}

static void expect_path(const char *name)
{
	SL_STRBUF want = SL_STRBUF_INIT;

	sl_strbuf_addf(&want, "%s/its/%s", top, name);
	ck_assert_str_eq(r.path, sl_strbuf_str(&want));
}

/* A name that ends in " (deleted)", and names that are gone. */
START_TEST(deleted_names)
{
	struct subject s = waiting_child();

	make_file(AT_FDCWD, "x (deleted)");
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, "x (deleted)", 0, &r), 0);
	ck_assert(!r.deleted && !r.anonymous);
	expect_path("x (deleted)");
	ck_assert_int_eq(unlink("x (deleted)"), 0);
	ck_assert_int_eq(sl_resolve_name(&r, 0), 0);
	ck_assert(r.deleted && !r.anonymous);
	expect_path("x (deleted)");
	sl_resolved_release(&r);

	/* One of two names of a file is removed; a stranger takes the name that the kernel's text would be.
	 */
	make_file(AT_FDCWD, "y");
	ck_assert_int_eq(link("y", "other"), 0);
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, "y", 0, &r), 0);
	ck_assert_int_eq(unlink("y"), 0);
	make_file(AT_FDCWD, "y (deleted)");
	ck_assert_int_eq(sl_resolve_name(&r, SL_RESOLVE_VERIFY), 0);
	ck_assert(r.deleted);
	expect_path("y");
	sl_resolved_release(&r);

	ck_assert_int_eq(sl_resolve_fd(s.tid, FD_GONE, &r), 0);
	ck_assert(r.deleted && !r.anonymous);
	expect_path("gone");
	sl_resolved_release(&r);
	ck_assert_int_eq(sl_resolve(s.tid, FD_GONE_DIR, "new", SL_RESOLVE_PARENT, &r), -ENOENT);
	ck_assert_int_eq(sl_resolve(s.tid, FD_GONE_DIR, ".", SL_RESOLVE_PARENT, &r), 0);
	ck_assert(r.deleted && !*r.name);
	sl_resolved_release(&r);
	stop(&s);
}
END_TEST

START_TEST(anonymous)
{
	struct subject s = waiting_child();
	int fd = memfd_create("x", MFD_CLOEXEC);
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(sl_resolve_fd(s.tid, FD_PIPE, &r), 0);
	ck_assert(r.anonymous);
	ck_assert_int_eq(strncmp(r.path, "pipe:[", 6), 0);
	sl_resolved_release(&r);
	ck_assert_int_eq(sl_resolve_fd(getpid(), fd, &r), 0);
	ck_assert(r.anonymous && r.deleted);
	ck_assert_str_eq(r.path, "/memfd:x");
	sl_resolved_release(&r);
	ck_assert_int_eq(sl_resolve_fd(getpid(), sock, &r), 0);
	ck_assert(r.anonymous);
	sl_resolved_release(&r);
	ck_assert_int_eq(sl_resolve(s.tid, FD_PIPE, "x", 0, &r), -ENOTDIR);
	ck_assert_int_eq(sl_resolve_fd(s.tid, 99, &r), -EBADF);
	ck_assert_int_eq(sl_resolve_fd(s.tid, AT_FDCWD, &r), -EBADF);
	close(fd);
	close(sock);
	stop(&s);
}
END_TEST

/* The directory is renamed while the child is in it. */
START_TEST(renamed_cwd)
{
	struct subject s = waiting_child();
	char from[128], to[128];

	make_file(AT_FDCWD, "in");
	snprintf(from, sizeof(from), "%s/its", top);
	snprintf(to, sizeof(to), "%s/moved", top);
	ck_assert_int_eq(rename(from, to), 0);
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, "in", SL_RESOLVE_VERIFY, &r), 0);
	ck_assert_int_eq(strncmp(r.path, to, strlen(to)), 0);
	sl_resolved_release(&r);
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, "new", SL_RESOLVE_PARENT, &r), 0);
	ck_assert_int_eq(strncmp(r.path, to, strlen(to)), 0);
	ck_assert_str_eq(r.name, "new");
	ck_assert_int_lt(r.fd, 0);
	sl_resolved_release(&r);
	ck_assert_int_eq(rename(to, from), 0);
	stop(&s);
}
END_TEST

/* A chain of links, one over the kernel's limit; magic links count too. */
START_TEST(link_limit)
{
	struct subject s = waiting_child();
	char name[16], target[64];

	make_file(AT_FDCWD, "l0");
	for (int i = 1; i <= 41; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		snprintf(target, sizeof(target), "l%d", i - 1);
		ck_assert_int_eq(symlink(target, name), 0);
		snprintf(name, sizeof(name), "m%d", i);
		snprintf(target, sizeof(target), "/proc/self/cwd/%c%d", i > 1 ? 'm' : 'l', i - 1);
		ck_assert_int_eq(symlink(target, name), 0);
	}
	for (int i = 0; i < 2 * 41; i++) {
		struct request q = {.op = OP_LOOK, .dirfd = AT_FDCWD};

		snprintf(q.path, sizeof(q.path), "%c%d", i % 2 ? 'l' : 'm', i / 2 + 1);
		compare_look(&s, &q);
	}
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, "l40", SL_RESOLVE_PARENT, &r), 0);
	expect_path("l0");
	sl_resolved_release(&r);
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, "l41", 0, &r), -ELOOP);
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, "m13", 0, &r), 0);
	sl_resolved_release(&r);
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, "m14", 0, &r), -ELOOP);
	stop(&s);
}
END_TEST

/* Lengths of names and paths, and a working directory that is deeper than PATH_MAX. */
START_TEST(lengths)
{
	struct subject s = waiting_child();
	struct request q = {.op = OP_LOOK, .dirfd = AT_FDCWD};
	char name[NAME_MAX + 2];

	memset(q.path, '/', sizeof(q.path) - 1);
	compare_look(&s, &q); /* PATH_MAX - 1 slashes */
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, name, 0, &r), -ENAMETOOLONG);
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, name, SL_RESOLVE_PARENT, &r), -ENAMETOOLONG);
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, "", 0, &r), -ENOENT);
	stop(&s);

	name[NAME_MAX] = '\0';
	for (int i = 0; i < PATH_MAX / NAME_MAX + 1; i++) {
		ck_assert_int_eq(mkdir(name, 0777), 0);
		ck_assert_int_eq(chdir(name), 0);
	}
	make_file(AT_FDCWD, "deep");
	start(&s, ".");
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, "deep", 0, &r), -ENAMETOOLONG);
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, "new", SL_RESOLVE_PARENT, &r), -ENAMETOOLONG);
	ck_assert_int_lt(r.parent_fd, 0);
	stop(&s);
	/* Too deep for a walk by name: taken down from within. */
	ck_assert_int_eq(unlink("deep"), 0);
	while (chdir("..") == 0 && rmdir(name) == 0)
		;
}
END_TEST

static bool never(pid_t tgid, void *arg)
{
	*(pid_t *)arg = tgid;
	return false;
}

/* Magic links of other processes: never ours, and only whose the caller may follow. */
START_TEST(entries_of_others)
{
	struct subject s = waiting_child(), other = {0};
	pid_t asked = 0;
	struct sl_resolve_opts opts = {.may_follow = never, .arg = &asked};
	char path[64];

	start(&other, "/usr");
	snprintf(path, sizeof(path), "/proc/%d/cwd/bin", (int)other.pid);
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, path, 0, &r), 0);
	ck_assert_str_eq(r.path, "/usr/bin");
	sl_resolved_release(&r);
	ck_assert_int_eq(sl_resolve_with(s.tid, AT_FDCWD, path, &opts, &r), -EACCES);
	ck_assert_int_eq(asked, other.pid);
	asked = 0;
	ck_assert_int_eq(sl_resolve_with(s.tid, AT_FDCWD, "/proc/self/cwd", &opts, &r), 0);
	ck_assert_int_eq(asked, 0);
	sl_resolved_release(&r);
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), FD_OURS);
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, path, 0, &r), -EACCES);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/root/etc", (int)getpid(), (int)getpid());
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, path, 0, &r), -EACCES);
	stop(&other);
	stop(&s);
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, "x", 0, &r), -ESRCH);
}
END_TEST

/* Where open(O_CREAT) makes a file through a dangling link; what has no name of its own. */
START_TEST(parents)
{
	struct subject s = waiting_child();

	ck_assert_int_eq(mkdir("d", 0777), 0);
	ck_assert_int_eq(symlink("d/../d/new", "dangling"), 0);
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, "dangling", SL_RESOLVE_PARENT, &r), 0);
	ck_assert(r.fd < 0 && r.parent_fd >= 0);
	ck_assert_str_eq(r.name, "new");
	expect_path("d/new");
	sl_resolved_release(&r);
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, "dangling", SL_RESOLVE_PARENT | SL_RESOLVE_NOFOLLOW, &r),
			 0);
	ck_assert(r.fd >= 0);
	expect_path("dangling");
	sl_resolved_release(&r);
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, "d/more//", SL_RESOLVE_PARENT, &r), 0);
	ck_assert(r.fd < 0 && r.trailing_slash);
	expect_path("d/more");
	sl_resolved_release(&r);
	ck_assert_int_eq(
	    sl_resolve(s.tid, AT_FDCWD, "dangling/", SL_RESOLVE_PARENT | SL_RESOLVE_NOFOLLOW, &r), -ENOTDIR);
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, "/", SL_RESOLVE_PARENT, &r), 0);
	ck_assert(r.fd >= 0 && r.parent_fd < 0 && !*r.name);
	ck_assert_str_eq(r.path, "/");
	sl_resolved_release(&r);
	ck_assert_int_eq(sl_resolve(s.tid, AT_FDCWD, "/proc/self/fd/21", SL_RESOLVE_PARENT, &r), 0);
	ck_assert(r.fd >= 0 && r.parent_fd < 0 && !*r.name);
	expect_path("file");
	sl_resolved_release(&r);
	stop(&s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kernel-resolve");
	TCase *compared = tcase_create("compared"), *cases = tcase_create("cases");
	SRunner *runner = srunner_create(s);
	size_t count = SL_ARRAY_LEN(variants);
	int failed;

	is_root = geteuid() == 0;
	need(mkdtemp(base) != NULL && chmod(base, 0755) == 0, base);
	while (!is_root && variants[count - 1].root_only)
		count--;
	tcase_set_timeout(compared, 100);
	tcase_add_checked_fixture(compared, make_top, NULL);
	tcase_add_loop_test(compared, as_the_kernel, 0, (int)count * SEEDS);
	tcase_add_checked_fixture(cases, make_top, NULL);
	tcase_add_test(cases, deleted_names);
	tcase_add_test(cases, anonymous);
	tcase_add_test(cases, renamed_cwd);
	tcase_add_test(cases, link_limit);
	tcase_add_test(cases, lengths);
	tcase_add_test(cases, entries_of_others);
	tcase_add_test(cases, parents);
	suite_add_tcase(s, compared);
	suite_add_tcase(s, cases);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	remove_base();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
