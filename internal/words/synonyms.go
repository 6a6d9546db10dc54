package words

import "strings"

// others maps words of other tools, and words that are near, to the properties of a device. Flags have the name of a
// property, and keys of a file too: with an underscore for each hyphen, and in the plural for a list.
var others = map[string]string{
	"addr": "address", "addresses": "address", "bridge": "master", "description": "alias", "hwaddr": "mac",
	"hw-address": "mac", "ip": "address", "ip-address": "address", "kind": "mode", "lladdr": "mac",
	"mac-address": "mac", "multiqueue": "multi-queue", "owner": "user", "promiscuous": "promisc", "qlen": "txqueuelen",
	"routes": "route", "tun-mtu": "mtu", "type": "mode", "txqlen": "txqueuelen", "vrf": "master",
	"packet-info": "pi", "vnet-header": "vnet-hdr",
}

// remarks are hints for words of other tools that have no property.
var remarks = map[string]string{"persist": "every device is persistent: leave it out"}

// Property returns the property that a word of another tool means, in the form of a flag without hyphens, or "". The
// remark is the hint for a word that means none, or "".
func Property(word string) (property, remark string) {
	word = strings.ReplaceAll(strings.ToLower(strings.TrimLeft(word, "-")), "_", "-")
	return others[word], remarks[word]
}
