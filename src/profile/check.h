/*
 * check.h - is one string of a profile a good value of its kind? Each check returns NULL where it is, else
 * what was expected, as the end of "found …, expected …".
 */
#ifndef SL_PROFILE_CHECK_H
#define SL_PROFILE_CHECK_H

#include "profile/profile.h"

const char *sl_check_nonempty(const char *text, int version);

/* Absolute, "~" or "~/…"; in version 1 relative too. */
const char *sl_check_path(const char *text, int version);

/* "VIRTUAL:HOST[:ro]". */
const char *sl_check_mount(const char *text, int version);

/* A date and time as in RFC 3339, section 5.6. */
const char *sl_check_time(const char *text, int version);

/* The name of a system call or of a group; whether there is one of that name is not known here. */
const char *sl_check_call(const char *text, int version);

/* The same for a list of the only calls that are possible: the name of a call, or "@base". */
const char *sl_check_listed_call(const char *text, int version);

/* The name of a group that can be allowed. */
const char *sl_check_call_group(const char *text, int version);

/* "[scheme://]target[:ports]"; the second form takes no host names. */
const char *sl_check_destination(const char *text, int version);
const char *sl_check_denied_destination(const char *text, int version);

/* The path of a socket, or "@name". */
const char *sl_check_socket(const char *text, int version);

/* "METHOD host[/path]". */
const char *sl_check_http_rule(const char *text, int version);

/* Append the ports of "80", "80,90-95" or "*" to out, each as canonical text: "80", "90-95", "*".
 * Returns what sl_check_… returns; out may then have received some of them. */
const char *sl_ports_add(struct sl_list *out, const char *text, int line);

#endif
