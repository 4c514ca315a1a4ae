/*
 * observe-harness.c - see observe-harness.h.
 */
#include "observe-harness.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <grp.h>

#include "kernel/seccomp.h"
#include "policy/filter.h"

#ifndef __NR_pidfd_open
#define __NR_pidfd_open 434
#endif
#ifndef __NR_pidfd_getfd
#define __NR_pidfd_getfd 438
#endif

#define OTHER_ID 12345

void harness_begin(struct harness *h)
{
	memset(h, 0, sizeof(*h));
	snprintf(h->dir, sizeof(h->dir), "/var/tmp/sandlock-observe-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(h->dir));
	ck_assert_int_eq(chmod(h->dir, 0777), 0);
	ck_assert_int_eq(chdir(h->dir), 0);
	umask(0);
}

static void become_other(void)
{
	if (geteuid() == 0 && (setgroups(0, NULL) || setresgid(OTHER_ID, OTHER_ID, OTHER_ID) ||
			       setresuid(OTHER_ID, OTHER_ID, OTHER_ID)))
		_exit(249);
}

static void child(const struct sl_filter *filter, bool other, int ready, int go, int (*run)(void))
{
	int listener;
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		_exit(250);
	listener = sl_seccomp_load(filter->insns, filter->len, 1);
	if (listener < 0 || write(ready, &listener, sizeof(listener)) != sizeof(listener) || read(go, &byte, 1) != 1)
		_exit(251);
	close(listener);
	close(ready);
	close(go);
	if (other)
		become_other();
	_exit(run());
}

static void serve(struct harness *h, int listener)
{
	struct seccomp_notif n;
	int r;

	sl_notif_set_sync(listener);
	for (;;) {
		r = sl_notif_recv(listener, &n);
		if (r == -EINTR)
			continue;
		if (r < 0)
			return;
		r = sl_observer_notify(h->observer, listener, &n);
		h->calls++;
		if (r < 0)
			sl_notif_error(listener, n.id, -r);
		else
			sl_notif_continue(listener, n.id);
	}
}

void harness_run(struct harness *h, const struct harness_options *options, int (*run)(void))
{
	/* As where the supervisor does no socket calls: the observer sees a path that is bound, and the call goes on. */
	struct sl_filter_plan plan = { .net = { .connect = SL_NET_PASS, .bind = SL_NET_PASS, .listen = SL_NET_PASS,
					       .send_to = SL_NET_PASS, .send_null = SL_NET_PASS,
					       .send_message = SL_NET_PASS, .fast_open = SL_NET_PASS,
					       .tcp = true, .udp = true, .icmp = true, .local_stream = true,
					       .local_datagram = true, .route = true },
				       .listener = true, .attributes = true, .observe = true, .allow_sysv_ipc = true };
	struct sl_observer_options observing = { .explain = options->explain };
	int ready[2], go[2], number, listener, pidfd, status;
	SL_FREE char *tmp = options->tmp_dir ? sl_xasprintf("%s/%s", h->dir, options->tmp_dir) : NULL;
	struct sl_filter filter;
	pid_t pid;

	if (tmp)
		ck_assert(mkdir(tmp, 0777) == 0 || errno == EEXIST);
	observing.tmp_dir = tmp;
	if (options->trace)
		ck_assert_ptr_nonnull(observing.trace = fopen(options->trace, "we"));
	h->observer = sl_observer_new(&observing);
	ck_assert_int_eq(sl_filter_build(&plan, &filter, NULL), 0);
	ck_assert(pipe2(ready, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		child(&filter, options->other_identity, ready[1], go[0], run);
	ck_assert_int_eq(read(ready[0], &number, sizeof(number)), sizeof(number));
	pidfd = (int)syscall(__NR_pidfd_open, pid, 0);
	listener = (int)syscall(__NR_pidfd_getfd, pidfd, number, 0);
	ck_assert_int_ge(listener, 0);
	sl_observer_set_root(h->observer, pid);
	ck_assert_int_eq(write(go[1], "", 1), 1);
	serve(h, listener);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	h->status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	sl_profile_init(&h->profile, 2);
	sl_observer_finish(h->observer, &h->profile, &h->seen);
	sl_filter_release(&filter);
	if (observing.trace)
		fclose(observing.trace);
	close(listener);
	close(pidfd);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
}

static bool of_every_program(const char *path)
{
	static const char *const prefixes[] = { "/usr/lib", "/lib", "/usr/bin", "/bin", "/etc/ld.so" };

	for (size_t i = 0; i < SL_ARRAY_LEN(prefixes); i++)
		if (!strncmp(path, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

char *harness_text(const struct harness *h)
{
	SL_STRBUF text = SL_STRBUF_INIT;
	size_t len = strlen(h->dir);

	for (int key = 0; key < SL_FS_DENY; key++) {
		const struct sl_list *list = &h->profile.filesystem.lists[key];

		for (size_t i = 0; i < list->len; i++) {
			const char *path = list->items[i].text;
			bool inside = !strncmp(path, h->dir, len) && (path[len] == '/' || !path[len]);

			if (of_every_program(path))
				continue;
			sl_strbuf_addf(&text, "%s %s%s\n", sl_fs_key_name((enum sl_fs_key)key), inside ? "D" : "",
				       inside ? path + len : path);
		}
	}
	return sl_strbuf_detach(&text);
}

bool harness_has(const struct harness *h, enum sl_fs_key key, const char *path)
{
	SL_FREE char *whole = path[0] == 'D' ? sl_xasprintf("%s%s", h->dir, path + 1) : sl_xstrdup(path);

	return sl_list_contains(&h->profile.filesystem.lists[key], whole);
}

bool harness_noted(const struct harness *h, const char *text)
{
	for (size_t i = 0; i < h->seen.notes.len; i++)
		if (strstr(h->seen.notes.items[i], text))
			return true;
	return false;
}

void harness_put(const char *name, const char *text, unsigned int mode)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0666);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

void harness_end(struct harness *h)
{
	pid_t pid;

	ck_assert_int_eq(chdir("/"), 0);
	pid = fork();
	if (!pid) {
		/* Directories without rights are not even their owner's to empty. */
		execlp("sh", "sh", "-c", "chmod -R u+rwx -- \"$0\" 2>/dev/null; exec rm -rf -- \"$0\"", h->dir, (char *)NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	sl_observer_free(h->observer);
	sl_profile_release(&h->profile);
	sl_observation_release(&h->seen);
}
