/*
 * domain.h - the tool's own Landlock domain: the border that the killer's kill(-1) does not cross and over
 * which no confined process can signal or trace the tool.
 *
 * The domain restricts nothing but signals. It is entered once a process and kept: layers cannot be taken
 * off, and there are only sixteen.
 */
#ifndef SL_SUPERVISE_DOMAIN_H
#define SL_SUPERVISE_DOMAIN_H

#include <stdint.h>

#include "base/error.h"

enum sl_domain_kind {
	SL_DOMAIN_NONE,	  /* no Landlock: nothing tells the sandbox's processes but their parents */
	SL_DOMAIN_TRACE,  /* only tracing is limited to the domain (ABI < 6, or the signal scope is disabled)
			   */
	SL_DOMAIN_SIGNAL, /* signals as well: kill(-1) reaches the domain and nothing else */
};

/* Set no_new_privs and put the calling thread into the outer domain, if it is not in it yet. disabled:
 * SL_PROTECT_* bits. Where the signal scope was asked for it is proven: a process outside that could be
 * signalled before can be no longer. Returns the enum sl_domain_kind or -errno with err set. Not from a
 * second thread. */
int sl_domain_enter(uint64_t disabled, struct sl_error *err);

/* A ruleset that withholds no file right and scopes signals where the kernel can: the outer domain's, and the
 * command's while learning. A descriptor; -EBADF where the kernel has no Landlock; -errno with err set. */
int sl_domain_ruleset(uint64_t disabled, struct sl_error *err);

#endif
