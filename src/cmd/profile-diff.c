/*
 * profile-diff.c - `sandlock profile diff`: a gate for changes of profiles.
 */
#include <string.h>

#include "base/path.h"
#include "cmd/commands.h"
#include "cmd/message.h"
#include "cmd/profile-arg.h"
#include "cmd/profile-look.h"
#include "profile/diff.h"
#include "profile/keys.h"
#include "profile/write.h"
#include "sandlock.h"

struct diff_options {
	bool json, widened;
};

static const struct sl_option options[] = {
    {"json", 0, SL_OPTION_FLAG, NULL, false, SL_COMPLETE_NOTHING, offsetof(struct diff_options, json),
     "print one JSON array"},
    {"widened", 0, SL_OPTION_FLAG, NULL, false, SL_COMPLETE_NOTHING, offsetof(struct diff_options, widened),
     "only what A does not allow and B does"},
    {NULL},
};

static const char *const kind_names[] = {"widened", "narrowed", "moved"};

/* Append a string of JSON: that of TOML with all of what JSON wants escaped. */
static void add_json(struct sl_strbuf *out, const char *name, const char *text)
{
	if (!text)
		return;
	sl_strbuf_addf(out, ", \"%s\": ", name);
	sl_toml_quote(out, text);
}

static void add_words(struct sl_strbuf *out, const struct sl_change *c)
{
	sl_strbuf_addf(out, "%s: %s.%s: ", kind_names[c->kind], c->key->section, c->key->name);
	if (c->before)
		sl_escape(out, c->before, strlen(c->before));
	if (c->before && c->after)
		sl_strbuf_addstr(out, " -> ");
	if (c->after)
		sl_escape(out, c->after, strlen(c->after));
	sl_strbuf_addch(out, '\n');
}

static void add_object(struct sl_strbuf *out, const struct sl_change *c, bool first)
{
	sl_strbuf_addf(out, "%s  {\"change\": \"%s\", \"key\": \"%s.%s\"", first ? "\n" : ",\n",
		       kind_names[c->kind], c->key->section, c->key->name);
	add_json(out, "before", c->before);
	add_json(out, "after", c->after);
	sl_strbuf_addch(out, '}');
}

/* Print the changes that count. Returns the exit status. */
static int report(const struct sl_changes *changes, const struct diff_options *o)
{
	SL_STRBUF out = SL_STRBUF_INIT;
	size_t count = 0;
	int status;

	for (size_t i = 0; i < changes->len; i++) {
		const struct sl_change *c = &changes->items[i];

		if (o->widened && c->kind == SL_CHANGE_NARROWED)
			continue;
		if (o->json)
			add_object(&out, c, !count);
		else
			add_words(&out, c);
		count++;
	}
	if (o->json) {
		SL_STRBUF array = SL_STRBUF_INIT;

		sl_strbuf_addf(&array, "[%s%s]\n", sl_strbuf_str(&out), count ? "\n" : "");
		status = sl_output(&array);
	} else {
		status = sl_output(&out);
	}
	return status ? status : count > 0;
}

/* Read a NAME or PATH. Returns 0 or 125 after a line. */
static int load(const char *arg, struct sl_profile *ret)
{
	SL_FREE char *path = sl_profile_arg_path(arg);
	int status = path ? sl_profile_load(path, ret) : SANDLOCK_STATUS_FAILED;

	if (!status)
		sl_profile_make_absolute(ret);
	return status;
}

static int diff(const struct sl_cmd *cmd, int argc, char **argv)
{
	struct diff_options o = {0};
	struct sl_changes changes = {0};
	struct sl_profile a, b;
	char **operands;
	int status = sl_options_parse(cmd, argc, argv, &o, &operands, NULL), other;

	if (status != SL_PARSED)
		return status;
	sl_profile_init(&a, 2);
	sl_profile_init(&b, 2);
	status = load(operands[0], &a);
	other = load(operands[1], &b);
	if (!status && !other) {
		sl_profile_diff(&a, &b, &sl_profile_look, &changes);
		status = report(&changes, &o);
	}
	sl_changes_release(&changes);
	sl_profile_release(&a);
	sl_profile_release(&b);
	return other ? other : status;
}

const struct sl_cmd sl_cmd_profile_diff = {
    .name = "profile diff",
    .operands = "A B",
    .summary = "compare what two profiles allow",
    .options = options,
    .min_operands = 2,
    .max_operands = 2,
    .complete = SL_COMPLETE_PROFILE,
    .run = diff,
};
