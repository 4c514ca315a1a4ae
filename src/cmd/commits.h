/*
 * commits.h - which kept changes are being committed, so that the next run may go on with them by itself when that was
 * killed.
 *
 * What lies in a directory that everybody may write, and says of itself that it was begun to be applied, proves nothing: a
 * command could have made it. So an upper is marked by an extended attribute of a name that no command can give
 * (SL_MARK, supervise/change.h), which tells the list in it from every other.
 */
#ifndef SL_CMD_COMMITS_H
#define SL_CMD_COMMITS_H

/* Mark the upper, whose changes are about to be applied. Where that cannot be done they must be gone on with by hand. */
void sl_commits_mark(const char *upper);

/* Call visit with each marked upper of ours, in storage (may be NULL) and where uppers usually are. Ends with the first
 * result that is not 0, and returns it. */
int sl_commits_each(const char *storage, int (*visit)(const char *upper, void *arg), void *arg);

#endif
