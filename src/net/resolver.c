/*
 * resolver.c - see resolver.h.
 *
 * The worker takes one job at a time from a queue; a job is a set of names that are looked up at once.
 */
#include "net/resolver.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"
#include "net/forward.h"
#include "net/lookup.h"

#define FILE_MAX_BYTES (16 << 20) /* lists of blocked hosts run to megabytes */
#define DOMAIN_PORT    53
#define AWAIT_S	    2 /* what a look-up waits for a nameserver, at the end of a run */
#define FRESH_MS       1000 /* within which a look-up is not made again */
#define JOBS_MAX       1024 /* that wait; then nobody is promised anything new */

/* A file that is read anew when it is another one. */
struct watched {
	const char *path;
	bool read, kept;
	struct stat st;
};

struct job {
	struct job *next;
	struct sl_strv names;
	void (*done)(void *arg);
	void *arg;
};

/* When a name was looked up; PENDING: it is queued, or being looked up. */
#define PENDING INT64_MAX
struct fresh {
	char *name;
	int64_t at_ms;
};

struct sl_resolver {
	bool learn;
	struct sl_names *names;
	struct sl_forward *forward;

	pthread_mutex_t lock; /* over all below */
	struct watched resolv_conf, hosts;
	struct sl_nameservers servers;
	uint16_t port;
	struct fresh *fresh;
	size_t fresh_count;
	struct job *first, **last;
	size_t job_count;
	pthread_cond_t more, idle;
	pthread_t thread;
	bool running, busy, stop; /* busy: a job was taken and is not done */
	int stop_fd;
};

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The file's text where it is another than last time; a missing one is empty. */
static bool changed(struct watched *w, struct sl_strbuf *text)
{
	SL_CLOSE int fd = -EBADF;
	struct stat st = {.st_size = -1};
	char chunk[16384];
	ssize_t n;

	if (w->kept)
		return false;
	if (stat(w->path, &st) < 0)
		st = (struct stat){.st_size = -1};
	if (w->read && is_same(&st, &w->st))
		return false;
	w->read = true;
	fd = open(w->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		st = (struct stat){.st_size = -1};
	w->st = st;
	while (st.st_size >= 0 && text->len < FILE_MAX_BYTES && (n = read(fd, chunk, sizeof(chunk))) > 0)
		sl_strbuf_add(text, chunk, (size_t)n);
	return true;
}

/* With the lock held. */
static void read_resolv_conf(struct sl_resolver *r)
{
	SL_STRBUF text = SL_STRBUF_INIT;

	if (changed(&r->resolv_conf, &text))
		sl_nameservers_parse(sl_strbuf_str(&text), text.len, r->port, &r->servers);
}

/* With the lock held. */
static void read_hosts(struct sl_resolver *r)
{
	SL_STRBUF text = SL_STRBUF_INIT;

	if (changed(&r->hosts, &text))
		sl_names_add_hosts(r->names, sl_strbuf_str(&text), text.len);
}

struct sl_resolver *sl_resolver_new(const struct sl_resolver_options *options)
{
	struct sl_resolver *r = sl_xcalloc(1, sizeof(*r));

	r->learn = options->learn;
	r->resolv_conf.path = options->resolv_conf ? options->resolv_conf : "/etc/resolv.conf";
	r->hosts.path = options->hosts ? options->hosts : "/etc/hosts";
	r->port = options->port ? options->port : DOMAIN_PORT;
	r->names = sl_names_new(options->learn);
	r->forward = sl_forward_new(r->names);
	r->last = &r->first;
	r->stop_fd = -EBADF;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->more, NULL);
	pthread_cond_init(&r->idle, NULL);
	if (r->learn)
		read_hosts(r);
	return r;
}

void sl_resolver_keep(struct sl_resolver *r, bool resolv_conf, bool hosts)
{
	pthread_mutex_lock(&r->lock);
	if (resolv_conf)
		read_resolv_conf(r);
	if (hosts)
		read_hosts(r);
	r->resolv_conf.kept = resolv_conf;
	r->hosts.kept = hosts;
	pthread_mutex_unlock(&r->lock);
}

static void job_finish(struct job *j)
{
	if (j->done)
		j->done(j->arg);
	sl_strv_release(&j->names);
	free(j);
}

