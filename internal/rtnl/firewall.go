package rtnl

import (
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// nfgenLength is the length of struct nfgenmsg, with which each message begins.
const nfgenLength = 4

// FirewallRules returns the expressions of the rules of nftables and iptables-nft in the thread's network namespace, as
// the kernel sends them. It requires CAP_NET_ADMIN over the network namespace.
func FirewallRules() ([][]byte, error) {
	s, err := Open(unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	ask := Request(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETRULE, 0, nl.NewRtAttr(0, nil))
	ask.Data = []nl.NetlinkRequestData{&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC}}
	return Dump(s, ask, func(body []byte) (expressions []byte, ok bool) {
		if len(body) < nfgenLength {
			return nil, false
		}
		for kind, value := range Attributes(body[nfgenLength:]) {
			if kind == unix.NFTA_RULE_EXPRESSIONS {
				return slices.Clone(value), true
			}
		}
		return nil, true
	})
}
