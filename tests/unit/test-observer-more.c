/*
 * Unit tests of observe/: who may do what, the private temporary directory, the trace, --explain, /proc of others,
 * sockets and IPC, memory.
 */
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "observe-harness.h"
#include "profile/read.h"

static bool is_root;

/* Objects that only root may use, or nobody without root's capabilities. */
static void stage_closed(void)
{
	harness_put("secret", "x", 0);
	ck_assert_int_eq(mkdir("closed", 0777), 0);
	harness_put("closed/f", "x", 0666);
	ck_assert_int_eq(chmod("closed", 0), 0);
	ck_assert_int_eq(mkdir("fixed", 0777), 0);
	harness_put("fixed/f", "x", 0666);
	ck_assert_int_eq(chmod("fixed", 0555), 0);
	ck_assert_int_eq(mkdir("unlisted", 0777), 0);
	harness_put("unlisted/f", "x", 0666);
	ck_assert_int_eq(chmod("unlisted", 0311), 0);
	harness_put("mine", "x", 0666);
	ck_assert_int_eq(mkdir("open", 0777), 0);
	ck_assert_int_eq(mkdir("sticky", 0777), 0);
	ck_assert_int_eq(chmod("sticky", 01777), 0);
	harness_put("sticky/f", "x", 0666);
}

/* Everything here is refused to whoever is not root. */
static int refused(void)
{
	FAILS(EACCES, open("secret", O_RDONLY));
	FAILS(EACCES, open("secret", O_WRONLY));
	FAILS(EACCES, open("closed/f", O_RDONLY));
	FAILS(EACCES, open("closed/new", O_CREAT | O_WRONLY, 0666));
	FAILS(EACCES, open("fixed/new", O_CREAT | O_WRONLY, 0666));
	FAILS(EACCES, open("fixed", O_TMPFILE | O_WRONLY, 0666));
	FAILS(EACCES, mkdir("fixed/new", 0777));
	FAILS(EACCES, symlink("t", "fixed/new"));
	FAILS(EACCES, unlink("fixed/f"));
	FAILS(EACCES, rename("fixed/f", "open/f"));
	FAILS(EACCES, rename("mine", "fixed/mine"));
	FAILS(EACCES, truncate("secret", 0));
	FAILS(EACCES, link("mine", "fixed/mine"));
	FAILS(EACCES, chdir("closed"));
	FAILS(EPERM, mknod("open/null", S_IFCHR | 0666, 0x103));
	FAILS(EPERM, chown("mine", 4242, (gid_t)-1));
	FAILS(EPERM, setxattr("mine", "trusted.x", "v", 1, 0));
	return 0;
}

/* As another user beside the owner. */
static int refused_to_others(void)
{
	if (refused())
		return 1;
	FAILS(EACCES, open("unlisted", O_RDONLY | O_DIRECTORY));
	FAILS(EPERM, chmod("mine", 0600));
	FAILS(EPERM, unlink("sticky/f"));
	FAILS(EPERM, rename("sticky/f", "open/f"));
	return 0;
}

static int granted_to_root(void)
{
	OK(open("secret", O_RDWR));
	OK(open("closed/f", O_RDONLY));
	OK(mkdir("fixed/new", 0777));
	OK(unlink("fixed/f"));
	OK(unlink("sticky/f"));
	return 0;
}

/* In one process: as root first, then as another user. */
static int changes_identity(void)
{
	OK(open("secret", O_RDONLY));
	OK(setgroups(0, NULL));
	OK(setresgid(12345, 12345, 12345));
	OK(setresuid(12345, 12345, 12345));
	FAILS(EACCES, open("secret", O_WRONLY));
	OK(open("mine", O_RDONLY));
	return 0;
}

/* A helper takes the identity for a moment. */
static int changes_back(void)
{
	OK((int)syscall(__NR_setresuid, -1, 12345, -1));
	FAILS(EACCES, open("secret", O_WRONLY));
	OK((int)syscall(__NR_setresuid, -1, 0, -1));
	OK(open("secret", O_RDONLY));
	return 0;
}

static void check_text(int (*run)(void), bool other, const char *expect)
{
	struct harness_options options = { .other_identity = other };
	SL_FREE char *text = NULL;
	struct harness h;

	harness_begin(&h);
	stage_closed();
	harness_run(&h, &options, run);
	text = harness_text(&h);
	ck_assert_int_eq(h.status, 0);
	ck_assert_str_eq(text, expect);
	ck_assert(!h.seen.partial);
	ck_assert_int_eq(chmod("closed", 0777) | chmod("fixed", 0777) | chmod("unlisted", 0777), 0);
	harness_end(&h);
}

