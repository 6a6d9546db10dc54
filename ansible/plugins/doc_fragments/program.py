# Copyright: the authors of tunadm
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function
__metaclass__ = type


class ModuleDocFragment(object):

    # The options of all modules: OPTIONS in module_utils/program.py.
    DOCUMENTATION = r'''
options:
  executable:
    description:
      - The path of the program on the host.
      - Without this option, the module searches for C(tunadm) in C(PATH) and in C(/usr/local/bin).
    type: path
  netns:
    description:
      - Work inside this network namespace of the host, a name as in ip-netns(8), a path, or the PID of a process in it.
    type: str
requirements:
  - tunadm 0.1.0 or later on the host
seealso:
  - name: The manual
    description: tunadm(8), tunadm.toml(5), tunadm-doctor(8) and tunadm-json(5).
    link: https://github.com/tunadm/tunadm/tree/main/man
author:
  - The tunadm authors (@tunadm)
'''

    ATTRIBUTES = r'''
attributes:
  check_mode:
    description: Can run in check mode, and returns the changed status without changing the host.
  diff_mode:
    description: Returns details on what has changed, or in check mode would change.
  platform:
    description: The operating systems of the hosts.
    support: full
    platforms: linux
  action_group:
    description: Use C(group/tunadm.tunadm.tunadm) in C(module_defaults) to set options of all modules.
    support: full
    membership: [tunadm.tunadm.tunadm]
'''
