/*
 * attack-net-stall.c - making the supervisor wait: what one process does must not hold up the calls of another.
 *
 * usage: attack-net-stall [hold]
 *
 * To be run under a profile that grants tcp://127.0.0.1 and port 0. Each attempt lets a child do its worst and then makes a
 * call of its own that the supervisor has to answer; SIGALRM is how it ends where nobody answers. "hold": sends what nobody
 * receives, says "held" and stays until it is told a line.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "attack.h"

#define ROUNDS 600
#define SMALL  4096 /* bytes of a socket's buffers */
#define WAITING 1100

static atomic_int target = -1; /* the descriptor that is being connected */
static struct sockaddr_un full; /* a listener of our own without a place */
static socklen_t full_len;

static void start_thread(void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 64 * 1024);
	if (pthread_create(&thread, &attr, run, arg))
		attack_die("pthread_create");
}

static void make_full(void)
{
	int server = socket(AF_UNIX, SOCK_STREAM, 0), r;

	full.sun_family = AF_UNIX;
	snprintf(full.sun_path + 1, sizeof(full.sun_path) - 1, "sandlock-stall-%d", (int)getpid());
	full_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(full.sun_path + 1));
	if (bind(server, (struct sockaddr *)&full, full_len) < 0 || listen(server, 0) < 0)
		attack_die("listen");
	do
		r = connect(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), (struct sockaddr *)&full, full_len);
	while (r == 0);
}

/* Whoever connects on our behalf makes the socket non-blocking first. */
static void *make_blocking(void *arg)
{
	for (;;)
		fcntl(target, F_SETFL, 0);
	return arg;
}

static void *connect_full(void *fd)
{
	connect((int)(intptr_t)fd, (struct sockaddr *)&full, full_len);
	return NULL;
}

static void flags_that_change(void)
{
	make_full();
	start_thread(make_blocking, NULL);
	for (int i = 0; i < ROUNDS; i++) {
		target = socket(AF_UNIX, SOCK_STREAM, 0);
		start_thread(connect_full, (void *)(intptr_t)target);
		usleep(200);
	}
}

static int loopback(int fd, struct sockaddr_in *a, bool listens)
{
	socklen_t len = sizeof(*a);

	if (!listens)
		return connect(fd, (struct sockaddr *)a, len);
	*a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (bind(fd, (struct sockaddr *)a, len) < 0 || listen(fd, ROUNDS) < 0)
		return -1;
	return getsockname(fd, (struct sockaddr *)a, &len);
}

/* As many as nobody's table of descriptors has room for by itself. */
static struct sockaddr_in crowded;

static void *connect_crowded(void *fd)
{
	loopback((int)(intptr_t)fd, &crowded, false);
	return NULL;
}

static void many_that_wait(void)
{
	int server = socket(AF_INET, SOCK_STREAM, 0);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		attack_die("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || loopback(server, &crowded, true) < 0 || listen(server, 0) < 0)
		attack_die("listen");
	for (int i = 0; i < 4; i++)
		loopback(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), &crowded, false);
	for (int i = 0; i < WAITING; i++)
		start_thread(connect_crowded, (void *)(intptr_t)socket(AF_INET, SOCK_STREAM, 0));
	usleep(500000);
}

static atomic_int turn = -1;

struct closing {
	int turn, fd;
	struct sockaddr_in peer;
};

static void *connect_again(void *arg)
{
	struct closing *c = arg;

	turn = c->turn;
	loopback(c->fd, &c->peer, false);
	return NULL;
}

/* Close the socket while somebody else may hold it for a moment, so that it is that one's to wait until all is sent. */
static void *close_then(void *arg)
{
	const struct closing *c = arg;

	while (turn < c->turn)
		;
	for (volatile int i = c->turn * 37 % 20000; i > 0; i--)
		;
	close(c->fd);
	return NULL;
}

/* Nobody ever reads what was sent. */
static void closes_that_wait(void)
{
	static char bytes[1 << 16];
	static struct closing each[ROUNDS];
	const struct linger wait = {.l_onoff = 1, .l_linger = 3600};
	const int small = SMALL;
	struct sockaddr_in a;
	int server = socket(AF_INET, SOCK_STREAM, 0);

	if (setsockopt(server, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) < 0 || loopback(server, &a, true) < 0)
		attack_die("listen");
	for (int i = 0; i < ROUNDS; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		/* Whoever came late with the number of the one before may have connected it already. */
		if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) < 0 ||
		    (loopback(fd, &a, false) < 0 && errno != EISCONN))
			attack_die("connect");
		while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
			;
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &wait, sizeof(wait));
		each[i] = (struct closing){i, fd, a};
		start_thread(close_then, &each[i]);
		usleep(100);
		start_thread(connect_again, &each[i]);
		usleep(200);
	}
}

/* The child does it and stays; then a call of ours is answered. */
static long beside(void (*worst)(void))
{
	struct sockaddr_in a;
	int ends[2], server, error;
	char byte;
	pid_t pid;
	long r;

	if (pipe(ends) < 0)
		attack_die("pipe");
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		worst();
		if (write(ends[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	close(ends[1]);
	/* Where the supervisor waits for ever the child does too. */
	if (read(ends[0], &byte, 1) != 1) {
		errno = ECHILD;
		return -1;
	}
	server = socket(AF_INET, SOCK_STREAM, 0);
	r = loopback(server, &a, true) == 0 ? loopback(socket(AF_INET, SOCK_STREAM, 0), &a, false) : -1;
	error = errno;
	kill(pid, SIGKILL);
	errno = error;
	return r;
}

static long s_flags(void)
{
	return beside(flags_that_change);
}

static long s_linger(void)
{
	return beside(closes_that_wait);
}

/* Sends that nobody receives, from many threads: who acts for them holds what each has to send. */
#define SENDERS 1000

static int stuck[2];

static void *send_stuck(void *arg)
{
	static char bytes[1 << 20];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	sendmsg(stuck[0], &h, 0);
	return arg;
}

static int hold(void)
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, stuck) < 0)
		attack_die("socketpair");
	for (int i = 0; i < SENDERS; i++)
		start_thread(send_stuck, NULL);
	usleep(1000000);
	puts("held");
	fflush(stdout);
	return getchar() == EOF;
}

static long s_many(void)
{
	return beside(many_that_wait);
}

int main(int argc, char **argv)
{
	static const struct attempt table[] = {
	    {"flags", s_flags},
	    {"linger", s_linger},
	    {"many", s_many},
	};

	if (argc == 2 && !strcmp(argv[1], "hold"))
		return hold();
	attack_table(table, ATTACK_LEN(table));
	return 0;
}
