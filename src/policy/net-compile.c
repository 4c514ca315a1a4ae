/*
 * net-compile.c - from the entries of [network], which were checked when the profile was read, to rules.
 *
 * Where text was not checked after all (options of the command line are checked by the same functions) the
 * entry is an error, never a rule that means something else.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "kernel/own-path.h"
#include "policy/net-rules.h"
#include "profile/check.h"
#include "profile/destination.h"
#include "profile/keys.h"

#define ALL_PORTS ((struct sl_net_ports){0, UINT16_MAX})

static int compare_ports(const void *a, const void *b)
{
	const struct sl_net_ports *x = a, *y = b;

	return x->low != y->low ? x->low - y->low : x->high - y->high;
}

static void add_ports(struct sl_net_ports **ports, size_t *count, struct sl_net_ports more)
{
	*ports = sl_xrealloc(*ports, (*count + 1) * sizeof(**ports));
	(*ports)[(*count)++] = more;
}

/* Sort, and unite what overlaps or touches. */
static void unite_ports(struct sl_net_ports *ports, size_t *count)
{
	size_t kept = 0;

	if (*count)
		qsort(ports, *count, sizeof(*ports), compare_ports);
	for (size_t i = 0; i < *count; i++) {
		if (kept && ports[i].low <= ports[kept - 1].high + 1)
			ports[kept - 1].high = SL_MAX(ports[kept - 1].high, ports[i].high);
		else
			ports[kept++] = ports[i];
	}
	*count = kept;
}

/* Add the ports and ranges of a list. */
static void add_list(const struct sl_list *list, struct sl_net_ports **ports, size_t *count)
{
	for (size_t i = 0; i < list->len; i++) {
		const char *item = list->items[i].text, *dash = strchr(item, '-');
		struct sl_net_ports range = ALL_PORTS;

		if (strcmp(item, "*") != 0) {
			range.low = (uint16_t)strtoul(item, NULL, 10);
			range.high = dash ? (uint16_t)strtoul(dash + 1, NULL, 10) : range.low;
		}
		add_ports(ports, count, range);
	}
	unite_ports(*ports, count);
}

/* "80,90-95" or "*". */
static bool parse_ports(const char *text, struct sl_net_ports **ports, size_t *count)
{
	struct sl_list list = {0};
	bool good = !sl_ports_add(&list, text, 0);

	if (good)
		add_list(&list, ports, count);
	sl_list_release(&list);
	return good;
}

static bool parse_rule(const char *text, struct sl_net_rule *rule)
{
	SL_CLEANUP(sl_destination_release) struct sl_destination d = {0};
	bool good = sl_destination_parse(&d, text);

	rule->protocols = (uint8_t)d.protocols;
	rule->target = d.any ? SL_NET_ANY : d.host ? SL_NET_HOST : SL_NET_NETWORK;
	rule->address = d.address;
	rule->prefix = (uint8_t)d.prefix;
	rule->host = SL_TAKE_PTR(d.host);
	add_list(&d.ports, &rule->ports, &rule->port_count);
	return good;
}

static int fail(const struct sl_profile *p, const char *key, const struct sl_entry *e, struct sl_error *err)
{
	if (e->line > 0 && p->file)
		return sl_error_set(err, EINVAL, "%s:%d: network.%s: \"%s\" cannot be understood",
				    sl_esc(p->file), e->line, key, sl_esc(e->text));
	return sl_error_set(err, EINVAL, "network.%s: \"%s\" cannot be understood", key, sl_esc(e->text));
}

static int compile_list(const struct sl_profile *p, const struct sl_list *list, const char *key,
			sl_key_check *check, struct sl_net_rule **ret, size_t *ret_count,
			struct sl_error *err)
{
	struct sl_net_rule *rules = sl_xcalloc(list->len + 1, sizeof(*rules));
	size_t count = 0;

