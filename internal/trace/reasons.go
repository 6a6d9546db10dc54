package trace

// These explain packets before the reason does: what a device or a bridge refuses, a missing local route, and an
// expired packet.
var (
	expired = explanation{"", "its hop count (TTL) is used up: its sender set a small one, or it travels in a circle",
		nil}

	noLocalRoute = explanation{"", "{to} is an address of this host, but its local route is missing", addLocalRoute}

	linkLocal = explanation{"", "its destination {mac} is a link-local group, such as that of LLDP: the bridge " +
		"forwards no frames to it (group_fwd_mask), and no program of this host takes them", nil}

	isDown    = explanation{"", "the device {device} is down", bringUp}
	noCarrier = explanation{"", "the device {device} has no carrier: no cable, or no program, is attached", nil}
	noProgram = explanation{"", "no program is attached to the device, so nobody reads its packets", startProgram}
)

// reasons explains the kernel's reasons. A name that ends in * is short for all that begin so.
var reasons = [...]explanation{
	// The driver, on the way to the program.
	{"FULL_RING", "the queue of the device is full: the program reads more slowly than packets arrive, or does " +
		"not read at all", longerQueue},
	{"DEV_READY", "no program is attached to the device, or its queue is disabled", startProgram},
	{"TAP_FILTER", "a filter that the program attached to its queue (TUNATTACHFILTER) drops it", nil},
	{"TAP_TXFILTER", "the program asked for frames to other MAC addresses only (TUNSETTXFILTER)", nil},
	{"SKB_TRIM", "a filter that the program attached to its queue cut it to nothing", nil},
	{"SKB_UCOPY_FAULT", "the program passed a buffer that the kernel cannot read or write", nil},
	{"NOMEM", "the kernel has no memory for it", nil},

	// The driver, on the way from the program.
	{"INVALID_PROTO", neitherIP, nil},
	{"HDR_TRUNC", "the program wrote a packet that is shorter than its headers", nil},
	{"DEV_HDR", "the program wrote a virtio header that does not fit the packet", nil},
	{"PKT_TOO_SMALL", "it is shorter than its headers", nil},
	{"CPU_BACKLOG", "the kernel's receive queue is full (net.core.netdev_max_backlog): the program writes " +
		"faster than this host handles packets", longerBacklog},
	{"XDP", "an XDP program on {device} drops it", removeXDP},
	{"TC_INGRESS", "a traffic control filter on the ingress of {device} drops it", showIngress},
	{"UNHANDLED_PROTO", "no part of this host handles its Ethernet type {type}; if the program asked for " +
		"packet information (no IFF_NO_PI), the type is what it wrote in the four bytes before the packet", nil},

	// Bridges.
	{"BRIDGE_INGRESS_STP_STATE", "the port {in} of the bridge is not in the state forwarding: the spanning " +
		"tree protocol listens or learns for up to 30 seconds, or an administrator blocked the port", forwardPort},
	{"NO_TX_TARGET", "the bridge has no port for its destination: the port does not flood, is isolated, or is " +
		"not a member of the VLAN", showPort},
	{"LOCAL_MAC", "its source is the bridge's own MAC address: two ends of the link have one MAC address, or " +
		"it came back",
		nil},
	{"MAC_INVALID_SOURCE", "its source MAC address is a multicast address, or zero", nil},
	{"MAC_IEEE_MAC_CONTROL", "it is a frame to a link-local MAC address, which bridges do not forward", nil},
	{"OTHERHOST", "its destination MAC address {mac} is not that of {in}: the program or the hosts behind it " +
		"have a wrong neighbour entry for this host", nil},

	// IP, on arrival.
	{"IP_CSUM", "the checksum of its IP header is wrong: the program that writes it does not compute it, or " +
		"changed the header afterwards", nil},
	{"TCP_CSUM", checksum, nil},
	{"UDP_CSUM", checksum, nil},
	{"ICMP_CSUM", checksum, nil},
	{"SKB_CSUM", checksum, nil},
	{"IP_INHDR", "its IP header is malformed: the version, the header length or the total length is wrong", nil},
	{"IP_RPFILTER", "the reverse path filter: packets to {from} leave through another device than {in}, so its " +
		"source looks forged", loosenFilter},
	{"IP_LOCAL_SOURCE", "its source {from} is an address of this host, so it looks forged", acceptLocal},
	{"IP_INVALID_SOURCE", "its source {from} is a broadcast, multicast or reserved address", nil},
	{"IP_INVALID_DEST", "its destination {to} is not valid for a packet that arrives through {in}", nil},
	{"IP_LOCALNET", "its source or destination is in 127.0.0.0/8, which is valid on the loopback device only",
		routeLocalnet},
	{"UNICAST_IN_L2_MULTICAST", "its MAC address is a broadcast or multicast address, and its IP address is not", nil},
	{"IP_INADDRERRORS", "{to} is not an address of this host, and this host does not forward packets that " +
		"arrive through {in}", forward},
	{"IP_INNOROUTES", "this host has no route to {to}", routeOrForward},
	{"IPV6DISABLED", "IPv6 is off on {in}", enableIPv6},
	{"IPV6_BAD_EXTHDR", "one of its IPv6 extension headers is malformed", nil},
	{"IPV6_NDISC_*", "it is a neighbour discovery message that is malformed, or for another host", nil},
	{"IP_NOPROTO", "this host does not speak its protocol", nil},
	{"DUP_FRAG", "a fragment of it arrived twice", nil},
	{"FRAG_REASM_TIMEOUT", "some of its fragments did not arrive within 30 seconds", nil},
	{"FRAG_TOO_FAR", "its fragments arrived too far apart", nil},
	{"IP_TUNNEL_ECN", "the congestion marks of its inner and outer header contradict each other", nil},

	// Firewalls and policies.
	{"NETFILTER_DROP", "a firewall rule or a chain policy at the hook {hook} drops it", showFirewall},
	{"XFRM_POLICY", "an IPsec policy requires that it is encrypted, or forbids it", showPolicies},
	{"SECURITY_HOOK", "a security module (SELinux, AppArmor, ...) forbids it", nil},
	{"BPF_CGROUP_EGRESS", "a BPF program of the sender's control group drops it", nil},

	// Routing and neighbours, on the way out.
	{"IP_OUTNOROUTES", "this host has no route to {to}", routeOrForward},
	{"NEIGH_FAILED", "no host behind {device} answers the request for the MAC address of {to}", showNeighbour},
	{"NEIGH_CREATEFAIL", "the table of neighbours is full", nil},
	{"NEIGH_QUEUEFULL", "too many packets wait for the MAC address of {to}, for which no answer has come",
		showNeighbour},
	{"NEIGH_DEAD", "its neighbour entry was removed while it waited", nil},
	{"NEIGH_HH_FILLFAIL", "the kernel cannot write its Ethernet header", nil},
	{"PKT_TOO_BIG", "it is larger than the MTU of {out}, and must not be fragmented: its sender has to " +
		"learn of the MTU from an ICMP message", nil},
	{"TC_EGRESS", "a traffic control filter on the egress of {device} drops it", showEgress},
	{"QDISC_*", queueing, showQueueing},
	{"CAKE_FLOOD", queueing, showQueueing},
	{"FQ_*", queueing, showQueueing},
	{"DUALPI2_STEP_DROP", queueing, showQueueing},
	{"TC_*", "the traffic control filters of {device} are in disorder", showQueueing},
	{"SKB_GSO_SEG", "the kernel cannot split it into segments of the MTU", nil},
	{"RECURSION_LIMIT", "it passed through too many devices: a tunnel is routed into itself", nil},
	{"QUEUE_PURGE", "it waited in a queue that was emptied: its program or socket ended, or the device went " +
		"down", nil},

	// Sockets of this host.
	{"NO_SOCKET", "no program on this host listens on its port at {to}", nil},
	{"SOCKET_FILTER", "a filter of the receiving socket drops it", nil},
	{"SOCKET_RCVBUFF", "the receiving program does not read fast enough: the buffer of its socket is full",
		showSockets},
	{"SOCKET_BACKLOG", "the receiving program does not read fast enough: the backlog of its socket is full",
		showSockets},
	{"SOCKET_CLOSE", "the receiving socket was closed", nil},
	{"PROTO_MEM", "the kernel's memory for sockets of its protocol is used up", nil},
	{"TCP_LISTEN_OVERFLOW", "the listening program does not accept connections fast enough", showSockets},
	{"TCP_*", "it does not fit the state of its TCP connection; single ones are normal", nil},
}

