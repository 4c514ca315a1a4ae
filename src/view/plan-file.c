/*
 * plan-file.c - a list of changes on the disk, and what somebody else did meanwhile.
 *
 * Text, one record a line, its fields separated by a blank; a path has every byte that is not plain as %XX,
 * "-" is none. The last line says how many there were, so a torn file is seen; it gets its name when it is
 * whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "view/plan.h"

#define FRESH	 "changes.new"
#define MAGIC	 "sandlock-changes 1"
#define FIELDS	 16

/* ---- writing ---- */

static void add_path(struct sl_strbuf *out, const char *path)
{
	if (!path) {
		sl_strbuf_addstr(out, " -");
		return;
	}
	sl_strbuf_addch(out, ' ');
	if (!*path)
		sl_strbuf_addch(out, '.'); /* the root */
	for (; *path; path++) {
		unsigned char b = (unsigned char)*path;

		if (b <= ' ' || b == '%' || b >= 0x7f || (b == '-' && !path[1]) || (b == '.' && !path[1]))
			sl_strbuf_addf(out, "%%%02x", b);
		else
			sl_strbuf_addch(out, *path);
	}
}

static void write_text(const struct sl_view_changes *c, struct sl_strbuf *out)
{
	sl_strbuf_addf(out, "%s\nhead %lld %u", MAGIC, (long long)c->started_ns, c->id);
	add_path(out, c->objects_name);
	add_path(out, c->lower);
	for (size_t i = 0; i < c->objs_len; i++) {
		const struct sl_vobject *o = &c->objs[i];
		unsigned int flags = (unsigned int)o->foreign | (unsigned int)o->contents << 1 |
				     (unsigned int)o->standin << 2 | (unsigned int)o->attrs << 3 |
				     (unsigned int)o->vacates << 4;

		sl_strbuf_addf(out, "\nobject %u %u %u %u %u %u %llu %llu %lld %u", o->obj, o->staged,
			       o->mode, o->uid, o->gid, flags, (unsigned long long)o->dev,
			       (unsigned long long)o->ino, (long long)o->seen_ns, o->old_mode);
		add_path(out, o->lower);
		add_path(out, o->staging);
	}
	for (size_t i = 0; i < c->steps_len; i++) {
		sl_strbuf_addf(out, "\nstep %c %u %d %llu", (char)c->steps[i].op, c->steps[i].object,
			       c->steps[i].was_there, (unsigned long long)c->steps[i].ino);
		add_path(out, c->steps[i].path);
	}
	for (size_t i = 0; i < c->len; i++) {
		const struct sl_view_change *e = &c->list[i];

		sl_strbuf_addf(out, "\nchange %c %u %d %lld %lld %u", (char)e->kind, e->type, e->contents,
			       (long long)e->size, (long long)e->old_size, e->obj);
		add_path(out, e->path);
		add_path(out, e->from);
	}
	sl_strbuf_addf(out, "\nend %zu %zu %zu\n", c->objs_len, c->steps_len, c->len);
}