	*ret = rules;
	for (size_t i = 0; i < list->len; i++) {
		const struct sl_entry *e = &list->items[i];
		struct sl_net_rule *rule = &rules[count];

		*ret_count = ++count;
		rule->text = sl_xstrdup(e->text);
		rule->line = e->line;
		if (check(e->text, p->version) || !parse_rule(e->text, rule))
			return fail(p, key, e, err);
	}
	return 0;
}

static int compile_ports(const struct sl_profile *p, const struct sl_list *list, const char *key,
			 struct sl_net_ports **ret, size_t *ret_count, struct sl_error *err)
{
	for (size_t i = 0; i < list->len; i++)
		if (!parse_ports(list->items[i].text, ret, ret_count))
			return fail(p, key, &list->items[i], err);
	return 0;
}

/* Could the command itself have put a symbolic link there, in an earlier run? Then the name stands for
 * itself. */
static bool command_may_link(const struct sl_profile *p, const char *path)
{
	static const enum sl_fs_key keys[] = {SL_FS_WRITE, SL_FS_CREATE};

	for (size_t i = p->version == 1 ? 0 : 1; i < SL_ARRAY_LEN(keys); i++) {
		const struct sl_list *list = &p->filesystem.lists[keys[i]];

		for (size_t j = 0; j < list->len; j++)
			if (list->items[j].text[0] == '/' && sl_path_within(path, list->items[j].text))
				return true;
	}
	return false;
}

/* The canonical name of a socket's path, also where only its directory is there. */
static char *canonical_socket(const struct sl_profile *p, const char *text)
{
	const char *home = getenv("HOME");
	SL_FREE char *path = NULL;
	SL_FREE char *dir = NULL;
	SL_STRBUF normal = SL_STRBUF_INIT;
	char found[PATH_MAX];
	SL_CLOSE int fd = -EBADF;

	if (text[0] == '~')
		path = sl_xasprintf("%s%s", home && home[0] == '/' ? home : "/nonexistent", text + 1);
	else
		path = sl_xstrdup(text);
	sl_path_normalize(&normal, path);
	if (command_may_link(p, sl_strbuf_str(&normal)))
		return sl_strbuf_detach(&normal);
	fd = sl_own_path_open(sl_strbuf_str(&normal), found);
	if (fd >= 0)
		return sl_xstrdup(found);
	dir = sl_path_dirname(sl_strbuf_str(&normal));
	fd = sl_own_path_open(dir, found);
	if (fd < 0)
		return sl_strbuf_detach(&normal);
	return sl_xasprintf("%s/%s", strcmp(found, "/") != 0 ? found : "",
			    sl_path_basename(sl_strbuf_str(&normal)));
}

static int compile_sockets(const struct sl_profile *p, struct sl_strv *ret, struct sl_error *err)
{
	const struct sl_list *list = &p->network.unix_sockets;

	for (size_t i = 0; i < list->len; i++) {
		const char *text = list->items[i].text;

		if (sl_check_socket(text, p->version))
			return fail(p, "unix", &list->items[i], err);
		sl_strv_take(ret, text[0] == '@' ? sl_xstrdup(text) : canonical_socket(p, text));
	}
	sl_strv_sort_unique(ret);
	return 0;
}

int sl_net_rules_compile(const struct sl_profile *p, struct sl_net_rules *ret, struct sl_error *err)
{
	struct sl_net_rules r = SL_NET_RULES_INIT;
	int e =
	    compile_list(p, &p->network.allow, "allow", sl_check_destination, &r.allow, &r.allow_count, err);

	if (e == 0)
		e = compile_list(p, &p->network.deny, "deny", sl_check_denied_destination, &r.deny,
				 &r.deny_count, err);
	if (e == 0)
		e = compile_ports(p, &p->network.allow_bind, "allow_bind", &r.bind, &r.bind_count, err);
	if (e == 0)
		e = compile_ports(p, &p->network.deny_bind, "deny_bind", &r.deny_bind, &r.deny_bind_count,
				  err);
	if (e == 0)
		e = compile_sockets(p, &r.sockets, err);
	if (e < 0) {
		sl_net_rules_release(&r);
		return e;
	}
	*ret = r;
	return 0;
}
