/*
 * conform-data.c - contents: offsets, mappings, copies, locks, programs that run, readers from before a write.
 */
#define _GNU_SOURCE
#include "conform.h"

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

void data_offsets(void)
{
	int fd = open("file", O_RDWR), twin = dup(fd), other = open("file", O_RDWR), append;
	char buf[32];
	pid_t child;

	IS(3, write(fd, "abc", 3));
	IS(3, lseek(twin, 0, SEEK_CUR));
	IS(0, lseek(other, 0, SEEK_CUR));
	IS(3, read(other, buf, 3));
	TRUE(!memcmp(buf, "abc", 3));
	IS(2, read(twin, buf, 2));
	IS(5, lseek(fd, 0, SEEK_CUR));
	child = fork();
	if (child == 0)
		_exit(read(fd, buf, 2) == 2 ? 0 : 1);
	waitpid(child, NULL, 0);
	IS(7, lseek(fd, 0, SEEK_CUR));
	IS(2, pwrite(fd, "XY", 2, 0));
	IS(7, lseek(fd, 0, SEEK_CUR));
	TRUE(fd_holds(other, "XYc3456789\n"));
	about("O_APPEND");
	append = open("file", O_WRONLY | O_APPEND);
	IS(3, write(append, "end", 3));
	IS(14, lseek(append, 0, SEEK_CUR));
	IS(0, lseek(append, 0, SEEK_SET));
	IS(1, write(append, "!", 1));
	TRUE(holds("file", "XYc3456789\nend!"));
	OK(ftruncate(fd, 2));
	IS(1, write(append, "z", 1));
	TRUE(holds("file", "XYz"));
	FAILS(EBADF, read(append, buf, 1));
	OK(fcntl(append, F_SETFL, 0));
	IS(1, pwrite(append, "0", 1, 0));
	TRUE(holds("file", "0Yz"));
	about("seeking");
	IS(10, lseek(fd, 10, SEEK_SET));
	IS(1, write(fd, "h", 1));
	IS(11, stat_of("file").st_size);
	IS(11, lseek(fd, 0, SEEK_END));
	FAILS(EINVAL, lseek(fd, -1, SEEK_SET));
	FAILS(EINVAL, lseek(fd, 0, 99));
	FAILS(ENXIO, lseek(fd, 11, SEEK_DATA));
	IS(0, read(fd, buf, 1));
	FAILS(EBADF, write(open("file", O_RDONLY), "x", 1));
	about("across a rename and a removal");
	OK(rename("file", "moved"));
	IS(3, pwrite(fd, "new", 3, 0));
	IS('n', (pread(other, buf, 1, 0), buf[0]));
	OK(unlink("moved"));
	IS(3, pwrite(fd, "old", 3, 0));
	IS('o', (pread(other, buf, 1, 0), buf[0]));
}

void data_maps(void)
{
	int fd = open("file", O_RDWR), reader = open("hard1", O_RDONLY);
	char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *own, *read_only, buf[8];

	TRUE(shared != MAP_FAILED);
	IS('0', shared[0]);
	shared[0] = 'M';
	TRUE(holds("file", "M123456789\n"));
	IS(1, pwrite(fd, "W", 1, 1));
	IS('W', shared[1]);
	OK(msync(shared, 4096, MS_SYNC));
	own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	own[0] = 'P';
	TRUE(holds("file", "MW23456789\n"));
	read_only = mmap(NULL, 4096, PROT_READ, MAP_SHARED, reader, 0);
	IS('t', read_only[0]);
	FAILS(EACCES, (long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0));
	FAILS(EACCES, (long)mmap(NULL, 4096, PROT_READ, MAP_SHARED, open("file", O_WRONLY), 0));
	FAILS(ENODEV, (long)mmap(NULL, 4096, PROT_READ, MAP_SHARED, open("dir", O_RDONLY), 0));
	OK(truncate("file", 20));
	IS(0, shared[15]);
	OK(close(fd));
	shared[2] = 'C';
	IS(1, pread(open("file", O_RDONLY), buf, 1, 2));
	IS('C', buf[0]);
	OK(munmap(shared, 4096));
	OK(unlink("file"));
	IS('P', own[0]);
}

