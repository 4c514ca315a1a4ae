/*
 * recount.c - what the entries of a profile open, when they are not those that the facts alone gave: another
 * profile was merged in, or directories were collapsed.
 */
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "observe/event.h"
#include "observe/granted.h"
#include "observe/observe.h"
#include "observe/store.h"

/* Who collapses directories wants to know what that opens. */
#define COUNT_MAX_MS 10000

static uint32_t rights_of(enum sl_fs_key key, int version)
{
	static const uint32_t rights[] = {
	    [SL_FS_READ] = SL_RIGHT_READ,     [SL_FS_LIST] = SL_RIGHT_LIST,
	    [SL_FS_EXEC] = SL_RIGHT_EXEC,     [SL_FS_WRITE] = SL_RIGHT_WRITE,
	    [SL_FS_CREATE] = SL_RIGHT_CREATE, [SL_FS_DELETE] = SL_RIGHT_DELETE,
	};

	if (version != 1)
		return rights[key];
	return key == SL_FS_WRITE ? SL_RIGHTS_ALL & ~(uint32_t)SL_RIGHT_IOCTL
				  : SL_RIGHT_READ | SL_RIGHT_LIST | SL_RIGHT_EXEC;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Every file that a profile names counts as used with the rights that it has there. */
static void count_as_used(struct sl_facts *f, const struct sl_profile *p)
{
	for (unsigned int key = 0; key < SL_FS_DENY; key++)
		for (size_t i = 0; i < p->filesystem.lists[key].len; i++) {
			const char *path = p->filesystem.lists[key].items[i].text;
			uint32_t rights = rights_of((enum sl_fs_key)key, p->version);

			/* What is used of a directory is known from the facts, or not at all. */
			if (path[0] == '/' && sl_path_is_normal(path) && !is_directory(path))
				sl_facts_use(f, rights & (SL_RIGHT_READ | SL_RIGHT_EXEC | SL_RIGHT_WRITE),
					     path);
		}
}

struct collect {
	const uint8_t *rights; /* by node */
	uint32_t count;
	struct sl_grants grants;
};

static void collect(uint32_t id, const char *path SL_UNUSED, void *arg)
{
	struct collect *c = arg;

	if (id < c->count && c->rights[id])
		sl_grants_add(&c->grants, id, c->rights[id]);
}

/* The directories that the profile grants, by node, malloc'd; what has no plain path is left out. */
static uint8_t *granted_rights(struct sl_facts *f, const struct sl_profile *p)
{
	uint8_t *rights;

	for (int pass = 0;; pass++) {
		rights = pass ? sl_xcalloc(f->tree.count, 1) : NULL;
		for (unsigned int key = 0; key < SL_FS_DENY; key++)
			for (size_t i = 0; i < p->filesystem.lists[key].len; i++) {
				const char *path = p->filesystem.lists[key].items[i].text;
				uint32_t node;

				if (path[0] != '/' || !sl_path_is_normal(path) || !is_directory(path))
					continue;
				/* First all are made, since making them makes the array longer. */
				node = sl_facts_node(f, path);
				if (pass && node != SL_NODE_NONE)
					rights[node] |= (uint8_t)rights_of((enum sl_fs_key)key, p->version);
			}
		if (pass)
			return rights;
	}
}

static void forget(struct sl_observation *o)
{
	for (size_t i = 0; i < o->opening_count; i++) {
		free(o->openings[i].path);
		sl_strv_release(&o->openings[i].names);
	}
	free(o->openings);
	o->openings = NULL;
	o->opening_count = 0;
}

void sl_observer_recount(struct sl_observer *o, const struct sl_profile *before,
			 const struct sl_profile *written, struct sl_observation *ret)
{
	struct sl_facts *f = o->facts;
	SL_FREE uint8_t *rights = NULL;
	struct collect c = {0};

	count_as_used(f, before);
	rights = granted_rights(f, written);
	c.rights = rights;
	c.count = f->tree.count;
	sl_intern_each(&f->tree, collect, &c);
	forget(ret);
	for (unsigned int key = 0; key < SL_FS_KEY_COUNT; key++)
		ret->count[key] = written->filesystem.lists[key].len;
	sl_granted_count(f, &c.grants, COUNT_MAX_MS, ret);
	sl_grants_release(&c.grants);
}
