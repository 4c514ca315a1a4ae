#include <stdio.h>

#include "words.h"

int main(int argc, char **argv)
{
	char line[4096];
	size_t words = 0;
	FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;

	if (!f) {
		perror(argc == 2 ? argv[1] : "usage: count FILE");
		return 1;
	}
	while (fgets(line, sizeof(line), f))
		words += count_words(line);
	fclose(f);
	printf("%zu words\n", words);
	return 0;
}
