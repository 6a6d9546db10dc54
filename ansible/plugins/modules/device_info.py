#!/usr/bin/python
# Copyright: the authors of tunadm
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function
__metaclass__ = type

DOCUMENTATION = r'''
module: device_info
short_description: Read TUN/TAP devices, and the programs that use them
version_added: 0.1.0
description:
  - Returns devices as C(tunadm list --json) prints them, with the attached programs.
options:
  names:
    description:
      - Names, patterns such as C(vm*), or ranges such as C(vm[0-3]). Without names, all TUN/TAP devices are returned.
      - If no device has a name, the name is ignored. The module fails if a device of that name is not a TUN/TAP device.
    type: list
    elements: str
    default: []
  netns:
    description:
      - C(all) returns the devices of every network namespace of the host.
extends_documentation_fragment:
  - tunadm.tunadm.program
  - tunadm.tunadm.program.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
    details: The module changes nothing.
'''

EXAMPLES = r'''
- name: Read the taps of the virtual machines
  tunadm.tunadm.device_info:
    names: [vm*]
  register: taps

- name: Name those without a program
  ansible.builtin.debug:
    msg: "{{ taps.devices | selectattr('attached', 'equalto', []) | map(attribute='name') }}"
'''

RETURN = r'''
devices:
  description: The devices, sorted by name or in the order of I(names). All keys are in tunadm-json(5).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      type: str
      sample: tun77
    mode:
      description: C(tun) or C(tap).
      type: str
      sample: tun
    access:
      description: Who may attach.
      type: str
      sample: waldner
    state:
      description: C(down), C(no-carrier) or C(up).
      type: str
      sample: up
    mtu:
      description: The MTU in bytes.
      type: int
      sample: 1400
    addresses:
      description: All addresses.
      type: list
      elements: str
      sample: [10.0.0.1/24]
    attached:
      description: The attached programs.
      type: list
      elements: dict
      sample:
        - pid: 4211
          command: vpnd
          user:
            id: 1000
            name: waldner
          queues: 1
          probable: false
msg:
  description: The errors of the program, one on each line.
  returned: failure
  type: str
  sample: 'list lo: it is the loopback device, not a TUN/TAP device'
hints:
  description: The hints of the program, each a command or a sentence.
  returned: failure
  type: list
  elements: str
  sample: ['name TUN/TAP devices only']
rc:
  description: The exit status of the program, see tunadm(8). Null if it did not run.
  returned: failure
  type: int
  sample: 4
'''

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tunadm.tunadm.plugins.module_utils.program import DONE, NO_DEVICE, OPTIONS, Program


def main():
    spec = dict(OPTIONS, names={'type': 'list', 'elements': 'str', 'default': []})
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    run = Program(module).expect((DONE, NO_DEVICE), 'list', names=module.params['names'])
    module.exit_json(changed=False, devices=run.json)


if __name__ == '__main__':
    main()
