/*
 * memory.c - the look at a sandbox's memory; see memory.h.
 *
 * The quick way reads one summary a process (smaps_rollup) and one stat a descriptor. Shared memory that is
 * mapped is in the summaries, and as a descriptor, a segment or a file it is an object as well: the quick way
 * counts it twice. The exact way reads each mapping (smaps) and leaves out those of objects.
 *
 * Two processes with one memory (vfork, CLONE_VM) are told by kcmp(2). Where a container forbids that, a
 * parent that sleeps in a fork while its child has exactly its figures is taken for such a pair.
 */
#include "supervise/memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/macros.h"
#include "base/strbuf.h"
#include "kernel/usage.h"
#include "supervise/members.h"

#define BLOCK	  512 /* the unit of st_blocks */
#define DEPTH_MAX 200

void sl_segment_makers_add(struct sl_segment_makers *m, pid_t pid)
{
	size_t count = m->count;

	for (size_t i = 0; i < count && i < SL_SEGMENT_MAKERS_MAX; i++)
		if (m->pids[i] == pid)
			return;
	if (count < SL_SEGMENT_MAKERS_MAX)
		m->pids[count] = pid;
	if (count <= SL_SEGMENT_MAKERS_MAX)
		__atomic_store_n(&m->count, count + 1, __ATOMIC_RELEASE);
}

static bool is_maker(const struct sl_segment_makers *m, pid_t pid)
{
	size_t count = m ? __atomic_load_n(&m->count, __ATOMIC_ACQUIRE) : 0;

	if (count > SL_SEGMENT_MAKERS_MAX)
		return true;
	for (size_t i = 0; i < count; i++)
		if (m->pids[i] == pid)
			return true;
	return false;
}

static int compare_objects(const void *a, const void *b)
{
	const struct sl_memory_object *x = a, *y = b;

	if (x->sysv != y->sysv)
		return x->sysv ? 1 : -1;
	if (x->dev != y->dev)
		return x->dev > y->dev ? 1 : -1;
	return (x->ino > y->ino) - (x->ino < y->ino);
}

static void add_object(struct sl_memory_objects *o, struct sl_memory_object object)
{
	if (o->count == o->cap) {
		o->cap = o->cap ? 2 * o->cap : 32;
		o->items = sl_xrealloc(o->items, o->cap * sizeof(*o->items));
	}
	o->items[o->count++] = object;
}

static void sort_unique(struct sl_memory_objects *o)
{
	size_t kept = 0;

	if (o->count)
		qsort(o->items, o->count, sizeof(*o->items), compare_objects);
	for (size_t i = 0; i < o->count; i++)
		if (!kept || compare_objects(&o->items[kept - 1], &o->items[i]) != 0)
			o->items[kept++] = o->items[i];
	o->count = kept;
}

static const struct sl_memory_object *find_object(const struct sl_memory_objects *o,
						  struct sl_memory_object key)
{
	return o->count ? bsearch(&key, o->items, o->count, sizeof(*o->items), compare_objects) : NULL;
}

static void objects_release(struct sl_memory_objects *o)
{
	free(o->items);
	*o = (struct sl_memory_objects){0};
}

static bool in_memory(const struct statfs *fs)
{
	switch ((unsigned long)fs->f_type) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case HUGETLBFS_MAGIC:
		return true;
	default:
		return false;
	}
}

/* One look's state. */
struct look {
	struct sl_memory_meter *meter;
	struct sl_memory_objects objects;
	pid_t *pids;
	size_t pid_count, pid_cap;
	dev_t memory_dev, other_dev; /* the last devices that were asked about */
	int64_t shared_bytes;	     /* mapped, as the summaries say */
};

/* Is the device of this open file one that keeps its files in memory? */
static bool dev_in_memory(struct look *look, int dir, const char *name, dev_t dev)
{
	struct statfs fs;
	char path[64];

	if (dev == look->meter->shm_dev || dev == look->memory_dev)
		return true;
	if (dev == look->other_dev || major(dev) != 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%.20s", dir, name);
	if (statfs(path, &fs) == 0 && in_memory(&fs)) {
		look->memory_dev = dev;
		return true;
	}
	look->other_dev = dev;
	return false;
}

/* The files in memory among the descriptors of /proc/PID/fd (or task/TID/fd). */
static void add_descriptors(struct look *look, const char *path)
{
	SL_CLOSEDIR DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		struct stat file, link;

		if (entry->d_name[0] == '.' || fstatat(dirfd(dir), entry->d_name, &file, 0) < 0 ||
		    !S_ISREG(file.st_mode) || !file.st_blocks ||
		    !dev_in_memory(look, dirfd(dir), entry->d_name, file.st_dev))
			continue;
		/* A file with a name is somebody's who has it open for writing: the link's mode tells. */
		if (file.st_nlink && (fstatat(dirfd(dir), entry->d_name, &link, AT_SYMLINK_NOFOLLOW) < 0 ||
				      !(link.st_mode & S_IWUSR)))
			continue;
		add_object(&look->objects, (struct sl_memory_object){file.st_dev, file.st_ino, false,
								     (int64_t)file.st_blocks * BLOCK});
	}
}