void data_copies(void)
{
	int in = open("file", O_RDONLY), out = open("dir/file", O_RDWR), fd, made;
	struct iovec parts[2] = {{(char *)"ab", 2}, {(char *)"cd", 2}};
	off_t at = 3, to = 0;

	IS(4, sendfile(out, in, &at, 4));
	IS(7, at);
	TRUE(holds("dir/file", "3456w\n"));
	IS(4, lseek(out, 0, SEEK_CUR));
	at = 0;
	IS(5, copy_file_range(in, &at, out, &to, 5, 0));
	TRUE(holds("dir/file", "01234\n"));
	FAILS(EBADF, copy_file_range(out, NULL, in, NULL, 5, 0));
	FAILS(EINVAL, copy_file_range(in, &at, out, &to, 5, 1));
	made = open("made", O_RDWR | O_CREAT, 0644);
	IS(11, copy_file_range(in, NULL, made, NULL, 100, 0));
	TRUE(holds("made", "0123456789\n"));
	IS(4, writev(made, parts, 2));
	TRUE(holds("made", "0123456789\nabcd"));
	about("fallocate");
	fd = open("empty", O_RDWR);
	OK(fallocate(fd, 0, 0, 8192));
	IS(8192, stat_of("empty").st_size);
	OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 8192, 4096));
	IS(8192, stat_of("empty").st_size);
	OK(posix_fallocate(fd, 0, 100));
	IS(3, pwrite(fd, "abc", 3, 4095));
	OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	IS('b', ({
		   char c = 0;
		   pread(fd, &c, 1, 4096) == 1 ? c : -1;
	   }));
	FAILS(EBADF, fallocate(in, 0, 0, 10));
	FAILS(EINVAL, fallocate(fd, 0, -1, 10));
	FAILS(EINVAL, fallocate(fd, 0, 0, 0));
	OK(fsync(fd));
	OK(fdatasync(fd));
	OK(posix_fadvise(in, 0, 0, POSIX_FADV_DONTNEED));
}

/* In another process: the error of an attempt, 0 where it had the lock. */
static int elsewhere(int (*attempt)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(attempt() ? errno : 0);
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int flock_file(void)
{
	return flock(open("file", O_RDONLY), LOCK_EX | LOCK_NB);
}

static int flock_shared(void)
{
	return flock(open("file", O_RDONLY), LOCK_SH | LOCK_NB);
}

static int flock_reader(void)
{
	return flock(open("secret", O_RDWR), LOCK_EX | LOCK_NB);
}

static int lock_range(int fd, int command, short type, off_t start, off_t len)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	return fcntl(fd, command, &lock);
}

static int fcntl_first(void)
{
	return lock_range(open("file", O_RDWR), F_SETLK, F_WRLCK, 0, 5);
}

static int fcntl_second(void)
{
	return lock_range(open("file", O_RDWR), F_SETLK, F_WRLCK, 5, 5);
}

static int ofd_first(void)
{
	return lock_range(open("file", O_RDWR), F_OFD_SETLK, F_WRLCK, 0, 5);
}

