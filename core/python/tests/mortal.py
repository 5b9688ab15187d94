"""Deaths on demand: every shared step (an atomic access, or a wake-up) is counted, and something happens at a chosen one."""

import os
import signal

import zeroipc._atomics as atomics
import zeroipc._exchange as exchange
import zeroipc._waiting as waiting

_NAMES = ["load_8", "store_8", "cas_8", "load_4", "store_4", "cas_4", "fetch_or_4", "futex_wake", "futex_wait"]


class Steps:
    """While it lives, the package's shared steps run `before(step, name)` and `after(step, name)`."""

    def __init__(self, before=None, after=None):
        self.count = 0
        self._before, self._after = before, after
        self._saved = []

    def __enter__(self):
        for module in (atomics, exchange, waiting):
            for name in _NAMES:
                if hasattr(module, name):
                    self._saved.append((module, name, getattr(module, name)))
                    setattr(module, name, self._counted(name, getattr(module, name)))
        return self

    def __exit__(self, *_):
        for module, name, function in self._saved:
            setattr(module, name, function)

    def _counted(self, name, function):
        def call(*arguments):
            self.count += 1
            step = self.count
            if self._before:
                self._before(step, name)
            result = function(*arguments)
            if self._after:
                self._after(step, name)
            return result

        return call


def dies_before(step):
    """The process ends by SIGKILL before that shared step."""

    def kill(now, _name):
        if now == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return Steps(before=kill)