static bool same(pid_t a, pid_t b, int what, bool *ret_known)
{
	long r = syscall(SYS_kcmp, a, b, what, 0, 0);

	*ret_known = r >= 0 || errno == ESRCH;
	return r == 0;
}

/* The descriptors of a process, and of those of its threads that have a table of their own. */
static void add_process_descriptors(struct look *look, pid_t pid)
{
	SL_CLOSEDIR DIR *tasks = NULL;
	struct dirent *entry;
	char path[320];

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	add_descriptors(look, path);
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
		bool known;

		if (tid <= 0 || tid == pid || same(pid, tid, KCMP_FILES, &known))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%d/fd", (int)pid, (int)tid);
		add_descriptors(look, path);
	}
}

/* A directory that cannot be looked into, because it is too deep or closed to us: what may be in it is all
 * that its file system holds. */
static void add_file_system(struct look *look, int dir, dev_t dev)
{
	struct statfs fs;

	if (fstatfs(dir, &fs) == 0)
		add_object(&look->objects,
			   (struct sl_memory_object){dev, 0, false,
						     (int64_t)(fs.f_blocks - fs.f_bfree) * fs.f_bsize});
}

/* All files below a directory on its file system. */
static void add_tree(struct look *look, int dir_fd, dev_t dev, int depth)
{
	SL_CLOSEDIR DIR *dir = fdopendir(dir_fd);
	struct dirent *entry;

	if (!dir) {
		sl_close(dir_fd);
		return;
	}
	while ((entry = readdir(dir))) {
		struct stat st;
		int sub;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != dev)
			continue;
		if (S_ISREG(st.st_mode) && st.st_blocks)
			add_object(&look->objects, (struct sl_memory_object){st.st_dev, st.st_ino, false,
									     (int64_t)st.st_blocks * BLOCK});
		if (!S_ISDIR(st.st_mode))
			continue;
		sub = depth == DEPTH_MAX ? -ELOOP
					 : openat(dirfd(dir), entry->d_name,
						  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			add_tree(look, sub, dev, depth + 1);
		else if (sub == -ELOOP || errno != ENOENT)
			add_file_system(look, dirfd(dir), dev);
	}
}

static void add_tmp_dir(struct look *look)
{
	const struct sl_memory_meter *m = look->meter;
	struct stat st;
	int fd;

	if (!m->tmp_in_memory)
		return;
	fd = open(m->tmp_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0)
		add_tree(look, fd, st.st_dev, 0);
	else
		sl_close(fd);
}

/* SysV segments of the makers; all of them where all is wanted. */
static void add_segments(struct sl_memory_objects *objects, const struct sl_memory_meter *m, bool all)
{
	SL_FCLOSE FILE *f = NULL;
	char line[512];

	if (!all && (!m->makers || !__atomic_load_n(&m->makers->count, __ATOMIC_ACQUIRE)))
		return;
	f = fopen("/proc/sysvipc/shm", "re");
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long long field[16] = {0};
		char *at = line, *end;
		size_t n = 0;

		/* key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime rss swap; the key
		 * can be negative */
		for (; n < SL_ARRAY_LEN(field); n++, at = end) {
			field[n] = strtoull(at, &end, n == 2 ? 8 : 10);
			if (end == at)
				break;
		}
		if (n == SL_ARRAY_LEN(field) && (all || is_maker(m->makers, (pid_t)field[4])))
			add_object(objects, (struct sl_memory_object){m->shm_dev, (ino_t)field[1], true,
								      (int64_t)(field[14] + field[15])});
	}
}

/* What the objects hold that was not there before the command. */
static int64_t objects_bytes(const struct look *look)
{
	int64_t sum = 0;

	for (size_t i = 0; i < look->objects.count; i++) {
		const struct sl_memory_object *o = &look->objects.items[i];
		const struct sl_memory_object *old = find_object(&look->meter->before, *o);

		sum += old ? SL_MAX(o->bytes - old->bytes, 0) : o->bytes;
	}
	return sum;
}

static void note_pid(pid_t pid, void *arg)
{
	struct look *look = arg;

	if (look->pid_count == look->pid_cap) {
		look->pid_cap = look->pid_cap ? 2 * look->pid_cap : 64;
		look->pids = sl_xrealloc(look->pids, look->pid_cap * sizeof(*look->pids));
	}
	look->pids[look->pid_count++] = pid;
}

static bool is_member(const struct look *look, pid_t pid)
{
	for (size_t i = 0; i < look->pid_count; i++)
		if (look->pids[i] == pid)
			return true;
	return false;
}