START_TEST(test_L4_refused_calls)
{
	if (is_root) {
		check_text(refused_to_others, true, "");
		check_text(granted_to_root, false,
			   "read D/closed/f\nread D/secret\nwrite D/secret\ncreate D/fixed\ndelete D/fixed\n"
			   "delete D/sticky\n");
	} else {
		check_text(refused, false, "");
	}
}
END_TEST

START_TEST(test_L4_identity_changes)
{
	if (!is_root) { /* changing to oneself changes nothing */
		check_text(refused, true, "");
		return;
	}
	check_text(changes_identity, false, "read D/mine\nread D/secret\n");
	check_text(changes_back, false, "read D/secret\n");
}
END_TEST

static int uses_tmp(void)
{
	OK(open("tmp/t", O_CREAT | O_RDWR, 0600));
	OK(open("tmp/t", O_RDONLY));
	OK(mkdir("tmp/d", 0777));
	OK(rename("tmp/t", "tmp/d/t"));
	OK(symlink("t", "tmp/d/s"));
	OK(chmod("tmp/d/t", 0644));
	OK(open("tmp", O_RDONLY | O_DIRECTORY));
	OK(unlink("tmp/d/s"));
	return 0;
}

static int misses_tmp(void)
{
	FAILS(ENOENT, open("tmp/t", O_RDONLY));
	FAILS(ENOENT, unlink("tmp/t"));
	OK(open("tmp/../f", O_RDONLY));
	return 0;
}

static int leaves_tmp(void)
{
	OK(open("tmp/t", O_CREAT | O_RDWR, 0600));
	OK(rename("tmp/t", "out/t"));
	OK(open("out/t", O_RDONLY));
	return 0;
}

/* As at run, where the private directory has rights that no other has. */
static int enters_tmp(void)
{
	OK(open("tmp/t", O_CREAT | O_RDWR, 0600));
	FAILS(EXDEV, rename("out/f", "tmp/f"));
	FAILS(EXDEV, link("out/f", "tmp/f"));
	FAILS(EXDEV, renameat2(AT_FDCWD, "tmp/t", AT_FDCWD, "out/f", RENAME_EXCHANGE));
	FAILS(ENOENT, rename("out/none", "tmp/f"));
	OK(rename("tmp/t", "tmp/u"));
	return 0;
}

static const struct {
	int (*run)(void);
	bool used;
	const char *expect;
} tmp_cases[] = {
	{ uses_tmp, true, "" },
	{ misses_tmp, false, "read D/f\n" },
	{ leaves_tmp, true, "read D/out\ncreate D/out\n" },
	{ enters_tmp, true, "" },
};

START_TEST(test_L21_private_temporary_directory)
{
	struct harness_options options = { .tmp_dir = "tmp" };
	SL_FREE char *text = NULL;
	struct harness h;

	harness_begin(&h);
	ck_assert_int_eq(mkdir("out", 0777), 0);
	harness_put("f", "x", 0666);
	harness_put("out/f", "x", 0666);
	harness_run(&h, &options, tmp_cases[_i].run);
	text = harness_text(&h);
	ck_assert_int_eq(h.status, 0);
	ck_assert_str_eq(text, tmp_cases[_i].expect);
	ck_assert_int_eq(h.seen.tmp_used, tmp_cases[_i].used);
	ck_assert_int_eq(h.profile.filesystem.tmp_private, tmp_cases[_i].used);
	harness_end(&h);
}
END_TEST

static int traced(void)
{
	OK(open("f", O_RDONLY));
	OK(open("f", O_RDONLY));
	FAILS(ENOENT, open("nothing", O_RDONLY));
	OK(open("b\xff\n", O_CREAT | O_WRONLY, 0666));
	OK(rename("f", "g"));
	return 0;
}

START_TEST(test_L4_trace)
{
	static const char *const expect[] = { "ok", "ok", "ENOENT", "ok", "ok" };
	struct harness_options options = { .trace = "trace" };
	SL_FCLOSE FILE *f = NULL;
	char line[4096];
	struct harness h;
	size_t n = 0;

	harness_begin(&h);
	harness_put("f", "x", 0666);
	harness_run(&h, &options, traced);
	ck_assert_int_eq(h.status, 0);
	f = fopen("trace", "re");
	ck_assert_ptr_nonnull(f);
	for (; fgets(line, sizeof(line), f); n++) {
		json_error_t error;
		json_t *object = json_loads(line, 0, &error);

		ck_assert_msg(object != NULL, "%s: %s", error.text, line);
		ck_assert_uint_lt(n, SL_ARRAY_LEN(expect));
		ck_assert_str_eq(json_string_value(json_object_get(object, "outcome")), expect[n]);
		ck_assert(json_real_value(json_object_get(object, "time")) > 1e9);
		ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(object, "program")), "test-observer"));
		if (n == 0)
			ck_assert_str_eq(json_string_value(json_array_get(
						 json_object_get(json_array_get(json_object_get(object, "facts"), 0),
								 "rights"),
						 0)),
					 "read");
		if (n == 2)
			ck_assert_ptr_null(json_object_get(object, "facts"));
		if (n == 3) {
			ck_assert_str_eq(json_string_value(json_object_get(object, "path")), "b\\xff\\n");
			ck_assert(json_is_true(json_object_get(object, "escaped")));
		}
		if (n == 4)
			ck_assert_str_eq(json_string_value(json_object_get(object, "path2")), "g");
		json_decref(object);
	}
	ck_assert_uint_eq(n, SL_ARRAY_LEN(expect));
	harness_end(&h);
}
END_TEST

