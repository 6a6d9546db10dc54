# Copyright: the authors of tunadm
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Written by "ansible/generate" from share/tunadm.schema.json.

from __future__ import absolute_import, division, print_function
__metaclass__ = type

# The keys of a device in tunadm.toml(5), as options of a module.
PROPERTIES = {
    'mode': {'type': 'str', 'choices': ['tun', 'tap']},
    'user': {'type': 'str'},
    'group': {'type': 'str'},
    'anyone': {'type': 'bool'},
    'addresses': {'type': 'list', 'elements': 'str'},
    'routes': {'type': 'list', 'elements': 'str'},
    'mtu': {'type': 'int'},
    'mac': {'type': 'str'},
    'txqueuelen': {'type': 'int'},
    'alias': {'type': 'str'},
    'master': {'type': 'str'},
    'promisc': {'type': 'bool'},
    'multicast': {'type': 'bool'},
    'multi_queue': {'type': 'bool'},
    'vnet_hdr': {'type': 'bool'},
    'pi': {'type': 'bool'},
    'up': {'type': 'bool'},
    'port': {'type': 'dict', 'options': {
        'isolated': {'type': 'bool'},
        'learning': {'type': 'bool'},
        'flood': {'type': 'bool'},
        'hairpin': {'type': 'bool'},
        'cost': {'type': 'int'},
        'priority': {'type': 'int'},
        'pvid': {'type': 'int'},
        'vlans': {'type': 'list', 'elements': 'int'},
    }},
    'sysctl': {'type': 'dict'},
}