/* Has the process its parent's memory, which is counted there? */
static bool has_parents_memory(const struct look *look, pid_t pid, pid_t parent,
			       const struct sl_usage_memory *memory)
{
	struct sl_usage_memory of_parent;
	bool known, is_same;
	int nr = -1;

	if (!is_member(look, parent))
		return false;
	is_same = same(pid, parent, KCMP_VM, &known);
	if (known)
		return is_same;
	if (sl_usage_call(parent, &nr) != SL_USAGE_CALL)
		return false;
	if (nr != __NR_clone
#ifdef __NR_vfork
	    && nr != __NR_vfork
#endif
	)
		return false;
	return sl_usage_memory(parent, &of_parent) == 0 && of_parent.private_bytes == memory->private_bytes &&
	       of_parent.shared_bytes == memory->shared_bytes;
}

static void add_process(struct look *look, pid_t pid)
{
	struct sl_memory_meter *m = look->meter;
	struct sl_usage_memory memory;
	struct sl_usage_stat stat;

	if (sl_usage_stat(pid, &stat) < 0)
		return;
	if (m->keep_peak)
		sl_usage_peak_add(&m->peak, pid);
	add_process_descriptors(look, pid);
	if (sl_usage_memory(pid, &memory) < 0 || has_parents_memory(look, pid, stat.ppid, &memory))
		return;
	m->total_bytes += memory.private_bytes;
	look->shared_bytes += memory.shared_bytes;
	if (memory.private_bytes + memory.shared_bytes > m->largest_bytes) {
		m->largest = pid;
		m->largest_bytes = memory.private_bytes + memory.shared_bytes;
	}
}

/* Is the mapping of an object? Its first line in smaps is "START-END PERMS OFFSET MAJOR:MINOR INODE PATH". */
static bool mapped_object(const struct look *look, const char *line)
{
	struct sl_memory_object key = {0};
	unsigned long major_nr;
	const char *at = line;
	char *end;

	for (int skip = 0; skip < 3 && at; skip++) {
		at = strchr(at, ' ');
		at += at != NULL;
	}
	if (!at)
		return false;
	major_nr = strtoul(at, &end, 16);
	if (*end != ':')
		return false;
	key.dev = makedev((unsigned int)major_nr, (unsigned int)strtoul(end + 1, &end, 16));
	key.ino = (ino_t)strtoull(end, &end, 10);
	key.sysv = !strncmp(end + strspn(end, " "), "/SYSV", 5);
	return key.ino && find_object(&look->objects, key);
}

/* How much of the process's shared memory is mapped from objects, in proportion. */
static int64_t mapped_objects_bytes(const struct look *look, pid_t pid)
{
	SL_FCLOSE FILE *f = NULL;
	SL_FREE char *line = NULL;
	char path[64];
	int64_t sum = 0;
	size_t size = 0;
	bool ours = false;

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	f = fopen(path, "re");
	while (f && getline(&line, &size, f) > 0) {
		/* Only the first lines of mappings begin with a lower-case digit. */
		if (strchr("0123456789abcdef", line[0]))
			ours = mapped_object(look, line);
		else if (ours && !strncmp(line, "Pss:", 4))
			sum += strtoll(line + 4, NULL, 10) * 1024;
	}
	return sum;
}

static int64_t counted_twice(const struct look *look)
{
	int64_t sum = 0;

	for (size_t i = 0; i < look->pid_count; i++)
		sum += mapped_objects_bytes(look, look->pids[i]);
	return SL_MIN(sum, look->shared_bytes);
}

void sl_memory_measure(struct sl_memory_meter *m, int64_t bound_bytes)
{
	struct look look = {.meter = m, .memory_dev = m->shm_dev, .other_dev = (dev_t)-1};
	int64_t objects;

	m->total_bytes = m->largest_bytes = 0;
	m->largest = 0;
	sl_members_each(m->who, note_pid, &look);
	for (size_t i = 0; i < look.pid_count; i++)
		add_process(&look, look.pids[i]);
	add_tmp_dir(&look);
	add_segments(&look.objects, m, false);
	sort_unique(&look.objects);
	objects = objects_bytes(&look);
	m->total_bytes += look.shared_bytes + objects;
	if (m->total_bytes > bound_bytes && objects && look.shared_bytes)
		m->total_bytes -= counted_twice(&look);
	objects_release(&look.objects);
	free(look.pids);
}

void sl_memory_meter_init(struct sl_memory_meter *m)
{
	struct look look = {.meter = m, .other_dev = (dev_t)-1};
	SL_CLOSE int fd = (int)syscall(SYS_memfd_create, "sandlock", MFD_CLOEXEC);
	struct statfs fs;
	struct stat st;

	m->shm_dev = fd >= 0 && fstat(fd, &st) == 0 ? st.st_dev : (dev_t)-1;
	look.memory_dev = m->shm_dev;
	m->tmp_in_memory = m->tmp_dir && statfs(m->tmp_dir, &fs) == 0 && in_memory(&fs);
	add_descriptors(&look, "/proc/self/fd");
	if (m->makers)
		add_segments(&look.objects, m, true);
	sort_unique(&look.objects);
	m->before = look.objects;
}

void sl_memory_meter_release(struct sl_memory_meter *m)
{
	objects_release(&m->before);
}
