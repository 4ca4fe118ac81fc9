"""Run a batch from plan to report (``srgan upscale``)."""

import errno
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from pathlib import Path

import torch

from srgan_cli.config import UpscaleConfig
from srgan_cli.engine.devices.ranks import Ranks, joined_ranks
from srgan_cli.engine.inference.bars import Both, Counted
from srgan_cli.engine.inference.frame import upscale_frame
from srgan_cli.engine.inference.sizes import num_passes, result_size
from srgan_cli.engine.inference.threads import WeightedSemaphore, in_threads
from srgan_cli.engine.inference.upscaler import Upscaler
from srgan_cli.engine.upscaling.batch import UpscaleJob, plan_batch, share_of
from srgan_cli.engine.upscaling.choice import Choice, Models, load_models
from srgan_cli.engine.upscaling.drift import drift, require_drift
from srgan_cli.engine.upscaling.failures import is_full, named_failures
from srgan_cli.engine.upscaling.inputs import Failed
from srgan_cli.engine.upscaling.ledger import Ledger
from srgan_cli.engine.upscaling.ledgers import open_ledgers, require_whole
from srgan_cli.engine.upscaling.recipe import Recipe
from srgan_cli.engine.upscaling.report import Upscaled, UpscaleReport
from srgan_cli.errors import InputError
from srgan_cli.imaging.canvas import Canvas
from srgan_cli.imaging.files.decode import OpenImage, open_image
from srgan_cli.imaging.files.encode import Painted, write_frames
from srgan_cli.imaging.frames import Frame
from srgan_cli.observer import Bar, Observer, SilentObserver
from srgan_cli.paths import file_sha256, keep_date, written_beside
from srgan_cli.processes import num_cores

_LARGE = 4.0  # Megapixels from which an image gets a bar of its own.
# Megapixels of results that are made at a time, of up to 8 bytes; a larger one is made alone.
_MEGAPIXELS_IN_WORK = 128.0
_PATIENCE = timedelta(days=30)  # One process may have a very large image.
_MOST_IMAGES = 8  # That are worked on at a time.
_ALONE = Ranks()


def upscale(config: UpscaleConfig, observer: Observer) -> UpscaleReport:
    """Upscale images into a folder, or in place.

    An image that cannot be read or written costs only itself: it is reported and
    the rest goes on. Results that the folder's ledger knows as up to date are left.

    Raises:
        InputError: No image was found.
        UsageError: Two images would be written to one file, or one over an input.
        WeightsError: The weights cannot be used.
        ResourceError: Device, memory or disk are lacking.
    """
    with joined_ranks(torch.device("cpu"), patience=_PATIENCE) as ranks:
        models = load_models(config.model, config, observer)
        return upscale_with(models, config, observer, ranks)


def upscale_with(
    models: Models, config: UpscaleConfig, observer: Observer, ranks: Ranks = _ALONE
) -> UpscaleReport:
    """Upscale images as :func:`upscale` does, with models that are loaded already."""
    started = time.perf_counter()
    model = models.upscaler.model
    factor = config.scale or model.scale
    passes = num_passes((1000, 1000), (round(1000 * factor), round(1000 * factor)), model.scale)
    if passes > 1 and ranks.leads:
        times = "twice" if passes == 2 else f"{passes} times"
        observer.say(f"×{factor:g} as ×{model.scale} {times}")
    plan = plan_batch(config, model.scale)
    batch = _Batch(config, models, observer, shown=ranks.leads)
    for failure in plan.failed if ranks.leads else ():
        batch.fail(failure)
    if plan.num_results and ranks.leads:
        observer.say(f"{plan.passed_over}; to upscale them, name each, and a folder: -o FOLDER")
    jobs = share_of(plan.jobs, rank=ranks.rank, num_ranks=ranks.size)
    with open_ledgers(plan.jobs, ranks) as ledgers:
        for ledger in ledgers.values():
            require_whole(ledger, config, observer)
        try:
            batch.run_all(jobs, ledgers)
        except KeyboardInterrupt:
            observer.warn(
                f"interrupted: {len(batch.finished)} of {len(jobs)} images are finished",
                "run the same command again to make the rest",
            )
            raise
    # torchrun ends all processes as soon as one ends with an exit code other than 0,
    # which is what an image that cannot be read leads to.
    ranks.wait()
    return UpscaleReport(
        model.source,
        model.scale,
        tuple(batch.written),
        tuple(batch.unchanged),
        tuple(batch.failed),
        time.perf_counter() - started,
        models.restoring,
    )


