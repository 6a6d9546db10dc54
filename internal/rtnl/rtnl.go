// Package rtnl is a netlink socket: batches of requests, dumps, announcements, and the kernel's own words for a
// refusal.
//
// doctor calls github.com/vishvananda/netlink for the route to an address. Each socket of the library starts the poller
// of the Go runtime, and the runtime ends the process if it gets no descriptor for it. A change would then be neither
// finished nor undone, so the library is not used for changes. The list has further reasons. A factor is the library's
// time divided by the time of this package, measured in one network namespace with 1000 TAP devices.
//
//   - Reading TUN/TAP devices: in the library an absent owner or group is 0, which is root. It asks for all counters,
//     and sends no filter for one kind of device (2.7).
//   - Reading one device by its name or index: as above, and the library hides an address of zeros, which a bridge has
//     whose last port has left (2.3).
//   - Reading the ports of a bridge: the library sends no filter for a master (60).
//   - Reading addresses and routes: an undo within a run sends the kernel's own message again, with lifetimes, labels,
//     metrics and attributes that the library does not decode. Reading routes takes longer (1.7).
//   - Changing properties, addresses, routes and masters: up to 64 requests travel in one message (2.2). The library
//     waits for the answer to each. Only a master alone is as fast either way.
//   - Deleting a link group: the library has no request for a group.
//   - Reading policy rules: the library drops the action, the flags of missing devices, and attributes that it does
//     not know, so that a rule with more conditions looks like one without.
//   - Reading the mode of IPv6 address generation: the library does not decode IFLA_AF_SPEC.
//   - Setting that mode, deleting one device, adding and removing a policy rule: only the poller.
//   - Announcements: the library has one socket for links and one for addresses, so that their order is lost. It ends
//     after lost announcements (ENOBUFS), and drops the attributes of a device that moves between network namespaces.
//   - Rules of nftables, see internal/firewall: the library has none.
//   - Ioctls of the TUN/TAP driver and of ethtool do not use netlink.
//
// golang.org/x/sys/unix lacks RTA_NH_ID, RTEXT_FILTER_SKIP_STATS, IFA_PROTO, ETH_SS_FEATURES and NET_ADDR_SET, which
// this package, driver and netcfg define.
package rtnl
