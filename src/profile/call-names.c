/*
 * call-names.c - see call-names.h.
 */
#include "profile/call-names.h"

#include <stdlib.h>
#include <string.h>

#include "profile/profile.h"

#define NAME(n) #n,
const char *const sl_call_base[] = {SL_CALL_BASE_NAMES(NAME, NAME) NULL};

const char *sl_call_portable(const char *name)
{
#define LEGACY(legacy, portable) {#legacy, #portable},
	static const struct {
		const char *legacy, *portable;
	} rows[] = {SL_CALL_LEGACY_NAMES(LEGACY)};

	for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++)
		if (!strcmp(rows[i].legacy, name))
			return rows[i].portable;
	return name;
}

bool sl_call_in_base(const char *name)
{
	const char *portable = sl_call_portable(name);

	for (size_t i = 0; sl_call_base[i]; i++)
		if (!strcmp(sl_call_base[i], portable))
			return true;
	return false;
}

void sl_call_list_absorb(struct sl_list *list)
{
	bool base = sl_list_contains(list, SL_CALL_BASE);
	SL_FREE bool *drop = sl_xcalloc(list->len + 1, sizeof(*drop));
	size_t kept = 0;

	for (size_t i = 0; i < list->len; i++) {
		const char *name = list->items[i].text, *portable = sl_call_portable(name);

		drop[i] =
		    (base && sl_call_in_base(name)) || (portable != name && sl_list_contains(list, portable));
	}
	for (size_t i = 0; i < list->len; i++) {
		if (drop[i])
			free(list->items[i].text);
		else
			list->items[kept++] = list->items[i];
	}
	list->len = kept;
}