class _Batch:
    """The state of one run: what it has done so far."""

    def __init__(
        self, config: UpscaleConfig, models: Models, observer: Observer, *, shown: bool
    ) -> None:
        self._config, self._models, self._observer = config, models, observer
        self._recipe = Recipe(config, models)
        self._choices: dict[Path, Choice] = {}
        """By the results that are about to be made."""
        self._in_fp32 = 0
        self._bars = observer if shown else SilentObserver()
        self._semaphore = WeightedSemaphore(_MEGAPIXELS_IN_WORK)
        self.written: list[Upscaled] = []
        self.unchanged: list[Path] = []
        self.failed: list[Failed] = []
        self.finished: list[Path] = []
        """Results that stand there, in the order in which threads finished them."""

    def fail(self, failure: Failed) -> None:
        """Report an image that could not be upscaled."""
        self.failed.append(failure)
        self._observer.warn(failure.reason, failure.hint)

    def run_all(self, jobs: Sequence[UpscaleJob], ledgers: Mapping[Path, Ledger]) -> None:
        """Do all jobs: while one image is in the network, others are read and written."""
        total = sum(job.header.megapixels for job in jobs)
        with self._bars.bar("upscaling", total=total, unit="MP") as whole:
            outcomes = in_threads(
                lambda job: self._run(job, ledgers[job.folder], Counted(whole)),
                jobs,
                num_threads=min(_MOST_IMAGES, num_cores() + 1),
                stopped=self._models.upscaler.stopped,
                told=self._stopping,
            )
            with closing(outcomes):
                for number, outcome in enumerate(outcomes, start=1):
                    whole.advance(0, image=f"{number}/{len(jobs)}")
                    self._take(outcome)
        if self._in_fp32:
            half = self._models.upscaler.amp.precision
            self._observer.say(f"{self._in_fp32} computed in fp32: {half} was not accurate enough")

    def _stopping(self) -> None:
        self._observer.say("stopping after the current tiles; Ctrl-C again stops at once")

    def _take(self, outcome: "Upscaled | Failed | Path") -> None:
        match outcome:
            case Upscaled():
                for note in outcome.notes:
                    self._observer.warn(f"{outcome.source}: {note}")
                self.written.append(outcome)
            case Failed():
                self.fail(outcome)
            case unchanged:
                self.unchanged.append(unchanged)

    def _run(self, job: UpscaleJob, ledger: Ledger, bar: Counted) -> "Upscaled | Failed | Path":
        """Do one job, or find that it is done: then its output is returned."""
        megapixels = job.size[0] * job.size[1] / 1e6
        try:
            with self._semaphore.taken(megapixels), named_failures(job):
                sha256 = file_sha256(job.source)
                if self._recipe.is_done(job, ledger, sha256):
                    bar.advance(job.header.megapixels)
                    self.finished.append(job.output)
                    if self._config.max_drift is not None and not self._config.in_place:
                        self._drift(job, job.output)
                    return job.output
                self._recipe.require_free(job, ledger, sha256)
                done = self._upscale(job, ledger, sha256, bar)
                self.finished.append(job.output)
                return done
        except InputError as error:
            bar.advance(job.header.megapixels - bar.done)  # What will not be done is not awaited.
            named = str(job.source) in error.message
            reason = error.message if named else f"{job.source}: {error.message}"
            return Failed(job.source, reason, error.hint)

    def _upscale(self, job: UpscaleJob, ledger: Ledger, sha256: str, bar: Bar) -> Upscaled:
        started = time.perf_counter()
        replaces = not self._config.in_place and ledger.made(job.output)
        job.output.parent.mkdir(parents=True, exist_ok=True)
        mark = ledger.mark(job.output.parent)
        with written_beside(job.output, mark=mark) as temporary:
            notes = self._write(job, temporary, bar)
            if is_full(temporary.parent):
                # Encoders may have written less than they had without a word.
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(job.output))
            drift = self._drift(job, temporary)
            # Before the file has its name: see Ledger.
            choice = self._choices.pop(job.output)
            maker = choice.upscaler
            settings = self._recipe.settings(maker)
            ledger.record(job.output, input_sha256=sha256, settings=settings, made=temporary)
            if not (self._config.new_dates or self._config.strip_metadata):
                keep_date(job.source, temporary)
        seconds = time.perf_counter() - started
        width, height = job.size
        return Upscaled(
            job.source,
            job.output,
            width,
            height,
            job.num_frames,
            seconds,
            tuple(notes),
            maker.amp.where,
            maker.runtime,
            maker.amp.precision,
            drift,
            replaces,
            maker.model.source.name,
            choice.damage,
        )

    def _write(self, job: UpscaleJob, temporary: Path, bar: Bar) -> list[str]:
        with open_image(job.source, max_pixels=self._config.max_pixels) as image:
            lost = write_frames(temporary, self._painted(job, image, bar), job.encoding)
            return list(dict.fromkeys([*job.notes, *image.notes, *lost]))

    def _painted(self, job: UpscaleJob, image: OpenImage, bar: Bar) -> Iterator[Painted]:
        large = job.header.megapixels / job.header.num_frames > _LARGE
        last: tuple[Frame, Canvas] | None = None
        upscaler: Upscaler | None = None
        for number, frame in enumerate(islice(image.frames(), job.num_frames), start=1):
            upscaler = upscaler or self._upscaler_for(job, frame)
            target = result_size(frame.width, frame.height, self._config, upscaler.model.scale)
            if last is not None and frame.equals(last[0]):
                canvas = last[1]  # An animation that stands still for a while.
                bar.advance(frame.width * frame.height / 1e6)
            elif not large:
                canvas = upscale_frame(upscaler, frame, target, bar)
            else:
                title = job.source.name + (f" {number}/{job.num_frames}" * (job.num_frames > 1))
                megapixels = frame.width * frame.height / 1e6
                with self._bars.bar(title, total=megapixels, unit="MP") as own:
                    canvas = upscale_frame(upscaler, frame, target, Both(bar, own))
            duration, metadata = frame.duration, image.metadata
            last = None if large or duration is None else (frame, canvas)
            del frame
            if self._config.strip_metadata:
                metadata = metadata.stripped()
            label = self._recipe.label(upscaler)
            yield Painted(canvas, replace(metadata, label=label), duration)
            del canvas

    def _upscaler_for(self, job: UpscaleJob, first: Frame) -> Upscaler:
        """Choose what upscales an image by its first frame, and note it."""
        choice = self._models.choose(first)
        if choice.damage:
            instead_of = self._models.upscaler.model.source
            self._observer.say(choice.explained(job.source, instead_of=instead_of))
        suited = choice.upscaler.suited_to(first.pixels)
        self._choices[job.output] = replace(choice, upscaler=suited)
        self._in_fp32 += suited is not choice.upscaler and not first.deep
        return suited

    def _drift(self, job: UpscaleJob, made: Path) -> float | None:
        config = self._config
        if not config.check and config.max_drift is None:
            return None
        measured = drift(job.source, made, num_frames=job.num_frames, max_pixels=config.max_pixels)
        if config.max_drift is not None:
            frame = "page" if job.encoding.format.frames == "pages" else "frame"
            place = f" on {frame} {measured.frame}" if job.num_frames > 1 else ""
            lossy = job.encoding.is_lossy
            require_drift(job.source, measured, config.max_drift, place=place, lossy=lossy)
        return measured.psnr
