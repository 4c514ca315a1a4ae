/*
 * policy.c - from a profile to rules and a Landlock ruleset.
 *
 * Entries with the same text are one object with united rights, opened once, added to the ruleset by that
 * descriptor and closed before the next: a profile of 100 000 entries needs one descriptor. The canonical
 * name and the kind of what was opened make the rule, so the ruleset and the evaluator (evaluate.c) answer
 * from the same list. Two texts for one object become one rule when all are sorted by canonical path.
 *
 * An entry that leads through a symbolic link is opened last. A link that the command itself could have made,
 * in an earlier run of the same profile or in another one that goes on now, would lead wherever it likes: it
 * is not followed.
 *
 * An entry below /proc/self is not opened by its own name: Landlock would bind it to this process. It becomes
 * a self rule, as does one that leads there by a symbolic link (/etc/mtab, /dev/fd).
 */
#include "policy/policy.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/path.h"
#include "kernel/landlock.h"
#include "kernel/own-path.h"
#include "kernel/resolve.h"
#include "policy/calls.h"

#define V1_READ	      (SL_RIGHT_READ | SL_RIGHT_LIST | SL_RIGHT_EXEC)
#define DEVICE_RIGHTS (SL_RIGHT_READ | SL_RIGHT_WRITE | SL_RIGHT_IOCTL)
#define DIR_ONLY      (SL_RIGHT_LIST | SL_RIGHT_CREATE | SL_RIGHT_DELETE)

/* Rights that Landlock takes for an object that is not a directory. */
#define LL_FILE (SL_LL_EXECUTE | SL_LL_WRITE_FILE | SL_LL_READ_FILE | SL_LL_TRUNCATE | SL_LL_IOCTL_DEV)

static const char ORIGIN_IMPLICIT[] = "implicit", ORIGIN_TMP[] = "filesystem.tmp";

const struct sl_implicit_grant sl_implicit_grants[] = {
    {"/dev/null", DEVICE_RIGHTS},
    {"/dev/zero", DEVICE_RIGHTS},
    {"/dev/full", DEVICE_RIGHTS},
    {"/dev/random", SL_RIGHT_READ | SL_RIGHT_IOCTL},
    {"/dev/urandom", SL_RIGHT_READ | SL_RIGHT_IOCTL},
    {NULL, 0},
};

/* What the profile and the command line ask for one text. */
struct wish {
	char *text; /* "~/" expanded */
	uint32_t rights;
	uint32_t exact; /* those of them that version 2 keys asked for: they must fit the object's kind */
	const char *origin;
	int line;
	bool linked;  /* there may be a symbolic link on the way */
	bool refused; /* there is one that the command could have made */
};

struct builder {
	const struct sl_profile *profile;
	const struct sl_policy_options *options;
	struct sl_policy *policy;
	struct sl_error *err;
	struct sl_landlock_masks masks;
	int ruleset_fd;
	struct wish *wishes;
	size_t wish_count, wish_cap, rule_cap, self_cap;
	struct sl_strv creatable; /* canonical names of directories in which the command may make links */
};

static void builder_release(struct builder *b)
{
	for (size_t i = 0; i < b->wish_count; i++)
		free(b->wishes[i].text);
	free(b->wishes);
	sl_strv_release(&b->creatable);
	b->ruleset_fd = sl_close(b->ruleset_fd);
}

void sl_policy_release(struct sl_policy *p)
{
	for (size_t i = 0; i < p->rule_count; i++)
		free(p->rules[i].path);
	for (size_t i = 0; i < p->self_rule_count; i++)
		free(p->self_rules[i].rest);
	free(p->rules);
	free(p->self_rules);
	free(p->tmp_dir);
	free(p->view);
	sl_net_rules_release(&p->net);
	sl_strv_release(&p->self_denied);
	sl_deny_release(&p->deny);
	sl_strv_release(&p->extra_deny);
	sl_strv_release(&p->warnings);
	*p = SL_POLICY_INIT;
}

/* "FILE:LINE: filesystem.read: "/x": why", or the option's name where the entry came from the command line.
 */
static void name_entry(const struct builder *b, struct sl_strbuf *out, const struct wish *w)
{
	if (w->line > 0 && b->profile->file)
		sl_strbuf_addf(out, "%s:%d: ", sl_esc(b->profile->file), w->line);
	sl_strbuf_addf(out, "%s: \"%s\"", w->origin, sl_esc(w->text));
}

static void describe(const struct builder *b, struct sl_strbuf *out, const struct wish *w, const char *why)
{
	name_entry(b, out, w);
	sl_strbuf_addf(out, ": %s", why);
}

