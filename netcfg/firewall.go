package netcfg

import (
	"slices"

	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// nfgenLength is the length of struct nfgenmsg, with which each message begins.
const nfgenLength = 4

// FirewallRules returns the expressions of the rules of nftables and iptables-nft, as the kernel sends them. It
// requires CAP_NET_ADMIN over the network namespace.
func (ns *Namespace) FirewallRules() ([][]byte, error) {
	s, err := rtnl.Open(unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	ask := rtnl.Request(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETRULE, 0, nl.NewRtAttr(0, nil))
	ask.Data = []nl.NetlinkRequestData{&nl.Nfgenmsg{NfgenFamily: unix.AF_UNSPEC}}
	return rtnl.Dump(s, ask, func(body []byte) (expressions []byte, ok bool) {
		if len(body) < nfgenLength {
			return nil, false
		}
		for kind, value := range rtnl.Attributes(body[nfgenLength:]) {
			if kind == unix.NFTA_RULE_EXPRESSIONS {
				return slices.Clone(value), true
			}
		}
		return nil, true
	})
}
