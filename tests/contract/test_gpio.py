"""gateway.gpio says to the kernel what <linux/gpio.h> means. No chip was there to light a lamp."""

import subprocess
from pathlib import Path

import pytest

from gateway import gpio
from neighbours import need

ASK = """
#include <linux/gpio.h>
#include <stddef.h>
#include <stdio.h>
int main(void) {
    printf("%zu %zu %lu %lu %lu %lu %d %zu %zu %zu %zu %zu %zu\\n",
        sizeof(struct gpio_v2_line_request), sizeof(struct gpio_v2_line_values),
        (unsigned long)GPIO_V2_GET_LINE_IOCTL, (unsigned long)GPIO_V2_LINE_SET_VALUES_IOCTL,
        (unsigned long)GPIO_V2_LINE_FLAG_ACTIVE_LOW, (unsigned long)GPIO_V2_LINE_FLAG_OUTPUT,
        GPIO_V2_LINES_MAX,
        offsetof(struct gpio_v2_line_request, consumer),
        offsetof(struct gpio_v2_line_request, config.flags),
        offsetof(struct gpio_v2_line_request, config.num_attrs),
        offsetof(struct gpio_v2_line_request, num_lines),
        offsetof(struct gpio_v2_line_request, event_buffer_size),
        offsetof(struct gpio_v2_line_request, fd));
}
"""


def test_structures_and_numbers_are_the_kernels(tmp_path: Path) -> None:
    """Sizes, places of the fields, ioctl numbers and flags, as the C compiler sees them."""
    if not Path("/usr/include/linux/gpio.h").exists():
        pytest.skip("no kernel headers: apt-get install linux-libc-dev")
    (tmp_path / "ask.c").write_text(ASK)
    build = [
        need("cc", "apt-get install gcc"),
        str(tmp_path / "ask.c"),
        "-o",
        str(tmp_path / "ask"),
    ]
    subprocess.run(build, check=True)
    answer = subprocess.run([tmp_path / "ask"], capture_output=True, text=True, check=True)
    theirs = [int(word) for word in answer.stdout.split()]
    request = gpio.LINE_REQUEST
    marked = request.pack(*range(64), b"C", 0xF1, 0xA1, 0xB1, 0xB2, 0xFD)
    places = [marked.index(bytes((mark,)), 256) for mark in (0x43, 0xF1, 0xA1, 0xB1, 0xB2, 0xFD)]
    assert theirs == [
        request.size, gpio.LINE_VALUES.size, gpio.GET_LINE_IOCTL, gpio.SET_VALUES_IOCTL,
        gpio.FLAG_ACTIVE_LOW, gpio.FLAG_OUTPUT, gpio.LINES_MAX, *places,
    ]  # fmt: skip


def test_a_chip_that_is_none_is_an_error(tmp_path: Path) -> None:
    """No such file, and a file that is no chip, raise OSError; nothing stays open."""
    with pytest.raises(FileNotFoundError):
        gpio.Lines(tmp_path / "gpiochip0", [17], active_low=False)
    (tmp_path / "gpiochip0").touch()
    with pytest.raises(OSError, match="ioctl"):
        gpio.Lines(tmp_path / "gpiochip0", [17], active_low=False)
