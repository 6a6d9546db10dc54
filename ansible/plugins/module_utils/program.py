# Copyright: the authors of tunadm
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function
__metaclass__ = type

import json
import os

# The exit statuses of tunadm(8) on which a module decides.
DONE = 0
FAILED = 1
MISTAKE = 2
NO_DEVICE = 3
WOULD_CHANGE = 8

# The options of every module, documented in the fragment "program".
OPTIONS = {
    'executable': {'type': 'path'},
    'netns': {'type': 'str'},
}

PREFIX = 'tunadm: '
HINT = PREFIX + 'hint: '


class Run(object):
    """A finished run of the program: its exit status, its JSON or None, and the lines of standard error."""

    def __init__(self, rc, out, err):
        self.rc = rc
        try:
            self.json = json.loads(out)
        except ValueError:  # the run failed before it could print any
            self.json = None
        self.errors, self.hints, self.warnings = [], [], []
        for line in err.splitlines():
            if line.startswith(HINT):
                self.hints.append(line[len(HINT):])
            elif ': warning: ' in line:
                self.warnings.append(line[len(PREFIX):])
            elif line.startswith(PREFIX):
                self.errors.append(line[len(PREFIX):])
            elif self.errors:  # the line of a file with a mistake, and the mark below it
                self.errors[-1] += '\n' + line
            elif line.strip():  # of the loader, or of a wrapper script
                self.errors.append(line)

    def failure(self):
        """Return the values of fail_json."""
        return {
            'msg': '\n'.join(self.errors) or 'tunadm: exit status %d' % self.rc,
            'hints': self.hints,
            'rc': self.rc,
        }


class Program(object):
    """The program tunadm, as the options of a module select it."""

    def __init__(self, module):
        self.module = module
        self.path = module.params['executable'] or module.get_bin_path('tunadm', opt_dirs=['/usr/local/bin'])
        if self.path is not None and not (os.path.isfile(self.path) and os.access(self.path, os.X_OK)):
            module.fail_json(msg='%s: not an executable file' % self.path, rc=None, hints=[
                'name the program with the option executable'])
        if self.path is None:
            module.fail_json(msg='tunadm is not installed', rc=None, hints=[
                'install it, for example with the role tunadm.tunadm.tunadm, or name it with the option executable'])

    def run(self, verb, flags=(), names=(), data=None):
        """Run a verb with --json, and return its Run. Warnings of the program become warnings of the module."""
        line = [self.path, verb, '--json'] + list(flags)
        if self.module.params['netns'] is not None:
            line.append('--netns=' + self.module.params['netns'])
        line += ['--'] + list(names)
        run = Run(*self.module.run_command(line, data=data, binary_data=True))
        for text in run.warnings:
            self.module.warn(text)
        return run

    def expect(self, codes, *args, **kwargs):
        """Run a verb, and fail unless its exit status is one of codes."""
        run = self.run(*args, **kwargs)
        if run.rc not in codes or run.json is None:
            self.module.fail_json(**run.failure())
        return run
