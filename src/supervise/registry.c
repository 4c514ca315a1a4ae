/*
 * registry.c - finding running sandboxes and talking to them.
 *
 * The names are in /proc/net/unix ("@sandlock/UID/NAME"), which shows the sockets of this network namespace.
 * Who owns a socket is taken from the kernel (SO_PEERCRED), not from its name: anybody may bind any abstract
 * name.
 */
#include "supervise/registry.h"

#include <ctype.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/strbuf.h"

#define PREFIX		"sandlock/"
#define NAME_BYTES_MAX	64
#define REPLY_BYTES_MAX (64 << 20)
#define REPLY_TIMEOUT_S 5
#define KILL_TIMEOUT_S	10

bool sl_registry_name_valid(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > NAME_BYTES_MAX || *name == '.' || *name == '-')
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("._-", *name))
			return false;
	return true;
}

void sl_sandbox_info_release(struct sl_sandbox_info *i)
{
	free(i->name);
	free(i->mode);
	free(i->profile);
	free(i->command);
	free(i->started);
	free(i->json);
	*i = (struct sl_sandbox_info){0};
}

static socklen_t address(uid_t uid, const char *name, struct sockaddr_un *ret)
{
	int n;

	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1, PREFIX "%u/%s", (unsigned int)uid, name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

int sl_registry_listen(const char *name, struct sl_error *err)
{
	SL_CLOSE int fd = -EBADF;
	struct sockaddr_un a;
	socklen_t len;

	if (!sl_registry_name_valid(name))
		return sl_error_set(err, EINVAL, "\"%s\" is no name for a sandbox", sl_esc(name));
	len = address(getuid(), name, &a);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return sl_error_errno(err, errno, "cannot make a socket");
	if (bind(fd, (struct sockaddr *)&a, len) < 0)
		return errno == EADDRINUSE
			   ? sl_error_set(err, EADDRINUSE, "a sandbox named %s is running already", name)
			   : sl_error_errno(err, errno, "cannot bind the name %s", name);
	if (listen(fd, SOMAXCONN) < 0)
		return sl_error_errno(err, errno, "cannot listen as %s", name);
	return SL_TAKE_FD(fd);
}

/* Connect and send the request: a descriptor; -ENOENT where none runs, or one that is not that user's. */
static int ask(uid_t uid, const char *name, const char *request, struct sl_error *err)
{
	SL_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval timeout = {.tv_sec = REPLY_TIMEOUT_S};
	struct sockaddr_un a;
	socklen_t len = address(uid, name, &a), peer_len = sizeof(struct ucred);
	struct ucred peer;

	if (fd < 0)
		return sl_error_errno(err, errno, "cannot make a socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&a, len) < 0)
		return errno == ECONNREFUSED
			   ? sl_error_set(err, ENOENT, "no sandbox named %s is running", sl_esc(name))
			   : sl_error_errno(err, errno, "cannot reach the sandbox %s", sl_esc(name));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_len) < 0 || (peer.uid != uid && peer.uid))
		return sl_error_set(err, ENOENT, "no sandbox named %s is running", sl_esc(name));
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
		return sl_error_errno(err, errno, "cannot ask the sandbox %s", sl_esc(name));
	return SL_TAKE_FD(fd);
}

static char *dup_string(json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? sl_xstrdup(s) : NULL;
}

static char *join_argv(json_t *argv)
{
	SL_STRBUF out = SL_STRBUF_INIT;
	json_t *item;
	size_t i;

	json_array_foreach(argv, i, item)
	{
		const char *s = json_string_value(item);

		if (i)
			sl_strbuf_addch(&out, ' ');
		if (s)
			sl_escape(&out, s, strlen(s));
	}
	return sl_strbuf_detach(&out);
}

static int read_info(int fd, const char *name, struct sl_sandbox_info *ret, struct sl_error *err)
{
	SL_STRBUF text = SL_STRBUF_INIT;
	double end_s = sl_now_s() + REPLY_TIMEOUT_S;
	char part[4096];
	json_t *object;
	char *ascii;
	ssize_t n;

	/* Anybody of the same user may be the other end, a sandboxed command among them: one that sends a
	 * byte now and then must not hold us. */
	while ((n = recv(fd, part, sizeof(part), 0)) > 0 && text.len < REPLY_BYTES_MAX && sl_now_s() <= end_s)
		sl_strbuf_add(&text, part, (size_t)n);
	if (n > 0)
		return sl_error_set(err, ETIMEDOUT, "the sandbox %s does not come to an end of its answer",
				    sl_esc(name));
	if (n < 0)
		return sl_error_errno(err, errno, "no answer from the sandbox %s", sl_esc(name));
	object = json_loads(sl_strbuf_str(&text), 0, NULL);
	if (!object)
		return sl_error_set(err, EPROTO, "the sandbox %s gave no answer that could be read",
				    sl_esc(name));
	/* Printed as it is, also on terminals, which obey some characters beyond ASCII. */
	ascii = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
	*ret = (struct sl_sandbox_info){
	    .name = dup_string(object, "name"),
	    .mode = dup_string(object, "mode"),
	    .profile = dup_string(object, "profile"),
	    .command = join_argv(json_object_get(object, "argv")),
	    .started = dup_string(object, "started"),
	    .pid = (pid_t)json_integer_value(json_object_get(object, "pid")),
	    .command_pid = (pid_t)json_integer_value(json_object_get(object, "command_pid")),
	    .processes = json_array_size(json_object_get(object, "processes")),
	    .json = ascii ? sl_xstrdup(ascii) : NULL,
	};
	free(ascii);
	json_decref(object);
	return 0;
}

