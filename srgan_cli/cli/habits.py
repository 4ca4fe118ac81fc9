"""What other tools call our options: hands that know Real-ESRGAN or BasicSR need not learn ours."""

from collections.abc import Iterator, Mapping, Sequence

Spelling = str | tuple[str, ...]

_UPSCALE: Mapping[str, Spelling] = {
    "-i": (),
    "--input": (),
    "--out": "--output",
    "--output-dir": "--output",
    "--outscale": "--scale",
    "--model-name": "--model",
    "--weights": "--model",
    "-m": "--model",
    "--resize": "--scale",
    "--format": "--ext",
    "-f": "--ext",
    "-x": "--tta",
    "--fp32": ("--precision", "fp32"),
    "--half": ("--precision", "fp16"),
    "--fp16": ("--precision", "fp16"),
    "-g": "--device",
    "--gpu-id": "--device",
}
ALIASES: Mapping[str, Mapping[str, Spelling]] = {
    "upscale": _UPSCALE,
    "compare": {
        name: _UPSCALE[name]
        for name in ("-i", "--input", "--out", "--outscale", "--model-name", "--weights", "-m")
    },
    "train": {
        "--lr": "--learning-rate",
        "--batch-size": "--batch",
        "--iterations": "--steps",
        "--max-steps": "--steps",
        "--num-epochs": "--epochs",
        "--dataset": "--data",
        "--pretrained": "--init",
    },
    "eval": {"--weights": "--model", "-m": "--model", "--gt": "--hr"},
    "prepare": {"-i": (), "--input": ()},
}
"""By command: the name of an option elsewhere, and what takes its place; nothing where the value
itself is an argument."""


def translated(arguments: Sequence[str]) -> list[str]:
    """Return a command line in our own words; what ``--`` precedes stays as it is."""
    if list(arguments) == ["-V"]:
        return ["--version"]
    if arguments[:1] and arguments[0] == "help":
        return [*arguments[1:], "--help"]
    return [*arguments[:1], *_translated(arguments[1:], ALIASES.get("".join(arguments[:1]), {}))]


def _translated(words: Sequence[str], aliases: Mapping[str, Spelling]) -> Iterator[str]:
    is_gpu = False
    for number, word in enumerate(words):
        if word == "--":
            yield from words[number:]
            return
        if is_gpu:
            word = _device(word)  # noqa: PLW2901 - it is the same word
        name, equals, value = word.partition("=")
        spelling = aliases.get(name)
        is_gpu = name in {"-g", "--gpu-id"} and not equals and spelling is not None
        if spelling is None:
            yield word
            continue
        yield from (spelling,) if isinstance(spelling, str) else spelling
        if equals:
            yield _device(value) if spelling == "--device" else value


def _device(number: str) -> str:
    """Turn the number of a GPU into a device; -1 is the CPU, as elsewhere."""
    if number == "-1":
        return "cpu"
    return f"cuda:{number}" if number.isdigit() else number
