/*
 * node.h - the view's index: nodes, which are inodes, and the names that differ from the lower's.
 *
 * A node stands for one object of the view while somebody uses it, and for as long as it differs from the
 * lower. Names of a directory are those of its lower directory but for the entries kept here: an entry with a
 * node is a name that the view gave, an entry without one is a whiteout. A directory without a lower is
 * opaque by nature. A "clean" entry is no change: it only finds the node of a lower subdirectory that is in
 * use, so that "..", renames of ancestors and whoever has it open agree on one node.
 *
 * Lower files that have a node are found by device and inode number as well: each of a file's hard links
 * leads to the same node, whichever name was changed.
 *
 * Lifetime: uses (walks, open files) keep the lower's descriptor open; pins (changed entries that name the
 * node or lie in it, children, a difference from the lower) keep only the memory. With neither, the node is
 * freed. The last directories of the lower that were used stay in use, until sl_view_forget().
 *
 * Owner and mode are remembered: of what the upper has because nobody but the view changes them (set-id bits of
 * files go with a write, and are asked for), of the lower's directories while they are in use. So are access lists
 * of directories.
 */
#ifndef SL_VIEW_NODE_H
#define SL_VIEW_NODE_H

#include "base/macros.h"
#include "view/store.h"
#include "view/view.h"

struct sl_ventry {
	struct sl_ventry *hash_next;
	struct sl_ventry *next, *prev; /* of the same directory */
	struct sl_vnode *dir;
	struct sl_vnode *node; /* NULL: whiteout */
	bool clean : 1;	       /* see above; the node is not pinned */
	bool covers : 1;       /* the lower directory has this name */
	bool hidden : 1;       /* see sl_view_hide(): no change */
	char name[];	       /* NUL-terminated */
};

struct sl_vnode {
	struct sl_view *view;
	struct sl_vnode *parent; /* of a directory, pinned; NULL: the root */
	struct sl_ventry *self;	 /* of a directory: its name in parent; NULL: the root, or removed.
				  * Of others: see sl_vnode_name(), which finds another where NULL */
	union {
		struct sl_ventry *entries; /* of a directory */
		int64_t changed_ns;	   /* of others: see sl_vnode_changed_ns() */
	};
	struct sl_view_file *files; /* open ones */
	char *lower;		    /* path below the lower's root; NULL: made in the view */
	ino_t ino;		    /* as shown; of a lower object its own, before and after copy-up */
	uint32_t dev;		    /* as shown: of the kernel's 32 bits */
	int lower_fd;		    /* O_PATH, while used */
	unsigned int uses;
	unsigned int pins;
	uint32_t obj;	      /* in the upper; 0: unchanged */
	uint32_t lower_links; /* st_nlink in the lower; of a new directory 2, of other new objects 0 */
	int links_delta;      /* names given and taken by the view; of a directory: subdirectories */
	mode_t mode;	      /* type; permissions too where foreign, withheld or known */
	uid_t uid;	      /* where foreign or known */
	gid_t gid;
	uint32_t staged;      /* while a list of changes is made: its object's number there */
	bool known : 1;	      /* owner and mode are those here */
	bool lists_known : 1; /* of a directory: whether it has ... */
	bool access_list : 1; /* ... an access list */
	bool new_list : 1;    /* ... one for what is made in it */
	bool real : 1;	      /* others change it: see sl_view_set_real() */
	bool foreign : 1;     /* the upper's object could not be given the owner that is shown */
	bool standin : 1;     /* obj has only the attributes: contents, or the object itself, stay the lower's */
	bool dead : 1;	      /* a removed directory */
	bool procfs : 1;      /* a directory of a procfs */
	bool capable : 1;     /* a file that has, or had, capabilities */
	bool withheld : 1;    /* the upper's object may be executed by its owner alone: what others may is in mode */
	bool linkable : 1;    /* made by O_TMPFILE without O_EXCL, never had a name */
	bool kept : 1;	      /* pinned for differing from the lower */
	bool attrs : 1;	      /* mode, owner or access list were changed: it lets others in than the lower's */
};

/* What directories and objects of the lower have besides. */
struct sl_vlower {
	struct sl_vnode node;
	struct sl_vnode *hash_next; /* of the lower's, by dev and ino */
	dev_t rdev;
	int64_t seen_ns;    /* change time of the lower when it was copied up */
	int64_t changed_ns; /* of a directory */
};

static inline struct sl_vlower *sl_vlower(struct sl_vnode *n)
{
	return (struct sl_vlower *)(void *)n;
}

struct sl_view_file {
	struct sl_vnode *node; /* used */
	struct sl_view_file *next, *prev;
	int fd;
	int flags;
	struct sl_vlisted *listed; /* see readdir.c */
	size_t listed_len;
};

#define SL_VOBJ_PAGE 512
#define SL_VRECENT   64
#define SL_VMOUNTS   8

struct sl_vobj_page {
	unsigned int len; /* not NULL */
	struct sl_vnode *nodes[SL_VOBJ_PAGE];
};

struct sl_view {
	struct sl_vstore store;
	int lower;
	struct sl_vnode *root;
	struct sl_ventry **entries; /* hash table */
	size_t entries_cap, entries_len;
	struct sl_vnode **nodes; /* hash table of those with a lower */
	size_t nodes_cap, nodes_len;
	struct sl_vobj_page **objs; /* nodes by their number in the upper */
	size_t objs_cap;
	struct sl_vnode *recent[SL_VRECENT]; /* directories of the lower, each used once for being here */
	size_t recent_next;
	bool (*real)(const char *lower, void *arg); /* see sl_view_set_real() */
	void *real_arg;
	int64_t started_ns;
	bool shared; /* other users may reach the upper's objects */
	ino_t next_ino; /* for objects of an upper on another device */
	struct {
		dev_t dev;
		bool known, procfs;
	} mounts[SL_VMOUNTS]; /* what is asked of every directory that is met */
	size_t next_mount;
	void (*copied)(struct sl_vnode *n, void *arg); /* see handle.h */
	void *copied_arg;
	int protected_symlinks, protected_hardlinks, protected_regular, protected_fifos; /* fs.protected_* */
};