void data_locks(void)
{
	int fd = open("file", O_RDWR), other = open("file", O_RDWR), reader = open("secret", O_RDONLY);

	OK(flock(fd, LOCK_EX | LOCK_NB));
	FAILS(EWOULDBLOCK, flock(other, LOCK_SH | LOCK_NB));
	IS(EWOULDBLOCK, elsewhere(flock_file));
	OK(flock(fd, LOCK_SH | LOCK_NB));
	IS(0, elsewhere(flock_shared));
	IS(EWOULDBLOCK, elsewhere(flock_file));
	OK(flock(fd, LOCK_UN));
	IS(0, elsewhere(flock_file));
	about("fcntl");
	OK(lock_range(fd, F_SETLK, F_WRLCK, 0, 5));
	IS(EAGAIN, elsewhere(fcntl_first));
	IS(0, elsewhere(fcntl_second));
	OK(lock_range(other, F_SETLK, F_WRLCK, 0, 5));
	OK(close(other));
	IS(0, elsewhere(fcntl_first));
	FAILS(EBADF, lock_range(open("file", O_RDONLY), F_SETLK, F_WRLCK, 0, 5));
	FAILS(EINVAL, lock_range(fd, F_SETLK, F_WRLCK, -5, 2));
	about("open file descriptions");
	OK(lock_range(fd, F_OFD_SETLK, F_WRLCK, 0, 5));
	IS(EAGAIN, elsewhere(ofd_first));
	other = open("file", O_RDWR);
	FAILS(EAGAIN, lock_range(other, F_OFD_SETLK, F_RDLCK, 2, 1));
	OK(lock_range(other, F_OFD_SETLK, F_RDLCK, 6, 1));
	OK(close(fd));
	OK(lock_range(other, F_OFD_SETLK, F_WRLCK, 0, 5));
	about("held before the first write");
	OK(flock(reader, LOCK_EX | LOCK_NB));
	other = open("secret", O_RDWR);
	FAILS(EWOULDBLOCK, flock(other, LOCK_SH | LOCK_NB));
	IS(EWOULDBLOCK, elsewhere(flock_reader));
	OK(flock(reader, LOCK_UN));
	IS(0, elsewhere(flock_reader));
	reader = open("readonly", O_RDONLY);
	OK(lock_range(reader, F_OFD_SETLK, F_RDLCK, 2, 3));
	OK(chmod("readonly", 0644));
	other = open("readonly", O_RDWR);
	FAILS(EAGAIN, lock_range(other, F_OFD_SETLK, F_WRLCK, 0, 3));
	OK(lock_range(other, F_OFD_SETLK, F_WRLCK, 5, 1));
	OK(close(reader));
	OK(lock_range(other, F_OFD_SETLK, F_WRLCK, 0, 3));
}

static int start_sleeper(const char *path, int *ret_in)
{
	int pipe_fd[2];
	pid_t child;

	if (pipe(pipe_fd))
		return -1;
	child = fork();
	if (child == 0) {
		char *argv[] = {(char *)path, NULL};

		dup2(pipe_fd[0], 0);
		close(pipe_fd[1]);
		execv(path, argv);
		_exit(127);
	}
	close(pipe_fd[0]);
	*ret_in = pipe_fd[1];
	return child;
}

/* Waits until the child has become the program. */
static bool runs(pid_t child, const char *name)
{
	char path[64], comm[32];

	snprintf(path, sizeof(path), "/proc/%d/comm", child);
	for (int i = 0; i < 5000; i++) {
		FILE *f = fopen(path, "r");
		bool is = f && fgets(comm, sizeof(comm), f) && !strncmp(comm, name, strlen(name));

		if (f)
			fclose(f);
		if (is)
			return true;
		usleep(1000);
	}
	return false;
}

static int copy_program(const char *from, const char *to)
{
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	ssize_t n;

	while ((n = sendfile(out, in, NULL, 1 << 20)) > 0)
		;
	close(in);
	return close(out) || n;
}

void data_busy(void)
{
	int in = -1, status, fd;
	pid_t child;
	char *argv[] = {(char *)"x", NULL};

	IS(0, copy_program("/bin/cat", "program"));
	child = start_sleeper("./program", &in);
	TRUE(runs(child, "program"));
	FAILS(ETXTBSY, try_open("program", O_WRONLY));
	FAILS(ETXTBSY, try_open("program", O_RDWR));
	FAILS(ETXTBSY, truncate("program", 0));
	OK(try_open("program", O_RDONLY));
	OK(chmod("program", 0700));
	OK(rename("program", "moved"));
	OK(put("program", "another"));
	OK(unlink("moved"));
	close(in);
	TRUE(waitpid(child, &status, 0) == child);
	IS(0, status);
	about("open for writing");
	IS(0, copy_program("/bin/cat", "program"));
	OK(chmod("program", 0755));
	fd = open("program", O_WRONLY);
	FAILS(ETXTBSY, execv("./program", argv));
	OK(close(fd));
	about("no program");
	OK(chmod("file", 0755));
	FAILS(ENOEXEC, execv("./file", argv));
	OK(chmod("file", 0644));
	FAILS(EACCES, execv("./file", argv));
	FAILS(EACCES, execv("./dir", argv));
	FAILS(EACCES, execv("./fifo", argv));
	OK(put("script", "#!/no/such/interpreter\n"));
	OK(chmod("script", 0755));
	FAILS(ENOENT, execv("./script", argv));
}

