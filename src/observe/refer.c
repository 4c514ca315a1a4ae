/*
 * refer.c - making the rights of directories alike where the run renamed or linked across them.
 *
 * Landlock answers EXDEV to a rename or link that would give the object a right that it lacks where it stands: each
 * right that holds at the destination, on it or above it, must hold at the source as well, and both sides need REFER,
 * which comes with create (landlock(7); current_check_refer_path in security/landlock/fs.c). For a file only the
 * rights that files have count; for a directory all of them. A rule on the object itself travels with it and would
 * do too, but then another file at the same place could not be moved.
 *
 * Adding rights to a source may in turn unbalance a pair whose destination is at or below it, so the pairs are gone
 * through until nothing changes. Rights only grow, so that ends.
 */
#include <string.h>

#include "base/path.h"
#include "observe/event.h"
#include "observe/store.h"
#include "profile/cover.h"
#include "profile/sensitive.h"

static int refer_compare(const void *va, const void *vb)
{
	const struct sl_refer *a = va, *b = vb;

	if (a->src != b->src)
		return a->src < b->src ? -1 : 1;
	if (a->dst != b->dst)
		return a->dst < b->dst ? -1 : 1;
	return a->flags < b->flags ? -1 : a->flags > b->flags;
}

void sl_refers_compact(struct sl_facts *f)
{
	size_t out = 0;

	if (f->refer_len < 2)
		return;
	qsort(f->refers, f->refer_len, sizeof(*f->refers), refer_compare);
	for (size_t i = 0; i < f->refer_len; i++)
		if (!out || refer_compare(&f->refers[out - 1], &f->refers[i]))
			f->refers[out++] = f->refers[i];
	f->refer_len = out;
}

/* The rights that hold on a directory: its own and those of every directory above. */
static uint8_t rights_at(const struct sl_facts *f, const uint8_t *rights, uint32_t id)
{
	uint8_t sum = rights[SL_NODE_ROOT];

	for (; id != SL_NODE_ROOT; id = sl_intern_node(&f->tree, id)->parent)
		if (sl_intern_node(&f->tree, id)->flags & SL_NODE_DIR)
			sum |= rights[id];
	return sum;
}

/* With what comes along with a right: read lists, create writes. */
static uint8_t implied(uint8_t rights)
{
	if (rights & SL_RIGHT_READ)
		rights |= SL_RIGHT_LIST;
	if (rights & SL_RIGHT_CREATE)
		rights |= SL_RIGHT_WRITE;
	return rights;
}

/* Give src what it lacks of dst. Returns whether something was added. */
static bool level(const struct sl_facts *f, uint8_t *rights, uint32_t src, uint32_t dst, bool files_only)
{
	uint8_t need = rights_at(f, rights, dst), missing;

	if (files_only)
		need &= (uint8_t)~(SL_RIGHT_LIST | SL_RIGHT_DELETE);
	need |= SL_RIGHT_CREATE;
	missing = need & (uint8_t)~implied(rights_at(f, rights, src));
	if ((missing & SL_RIGHT_READ) != 0)
		missing &= (uint8_t)~SL_RIGHT_LIST;
	if ((missing & SL_RIGHT_CREATE) != 0)
		missing &= (uint8_t)~SL_RIGHT_WRITE;
	rights[src] |= missing;
	return missing != 0;
}

uint8_t *sl_facts_balanced(const struct sl_facts *f)
{
	uint8_t *rights = sl_xmalloc(f->tree.count);
	bool changed = f->refer_len > 0;

	for (uint32_t id = 0; id < f->tree.count; id++) {
		rights[id] = sl_intern_node(&f->tree, id)->rights;
		if (rights[id] & SL_RIGHT_CREATE && !(rights[id] & SL_RIGHT_IOCTL))
			rights[id] &= (uint8_t)~SL_RIGHT_WRITE;
	}
	for (size_t i = 0; i < f->refer_len; i++)
		rights[f->refers[i].dst] |= SL_RIGHT_CREATE;
	while (changed) {
		changed = false;
		for (size_t i = 0; i < f->refer_len; i++) {
			const struct sl_refer *r = &f->refers[i];
			bool files = r->flags & SL_REFER_FILES;

			changed |= level(f, rights, r->src, r->dst, files);
			if (r->flags & SL_REFER_EXCHANGE)
				changed |= level(f, rights, r->dst, r->src, files);
		}
	}
	return rights;
}