#define SL_VNODE SL_CLEANUP(sl_vnode_cleanup) struct sl_vnode

static inline bool sl_vnode_is_dir(const struct sl_vnode *n)
{
	return S_ISDIR(n->mode);
}

/* When a name of it was last given or taken, where no I/O did so; 0: never. */
static inline int64_t sl_vnode_changed_ns(const struct sl_vnode *n)
{
	return sl_vnode_is_dir(n) ? ((const struct sl_vlower *)(const void *)n)->changed_ns : n->changed_ns;
}

/* Of a device of the lower: which one. */
static inline dev_t sl_vnode_rdev(struct sl_vnode *n)
{
	return n->lower ? sl_vlower(n)->rdev : 0;
}

struct sl_vnode *sl_vnode_use(struct sl_vnode *n);
void sl_vnode_unuse(struct sl_vnode *n); /* NULL is accepted */
static inline void sl_vnode_cleanup(struct sl_vnode **n)
{
	sl_vnode_unuse(*n);
}

/* A node for the lower object behind an O_PATH descriptor, which it takes, also on failure; or the one that
 * stands for it already. lower: its path, taken. Used once by the caller. -errno. */
int sl_vnode_lower(struct sl_view *v, int fd, char *lower, struct sl_vnode **ret);

/* A node for a new object of the upper, which st is of, shown on the device of dir. Used once by the caller. */
struct sl_vnode *sl_vnode_upper(struct sl_view *v, uint32_t obj, const struct stat *st, const struct sl_vnode *dir);

/* The node of a number in the upper, not used by the caller; NULL. */
struct sl_vnode *sl_vnode_of_object(const struct sl_view *v, uint32_t obj);

void sl_vnode_set_object(struct sl_vnode *n, uint32_t obj);

/* The node that stands for a lower object, by its numbers and, for directories, its lower path, not used by
 * the caller; NULL. */
struct sl_vnode *sl_vnode_find(const struct sl_view *v, const struct stat *st, const char *lower);

/* The node that stands for what the lower has at a path below its root ("" is the root; no "." or ".."; no
 * symbolic link is followed), under whatever name the view has it now; what the view removed has no link.
 * Used once by the caller. -errno. */
int sl_vnode_at_lower(struct sl_view *v, const char *path, struct sl_vnode **ret);

/* A name of the lower's, which the view hides without counting as a change. dir has a lower. */
void sl_vnode_hide(struct sl_vnode *dir, const char *name);

/* The object of a name. -ENOENT, -ENAMETOOLONG, the lower's errors. Used once by the caller. */
int sl_vnode_lookup(struct sl_vnode *dir, const char *name, struct sl_vnode **ret);

/* O_PATH descriptor of the lower object, the node's own, valid while it is used. -errno. */
int sl_vnode_lower_fd(struct sl_vnode *n);

/* A new descriptor of what holds the object's attributes: upper or lower, O_PATH. -errno. */
int sl_vnode_attr_fd(struct sl_vnode *n);

/* What a permission check is about, as the view shows it: st_mode, st_uid and st_gid alone are set, and set-id bits only
 * of directories. -errno. */
int sl_vnode_owner(struct sl_vnode *n, struct stat *ret);

/* Owner, mode or lists may be others than those that are remembered. */
void sl_vnode_forget_owner(struct sl_vnode *n);

/* As the view shows it. -errno. */
int sl_vnode_stat(struct sl_vnode *n, struct stat *ret);
/* statx(2): mask is STATX_*, sync AT_STATX_*SYNC or 0. */
int sl_vnode_statx(struct sl_vnode *n, int sync, unsigned int mask, struct statx *ret);

/* Number of names (of a directory: as st_nlink has it). */
unsigned int sl_vnode_links(const struct sl_vnode *n);

/* A name that the view gave to what is no directory and has not taken away: the last one, or where that is gone any
 * other (found by looking through all of them). NULL: none, or only the lower's. */
struct sl_ventry *sl_vnode_name(struct sl_vnode *n);

/* Give node a name in dir, which has no other object under it (see sl_vnode_unlink). */
void sl_vnode_link(struct sl_vnode *dir, const char *name, struct sl_vnode *n);

/* Take the name of node in dir away. */
void sl_vnode_unlink(struct sl_vnode *dir, const char *name, struct sl_vnode *n);

/* A removed directory: nothing is found or made in it any more. */
void sl_vnode_kill_dir(struct sl_vnode *n);

/* Keep or drop what is only kept for differing from the lower: after obj was set. */
void sl_vnode_settle(struct sl_vnode *n);

/* The changed or clean entry of a name; NULL. */
struct sl_ventry *sl_ventry_find(const struct sl_vnode *dir, const char *name);

/* Free every entry and node but the root; no file is open. */
void sl_vnode_clear(struct sl_view *v);

/* Is a below b, or b itself? Directories. */
bool sl_vnode_within(const struct sl_vnode *a, const struct sl_vnode *b);

/* An O_PATH file of the node. */
struct sl_view_file *sl_view_reference(struct sl_vnode *n);

/* A lower directory opened for listing. -errno. */
int sl_vnode_open_lower_dir(struct sl_vnode *dir);

#endif
