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

#include "observe/store.h"

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