struct found {
	uid_t uid;
	char name[NAME_BYTES_MAX + 1];
};

/* The sandbox that one line of /proc/net/unix is a listening socket of. */
static bool parse_line(char *line, struct found *ret)
{
	char *at = strstr(line, " @" PREFIX), *end;
	unsigned long uid;

	/* Num RefCount Protocol Flags: __SO_ACCEPTCON tells the listening socket from its connections. */
	if (!at || !strstr(line, " 00010000 "))
		return false;
	at[strcspn(at, "\n")] = '\0';
	at += strlen(" @" PREFIX);
	uid = strtoul(at, &end, 10);
	if (end == at || *end != '/' || uid > UINT32_MAX || !sl_registry_name_valid(end + 1))
		return false;
	ret->uid = (uid_t)uid;
	snprintf(ret->name, sizeof(ret->name), "%s", end + 1);
	return true;
}

/* Every sandbox whose socket the calling user may ask. */
static int scan(struct found **ret, size_t *ret_len, struct sl_error *err)
{
	SL_FCLOSE FILE *f = fopen("/proc/net/unix", "re");
	SL_FREE char *line = NULL;
	size_t size = 0, len = 0;
	struct found *list = NULL, one;

	if (!f)
		return sl_error_errno(err, errno, "cannot read /proc/net/unix");
	while (getline(&line, &size, f) > 0) {
		if (!parse_line(line, &one) || (getuid() && one.uid != getuid()))
			continue;
		list = sl_xrealloc(list, (len + 1) * sizeof(*list));
		list[len++] = one;
	}
	*ret = list;
	*ret_len = len;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct sl_sandbox_info *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : (x->pid > y->pid) - (x->pid < y->pid);
}

int sl_registry_list(struct sl_sandbox_info **ret, size_t *ret_len, struct sl_error *err)
{
	SL_FREE struct found *found = NULL;
	struct sl_sandbox_info *list;
	size_t count = 0, len = 0;
	int r = scan(&found, &count, err);

	if (r < 0)
		return r;
	list = sl_xcalloc(count + 1, sizeof(*list));
	for (size_t i = 0; i < count; i++) {
		/* One that ends meanwhile is none. */
		SL_CLOSE int fd = ask(found[i].uid, found[i].name, "inspect\n", NULL);

		if (fd < 0 || read_info(fd, found[i].name, &list[len], NULL) < 0)
			continue;
		if (list[len].name)
			len++;
		else
			sl_sandbox_info_release(&list[len]);
	}
	qsort(list, len, sizeof(*list), by_name);
	*ret = list;
	*ret_len = len;
	return 0;
}

/* Whose sandbox has that name: the caller's own, or for root the only other one. */
static int find(const char *name, uid_t *ret_uid, struct sl_error *err)
{
	SL_FREE struct found *found = NULL;
	size_t count = 0, matches = 0;
	int r = scan(&found, &count, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(found[i].name, name) != 0)
			continue;
		if (found[i].uid == getuid()) {
			*ret_uid = found[i].uid;
			return 0;
		}
		matches++;
		*ret_uid = found[i].uid;
	}
	if (!matches)
		return sl_error_set(err, ENOENT, "no sandbox named %s is running", sl_esc(name));
	if (matches > 1)
		return sl_error_set(err, ENOTUNIQ, "several users run a sandbox named %s", sl_esc(name));
	return 0;
}

int sl_registry_inspect(const char *name, struct sl_sandbox_info *ret, struct sl_error *err)
{
	SL_CLOSE int fd = -EBADF;
	uid_t uid = 0;
	int r = find(name, &uid, err);

	if (r < 0)
		return r;
	fd = ask(uid, name, "inspect\n", err);
	return fd < 0 ? fd : read_info(fd, name, ret, err);
}

int sl_registry_kill(const char *name, struct sl_error *err)
{
	struct timeval timeout = {.tv_sec = KILL_TIMEOUT_S};
	SL_CLOSE int fd = -EBADF;
	char byte;
	uid_t uid = 0;
	int r = find(name, &uid, err);

	if (r < 0)
		return r;
	fd = ask(uid, name, "kill\n", err);
	if (fd < 0)
		return fd;
	/* The sandbox closes the connection when nothing of it is left. */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (recv(fd, &byte, 1, 0) < 0 && errno != ECONNRESET)
		return sl_error_errno(err, errno, "the sandbox %s has not ended", sl_esc(name));
	return 0;
}
