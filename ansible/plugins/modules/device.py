#!/usr/bin/python
# Copyright: the authors of tunadm
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function
__metaclass__ = type

DOCUMENTATION = r'''
module: device
short_description: Create, change and delete persistent TUN/TAP devices
version_added: 0.1.0
description:
  - Creates and changes devices with C(tunadm apply), or deletes them with C(tunadm delete).
  - Omitted options leave an existing device unchanged, except that the device is brought up if I(up) is omitted.
  - If a change of a device fails, all changes of this device are undone.
options:
  name:
    description:
      - The name of a device, or a name with a range such as C(tap[0-9]), which is short for ten devices. In the other
        options, C({n}) is then the number of each device, see tunadm.toml(5).
      - With I(state=absent), a pattern such as C(vm*) deletes each TUN/TAP device that it matches.
    type: str
    required: true
  state:
    description:
      - C(present) creates the devices, or changes them as declared.
      - C(absent) deletes them. Only I(mode), I(force), I(boot), I(netns) and I(executable) have an effect then.
        Only TUN/TAP devices are deleted.
    type: str
    choices: [present, absent]
    default: present
  replace:
    description:
      - Delete and re-create a device that cannot be changed as declared, for example if it has the other I(mode).
        Properties that are not declared are lost. The module fails if a program uses the device.
      - It is C(--replace) in the hints of the program.
    type: bool
    default: false
  force:
    description:
      - With I(state=absent), delete the device even if a program uses it. Otherwise it is kept, and the module fails.
    type: bool
    default: false
  boot:
    description:
      - With C(true), the devices are also declared in C(/etc/tunadm.d/NAME.toml), so that C(tunadm.service) creates
        them at each boot. The module fails if the program would refuse the file there, for example because another
        file declares the device.
      - With C(false) or I(state=absent), that file is removed.
      - Without this option, I(state=present) neither writes nor removes the file.
      - If another program has written a file of this name, it is neither changed nor removed.
    type: bool
extends_documentation_fragment:
  - tunadm.tunadm.properties
  - tunadm.tunadm.program
  - tunadm.tunadm.program.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: The difference is the plan, in commands of ip(8), and that of the file of I(boot).
notes:
  - The created devices are recorded as the set C(ansible). C(tunadm teardown --set ansible) deletes them. C(systemctl
    stop tunadm) keeps them until the next boot.
  - Quote a MAC address. Without quotes, YAML reads C(52:54:00:12:34:56) as a number.
'''

EXAMPLES = r'''
- name: A tun for a VPN daemon, also after a reboot
  tunadm.tunadm.device:
    name: tun77
    user: vpn
    addresses:
      - 10.0.0.1/24
    mtu: 1400
    boot: true

- name: Ten taps for virtual machines
  tunadm.tunadm.device:
    name: tap[0-9]
    group: kvm
    mac: "02:00:5e:10:00:{n:02x}"
    master: br0

- name: Delete them, even if a virtual machine runs
  tunadm.tunadm.device:
    name: tap[0-9]
    state: absent
    force: true
'''

RETURN = r'''
commands:
  description: The steps of this run, or in check mode the steps that a run would do, as commands of ip(8).
  returned: when the program ran
  type: list
  elements: str
  sample: ['ip link set tun77 mtu 1400']
devices:
  description: The result of each device, as C(tunadm apply --json) prints it, see tunadm-json(5).
  returned: when the program ran, except in check mode
  type: list
  elements: dict
  sample:
    - device: tun77
      result: changed
      steps:
        - device: tun77
          step: link
          command: ip link set tun77 mtu 1400
      error: null
      exit: 0
msg:
  description: The errors of the program, one on each line.
  returned: failure
  type: str
  sample: 'delete tun77: in use by vpnd (pid 4211, user waldner)'
hints:
  description: The hints of the program, each a command or a sentence.
  returned: failure
  type: list
  elements: str
  sample: ['stop it first, or force the deletion: tunadm delete tun77 --force']
rc:
  description: The exit status of the program, see tunadm(8). Null if it did not run.
  returned: failure
  type: int
  sample: 5
'''

import os
import re
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.tunadm.tunadm.plugins.module_utils import toml
from ansible_collections.tunadm.tunadm.plugins.module_utils.program import (
    DONE, MISTAKE, OPTIONS, WOULD_CHANGE, Program)
from ansible_collections.tunadm.tunadm.plugins.module_utils.properties import PROPERTIES

SET = 'ansible'
MAIN_FILE = '/etc/tunadm.toml'
DIRECTORY = '/etc/tunadm.d'
MARK = '# Written by the module tunadm.tunadm.device of Ansible, which overwrites changes.\n'
STDIN = '-'


def arguments():
    spec = {
        'name': {'type': 'str', 'required': True},
        'state': {'type': 'str', 'choices': ['present', 'absent'], 'default': 'present'},
        'replace': {'type': 'bool', 'default': False},
        'force': {'type': 'bool', 'default': False},
        'boot': {'type': 'bool'},
    }
    spec.update(PROPERTIES)
    spec.update(OPTIONS)
    return spec