/* An entry that cannot hold: an error with strict, else a warning with what is done instead. */
static int complain(struct builder *b, const struct wish *w, int code, const char *why, const char *instead)
{
	SL_STRBUF line = SL_STRBUF_INIT;

	if (w->origin == ORIGIN_IMPLICIT)
		return 0;
	describe(b, &line, w, why);
	if (b->options->strict)
		return sl_error_set(b->err, code, "%s", sl_strbuf_str(&line));
	sl_strbuf_addf(&line, "; %s", instead);
	sl_strv_take(&b->policy->warnings, sl_strbuf_detach(&line));
	return 0;
}

static int fail(struct builder *b, const struct wish *w, int code, const char *why)
{
	SL_STRBUF line = SL_STRBUF_INIT;

	describe(b, &line, w, why);
	return sl_error_set(b->err, code, "%s", sl_strbuf_str(&line));
}

static void wish_add(struct builder *b, char *text, uint32_t rights, uint32_t exact, const char *origin,
		     int line)
{
	if (b->wish_count == b->wish_cap) {
		b->wish_cap = b->wish_cap ? b->wish_cap * 2 : 64;
		b->wishes = sl_xrealloc(b->wishes, b->wish_cap * sizeof(*b->wishes));
	}
	b->wishes[b->wish_count++] = (struct wish){text, rights, exact, origin, line, false, false};
}

/* The entry's text with "~" and "~/" as $HOME; NULL where there is no absolute $HOME. */
static char *expand_home(const char *text)
{
	const char *home;

	if (text[0] != '~' || (text[1] != '/' && text[1] != '\0'))
		return sl_xstrdup(text);
	home = getenv("HOME");
	if (!home || home[0] != '/')
		return NULL;
	return sl_xasprintf("%s%s", strcmp(home, "/") != 0 || !text[1] ? home : "", text + 1);
}

static int collect_list(struct builder *b, const struct sl_list *list, uint32_t rights, bool exact,
			bool relative, const char *origin)
{
	for (size_t i = 0; list && i < list->len; i++) {
		struct wish w = {list->items[i].text,
				 rights,
				 exact ? rights : 0,
				 origin,
				 list->items[i].line,
				 false,
				 false};
		char *text = expand_home(w.text);

		if (!text) {
			int r = complain(b, &w, ENOENT, "HOME is not set", "skipped");

			if (r < 0)
				return r;
			continue;
		}
		wish_add(b, text, rights, w.exact, origin, w.line);
		if (text[0] != '/' && (!relative || !text[0]))
			return fail(b, &b->wishes[b->wish_count - 1], EINVAL, "not an absolute path");
	}
	return 0;
}

static int collect_profile(struct builder *b)
{
	static const struct {
		enum sl_fs_key key;
		const char *origin;
		uint32_t v1, v2;
	} keys[] = {
	    {SL_FS_READ, "filesystem.read", V1_READ, SL_RIGHT_READ},
	    {SL_FS_LIST, "filesystem.list", SL_RIGHT_LIST, SL_RIGHT_LIST},
	    {SL_FS_EXEC, "filesystem.exec", SL_RIGHT_EXEC, SL_RIGHT_EXEC},
	    {SL_FS_WRITE, "filesystem.write", SL_RIGHTS_ALL, SL_RIGHT_WRITE},
	    {SL_FS_CREATE, "filesystem.create", SL_RIGHT_CREATE, SL_RIGHT_CREATE},
	    {SL_FS_DELETE, "filesystem.delete", SL_RIGHT_DELETE, SL_RIGHT_DELETE},
	};
	bool v1 = b->profile->version == 1;

	for (size_t i = 0; i < SL_ARRAY_LEN(keys); i++) {
		int r = collect_list(b, &b->profile->filesystem.lists[keys[i].key],
				     v1 ? keys[i].v1 : keys[i].v2, !v1, v1, keys[i].origin);

		if (r < 0)
			return r;
	}
	return 0;
}

static int collect(struct builder *b)
{
	int r = collect_profile(b);

	if (r < 0)
		return r;
	r = collect_list(b, b->options->cli_read, V1_READ, false, true, "--fs-read");
	if (r < 0)
		return r;
	r = collect_list(b, b->options->cli_write, SL_RIGHTS_ALL, false, true, "--fs-write");
	if (r < 0)
		return r;
	if (b->options->tmp_dir)
		wish_add(b, sl_xstrdup(b->options->tmp_dir), SL_RIGHTS_ALL, 0, ORIGIN_TMP, 0);
	for (const struct sl_implicit_grant *g = sl_implicit_grants; g->path; g++)
		wish_add(b, sl_xstrdup(g->path), g->rights, 0, ORIGIN_IMPLICIT, 0);
	return 0;
}

