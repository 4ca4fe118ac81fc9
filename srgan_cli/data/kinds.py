"""The faults for which images are skipped or flagged, explained for users. No torch here."""

from collections.abc import Mapping
from dataclasses import dataclass

from srgan_cli.data.manifest import Finding, Kind


@dataclass(frozen=True, slots=True)
class KindText:
    """How one kind of finding is explained."""

    label: str
    meaning: str
    """Why it matters, in one sentence."""
    keep: str = ""
    """The option that uses such images anyway; empty where there is none."""


KINDS: Mapping[Kind, KindText] = {
    "unreadable": KindText("unreadable", "The file is damaged, or is not an image."),
    "small": KindText(
        "too small",
        "A side is too short for training patches with some choice of place.",
        "--min-side with a smaller number",
    ),
    "duplicate": KindText(
        "duplicate",
        "The same file is there twice; it would count twice, or be trained on and tested with.",
        "--duplicates keep",
    ),
    "near-duplicate": KindText(
        "near-duplicate",
        "It shows what another image shows; of those, the one with the most pixels is used.",
        "--duplicates keep",
    ),
    "excluded": KindText(
        "in an evaluation set",
        "Scores on an image that a model was trained on say nothing.",
        "leaving its folder out of --exclude",
    ),
    "flat": KindText("flat", "There is hardly any structure to learn from.", "--flat keep"),
    "blurry": KindText(
        "blurry",
        "Fine detail is missing, so a model would learn that sharp images look soft.",
        "--blurry keep",
    ),
    "upscaled": KindText(
        "already upscaled",
        "Its spectrum ends early, like that of an upscaled image, or its metadata say that srgan "
        "made it: the finest detail is not real.",
        "--upscaled keep",
    ),
    "blocky": KindText(
        "JPEG blocks",
        "Strong JPEG compression left a grid of blocks, which a model would learn to draw.",
        "--blocky keep",
    ),
}


def explained(finding: Finding) -> str:
    """Say what is wrong with an image, the measured values, and which option uses it anyway."""
    text = KINDS[finding.kind]
    use = f"; {text.keep} uses it" if text.keep else ""
    return f"{finding.source}: {text.label} ({finding.reason}){use}"
