"""Look for calls that break the door: `python -m tests.fuzz --seconds 600`.

The code below the door is followed from inside by Atheris, which keeps whatever call reaches a new place in it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any


def main() -> None:
    options = _parser().parse_args()
    import atheris

    with atheris.instrument_imports(include=["convergekit"]):
        from tests.fuzz.calls import WORDS, Site, seeds

    site, runner = Site(), asyncio.Runner()

    def one(data: bytes) -> None:
        runner.run(site.call(data))

    with tempfile.TemporaryDirectory() as folder:
        corpus, words = Path(options.corpus or folder) / "corpus", Path(folder) / "words"
        corpus.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds()):
            (corpus / f"seed-{number:03}").write_bytes(seed)
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS), "ascii")
        arguments: list[Any] = [sys.argv[0], corpus, f"-dict={words}", f"-seed={options.seed}", "-max_len=8192"]
        arguments += [f"-artifact_prefix={options.found}/", "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"]
        if options.runs is not None:
            arguments.append(f"-runs={options.runs}")
        if options.seconds is not None:
            arguments.append(f"-max_total_time={options.seconds}")
        atheris.Setup([str(each) for each in arguments], one)
        atheris.Fuzz()  # ends the process


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, help="how long")
    parser.add_argument("--runs", type=int, help="how many calls")
    parser.add_argument("--seed", type=int, default=1, help="of what is chance")
    parser.add_argument("--corpus", help="a folder that keeps what was learned; none by default")
    parser.add_argument("--found", default=".", help="where a call is written that breaks something")
    return parser


if __name__ == "__main__":
    main()
