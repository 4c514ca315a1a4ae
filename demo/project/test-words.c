#include <stdio.h>

#include "words.h"

int main(void)
{
	static const struct {
		const char *text;
		size_t words;
	} rows[] = { { "", 0 }, { "one", 1 }, { "  two words ", 2 }, { "a\tb\nc", 3 } };
	int failed = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (count_words(rows[i].text) != rows[i].words)
			failed = !!printf("wrong: \"%s\"\n", rows[i].text);
	printf("test-words: %s\n", failed ? "failed" : "passed");
	return failed;
}
