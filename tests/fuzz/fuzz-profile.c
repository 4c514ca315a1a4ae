/*
 * fuzz-profile.c - any text as a profile: it is read or refused, and what is read is a fixed point of
 * writing.
 *
 * A libFuzzer target (meson -Dfuzz=true with clang); corpus/profile is replayed by the ordinary tests.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profile/read.h"
#include "profile/write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Read the text and write what was read; false where it was refused, with a reason. */
static bool rewrite(const char *text, size_t len, struct sl_strbuf *out)
{
	struct sl_diags diags = {0};
	struct sl_profile p;
	int r = sl_profile_parse(text, len, "fuzz", &p, &diags);

	for (size_t i = 0; i < diags.len; i++) {
		SL_STRBUF line = SL_STRBUF_INIT;

		sl_diag_format(&line, "fuzz", &diags.items[i]);
		if (strchr(sl_strbuf_str(&line), '\n'))
			abort();
	}
	if (r < 0 && !diags.len)
		abort();
	sl_diags_release(&diags);
	if (r < 0)
		return false;
	sl_profile_format(out, &p, NULL);
	sl_profile_release(&p);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SL_STRBUF first = SL_STRBUF_INIT, second = SL_STRBUF_INIT;

	if (!rewrite((const char *)data, size, &first))
		return 0;
	if (!rewrite(sl_strbuf_str(&first), first.len, &second))
		abort();
	if (strcmp(sl_strbuf_str(&first), sl_strbuf_str(&second)) != 0)
		abort();
	return 0;
}
