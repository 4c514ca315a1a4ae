/*
 * banned.h - functions whose correct use nobody can see at the call are compile errors here.
 *
 * The build includes this file in front of every C file. The declaring headers are read first, so that only
 * uses in the project meet the macros. What to use instead stands in each name.
 */
#ifndef SL_BASE_BANNED_H
#define SL_BASE_BANNED_H

#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef strtok
#undef atoi
#undef atol
#undef atoll
#undef system
#undef popen
#undef mktemp
#undef tmpnam
#undef alloca

#define strcpy(...) banned_strcpy_use_sl_strbuf_or_snprintf
#define strcat(...) banned_strcat_use_sl_strbuf
#define strncpy(...) banned_strncpy_use_snprintf_or_memcpy
#define strncat(...) banned_strncat_use_sl_strbuf
#define sprintf(...) banned_sprintf_use_snprintf_or_sl_strbuf_addf
#define vsprintf(...) banned_vsprintf_use_vsnprintf
#define gets(...) banned_gets_use_getline
#define strtok(...) banned_strtok_use_strchr_or_strsep
#define atoi(...) banned_atoi_use_strtol_and_check
#define atol(...) banned_atol_use_strtol_and_check
#define atoll(...) banned_atoll_use_strtoll_and_check
#define system(...) banned_system_use_posix_spawn
#define popen(...) banned_popen_use_posix_spawn
#define mktemp(...) banned_mktemp_use_mkostemp_or_mkdtemp
#define tmpnam(...) banned_tmpnam_use_mkostemp
#define alloca(...) banned_alloca_use_malloc

#endif
