/*
 * cache.h - calls that were looked at a moment ago and whose facts are all held: the fast way of an open.
 *
 * The key is the raw absolute path with the access asked for. An entry says "whether it succeeds or fails, nothing new
 * would be recorded". It holds while no name was removed or replaced by a call of the run (generation), and for at
 * most SL_CACHE_AGE_MS, because others may change names too. Making a new name cannot change where a path leads that
 * led somewhere before, so it ends nothing; failures are never held.
 *
 * A fixed table of hashes, one entry a slot: memory does not grow.
 */
#ifndef SL_OBSERVE_CACHE_H
#define SL_OBSERVE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_CACHE_SLOTS	4096
#define SL_CACHE_AGE_MS 100

struct sl_cache_entry {
	uint64_t key[2];
	uint32_t generation;
	uint32_t time_ms;
};

struct sl_cache {
	uint64_t seed;
	uint32_t generation; /* starts at 1: an empty slot never matches */
	struct sl_cache_entry entries[SL_CACHE_SLOTS];
};

/* The key of a path and an access word. */
struct sl_cache_key {
	uint64_t word[2];
};

void sl_cache_init(struct sl_cache *c);
struct sl_cache_key sl_cache_key(const struct sl_cache *c, const char *path, size_t len, uint64_t access);
bool sl_cache_holds(const struct sl_cache *c, const struct sl_cache_key *key, uint32_t now_ms);
void sl_cache_put(struct sl_cache *c, const struct sl_cache_key *key, uint32_t now_ms);
void sl_cache_bump(struct sl_cache *c); /* forget everything */

/* Milliseconds of a coarse monotonic clock (its tick is a few milliseconds), wrapping. */
uint32_t sl_cache_now_ms(void);

#endif
