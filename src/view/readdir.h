/*
 * readdir.h - the names of a directory of the view.
 */
#ifndef SL_VIEW_READDIR_H
#define SL_VIEW_READDIR_H

#include "view/node.h"

/* 0 where the directory has no names, -ENOTEMPTY, or what listing failed with. */
int sl_vdir_check_empty(struct sl_vnode *dir);

/* Forget what a file has listed. */
void sl_vlisted_free(struct sl_view_file *f);

#endif
