/* The test as somebody else's patch would have it: it passes, and looks around first. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void say(const char *what, int result)
{
	int error = errno;

	printf("attack: %s: %s\n", what, result >= 0 ? "SUCCEEDED" : strerror(error));
	if (result >= 0)
		close(result);
}

static int connect_home(void)
{
	const char *port = getenv("DEMO_PORT");
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_port = htons((unsigned short)(port ? strtoul(port, NULL, 10) : 0));
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return -1;
	return fd;
}

int main(void)
{
	char path[4096];
	const char *home = getenv("HOME");

	snprintf(path, sizeof(path), "%s/.ssh/id_rsa", home ? home : "");
	say("read ~/.ssh/id_rsa", open(path, O_RDONLY));
	say("read /etc/passwd", open("/etc/passwd", O_RDONLY));
	snprintf(path, sizeof(path), "%s/.profile", home ? home : "");
	say("write ~/.profile", open(path, O_WRONLY | O_APPEND));
	snprintf(path, sizeof(path), "%s/left-behind", home ? home : "");
	say("create ~/left-behind", open(path, O_WRONLY | O_CREAT, 0600));
	say("connect to a server", connect_home());
	puts("test-words: passed");
	return 0;
}
