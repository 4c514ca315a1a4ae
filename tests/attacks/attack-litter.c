/*
 * attack-litter.c - a private temporary directory that is hard to remove, or whose removal should hit something else.
 *
 * usage: attack-litter DEPTH OUTSIDE
 *
 * Fills $TMPDIR with a chain of DEPTH directories, directories and files without any permission, files that may not be
 * changed (where that is allowed), symbolic links to OUTSIDE and below it, a FIFO, a socket, and names that are no text.
 * Prints the directory's path.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "attack.h"

static void must(long r, const char *what)
{
	if (r < 0)
		attack_die(what);
}

static void chain(int depth)
{
	int dir = open(".", O_PATH | O_DIRECTORY);

	for (int i = 0; i < depth; i++) {
		int next;

		must(mkdirat(dir, "deep", 0700), "mkdirat");
		next = openat(dir, "deep", O_PATH | O_DIRECTORY);
		must(next, "openat");
		close(dir);
		dir = next;
	}
	must(openat(dir, "file", O_WRONLY | O_CREAT, 0600), "openat");
	close(dir);
}

static void unchangeable(const char *name, unsigned int flags)
{
	int fd = open(name, O_RDONLY);

	must(fd, name);
	ioctl(fd, FS_IOC_SETFLAGS, &flags);
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
	const char *top = getenv("TMPDIR");
	char target[4096];

	if (argc != 3 || !top)
		return 2;
	must(chdir(top), top);
	chain(attack_number(argv[1]));
	must(mkdir("closed", 0700), "closed");
	must(creat("closed/file", 0000), "closed/file");
	must(mkdir("closed/inner", 0000), "closed/inner");
	must(chmod("closed", 0000), "chmod");
	must(mkdir("kept", 0700), "kept");
	must(creat("kept/file", 0600), "kept/file");
	unchangeable("kept/file", FS_IMMUTABLE_FL);
	unchangeable("kept", FS_APPEND_FL);
	must(symlink(argv[2], "to-directory"), "symlink");
	snprintf(target, sizeof(target), "%s/file", argv[2]);
	must(symlink(target, "to-file"), "symlink");
	must(symlink("/", "to-root"), "symlink");
	must(mkfifo("fifo", 0600), "mkfifo");
	must(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof(address)), "bind");
	must(creat("\xff\n\x1b[31m", 0600), "creat");
	must(creat("-rf", 0600), "creat");
	printf("directory: %s\nready\n", top);
	fflush(stdout);
	pause();
	return 0;
}
