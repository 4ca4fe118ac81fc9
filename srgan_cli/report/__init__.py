"""Self-contained HTML pages: rendered from plain data, no torch, no network."""

from srgan_cli.report.evaluation import evaluation_page

__all__ = ["evaluation_page"]
