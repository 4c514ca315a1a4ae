/*
 * intern.c - the path tree: arenas, the table, and the walk in byte order.
 *
 * The table is probed linearly and kept at most three quarters full. Its hash is keyed with random bytes, because
 * names come from the observed program: one that could choose collisions could make the supervisor slow.
 *
 * Byte order of whole paths is not the order of a sorted tree: "/a-b" stands between "/a" and "/a/c". So each child
 * is sorted twice, as "name" (the node itself) and as "name/" (what is below it).
 */
#include "observe/intern.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

#define CHUNK_NODES 4096u
#define NAME_CHUNK  65536u
#define FIRST_SLOTS 8192u
/* What 32-bit ids and positions can hold with room to spare: tens of gigabytes. */
#define NODES_MAX	(1u << 30)
#define NAME_CHUNKS_MAX 65535u

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* wyhash's folding multiplication over eight bytes at a time. */
static uint32_t hash(const struct sl_intern *t, uint32_t parent, const char *name, size_t len)
{
	uint64_t h = mix(t->seed ^ parent, 0x9e3779b97f4a7c15ULL ^ len), word;

	for (; len > 8; name += 8, len -= 8) {
		memcpy(&word, name, 8);
		h = mix(h ^ word, 0xd6e8feb86659fd93ULL);
	}
	word = 0;
	memcpy(&word, name, len);
	h = mix(h ^ word, t->seed | 1);
	return (uint32_t)(h ^ (h >> 32));
}

void sl_intern_init(struct sl_intern *t)
{
	struct timespec now;

	*t = (struct sl_intern){ .slot_mask = FIRST_SLOTS - 1, .count = 1 };
	if (getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK) != (ssize_t)sizeof(t->seed)) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		t->seed = mix((uint64_t)now.tv_nsec ^ (uintptr_t)t, 0x9e3779b97f4a7c15ULL);
	}
	t->slots = sl_xcalloc(FIRST_SLOTS, sizeof(*t->slots));
	t->chunks = sl_xmalloc(sizeof(*t->chunks));
	t->chunks[0] = sl_xcalloc(CHUNK_NODES, sizeof(**t->chunks));
	t->chunk_count = 1;
	t->chunks[0][SL_NODE_ROOT].flags = SL_NODE_DIR;
}

void sl_intern_release(struct sl_intern *t)
{
	for (size_t i = 0; i < t->chunk_count; i++)
		free(t->chunks[i]);
	for (size_t i = 0; i < t->name_count; i++)
		free(t->names[i]);
	free(t->chunks);
	free(t->names);
	free(t->slots);
	*t = (struct sl_intern){ 0 };
}

struct sl_node *sl_intern_node(const struct sl_intern *t, uint32_t id)
{
	return &t->chunks[id / CHUNK_NODES][id % CHUNK_NODES];
}

static const char *name_at(const struct sl_intern *t, uint32_t pos)
{
	return t->names ? t->names[pos / NAME_CHUNK] + pos % NAME_CHUNK : "";
}

const char *sl_intern_name(const struct sl_intern *t, uint32_t id)
{
	return name_at(t, sl_intern_node(t, id)->name);
}

/* The slot that holds the child, or the empty one where it would stand. */
static uint32_t probe(const struct sl_intern *t, uint32_t parent, const char *name, size_t len)
{
	uint32_t i = hash(t, parent, name, len) & t->slot_mask;

	for (; t->slots[i]; i = (i + 1) & t->slot_mask) {
		const struct sl_node *n = sl_intern_node(t, t->slots[i]);

		if (n->parent == parent && n->name_len == len && !memcmp(name_at(t, n->name), name, len))
			break;
	}
	return i;
}

uint32_t sl_intern_find(const struct sl_intern *t, uint32_t parent, const char *name, size_t len)
{
	uint32_t id = t->slots[probe(t, parent, name, len)];

	return id ? id : SL_NODE_NONE;
}

static void table_grow(struct sl_intern *t)
{
	size_t size = ((size_t)t->slot_mask + 1) * 2;

	free(t->slots);
	t->slots = sl_xcalloc(size, sizeof(*t->slots));
	t->slot_mask = (uint32_t)(size - 1);
	for (uint32_t id = 1; id < t->count; id++) {
		const struct sl_node *n = sl_intern_node(t, id);

		t->slots[probe(t, n->parent, name_at(t, n->name), n->name_len)] = id;
	}
}

/* Copy a name into the arena; a name never straddles two chunks. */
static uint32_t name_store(struct sl_intern *t, const char *name, size_t len)
{
	size_t pos;

	if (t->name_count == 0 || t->name_used + len > NAME_CHUNK) {
		t->names = sl_xrealloc(t->names, (t->name_count + 1) * sizeof(*t->names));
		t->names[t->name_count++] = sl_xmalloc(NAME_CHUNK);
		t->name_used = 0;
	}
	pos = t->name_used;
	memcpy(t->names[t->name_count - 1] + pos, name, len);
	t->name_used += len;
	return (uint32_t)((t->name_count - 1) * NAME_CHUNK + pos);
}

