"""`PYTHONPATH=tests python -m rig COMMAND ...`: run a command by hand among real kernel devices.

Without a command it only downloads what the rig needs.
"""

import os
import sys
import tempfile
from pathlib import Path

from rig import packages
from rig.machine import Machine


def main(command: list[str]) -> int:
    """Run it; return its exit code, 125 when the guest died, 1 when it cannot be started."""
    cache = packages.default()
    try:
        cache.fill()
    except packages.CannotPrepare as error:
        print(f"rig: {error}", file=sys.stderr)
        return 1
    return _run(cache, command) if command else 0


def _run(cache: packages.Cache, command: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="docktally-rig-") as folder:
        machine = Machine(cache, Path(folder))
        machine.start(command, working=Path.cwd(), environment=os.environ).wait()
        output = Path(folder) / "output"
        sys.stdout.write(output.read_text(errors="replace") if output.exists() else "")
        code = machine.exit_code()
        if code is None:
            print(machine.last_words(), file=sys.stderr)
            return 125
        return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
