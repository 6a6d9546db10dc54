# Copyright: the authors of tunadm
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function
__metaclass__ = type

DOCUMENTATION = r'''
name: fleet
short_description: Run tasks in the namespaces of a host of the fleet
description:
  - Each host of this inventory is a network namespace and a mount namespace of this machine.
author:
  - The tunadm authors (@tunadm)
extends_documentation_fragment:
  - connection_pipelining
'''

from ansible.module_utils.six.moves import shlex_quote
from ansible.plugins.connection.local import Connection as Local


class Connection(Local):
    transport = 'fleet'

    def exec_command(self, cmd, in_data=None, sudoable=True):
        with open('/run/fleet/' + self._play_context.remote_addr) as f:
            line = 'exec nsenter --net --mount --target %s -- /bin/sh -c %s' % (f.read(), shlex_quote(cmd))
        return super(Connection, self).exec_command(line, in_data=in_data, sudoable=sudoable)
