/*
 * profile-text.c - see profile-text.h.
 */
#include "cmd/profile-text.h"

#include <string.h>

#include "base/path.h"
#include "cmd/message.h"
#include "profile/merge.h"
#include "profile/read.h"
#include "sandlock.h"

int sl_profile_text_read(const char *path, struct sl_strbuf *text)
{
	SL_FCLOSE FILE *f = fopen(path, "re");
	char chunk[4096];
	size_t n;

	while (f && (n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		sl_strbuf_add(text, chunk, n);
	if (f && !ferror(f))
		return 0;
	sl_say("%s: %s", sl_esc(path), strerror(errno));
	return SANDLOCK_STATUS_FAILED;
}

int sl_profile_text_parse(const struct sl_strbuf *text, const char *name, struct sl_profile *ret)
{
	struct sl_diags diags = {0};
	SL_STRBUF line = SL_STRBUF_INIT;
	int r = sl_profile_parse(sl_strbuf_str(text), text->len, name, ret, &diags);

	for (size_t i = 0; r < 0 && i < diags.len; i++) {
		if (diags.items[i].kind != SL_DIAG_ERROR)
			continue;
		sl_strbuf_addstr(&line, "sandlock: ");
		sl_diag_format(&line, name, &diags.items[i]);
		sl_strbuf_addch(&line, '\n');
	}
	sl_diags_release(&diags);
	sl_say_lines(&line);
	return r < 0 ? SANDLOCK_STATUS_FAILED : 0;
}

int sl_profile_text_renew(const struct sl_strbuf *old_text, const struct sl_profile *profile,
			  const struct sl_profile_header *header, struct sl_strbuf *ret)
{
	SL_STRBUF plain = SL_STRBUF_INIT;
	SL_STRBUF text = SL_STRBUF_INIT;
	struct sl_profile before, after;
	int status;

	if (!old_text->len) {
		sl_profile_format(ret, profile, header);
		return 0;
	}
	sl_profile_format(&plain, profile, header);
	sl_profile_init(&before, 2);
	sl_profile_init(&after, 2);
	status = sl_profile_text_parse(old_text, "the first profile", &before);
	if (!status)
		status = sl_profile_text_parse(&plain, "the merged profile", &after);
	if (!status) {
		sl_profile_keep_comments(sl_strbuf_str(old_text), &before, sl_strbuf_str(&plain), &after,
					 &text);
		sl_profile_release(&after);
		sl_profile_init(&after, 2);
		status = sl_profile_text_parse(&text, "the merged profile", &after);
	}
	if (!status)
		sl_strbuf_add(ret, sl_strbuf_str(&text), text.len);
	sl_profile_release(&before);
	sl_profile_release(&after);
	return status;
}

int sl_profile_text_write(struct sl_outfile *out, const struct sl_strbuf *text)
{
	struct sl_error err = SL_ERROR_INIT;

	if (!out)
		return sl_output(text);
	if (sl_outfile_commit(out, sl_strbuf_str(text), text->len, &err) == 0)
		return 0;
	sl_say("%s", err.text);
	return SANDLOCK_STATUS_FAILED;
}
