package packet

// The parts of an ARP packet for IPv4 over Ethernet.
const (
	arpForIPv4 = "\x00\x01\x08\x00\x06\x04"
	arpLength  = 28
	arpRequest = 1
	arpReply   = 2
)