static int explained(void)
{
	for (int i = 0; i < 3; i++)
		close(open("f", O_RDONLY));
	close(open("granted", O_RDONLY));
	close(open("granted", O_WRONLY));
	close(open("nothing", O_RDONLY));
	close(open("dir/new", O_CREAT | O_RDWR, 0666));
	close(open("dir/new", O_RDONLY));
	mkdir("other", 0777);
	close(open("other-file", O_CREAT | O_RDWR, 0666));
	close(open("/dev/null", O_RDWR));
	close(open("/proc/self/maps", O_RDONLY));
	chmod("f", 0600);
	return 0;
}

/* What was written to stderr while it ran, with the fresh directory as D. */
static char *explain_text(struct harness *h, const struct sl_policy *policy)
{
	struct harness_options options = { .explain = policy };
	int saved = dup(2), file = open("stderr", O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0666);
	SL_STRBUF text = SL_STRBUF_INIT;
	char buf[8192], *at, *from = buf;
	ssize_t n;

	dup2(file, 2);
	harness_run(h, &options, explained);
	dup2(saved, 2);
	n = pread(file, buf, sizeof(buf) - 1, 0);
	buf[n > 0 ? n : 0] = '\0';
	while ((at = strstr(from, h->dir))) {
		sl_strbuf_add(&text, from, (size_t)(at - from));
		sl_strbuf_addch(&text, 'D');
		from = at + strlen(h->dir);
	}
	sl_strbuf_addstr(&text, from);
	close(saved);
	close(file);
	return sl_strbuf_detach(&text);
}

START_TEST(test_R8_explain)
{
	static const char *const expect[] = {
		"openat \"f\": read is not granted; add to [filesystem] read: \"D/f\"\n",
		"openat \"granted\": write is not granted; add to [filesystem] write: \"D/granted\"\n",
		"openat \"dir/new\": read is not granted; add to [filesystem] read: \"D/dir\"\n",
		"other\": create is not granted; add to [filesystem] create: \"D\"\n",
		"openat \"other-file\": create is not granted; add to [filesystem] create: \"D\"\n",
		"openat \"/proc/self/maps\": read is not granted; add to [filesystem] read: \"/proc/self/maps\"\n",
		"\": write is not granted; add to [filesystem] write: \"D/f\"\n",
	};
	struct sl_policy policy = SL_POLICY_INIT;
	struct sl_profile profile;
	SL_FREE char *text = NULL, *dir = NULL, *granted = NULL;
	struct harness h;
	size_t lines = 0;
	int ruleset;

	harness_begin(&h);
	harness_put("f", "x", 0666);
	harness_put("granted", "x", 0666);
	ck_assert_int_eq(mkdir("dir", 0777), 0);
	dir = sl_xasprintf("%s/dir", h.dir);
	granted = sl_xasprintf("%s/granted", h.dir);
	sl_profile_init(&profile, 2);
	sl_list_add(&profile.filesystem.lists[SL_FS_READ], granted, 0);
	sl_list_add(&profile.filesystem.lists[SL_FS_CREATE], dir, 0);
	ck_assert_int_eq(sl_policy_build(&profile, &(struct sl_policy_options){ 0 }, &policy, &ruleset, NULL), 0);
	text = explain_text(&h, &policy);
	for (size_t i = 0; i < SL_ARRAY_LEN(expect); i++)
		ck_assert_msg(strstr(text, expect[i]) != NULL, "no %sin\n%s", expect[i], text);
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	ck_assert_msg(lines == SL_ARRAY_LEN(expect), "%s", text);
	ck_assert(!strncmp(text, "sandlock: test-observer-more[", strlen("sandlock: test-observer-more[")));
	ck_assert_uint_eq(h.profile.filesystem.lists[SL_FS_READ].len, 0);
	sl_policy_release(&policy);
	sl_profile_release(&profile);
	harness_end(&h);
}
END_TEST

