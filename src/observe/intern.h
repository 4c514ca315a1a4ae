/*
 * intern.h - paths as a tree of (parent, name) nodes, each distinct path once.
 *
 * A node is 20 bytes in an arena of fixed chunks, its name stands in an arena of bytes, and one open-addressing
 * table of 32-bit ids finds (parent, name). Nothing is ever removed, ids are dense from 0 (the root directory) and
 * nodes never move, so callers may keep per-node arrays beside the tree. The payload that the fact store needs
 * lives in the node: looking up a path and its facts touches the same cache line.
 */
#ifndef SL_OBSERVE_INTERN_H
#define SL_OBSERVE_INTERN_H

#include <stdint.h>
#include <sys/types.h>

#include "base/strbuf.h"

#define SL_NODE_ROOT 0u
#define SL_NODE_NONE UINT32_MAX

enum sl_node_flags {
	SL_NODE_DIR = 1 << 0,  /* a directory */
	SL_NODE_MADE = 1 << 1, /* the run made an object of this name, or put one in its place */
	SL_NODE_LEFT_DIR = 1 << 2,  /* … in a protected directory, and at the end a directory is there */
	SL_NODE_LEFT_FILE = 1 << 3, /* … a file or FIFO is there */
};

struct sl_node {
	uint32_t parent;
	uint32_t name; /* position in the name arena */
	pid_t first_pid;
	uint16_t name_len;
	uint8_t rights; /* facts of this object: SL_RIGHT_* after attribution */
	uint8_t own;	/* what was done to the object of this very name, before attribution */
	uint8_t flags;	/* SL_NODE_* */
	uint8_t now;	/* of rights, what the run that goes on needed */
	uint8_t always; /* of rights, what every run that has ended needed */
};

struct sl_intern {
	struct sl_node **chunks;
	char **names;
	uint32_t *slots; /* 0: empty, else an id; the root is in no slot */
	size_t chunk_count, name_count;
	size_t name_used;   /* bytes used in the last name chunk */
	uint32_t count;	    /* nodes, the root included */
	uint32_t slot_mask; /* slots - 1 */
	uint64_t seed;
};

void sl_intern_init(struct sl_intern *t);
void sl_intern_release(struct sl_intern *t);

/* The child of a node with that name, or SL_NODE_NONE. */
uint32_t sl_intern_find(const struct sl_intern *t, uint32_t parent, const char *name, size_t len);

/* The same, added when it is not there. len is at most PATH_MAX. SL_NODE_NONE only when 2^30 nodes are held. */
uint32_t sl_intern_add(struct sl_intern *t, uint32_t parent, const char *name, size_t len);

struct sl_node *sl_intern_node(const struct sl_intern *t, uint32_t id);
const char *sl_intern_name(const struct sl_intern *t, uint32_t id); /* name_len bytes, no NUL */

/* Append the path of a node ("/" for the root). */
void sl_intern_path(const struct sl_intern *t, uint32_t id, struct sl_strbuf *out);

/* Visit every node in byte order of the path, so each one after its parent; path is valid during the call. */
void sl_intern_each(const struct sl_intern *t, void (*visit)(uint32_t id, const char *path, void *arg), void *arg);

/* Bytes held. */
size_t sl_intern_memory(const struct sl_intern *t);

#endif
