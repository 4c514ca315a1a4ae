/*
 * copy-up.h - taking a lower object into the upper before its first change, and the copying that merging
 * needs too.
 */
#ifndef SL_VIEW_COPY_UP_H
#define SL_VIEW_COPY_UP_H

#include "view/node.h"

#define SL_VCOPY_PIECE (1 << 20) /* bytes that are copied between two passages of the gate */
#define SL_VCOPY_ALL INT64_MAX

/* Give the node an object in the upper with all that the lower has: contents up to limit bytes, holes kept,
 * xattrs, owner where it may, mode, times. Devices, FIFOs and sockets get a stand-in with the attributes
 * alone. Files opened before get descriptors of the copy. Nothing has happened on failure. 0 at once where
 * there is an object already. */
int sl_vcopy_up(struct sl_vnode *n, off_t limit);

/* The same for a call that changes only attributes: what a regular file contains stays in the lower until
 * sl_vcopy_up() is asked for it. */
int sl_vcopy_up_attributes(struct sl_vnode *n);

/* The same for a call that sets the size to limit next: what is cut off is not copied, unless somebody has
 * the file open. *ret_made: sl_vcopy_drop() must undo it if that call fails. */
int sl_vcopy_up_sized(struct sl_vnode *n, off_t limit, bool *ret_made);
void sl_vcopy_drop(struct sl_vnode *n);

/* Set owner and mode of the node's object in the upper; where the owner may not be given the node remembers
 * it. */
int sl_vnode_own(struct sl_vnode *n, uid_t uid, gid_t gid, mode_t mode);
/* The same of an object that has those of st now. */
int sl_vnode_own_as(struct sl_vnode *n, const struct stat *st, uid_t uid, gid_t gid, mode_t mode);

/* The name of a directory was made or removed: its times. Its object must exist. A failure is of no
 * consequence. */
void sl_vnode_touch(struct sl_vnode *dir);

/* Copy contents up to limit bytes: by reflink, else what is no hole by copy_file_range(2), else by hand. to
 * is empty. Each I/O asks the gate of s, which may be NULL. */
int sl_vcopy_data(struct sl_vstore *s, int from, int to, off_t limit);

/* Make the xattrs of to those of from; both are any descriptors. Those in the namespaces of the kernel are
 * left out where we may not set them. exact: remove others. */
int sl_vcopy_xattrs(struct sl_vstore *s, int from, int to, bool exact);

/* The attribute that holds a program's capabilities. */
#define SL_XATTR_CAPABILITY "security.capability"

#endif
