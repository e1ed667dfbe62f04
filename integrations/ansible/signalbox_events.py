"""Tells signalbox, as lines of JSON on a descriptor, what each task did to each host."""

import json
import os

from ansible.plugins.callback import CallbackBase
from ansible.release import __version__

DOCUMENTATION = """
name: signalbox_events
type: notification
short_description: tells signalbox what each task did
description: tells signalbox what each task did
"""

VOLATILE = ("atime", "mtime", "ctime", "before_header", "after_header")


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "signalbox_events"
    CALLBACK_NEEDS_ENABLED = False
    CALLBACK_NEEDS_WHITELIST = False

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fd = int(os.environ["SIGNALBOX_EVENTS"])
        self.say(kind="begin", version=__version__)

    def say(self, **event):
        line = json.dumps(event, sort_keys=True, default=str).encode() + b"\n"
        while line:
            line = line[os.write(self.fd, line):]

    def steady(self, value):
        """is a diff without what differs from run to run."""
        if isinstance(value, dict):
            return {str(k): self.steady(v) for k, v in value.items() if k not in VOLATILE}
        if isinstance(value, (list, tuple)):
            return [self.steady(v) for v in value]
        return value

    def untried(self, task, result):
        """says whether a task was skipped because it is a check, not by its condition."""
        if "skip_reason" in result or "skipped_reason" in result:
            return False
        if "censored" in result:
            return not task.when
        return "check mode" in str(result.get("msg", "")).lower()

    def ended(self, result, skipped=False):
        task, res = result._task, result._result
        items = [r for r in res.get("results") or [] if isinstance(r, dict)] or [res]
        diffs = [r["diff"] for r in items if r.get("diff")]
        untried = any(self.untried(task, r) for r in items if skipped or r.get("skipped"))
        if not res.get("changed") and not untried:
            return
        self.say(
            kind="task", host=result._host.get_name(), task=task.get_name().strip(), action=task.action, changed=bool(res.get("changed")), untried=untried, diffs=self.steady(diffs))

    def v2_runner_on_ok(self, result):
        self.ended(result)

    def v2_runner_on_skipped(self, result):
        self.ended(result, skipped=True)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.ended(result)

    def v2_playbook_on_stats(self, stats):
        self.say(kind="end", hosts={h: stats.summarize(h) for h in sorted(stats.processed)})
