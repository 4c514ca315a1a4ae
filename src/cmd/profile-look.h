/*
 * profile-look.h - what `profile merge` and `profile diff` ask of the file system.
 */
#ifndef SL_CMD_PROFILE_LOOK_H
#define SL_CMD_PROFILE_LOOK_H

#include "profile/cover.h"

/* The file system as it is now. */
extern const struct sl_look sl_profile_look;

/* Make the relative paths of a version 1 profile absolute, from the working directory, with a warning for
 * each. */
void sl_profile_make_absolute(struct sl_profile *p);

#endif
