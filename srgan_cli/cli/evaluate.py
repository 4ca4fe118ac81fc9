"""``srgan eval``."""

from typing import Any

from srgan_cli import engine
from srgan_cli.cli.evaluation_view import show_crops, show_evaluation
from srgan_cli.cli.exit_codes import ExitCode
from srgan_cli.cli.options import JsonOption, options_of
from srgan_cli.cli.pages import require_writable, write_page
from srgan_cli.cli.progress import RichObserver
from srgan_cli.cli.render import jsonable, show_error, show_json
from srgan_cli.config import EvalConfig, made
from srgan_cli.report import evaluation_page


@options_of(EvalConfig)
def evaluate(
    json: JsonOption = False,
    **options: Any,
) -> ExitCode:
    """Score models, or images of other tools, against bicubic and Lanczos upscaling.

    PSNR and SSIM follow the literature, so that the scores can be compared with
    published tables; the protocol is printed with them. Differences come with
    a 95 % interval over the images and a verdict.

    [bold]Examples[/]

      srgan eval
      srgan eval Set5 Set14 B100 --model mine --model fidelity-x2
      srgan eval Set5 --report set5.html
      srgan eval --lr Set5/LRx2 --hr Set5/HR
      srgan eval Set5 --min-psnr 36 --not-worse-than last-release.json
      srgan eval --sr their-results --hr Set5/HR --scale 2
    """
    config = made(EvalConfig, options)
    if config.report:
        require_writable(config.report, overwrite=config.overwrite)
    observer = RichObserver()
    found = engine.evaluate(config, observer)
    document = jsonable(found)
    exhibits = document.pop("exhibits")
    if config.report:
        write_page(config.report, evaluation_page(document, exhibits), observer)
    if json:
        show_json(document)
    else:
        show_evaluation(found)
        show_crops(document, exhibits, config.show, observer)
    for figure in found.unmet:
        show_error(figure, "lower the limit; with --not-worse-than, --tolerance DB allows a loss")
    if found.unmet:
        return ExitCode.BELOW
    return ExitCode.PARTIAL if any(scored.failed for scored in found.sets) else ExitCode.OK
