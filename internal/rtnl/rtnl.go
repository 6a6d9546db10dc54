// Package rtnl is a netlink socket: batches of requests, dumps, announcements, and the kernel's own words for a
// refusal.
package rtnl