/* Order of wishes: by text, then as they stood in the profile (the implicit ones last). */
static int compare_wishes(const void *a, const void *b)
{
	const struct wish *x = a, *y = b;
	int order = strcmp(x->text, y->text);

	if (order)
		return order;
	if ((x->origin == ORIGIN_IMPLICIT) != (y->origin == ORIGIN_IMPLICIT))
		return x->origin == ORIGIN_IMPLICIT ? 1 : -1;
	return (x->line > y->line) - (x->line < y->line);
}

/* Sort the wishes and unite those with the same text; the first one's origin stays. */
static void unite_wishes(struct builder *b)
{
	size_t kept = 0;

	qsort(b->wishes, b->wish_count, sizeof(*b->wishes), compare_wishes);
	for (size_t i = 0; i < b->wish_count; i++) {
		struct wish *w = &b->wishes[i];

		if (kept && !strcmp(b->wishes[kept - 1].text, w->text)) {
			b->wishes[kept - 1].rights |= w->rights;
			b->wishes[kept - 1].exact |= w->exact;
			free(w->text);
		} else {
			b->wishes[kept++] = *w;
		}
	}
	b->wish_count = kept;
}

/* A canonical path in our own /proc entry, whichever way it was reached: what follows "/proc/PID" (and
 * "task/TID", where /proc/thread-self leads), or NULL. */
static const char *own_proc_rest(const char *path)
{
	char prefix[64];
	const char *rest;
	int n = snprintf(prefix, sizeof(prefix), "/proc/%d", (int)getpid());

	if (!sl_path_within(path, prefix))
		return NULL;
	rest = path + n + (path[n] == '/');
	n = snprintf(prefix, sizeof(prefix), "task/%d", (int)syscall(SYS_gettid));
	return sl_path_within(rest, prefix) ? rest + n + (rest[n] == '/') : rest;
}

static const char *self_rest(const char *text)
{
	static const char *const names[] = {"/proc/self", "/proc/thread-self"};

	for (size_t i = 0; i < SL_ARRAY_LEN(names); i++)
		if (sl_path_is_normal(text) && sl_path_within(text, names[i]))
			return text + strlen(names[i]) + (text[strlen(names[i])] == '/');
	return NULL;
}

static void add_self_rule(struct builder *b, const char *rest, uint32_t rights)
{
	struct sl_policy *p = b->policy;

	if (rights & SL_RIGHT_READ)
		rights |= SL_RIGHT_LIST;
	rights &= SL_RIGHT_READ | SL_RIGHT_LIST | SL_RIGHT_WRITE;
	if (!rights)
		return;
	if (p->self_rule_count == b->self_cap) {
		b->self_cap = b->self_cap ? b->self_cap * 2 : 8;
		p->self_rules = sl_xrealloc(p->self_rules, b->self_cap * sizeof(*p->self_rules));
	}
	p->self_rules[p->self_rule_count++] = (struct sl_self_rule){sl_xstrdup(rest), rights};
}

static uint64_t landlock_rights(uint32_t rights)
{
	static const struct {
		uint32_t right;
		uint64_t landlock;
	} map[] = {
	    {SL_RIGHT_READ, SL_LL_READ_FILE},
	    {SL_RIGHT_LIST, SL_LL_READ_DIR},
	    {SL_RIGHT_EXEC, SL_LL_EXECUTE},
	    {SL_RIGHT_WRITE, SL_LL_WRITE_FILE | SL_LL_TRUNCATE},
	    {SL_RIGHT_CREATE, SL_LL_MAKE_DIR | SL_LL_MAKE_REG | SL_LL_MAKE_SOCK | SL_LL_MAKE_FIFO |
				  SL_LL_MAKE_SYM | SL_LL_WRITE_FILE | SL_LL_TRUNCATE | SL_LL_REFER},
	    {SL_RIGHT_DELETE, SL_LL_REMOVE_DIR | SL_LL_REMOVE_FILE},
	    {SL_RIGHT_IOCTL, SL_LL_IOCTL_DEV},
	};
	uint64_t landlock = 0;

	for (size_t i = 0; i < SL_ARRAY_LEN(map); i++)
		if (rights & map[i].right)
			landlock |= map[i].landlock;
	return landlock;
}

