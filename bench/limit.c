/*
 * limit - the fewest system calls that make, list and delete TUN devices
 *
 *   limit create PREFIX N OWNER MTU [address]
 *   limit list
 *   limit delete PREFIX N
 *   limit nothing
 *
 * This is what bench/run holds other programs against. It does the work and
 * checks that the kernel did it, and nothing else: no look at what is there
 * before, no second look afterwards, no undo.
 *
 * create   makes the persistent tun devices PREFIX0 to PREFIX<N-1> for the user
 *          number OWNER, with that MTU, and up; with the word "address" also
 *          with an IPv4 address each, 10.0.0.1/32 and those that follow it.
 * list     prints the name and the number of addresses of each tun and tap.
 * delete   deletes those devices, tun or tap, if no program uses any of them.
 * nothing  does nothing: the price of a process.
 *
 * Exit status: 0, or 1 with a message on standard error.
 *
 * Why there are no fewer calls:
 *   - A device is made through its driver, one at a time: open, TUNSETIFF, an
 *     ioctl for each property, close. Netlink cannot make it.
 *   - The descriptor is closed before the device comes up. With a program
 *     attached the carrier is on, and IPv6 begins to configure itself.
 *   - One RTM_NEWLINK carries all else, and one send carries BATCH of them.
 *   - The kernel waits some 17 ms for each unregister, be it of one device or
 *     of a link group. So all are put into one group, which is then deleted.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#ifndef IFF_NO_CARRIER
#define IFF_NO_CARRIER 0x40 /* attach without switching the carrier on, Linux 6.1 */
#endif

enum {
	BATCH = 64,           /* requests a send */
	REQUEST_MAX = 64,     /* bytes of the longest request */
	RECEIVE_SIZE = 65536, /* the kernel sends at most 32 KiB of a dump at a time */
	FIRST_ADDRESS = 0x0a000001,
	INDEX_TAKEN = 1, /* lo: TUNSETIFF can attach, but cannot make a device of an index that is taken */
};

static int number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end == text || *end || n > 0xffffff)
		errx(1, "%s: not a number, or too large", text);
	return n;
}

/* ---- netlink ---- */

static int netlink = -1;
static _Alignas(NLMSG_ALIGNTO) char received[RECEIVE_SIZE];
static _Alignas(NLMSG_ALIGNTO) char batch[BATCH * REQUEST_MAX];
static size_t batch_size;
static int batch_count;

static void open_netlink(void)
{
	netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (netlink < 0)
		err(1, "netlink socket");
}

/* Begins a request in the batch: its header and body. */
static struct nlmsghdr *request(int type, int flags, const void *body, size_t size)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(batch + batch_size);

	*h = (struct nlmsghdr){
		.nlmsg_len = NLMSG_LENGTH(size), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags,
	};
	memcpy(NLMSG_DATA(h), body, size);
	batch_count++;
	batch_size += h->nlmsg_len; /* link and address bodies need no padding */
	return h;
}

/* Adds an attribute to the request begun last. Its size is a multiple of four, or it is the last one. */
static void attribute(struct nlmsghdr *h, int type, const void *value, size_t size)
{
	struct rtattr *a = (struct rtattr *)((char *)h + h->nlmsg_len);

	a->rta_type = type;
	a->rta_len = RTA_LENGTH(size);
	memcpy(RTA_DATA(a), value, size);
	h->nlmsg_len += a->rta_len;
	batch_size += RTA_ALIGN(a->rta_len);
}

static void send_batch(void)
{
	if (send(netlink, batch, batch_size, 0) != (ssize_t)batch_size)
		err(1, "send");
	batch_size = 0;
}

/* Receives messages until each has said that it was the last. */
static void receive(int (*each)(struct nlmsghdr *))
{
	for (int last = 0; !last;) {
		ssize_t n = recv(netlink, received, sizeof received, 0);

		if (n < 0)
			err(1, "receive");
		for (struct nlmsghdr *h = (struct nlmsghdr *)received; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			int error = h->nlmsg_type == NLMSG_ERROR ? ((struct nlmsgerr *)NLMSG_DATA(h))->error : 0;

			if (error) {
				errno = -error;
				err(1, "netlink");
			}
			last |= each(h);
		}
	}
}

static int acknowledged(struct nlmsghdr *h)
{
	return h->nlmsg_type == NLMSG_ERROR && --batch_count == 0;
}

/* Sends the batch when it is full, or when this was the last request, and reads all its answers. */
static void flush(int last)
{
	if (batch_count == BATCH || (last && batch_count > 0)) {
		send_batch();
		receive(acknowledged);
	}
}

/* ---- create and delete ---- */

static struct ifreq named(const char *prefix, int i)
{
	struct ifreq r = {0};

	if (snprintf(r.ifr_name, IFNAMSIZ, "%s%d", prefix, i) >= IFNAMSIZ)
		errx(1, "%s%d: name too long", prefix, i);
	return r;
}

static int open_driver(void)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		err(1, "/dev/net/tun");
	return fd;
}

static int index_of(struct ifreq r)
{
	if (ioctl(netlink, SIOCGIFINDEX, &r))
		err(1, "%s: index", r.ifr_name);
	return r.ifr_ifindex;
}

static int make(struct ifreq r, unsigned long owner)
{
	int index, fd = open_driver();

	r.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | IFF_TUN_EXCL);
	if (ioctl(fd, TUNSETIFF, &r) || ioctl(fd, TUNSETOWNER, owner) || ioctl(fd, TUNSETPERSIST, 1))
		err(1, "%s: create", r.ifr_name);
	index = index_of(r);
	close(fd);
	return index;
}

