/*
 * evaluate.c - the one evaluator: may this right be used on this object? Pure, over the rules alone.
 *
 * Rights add up along the path, as in a Landlock domain of one layer: a directory's rule holds for everything
 * below, and each bit may come from another rule. The rules are sorted by path, so each ancestor costs one
 * binary search.
 */
#include <string.h>

#include "base/path.h"
#include "policy/policy.h"

/* Rights that a rule gives in effect: whoever may create in a directory may write what is there. */
static uint32_t effective(const struct sl_rule *r)
{
	return r->rights & SL_RIGHT_CREATE ? r->rights | SL_RIGHT_WRITE : r->rights;
}

/* The rule whose path is the first len bytes of path. */
static const struct sl_rule *find_rule(const struct sl_policy *p, const char *path, size_t len)
{
	size_t low = 0, high = p->rule_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct sl_rule *r = &p->rules[middle];
		int order = strncmp(r->path, path, len);

		if (!order && !r->path[len])
			return r;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Length of the parent of the first len bytes of a normal path; 0 above "/". */
static size_t parent_length(const char *path, size_t len)
{
	if (len <= 1)
		return 0;
	while (path[len - 1] != '/')
		len--;
	return len > 1 ? len - 1 : 1;
}

/* Rights on path, from the rules on it and above; *ret_rule receives the nearest that alone gives all of
 * want, or else the nearest that gives some. */
static uint32_t rights_at(const struct sl_policy *p, const char *path, uint32_t want,
			  const struct sl_rule **ret_rule)
{
	const struct sl_rule *some = NULL, *all = NULL;
	uint32_t rights = 0;

	for (size_t full = strlen(path), len = full; len > 0; len = parent_length(path, len)) {
		const struct sl_rule *r = find_rule(p, path, len);

		if (!r || (len < full && !r->is_dir))
			continue;
		rights |= effective(r);
		if (!some && (effective(r) & want))
			some = r;
		if (!all && (effective(r) & want) == want)
			all = r;
	}
	*ret_rule = all ? all : some;
	return rights;
}

const struct sl_denied *sl_policy_denied(const struct sl_policy *p, const char *path)
{
	if (!p->deny.count || (p->tmp_dir && sl_path_within(path, p->tmp_dir)))
		return NULL; /* the private directory is the run's own, wherever it is */
	return sl_deny_on(&p->deny, path);
}

bool sl_policy_holds_name(const struct sl_policy *p, const char *path)
{
	return sl_policy_denied(p, path) || sl_deny_below(&p->deny, path) ||
	       (p->view && sl_path_within(p->view, path));
}

/* The identity of what is at the first len bytes of a path. */
static bool identify(const char *path, size_t len, struct sl_object_id *ret)
{
	SL_FREE char *name = sl_xstrndup(path, len);

	return sl_object_id_of_path(name, ret) == 0;
}

bool sl_policy_beside(const struct sl_policy *p, const char *path, struct sl_beside *ret)
{
	struct sl_beside b = {0, 0};
	bool found = false;

	for (size_t full = strlen(path), len = full, child = 0; len > 0; child = len, len = parent_length(path, len)) {
		const struct sl_way *way = sl_deny_way(&p->deny, path, len);
		const struct sl_rule *r = find_rule(p, path, len);
		struct sl_object_id id;

		/* The entry of the lowest way. */
		if (way && !found && child && identify(path, child, &id))
			b.native |= sl_deny_native(&p->deny, &id);
		if (way) {
			found = true;
			b.native |= way->kept;
		}
		if (!r || (len < full && !r->is_dir))
			continue;
		if (r->carved)
			b.granted |= effective(r);
		else if (identify(path, len, &id) && sl_object_id_same(&id, &r->id))
			b.native |= effective(r);
	}
	if (b.native & SL_RIGHT_CREATE)
		b.native |= SL_RIGHT_WRITE;
	b.granted |= b.native;
	*ret = b;
	return found;
}

bool sl_policy_allows(const struct sl_policy *p, const struct sl_access *access,
		      const struct sl_rule **ret_rule)
{
	const struct sl_rule *rule = NULL;
	bool allowed = (rights_at(p, access->path, access->right, &rule) & access->right) == access->right &&
		       !sl_policy_denied(p, access->path);

	if (ret_rule)
		*ret_rule = allowed ? rule : NULL;
	return allowed;
}

bool sl_policy_allows_attributes(const struct sl_policy *p, const char *path)
{
	return !sl_policy_is_viewed(p, path) &&
	       sl_policy_allows(p, &(struct sl_access){SL_RIGHT_WRITE, path}, NULL);
}

uint32_t sl_policy_rule_rights(const struct sl_policy *p, const char *path)
{
	const struct sl_rule *r = find_rule(p, path, strlen(path));

	return r ? effective(r) : 0;
}

bool sl_policy_is_viewed(const struct sl_policy *p, const char *path)
{
	return p->view && sl_path_within(path, p->view) && !(p->tmp_dir && sl_path_within(path, p->tmp_dir));
}

bool sl_policy_allows_call(const struct sl_policy *p, int nr)
{
	return !p->calls_listed || sl_call_set_has(&p->calls, nr);
}

bool sl_policy_allows_self(const struct sl_policy *p, const char *rest, uint32_t rights)
{
	uint32_t have = 0;

	for (size_t i = 0; i < p->self_denied.len; i++)
		if (!*p->self_denied.items[i] || sl_path_within(rest, p->self_denied.items[i]))
			return false;
	for (size_t i = 0; i < p->self_rule_count; i++)
		if (!*p->self_rules[i].rest || sl_path_within(rest, p->self_rules[i].rest))
			have |= p->self_rules[i].rights;
	return (have & rights) == rights;
}
