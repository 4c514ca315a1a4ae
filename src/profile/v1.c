/*
 * v1.c - a version 2 profile in the two rights of version 1.
 */
#include <string.h>

#include "profile/write.h"

static void append(struct sl_list *dst, const struct sl_list *src)
{
	for (size_t i = 0; i < src->len; i++)
		sl_list_add(dst, src->items[i].text, src->items[i].line);
}

/* Drop from read what write has: in version 1 write gives all that read does. Both are sorted. */
static void drop_written(struct sl_list *read, const struct sl_list *write)
{
	size_t out = 0, w = 0;

	for (size_t i = 0; i < read->len; i++) {
		while (w < write->len && strcmp(write->items[w].text, read->items[i].text) < 0)
			w++;
		if (w < write->len && !strcmp(write->items[w].text, read->items[i].text))
			free(read->items[i].text);
		else
			read->items[out++] = read->items[i];
	}
	read->len = out;
}

void sl_profile_to_v1(const struct sl_profile *src, struct sl_profile *ret)
{
	const struct sl_list *from = src->filesystem.lists;
	struct sl_list *read = &ret->filesystem.lists[SL_FS_READ],
		       *write = &ret->filesystem.lists[SL_FS_WRITE];

	sl_profile_init(ret, 1);
	sl_profile_copy(ret, src);
	if (src->version == 1)
		return;
	append(read, &from[SL_FS_LIST]);
	append(read, &from[SL_FS_EXEC]);
	append(write, &from[SL_FS_CREATE]);
	append(write, &from[SL_FS_DELETE]);
	if (src->filesystem.tmp_private)
		sl_list_add(write, "/tmp", 0);
	sl_list_sort_unique(read);
	sl_list_sort_unique(write);
	drop_written(read, write);
	read->present |= from[SL_FS_LIST].present || from[SL_FS_EXEC].present;
}
