/*
 * facts.c - the fact store: adding, attribution, and the marks of what the run made.
 *
 * A name that the run made stays marked for good, also when it is removed: whatever stands there later was not there
 * before the run. Everything below such a name is the run's own, a directory tree that was moved there included. A
 * fact on it goes to the nearest directory above that is not marked, which is the parent of the topmost mark on the
 * path. Attribution happens when the fact arrives: what was used before its name was replaced keeps that name.
 *
 * Two masks stand in each node: rights, the facts to be granted, and own, what was done to this very name. own is
 * for counting what was used and is never granted.
 */
#include "observe/facts.h"

#include <limits.h>
#include <string.h>

#include "observe/observe.h"
#include "observe/store.h"

#define NOTES_MAX 1000

struct sl_facts *sl_facts_new(void)
{
	struct sl_facts *f = sl_xcalloc(1, sizeof(*f));

	sl_intern_init(&f->tree);
	return f;
}

void sl_facts_free(struct sl_facts *f)
{
	if (!f)
		return;
	sl_intern_release(&f->tree);
	sl_strv_release(&f->notes);
	free(f->refers);
	free(f);
}

/* Where a path ends in the tree. */
struct place {
	uint32_t node; /* of the whole path; SL_NODE_NONE when it is not held and was not to be added */
	uint32_t base; /* the directory that its facts go to; node itself when nothing above was made by the run */
	bool made;     /* the path or something above it is the run's own */
};

/* Go down the path, adding what is missing if add is set. False for a path that is not absolute or too long. */
static bool place_of(struct sl_intern *t, const char *path, bool add, struct place *ret)
{
	struct place p = { .node = SL_NODE_ROOT, .base = SL_NODE_ROOT };
	const char *end = path;

	if (path[0] != '/')
		return false;
	for (;;) {
		const char *start = end + strspn(end, "/");
		uint32_t child;

		if (!*start)
			break;
		end = strchrnul(start, '/');
		if (end - path >= PATH_MAX)
			return false;
		child = add ? sl_intern_add(t, p.node, start, (size_t)(end - start)) :
			      sl_intern_find(t, p.node, start, (size_t)(end - start));
		p.node = child;
		if (child == SL_NODE_NONE)
			break;
		if (sl_intern_node(t, child)->flags & SL_NODE_MADE)
			p.made = true;
		if (!p.made)
			p.base = child;
	}
	*ret = p;
	return p.node != SL_NODE_NONE || !add;
}

uint32_t sl_facts_node(struct sl_facts *f, const char *path)
{
	struct place p;

	return place_of(&f->tree, path, true, &p) ? p.node : SL_NODE_NONE;
}

void sl_facts_use(struct sl_facts *f, uint32_t rights, const char *path)
{
	uint32_t node = sl_facts_node(f, path);

	if (node != SL_NODE_NONE)
		sl_intern_node(&f->tree, node)->own |= (uint8_t)rights;
}

bool sl_facts_has(struct sl_facts *f, uint32_t rights, const char *path)
{
	struct place p;

	return place_of(&f->tree, path, false, &p) && p.node != SL_NODE_NONE &&
	       sl_intern_node(&f->tree, p.node)->own & rights;
}

bool sl_facts_add(struct sl_facts *f, uint32_t rights, const char *path, bool is_dir, pid_t pid)
{
	struct place p;
	struct sl_node *node, *base;
	uint8_t own, granted, flags;
	bool news;

	if (!place_of(&f->tree, path, true, &p))
		return false;
	node = sl_intern_node(&f->tree, p.node);
	base = sl_intern_node(&f->tree, p.base);
	own = (uint8_t)(rights & SL_RIGHTS_ALL & ~(uint32_t)(SL_RIGHT_CREATE | SL_RIGHT_DELETE));
	granted = (uint8_t)(rights & SL_RIGHTS_ALL);
	flags = is_dir || p.made || (rights & (SL_RIGHT_CREATE | SL_RIGHT_DELETE)) ? SL_NODE_DIR : 0;
	if (p.made) {
		granted = (uint8_t)(granted & ~SL_RIGHT_IOCTL); /* the run makes no devices */
		if (base->rights & SL_RIGHT_CREATE)
			granted = (uint8_t)(granted & ~SL_RIGHT_WRITE); /* comes with create */
	}
	news = (node->own & own) != own || (base->rights & granted) != granted;
	if (!base->rights && granted)
		base->first_pid = pid;
	node->own |= own;
	base->rights |= granted;
	base->now |= granted;
	base->flags |= flags;
	return news;
}

