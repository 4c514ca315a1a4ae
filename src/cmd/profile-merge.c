/*
 * profile-merge.c - `sandlock profile merge`: several profiles as one.
 *
 * The output is locked first and read after that, where it is one of the inputs, so that of several at once
 * each adds to what the one before has written. It is read again before it is put in place: what is written
 * always loads.
 */
#include <string.h>

#include "base/path.h"
#include "cmd/commands.h"
#include "cmd/message.h"
#include "cmd/profile-arg.h"
#include "cmd/profile-look.h"
#include "cmd/profile-text.h"
#include "profile/merge.h"
#include "profile/write.h"
#include "sandlock.h"

struct merge_options {
	const char *output;
};

static const struct sl_option options[] = {
    {"output", 'o', SL_OPTION_STRING, "FILE", false, SL_COMPLETE_FILE, offsetof(struct merge_options, output),
     "write the result to FILE, not to stdout"},
    {NULL},
};

struct merging {
	struct sl_profile *profiles;
	const struct sl_profile **pointers;
	size_t count;
	struct sl_strbuf first; /* text of the first file */
	struct sl_outfile *out; /* NULL: stdout */
	int lock;
};

static void merging_release(struct merging *m)
{
	for (size_t i = 0; i < m->count; i++)
		sl_profile_release(&m->profiles[i]);
	free(m->profiles);
	free(m->pointers);
	sl_strbuf_release(&m->first);
	sl_outfile_free(m->out);
	sl_close(m->lock);
}

static int load_all(struct merging *m, char **operands)
{
	int status = 0;

	m->profiles = sl_xcalloc(m->count, sizeof(*m->profiles));
	m->pointers = sl_xcalloc(m->count, sizeof(*m->pointers));
	for (size_t i = 0; i < m->count; i++) {
		SL_FREE char *path = sl_profile_arg_path(operands[i]);

		sl_profile_init(&m->profiles[i], 2);
		m->pointers[i] = &m->profiles[i];
		if (!path || sl_profile_load(path, &m->profiles[i]) || (i == 0 && sl_profile_text_read(path, &m->first)))
			status = SANDLOCK_STATUS_FAILED;
	}
	return status;
}

/* Of two versions the result is of version 2, where no path is relative. */
static void make_absolute(struct merging *m)
{
	bool mixed = false;

	for (size_t i = 0; i < m->count; i++)
		mixed |= m->profiles[i].version != 1;
	for (size_t i = 0; i < m->count && mixed; i++)
		sl_profile_make_absolute(&m->profiles[i]);
}

/* Was the observation behind any of the profiles partial? Then the result is. 0 or 125. */
static int any_partial(const struct merging *m, char **operands, bool *ret)
{
	for (size_t i = 0; i < m->count; i++) {
		SL_FREE char *path = sl_profile_arg_path(operands[i]);
		SL_STRBUF text = SL_STRBUF_INIT;

		if (!path || sl_profile_text_read(path, &text))
			return SANDLOCK_STATUS_FAILED;
		*ret |= sl_profile_text_is_partial(sl_strbuf_str(&text));
	}
	return 0;
}

/* The result as text, with the comments of the first file. 0 or 125. */
static int format(const struct merging *m, bool partial, struct sl_strbuf *ret)
{
	struct sl_profile_header header = {.only_partial = true, .partial = partial};
	struct sl_profile merged;
	struct sl_strv notes = SL_STRV_INIT;
	int status;

	sl_profile_merge(m->pointers, m->count, &sl_profile_look, &merged, &notes);
	status = sl_profile_text_renew(&m->first, &merged, partial ? &header : NULL, ret);
	for (size_t i = 0; i < notes.len && !status; i++)
		sl_warn("%s", notes.items[i]);
	sl_strv_release(&notes);
	sl_profile_release(&merged);
	return status;
}

static int open_output(struct merging *m, const char *path)
{
	struct sl_error err = SL_ERROR_INIT;

	if (sl_profile_lock(path, &m->lock, &err) == 0 && sl_outfile_open(path, &m->out, &err) == 0)
		return 0;
	sl_say("%s", err.text);
	return SANDLOCK_STATUS_FAILED;
}

static int merge(const struct sl_cmd *cmd, int argc, char **argv)
{
	SL_CLEANUP(merging_release) struct merging m = {.lock = -EBADF};
	struct merge_options o = {0};
	SL_STRBUF text = SL_STRBUF_INIT;
	bool partial = false;
	char **operands;
	int count, status = sl_options_parse(cmd, argc, argv, &o, &operands, &count);

	if (status != SL_PARSED)
		return status;
	m.count = (size_t)count;
	status = o.output && strcmp(o.output, "-") != 0 ? open_output(&m, o.output) : 0;
	/* Only here, so that what is released has been made. */
	if (status)
		m.count = 0;
	else
		status = load_all(&m, operands);
	if (status)
		return status;
	make_absolute(&m);
	status = any_partial(&m, operands, &partial);
	if (!status)
		status = format(&m, partial, &text);
	return status ? status : sl_profile_text_write(m.out, &text);
}

const struct sl_cmd sl_cmd_profile_merge = {
    .name = "profile merge",
    .operands = "A B...",
    .summary = "unite profiles",
    .options = options,
    .min_operands = 2,
    .max_operands = -1,
    .complete = SL_COMPLETE_PROFILE,
    .run = merge,
};
