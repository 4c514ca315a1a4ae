/*
 * cache.c - see cache.h. The hash is two multiply-fold lanes over eight bytes a step: some ten nanoseconds for a usual
 * path. It is seeded, and 128 bits are compared, so a program cannot choose paths that hide each other.
 */
#include "observe/cache.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

void sl_cache_init(struct sl_cache *c)
{
	memset(c, 0, sizeof(*c));
	c->generation = 1;
	if (getrandom(&c->seed, sizeof(c->seed), GRND_NONBLOCK) != sizeof(c->seed))
		c->seed = (uint64_t)time(NULL) * 0x9e3779b97f4a7c15ULL;
}

struct sl_cache_key sl_cache_key(const struct sl_cache *c, const char *path, size_t len, uint64_t access)
{
	uint64_t a = c->seed ^ 0x9e3779b97f4a7c15ULL, b = c->seed ^ 0xc2b2ae3d27d4eb4fULL ^ access;
	struct sl_cache_key key;

	for (size_t at = 0; at < len; at += 8) {
		uint64_t word = 0;

		memcpy(&word, path + at, len - at < 8 ? len - at : 8);
		a = fold(a ^ word, 0xa0761d6478bd642fULL);
		b = fold(b + word, 0xe7037ed1a0b428dbULL);
	}
	key.word[0] = fold(a ^ len, 0x8ebc6af09c88c6e3ULL);
	key.word[1] = fold(b ^ key.word[0], 0x589965cc75374cc3ULL);
	return key;
}

static size_t slot_of(const struct sl_cache_key *key)
{
	return key->word[1] % SL_CACHE_SLOTS;
}

bool sl_cache_holds(const struct sl_cache *c, const struct sl_cache_key *key, uint32_t now_ms)
{
	const struct sl_cache_entry *entry = &c->entries[slot_of(key)];

	return entry->key[0] == key->word[0] && entry->key[1] == key->word[1] &&
	       entry->generation == c->generation && now_ms - entry->time_ms < SL_CACHE_AGE_MS;
}

void sl_cache_put(struct sl_cache *c, const struct sl_cache_key *key, uint32_t now_ms)
{
	c->entries[slot_of(key)] = (struct sl_cache_entry){
		.key = { key->word[0], key->word[1] },
		.generation = c->generation,
		.time_ms = now_ms,
	};
}

void sl_cache_bump(struct sl_cache *c)
{
	if (!++c->generation)
		sl_cache_init(c);
}

uint32_t sl_cache_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint32_t)((uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000);
}
