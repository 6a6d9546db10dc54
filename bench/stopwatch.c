/*
 * stopwatch - the measuring tools of the benchmarks
 *
 *   stopwatch time < COMMANDS
 *   stopwatch hold N [DEVICE]
 *
 * time   runs the commands on its standard input, one a line, one after the
 *        other: words apart by blanks, the program by its full path, no shell,
 *        the output thrown away. It prints the microseconds from the start of
 *        the first to the end of the last, the largest peak memory of any of
 *        them in KiB, and the microseconds of processor time of all of them in
 *        user and in kernel mode. It stops with status 1 at the first that
 *        fails.
 * hold   opens /dev/null N times, attaches to the tun DEVICE if one is named,
 *        prints "ready", and keeps all that until it is killed, or its parent.
 *
 * Exit status: 0, or 1 with a message on standard error.
 *
 * It is linked statically: the kernel counts the memory that a process had
 * before exec(2) among its peak, and so this program's must be the smallest.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/if.h>
#include <linux/if_tun.h>

enum { WORDS_MAX = 65536 };

struct price {
	long kib, user, system;
};

static long microseconds(struct timeval t)
{
	return t.tv_sec * 1000000 + t.tv_usec;
}

/* Runs one command to its end and adds what it took. */
static void run(char *line, const posix_spawn_file_actions_t *silence, struct price *all)
{
	static char *words[WORDS_MAX + 1];
	struct rusage used;
	int status, n = 0;
	pid_t pid;

	for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n")) {
		if (n == WORDS_MAX)
			errx(1, "%s: more than %d words", words[0], WORDS_MAX);
		words[n++] = word;
	}
	words[n] = NULL;
	if (n == 0)
		return;
	errno = posix_spawn(&pid, words[0], silence, NULL, words, environ);
	if (errno || wait4(pid, &status, 0, &used) != pid)
		err(1, "%s", words[0]);
	if (WIFSIGNALED(status))
		errx(1, "%s: killed by signal %d", words[0], WTERMSIG(status));
	if (status)
		errx(1, "%s %s ...: exit status %d", words[0], n > 1 ? words[1] : "", WEXITSTATUS(status));
	if (used.ru_maxrss > all->kib)
		all->kib = used.ru_maxrss;
	all->user += microseconds(used.ru_utime);
	all->system += microseconds(used.ru_stime);
}

static void measure(void)
{
	posix_spawn_file_actions_t silence;
	struct timespec begin, end;
	char *line = NULL;
	size_t size = 0;
	struct price all = {0};

	errno = posix_spawn_file_actions_init(&silence);
	if (!errno)
		errno = posix_spawn_file_actions_addopen(&silence, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	if (!errno)
		errno = posix_spawn_file_actions_adddup2(&silence, STDIN_FILENO, STDOUT_FILENO);
	if (errno)
		err(1, "/dev/null");
	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (getline(&line, &size, stdin) > 0)
		run(line, &silence, &all);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%ld %ld %ld %ld\n", (end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000,
	       all.kib, all.user, all.system);
}

static void attach(const char *device)
{
	struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR);

	strncpy(r.ifr_name, device, IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r))
		err(1, "attach to %s", device);
}

static void hold(rlim_t n, const char *device)
{
	const rlim_t others = 16;

	if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){n + others, n + others}))
		err(1, "limit of descriptors");
	for (rlim_t i = 0; i < n; i++)
		if (open("/dev/null", O_RDONLY) < 0)
			err(1, "/dev/null");
	if (device)
		attach(device);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	puts("ready");
	fflush(stdout);
	pause();
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "time"))
		measure();
	else if ((argc == 3 || argc == 4) && !strcmp(argv[1], "hold"))
		hold(strtoul(argv[2], NULL, 10), argv[3]);
	else
		errx(1, "usage: stopwatch time < COMMANDS | hold N [DEVICE]");
	return 0;
}
