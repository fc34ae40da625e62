"""`python -m tools.demo_encoder train|evaluate|framings`; run from the top of a checkout."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from transformers.utils.logging import disable_progress_bar

from tools.demo_encoder import framings
from tools.demo_encoder.evaluation import evaluate, table
from tools.demo_encoder.training import Recipe, train


def main() -> None:
    """Parse the command line and run the command."""
    disable_progress_bar()
    arguments = _parser().parse_args()
    if arguments.command == "train":
        names = [field.name for field in fields(Recipe)]
        recipe = Recipe(**{name: getattr(arguments, name) for name in names})
        train(arguments.renders, arguments.out, recipe, arguments.start)
    elif arguments.command == "evaluate":
        print(table(evaluate(arguments.model, arguments.renders)))
    else:
        print(framings.tables(framings.measure(arguments.model, arguments.renders)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.demo_encoder", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", help="train and write a checkpoint folder")
    training.add_argument("--renders", type=Path, nargs="+", required=True)
    training.add_argument("--out", type=Path, required=True)
    training.add_argument("--start", type=Path, help="checkpoint to take the image tower from")
    defaults = Recipe()
    for field in fields(Recipe):
        value = getattr(defaults, field.name)
        option = "--" + field.name.replace("_", "-")
        training.add_argument(option, type=type(value), default=value, help=f"default {value}")
    for command, text in (
        ("evaluate", "print the table of a checkpoint"),
        ("framings", "compare crop, squash, pad and tiles on extreme shapes"),
    ):
        measuring = commands.add_parser(command, help=text)
        measuring.add_argument("--renders", type=Path, nargs="+", required=True)
        measuring.add_argument("--model", default="demo")
    return parser


if __name__ == "__main__":
    main()
