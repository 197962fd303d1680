"""What a loudspeaker plays for each signal, told apart by number, pitch and length. Pure."""

import io
import math
import wave
from array import array

from wire.events import Pattern

SAMPLES_PER_S = 16_000
_LOUDNESS = 26_000  # of 32,767
#: Faded in and out, or a small loudspeaker clicks.
_FADE_S = 0.005
#: (Hz, ms), 0 Hz for silence. Short and high is good; what is low and long needs a person.
_TUNES: dict[Pattern, tuple[tuple[int, int], ...]] = {
    "good": ((1_760, 90),),
    "offline": ((1_760, 70), (0, 60), (1_760, 70)),
    "refused": ((330, 250), (0, 80), (330, 450)),
    "rejected": ((990, 120), (495, 120), (990, 120), (495, 120)),
}


def wav(pattern: Pattern) -> bytes:
    """Return the sound of a pattern as a WAV file: mono, 16 bits."""
    samples = array("h")
    for hertz, ms in _TUNES[pattern]:
        count = SAMPLES_PER_S * ms // 1_000
        fade = _FADE_S * SAMPLES_PER_S
        samples.extend(
            round(
                _LOUDNESS
                * min(1.0, n / fade, (count - n) / fade)
                * math.sin(2 * math.pi * hertz * n / SAMPLES_PER_S)
            )
            for n in range(count)
        )
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLES_PER_S)
        sound.writeframes(samples.tobytes())
    return file.getvalue()