/* The wish's rights as they hold on an object of this kind at this canonical path. */
static uint32_t rights_on(const struct wish *w, const char *path, mode_t mode)
{
	uint32_t rights = w->rights;
	bool devices_below = !strcmp(path, "/") || sl_path_within(path, "/dev");

	if (S_ISDIR(mode)) {
		if (rights & SL_RIGHT_READ)
			rights |= SL_RIGHT_LIST; /* reading a directory is listing it */
		if ((rights & SL_RIGHT_WRITE) && devices_below)
			rights |= SL_RIGHT_IOCTL;
		return rights;
	}
	rights &= ~(uint32_t)DIR_ONLY;
	if (!S_ISCHR(mode) && !S_ISBLK(mode))
		return rights & ~(uint32_t)SL_RIGHT_IOCTL;
	return rights & SL_RIGHT_WRITE ? rights | SL_RIGHT_IOCTL : rights;
}

/* Is what would change something there left to the supervisor? */
static bool is_withheld(const struct builder *b, const struct wish *w, const char *path)
{
	return w->origin != ORIGIN_TMP && w->origin != ORIGIN_IMPLICIT && sl_policy_is_viewed(b->policy, path);
}

/* Give the ruleset the rights of a wish on one object. Returns those that hold on it, 0 where Landlock restricts no such
 * object, or -errno. */
static int grant(const struct builder *b, const struct wish *w, const char *path, mode_t mode, int fd)
{
	uint32_t rights = rights_on(w, path, mode);
	uint64_t landlock = landlock_rights(is_withheld(b, w, path) ? rights & SL_RIGHTS_READING : rights) &
			    b->masks.fs & (S_ISDIR(mode) ? UINT64_MAX : LL_FILE);
	int r = b->ruleset_fd < 0 ? 0 : sl_landlock_add_path(b->ruleset_fd, fd, landlock);

	if (r == -EBADFD || path[0] != '/')
		return 0; /* a pipe, socket or memfd */
	return r < 0 ? r : (int)rights;
}

struct carving {
	const struct builder *builder;
	const struct wish *wish;
};

static int grant_carved(int fd, const char *path, mode_t mode, uint32_t rights, void *arg)
{
	const struct carving *c = arg;
	struct wish part = *c->wish;

	part.rights = rights;
	return grant(c->builder, &part, path, mode, fd);
}

/* The grant of a directory in which something is denied: its rights, or -errno. */
static int carve(struct builder *b, const struct wish *w, const char *path, int fd)
{
	struct carving of = {b, w};
	uint32_t rights = rights_on(w, path, S_IFDIR);
	const struct sl_carving c = {rights, grant_carved, &of};
	int r = sl_deny_carve(&b->policy->deny, fd, path, &c);

	return r < 0 ? r : (int)rights;
}

/* The grant of a directory above the view's: reading as usual, all else around that one. */
static int grant_around(struct builder *b, const struct wish *w, const char *path, int fd, bool carved)
{
	struct wish part = *w;
	struct carving of = {b, &part};
	struct sl_carving c = {.grant = grant_carved, .arg = &of};
	struct sl_deny around;
	int reading, r;

	part.rights = w->rights & SL_RIGHTS_READING;
	reading = carved ? carve(b, &part, path, fd) : grant(b, &part, path, S_IFDIR, fd);
	if (reading < 0)
		return reading;
	part.rights = w->rights & ~SL_RIGHTS_READING;
	c.rights = rights_on(&part, path, S_IFDIR);
	sl_deny_around(&b->policy->deny, b->policy->view, &around);
	r = sl_deny_carve(&around, fd, path, &c);
	sl_deny_adopt(&b->policy->deny, &around, carved ? 0 : (uint32_t)reading);
	return r < 0 ? r : (int)(c.rights | (uint32_t)reading);
}

/* Is the view's directory below the path, on which the wish has more than reading? */
static bool is_above_view(const struct builder *b, const struct wish *w, const char *path)
{
	const char *view = b->policy->view;

	return view && w->origin != ORIGIN_TMP && w->rights & ~SL_RIGHTS_READING && strcmp(view, path) != 0 &&
	       sl_path_within(view, path);
}

