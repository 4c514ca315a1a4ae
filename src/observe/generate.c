/*
 * generate.c - from facts to the filesystem and syscalls keys of a version 2 profile.
 *
 * The nodes are visited in byte order, a directory before what is below it, so one byte a node is enough to know
 * which rights the entries above have opened already: a wider entry absorbs a narrower one. Beyond the same key,
 * read on a directory absorbs list, and create absorbs write, because Landlock cannot tell a file that was made from
 * one that was there. Writing to a device is not absorbed by create: that opens no device ioctl.
 *
 * What stands in the profile and in the notes depends on the facts alone. What the file system holds now decides
 * only the counts (granted.c), and what of the run's own in a protected directory is granted by name (survivors.c).
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "observe/granted.h"
#include "observe/observe.h"
#include "observe/store.h"
#include "observe/survivors.h"

#define COUNT_MAX_MS 500

struct generate {
	const struct sl_facts *facts;
	const uint8_t *rights; /* by node, balanced */
	uint8_t *cover;	       /* by node: rights that directory entries on or above it open */
	uint8_t *uses;	       /* by node: what was done below it (survivors.h) */
	uint8_t *held;	       /* by node: rights that were not written because the directory is protected */
	struct sl_profile *profile;
	struct sl_observation *result;
	struct sl_grants grants;
	char *homes[2]; /* that the environment names, and of the account: programs use either */
};

/* The keys in their order, each with its right, and why a directory has it. */
static const struct {
	enum sl_fs_key key;
	uint8_t right;
	const char *why;
} key_rights[] = {
	{ SL_FS_READ, SL_RIGHT_READ, "what was made there was read" },
	{ SL_FS_LIST, SL_RIGHT_LIST, "it was listed" },
	{ SL_FS_EXEC, SL_RIGHT_EXEC, "what was made there was executed" },
	{ SL_FS_WRITE, SL_RIGHT_WRITE, "what was made there was written" },
	{ SL_FS_CREATE, SL_RIGHT_CREATE, "names were made there" },
	{ SL_FS_DELETE, SL_RIGHT_DELETE, "names were removed there" },
};

/* What is always granted at this path. */
static uint8_t implicit_rights(const char *path)
{
	if (strncmp(path, "/dev/", 5) != 0)
		return 0;
	for (const struct sl_implicit_grant *g = sl_implicit_grants; g->path; g++)
		if (!strcmp(g->path, path))
			return (uint8_t)g->rights;
	return 0;
}

/* The rights to be written for an object, one bit a key, after absorption. */
static uint8_t wanted(uint8_t rights, uint8_t cover, bool is_dir)
{
	uint8_t want = rights, absorbed = cover;

	if (rights & SL_RIGHT_IOCTL)
		want = (uint8_t)((want | SL_RIGHT_WRITE) & ~SL_RIGHT_IOCTL);
	if (is_dir)
		absorbed |= want;
	else
		want &= (uint8_t)~(SL_RIGHT_LIST | SL_RIGHT_CREATE | SL_RIGHT_DELETE);
	if (absorbed & SL_RIGHT_READ)
		want &= (uint8_t)~SL_RIGHT_LIST;
	if (absorbed & SL_RIGHT_CREATE && !(rights & SL_RIGHT_IOCTL))
		want &= (uint8_t)~SL_RIGHT_WRITE;
	if (rights & SL_RIGHT_IOCTL && !(cover & SL_RIGHT_IOCTL))
		cover &= (uint8_t)~SL_RIGHT_WRITE;
	return want & (uint8_t)~cover;
}

/* The other directory of a rename or link that this one had to be made alike for, or SL_NODE_NONE. */
static uint32_t refer_partner(const struct sl_facts *f, uint32_t id)
{
	uint32_t best = SL_NODE_NONE;

	for (size_t i = 0; i < f->refer_len; i++) {
		const struct sl_refer *r = &f->refers[i];

		if (r->src == id && (best == SL_NODE_NONE || r->dst < best))
			best = r->dst;
		if (r->dst == id && (best == SL_NODE_NONE || r->src < best))
			best = r->src;
	}
	return best;
}

