"""Whether this Python has the packages of the project, asked before any of them is loaded."""

import re
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

LOCK = Path(__file__).parents[2] / "requirements" / "pipeline.txt"
# What computes or writes a result, and the names of modules that differ from those of packages.
PACKAGES = ("joblib", "matplotlib", "numpy", "pandas", "pillow", "scikit-learn", "scipy", "skops")
MODULES = {"pillow": "PIL", "scikit-learn": "sklearn"}


def other() -> str:
    """What is other than the lock file says, as the end of "this Python …"; nothing if nothing."""
    locked = dict(re.findall(r"^([\w-]+)==(\S+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE))
    for package in PACKAGES:
        module = MODULES.get(package, package)
        try:
            there = metadata.distribution(package)
            version, site, spec = there.version, str(there.locate_file("")), find_spec(module)
        except metadata.PackageNotFoundError:
            return f"lacks {package}"
        if version != locked.get(package):
            return f"has {package} {version} in {site}, and not {locked.get(package)}"
        # A folder in PYTHONPATH may hold a module, and nothing of its version.
        where = Path(spec.origin).parent if spec and spec.origin else None
        if not where or not where.is_relative_to(site):
            return f"finds {module} in {where}, not in {site}"
    return ""
