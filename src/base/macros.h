/*
 * macros.h - clean-up attributes and small helpers that every stratum uses.
 */
#ifndef SL_BASE_MACROS_H
#define SL_BASE_MACROS_H

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SL_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define SL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define SL_UNUSED __attribute__((unused))
#define SL_MIN(a, b) ((a) < (b) ? (a) : (b))
#define SL_MAX(a, b) ((a) > (b) ? (a) : (b))

/* Hand a pointer or descriptor over: the variable no longer owns it. */
#define SL_TAKE_PTR(p)                   \
	({                               \
		__typeof__(p) t_ = (p);  \
		(p) = NULL;              \
		t_;                      \
	})
#define SL_TAKE_FD(fd)             \
	({                         \
		int t_ = (fd);     \
		(fd) = -EBADF;     \
		t_;                \
	})

/* Close a descriptor if it is one, keeping errno. Returns -EBADF, for assignment. */
static inline int sl_close(int fd)
{
	if (fd >= 0) {
		int saved = errno;

		close(fd);
		errno = saved;
	}
	return -EBADF;
}

static inline void sl_cleanup_close(int *fd)
{
	*fd = sl_close(*fd);
}

static inline void sl_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void sl_cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void sl_cleanup_closedir(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define SL_CLEANUP(fn) __attribute__((cleanup(fn)))
#define SL_CLOSE SL_CLEANUP(sl_cleanup_close)
#define SL_FREE SL_CLEANUP(sl_cleanup_free)
#define SL_FCLOSE SL_CLEANUP(sl_cleanup_fclose)
#define SL_CLOSEDIR SL_CLEANUP(sl_cleanup_closedir)

#endif
