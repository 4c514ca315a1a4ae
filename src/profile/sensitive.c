/*
 * sensitive.c - the tables behind sl_path_sensitivity().
 */
#include "profile/sensitive.h"

#include <fnmatch.h>
#include <string.h>

#include "base/path.h"

/* Patterns of fnmatch(3) with FNM_PATHNAME: the directories themselves, not what is below. */
static const char *const guarded[] = {
    "/etc",  "/usr",  "/usr/bin", "/usr/sbin", "/usr/lib*", "/bin", "/sbin",
    "/lib*", "/boot", "/proc",	  "/sys",      "/dev",	    "/run", "/var",
};

/* Stores of credentials, wherever they stand: one or more whole components. */
static const char *const stores[] = {
    ".ssh",
    ".aws",
    ".azure",
    ".kube",
    ".gnupg",
    ".docker",
    ".password-store",
    ".mozilla",
    ".thunderbird",
    ".config/chromium",
    ".config/google-chrome",
    ".config/BraveSoftware",
    ".config/gcloud",
    ".config/gh",
    ".config/microsoft-edge",
    ".config/vivaldi",
    ".config/opera",
    ".config/keepassxc",
    ".config/op",
    ".config/rclone",
    ".local/share/keyrings",
    ".local/share/kwalletd",
    ".pki",
};

/* Does the path hold these components anywhere? */
static bool has_components(const char *path, const char *components)
{
	size_t len = strlen(components);

	for (const char *p = path; (p = strstr(p, components)); p++)
		if (p > path && p[-1] == '/' && (p[len] == '\0' || p[len] == '/'))
			return true;
	return false;
}

enum sl_sensitivity sl_path_sensitivity(const char *path, const char *home)
{
	if (!strcmp(path, "/") || !strcmp(path, "/root"))
		return SL_SENSITIVE_PROTECTED;
	if (home && sl_path_within(home, path))
		return SL_SENSITIVE_PROTECTED;
	for (size_t i = 0; i < SL_ARRAY_LEN(stores); i++)
		if (has_components(path, stores[i]))
			return SL_SENSITIVE_PROTECTED;
	for (size_t i = 0; i < SL_ARRAY_LEN(guarded); i++)
		if (!fnmatch(guarded[i], path, FNM_PATHNAME))
			return SL_SENSITIVE_GUARDED;
	return SL_SENSITIVE_NOT;
}

bool sl_path_is_shared_tmp(const char *path)
{
	static const char *const shared[] = {"/tmp", "/var/tmp", "/dev/shm"};

	for (size_t i = 0; i < SL_ARRAY_LEN(shared); i++)
		if (!strcmp(path, shared[i]))
			return true;
	return false;
}
