"""One run of the guest: a command that sees the host's files and real kernel devices."""

import ctypes
import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rig import initramfs, kernel
from rig.packages import Cache

_MEMORY_MB = 1024
_PROCESSORS = 2
#: How much of the console is shown when the guest died.
_CONSOLE_LINES = 80
_PR_SET_PDEATHSIG = 1
_KERNEL_OPTIONS = (
    "console=ttyS0 quiet loglevel=4 mitigations=off audit=0 panic=-1 rdinit=/init "
    # Keep translated code valid: the emulator keys it by address, so a second python starts faster.
    "nokaslr norandmaps "
    # Save probing and calibrating what this machine does not have.
    "random.trust_cpu=on tsc=reliable no_timer_check i8042.noaux i8042.nokbd"
)


@dataclass(frozen=True, slots=True)
class Machine:
    """A guest that runs one command and ends. `folder` is shared with it, at the same path.

    There appear `output` (what the command wrote), `exit_code` and `console` (the kernel's words).
    """

    cache: Cache
    folder: Path

    def start(
        self, command: Sequence[str], *, working: Path, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Boot, run the command in the folder `working`, and end; return the emulator's process.

        CannotPrepare when the packages cannot be had.
        """
        self.cache.fill()
        settings = [f"{name}={value}" for name, value in environment.items()]
        words = " ".join(map(shlex.quote, ["env", "-i", *settings, *command]))
        (self.folder / "command.sh").write_text(f"cd {shlex.quote(str(working))} && exec {words}\n")
        (self.folder / "exit_code").unlink(missing_ok=True)
        libraries = [self.cache.tree / path / "x86_64-linux-gnu" for path in ("usr/lib", "lib")]
        libc = ctypes.CDLL(None)
        return subprocess.Popen(
            [*self._processor(), *self._shares(), *self._wires()],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, libraries))},
            start_new_session=True,
            # The guest never outlives us, however we end.
            preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
        )

    def exit_code(self) -> int | None:
        """Return the command's exit code, None when the guest ended without one."""
        file = self.folder / "exit_code"
        return int(file.read_text()) if file.exists() else None

    def last_words(self) -> str:
        """Return the end of the console: why the guest died."""
        console = self.folder / "console"
        lines = console.read_text(errors="replace").splitlines() if console.exists() else []
        return "\n".join(lines[-_CONSOLE_LINES:])

    def _processor(self) -> list[str]:
        return [
            str(self.cache.find("usr/bin/qemu-system-x86_64")),
            *("-M", "q35,usb=off,smm=off,vmport=off,hpet=off", "-nodefaults", "-no-user-config"),
            *("-display", "none", "-no-reboot", "-m", str(_MEMORY_MB), "-smp", str(_PROCESSORS)),
            # Without la57 an emulated address has one level less to walk.
            *("-accel", "tcg", "-cpu", "max,la57=off"),
            *("-kernel", str(kernel.image(self.cache))),
            *("-initrd", str(initramfs.build(self.cache))),
            # A name without a dot that the kernel does not know becomes a variable of init.
            *("-append", f"{_KERNEL_OPTIONS} RIG_FOLDER={self.folder}"),
        ]

    def _shares(self) -> list[str]:
        words = []
        for tag, path, options in (("host", "/", ",readonly=on"), ("folder", self.folder, "")):
            local = f"local,id={tag},path={path},security_model=none,multidevs=remap{options}"
            words += ["-fsdev", local, "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
        return words

    def _wires(self) -> list[str]:
        """The console, and a USB bridge (FTDI) whose RS-232 side is the guest's own ttyS1."""
        socket = f"socket,path={self.folder}/wire"
        return [
            *("-chardev", f"file,id=console,path={self.folder}/console"),
            *("-serial", "chardev:console"),
            *("-chardev", f"{socket},id=rs232,server=on,wait=off", "-chardev", f"{socket},id=usb"),
            *("-serial", "chardev:rs232", "-device", "qemu-xhci"),
            *("-device", "usb-serial,chardev=usb,serial=FT-SCAN-77,always-plugged=on"),
        ]