class BootFile(object):
    """The file of the devices in /etc/tunadm.d, as it is and as it will be."""

    def __init__(self, module, program, wanted):
        self.module, self.program = module, program
        self.path = os.path.join(DIRECTORY, module.params['name'] + '.toml')
        self.before = self.read()
        self.after = self.before if wanted is None else wanted

    def read(self):
        """Return the content, or an empty text if the module may not change the file or there is none."""
        try:
            with open(self.path, 'rb') as f:
                content = f.read().decode('utf-8', 'replace')
        except EnvironmentError:
            content = None
        self.foreign = content is not None and not content.startswith(MARK)
        return '' if content is None or self.foreign else content

    def check(self):
        """Fail if the file cannot be written, or would be a mistake next to the other files."""
        if not self.after:
            return
        if self.foreign:
            self.module.fail_json(
                msg='%s: the module has not written this file, and does not replace it' % self.path, rc=None,
                hints=['declare the device there, or move the file away'])
        others = [MAIN_FILE] if os.path.exists(MAIN_FILE) else []
        if os.path.isdir(DIRECTORY):
            others += [os.path.join(DIRECTORY, name) for name in sorted(os.listdir(DIRECTORY))
                       if name.endswith('.toml')]
        operands = [path for path in others if path != self.path] + [STDIN]
        run = self.program.run('apply', ['--dry-run'], operands, data=self.after)
        if run.rc == MISTAKE:
            self.module.fail_json(**run.failure())

    def write(self):
        """Write or remove the file if it differs, and return whether it did."""
        changed = self.before != self.after
        if changed and not self.module.check_mode:
            if not self.after:
                os.remove(self.path)
            else:
                self.replace()
        if self.after and os.path.exists(self.path):
            changed = self.module.set_mode_if_different(self.path, '0644', changed)
            changed = self.module.set_owner_if_different(self.path, 'root', changed)
        return changed

    def replace(self):
        if not os.path.isdir(DIRECTORY):
            os.mkdir(DIRECTORY, 0o755)
        handle, new = tempfile.mkstemp(dir=DIRECTORY)
        self.module.add_cleanup_file(new)
        with os.fdopen(handle, 'wb') as f:
            f.write(self.after.encode('utf-8'))
        os.chmod(new, 0o644)
        self.module.atomic_move(new, self.path)

    def difference(self):
        return {'before': self.before, 'after': self.after, 'before_header': self.path, 'after_header': self.path}


def names_of(name):
    """Return the names of a range, or another name as it is. As a pattern, a range would match TUN/TAP devices only."""
    found = re.match(r'([^][]*)\[([0-9]+)-([0-9]+)\]([^][]*)\Z', name)
    if not found:
        return [name]
    before, first, last, after = found.groups()
    width = len(first) if first.startswith('0') else 0
    return ['%s%0*d%s' % (before, width, n, after) for n in range(int(first), int(last) + 1)] or [name]


def declaration(params):
    """Return the devices as a table of the file."""
    return toml.table(['device', params['name']], dict((key, params[key]) for key in PROPERTIES))


def live(module, program, text):
    """Make or delete the devices, or plan it. Return the run, the steps, and whether a device changes."""
    params, names, data = module.params, [STDIN], text
    if params['state'] == 'present':
        verb, flags = 'apply', ['--set=' + SET] + ['--replace'] * params['replace']
    else:
        verb, flags = 'delete', ['--if-exists'] + ['--force'] * params['force']
        if params['mode'] is not None:
            flags.append('--mode=' + params['mode'])
        names, data = names_of(params['name']), None
    if module.check_mode:
        run = program.run(verb, ['--check'] + flags, names, data=data)
        steps = run.json or []
        return run, steps, bool(steps)
    run = program.run(verb, flags, names, data=data)
    results = run.json or []
    changed = any(one['result'] in ('created', 'changed', 'deleted') for one in results)
    return run, [step for one in results for step in one['steps']], changed


def main():
    module = AnsibleModule(argument_spec=arguments(), supports_check_mode=True)
    params, present = module.params, module.params['state'] == 'present'
    if params['boot'] and params['netns'] is not None:
        module.fail_json(msg='boot and netns exclude each other: tunadm.service works in the initial network namespace',
                         rc=None, hints=[])
    if present and ('*' in params['name'] or '?' in params['name']):
        module.fail_json(msg='%s: a pattern requires state=absent' % params['name'], rc=None, hints=[])
    program, text = Program(module), declaration(params)
    wanted = None
    if not present or params['boot'] is False:
        wanted = ''
    elif params['boot']:
        wanted = MARK + text
    boot = BootFile(module, program, wanted)
    boot.check()

    run, steps, changed = live(module, program, text)
    commands = [step['command'] for step in steps]
    result = {'changed': changed, 'commands': commands}
    if not module.check_mode:
        result['devices'] = run.json or []
    diff = [{'prepared': ''.join(line + '\n' for line in commands)}] if commands else []
    failed = run.json is None or run.rc not in ((DONE, WOULD_CHANGE) if module.check_mode else (DONE,))
    if not failed and params['netns'] is None:
        if boot.before != boot.after:
            diff.append(boot.difference())
        result['changed'] = boot.write() or changed
        if boot.foreign and not present:
            module.warn('%s: the module has not written this file, and leaves it' % boot.path)
    if module._diff and diff:
        result['diff'] = diff
    if failed:
        result.update(run.failure())
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == '__main__':
    main()
