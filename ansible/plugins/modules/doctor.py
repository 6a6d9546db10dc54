#!/usr/bin/python
# Copyright: the authors of tunadm
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function
__metaclass__ = type

DOCUMENTATION = r'''
module: doctor
short_description: Fail if a TUN/TAP device does not work
version_added: 0.1.0
description:
  - Runs C(tunadm doctor), which finds out why devices do not work, and prints the fixes. It changes nothing.
  - Fails on errors, so that C(block) and C(rescue) of a playbook can act on them.
options:
  names:
    description:
      - Devices that must work now, as names, patterns such as C(vm*), or ranges such as C(vm[0-3]).
      - Without names, all devices are examined, and an idle device is no problem, see tunadm-doctor(8).
    type: list
    elements: str
    default: []
  user:
    description:
      - Examine whether this user, a name or a number, can attach.
    type: str
  level:
    description:
      - The level of a finding from which on the module fails. With C(warning), it also fails on errors.
    type: str
    choices: [error, warning]
    default: error
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
- name: Make sure that the VPN works
  block:
    - name: Examine the device, and the access of the daemon
      tunadm.tunadm.doctor:
        names: [tun77]
        user: vpn
  rescue:
    - name: Print what is wrong, and the fixes
      ansible.builtin.debug:
        var: ansible_failed_result.findings
'''

RETURN = r'''
findings:
  description: The findings, errors first, as C(tunadm doctor --json) prints them.
  returned: when the program examined the devices
  type: list
  elements: dict
  contains:
    check:
      description: The name of the check.
      type: str
      sample: down
    level:
      description: C(error), C(warning), or C(unknown) if something could not be examined.
      type: str
      sample: error
    device:
      description: The device, or null.
      type: str
      sample: tun77
    what:
      description: The observation.
      type: str
      sample: it is down
    means:
      description: Its cause or its effect.
      type: str
      sample: it passes no packet
    fix:
      description: The fixes, the best first.
      type: list
      elements: str
      sample: [tunadm set tun77 --up]
msg:
  description: The findings on which the module fails, or the errors of the program, one on each line.
  returned: failure
  type: str
  sample: 'error down: tun77: it is down: it passes no packet'
hints:
  description: The hints of the program, each a command or a sentence.
  returned: failure
  type: list
  elements: str
  sample: ['tunadm set tun77 --up']
rc:
  description: The exit status of the program, see tunadm(8). Null if it did not run.
  returned: failure
  type: int
  sample: 1
'''

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tunadm.tunadm.plugins.module_utils.program import DONE, FAILED, OPTIONS, Program

LEVELS = ['error', 'warning', 'unknown']


def arguments():
    return dict(
        OPTIONS,
        names={'type': 'list', 'elements': 'str', 'default': []},
        user={'type': 'str'},
        level={'type': 'str', 'choices': ['error', 'warning'], 'default': 'error'},
    )


def line(finding):
    parts = [finding['device'], finding['what'], finding['means']]
    return '%s %s: %s' % (finding['level'], finding['check'], ': '.join(part for part in parts if part))


def main():
    module = AnsibleModule(argument_spec=arguments(), supports_check_mode=True)
    program, findings = Program(module), []
    flags = [] if module.params['user'] is None else ['--user=' + module.params['user']]
    for name in module.params['names'] or [None]:
        run = program.expect((DONE, FAILED), 'doctor', flags, [] if name is None else [name])
        findings += [one for one in run.json if one not in findings]
    findings.sort(key=lambda one: LEVELS.index(one['level']))
    least = LEVELS.index(module.params['level'])
    wrong = [one for one in findings if LEVELS.index(one['level']) <= least]
    if wrong:
        module.fail_json(msg='\n'.join(line(one) for one in wrong), findings=findings, rc=FAILED,
                         hints=[one['fix'][0] for one in wrong if one['fix']])
    module.exit_json(changed=False, findings=findings)


if __name__ == '__main__':
    main()
