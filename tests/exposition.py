"""Reads Prometheus' text format, version 0.0.4, and takes nothing that is not in it."""

import re
from dataclasses import dataclass, field

_COMMENT = re.compile(r"# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)")
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_SAMPLE = re.compile(
    rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{({_LABEL}(?:,{_LABEL})*)\}})? (-?[0-9.]+(?:e[+-]?[0-9]+)?)"
)
_PARTS = {"histogram": ("_bucket", "_sum", "_count")}


@dataclass
class Exposition:
    """What was said: each sample as it is written, and the type of each metric."""

    samples: dict[str, float] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)


def read(text: str) -> Exposition:
    """Return what a page says; AssertionError where it is wrong."""
    assert text.endswith("\n")
    said, helped, metric = Exposition(), set[str](), ""
    for line in text.splitlines():
        if comment := _COMMENT.fullmatch(line):
            what, metric, rest = comment.groups()
            assert metric not in (helped if what == "HELP" else said.types), f"twice: {line}"
            if what == "HELP":
                helped.add(metric)
            else:
                assert metric in helped, line
                assert rest in ("counter", "gauge", "histogram"), line
                said.types[metric] = rest
            continue
        sample = _SAMPLE.fullmatch(line)
        assert sample, f"no sample: {line}"
        name = sample[1]
        parts = _PARTS.get(said.types[metric], ("",))
        assert name in [metric + part for part in parts], f"{line} is not of {metric}"
        assert not name.endswith("_bucket") or 'le="' in line, line
        written = line.rpartition(" ")[0]
        assert written not in said.samples, f"twice: {line}"
        said.samples[written] = float(sample[3])
    for metric, kind in said.types.items():
        if kind == "histogram":
            _check(said.samples, metric)
    return said


def _check(samples: dict[str, float], metric: str) -> None:
    """Hold the buckets of a histogram against each other and its count."""
    buckets: dict[str, list[tuple[float, float]]] = {}
    for written, value in samples.items():
        if written.startswith(f"{metric}_bucket"):
            bound = re.search(r'le="([^"]+)"', written)
            assert bound
            others = re.sub(r',?le="[^"]+"', "", written.removeprefix(f"{metric}_bucket"))
            others = "" if others == "{}" else others
            buckets.setdefault(others, []).append((float(bound[1]), value))
    for labels, counts in buckets.items():
        assert counts == sorted(counts), f"{metric}{labels} does not rise"
        assert [count for _, count in counts] == sorted(count for _, count in counts)
        assert counts[-1] == (float("inf"), samples[f"{metric}_count{labels}"])
        assert f"{metric}_sum{labels}" in samples
