/*
 * read.c - from a file to a struct sl_profile: opening it, and walking the TOML tree along the key table.
 *
 * Everything that is wrong is reported, each thing once: a key with a bad value is left out of what is
 * checked between keys (relations.c).
 */
#include "profile/read.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "profile/check.h"
#include "profile/diag.h"
#include "profile/fill.h"
#include "profile/keys.h"
#include "profile/toml.h"

/* "version" at the top. Returns the version to judge the file by, or 0 where it cannot be judged. */
static int read_version(const struct sl_toml_node *root, struct sl_diags *diags)
{
	for (size_t i = 0; i < root->count; i++) {
		const struct sl_toml_node *node = &root->children[i];
		SL_STRBUF found = SL_STRBUF_INIT;

		if (strcmp(node->key, "version") != 0)
			continue;
		if (node->type == SL_TOML_INTEGER && (node->integer == 1 || node->integer == 2))
			return (int)node->integer;
		sl_toml_describe(&found, node);
		sl_diags_addf(diags, SL_DIAG_ERROR, node->line, node->column, "version",
			      "found %s, expected the integer 1 or 2", sl_strbuf_str(&found));
		return node->type == SL_TOML_INTEGER ? 0 : 2;
	}
	return 1;
}

/* Say of each key that is set and not built that it is. */
static void note_unsupported(const struct sl_profile *p, const struct sl_fill *fill, struct sl_diags *diags)
{
	for (size_t i = 0; i < SL_PROFILE_KEYS; i++) {
		SL_FREE char *name = NULL;

		if (!sl_key_unsupported(&sl_keys[i], p))
			continue;
		name = sl_xasprintf("%s.%s", sl_keys[i].section, sl_keys[i].name);
		sl_diags_addf(diags, SL_DIAG_NOTE, fill->where[i].line, fill->where[i].column, name,
			      "not supported yet");
	}
}

int sl_profile_parse(const char *text, size_t len, const char *name, struct sl_profile *ret_profile,
		     struct sl_diags *diags)
{
	struct sl_fill fill = {.diags = diags};
	struct sl_toml_error error = {0};
	struct sl_toml_node *root = NULL;
	size_t before = diags->len;
	bool failed = false;
	int version;

	if (sl_toml_parse(text, len, &root, &error) < 0) {
		sl_diags_addf(diags, SL_DIAG_ERROR, error.line, error.column, NULL, "not a TOML file: %s",
			      sl_esc(error.text));
		return -EINVAL;
	}
	version = read_version(root, diags);
	sl_profile_init(&fill.profile, version ? version : 2);
	fill.profile.file = name ? sl_xstrdup(name) : NULL;
	/* A version that is not known here may have keys that are not. */
	if (version) {
		sl_fill_root(&fill, root);
		sl_fill_check_relations(&fill);
	}
	sl_toml_free(root);
	for (size_t i = before; i < diags->len; i++)
		failed |= diags->items[i].kind == SL_DIAG_ERROR;
	if (failed) {
		sl_profile_release(&fill.profile);
		return -EINVAL;
	}
	note_unsupported(&fill.profile, &fill, diags);
	*ret_profile = fill.profile;
	return 0;
}

/* One error that concerns the whole file. Returns -code. */
static int file_error(struct sl_diags *diags, int code, const char *what)
{
	sl_diags_addf(diags, SL_DIAG_ERROR, 0, 0, NULL, "%s", what);
	return -code;
}

static int check_kind(mode_t mode, struct sl_diags *diags)
{
	if (S_ISREG(mode))
		return 0;
	if (S_ISDIR(mode))
		return file_error(diags, EISDIR, "found a directory, expected a file");
	if (S_ISFIFO(mode))
		return file_error(diags, EINVAL, "found a FIFO, expected a file");
	if (S_ISSOCK(mode))
		return file_error(diags, EINVAL, "found a socket, expected a file");
	return file_error(diags, EINVAL, "found a device, expected a file");
}

/* Open a regular file. Only looked at until its kind is known: opening a device can do something. */
static int open_file(const char *path, struct sl_diags *diags)
{
	SL_CLOSE int fd = -EBADF;
	struct stat st;
	int r;

	if (stat(path, &st) < 0)
		return file_error(diags, errno, strerror(errno));
	r = check_kind(st.st_mode, diags);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return file_error(diags, errno, strerror(errno));
	r = check_kind(st.st_mode, diags);
	if (r < 0)
		return r;
	if (st.st_size > (off_t)SL_TOML_BYTES_MAX)
		return file_error(diags, EFBIG, "found more than 16 MiB, expected a profile");
	return SL_TAKE_FD(fd);
}

int sl_profile_read(const char *path, struct sl_profile *ret_profile, struct sl_diags *diags)
{
	SL_CLOSE int fd = open_file(path, diags);
	SL_STRBUF text = SL_STRBUF_INIT;
	SL_FREE char *chunk = NULL;
	const size_t chunk_size = (size_t)4 << 10;

	if (fd < 0)
		return fd;
	chunk = sl_xmalloc(chunk_size);
	/* The size that was seen is not trusted: the file may be growing, or be one of /proc. */
	while (text.len <= SL_TOML_BYTES_MAX) {
		ssize_t n = read(fd, chunk, chunk_size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return file_error(diags, errno, strerror(errno));
		if (n == 0)
			break;
		sl_strbuf_add(&text, chunk, (size_t)n);
	}
	return sl_profile_parse(sl_strbuf_str(&text), text.len, path, ret_profile, diags);
}
