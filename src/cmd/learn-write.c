/*
 * learn-write.c - the profile that learn writes: [program] from the command line, entries from -r and -w and
 * from what was observed, the header; and the summary of it.
 */
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/path.h"
#include "cmd/learn-settle.h"
#include "cmd/message.h"
#include "cmd/profile-text.h"
#include "observe/summary.h"
#include "sandlock.h"

/* A string that TOML can hold, or one line that says which cannot be written. */
static bool writable(const char *what, const char *text)
{
	if (sl_utf8_valid(text, strlen(text)))
		return true;
	sl_warn("%s is not valid UTF-8 and is not in the profile: %s", what, sl_esc(text));
	return false;
}

/* One -r or -w entry: the keys that give what read or write give in version 1. What only directories have is
 * left out for anything else; what is not there can become either. */
static void add_entry(struct sl_profile *profile, const char *text, bool write)
{
	static const enum sl_fs_key keys[] = {SL_FS_READ, SL_FS_EXEC, SL_FS_WRITE, SL_FS_CREATE,
					      SL_FS_DELETE};
	bool home = text[0] == '~' && (text[1] == '/' || !text[1]);
	SL_FREE char *path = home ? sl_xstrdup(text) : sl_absolute(NULL, text);
	size_t count = write ? SL_ARRAY_LEN(keys) : 2;
	struct stat st;

	if (!writable(write ? "--fs-write" : "--fs-read", text))
		return;
	if (write && path[0] == '/' && stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		count = 3;
	for (size_t i = 0; i < count; i++)
		sl_list_add(&profile->filesystem.lists[keys[i]], path, 0);
}

/* Take out of what the options put into the profile what it cannot hold: the command has it all the same. */
static void drop_unwritable(struct sl_profile *p)
{
	struct sl_list *env = &p->program.env;
	size_t kept = 0;

	for (size_t i = 0; i < env->len; i++) {
		if (writable("--env", env->items[i].text))
			env->items[kept++] = env->items[i];
		else
			free(env->items[i].text);
	}
	env->len = kept;
	env->present = env->present && kept;
	if (p->program.cwd && !writable("--cwd", p->program.cwd)) {
		free(p->program.cwd);
		p->program.cwd = NULL;
	}
}

void sl_learn_program(struct sl_learn *l)
{
	struct sl_profile *p = &l->profile;

	drop_unwritable(p);
	for (size_t i = 0; i < l->setup.read.len; i++)
		add_entry(p, l->setup.read.items[i].text, false);
	for (size_t i = 0; i < l->setup.write.len; i++)
		add_entry(p, l->setup.write.items[i].text, true);
	for (size_t i = 0; i < l->program.argv.len; i++)
		if (!writable("an argument of the command", l->program.argv.items[i]))
			return;
	if (!writable("the program's path", l->program.path))
		return;
	p->program.exec = sl_xstrdup(l->program.path);
	if (strcmp(l->program.argv.items[0], l->program.path) != 0)
		p->program.argv0 = sl_xstrdup(l->program.argv.items[0]);
	for (size_t i = 1; i < l->program.argv.len; i++)
		sl_list_add(&p->program.args, l->program.argv.items[i], 0);
}

/* The learned profile in the version that was asked for. */
static void finish_version(struct sl_learn *l, struct sl_profile *ret)
{
	if (l->profile_version == 2) {
		sl_profile_init(ret, 2);
		sl_profile_copy(ret, &l->profile);
	} else {
		sl_profile_to_v1(&l->profile, ret);
	}
	if (ret->version == 1 && l->profile.program.argv0 &&
	    strcmp(sl_path_basename(l->profile.program.argv0), sl_path_basename(l->profile.program.exec)) !=
		0)
		sl_warn("version 1 cannot hold argv0: the program will see \"%s\" as its name",
			sl_esc(l->profile.program.exec));
	sl_profile_sort(ret);
}

/* Put what was learned in place, or add it to the profile of --merge. 0 or a status. */
static int write_profile(struct sl_learn *l, struct sl_profile_header *header, struct sl_settled *s)
{
	SL_CLEANUP(sl_merge_base_release) struct sl_merge_base base = {.lock = -EBADF};
	SL_STRBUF text = SL_STRBUF_INIT;
	int status = 0;

	sl_profile_sort(&l->profile);
	sl_learn_replace_gone(l, &l->profile, s);
	if (l->merge)
		status = sl_learn_merge(l, &base, &s->result, &s->notes);
	else
		finish_version(l, &s->result);
	if (status)
		return status;
	sl_learn_settle(l, l->merge ? &base.old : NULL, s);
	header->partial |= sl_profile_text_is_partial(sl_strbuf_str(&base.text));
	header->notes = &s->header;
	status = sl_profile_text_renew(&base.text, &s->result, header, &text);
	return status ? status : sl_profile_text_write(l->out, &text);
}

static void say_summary(const struct sl_learn *l, const struct sl_settled *s,
			const struct sl_outcome *outcome)
{
	SL_STRBUF lines = SL_STRBUF_INIT;

	sl_learn_settle_say(l, s, &lines);
	if (!l->quiet && (l->verbose || isatty(STDERR_FILENO))) {
		sl_summary_format(&lines, &s->seen, &s->result);
		sl_learn_peaks_say(l, outcome, &lines);
		if (outcome->killed)
			sl_strbuf_addf(&lines, "sandlock: %zu processes that were left running were ended\n",
				       outcome->killed);
	} else {
		sl_summary_warnings(&lines, &s->seen);
	}
	if (outcome->kind == SL_OUTCOME_TIMEOUT)
		sl_strbuf_addf(&lines, "sandlock: warning: ended after %g seconds: the profile is partial\n",
			       l->setup.timeout_s);
	if (!l->quiet && !l->in_place &&
	    (l->profile.network.allow.len || l->profile.network.unix_sockets.len))
		sl_strbuf_addstr(
		    &lines,
		    "sandlock: what the command did over the network and local sockets was real: only "
		    "the disk was held back\n");
	sl_say_lines(&lines);
}

int sl_learn_write(struct sl_learn *l, const struct sl_outcome *outcome)
{
	struct sl_profile_header header = {.tool_version = "sandlock " SANDLOCK_VERSION};
	SL_CLEANUP(sl_settled_release) struct sl_settled settled = {.result = {.version = 2}};
	time_t now = time(NULL);
	struct utsname kernel;
	char date[32] = "";
	struct tm tm;
	int status;

	sl_profile_init(&settled.result, 2);
	sl_observer_finish(l->observer, &l->profile, &settled.seen);
	sl_learn_limits(l, &settled.header);
	if (gmtime_r(&now, &tm) && strftime(date, sizeof(date), "%Y-%m-%d", &tm))
		header.date = date;
	if (uname(&kernel) == 0)
		header.kernel = kernel.release;
	header.partial = settled.seen.partial || outcome->kind == SL_OUTCOME_TIMEOUT;
	status = write_profile(l, &header, &settled);
	if (!status)
		say_summary(l, &settled, outcome);
	return status;
}