/* The one byte that a child reads from the descriptor after it was told to. */
static int child_reads(int fd, int *ret_go, pid_t *ret_child)
{
	int go[2], answer[2];
	char c = 0;

	if (pipe(go) || pipe(answer))
		return -1;
	*ret_child = fork();
	if (*ret_child == 0) {
		struct stat st;

		if (read(go[0], &c, 1) != 1 || stat("file", &st) || pread(fd, &c, 1, 0) != 1)
			_exit(1);
		_exit(write(answer[1], &c, 1) == 1 ? 0 : 1);
	}
	close(go[0]);
	close(answer[1]);
	*ret_go = go[1];
	return answer[0];
}

void data_readers(void)
{
	int reader = open("file", O_RDONLY), twin = dup(reader), flags, answer, go = -1, writer, at_end;
	struct stat st;
	char buf[32] = "";
	pid_t child = -1;

	IS(2, read(reader, buf, 2));
	OK(fcntl(twin, F_SETFD, FD_CLOEXEC));
	answer = child_reads(reader, &go, &child);
	writer = open("file", O_WRONLY);
	IS(3, pwrite(writer, "NEW", 3, 0));
	TRUE(fd_holds(reader, "NEW3456789\n"));
	IS(2, lseek(reader, 0, SEEK_CUR));
	IS(1, read(twin, buf, 1));
	IS('W', buf[0]);
	IS(3, lseek(reader, 0, SEEK_CUR));
	IS(FD_CLOEXEC, fcntl(twin, F_GETFD));
	IS(0, fcntl(reader, F_GETFD));
	flags = fcntl(reader, F_GETFL);
	IS(O_RDONLY, flags & O_ACCMODE);
	FAILS(EBADF, write(reader, "x", 1));
	OK(fstat(reader, &st));
	TRUE(st.st_ino == stat_of("file").st_ino);
	IS(1, write(go, "g", 1));
	IS(1, read(answer, buf, 1));
	IS('N', buf[0]);
	TRUE(waitpid(child, NULL, 0) == child);
	about("appended to");
	at_end = open("hard1", O_RDONLY);
	IS(10, read(at_end, buf, sizeof(buf)));
	IS(0, read(at_end, buf, sizeof(buf)));
	writer = open("hard2", O_WRONLY | O_APPEND);
	IS(4, write(writer, "more", 4));
	IS(4, read(at_end, buf, sizeof(buf)));
	about("cut short");
	reader = open("secret", O_RDONLY);
	OK(truncate("secret", 2));
	OK(fstat(reader, &st));
	IS(2, st.st_size);
	IS(2, read(reader, buf, sizeof(buf)));
	about("removed first");
	reader = open("dir/file", O_RDONLY);
	writer = open("dir/file", O_RDWR);
	OK(unlink("dir/file"));
	IS(1, write(writer, "B", 1));
	IS(1, read(reader, buf, 1));
	IS('B', buf[0]);
	about("replaced");
	reader = open("readonly", O_RDONLY);
	OK(put("other", "other"));
	OK(rename("other", "readonly"));
	TRUE(fd_holds(reader, "fixed\n"));
}

/* What may differ on a copy-on-write file system: contents that somebody had open, or mapped, before the first
 * write. */
void data_stays(void)
{
	int reader = open("file", O_RDONLY), ask[2], answer[2];
	char *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, reader, 0), c = 0;
	pid_t child;

	TRUE(pipe(ask) == 0 && pipe(answer) == 0);
	child = fork();
	if (child == 0) /* between the question and the answer nothing but reading */
		_exit(read(ask[0], &c, 1) == 1 && pread(reader, &c, 1, 0) == 1 && write(answer[1], &c, 1) == 1 ? 0 : 1);
	OK(put("file", "NEW"));
	IS('N', map[0]);
	IS(1, write(ask[1], "?", 1));
	IS(1, read(answer[0], &c, 1));
	IS('N', c);
	TRUE(waitpid(child, NULL, 0) == child);
	TRUE(fd_holds(reader, "NEW"));
}