static int add_rule(struct builder *b, const struct wish *w, const char *path, mode_t mode, int fd)
{
	struct sl_policy *p = b->policy;
	struct sl_object_id id = {0};
	bool carved = false, around = S_ISDIR(mode) && is_above_view(b, w, path);
	int r;

	if (p->deny.count && w->origin != ORIGIN_TMP) {
		r = sl_object_id_of_fd(fd, &id);
		if (r < 0)
			return fail(b, w, -r, strerror(-r));
		if (sl_deny_on(&p->deny, path) || sl_deny_object(&p->deny, &id))
			return 0;
		carved = S_ISDIR(mode) && sl_deny_below(&p->deny, path);
	}
	if (around)
		r = grant_around(b, w, path, fd, carved);
	else
		r = carved ? carve(b, w, path, fd) : grant(b, w, path, mode, fd);
	if (r < 0)
		return fail(b, w, -r, strerror(-r));
	if (!r)
		return 0;
	if (r & SL_RIGHT_CREATE)
		sl_strv_add(&b->creatable, path);
	if (p->rule_count == b->rule_cap) {
		b->rule_cap = b->rule_cap ? b->rule_cap * 2 : 64;
		p->rules = sl_xrealloc(p->rules, b->rule_cap * sizeof(*p->rules));
	}
	p->rules[p->rule_count++] =
	    (struct sl_rule){sl_xstrdup(path), (uint32_t)r, S_ISDIR(mode), w->origin, w->line, carved || around, id};
	return 0;
}

/* The object that was opened for the wish, as a rule. */
static int place_object(struct builder *b, const struct wish *w, const char *path, int fd)
{
	struct stat st;
	int r = 0;

	if (fstat(fd, &st) < 0)
		return complain(b, w, errno, strerror(errno), "skipped");
	if (!S_ISDIR(st.st_mode) && (w->exact & DIR_ONLY))
		r = complain(b, w, ENOTDIR, "list, create and delete need a directory",
			     "these rights are left out");
	return r < 0 ? r : add_rule(b, w, path, st.st_mode, fd);
}

static int cannot_open(struct builder *b, const struct wish *w, int error)
{
	if (error == EMFILE || error == ENFILE || error == ENOMEM)
		return fail(b, w, error, strerror(error));
	return complain(b, w, error, strerror(error), "skipped");
}

/* A wish without a link on the way; others are marked. */
static int place_plain(struct builder *b, struct wish *w)
{
	const char *rest = self_rest(w->text);
	SL_CLOSE int fd = -EBADF;

	if (rest) {
		add_self_rule(b, rest, w->rights);
		return 0;
	}
	w->linked = !sl_path_is_normal(w->text);
	if (w->linked)
		return 0;
	fd = sl_own_path_open_plain(w->text);
	if (fd == -ENOENT)
		return complain(b, w, ENOENT, strerror(ENOENT), "skipped");
	w->linked = fd < 0;
	if (w->linked)
		return 0;
	rest = own_proc_rest(w->text);
	if (rest) {
		add_self_rule(b, rest, w->rights);
		return 0;
	}
	return place_object(b, w, w->text, fd);
}

/* Where a wish leads whose way is not judged yet: links may be made there as well. */
static void foresee_linked(struct builder *b, const struct wish *w)
{
	char path[PATH_MAX];
	SL_CLOSE int fd = w->rights & SL_RIGHT_CREATE ? sl_own_path_open(w->text, path) : -EBADF;

	if (fd >= 0)
		sl_strv_add(&b->creatable, path);
}

static bool may_use_link(int dir, void *arg)
{
	const struct builder *b = arg;
	char path[PATH_MAX];

	if (sl_fd_path(dir, path, sizeof(path)) < 0)
		return false;
	for (size_t i = 0; i < b->creatable.len; i++)
		if (sl_path_within(path, b->creatable.items[i]))
			return false;
	return true;
}

/* What the link leads to is no loss where other entries grant as much. */
static int refuse_link(struct builder *b, const struct wish *w)
{
	SL_STRBUF why = SL_STRBUF_INIT;
	struct sl_access access = {.right = w->rights};
	char path[PATH_MAX];
	SL_CLOSE int fd = sl_own_path_open(w->text, path);
	struct stat st;

	if (fd < 0)
		return cannot_open(b, w, -fd);
	if (fstat(fd, &st) == 0)
		access.right = rights_on(w, path, st.st_mode);
	access.path = path;
	if (path[0] == '/' && sl_policy_allows(b->policy, &access, NULL))
		return 0;
	sl_strbuf_addf(&why, "leads to %s through a symbolic link that the command could have made",
		       sl_esc(path));
	return complain(b, w, ELOOP, sl_strbuf_str(&why), "skipped");
}

static int place_linked(struct builder *b, struct wish *w)
{
	struct sl_resolve_opts opts = {.may_use_link = may_use_link, .arg = b};
	SL_CLEANUP(sl_resolved_release) struct sl_resolved found = SL_RESOLVED_INIT;
	pid_t self = (pid_t)syscall(SYS_gettid);
	int r = sl_resolve_with(self, AT_FDCWD, w->text, &opts, &found);
	char path[PATH_MAX];
	const char *rest;

	if (r == -EXDEV) {
		w->refused = true;
		return 0;
	}
	if (r == 0)
		r = (int)SL_MIN(sl_fd_path(found.fd, path, sizeof(path)), 0);
	if (r < 0)
		return cannot_open(b, w, -r);
	rest = own_proc_rest(path);
	if (rest) {
		add_self_rule(b, rest, w->rights);
		return 0;
	}
	return place_object(b, w, path, found.fd);
}

