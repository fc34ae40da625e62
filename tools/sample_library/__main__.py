"""Command line: `library` (the committed one), `renders` (mass renders), `sheet` (overviews)."""

import argparse
from pathlib import Path

from tools.sample_library.library import make_library
from tools.sample_library.renders import (
    Job,
    chosen_frameworks,
    parse_kinds,
    parse_range,
    render_all,
)
from tools.sample_library.sheet import make_sheets


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.sample_library", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    library = commands.add_parser("library", help="make the committed sample library")
    library.add_argument("--out", type=Path, default=Path("sample_library"))
    renders = commands.add_parser("renders", help="mass renders with captions")
    renders.add_argument("--out", type=Path, required=True)
    renders.add_argument("--seeds", type=parse_range, required=True, help="A:B")
    renders.add_argument("--frameworks", type=chosen_frameworks, default="train",
                         help="all, train, held-out, or names separated by commas")
    renders.add_argument("--kinds", type=parse_kinds, default="all")
    renders.add_argument("--per", type=int, help="renders per framework and kind; default all "
                                                 "seeds")
    renders.add_argument("--views", type=int, default=1,
                         help="renders of each seed that differ in theme and width (up to 6)")
    renders.add_argument("--format", choices=("png", "webp", "jpeg"), default="png")
    renders.add_argument("--max-width", type=int)
    renders.add_argument("--workers", type=int, default=2)
    sheet = commands.add_parser("sheet", help="contact sheets of a renders folder or the library")
    sheet.add_argument("folder", type=Path)
    sheet.add_argument("--out", type=Path, required=True)
    sheet.add_argument("--by", choices=("framework", "kind"), default="framework")
    return parser


def main() -> None:
    args = _parser().parse_args()
    if args.command == "renders":
        render_all(Job(args.out, args.frameworks, args.kinds, args.seeds, args.per, args.views,
                       args.format, args.max_width), args.workers)
    elif args.command == "library":
        make_library(args.out)
    else:
        make_sheets(args.folder, args.out, args.by)


if __name__ == "__main__":
    main()
