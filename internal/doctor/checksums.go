package doctor

import (
	"fmt"

	"github.com/tunadm/tunadm/internal/firewall"
	"github.com/tunadm/tunadm/internal/fix"
)

// receiveStages are the places between the program that writes a packet and the routing of this host.
func receiveStages() []stage {
	return []stage{
		{"tracking", tracking},
		{"firewall", hooks(firewall.Ingress, firewall.BridgePrerouting, firewall.Prerouting)},
		{"route-localnet", loopbackRoute}, {"changed", changed}, {"rp-filter", reversePath}, {"martian", martian},
	}
}

// A sum is a counter of the network namespace of packets with a wrong checksum.
type sum struct{ file, group, what string }

var sums = []sum{
	{"netstat", "IpExt", "IPv4 header"}, {"snmp", "Icmp", "ICMP"}, {"snmp", "Udp", "UDP"}, {"snmp", "Tcp", "TCP"},
}

const miscomputed = "the program computes it wrongly, or not at all"

// checksum finds packets of the program whose checksum is wrong.
func checksum(j *journey) []Finding {
	if found := j.checksum6(); found != nil {
		return found
	}
	for _, s := range sums {
		n := j.host.Counter(s.file, s.group, "InCsumErrors")
		if s.what == "ICMP" {
			n -= min(n, j.host.Counter("snmp6", "", "Icmp6InCsumErrors"))
		}
		b := j.blame(n)
		found := b.finding(fmt.Sprintf(
			"the kernel dropped %s of the program with a wrong %s checksum (%s.InCsumErrors)",
			packets(b.part(n)), s.what, s.group), miscomputed)
		if found != nil {
			found[0].Fixes = j.checksumFixes()
			return found
		}
	}
	return nil
}

// checksum6 finds IPv6 packets of the program whose checksum is wrong. The counter of ICMPv6 is the device's own.
func (j *journey) checksum6() []Finding {
	if n := j.own6("Icmp6InCsumErrors"); n > 0 {
		return counted(n, "the kernel dropped "+packets(n)+" of the program with a wrong ICMPv6 checksum "+
			"(Icmp6InCsumErrors)", miscomputed, j.checksumFixes()...)
	}
	n := j.host.Counter("snmp6", "", "Udp6InCsumErrors")
	if n > j.own6("Ip6InDelivers") {
		return nil
	}
	b := j.blame(n)
	found := b.finding("the kernel dropped "+packets(b.part(n))+
		" of the program with a wrong UDP checksum (Udp6InCsumErrors)", miscomputed)
	if found != nil {
		found[0].Fixes = j.checksumFixes()
	}
	return found
}

// checksumFixes returns how to write packets that the kernel accepts.
func (j *journey) checksumFixes() []fix.Fix {
	fixes := []fix.Fix{fix.Sentence("make the program compute the checksum over the packet that it writes, " +
		"also after it changed an address or a port")}
	if j.device.VnetHdr {
		fixes = append(fixes, fix.Sentence("or let the kernel compute it: VIRTIO_NET_HDR_F_NEEDS_CSUM in the virtio "+
			"header, with csum_start and csum_offset"))
	}
	return fixes
}

// header finds packets of the program whose IP header is not valid.
func header(j *journey) []Finding {
	wrong := j.own6("Ip6InHdrErrors")
	if j.own6("Icmp6OutTimeExcds") > 0 {
		wrong = 0 // the stage hops reports them; the kernel limits the rate of these messages
	}
	if wrong += j.own6("Ip6InTruncatedPkts"); wrong > 0 {
		return counted(wrong, "the kernel dropped "+packets(wrong)+
			" of the program with a wrong IPv6 header (Ip6InHdrErrors, Ip6InTruncatedPkts)",
			"a length in it is wrong, or its hop limit was used up here, and no ICMP message could be sent",
			j.headerFix())
	}
	n := j.invalid()
	if j.host.Counter("snmp", "Icmp", "OutTimeExcds") > 0 {
		n = 0 // the stage hops reports them
	}
	cut := j.host.Counter("netstat", "IpExt", "InTruncatedPkts")
	b := j.blame(n + cut)
	found := b.finding("the kernel dropped "+packets(b.part(n+cut))+
		" of the program with a wrong IPv4 header (Ip.InHdrErrors, IpExt.InTruncatedPkts)",
		"the version, a length or an option in it is wrong, or its TTL was used up here, and no ICMP message could "+
			"be sent")
	if found != nil {
		found[0].Fixes = []fix.Fix{j.headerFix()}
	}
	return found
}

// invalid returns how many IPv4 packets had a wrong header or a TTL that was used up here.
func (j *journey) invalid() uint64 {
	n := j.host.Counter("snmp", "Ip", "InHdrErrors")
	return n - min(n, j.host.Counter("netstat", "IpExt", "InCsumErrors"))
}

func (j *journey) headerFix() fix.Fix {
	return fix.Sentence("make the program write each packet as it is, with one write for each: " +
		"the length in its header is that of the write")
}