static int compare_rules(const void *a, const void *b)
{
	return strcmp(((const struct sl_rule *)a)->path, ((const struct sl_rule *)b)->path);
}

static int compare_self_rules(const void *a, const void *b)
{
	return strcmp(((const struct sl_self_rule *)a)->rest, ((const struct sl_self_rule *)b)->rest);
}

/* Sort both lists by path and unite rules of one path; an entry of the profile's own gives the origin. */
static void sort_rules(struct sl_policy *p)
{
	size_t kept = 0;

	if (p->rule_count)
		qsort(p->rules, p->rule_count, sizeof(*p->rules), compare_rules);
	for (size_t i = 0; i < p->rule_count; i++) {
		struct sl_rule *last = kept ? &p->rules[kept - 1] : NULL, *r = &p->rules[i];

		if (!last || strcmp(last->path, r->path) != 0) {
			p->rules[kept++] = *r;
			continue;
		}
		last->rights |= r->rights;
		if (last->origin == ORIGIN_IMPLICIT) {
			last->origin = r->origin;
			last->line = r->line;
		}
		free(r->path);
	}
	p->rule_count = kept;

	kept = 0;
	if (p->self_rule_count)
		qsort(p->self_rules, p->self_rule_count, sizeof(*p->self_rules), compare_self_rules);
	for (size_t i = 0; i < p->self_rule_count; i++) {
		if (kept && !strcmp(p->self_rules[kept - 1].rest, p->self_rules[i].rest)) {
			p->self_rules[kept - 1].rights |= p->self_rules[i].rights;
			free(p->self_rules[i].rest);
		} else {
			p->self_rules[kept++] = p->self_rules[i];
		}
	}
	p->self_rule_count = kept;
}

/* Where the entry leads below our own /proc entry it is of each process's own. True where it did. */
static bool deny_self(struct builder *b)
{
	struct sl_deny *d = &b->policy->deny;
	struct sl_denied *last = &d->items[d->count - 1];
	const char *rest = own_proc_rest(last->path);

	if (!rest)
		return false;
	sl_strv_add(&b->policy->self_denied, rest);
	free(last->path);
	free(last->where);
	d->count--;
	return true;
}

static int deny_list(struct builder *b, const struct sl_list *list, bool relative, const char *origin)
{
	for (size_t i = 0; list && i < list->len; i++) {
		struct wish w = {list->items[i].text, 0, 0, origin, list->items[i].line, false, false};
		SL_FREE char *text = expand_home(w.text), *path = NULL;
		SL_STRBUF where = SL_STRBUF_INIT;
		char here[PATH_MAX];
		int r;

		if (!text)
			return fail(b, &w, ENOENT, "HOME is not set");
		if (text[0] != '/' && (!relative || !text[0]))
			return fail(b, &w, EINVAL, "not an absolute path");
		if (text[0] != '/' && !getcwd(here, sizeof(here)))
			return fail(b, &w, errno, "the working directory has no name");
		path = text[0] == '/' ? sl_xstrdup(text) : sl_xasprintf("%s/%s", here, text);
		if (self_rest(path)) {
			sl_strv_add(&b->policy->self_denied, self_rest(path));
			continue;
		}
		name_entry(b, &where, &w);
		r = sl_deny_add(&b->policy->deny, path, sl_strbuf_str(&where));
		if (r < 0)
			return fail(b, &w, -r, strerror(-r));
		deny_self(b);
	}
	return 0;
}

/* The canonical names of the directories that are granted, sorted. */
static void granted_directories(const struct builder *b, struct sl_strv *ret)
{
	for (size_t i = 0; i < b->wish_count; i++) {
		char path[PATH_MAX];
		SL_CLOSE int fd = -EBADF;

		if (b->wishes[i].origin == ORIGIN_IMPLICIT || b->wishes[i].origin == ORIGIN_TMP)
			continue;
		fd = sl_own_path_open(b->wishes[i].text, path);
		if (fd >= 0 && path[0] == '/')
			sl_strv_add(ret, path);
	}
	sl_strv_sort_unique(ret);
}