#define KEY_BIT(key) (1U << (key))

/* Rights that files have none of. */
#define DIRECTORY_KEYS (KEY_BIT(SL_FS_LIST) | KEY_BIT(SL_FS_DELETE))

/* The keys that hold below a directory: its own and those of every directory above. */
static unsigned int keys_at(const struct sl_cover *c, const char *path, int version)
{
	const unsigned int all = KEY_BIT(SL_FS_DENY) - 1;
	unsigned int keys = sl_cover_on(c, path, version) | sl_cover_above(c, path, all, version, NULL);

	return keys & KEY_BIT(SL_FS_CREATE) ? keys | KEY_BIT(SL_FS_WRITE) : keys;
}

static bool is_protected(const char *path, const char *const homes[2])
{
	return sl_path_sensitivity(path, homes[0]) == SL_SENSITIVE_PROTECTED ||
	       sl_path_sensitivity(path, homes[1]) == SL_SENSITIVE_PROTECTED;
}

static void note_unequal(struct sl_strv *notes, const char *src, const char *dst)
{
	SL_STRBUF text = SL_STRBUF_INIT;

	sl_strbuf_addstr(&text, "names cannot be moved or linked any more from ");
	sl_escape(&text, src, strlen(src));
	sl_strbuf_addstr(&text, ", which is sensitive, to ");
	sl_escape(&text, dst, strlen(dst));
	sl_strbuf_addstr(&text, ", which has more rights");
	sl_strv_take(notes, sl_strbuf_detach(&text));
}

/* Give src the keys that it lacks of dst. Returns whether something was added. */
static bool level_profile(struct sl_profile *p, const struct sl_cover *c, const char *src, const char *dst,
			  bool files_only, const char *const homes[2], struct sl_strv *notes)
{
	unsigned int made = KEY_BIT(p->version == 1 ? SL_FS_WRITE : SL_FS_CREATE);
	unsigned int have = keys_at(c, src, p->version), need = keys_at(c, dst, p->version), missing;

	/* A pair without the right to do it was held back before. */
	if (!(have & made) || !(need & made))
		return false;
	missing = need & ~have & ~(files_only ? DIRECTORY_KEYS : 0);
	if (missing && is_protected(src, homes)) {
		note_unequal(notes, src, dst);
		return false;
	}
	if (missing & KEY_BIT(SL_FS_READ))
		missing &= ~KEY_BIT(SL_FS_LIST);
	for (unsigned int key = 0; key < SL_FS_DENY; key++)
		if (missing & KEY_BIT(key))
			sl_list_add(&p->filesystem.lists[key], src, 0);
	return missing != 0;
}

static bool level_pass(struct sl_profile *p, const struct sl_facts *f, const char *const homes[2],
		       struct sl_strv *notes)
{
	SL_CLEANUP(sl_cover_release) struct sl_cover cover = {0};
	bool changed = false;

	sl_cover_add_profile(&cover, p);
	sl_cover_sort(&cover);
	for (size_t i = 0; i < f->refer_len; i++) {
		const struct sl_refer *r = &f->refers[i];
		bool files = r->flags & SL_REFER_FILES;
		SL_STRBUF src = SL_STRBUF_INIT;
		SL_STRBUF dst = SL_STRBUF_INIT;

		sl_intern_path(&f->tree, r->src, &src);
		sl_intern_path(&f->tree, r->dst, &dst);
		changed |= level_profile(p, &cover, src.data, dst.data, files, homes, notes);
		if (r->flags & SL_REFER_EXCHANGE)
			changed |= level_profile(p, &cover, dst.data, src.data, files, homes, notes);
	}
	return changed;
}

bool sl_observer_level(const struct sl_observer *o, struct sl_profile *p, const char *const homes[2],
		       struct sl_strv *notes)
{
	SL_CLEANUP(sl_strv_release) struct sl_strv said = SL_STRV_INIT;
	bool any = false;

	while (level_pass(p, o->facts, homes, &said))
		any = true;
	sl_strv_sort_unique(&said);
	for (size_t i = 0; i < said.len; i++)
		sl_strv_add(notes, said.items[i]);
	return any;
}
