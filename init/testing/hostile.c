// hostile tries what a program in the place of tunadm could do to the machine, and prints how each try went.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	return fd < 0 ? -1 : close(fd);
}

static int write_machine_file(void) { return opens("/proc/1/root/etc/hostile", O_CREAT | O_WRONLY); }
static int read_root_of_machine(void) { return opens("/proc/1/root/etc/passwd", O_RDONLY); }
static int write_own_etc(void) { return opens("/etc/hostile", O_CREAT | O_WRONLY); }
static int read_shadow(void) { return opens("/etc/shadow", O_RDONLY); }
static int read_environment(void) { return opens("/proc/1/environ", O_RDONLY); }

static int take_descriptor(void)
{
	int pidfd = syscall(SYS_pidfd_open, 1, 0);
	if (pidfd < 0)
		return -1;
	for (int fd = 0; fd < 64; fd++)
		if (syscall(SYS_pidfd_getfd, pidfd, fd, 0) >= 0)
			return 0;
	return -1;
}

static int trace(void)
{
	if (ptrace(PTRACE_SEIZE, 1, 0, 0))
		return -1;
	return 0; // it is let go when this one ends
}

static int read_memory(void)
{
	char there[8];
	struct iovec local = {there, sizeof there}, remote = {(void *)8, sizeof there};
	// Of an address that is not mapped the answer is EFAULT, for those who may read.
	return process_vm_readv(1, &local, 1, &remote, 1, 0) < 0 && errno != EFAULT ? -1 : 0;
}

static int mounts(void) { return mount("tmpfs", "/mnt", "tmpfs", 0, 0) ? -1 : umount2("/mnt", MNT_DETACH); }
static int new_namespace(void) { return unshare(CLONE_NEWUTS); }

static int enter_namespace(void)
{
	int fd = open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -1 : setns(fd, CLONE_NEWNS);
}

// A block device, and the mode that makes a program another user's.
static int make_block_device(void)
{
	unlink("/run/tunadm/block");
	return mknod("/run/tunadm/block", S_IFBLK | 0600, makedev(7, 0)) ? -1 : unlink("/run/tunadm/block");
}

static int make_setuid(void)
{
	unlink("/run/tunadm/setuid");
	int fd = open("/run/tunadm/setuid", O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
	if (fd < 0)
		return -1;
	int code = fchmod(fd, 04755);
	close(fd);
	unlink("/run/tunadm/setuid");
	return code;
}

static int internet(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? -1 : close(fd);
}

// try runs one in a separate process, since some change the state of the process.
static void try(const char *what, int (*how)(void))
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		errno = 0;
		int code = how();
		if (code)
			printf("refused: %s: %s\n", what, strerror(errno));
		else
			printf("done: %s\n", what);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, 0, 0);
}

int main(void)
{
	mkdir("/run/tunadm", 0700);
	try("write a file of the machine", write_machine_file);
	try("read a file through the root of the machine", read_root_of_machine);
	try("write a file in /etc", write_own_etc);
	try("read /etc/shadow", read_shadow);
	try("read the environment of PID 1", read_environment);
	try("take a descriptor of PID 1", take_descriptor);
	try("trace PID 1", trace);
	try("read the memory of PID 1", read_memory);
	try("mount", mounts);
	try("make a namespace", new_namespace);
	try("enter the mount namespace of PID 1", enter_namespace);
	try("make a block device", make_block_device);
	try("make a setuid program", make_setuid);
	try("open an internet socket", internet);
	puts("end of the tries");
	return 0;
}
