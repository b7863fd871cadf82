"""Print what is installed here as constraints: a name and a version a line, and never where it came from.

The build tools of old environments are left out, and so is convergekit itself.
"""

from importlib.metadata import distributions

_OURS = {"convergekit", "setuptools", "wheel"}


def main() -> None:
    """Print the constraints in order of name."""
    found = {d.name.lower().replace("_", "-"): d.version for d in distributions()}
    print("# The versions that the tests ran with. Made by `make constraints`; not written by hand.")
    for line in sorted(f"{name}=={version}" for name, version in found.items() if name not in _OURS):
        print(line)


if __name__ == "__main__":
    main()