static int collect_denied(struct builder *b)
{
	const struct sl_list *list = &b->profile->filesystem.lists[SL_FS_DENY];
	int r = deny_list(b, list, b->profile->version == 1, "filesystem.deny");
	struct sl_deny *d = &b->policy->deny;
	bool linked = false;

	if (r == 0)
		r = deny_list(b, b->options->cli_deny, true, "--fs-deny");
	if (r == 0 && b->options->hidden)
		r = sl_deny_add(d, b->options->hidden, "sandlock's own");
	if (r < 0)
		return r;
	sl_deny_sort(d);
	for (size_t i = 0; i < d->count; i++)
		linked |= d->items[i].links > 1;
	if (linked) {
		struct sl_strv directories = SL_STRV_INIT;

		granted_directories(b, &directories);
		sl_deny_find_links(d, &directories);
		sl_strv_release(&directories);
	}
	return 0;
}

/* A rule on all of /proc gives each process's own entry too, and there is no rule that takes from it. */
static int check_self_denied(struct builder *b)
{
	const struct sl_policy *p = b->policy;

	for (size_t i = 0; p->self_denied.len && i < p->rule_count; i++) {
		const struct sl_rule *r = &p->rules[i];
		struct wish w = {r->path, 0, 0, r->origin, r->line, false, false};

		if (!strcmp(r->path, "/") || !strcmp(r->path, "/proc"))
			return fail(b, &w, EINVAL, "cannot be granted while something below /proc/self is denied");
	}
	return 0;
}

/* The group's name stands for its calls. */
static int place_syscalls(struct builder *b)
{
	const struct sl_list *deny = &b->profile->syscalls.extra_deny;

	b->policy->allow_sysv_ipc =
	    sl_list_contains(&b->profile->syscalls.extra_allow, SL_CALL_GROUP_SYSV_IPC);
	for (size_t i = 0; i < deny->len; i++) {
		struct wish w = {deny->items[i].text, 0,     0,	   "syscalls.extra_deny",
				 deny->items[i].line, false, false};

		if (!strcmp(w.text, SL_CALL_GROUP_SYSV_IPC)) {
			for (size_t j = 0; j < sl_call_count; j++)
				if (sl_calls[j].treat == SL_TREAT_IPC)
					sl_strv_add(&b->policy->extra_deny, sl_calls[j].name);
		} else if (sl_call_number(w.text) == -ENOENT) {
			return fail(b, &w, EINVAL, "unknown system call");
		} else {
			sl_strv_add(&b->policy->extra_deny, w.text);
		}
	}
	return 0;
}

/* What stands in the list but cannot be had. */
static const char *useless_call(const struct builder *b, const char *name)
{
	const struct sl_call *call = sl_call_by_nr(sl_call_number(name));

	if (call && call->treat == SL_TREAT_REFUSE)
		return "this call is refused whatever is listed";
	if (call && call->treat == SL_TREAT_IPC && !b->policy->allow_sysv_ipc)
		return "this call needs \"" SL_CALL_GROUP_SYSV_IPC "\" in extra_allow";
	return NULL;
}

/* The only calls that are possible. A group of extra_allow comes on top. */
static int place_listed_calls(struct builder *b)
{
	const struct sl_list *allow = &b->profile->syscalls.allow;
	struct sl_policy *p = b->policy;

	p->calls_listed = allow->present || allow->len;
	if (!p->calls_listed)
		return 0;
	sl_call_set_add_start(&p->calls);
	for (size_t i = 0; p->allow_sysv_ipc && i < sl_call_count; i++)
		if (sl_calls[i].treat == SL_TREAT_IPC)
			sl_call_set_add(&p->calls, sl_calls[i].nr);
	for (size_t i = 0; i < allow->len; i++) {
		struct wish w = {allow->items[i].text, 0,     0,    "syscalls.allow",
				 allow->items[i].line, false, false};
		const char *useless = useless_call(b, w.text);
		int r = sl_call_set_add_name(&p->calls, w.text);

		if (r < 0)
			return fail(b, &w, EINVAL, "unknown system call");
		r = useless ? complain(b, &w, EINVAL, useless, "without effect") : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

static int place_wishes(struct builder *b)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < b->wish_count; i++)
		r = place_plain(b, &b->wishes[i]);
	for (size_t i = 0; r == 0 && i < b->wish_count; i++)
		if (b->wishes[i].linked)
			foresee_linked(b, &b->wishes[i]);
	for (size_t i = 0; r == 0 && i < b->wish_count; i++)
		if (b->wishes[i].linked)
			r = place_linked(b, &b->wishes[i]);
	sort_rules(b->policy);
	for (size_t i = 0; r == 0 && i < b->wish_count; i++)
		if (b->wishes[i].refused)
			r = refuse_link(b, &b->wishes[i]);
	return r;
}