int sl_view_changes_keep(struct sl_view *v, struct sl_view_changes *c)
{
	SL_STRBUF text = SL_STRBUF_INIT;
	SL_CLOSE int fd = -EBADF;
	int r;

	c->upper = sl_close(c->upper);
	c->upper = fcntl(v->store.upper, F_DUPFD_CLOEXEC, 0);
	if (c->upper < 0)
		return -errno;
	fd = openat(c->upper, FRESH, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	write_text(c, &text);
	r = sl_write_all(fd, text.data, text.len);
	if (r == 0 && (syncfs(fd) < 0 || renameat(c->upper, FRESH, c->upper, SL_VIEW_CHANGES) < 0))
		r = -errno;
	if (r < 0)
		unlinkat(c->upper, FRESH, 0);
	else
		v->store.keep = true;
	return r;
}

/* ---- reading ---- */

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* malloc'd; NULL where it is "-", or damaged. */
static char *read_path(const char *text)
{
	char *path = strcmp(text, "-") == 0 ? NULL : sl_xmalloc(strlen(text) + 1), *to = path;

	if (!path)
		return NULL;
	if (strcmp(text, ".") == 0)
		text = "";
	for (; *text; text++) {
		if (*text != '%') {
			*to++ = *text;
			continue;
		}
		if (hex(text[1]) < 0 || hex(text[2]) < 0 || !(hex(text[1]) | hex(text[2]))) {
			free(path);
			return NULL;
		}
		*to++ = (char)(hex(text[1]) << 4 | hex(text[2]));
		text += 2;
	}
	*to = '\0';
	return path;
}

static uint64_t number(const char *text)
{
	return strtoull(text, NULL, 10);
}

static void read_object(struct sl_view_changes *c, char **f)
{
	struct sl_vobject *o = sl_vplan_add_object(c);
	unsigned int flags = (unsigned int)number(f[6]);

	o->obj = (uint32_t)number(f[1]);
	o->staged = (uint32_t)number(f[2]);
	o->mode = (mode_t)number(f[3]);
	o->uid = (uid_t)number(f[4]);
	o->gid = (gid_t)number(f[5]);
	o->foreign = flags & 1;
	o->contents = flags & 2;
	o->standin = flags & 4;
	o->attrs = flags & 8;
	o->vacates = flags & 16;
	o->dev = number(f[7]);
	o->ino = number(f[8]);
	o->seen_ns = strtoll(f[9], NULL, 10);
	o->old_mode = (mode_t)number(f[10]);
	o->lower = read_path(f[11]);
	o->staging = read_path(f[12]);
}

static int read_step(struct sl_view_changes *c, char **f)
{
	char *path = read_path(f[5]);
	uint64_t object = number(f[2]);
	struct sl_vstep *s;

	if (!path || object > c->objs_len || strlen(f[1]) != 1) {
		free(path);
		return -EINVAL;
	}
	s = sl_vplan_add_step(c, (enum sl_vstep_op)f[1][0], (uint32_t)object, path);
	s->was_there = number(f[3]);
	s->ino = number(f[4]);
	return strchr("sru", f[1][0]) || object ? 0 : -EINVAL;
}

static int read_change(struct sl_view_changes *c, char **f)
{
	char *path = read_path(f[7]);
	struct sl_view_change *e;

	if (!path)
		return -EINVAL;
	e = sl_vplan_add_change(c, (enum sl_view_change_kind)f[1][0], path);
	e->type = (mode_t)number(f[2]);
	e->contents = number(f[3]);
	e->size = (off_t)number(f[4]);
	e->old_size = (off_t)number(f[5]);
	e->obj = (uint32_t)number(f[6]);
	e->from = read_path(f[8]);
	return 0;
}

/* 1 at the end. */
static int read_record(struct sl_view_changes *c, char *line)
{
	char *f[FIELDS], *save = NULL;
	size_t n = 0;

	for (char *t = strtok_r(line, " ", &save); t && n < FIELDS; t = strtok_r(NULL, " ", &save))
		f[n++] = t;
	if (!n)
		return -EINVAL;
	if (strcmp(f[0], "head") == 0 && n == 5 && !c->lower) {
		c->started_ns = strtoll(f[1], NULL, 10);
		c->id = (uint32_t)number(f[2]);
		c->objects_name = read_path(f[3]);
		c->lower = read_path(f[4]);
		return c->objects_name && c->lower && !strchr(c->objects_name, '/') ? 0 : -EINVAL;
	}
	if (strcmp(f[0], "object") == 0 && n == 13) {
		read_object(c, f);
		return 0;
	}
	if (strcmp(f[0], "step") == 0 && n == 6)
		return read_step(c, f);
	if (strcmp(f[0], "change") == 0 && n == 9)
		return read_change(c, f);
	if (strcmp(f[0], "end") == 0 && n == 4)
		return number(f[1]) == c->objs_len && number(f[2]) == c->steps_len && number(f[3]) == c->len
			   ? 1
			   : -EINVAL;
	return -EINVAL;
}

static int read_text(struct sl_view_changes *c, char *text)
{
	char *save = NULL, *line = strtok_r(text, "\n", &save);
	int r = line && strcmp(line, MAGIC) == 0 ? 0 : -EINVAL;

	while (r == 0)
		r = (line = strtok_r(NULL, "\n", &save)) != NULL ? read_record(c, line) : -EINVAL;
	return r == 1 && c->lower ? 0 : -EINVAL;
}

static int read_file(int upper, char **ret)
{
	SL_CLOSE int fd = openat(upper, SL_VIEW_CHANGES, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	SL_FREE char *text = NULL;
	struct stat st;
	size_t len = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	text = sl_xmalloc((size_t)st.st_size + 1);
	while (len < (size_t)st.st_size) {
		ssize_t n = read(fd, text + len, (size_t)st.st_size - len);

		if (n <= 0)
			return n < 0 ? -errno : -EINVAL;
		len += (size_t)n;
	}
	text[len] = '\0';
	*ret = SL_TAKE_PTR(text);
	return 0;
}

int sl_view_changes_load(int upper, struct sl_view_changes **ret)
{
	struct sl_view_changes *c = sl_xcalloc(1, sizeof(*c));
	SL_FREE char *text = NULL;
	int r = read_file(upper, &text);

	c->upper = -EBADF;
	c->objects = -EBADF;
	if (r == 0)
		r = read_text(c, text);
	if (r == 0) {
		c->upper = openat(upper, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		c->objects = openat(upper, c->objects_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = c->upper < 0 || c->objects < 0 ? -errno : 0;
	}
	if (r < 0) {
		sl_view_changes_free(c);
		return r;
	}
	sl_vplan_read_progress(c);
	*ret = c;
	return 0;
}

int sl_view_changes_drop(struct sl_view_changes *c)
{
	if (c->upper >= 0)
		unlinkat(c->upper, SL_VIEW_PROGRESS, 0);
	/* The list last: until then it can be dropped again. */
	if (c->objects >= 0) {
		SL_CLOSEDIR DIR *d = NULL;
		const struct dirent *e;
		int list = openat(c->objects, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		d = list < 0 ? NULL : fdopendir(list);
		while (d && (e = readdir(d)) != NULL) {
			if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
			    unlinkat(c->objects, e->d_name, 0) < 0 && errno == EISDIR)
				unlinkat(c->objects, e->d_name, AT_REMOVEDIR);
		}
		if (!d)
			sl_close(list);
		if (c->upper >= 0 && unlinkat(c->upper, c->objects_name, AT_REMOVEDIR) < 0 && errno != ENOENT)
			return -errno;
	}
	if (c->upper < 0)
		return 0;
	unlinkat(c->upper, FRESH, 0);
	return unlinkat(c->upper, SL_VIEW_CHANGES, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* ---- conflicts ---- */

static int64_t changed_ns(const struct stat *st)
{
	return st->st_ctim.tv_sec * 1000000000LL + st->st_ctim.tv_nsec;
}

/* Was anything below changed, or added, since the view was made? */
static bool tree_changed(const struct sl_view_changes *c, int dir, const char *name)
{
	SL_CLOSEDIR DIR *d = NULL;
	const struct dirent *e;
	struct stat st;
	int fd;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (changed_ns(&st) > c->started_ns)
		return true;
	if (!S_ISDIR(st.st_mode))
		return false;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		sl_close(fd);
		return false; /* not to be read: removing it will say so */
	}
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		    tree_changed(c, fd, e->d_name))
			return true;
	}
	return false;
}

/* What is wrong with the step's object; NULL: nothing. */
static const char *conflict_of(const struct sl_view_changes *c, const struct sl_vstep *s, int target)
{
	const struct sl_vobject *o = s->object ? &c->objs[s->object - 1] : NULL;
	bool lower = s->op == SL_VSTEP_CONTENTS || s->op == SL_VSTEP_TAKE || s->op == SL_VSTEP_REMOVE;
	const char *name;
	SL_CLOSE int dir = -EBADF;
	struct stat st;

	if (!lower && !(s->was_there && s->op != SL_VSTEP_STAGE && s->op != SL_VSTEP_UNSTAGE))
		return NULL;
	dir = sl_vplan_open_parent(target, s->path, &name);
	if (dir < 0)
		return s->op == SL_VSTEP_REMOVE ? NULL : "its directory is gone";
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return s->op == SL_VSTEP_CONTENTS || s->op == SL_VSTEP_TAKE ? "it was removed meanwhile"
									    : NULL;
	if (!lower)
		return "it was made by somebody else meanwhile";
	if (st.st_ino != (o ? o->ino : s->ino))
		return "it was replaced meanwhile";
	if (s->op == SL_VSTEP_CONTENTS && o && o->seen_ns && changed_ns(&st) != o->seen_ns)
		return "it was changed meanwhile";
	if (s->op == SL_VSTEP_REMOVE && tree_changed(c, dir, name))
		return "it was changed meanwhile";
	return NULL;
}

int sl_view_changes_check(const struct sl_view_changes *c, int target,
			  void (*conflict)(void *arg, const char *path, const char *what), void *arg)
{
	int found = 0;

	for (size_t i = 0; i < c->steps_len; i++) {
		const char *what = conflict_of(c, &c->steps[i], target);

		if (!what)
			continue;
		found++;
		if (conflict)
			conflict(arg, c->steps[i].path, what);
	}
	return found;
}
