/*
 * replay.c - runs a fuzz target over the files of its corpus, without libFuzzer: an ordinary test.
 *
 * usage: replay-TARGET DIR...
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#include "base/strbuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Run one file. The copy is exactly as long as the file, so that a sanitizer sees a read past its end. */
static int replay_file(const char *path)
{
	SL_FCLOSE FILE *f = fopen(path, "re");
	SL_STRBUF text = SL_STRBUF_INIT;
	SL_FREE uint8_t *exact = NULL;
	char chunk[4096];
	size_t n;

	if (!f) {
		perror(path);
		return -1;
	}
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		sl_strbuf_add(&text, chunk, n);
	exact = sl_xmalloc(text.len);
	if (text.len)
		memcpy(exact, text.data, text.len);
	/* An abort shall tell which file it was. */
	fprintf(stderr, "%s\n", path);
	return LLVMFuzzerTestOneInput(exact, text.len);
}

int main(int argc, char **argv)
{
	int files = 0;

	for (int i = 1; i < argc; i++) {
		SL_CLOSEDIR DIR *dir = opendir(argv[i]);
		struct dirent *entry;

		if (!dir) {
			perror(argv[i]);
			return 1;
		}
		while ((entry = readdir(dir))) {
			SL_FREE char *path = sl_xasprintf("%s/%s", argv[i], entry->d_name);

			if (entry->d_name[0] == '.')
				continue;
			if (replay_file(path) < 0)
				return 1;
			files++;
		}
	}
	printf("%d files\n", files);
	return files ? 0 : 1;
}
