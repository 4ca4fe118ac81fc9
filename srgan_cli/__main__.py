"""``python -m srgan_cli`` is ``srgan``."""

from srgan_cli.cli import main

main()
