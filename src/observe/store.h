/*
 * store.h - the inside of struct sl_facts, shared by the files that fill it, balance it and turn it into a profile.
 */
#ifndef SL_OBSERVE_STORE_H
#define SL_OBSERVE_STORE_H

#include "observe/facts.h"
#include "observe/intern.h"

/* One rename or link between two directories, after attribution. */
struct sl_refer {
	uint32_t src, dst;
	uint32_t flags; /* SL_REFER_* */
};

struct sl_facts {
	struct sl_intern tree;
	struct sl_refer *refers; /* sorted and unique only after sl_refers_compact() */
	size_t refer_len, refer_cap;
	struct sl_strv notes;
	size_t notes_lost; /* said after the bound was reached */
	uint32_t runs; /* that have ended */
	bool partial, tmp_used, sysv_ipc;
};

/* The node of a canonical path, made where it is not held; SL_NODE_NONE for a path that cannot be held. */
uint32_t sl_facts_node(struct sl_facts *f, const char *path);

/* Count the object at that path as used with these rights, and grant nothing for it. */
void sl_facts_use(struct sl_facts *f, uint32_t rights, const char *path);

/* Sort the pairs and drop those held twice. */
void sl_refers_compact(struct sl_facts *f);

/* The rights of every node with those that REFER demands added: an array by node id, malloc'd. */
uint8_t *sl_facts_balanced(const struct sl_facts *f);

#endif
