/*
 * fd.h - what is done with descriptors that one system call does not do.
 */
#ifndef SL_BASE_FD_H
#define SL_BASE_FD_H

#include <stddef.h>

/* Write all len bytes, going on after a signal and after a short write. 0 or -errno. */
int sl_write_all(int fd, const char *data, size_t len);

#endif
