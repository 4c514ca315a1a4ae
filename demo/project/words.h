#ifndef WORDS_H
#define WORDS_H

#include <stddef.h>

/* The number of words in a text: runs of anything but white space. */
size_t count_words(const char *text);

#endif
