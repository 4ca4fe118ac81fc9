"""Self-contained HTML pages: rendered from plain data, no torch, no network."""

from srgan_cli.report.comparison import comparison_page
from srgan_cli.report.evaluation import evaluation_page

__all__ = ["comparison_page", "evaluation_page"]