static void create(const char *prefix, int n, int owner, unsigned int mtu, int with_address)
{
	int *index = calloc(n + 1, sizeof *index);

	if (!index)
		err(1, "memory");
	open_netlink();
	for (int i = 0; i < n; i++)
		index[i] = make(named(prefix, i), owner);
	for (int i = 0; i < n; i++) {
		struct ifinfomsg link = {.ifi_index = index[i], .ifi_flags = IFF_UP, .ifi_change = IFF_UP};

		attribute(request(RTM_NEWLINK, NLM_F_ACK, &link, sizeof link), IFLA_MTU, &mtu, sizeof mtu);
		flush(i == n - 1);
	}
	for (int i = 0; with_address && i < n; i++) {
		struct ifaddrmsg address = {.ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = index[i]};
		unsigned int local = htonl(FIRST_ADDRESS + i);

		attribute(request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &address, sizeof address),
			  IFA_LOCAL, &local, sizeof local);
		flush(i == n - 1);
	}
}

static void allow_descriptors(rlim_t n)
{
	if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){n, n}))
		err(1, "limit of descriptors");
}

/* Attaches to an existing device until the process ends. No other program can attach then; it fails if one has. */
static void claim(struct ifreq r)
{
	int fd = open_driver();
	unsigned int index = INDEX_TAKEN;

	r.ifr_flags = IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_NO_CARRIER; /* with both bits: whichever it is */
	if (ioctl(fd, TUNSETIFINDEX, &index) || ioctl(fd, TUNSETIFF, &r))
		err(1, "%s: claim", r.ifr_name);
}

static void delete(const char *prefix, int n)
{
	struct ifinfomsg all = {0};
	unsigned int group;

	if (getrandom(&group, sizeof group, 0) != sizeof group)
		err(1, "random group");
	group = group >> 1 | 1; /* neither 0, where every device begins, nor -1, which is none */
	allow_descriptors(n + 16);
	open_netlink();
	for (int i = 0; i < n; i++) {
		struct ifreq r = named(prefix, i);

		claim(r);
		struct ifinfomsg link = {.ifi_index = index_of(r)};

		attribute(request(RTM_NEWLINK, NLM_F_ACK, &link, sizeof link), IFLA_GROUP, &group, sizeof group);
		flush(i == n - 1);
	}
	attribute(request(RTM_DELLINK, NLM_F_ACK, &all, sizeof all), IFLA_GROUP, &group, sizeof group);
	flush(1);
}

/* ---- list ---- */

static struct device {
	int index;
	int addresses;
	char name[IFNAMSIZ];
} *devices;
static size_t device_count;

static int by_index(const void *a, const void *b)
{
	return ((const struct device *)a)->index - ((const struct device *)b)->index;
}

static int keep_link(struct nlmsghdr *h)
{
	struct ifinfomsg *link = NLMSG_DATA(h);
	int size = IFLA_PAYLOAD(h);

	if (h->nlmsg_type != RTM_NEWLINK)
		return h->nlmsg_type == NLMSG_DONE;
	if ((device_count & (device_count - 1)) == 0) { /* a power of two: full */
		devices = realloc(devices, (device_count ? 2 * device_count : 1) * sizeof *devices);
		if (!devices)
			err(1, "memory");
	}
	devices[device_count] = (struct device){.index = link->ifi_index};
	for (struct rtattr *a = IFLA_RTA(link); RTA_OK(a, size); a = RTA_NEXT(a, size))
		if (a->rta_type == IFLA_IFNAME)
			memccpy(devices[device_count].name, RTA_DATA(a), 0, IFNAMSIZ);
	device_count++;
	return 0;
}

static int count_address(struct nlmsghdr *h)
{
	struct device key = {.index = ((struct ifaddrmsg *)NLMSG_DATA(h))->ifa_index}, *d;

	if (h->nlmsg_type != RTM_NEWADDR)
		return h->nlmsg_type == NLMSG_DONE;
	d = bsearch(&key, devices, device_count, sizeof *devices, by_index);
	if (d)
		d->addresses++;
	return 0;
}

static void dump(struct nlmsghdr *h, int (*each)(struct nlmsghdr *))
{
	h->nlmsg_flags |= NLM_F_DUMP;
	send_batch();
	receive(each);
}

static void list(void)
{
	struct ifinfomsg link = {0};
	struct ifaddrmsg address = {0};
	unsigned int without_stats = RTEXT_FILTER_SKIP_STATS;
	struct {
		struct rtattr header;
		char name[4];
	} kind = {{RTA_LENGTH(3), IFLA_INFO_KIND}, "tun"};

	open_netlink();
	struct nlmsghdr *h = request(RTM_GETLINK, 0, &link, sizeof link);
	attribute(h, IFLA_EXT_MASK, &without_stats, sizeof without_stats);
	attribute(h, IFLA_LINKINFO, &kind, sizeof kind);
	dump(h, keep_link);
	qsort(devices, device_count, sizeof *devices, by_index);
	dump(request(RTM_GETADDR, 0, &address, sizeof address), count_address);
	for (size_t i = 0; i < device_count; i++)
		printf("%s %d\n", devices[i].name, devices[i].addresses);
	if (fflush(stdout))
		err(1, "output");
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	if (!strcmp(verb, "create") && (argc == 6 || (argc == 7 && !strcmp(argv[6], "address"))))
		create(argv[2], number(argv[3]), number(argv[4]), number(argv[5]), argc == 7);
	else if (!strcmp(verb, "list") && argc == 2)
		list();
	else if (!strcmp(verb, "delete") && argc == 4)
		delete(argv[2], number(argv[3]));
	else if (strcmp(verb, "nothing") || argc != 2)
		errx(1, "usage: limit create PREFIX N OWNER MTU [address] | list | delete PREFIX N | nothing");
	return 0;
}
