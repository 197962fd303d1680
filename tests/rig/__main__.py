"""`PYTHONPATH=tests python -m rig COMMAND ...`: run a command by hand among real kernel devices."""

import os
import sys
import tempfile
from pathlib import Path

from rig import packages
from rig.machine import Machine


def main() -> int:
    """Run it; return its exit code, 125 when the guest died."""
    with tempfile.TemporaryDirectory(prefix="rig-") as folder:
        machine = Machine(packages.default(), Path(folder))
        variables = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        machine.start(sys.argv[1:], working=Path.cwd(), environment=variables).wait()
        output = Path(folder) / "output"
        sys.stdout.write(output.read_text(errors="replace") if output.exists() else "")
        code = machine.exit_code()
        if code is None:
            print(machine.last_words(), file=sys.stderr)
            return 125
        return code


if __name__ == "__main__":
    sys.exit(main())
