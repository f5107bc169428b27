#!/usr/bin/env python3
"""Writes or checks the list of domains that have public suffixes below them.

    infra/lint/platform-domains.py [--check]

The crate psl answers whether a name is a public suffix, but not whether there are suffixes below a name. Its package
carries the rules of the Public Suffix List, from which this script derives the answer.
"""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
# Names below these are given to customers, too, although the Public Suffix List does not have them.
OTHERS = {"azure.com"}
LIST = ROOT / "shared/src/value/platform_domains.txt"


def rules():
    """The rules of the Public Suffix List, without exceptions."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    packages = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)["packages"]
    manifest = next(package["manifest_path"] for package in packages if package["name"] == "psl")
    lines = (pathlib.Path(manifest).parent / "data/rules.txt").read_text(encoding="utf-8").split()
    return [to_ascii(rule) for rule in lines if not rule.startswith("!")]


def to_ascii(rule):
    return ".".join(label if label.isascii() else "xn--" + label.encode("punycode").decode() for label in rule.split("."))


def platform_domains(suffixes):
    """The registrable domains with a public suffix below them."""
    known = set(suffixes)
    found = set()
    for suffix in suffixes:
        labels = suffix.split(".")
        # The ancestors from the top; the first one that is no suffix is the registrable domain.
        for start in range(len(labels) - 1, 0, -1):
            name = ".".join(labels[start:])
            wildcard = ".".join(["*", *labels[start + 1 :]])
            if name not in known and wildcard not in known:
                found.add(name)
                break
    return found


def main():
    text = "".join(f"{name}\n" for name in sorted(platform_domains(rules()) | OTHERS))
    if "--check" not in sys.argv[1:]:
        LIST.write_text(text)
    elif LIST.read_text() != text:
        sys.exit(f"{LIST.relative_to(ROOT)} is outdated: run infra/lint/platform-domains.py")


main()
