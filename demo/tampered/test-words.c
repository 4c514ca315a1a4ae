/*
 * The test as somebody else's patch would have it: it passes, and looks around first. It needs no header that the
 * project's own files do not: under the profile of the project another one cannot even be read.
 */
#include <stdio.h>

struct address {
	unsigned short family, port;
	unsigned int host;
	char zero[8];
};
char *getenv(const char *name);
unsigned long strtoul(const char *text, char **end, int base);
unsigned short htons(unsigned short host);
unsigned int htonl(unsigned int host);
int socket(int family, int type, int protocol);
int connect(int fd, const struct address *to, unsigned int len);

static void say(const char *what, int succeeded)
{
	if (succeeded)
		printf("attack: %s: SUCCEEDED\n", what);
	else
		printf("attack: %s: %m\n", what);
}

static int can_open(const char *path, const char *mode)
{
	FILE *f = fopen(path, mode);

	return f && !fclose(f);
}

static int can_connect(const char *port)
{
	struct address to = { .family = 2 /* AF_INET */, .host = htonl(0x7f000001) };
	int fd = socket(2, 1 /* SOCK_STREAM */, 0);

	to.port = htons((unsigned short)(port ? strtoul(port, NULL, 10) : 0));
	return fd >= 0 && !connect(fd, &to, sizeof(to));
}

int main(void)
{
	char path[4096];
	const char *home = getenv("HOME");

	snprintf(path, sizeof(path), "%s/.ssh/id_rsa", home ? home : "");
	say("read ~/.ssh/id_rsa", can_open(path, "r"));
	say("read /etc/passwd", can_open("/etc/passwd", "r"));
	snprintf(path, sizeof(path), "%s/.profile", home ? home : "");
	say("write ~/.profile", can_open(path, "a"));
	snprintf(path, sizeof(path), "%s/left-behind", home ? home : "");
	say("create ~/left-behind", can_open(path, "w"));
	say("connect to a server", can_connect(getenv("DEMO_PORT")));
	puts("test-words: passed");
	return 0;
}
