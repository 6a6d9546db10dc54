// relay - the naive relay of the tutorials: descriptors 3 and 4, one read and one write a packet, a thread a direction
#include <pthread.h>
#include <stdint.h>
#include <unistd.h>

static void *carry(void *argument) {
	int from = (int)(intptr_t)argument, to = from == 3 ? 4 : 3;
	static __thread char packet[1 << 16];
	for (;;) {
		ssize_t n = read(from, packet, sizeof packet);
		if (n <= 0)
			_exit(1);
		if (write(to, packet, (size_t)n) < 0)
			continue; // lost, as on a wire
	}
	return 0;
}

int main(void) {
	pthread_t other;
	if (pthread_create(&other, 0, carry, (void *)(intptr_t)3) != 0)
		return 1;
	carry((void *)(intptr_t)4);
}
