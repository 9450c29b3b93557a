"""The table of variables in each role's README, made from its argument specs and defaults.

Run it after a change of either: python tests/role_readmes.py
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- variables: made by tests/role_readmes.py -->", "<!-- end of variables -->"
_MARKUP = re.compile(r"\b[CVEO]\(([^()]*)\)")
_COMPUTED = re.compile(r"^{{(?:(?!}}).)*\bdefault\(([^()]*)\)\)* }}$")
_LONG = 60


def table(role: str) -> str:
    """Markdown rows: variable, default as written, description."""
    folder = ROOT / "roles" / role
    options = yaml.safe_load((folder / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((folder / "defaults" / "main.yml").read_text())
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, option in options.items():
        meaning = _MARKUP.sub(r"`\1`", " ".join(option["description"].split())).replace("|", "\\|")
        rows.append(f"| `{name}` | {_shown(defaults[name])} | {meaning} |")
    return "\n".join(rows)


def _shown(value: object) -> str:
    """A plain default as it is, of a computed one what it ends with; a long one is looked up where it stands."""
    text = value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True).split("\n...")[0].strip()
    computed = _COMPUTED.search(text)
    if computed:
        text = "" if computed[1] == "omit" else computed[1].strip("'")
    if "{{" in text or len(text) > _LONG:
        return "see defaults"
    return f"`{text}`" if text else "empty"


def with_table(text: str, role: str) -> str:
    """A README with its table brought up to date."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{table(role)}\n\n{END}{rest.split(END)[1]}"


def main() -> None:
    for folder in sorted((ROOT / "roles").iterdir()):
        path = folder / "README.md"
        path.write_text(with_table(path.read_text(), folder.name))


if __name__ == "__main__":
    main()
