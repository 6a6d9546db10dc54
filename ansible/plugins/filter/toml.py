# Copyright: the authors of tunadm
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function
__metaclass__ = type

DOCUMENTATION = r'''
name: toml
short_description: Print the declarations of tunadm.toml(5)
version_added: 0.1.0
description:
  - Returns the text of a file for C(tunadm apply).
options:
  _input:
    description:
      - A dictionary with the keys C(defaults), C(bridge) and C(device). The values of the latter two are dictionaries
        by name.
    type: dict
    required: true
author:
  - The tunadm authors (@tunadm)
'''

EXAMPLES = r'''
text: "{{ {'device': {'tun77': {'user': 'waldner', 'mtu': 1400}}} | tunadm.tunadm.toml }}"
'''

RETURN = r'''
_value:
  description: The text.
  type: str
'''

from ansible.errors import AnsibleFilterError
from ansible_collections.tunadm.tunadm.plugins.module_utils import toml


def declarations(tables):
    unknown = set(tables) - {'defaults', 'bridge', 'device'}
    if unknown:
        raise AnsibleFilterError('tunadm.tunadm.toml: unknown table: %s' % ', '.join(sorted(unknown)))
    texts = [toml.table(['defaults'], tables['defaults'])] if tables.get('defaults') else []
    for kind in ('bridge', 'device'):
        texts += [toml.table([kind, name], keys or {}) for name, keys in (tables.get(kind) or {}).items()]
    return '\n'.join(texts)


class FilterModule(object):
    def filters(self):
        return {'toml': declarations}