uint32_t sl_intern_add(struct sl_intern *t, uint32_t parent, const char *name, size_t len)
{
	uint32_t slot = probe(t, parent, name, len), id = t->slots[slot];
	struct sl_node *n;

	if (id)
		return id;
	id = t->count;
	if (id >= NODES_MAX || t->name_count >= NAME_CHUNKS_MAX)
		return SL_NODE_NONE;
	if (id % CHUNK_NODES == 0) {
		t->chunks = sl_xrealloc(t->chunks, (t->chunk_count + 1) * sizeof(*t->chunks));
		t->chunks[t->chunk_count++] = sl_xcalloc(CHUNK_NODES, sizeof(**t->chunks));
	}
	n = sl_intern_node(t, id);
	*n = (struct sl_node){ .parent = parent, .name = name_store(t, name, len), .name_len = (uint16_t)len };
	t->slots[slot] = id;
	t->count++;
	if (t->count > t->slot_mask / 4 * 3)
		table_grow(t);
	return id;
}

void sl_intern_path(const struct sl_intern *t, uint32_t id, struct sl_strbuf *out)
{
	size_t len = 0, start = out->len;
	char *end;

	if (id == SL_NODE_ROOT) {
		sl_strbuf_addch(out, '/');
		return;
	}
	for (uint32_t i = id; i != SL_NODE_ROOT; i = sl_intern_node(t, i)->parent)
		len += 1u + sl_intern_node(t, i)->name_len;
	for (size_t i = 0; i < len; i++)
		sl_strbuf_addch(out, '/');
	end = out->data + start + len;
	for (uint32_t i = id; i != SL_NODE_ROOT; i = sl_intern_node(t, i)->parent) {
		end -= sl_intern_node(t, i)->name_len;
		memcpy(end, sl_intern_name(t, i), sl_intern_node(t, i)->name_len);
		end--;
	}
}

/* One child in the walk: as itself, or (below) as the subtree under it. */
struct step {
	const char *name;
	uint32_t id;
	uint16_t len;
	bool below;
};

struct walk {
	const struct sl_intern *tree;
	uint32_t *first;    /* by node: where its children start in children; one past the end for the last */
	uint32_t *children; /* ids grouped by parent */
	struct sl_strbuf path;
	void (*visit)(uint32_t id, const char *path, void *arg);
	void *arg;
};

static int step_compare(const void *va, const void *vb)
{
	const struct step *a = va, *b = vb;
	size_t n = SL_MIN(a->len, b->len);
	int c = memcmp(a->name, b->name, n);
	unsigned char ca, cb;

	if (c)
		return c;
	ca = a->len > n ? (unsigned char)a->name[n] : a->below ? '/' : 0;
	cb = b->len > n ? (unsigned char)b->name[n] : b->below ? '/' : 0;
	return ca - cb;
}

/* The children of a node as sorted steps; *ret_len of them. */
static struct step *steps_of(const struct walk *w, uint32_t id, size_t *ret_len)
{
	uint32_t from = w->first[id], to = w->first[id + 1];
	struct step *steps = sl_xmalloc(2 * (size_t)(to - from) * sizeof(*steps));
	size_t len = 0;

	for (uint32_t i = from; i < to; i++) {
		uint32_t child = w->children[i];
		struct step s = { .name = sl_intern_name(w->tree, child),
				  .id = child,
				  .len = sl_intern_node(w->tree, child)->name_len };

		steps[len++] = s;
		s.below = true;
		if (w->first[child] != w->first[child + 1])
			steps[len++] = s;
	}
	qsort(steps, len, sizeof(*steps), step_compare);
	*ret_len = len;
	return steps;
}

/* Visit what is below a node; w->path is its path without a trailing slash. Deep as the path, so bounded. */
static void walk_below(struct walk *w, uint32_t id)
{
	size_t len, base = w->path.len;
	SL_FREE struct step *steps = steps_of(w, id, &len);

	for (size_t i = 0; i < len; i++) {
		sl_strbuf_addch(&w->path, '/');
		sl_strbuf_add(&w->path, steps[i].name, steps[i].len);
		if (steps[i].below)
			walk_below(w, steps[i].id);
		else
			w->visit(steps[i].id, w->path.data, w->arg);
		w->path.len = base;
	}
}

void sl_intern_each(const struct sl_intern *t, void (*visit)(uint32_t id, const char *path, void *arg), void *arg)
{
	SL_FREE uint32_t *first = sl_xcalloc((size_t)t->count + 1, sizeof(*first));
	SL_FREE uint32_t *children = sl_xcalloc(t->count, sizeof(*children));
	struct walk w = { .tree = t, .first = first, .children = children, .visit = visit, .arg = arg };

	for (uint32_t id = 1; id < t->count; id++)
		first[sl_intern_node(t, id)->parent + 1]++;
	for (uint32_t id = 0; id < t->count; id++)
		first[id + 1] += first[id];
	/* Filling moves each start to its end, which is the next one's start: shift back afterwards. */
	for (uint32_t id = 1; id < t->count; id++)
		children[first[sl_intern_node(t, id)->parent]++] = id;
	memmove(first + 1, first, t->count * sizeof(*first));
	first[0] = 0;

	visit(SL_NODE_ROOT, "/", arg);
	walk_below(&w, SL_NODE_ROOT);
	sl_strbuf_release(&w.path);
}

size_t sl_intern_memory(const struct sl_intern *t)
{
	return t->chunk_count * (CHUNK_NODES * sizeof(struct sl_node) + sizeof(void *)) +
	       t->name_count * (NAME_CHUNK + sizeof(void *)) + ((size_t)t->slot_mask + 1) * sizeof(*t->slots);
}
