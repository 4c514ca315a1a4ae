/*
 * control.c - serving the registry's socket from the main loop.
 */
#include "supervise/control.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/path.h"
#include "base/strbuf.h"
#include "supervise/members.h"

size_t sl_control_poll(const struct sl_control *c, struct pollfd *fds)
{
	size_t n = 0;

	if (c->fd < 0)
		return 0;
	fds[n++] = (struct pollfd){.fd = c->fd, .events = POLLIN};
	for (size_t i = 0; i < c->client_count; i++) {
		const struct sl_control_client *client = &c->clients[i];

		fds[n++] = (struct pollfd){.fd = client->fd,
					   .events = client->reply   ? POLLOUT
						     : client->waits ? 0
								     : POLLIN};
	}
	return n;
}

static void drop(struct sl_control *c, size_t i)
{
	sl_close(c->clients[i].fd);
	free(c->clients[i].reply);
	c->clients[i] = c->clients[--c->client_count];
}

void sl_control_release(struct sl_control *c)
{
	while (c->client_count)
		drop(c, c->client_count - 1);
	c->fd = sl_close(c->fd);
}

static void accept_client(struct sl_control *c)
{
	SL_CLOSE int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (fd < 0 || c->client_count == SL_CONTROL_CLIENTS_MAX)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || (peer.uid && peer.uid != getuid()))
		return;
	c->clients[c->client_count++] = (struct sl_control_client){.fd = SL_TAKE_FD(fd)};
}

/* Any bytes as JSON text: what is not UTF-8 is escaped. */
static json_t *text(const char *s)
{
	SL_STRBUF escaped = SL_STRBUF_INIT;

	if (!s)
		return json_null();
	if (sl_utf8_valid(s, strlen(s)))
		return json_string(s);
	sl_escape(&escaped, s, strlen(s));
	return json_string(sl_strbuf_str(&escaped));
}

/* {"pid":…,"name":…,"state":"S"} of /proc/PID/stat: "PID (NAME) STATE …", where the name may hold anything.
 */
static void add_process(pid_t pid, void *arg)
{
	char path[64], line[512], state[2] = "?";
	SL_FCLOSE FILE *f = NULL;
	char *open, *close;
	size_t n;
	json_t *object = json_object();

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	n = f ? fread(line, 1, sizeof(line) - 1, f) : 0;
	line[n] = '\0';
	open = strchr(line, '(');
	close = strrchr(line, ')');
	if (!open || !close || close < open || strlen(close) < 3)
		open = close = line + n;
	else
		state[0] = close[2];
	*close = '\0';
	json_object_set_new(object, "pid", json_integer(pid));
	json_object_set_new(object, "name", text(*open ? open + 1 : ""));
	json_object_set_new(object, "state", json_string(state));
	json_array_append_new(arg, object);
}

static char *describe(const struct sl_control *c)
{
	json_t *object = json_object(), *argv = json_array(), *processes = json_array();
	char started[32];
	struct tm tm;
	char *line;

	gmtime_r(&c->started, &tm);
	strftime(started, sizeof(started), "%Y-%m-%dT%H:%M:%SZ", &tm);
	for (char *const *a = c->command->argv; *a; a++)
		json_array_append_new(argv, text(*a));
	sl_members_each(c->who, add_process, processes);
	json_object_set_new(object, "name", text(c->name));
	json_object_set_new(object, "mode", text(c->options->mode));
	json_object_set_new(object, "pid", json_integer(getpid()));
	json_object_set_new(object, "command_pid", json_integer(c->who->root_pid));
	json_object_set_new(object, "profile", text(c->options->profile));
	json_object_set_new(object, "argv", argv);
	json_object_set_new(object, "started", json_string(started));
	json_object_set_new(object, "processes", processes);
	line = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return line;
}

/* Returns false when the client is to be dropped. */
static bool read_request(struct sl_control *c, struct sl_control_client *client)
{
	size_t room = sizeof(client->request) - 1 - client->request_len;
	ssize_t n = read(client->fd, client->request + client->request_len, room);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	client->request_len += (size_t)n;
	client->request[client->request_len] = '\0';
	if (n == 0 || (!strchr(client->request, '\n') && (size_t)n == room))
		return false;
	if (!strchr(client->request, '\n'))
		return true;
	if (!strcmp(client->request, "kill\n")) {
		c->kill_requested = true;
		client->waits = true;
		return true;
	}
	if (strcmp(client->request, "inspect\n") != 0)
		return false;
	client->reply = describe(c);
	if (!client->reply)
		return false;
	client->reply_len = strlen(client->reply);
	client->reply[client->reply_len++] = '\n'; /* in place of the NUL */
	return true;
}

static bool serve_client(struct sl_control *c, struct sl_control_client *client)
{
	ssize_t n;

	if (client->waits)
		return false; /* hung up */
	if (!client->reply)
		return read_request(c, client);
	n = send(client->fd, client->reply + client->sent, client->reply_len - client->sent, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	client->sent += (size_t)n;
	return client->sent < client->reply_len;
}

void sl_control_serve(struct sl_control *c, const struct pollfd *fds, size_t count)
{
	/* From the end, so that dropping moves only clients that were served. */
	for (size_t i = count; i-- > 1;)
		if (fds[i].revents && !serve_client(c, &c->clients[i - 1]))
			drop(c, i - 1);
	if (count && fds[0].revents)
		accept_client(c);
}
