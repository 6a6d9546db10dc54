# Copyright: the authors of tunadm
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function
__metaclass__ = type

import json
import re

from ansible.module_utils.common.text.converters import to_text


def text(value):
    """Return a string of TOML. JSON escapes all characters that TOML refuses, except DEL."""
    return json.dumps(to_text(value), ensure_ascii=False).replace(u'\x7f', u'\\u007f')


def key(name):
    """Return a key, in quotes if it needs them."""
    return name if re.match(r'[A-Za-z0-9_-]+\Z', name) else text(name)


def value(data):
    """Return a value of TOML in one line. A key whose value is None is left out."""
    if isinstance(data, bool):
        return 'true' if data else 'false'
    if isinstance(data, dict):
        return '{%s}' % ', '.join('%s = %s' % (key(k), value(v)) for k, v in data.items() if v is not None)
    if isinstance(data, (list, tuple)):
        return '[%s]' % ', '.join(value(one) for one in data)
    if isinstance(data, (int, float)):
        return '%s' % data
    return text(data)


def table(path, data):
    """Return a table of TOML with a line for each key that is not None. path has the parts of its name."""
    lines = ['[%s]' % '.'.join(key(part) for part in path)]
    lines += ['%s = %s' % (key(name), value(one)) for name, one in data.items() if one is not None]
    return '\n'.join(lines) + '\n'
