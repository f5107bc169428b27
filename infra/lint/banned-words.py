#!/usr/bin/env python3
"""Finds the phrases of banned-words.txt in the files that git knows and in the OpenAPI document.

usage: banned-words.py OPENAPI_JSON

Prints file:line:phrase for each occurrence and exits with 1 if there is one.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PHRASES = Path(__file__).with_name("banned-words.txt")

# Between two words of a phrase: space, an underscore in a name, or a line break and the comment marker after it.
GAP = r"(?:[ \t_]+|[ \t]*\n[ \t]*(?://[/!]?|[>#*-])?[ \t]*)"


def phrases():
    lines = (line.strip() for line in PHRASES.read_text(encoding="utf-8").splitlines())
    # The longest alternative first: it is the one to report.
    return sorted((line for line in lines if line and not line.startswith("#")), key=len, reverse=True)


def pattern():
    alternatives = (GAP.join(map(re.escape, phrase.split())) for phrase in phrases())
    return re.compile(rf"(?<![a-z0-9])(?:{'|'.join(alternatives)})(?![a-z0-9])", re.IGNORECASE)


def files():
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", "*.rs", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def text(path):
    content = path.read_text(encoding="utf-8")
    # An escaped line break would join the words on both sides of it to one.
    return content.replace("\\n", "  ") if path.suffix == ".json" else content


def occurrences(path, banned):
    content = text(path)
    for match in banned.finditer(content):
        line = content.count("\n", 0, match.start()) + 1
        yield f"{path.relative_to(ROOT)}:{line}:{' '.join(match.group().split())}"


def main():
    banned = pattern()
    documents = [Path(argument).resolve() for argument in sys.argv[1:]]
    existing = (path for path in files() + documents if path.exists())
    found = [line for path in existing for line in occurrences(path, banned)]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
