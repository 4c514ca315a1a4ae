/*
 * commits.c - see commits.h. The mark says which file the list is and when it was changed last, which nobody can set back.
 */
#include "cmd/commits.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "supervise/change.h"
#include "supervise/view-calls.h"
#include "view/changes.h"
#include "view/store.h"

#define MARK SL_MARK "commit"

/* What the mark of the upper behind a descriptor is to say. False where it is none of ours. */
static bool describe(int upper, char text[128])
{
	struct stat st, list;

	if (fstat(upper, &st) < 0 || st.st_uid != geteuid() ||
	    fstatat(upper, SL_VIEW_CHANGES, &list, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(list.st_mode) || list.st_nlink != 1)
		return false;
	snprintf(text, 128, "%" PRIuMAX " %" PRIuMAX " %" PRIdMAX " %" PRIdMAX ".%09ld", (uintmax_t)list.st_dev,
		 (uintmax_t)list.st_ino, (intmax_t)list.st_size, (intmax_t)list.st_ctim.tv_sec, list.st_ctim.tv_nsec);
	return true;
}

static int open_upper(const char *path)
{
	return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

void sl_commits_mark(const char *upper)
{
	SL_CLOSE int fd = open_upper(upper);
	char text[128];

	if (fd >= 0 && describe(fd, text))
		fsetxattr(fd, MARK, text, strlen(text), 0);
}

static bool is_marked(const char *upper)
{
	SL_CLOSE int fd = open_upper(upper);
	char text[128], found[128];
	ssize_t len = fd < 0 ? -1 : fgetxattr(fd, MARK, found, sizeof(found));

	return len > 0 && describe(fd, text) && (size_t)len == strlen(text) && memcmp(text, found, (size_t)len) == 0;
}

int sl_commits_each(const char *storage, int (*visit)(const char *upper, void *arg), void *arg)
{
	struct sl_strv places = SL_STRV_INIT;
	int r = 0;

	sl_view_upper_places(storage, &places);
	for (size_t i = 0; r == 0 && i < places.len; i++) {
		SL_CLOSEDIR DIR *list = opendir(places.items[i]);
		const struct dirent *e;

		while (r == 0 && list && (e = readdir(list))) {
			SL_FREE char *upper = sl_xasprintf("%s/%s", places.items[i], e->d_name);

			if (!strncmp(e->d_name, SL_VIEW_UPPER, strlen(SL_VIEW_UPPER)) && is_marked(upper))
				r = visit(upper, arg);
		}
	}
	sl_strv_release(&places);
	return r;
}
