/*
 * granted.h - how much more the directory entries of a new profile open than was used.
 *
 * Counted in pairs of (right, object): granted is every pair that was used and every pair that an entry opens beside
 * those, so granted ÷ used is 1 for a profile of exact file entries and grows with what its directories hold.
 */
#ifndef SL_OBSERVE_GRANTED_H
#define SL_OBSERVE_GRANTED_H

#include "observe/facts.h"

/* The directory entries that were written: node of the fact store, SL_RIGHT_* bits of its keys. */
struct sl_grants {
	struct sl_grant {
		uint32_t node;
		uint8_t rights;
	} *items; /* in byte order of the path */
	size_t len, cap;
};

void sl_grants_add(struct sl_grants *g, uint32_t node, uint8_t rights);
void sl_grants_release(struct sl_grants *g);

struct sl_observation;

/* Walk below the entries and fill used, granted, granted_more and openings of *ret, which has none. Symbolic links are
 * not followed, other file systems mounted below an entry count as one object, and /proc and /sys are not walked. Ends,
 * with granted_more, after 200 000 objects or the time. */
void sl_granted_count(const struct sl_facts *f, const struct sl_grants *grants, long time_max_ms,
		      struct sl_observation *ret);

#endif
