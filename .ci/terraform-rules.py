"""Checks of terraform/ what neither tflint nor checkov look at.

- every variable but booleans and tags is validated, and a test has it refuse something;
- tables of inputs and outputs in the modules' READMEs are what the code says (--write writes them);
- what READMEs read by `output -raw NAME` is an output, and every output of an example is of use there;
- variables ALIOTH_* that the code or its READMEs name are documented by accept, or in the contract of accept-lambda;
- every check that checkov skips has a reason.

usage: terraform-rules.py ROOT [--write]
"""

import re
import sys
from pathlib import Path

import hcl2

BEGIN, END = "<!-- inputs and outputs -->", "<!-- end -->"
problems: list[str] = []


def blocks(folder: Path, kind: str) -> dict[str, dict]:
    """The blocks of one kind in a module, by name."""
    out = {}
    for path in sorted(folder.glob("*.tf")):
        with path.open() as file:
            for block in hcl2.load(file).get(kind, []):
                out.update({name.strip('"'): body for name, body in block.items()})
    return out


def first(value):
    """The parser puts attributes in lists."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def source(folder: Path, name: str, attribute: str) -> str:
    """An attribute of a variable as it is written, on one line: the parser does not keep that."""
    text = (folder / "variables.tf").read_text()
    block = re.search(rf'^variable "{name}" \{{\n(.*?)^\}}', text, re.M | re.S)[1]
    lines = block.splitlines()
    for number, line in enumerate(lines):
        if match := re.match(rf"  {attribute} *= (.*)", line):
            out = [match[1]]
            for further in lines[number + 1 :]:
                if sum(map("".join(out).count, "({[")) <= sum(map("".join(out).count, ")}]")):
                    break
                out.append(further.strip())
            joined = out[0]
            for piece in out[1:]:
                joined += ("" if joined[-1] in "({[" else " ") + piece if piece[0] in ")}]" else (" " if joined[-1] in "({[" else "; ") + piece
            return re.sub(r" +", " ", joined).replace("({ ", "({ ")
    return ""


def cell(text: str) -> str:
    """A cell of a table in Markdown."""
    return text.replace("|", "\\|").replace("\n", " ")


def tables(folder: Path) -> str:
    """What the README of a module or an example says of its inputs and outputs."""
    lines = ["| input | type | default | |", "|---|---|---|---|"]
    for name, body in blocks(folder, "variable").items():
        default = f"`{cell(source(folder, name, 'default'))}`" if "default" in body else "required"
        lines.append(f"| `{name}` | `{cell(source(folder, name, 'type'))}` | {default} | {cell(text_of(body['description']))} |")
    lines += ["", "| output | |", "|---|---|"]
    for name, body in blocks(folder, "output").items():
        lines.append(f"| `{name}` | {cell(text_of(body['description']))} |")
    return "\n".join(lines)


def text_of(value) -> str:
    """A string as the parser gives it."""
    return str(first(value)).strip('"').replace('\\"', '"')


def check_variables(folder: Path) -> None:
    """Validation, and tests of it."""
    tests = "".join(path.read_text() for path in folder.glob("*.tftest.hcl"))
    refused = set(re.findall(r"var\.(\w+)", " ".join(re.findall(r"expect_failures = \[(.*?)\]", tests, re.S))))
    for name, body in blocks(folder, "variable").items():
        if source(folder, name, "type") == "bool" or name == "tags":
            continue
        if "validation" not in body:
            problems.append(f"{folder.name}: variable {name} is not validated")
        elif name not in refused:
            problems.append(f"{folder.name}: no test has variable {name} refuse anything")


def check_readme(folder: Path, write: bool) -> None:
    """Tables, and the outputs that commands read."""
    path = folder / "README.md"
    text = path.read_text() if path.exists() else ""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        problems.append(f"{path}: not one place for inputs and outputs, between {BEGIN} and {END}")
        return
    head, _, rest = text.partition(BEGIN)
    told, _, tail = rest.partition(END)
    wanted = f"\n{tables(folder)}\n"
    if told != wanted:
        if write:
            path.write_text(head + BEGIN + wanted + END + tail)
        else:
            problems.append(f"{path}: inputs and outputs are stale (make terraform-fmt)")
    outputs = set(blocks(folder, "output"))
    prose = head + tail
    for name in re.findall(r"output -raw (\w+)", prose):
        if name not in outputs:
            problems.append(f"{path}: reads the output {name}, which is not there")
    if folder.parent.name == "examples":
        for name in sorted(outputs - set(re.findall(r"output -raw (\w+)", prose))):
            problems.append(f"{path}: nothing is done with the output {name}")


def check_environment(root: Path) -> None:
    """Names of variables, which accept takes to the letter: an unknown one ends its start."""
    told = ""
    for path in [root / "functions" / "ingest-accept" / "README.md", *sorted((root / "shared").glob("*/README.md"))]:
        told += path.read_text()
    contract = (root / "terraform" / "modules" / "accept-lambda" / "README.md").read_text()
    known = set(re.findall(r"\bALIOTH_[A-Z0-9_]+\b", told))
    known |= set(re.findall(r"^\| `(ALIOTH_[A-Z0-9_]+)` \|", contract, re.M))
    for path in sorted((root / "terraform").rglob("*")):
        if path.suffix not in (".tf", ".md"):
            continue
        for name in sorted(set(re.findall(r"\bALIOTH_[A-Z0-9_]*[A-Z0-9]\b", path.read_text())) - known):
            # A pattern that refuses several names by their common beginning is no name.
            if not any(other.startswith(name + "_") for other in known):
                problems.append(f"{path}: {name} is documented nowhere")


def check_skips(root: Path) -> None:
    """Reasons."""
    for path in sorted((root / "terraform").rglob("*.tf")):
        for line in path.read_text().splitlines():
            if "checkov:skip" in line and not re.search(r"checkov:skip=CKV2?_AWS_\d+:\S.{14,}", line):
                problems.append(f"{path}: no reason: {line.strip()}")


def main() -> None:
    root, write = Path(sys.argv[1]), "--write" in sys.argv
    folders = [path for path in sorted((root / "terraform").glob("*/*")) if path.is_dir()]
    for folder in folders:
        check_variables(folder)
        check_readme(folder, write)
    check_environment(root)
    check_skips(root)
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