static int others_proc(void)
{
	char path[64];
	int status;
	pid_t pid;

	OK(open("/proc/1/status", O_RDONLY));
	pid = fork();
	if (!pid) {
		snprintf(path, sizeof(path), "/proc/%d/stat", getppid());
		_exit(open(path, O_RDONLY) < 0);
	}
	waitpid(pid, &status, 0);
	OK(status ? -1 : 0);
	return 0;
}

START_TEST(test_L15_processes_of_others)
{
	struct harness_options options = { 0 };
	SL_FREE char *text = NULL;
	struct harness h;

	harness_begin(&h);
	harness_run(&h, &options, others_proc);
	text = harness_text(&h);
	ck_assert_int_eq(h.status, 0);
	ck_assert_str_eq(text, "read /proc/self/stat\n");
	ck_assert(harness_noted(&h, "/proc/PID/status of a process outside"));
	ck_assert(harness_noted(&h, "/proc/PID/stat of another process of the command"));
	ck_assert(h.seen.partial);
	harness_end(&h);
}
END_TEST

static int connects_nowhere(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "nothing" };

	FAILS(ENOENT, connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(a)));
	snprintf(a.sun_path, sizeof(a.sun_path), "f");
	FAILS(ECONNREFUSED, connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(a)));
	FAILS(ENOENT, shmget(0x5a5a1234, 4096, 0));
	return 0;
}

static int shares_memory(void)
{
	int id = shmget(IPC_PRIVATE, 4096, 0600 | IPC_CREAT);

	OK(id);
	OK(shmctl(id, IPC_RMID, NULL));
	return 0;
}

static const struct {
	int (*run)(void);
	bool ipc;
} socket_cases[] = {
	{ connects_nowhere, false },
	{ shares_memory, true },
};

START_TEST(test_L4_sockets_and_ipc)
{
	struct harness_options options = { 0 };
	struct harness h;

	harness_begin(&h);
	harness_put("f", "x", 0666);
	harness_run(&h, &options, socket_cases[_i].run);
	ck_assert_int_eq(h.status, 0);
	ck_assert_int_eq(sl_list_contains(&h.profile.syscalls.extra_allow, "sysv_ipc"), socket_cases[_i].ipc);
	harness_end(&h);
}
END_TEST

static int open_count;

static int opens_often(void)
{
	char path[PATH_MAX];

	OK(getcwd(path, sizeof(path) - 8) ? 0 : -1);
	snprintf(path + strlen(path), 4, "/f");
	for (int i = 0; i < open_count; i++) {
		int fd = open(i % 2 ? path : "f", O_RDONLY | O_CLOEXEC);

		OK(fd);
		close(fd);
	}
	return 0;
}

START_TEST(test_R14_memory_does_not_grow_with_calls)
{
	static const int counts[] = { 100, 20000 };
	struct harness_options options = { 0 };
	struct harness h;
	size_t held[2];

	for (int i = 0; i < 2; i++) {
		open_count = counts[i];
		harness_begin(&h);
		harness_put("f", "x", 0666);
		harness_run(&h, &options, opens_often);
		held[i] = sl_observer_memory(h.observer);
		ck_assert_int_eq(h.status, 0);
		ck_assert_uint_ge(h.calls, (size_t)counts[i]);
		harness_end(&h);
	}
	ck_assert_uint_eq(held[0], held[1]);
}
END_TEST

/* A process that is not dumpable: root sees it all the same, an ordinary user says what it could not see. */
static int closes_itself(void)
{
	OK(prctl(PR_SET_DUMPABLE, 0));
	OK(open("f", O_RDONLY));
	return 0;
}

START_TEST(test_R14_a_process_that_closes_its_memory)
{
	struct harness_options options = { 0 };
	struct harness h;

	harness_begin(&h);
	harness_put("f", "x", 0666);
	harness_run(&h, &options, closes_itself);
	ck_assert_int_eq(h.status, 0);
	if (is_root)
		ck_assert(harness_has(&h, SL_FS_READ, "D/f") && !h.seen.partial);
	else
		ck_assert(harness_noted(&h, "could not be seen") && h.seen.partial);
	harness_end(&h);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("observer-more");
	TCase *t = tcase_create("more");
	SRunner *r = srunner_create(s);
	int failed;

	is_root = geteuid() == 0;
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_L4_refused_calls);
	tcase_add_test(t, test_L4_identity_changes);
	tcase_add_loop_test(t, test_L21_private_temporary_directory, 0, (int)SL_ARRAY_LEN(tmp_cases));
	tcase_add_test(t, test_L4_trace);
	tcase_add_test(t, test_R8_explain);
	tcase_add_test(t, test_L15_processes_of_others);
	tcase_add_loop_test(t, test_L4_sockets_and_ipc, 0, (int)SL_ARRAY_LEN(socket_cases));
	tcase_add_test(t, test_R14_memory_does_not_grow_with_calls);
	tcase_add_test(t, test_R14_a_process_that_closes_its_memory);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