void sl_facts_made(struct sl_facts *f, const char *path)
{
	struct place p;
	struct sl_node *node;

	if (!place_of(&f->tree, path, true, &p) || p.node == SL_NODE_ROOT)
		return;
	node = sl_intern_node(&f->tree, p.node);
	node->flags |= SL_NODE_MADE;
	node->own |= SL_RIGHT_CREATE;
}

void sl_facts_gone(struct sl_facts *f, const char *path)
{
	struct place p;

	if (place_of(&f->tree, path, true, &p))
		sl_intern_node(&f->tree, p.node)->own |= SL_RIGHT_DELETE;
}

bool sl_facts_is_made(const struct sl_facts *f, const char *path)
{
	struct place p;

	return place_of((struct sl_intern *)&f->tree, path, false, &p) && p.made;
}

void sl_facts_refer(struct sl_facts *f, const char *src_dir, const char *dst_dir, unsigned int flags)
{
	struct place src, dst;

	if (!place_of(&f->tree, src_dir, true, &src) || !place_of(&f->tree, dst_dir, true, &dst))
		return;
	if (src.base == dst.base)
		return;
	sl_intern_node(&f->tree, src.base)->flags |= SL_NODE_DIR;
	sl_intern_node(&f->tree, dst.base)->flags |= SL_NODE_DIR;
	if (f->refer_len == f->refer_cap) {
		sl_refers_compact(f);
		if (f->refer_len >= f->refer_cap / 2) {
			f->refer_cap = f->refer_cap ? f->refer_cap * 2 : 16;
			f->refers = sl_xrealloc(f->refers, f->refer_cap * sizeof(*f->refers));
		}
	}
	f->refers[f->refer_len++] = (struct sl_refer){ src.base, dst.base, flags };
}

void sl_facts_run_done(struct sl_facts *f)
{
	for (uint32_t id = 0; id < f->tree.count; id++) {
		struct sl_node *n = sl_intern_node(&f->tree, id);

		n->always = f->runs ? n->always & n->now : n->now;
		n->now = 0;
	}
	f->runs++;
}

void sl_facts_note(struct sl_facts *f, bool partial, const char *text)
{
	f->partial |= partial;
	if (sl_strv_contains(&f->notes, text))
		return;
	if (f->notes.len < NOTES_MAX)
		sl_strv_add(&f->notes, text);
	else
		f->notes_lost++;
}

void sl_facts_tmp_used(struct sl_facts *f)
{
	f->tmp_used = true;
}

void sl_facts_sysv_ipc(struct sl_facts *f)
{
	f->sysv_ipc = true;
}

size_t sl_facts_memory(const struct sl_facts *f)
{
	size_t bytes = sizeof(*f) + sl_intern_memory(&f->tree) + f->refer_cap * sizeof(*f->refers);

	for (size_t i = 0; i < f->notes.len; i++)
		bytes += strlen(f->notes.items[i]) + 1;
	return bytes + f->notes.cap * sizeof(char *);
}

struct each {
	const struct sl_facts *facts;
	const uint8_t *rights;
	void (*visit)(const struct sl_fact *fact, void *arg);
	void *arg;
};

static void each_node(uint32_t id, const char *path, void *arg)
{
	const struct each *e = arg;
	const struct sl_node *n = sl_intern_node(&e->facts->tree, id);
	struct sl_fact fact = { .path = path,
				.rights = e->rights[id],
				.is_dir = n->flags & SL_NODE_DIR,
				.first_pid = n->first_pid };

	if (fact.rights)
		e->visit(&fact, e->arg);
}

void sl_facts_each(const struct sl_facts *f, void (*visit)(const struct sl_fact *fact, void *arg), void *arg)
{
	SL_FREE uint8_t *rights = sl_facts_balanced(f);
	struct each e = { .facts = f, .rights = rights, .visit = visit, .arg = arg };

	sl_intern_each(&f->tree, each_node, &e);
}

void sl_observation_release(struct sl_observation *r)
{
	sl_strv_release(&r->notes);
	for (size_t i = 0; i < SL_ARRAY_LEN(r->some_runs); i++)
		sl_list_release(&r->some_runs[i]);
	for (size_t i = 0; i < r->opening_count; i++) {
		free(r->openings[i].path);
		sl_strv_release(&r->openings[i].names);
	}
	free(r->openings);
	*r = (struct sl_observation){ 0 };
}
