"""`docktally COMMAND`: one name for every program. Each is imported only when it is asked for."""

import importlib
import sys

from docktally import __doc__ as _about

#: command: (module, function, what it does, the extra that brings what it needs)
COMMANDS: dict[str, tuple[str, str, str, str]] = {
    "demo": (
        "docktally.demo",
        "main",
        "watch a whole warehouse work, with simulated scanners",
        "all",
    ),
    "up": ("docktally.up", "main", "run broker, central and gateway of a single-box site", "all"),
    "gateway": ("gateway.__main__", "main", "read this dock's scanners", "gateway"),
    "central": ("central.__main__", "main", "keep the ledger and tell every channel", "central"),
    "monitor": ("monitor.__main__", "main", "watch live stock in the terminal", "monitor"),
    "catalog": ("central.commands", "catalog", "import items, barcodes, locations", "central"),
    "token": ("central.commands", "token", "make and revoke tokens of the HTTP API", "central"),
    "verify": ("central.verify_command", "main", "prove that the ledger is right", "central"),
    "scanners": (
        "gateway.scanners_command",
        "main",
        "list scanners, show what they send, take them into use",
        "gateway",
    ),
    "doctor": ("gateway.doctor", "main", "say what keeps this dock from scanning", "gateway"),
    "backup": ("central.commands", "backup", "copy the ledger and prove the copy", "central"),
    "restore": ("central.commands", "restore", "put a copy of the ledger back", "central"),
    "parse": ("gateway.parse", "main", "explain what a barcode means", "gateway"),
    "labels": ("gateway.label_sheet", "main", "print command and location labels", "labels"),
    "sim": ("firmware_sim.__main__", "main", "pretend to be scanners and storefronts", "sim"),
}


def main() -> int:
    """Run the named command with the rest of the command line; return its exit code."""
    argv = sys.argv[1:]
    if not argv or argv[0] in {"-h", "--help", "help"}:
        print(_usage())
        return 0 if argv else 2
    name, rest = argv[0], argv[1:]
    if name == "--version":
        print(importlib.import_module("importlib.metadata").version("docktally"))
        return 0
    if name not in COMMANDS:
        print(f"docktally: there is no command {name!r}\n\n{_usage()}", file=sys.stderr)
        return 2
    module, function, _, extra = COMMANDS[name]
    try:
        command = getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        print(
            f"docktally {name} needs the Python package {error.name!r}: "
            f"pip install 'docktally[{extra}]'",
            file=sys.stderr,
        )
        return 1
    return int(command(rest))


def _usage() -> str:
    lines = [f"  {name:<9} {what}" for name, (_, _, what, _) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: docktally COMMAND [options]",
            "",
            f"{_about}",
            "",
            "commands:",
            *lines,
            "",
            "docktally COMMAND --help explains each.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
