/*
 * net-watch.c - connects whose outcome comes later, while learning: a thread looks until it is known.
 *
 * A stream that is being connected is held by a descriptor of our own, so that its state can still be read
 * when the caller is quick to close it; it is let go at once when the outcome is there or the caller has
 * closed it. Its error is left for the caller to read: only its state is asked for.
 *
 * Of a datagram socket that is connected the kernel notes which CPU a datagram came in on (SO_INCOMING_CPU, -1 until then): a
 * reply, so it was sent on, whoever has read it. Whether its caller still has a socket is seen in /proc.
 */
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "kernel/tracee.h"
#include "observe/network.h"

#define WATCH_MAX    256
#define LOOK_EACH_MS 20
#define IN_USE_MS    250 /* a probe does not stay connected that long */

struct watched {
	struct sl_net_peer peer;
	int fd; /* -EBADF: it is not held */
	bool stream;
	pid_t tgid;
	int caller_fd;
	ino_t inode;
	int64_t since_ms;
};

struct sl_net_watch {
	struct sl_net_facts *facts;
	pthread_mutex_t lock;
	pthread_t thread;
	bool running, stop;
	int wake;
	struct watched items[WATCH_MAX];
	size_t count;
};

static bool caller_has_it(const struct watched *w)
{
	char name[64], link[64], text[64];
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)w->tgid, w->caller_fd);
	snprintf(link, sizeof(link), "socket:[%lu]", (unsigned long)w->inode);
	n = readlink(name, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return !strcmp(text, link);
}

enum outcome { UNDER_WAY, REACHED, NOTHING };

static enum outcome look_at_stream(const struct watched *w)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (getsockopt(w->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return NOTHING;
	if (info.tcpi_state == TCP_SYN_SENT)
		return caller_has_it(w) ? UNDER_WAY : NOTHING;
	return info.tcpi_state == TCP_CLOSE ? NOTHING : REACHED;
}

/* Has anything come in? */
static bool has_received(int fd)
{
	int cpu = -1;
	socklen_t size = sizeof(cpu);

	return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_INCOMING_CPU, &cpu, &size) == 0 && cpu >= 0;
}

static enum outcome look_at_datagram(const struct watched *w)
{
	bool has = caller_has_it(w);

	if (has_received(w->fd))
		return REACHED;
	if (!has)
		return NOTHING;
	return sl_now_ms() - w->since_ms >= IN_USE_MS ? REACHED : UNDER_WAY;
}

/* Under the lock. Whom was reached goes to ret, their number is the result: the facts have a lock of their own, which
 * whoever adds to us holds. */
static size_t look(struct sl_net_watch *w, struct sl_net_peer ret[WATCH_MAX])
{
	size_t kept = 0, reached = 0;

	for (size_t i = 0; i < w->count; i++) {
		struct watched *item = &w->items[i];
		enum outcome o = item->stream ? look_at_stream(item) : look_at_datagram(item);

		if (o == UNDER_WAY) {
			w->items[kept++] = *item;
			continue;
		}
		sl_close(item->fd);
		if (o == REACHED)
			ret[reached++] = item->peer;
	}
	w->count = kept;
	return reached;
}

static void *watch_main(void *arg)
{
	struct sl_net_watch *w = arg;
	struct pollfd polled[WATCH_MAX + 1];
	struct sl_net_peer peers[WATCH_MAX];

	for (;;) {
		nfds_t count = 1;
		bool idle, stop;
		uint64_t value;
		size_t reached;

		pthread_mutex_lock(&w->lock);
		reached = look(w, peers);
		stop = w->stop;
		idle = !w->count;
		polled[0] = (struct pollfd){.fd = w->wake, .events = POLLIN};
		for (size_t i = 0; i < w->count; i++)
			if (w->items[i].fd >= 0)
				polled[count++] = (struct pollfd){.fd = w->items[i].fd,
								  .events = w->items[i].stream ? POLLOUT : POLLIN};
		pthread_mutex_unlock(&w->lock);
		for (size_t i = 0; i < reached; i++)
			sl_net_facts_peer(w->facts, &peers[i]);
		if (stop)
			return NULL;
		poll(polled, count, idle ? -1 : LOOK_EACH_MS);
		if (polled[0].revents && read(w->wake, &value, sizeof(value)) < 0)
			continue;
	}
}

struct sl_net_watch *sl_net_watch_new(struct sl_net_facts *f)
{
	struct sl_net_watch *w = sl_xcalloc(1, sizeof(*w));

	w->facts = f;
	w->wake = -EBADF;
	pthread_mutex_init(&w->lock, NULL);
	return w;
}

static void wake(const struct sl_net_watch *w)
{
	uint64_t one = 1;

	while (write(w->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* Under the lock. */
static bool start(struct sl_net_watch *w)
{
	if (w->running)
		return true;
	w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->stop = false;
	w->running = w->wake >= 0 && !pthread_create(&w->thread, NULL, watch_main, w);
	return w->running;
}

void sl_net_watch_add(struct sl_net_watch *w, const struct sl_net_event *e, bool hold)
{
	struct watched item = {.peer = e->peer,
			       .fd = -EBADF,
			       .stream = e->type == SOCK_STREAM,
			       .tgid = sl_tracee_tgid(e->tid),
			       .caller_fd = e->caller_fd,
			       .since_ms = sl_now_ms()};
	struct stat st;

	if (fstat(e->fd, &st) < 0)
		return;
	item.inode = st.st_ino;
	pthread_mutex_lock(&w->lock);
	if (w->count < WATCH_MAX && start(w)) {
		if (item.stream || hold)
			item.fd = fcntl(e->fd, F_DUPFD_CLOEXEC, 3);
		w->items[w->count++] = item;
		wake(w);
	}
	pthread_mutex_unlock(&w->lock);
}

void sl_net_watch_settle(struct sl_net_watch *w)
{
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_mutex_unlock(&w->lock);
	if (w->running) {
		wake(w);
		pthread_join(w->thread, NULL);
	}
	w->running = false;
	w->wake = sl_close(w->wake);
	for (size_t i = 0; i < w->count; i++)
		sl_close(w->items[i].fd);
	w->count = 0;
}

void sl_net_watch_free(struct sl_net_watch *w)
{
	sl_net_watch_settle(w);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
