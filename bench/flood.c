// flood ADDRESS SECONDS - send IPv4 packets of 64 bytes to a socket of this host at that address, as fast as possible,
// and print how many of them came per second
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

enum { batch = 32, payload = 64 - 28, room = 8 << 20, port = 9999 };

static int sink;
static volatile long got;

static void prepare(struct mmsghdr *messages, struct iovec *vectors, char *bytes, int apart) {
	for (int i = 0; i < batch; i++) {
		vectors[i] = (struct iovec){bytes + i * apart, payload};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = vectors + i, .msg_iovlen = 1};
	}
}

static void *drain(void *unused) {
	static struct mmsghdr messages[batch];
	static struct iovec vectors[batch];
	static char bytes[batch * payload];
	prepare(messages, vectors, bytes, payload);
	for (;;) {
		int n = recvmmsg(sink, messages, batch, MSG_WAITFORONE, 0);
		if (n > 0)
			got += n;
	}
	return unused;
}

static double seconds(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
	if (argc != 3)
		return 2;
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(argv[1])};
	int size = room, source = socket(AF_INET, SOCK_DGRAM, 0);
	sink = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(sink, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	if (bind(sink, (struct sockaddr *)&address, sizeof address) != 0 ||
	    connect(source, (struct sockaddr *)&address, sizeof address) != 0) {
		perror(argv[1]);
		return 1;
	}
	pthread_t reader;
	if (pthread_create(&reader, 0, drain, 0) != 0)
		return 1;
	struct mmsghdr messages[batch];
	struct iovec vectors[batch];
	static char bytes[payload];
	prepare(messages, vectors, bytes, 0);
	double start = seconds(), end = start + atof(argv[2]);
	while (seconds() < end)
		(void)sendmmsg(source, messages, batch, 0);
	printf("%.0f\n", (double)got / (seconds() - start));
}