void sl_resolver_free(struct sl_resolver *r)
{
	if (!r)
		return;
	if (r->running) {
		pthread_mutex_lock(&r->lock);
		r->stop = true;
		eventfd_write(r->stop_fd, 1);
		pthread_cond_signal(&r->more);
		pthread_mutex_unlock(&r->lock);
		pthread_join(r->thread, NULL);
	}
	while (r->first) {
		struct job *j = r->first;

		r->first = j->next;
		job_finish(j);
	}
	sl_forward_free(r->forward);
	sl_names_free(r->names);
	for (size_t i = 0; i < r->fresh_count; i++)
		free(r->fresh[i].name);
	free(r->fresh);
	sl_close(r->stop_fd);
	pthread_cond_destroy(&r->more);
	pthread_cond_destroy(&r->idle);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

struct sl_names *sl_resolver_names(struct sl_resolver *r)
{
	return r->names;
}

/* The nameserver of an address. With the lock held. */
static const struct sl_nameserver *find_server(struct sl_resolver *r, const struct sockaddr *addr,
					       socklen_t len)
{
	struct sockaddr_in in; /* the port stands at the same place in both families */
	int i;

	/* Most addresses are told apart by their port, without looking at the file. */
	if (len < sizeof(in))
		return NULL;
	memcpy(&in, addr, sizeof(in));
	if ((in.sin_family != AF_INET && in.sin_family != AF_INET6) || in.sin_port != htons(r->port))
		return NULL;
	read_resolv_conf(r);
	i = sl_nameservers_find(&r->servers, addr, len);
	return i < 0 ? NULL : &r->servers.list[i];
}

bool sl_resolver_is_nameserver(struct sl_resolver *r, const struct sockaddr *addr, socklen_t len)
{
	bool is;

	pthread_mutex_lock(&r->lock);
	is = find_server(r, addr, len);
	pthread_mutex_unlock(&r->lock);
	return is;
}

int sl_resolver_stand_in(struct sl_resolver *r, const struct sockaddr *addr, socklen_t len, int type,
			 struct sl_nameserver *ret)
{
	const struct sl_nameserver *server;
	int result = -ENOENT;

	pthread_mutex_lock(&r->lock);
	server = find_server(r, addr, len);
	if (server)
		result = sl_forward_stand_in(r->forward, server, addr->sa_family, type, ret);
	pthread_mutex_unlock(&r->lock);
	return result;
}

int sl_resolver_admit(struct sl_resolver *r, int fd)
{
	return sl_forward_admit(r->forward, fd);
}

bool sl_resolver_stands_for(struct sl_resolver *r, const struct sockaddr *addr, socklen_t len,
			    struct sl_nameserver *ret)
{
	return sl_forward_stands_for(r->forward, addr, len, ret);
}

static void take_reply(void *arg, const void *msg, size_t len)
{
	sl_names_add_reply(arg, msg, len);
}

/* What is known about the name's last look-up; a new entry is an old one. With the lock held. */
static struct fresh *fresh_get(struct sl_resolver *r, const char *name, int64_t at_ms)
{
	size_t slot = r->fresh_count;

	for (size_t i = 0; i < r->fresh_count; i++) {
		if (!strcmp(r->fresh[i].name, name))
			return &r->fresh[i];
		if (r->fresh[i].at_ms != PENDING && r->fresh[i].at_ms + FRESH_MS <= at_ms)
			slot = i;
	}
	if (slot == r->fresh_count) {
		r->fresh = sl_xrealloc(r->fresh, (r->fresh_count + 1) * sizeof(*r->fresh));
		r->fresh[r->fresh_count++].name = NULL;
	}
	free(r->fresh[slot].name);
	r->fresh[slot] = (struct fresh){.name = sl_xstrdup(name), .at_ms = at_ms - FRESH_MS};
	return &r->fresh[slot];
}

static void *worker_main(void *arg)
{
	struct sl_resolver *r = arg;

	pthread_mutex_lock(&r->lock);
	for (;;) {
		SL_CLEANUP(sl_strv_release) struct sl_strv elsewhere = SL_STRV_INIT;
		struct sl_nameservers servers;
		struct job *j;

		while (!r->first && !r->stop)
			pthread_cond_wait(&r->more, &r->lock);
		if (r->stop)
			break;
		j = r->first;
		r->first = j->next;
		r->job_count--;
		r->busy = true;
		if (!r->first)
			r->last = &r->first;
		read_hosts(r);
		read_resolv_conf(r);
		servers = r->servers;
		pthread_mutex_unlock(&r->lock);
		for (size_t i = 0; i < j->names.len; i++)
			if (!sl_names_is_local(r->names, j->names.items[i]))
				sl_strv_add(&elsewhere, j->names.items[i]);
		sl_lookup(&servers, &elsewhere, r->stop_fd, take_reply, r->names);
		pthread_mutex_lock(&r->lock);
		for (size_t i = 0; i < j->names.len; i++)
			fresh_get(r, j->names.items[i], 0)->at_ms = sl_now_ms();
		r->busy = false;
		pthread_cond_broadcast(&r->idle);
		pthread_mutex_unlock(&r->lock);
		job_finish(j);
		pthread_mutex_lock(&r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* With the lock held. */
static bool start_worker(struct sl_resolver *r)
{
	if (r->running)
		return true;
	if (r->stop_fd < 0)
		r->stop_fd = eventfd(0, EFD_CLOEXEC);
	r->running = r->stop_fd >= 0 && sl_thread_start(&r->thread, worker_main, r) == 0;
	return r->running;
}

/* Queue a look-up of the names that want one. anew: also of those that were looked up a moment ago. */
static int look_up(struct sl_resolver *r, const struct sl_strv *hosts, bool anew, void (*done)(void *arg),
		   void *arg)
{
	struct job *j = sl_xcalloc(1, sizeof(*j));
	int64_t at_ms = sl_now_ms();
	bool pending = false, room;

	j->done = done;
	j->arg = arg;
	pthread_mutex_lock(&r->lock);
	room = r->job_count < JOBS_MAX && start_worker(r);
	for (size_t i = 0; i < hosts->len && room; i++) {
		char name[SL_DNS_TEXT_MAX];
		struct fresh *fresh;

		if (sl_dns_name_normalize(hosts->items[i], name) < 0)
			continue;
		fresh = fresh_get(r, name, at_ms);
		pending |= fresh->at_ms == PENDING;
		if (fresh->at_ms == PENDING || (!anew && fresh->at_ms + FRESH_MS > at_ms))
			continue;
		fresh->at_ms = PENDING;
		sl_strv_add(&j->names, name);
	}
	/* Jobs are done in turn: who waits for a name that is under way gets one behind it, of no names. */
	if (j->names.len || (pending && done)) {
		*r->last = j;
		r->last = &j->next;
		r->job_count++;
		pthread_cond_signal(&r->more);
		j = NULL;
	}
	pthread_mutex_unlock(&r->lock);
	if (!j)
		return 1;
	sl_strv_release(&j->names);
	free(j);
	return 0;
}

int sl_resolver_look_up(struct sl_resolver *r, const struct sl_strv *hosts, void (*done)(void *arg),
			void *arg)
{
	return look_up(r, hosts, false, done, arg);
}

void sl_resolver_await(struct sl_resolver *r)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += AWAIT_S;
	pthread_mutex_lock(&r->lock);
	while (r->running && (r->first || r->busy) &&
	       pthread_cond_clockwait(&r->idle, &r->lock, CLOCK_MONOTONIC, &until) == 0)
		;
	pthread_mutex_unlock(&r->lock);
}

int sl_resolver_check_query(struct sl_resolver *r, const void *msg, size_t len, uint8_t out[SL_DNS_QUERY_MAX],
			    size_t *ret_len)
{
	struct sl_strv names = SL_STRV_INIT;
	struct sl_dns_query q;

	if (sl_dns_query_parse(msg, len, &q) < 0 || !sl_names_may_ask(r->names, &q))
		return -EACCES;
	*ret_len = sl_dns_query_write(&q, out);
	if (q.name[0]) {
		sl_strv_add(&names, q.name);
		look_up(r, &names, true, NULL, NULL);
		sl_strv_release(&names);
	}
	return 0;
}

bool sl_resolver_is_side_door(const char *path)
{
	static const char *const doors[] = {"/run/nscd/socket", "/run/systemd/resolve/io.systemd.Resolve",
					    "/run/systemd/resolve/io.systemd.Resolve.Monitor"};

	for (size_t i = 0; i < SL_ARRAY_LEN(doors); i++)
		if (!strcmp(path, doors[i]))
			return true;
	return false;
}