/* The plan, and what of TCP the ruleset does not have to handle, because every port is granted. */
static int plan_network(struct builder *b)
{
	struct sl_policy *p = b->policy;
	int r = sl_net_rules_compile(b->profile, &p->net, b->err);
	struct sl_net_plan_input in = {
	    .rules = &p->net,
	    .listener = true,
	    .can_take = b->options->can_take,
	    .landlock_tcp = b->masks.net & SL_LL_NET_BIND_TCP,
	    .private_tmp = b->options->tmp_dir,
	};
	const char *lacks;

	if (r < 0)
		return r;
	sl_net_plan_make(&in, &p->net_plan);
	lacks = b->options->landlock_abi > 0 ? sl_net_plan_lacks(&in, &p->net_plan) : NULL;
	if (lacks)
		return sl_error_set(b->err, ENOTSUP,
				    "%s, which needs pidfd_getfd, and that is refused here (by the seccomp profile of a "
				    "container, as a rule)",
				    lacks);
	for (size_t i = 0; p->net_plan.kernel_connect && i < p->net.allow_count; i++) {
		const struct sl_net_rule *rule = &p->net.allow[i];

		if (!rule->port_count || (rule->ports[0].low <= 1 && rule->ports[0].high == UINT16_MAX))
			b->masks.net &= ~SL_LL_NET_CONNECT_TCP;
	}
	if (p->net_plan.kernel_bind && p->net.bind_count && !p->net.bind[0].low &&
	    p->net.bind[0].high == UINT16_MAX)
		b->masks.net &= ~SL_LL_NET_BIND_TCP;
	return 0;
}

static int add_port_rules(struct builder *b, const struct sl_net_ports *ports, size_t count, uint64_t right)
{
	for (size_t i = 0; i < count && b->masks.net & right; i++)
		for (unsigned int port = ports[i].low; port <= ports[i].high; port++) {
			int r = sl_landlock_add_port(b->ruleset_fd, (uint16_t)port, right);

			if (r < 0)
				return sl_error_errno(b->err, -r, "cannot make a Landlock rule for port %u", port);
		}
	return 0;
}

static int place_ports(struct builder *b)
{
	const struct sl_policy *p = b->policy;
	int r = 0;

	if (b->ruleset_fd < 0)
		return 0;
	for (size_t i = 0; r == 0 && p->net_plan.kernel_connect && i < p->net.allow_count; i++)
		r = add_port_rules(b, p->net.allow[i].ports, p->net.allow[i].port_count, SL_LL_NET_CONNECT_TCP);
	if (r == 0 && p->net_plan.kernel_bind)
		r = add_port_rules(b, p->net.bind, p->net.bind_count, SL_LL_NET_BIND_TCP);
	return r;
}

static int build(struct builder *b)
{
	int r = plan_network(b);

	if (r < 0)
		return r;
	if (b->options->landlock_abi > 0) {
		b->ruleset_fd = sl_landlock_create(&b->masks);
		if (b->ruleset_fd < 0)
			return sl_error_errno(b->err, -b->ruleset_fd, "cannot create a Landlock ruleset");
	}
	r = place_ports(b);
	if (r < 0)
		return r;
	r = place_syscalls(b);
	if (r < 0)
		return r;
	r = place_listed_calls(b);
	if (r < 0)
		return r;
	r = collect(b);
	if (r < 0)
		return r;
	unite_wishes(b);
	if (b->options->tmp_dir)
		b->policy->tmp_dir = sl_xstrdup(b->options->tmp_dir);
	if (b->options->view)
		b->policy->view = sl_xstrdup(b->options->view);
	r = collect_denied(b);
	if (r == 0)
		r = place_wishes(b);
	if (r < 0)
		return r;
	sl_deny_seal(&b->policy->deny);
	return check_self_denied(b);
}

int sl_policy_build(const struct sl_profile *profile, const struct sl_policy_options *options,
		    struct sl_policy *ret_policy, int *ret_ruleset_fd, struct sl_error *err)
{
	SL_CLEANUP(sl_policy_release) struct sl_policy policy = SL_POLICY_INIT;
	SL_CLEANUP(builder_release)
	struct builder b = {
	    .profile = profile,
	    .options = options,
	    .policy = &policy,
	    .err = err,
	    .masks = sl_landlock_masks(options->landlock_abi, options->disabled),
	    .ruleset_fd = -EBADF,
	};
	int r = build(&b);

	if (r < 0)
		return r;
	*ret_policy = policy;
	policy = SL_POLICY_INIT;
	if (b.ruleset_fd >= 0)
		*ret_ruleset_fd = SL_TAKE_FD(b.ruleset_fd);
	return 0;
}