static void note_wide(const struct generate *g, uint32_t id, const char *path, size_t row)
{
	uint8_t right = key_rights[row].right;
	uint32_t partner = refer_partner(g->facts, id);
	SL_STRBUF other = SL_STRBUF_INIT;
	SL_STRBUF text = SL_STRBUF_INIT;

	sl_strbuf_addf(&text, "wide grant: %s on ", sl_fs_key_name(key_rights[row].key));
	sl_escape(&text, path, strlen(path));
	if (!(sl_intern_node(&g->facts->tree, id)->rights & right) && partner != SL_NODE_NONE) {
		sl_intern_path(&g->facts->tree, partner, &other);
		sl_strbuf_addstr(&text, ", because names were moved or linked between it and ");
		sl_escape(&text, other.data, other.len);
	} else {
		sl_strbuf_addf(&text, ", because %s", key_rights[row].why);
	}
	sl_strv_take(&g->result->notes, sl_strbuf_detach(&text));
}

/* Append "what: path (keys)". */
static void describe(struct sl_strbuf *text, const char *what, const char *path, uint8_t want)
{
	const char *separator = "";

	sl_strbuf_addf(text, "%s: ", what);
	sl_escape(text, path, strlen(path));
	sl_strbuf_addstr(text, " (");
	for (size_t i = 0; i < SL_ARRAY_LEN(key_rights); i++)
		if (want & key_rights[i].right) {
			sl_strbuf_addf(text, "%s%s", separator, sl_fs_key_name(key_rights[i].key));
			separator = ", ";
		}
	sl_strbuf_addch(text, ')');
}

static void note_object(const struct generate *g, const char *what, const char *path, uint8_t want)
{
	SL_STRBUF text = SL_STRBUF_INIT;

	describe(&text, what, path, want);
	sl_strv_take(&g->result->notes, sl_strbuf_detach(&text));
}

/* What was held back, and what the user would write to have it all the same. */
static void note_held(const struct generate *g, const char *path, uint8_t want)
{
	SL_STRBUF text = SL_STRBUF_INIT;
	SL_STRBUF quoted = SL_STRBUF_INIT;
	const char *separator = "; to allow it, add to [filesystem] by hand: ";

	describe(&text, "held back, because it is protected", path, want);
	if (sl_utf8_valid(path, strlen(path)))
		sl_toml_quote(&quoted, path);
	for (size_t i = 0; i < SL_ARRAY_LEN(key_rights) && quoted.len; i++)
		if (want & key_rights[i].right) {
			sl_strbuf_addf(&text, "%s%s = [%s]", separator, sl_fs_key_name(key_rights[i].key), quoted.data);
			separator = ", ";
		}
	sl_strv_take(&g->result->notes, sl_strbuf_detach(&text));
}

/* What stays of the run in a protected directory is granted by its name, but a copy-on-write view is gone by then. */
static void note_survivor(const struct generate *g, const char *path, bool is_dir)
{
	SL_STRBUF text = SL_STRBUF_INIT;

	if (access(path, F_OK) == 0 || errno != ENOENT)
		return;
	sl_strbuf_addf(&text, "granted by its name, which has to be there when it is run: %s ", is_dir ? "mkdir" : "touch");
	sl_escape(&text, path, strlen(path));
	sl_strv_take(&g->result->notes, sl_strbuf_detach(&text));
}

/* A protected directory is granted nothing but to be listed. What the run made there and left is visited later and
 * granted by its own name. Returns what is left to be written. */
static uint8_t hold_back(struct generate *g, uint32_t id, const char *path, uint8_t want)
{
	uint8_t kept = want & SL_RIGHT_LIST;

	/* Reading a directory lists it as well. */
	if (want & SL_RIGHT_READ && sl_intern_node(&g->facts->tree, id)->own & SL_RIGHT_LIST &&
	    !(g->cover[id] & (SL_RIGHT_READ | SL_RIGHT_LIST)))
		kept |= SL_RIGHT_LIST;
	g->held[id] = want & (uint8_t)~SL_RIGHT_LIST;
	if (g->held[id]) {
		note_held(g, path, g->held[id]);
		g->result->partial = true;
	}
	return kept;
}

