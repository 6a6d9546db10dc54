# Copyright: the authors of tunadm
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Written by "ansible/generate" from share/tunadm.schema.json.

from __future__ import absolute_import, division, print_function
__metaclass__ = type


class ModuleDocFragment(object):

    DOCUMENTATION = r'''
options:
  mode:
    description:
      - 'IP packets (tun) or Ethernet frames (tap).'
      - 'Default: the one with which the name begins.'
      - 'It cannot be changed after creation: an existing device of the other mode is an error.'
    type: str
    choices: [tun, tap]
  user:
    description:
      - 'The user who may attach, by name or number.'
      - 'With group, both must match. user, group and anyone are one property: user alone means no group.'
      - 'Default for a new device: root.'
    type: str
  group:
    description:
      - 'The group whose members may attach, by name or number.'
      - 'With user, both must match.'
    type: str
  anyone:
    description:
      - 'Everyone who can open /dev/net/tun may attach.'
      - 'Excludes user and group.'
    type: bool
  addresses:
    description:
      - 'Exactly these IPv4 and IPv6 addresses: "10.0.0.1/24", "fd00::1/64", "10.0.0.1 peer 10.0.0.2",
        "10.0.0.1/24 broadcast 10.0.0.255".'
      - 'Without broadcast, a new address has no broadcast address, and an existing one keeps it.'
      - 'Addresses with a lifetime and link-local IPv6 addresses are kept.'
      - 'An empty list removes all others.'
    type: list
    elements: str
  routes:
    description:
      - 'Exactly these routes through the device: "PREFIX [via GATEWAY] [metric N] [table T]".'
      - 'Routes of routing daemons and of the kernel are kept.'
      - 'The device must be up.'
      - 'An empty list removes all others.'
    type: list
    elements: str
  mtu:
    description:
      - 'The size of the largest packet in bytes, not counting the Ethernet header; at most 65521 on a tap.'
      - 'Below 1280, the kernel removes IPv6.'
      - 'Default for a new device: 1500, or the MTU of the bridge that it joins.'
    type: int
  mac:
    description:
      - 'The MAC address of a tap, such as "02:00:5e:10:00:01"; for a range, with the number:
        "02:00:5e:10:00:{n:02x}".'
      - 'Default for a new device: a random one.'
    type: str
  txqueuelen:
    description:
      - 'How many packets wait for the attached program before more are dropped.'
      - 'Default for a new device: 500 on a tun, 1000 on a tap.'
    type: int
  alias:
    description:
      - 'Any text of up to 255 bytes; "" removes it.'
    type: str
  master:
    description:
      - 'The bridge (tap only) or VRF that the device joins; with "", it leaves its master.'
    type: str
  promisc:
    description:
      - 'Receive also frames for other MAC addresses.'
      - 'Default for a new device: false.'
    type: bool
  multicast:
    description:
      - 'The multicast flag of the device.'
      - 'Default for a new device: true.'
    type: bool
  multi_queue:
    description:
      - 'Several queues can be attached at once.'
      - 'It cannot be changed after creation: an existing device with the other value is an error.'
      - 'Default for a new device: false.'
    type: bool
  vnet_hdr:
    description:
      - 'A new device starts with the flag for a virtio header before each packet.'
      - 'Each program that attaches sets its own, so it is not compared.'
      - 'Default: false.'
    type: bool
  pi:
    description:
      - 'A new device starts with the flag for packet information before each packet.'
      - 'Each program that attaches sets its own, so it is not compared.'
      - 'Default: false.'
    type: bool
  up:
    description:
      - 'Bring the device up, or take it down.'
      - 'Default: true.'
    type: bool
  port:
    description:
      - 'Settings of the device as a port of the bridge that it joins: {isolated: true, pvid: 10}.'
      - 'Missing keys are not changed.'
      - 'Requires master.'
    type: dict
    suboptions:
      isolated:
        description:
          - 'Isolated ports do not reach one another.'
          - 'Default for a new port: false.'
        type: bool
      learning:
        description:
          - 'The bridge learns MAC addresses from frames of the port.'
          - 'Default for a new port: true.'
        type: bool
      flood:
        description:
          - 'Frames to unknown unicast MAC addresses go to the port, too.'
          - 'Default for a new port: true.'
        type: bool
      hairpin:
        description:
          - 'Frames may leave through the port through which they came.'
          - 'Default for a new port: false.'
        type: bool
      cost:
        description:
          - 'The path cost of the spanning tree protocol.'
          - 'Default for a new port: from its speed.'
        type: int
      priority:
        description:
          - 'The priority of the spanning tree protocol.'
          - 'Default for a new port: 32.'
        type: int
      pvid:
        description:
          - 'The VLAN of untagged frames; 0 is none.'
          - 'Default for a new port: 1.'
        type: int
      vlans:
        description:
          - 'Exactly these VLANs with tagged frames.'
          - 'Default for a new port: none.'
        type: list
        elements: int
  sysctl:
    description:
      - 'Sysctls of the device, without its name: {"net.ipv4.conf.rp_filter": "0"} sets
        net.ipv4.conf.tun77.rp_filter.'
    type: dict
'''
