/*
 * view-memo.c - what a call's paths and descriptors lead to, found once: the observer asks first, the handler then acts
 * on the very same objects.
 */
#include <string.h>

#include "supervise/view-calls.h"

bool sl_view_recall(struct sl_view_call *c, const struct sl_view_sought *what, struct sl_place *ret, int *ret_result)
{
	for (size_t i = 0; i < c->memo_len; i++) {
		const struct sl_view_memo *m = &c->memos[i];

		if (m->what.at != what->at || m->what.flags != what->flags || m->what.resolve != what->resolve ||
		    strcmp(m->path, what->path) != 0)
			continue;
		*ret = m->place;
		if (ret->walk.dir)
			sl_vnode_use(ret->walk.dir);
		if (ret->walk.node)
			sl_vnode_use(ret->walk.node);
		*ret_result = m->result;
		return true;
	}
	return false;
}

void sl_view_memorize(struct sl_view_call *c, const struct sl_view_sought *what, const struct sl_place *p, int result)
{
	struct sl_view_memo *m = &c->memos[c->memo_len];
	size_t len = strlen(what->path);

	if (!c->looking || c->memo_len == SL_ARRAY_LEN(c->memos) || len >= sizeof(m->path))
		return;
	c->memo_len++;
	m->what = *what;
	memcpy(m->path, what->path, len + 1);
	m->place = *p;
	if (p->walk.dir)
		sl_vnode_use(p->walk.dir);
	if (p->walk.node)
		sl_vnode_use(p->walk.node);
	m->result = result;
}

void sl_view_forget_memos(struct sl_view_call *c)
{
	while (c->memo_len)
		sl_place_release(&c->memos[--c->memo_len].place);
}
