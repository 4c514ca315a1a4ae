/*
 * check.c - `sandlock check`: what this kernel can enforce, what is granted without an entry.
 *
 * Exits 0 where everything can be enforced, 1 where a run would need --allow-degraded or cannot be had at
 * all.
 */
#include <string.h>
#include <sys/utsname.h>

#include "base/path.h"
#include "cmd/commands.h"
#include "cmd/message.h"
#include "kernel/cgroup.h"
#include "kernel/features.h"
#include "kernel/landlock.h"
#include "kernel/own-fd.h"
#include "policy/policy.h"
#include "profile/call-names.h"
#include "sandlock.h"

#define STATUS_INCOMPLETE 1
#define LINE_WIDTH	  76

static void print_kernel(struct sl_strbuf *out, int abi)
{
	struct utsname kernel;
	int raw = sl_landlock_abi_raw();

	if (uname(&kernel) == 0)
		sl_strbuf_addf(out, "kernel: %s %s, %s\n", kernel.sysname, sl_esc(kernel.release),
			       kernel.machine);
	sl_strbuf_addf(out, "sandlock: %s\n", sandlock_version());
	if (!raw)
		sl_strbuf_addstr(out, "Landlock: absent or disabled\n");
	else if (raw > abi)
		sl_strbuf_addf(out, "Landlock: ABI %d, used as %d\n", raw, abi);
	else
		sl_strbuf_addf(out, "Landlock: ABI %d\n", abi);
}

/* One row a protection; false where one is missing. */
static bool print_protections(struct sl_strbuf *out, int abi)
{
	bool whole = abi >= 1;

	sl_strbuf_addf(out, "\nprotections:\n  %-28s%s\n", "file rights",
		       whole ? "enforced" : "NOT ENFORCED: nothing can be run");
	for (const struct sl_protection_row *p = sl_protections; p->name; p++) {
		if (abi >= p->min_abi) {
			sl_strbuf_addf(out, "  %-28senforced\n", p->name);
			continue;
		}
		whole = false;
		sl_strbuf_addf(out, "  %-28sNOT ENFORCED (needs ABI %d; run needs --allow-degraded %s): %s\n",
			       p->name, p->min_abi, p->name, p->without);
	}
	return whole;
}

/* The system call filter's features; false where one without which nothing runs is missing. */
static bool print_seccomp(struct sl_strbuf *out)
{
	unsigned int have = sl_kernel_features();
	bool whole = true;

	sl_strbuf_addstr(out, "\nseccomp:\n");
	for (const struct sl_kernel_feature *f = sl_kernel_feature_rows; f->name; f++) {
		bool there = have & f->bit;

		sl_strbuf_addf(out, "  %-28s%s", f->name, there ? "yes" : "no");
		if (!there)
			sl_strbuf_addf(out, ": %s", f->without);
		sl_strbuf_addch(out, '\n');
		whole = whole && (there || !f->needed);
	}
	return whole;
}

/* What of [network] needs the command's own sockets. */
static void print_network(struct sl_strbuf *out)
{
	sl_strbuf_addf(out, "\nnetwork:\n  %-28s%s\n", "pidfd_getfd",
		       sl_fd_can_take()
			   ? "yes"
			   : "no: of [network] only TCP ports alone can be held (with port 0 among those to bind)");
}

static void print_implicit(struct sl_strbuf *out)
{
	static const struct {
		uint32_t right;
		const char *name;
	} names[] = {{SL_RIGHT_READ, "read"}, {SL_RIGHT_WRITE, "write"}, {SL_RIGHT_IOCTL, "ioctl"}};

	sl_strbuf_addstr(out, "\nalways granted:\n");
	for (const struct sl_implicit_grant *g = sl_implicit_grants; g->path; g++) {
		const char *separator = "";

		sl_strbuf_addf(out, "  %-28s", g->path);
		for (size_t i = 0; i < SL_ARRAY_LEN(names); i++) {
			if (!(g->rights & names[i].right))
				continue;
			sl_strbuf_addf(out, "%s%s", separator, names[i].name);
			separator = ", ";
		}
		sl_strbuf_addch(out, '\n');
	}
}

/* How limits are held here: none needs a cgroup; two are exact with one. */
static void print_limits(struct sl_strbuf *out)
{
	struct sl_cgroup_place place;

	sl_cgroup_find(&sl_cgroup_system, SL_CGROUP_MEMORY | SL_CGROUP_CPU, &place);
	const char *const rows[][2] = {
	    {"memory", place.controllers & SL_CGROUP_MEMORY
			   ? "by the kernel: each process (RLIMIT_DATA), all together (cgroup)"
			   : "each process by the kernel (RLIMIT_DATA), all together measured"},
	    {"processes", "counted at each fork"},
	    {"open_files", "by the kernel (RLIMIT_NOFILE)"},
	    {"cpu", place.controllers & SL_CGROUP_CPU ? "by the kernel (cgroup)"
						      : "measured; who used too much is held"},
	    {"cpu_cores", "by the kernel (affinity), changes judged"},
	};

	sl_strbuf_addf(out, "\nlimits:\n  %-28s%s%s\n", "cgroup v2", *place.dir ? "used: groups in " : "not used: ",
		       *place.dir ? sl_esc(place.dir) : place.why_not);
	for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++)
		sl_strbuf_addf(out, "  %-28s%s\n", rows[i][0], rows[i][1]);
}

static void print_base(struct sl_strbuf *out)
{
	size_t width = 0;

	sl_strbuf_addstr(out, "\nsystem calls of \"" SL_CALL_BASE "\":\n");
	for (size_t i = 0; sl_call_base[i]; i++) {
		size_t len = strlen(sl_call_base[i]);
		bool fits = width && width + 1 + len <= LINE_WIDTH;

		width = fits ? width + 1 + len : len;
		sl_strbuf_addf(out, "%s%s", fits ? " " : i ? "\n  " : "  ", sl_call_base[i]);
	}
	sl_strbuf_addch(out, '\n');
}

static int check(const struct sl_cmd *cmd, int argc, char **argv)
{
	SL_STRBUF text = SL_STRBUF_INIT;
	char **operands;
	bool whole;
	int abi, status = sl_options_parse(cmd, argc, argv, NULL, &operands, NULL);

	if (status != SL_PARSED)
		return status;
	abi = sl_landlock_abi();
	print_kernel(&text, abi);
	whole = print_protections(&text, abi);
	whole = print_seccomp(&text) && whole;
	print_limits(&text);
	print_network(&text);
	print_implicit(&text);
	print_base(&text);
	sl_strbuf_addf(&text, "\n%s\n",
		       whole ? "everything can be enforced" : "not everything can be enforced");
	status = sl_output(&text);
	if (status)
		return status;
	return whole ? 0 : STATUS_INCOMPLETE;
}

const struct sl_cmd sl_cmd_check = {
    .name = "check",
    .operands = "",
    .summary = "say what this kernel can enforce",
    .run = check,
};