static void write_entries(struct generate *g, uint32_t id, const char *path, uint8_t want, bool is_dir)
{
	enum sl_sensitivity sensitivity = sl_homes_sensitivity(g->homes, path);
	bool wide = is_dir && sensitivity == SL_SENSITIVE_GUARDED;
	const struct sl_node *n = sl_intern_node(&g->facts->tree, id);

	if (!is_dir && sensitivity == SL_SENSITIVE_PROTECTED)
		note_object(g, "a file among credentials", path, want);
	for (size_t i = 0; i < SL_ARRAY_LEN(key_rights); i++) {
		enum sl_fs_key key = key_rights[i].key;

		if (!(want & key_rights[i].right))
			continue;
		sl_list_add(&g->profile->filesystem.lists[key], path, 0);
		g->result->count[key]++;
		if (g->facts->runs > 1 && n->rights & ~n->always & key_rights[i].right)
			sl_list_add(&g->result->some_runs[key], path, 0);
		if (wide && key != SL_FS_LIST)
			note_wide(g, id, path, i);
	}
	if (is_dir)
		sl_grants_add(&g->grants, id, want);
}

static void visit(uint32_t id, const char *path, void *arg)
{
	struct generate *g = arg;
	const struct sl_node *n = sl_intern_node(&g->facts->tree, id);
	bool is_dir = n->flags & SL_NODE_DIR;
	uint8_t cover = id == SL_NODE_ROOT ? 0 : g->cover[n->parent];
	uint8_t rights = g->rights[id], want, left = 0;

	g->cover[id] = cover;
	if (id != SL_NODE_ROOT && g->held[n->parent] && n->flags & SL_NODE_MADE)
		left = sl_survivor_rights(g->facts, g->uses, id, &is_dir);
	rights |= left;
	if (!rights)
		return;
	rights &= (uint8_t)~implicit_rights(path);
	want = wanted(rights, cover, is_dir);
	if (is_dir && sl_homes_sensitivity(g->homes, path) == SL_SENSITIVE_PROTECTED)
		want = hold_back(g, id, path, want);
	if (!want)
		return;
	if (!sl_utf8_valid(path, strlen(path))) {
		note_object(g, "not UTF-8, so the profile cannot name it", path, want);
		g->result->partial = true;
		return;
	}
	write_entries(g, id, path, want, is_dir);
	if (want & left)
		note_survivor(g, path, is_dir);
	if (is_dir)
		g->cover[id] |= (uint8_t)(want | (want & SL_RIGHT_WRITE ? rights & SL_RIGHT_IOCTL : 0));
}

void sl_facts_to_profile(const struct sl_facts *f, struct sl_profile *profile, struct sl_observation *ret)
{
	SL_FREE uint8_t *rights = sl_facts_balanced(f);
	SL_FREE uint8_t *cover = sl_xcalloc(f->tree.count, 1);
	SL_FREE uint8_t *held = sl_xcalloc(f->tree.count, 1);
	SL_FREE uint8_t *uses = sl_survivors_uses(f);
	struct sl_observation result = { .tmp_used = f->tmp_used, .partial = f->partial };
	struct generate g = { .facts = f, .rights = rights, .cover = cover, .uses = uses, .held = held,
			      .profile = profile, .result = &result };

	sl_homes(g.homes);
	sl_strv_copy(&result.notes, &f->notes);
	sl_intern_each(&f->tree, visit, &g);
	sl_strv_sort_unique(&result.notes);
	if (f->notes_lost)
		sl_strv_take(&result.notes, sl_xasprintf("%zu further warnings were left out", f->notes_lost));
	if (f->tmp_used)
		profile->filesystem.tmp_private = true;
	if (f->sysv_ipc && !sl_list_contains(&profile->syscalls.extra_allow, "sysv_ipc"))
		sl_list_add(&profile->syscalls.extra_allow, "sysv_ipc", 0);
	sl_granted_count(f, &g.grants, COUNT_MAX_MS, &result);
	sl_grants_release(&g.grants);
	free(g.homes[0]);
	free(g.homes[1]);
	*ret = result;
}