const (
	neitherIP = "the program wrote what is neither IPv4 nor IPv6: a frame to a tun, or packet information (4 bytes) " +
		"or a virtio header that it did not ask for, or asked for and did not write"
	checksum = "its checksum is wrong: the program that writes it does not compute it, changed the packet " +
		"afterwards, or passes on a packet whose checksum was left to hardware"
	longFrame  = "the frame is longer than the MTU of the port {device}, and a bridge sends no ICMP message about it"
	noListener = "no program on this host listens on its port at {to}, or its checksum is wrong"
	queueing   = "the queueing discipline of {device} drops it: it is full, or shapes the traffic"
)

// functions explains drops without a reason by the function that drops.
var functions = [...]explanation{
	{"tun_get_user", neitherIP, nil},
	{"do_xdp_generic", "an XDP program on {device} drops it", removeXDP},
	{"ip_forward", "this host does not forward it: it has source routing options, or arrived by broadcast", nil},
	{"ip6_forward", "this host does not forward IPv6 packets that arrive through {in}, or the packet is larger " +
		"than the MTU of its route", forward},
	{"ip_error", "this host has no route to {to}, or does not forward", routeOrForward},
	{"ip6_pkt_drop", "this host has no route to {to}, or a route forbids it", routeOrForward},
	{"br_handle_frame", "the bridge does not take the frame: its port is blocked, or its MAC addresses are invalid",
		forwardPort},
	{"br_handle_frame_finish", "the bridge does not forward the frame: a VLAN or the state of the port {in} " +
		"forbids it",
		showPort},
	{"br_dev_queue_push_xmit", longFrame, nil},
	{"br_nf_dev_queue_xmit", longFrame, nil},
	{"__br_forward", "the bridge does not forward the frame to {device}", showPort},
	{"arp_process", "it asks for an address that is not one of this host", nil},
	{"arp_rcv", "it is an ARP message that is not for this host", nil},
	{"tun_net_xmit", "the queue of the device is full, or no program is attached", longerQueue},
	{"tun_queue_purge", "it waited for the program, which ended", nil},
	{"sch_direct_xmit", queueing, showQueueing},
	{"kfree_skb_list", queueing, showQueueing}, // of a full queueing discipline
	{"__netif_receive_skb_core", "a traffic control filter on the ingress of {device} drops it, or no part of this " +
		"host handles its Ethernet type {type}", showIngress},
	{"ip_rcv_core", "its IP header is malformed, or the checksum of the header is wrong", nil},
	{"ip6_rcv_core", "its IPv6 header is malformed", nil},
	{"ip_rcv_finish_core", "its source {from} is not routed to {in} (rp_filter), or is an address of this host or " +
		"one that no host has", acceptSource},
	{"nf_hook_slow", "a firewall rule or a chain policy at the hook {hook} drops it", showFirewall},
	{"icmp_rcv", checksum, nil},
	{"icmpv6_rcv", checksum, nil},
	{"__udp4_lib_rcv", noListener, nil},
	{"__udp6_lib_rcv", noListener, nil},
	{"tcp_v4_rcv", noListener, nil},
	{"tcp_v6_rcv", noListener, nil},
	{"neigh_hh_output", "the kernel cannot write its Ethernet header", nil},
	{"ip_finish_output", "it is larger than the MTU of {device}, or a control group drops it", nil},
}
