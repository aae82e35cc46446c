"""Writes the schemas of a Terraform provider as JSON, from the bindings that are generated of it.

The Terraform registry is out of reach of most machines that run CI; npm is not. The packages @cdktn/provider-* are
generated from what `terraform providers schema` prints, and keep of every attribute: its name, its type, and whether it
is required, optional or computed. This reads that back. It never runs the JavaScript, and it does not know what the
bindings do not keep: what a provider checks of a value, and which attributes exclude each other.

usage: extract.py PACKAGE_FOLDER PROVIDER blocks|attributes < names of resources, one a line, as kind.type > SCHEMAS
A kind is resource, data or ephemeral. The bindings do not keep either whether what is nested is written as a block or as
an attribute: the provider aws has blocks, the provider helm attributes since its version 3.
"""

import json
import re
import sys
from pathlib import Path

SCALARS = {"getStringAttribute": "string", "getNumberAttribute": "number", "getBooleanAttribute": "bool"}
COLLECTIONS = {
    "getListAttribute": ["list", "string"],
    "getNumberListAttribute": ["list", "number"],
    "getStringMapAttribute": ["map", "string"],
    "getNumberMapAttribute": ["map", "number"],
    "getBooleanMapAttribute": ["map", "bool"],
    "getAnyMapAttribute": ["map", "dynamic"],
}
CLASS = re.compile(r"^class (\w+) extends cdktn\.(\w+) \{$(.*?)^\}$", re.M | re.S)
MEMBER = re.compile(r"^    // (\w+) - computed: (\w+), optional: (\w+), required: (\w+)\n(.*?)(?=^    // |^    \w+\(|\Z)", re.M | re.S)
NESTED = re.compile(r'= new (\w+?)\(this, "\w+"(?:, (true|false))?\)')
HCL = re.compile(r"^            (\w+): \{\n(.*?)^            \}", re.M | re.S)


class Unreadable(Exception):
    """The bindings are not of the form that this reads."""


def attribute_type(code: str, hcl: str, where: str):
    """The cty type of an attribute that is no object, from the call that its getter makes."""
    call = re.search(r"this\.(get\w+Attribute|interpolationForAttribute)\(", code)
    if not call:
        # A provider's own attributes have no such call: what is written of them is converted by this.
        kind = re.search(r'storageClassType: "(string|number|boolean|any)(List|Map|)"', hcl)
        if not kind:
            raise Unreadable(f"{where}: neither a getter nor a conversion")
        scalar = {"boolean": "bool", "any": "dynamic"}.get(kind[1], kind[1])
        collection = re.search(r'type: "(list|set|map)"', hcl)
        return [collection[1], scalar] if collection else scalar
    name = call[1]
    if name in SCALARS:
        return SCALARS[name]
    if name in COLLECTIONS:
        kind, of = COLLECTIONS[name]
        # Sets are read through a conversion to a list.
        return ["set" if "Fn.tolist(" in code else kind, of]
    return "dynamic"


def converted(classes: dict, name: str) -> dict:
    """A block of which only the conversion is there: all of it optional."""
    attributes, blocks = {}, {}
    for member, text in classes["conversions"][name.lower()].items():
        struct = re.search(r'storageClassType: "([A-Z]\w*?)(?:List)?"', text)
        if struct:
            kept = {"nesting": re.search(r'type: "(\w+)"', text)[1], "min_items": 0, "max_items": 0}
            blocks[member] = {**kept, "block": converted(classes, struct[1])}
        else:
            flags = {"computed": False, "optional": True, "required": False}
            attributes[member] = {"type": attribute_type("", text, f"{name}.{member}"), **flags}
    return {"attributes": attributes, "blocks": blocks}


def block(classes: dict, name: str) -> dict:
    """The attributes and blocks of one class."""
    attributes, blocks = {}, {}
    body = classes[name][1]
    hcl = {key: text for key, text in HCL.findall(body.partition("synthesizeHclAttributes")[2])}
    # Of nested classes the conversion is a function of its own, before the class.
    hcl |= classes[name][2]
    for member, computed, optional, required, code in MEMBER.findall(body):
        flags = {"computed": computed == "true", "optional": optional == "true", "required": required == "true"}
        nested = NESTED.search(code)
        scalars = re.search(r"= new cdktn\.(String|Number|Boolean)Map\(", code)
        if scalars:
            attributes[member] = {"type": ["map", {"Boolean": "bool"}.get(scalars[1], scalars[1].lower())], **flags}
            continue
        struct = re.search(r'storageClassType: "([A-Z]\w*?)(?:List)?"', hcl.get(member, ""))
        if not nested and struct:
            # A provider's own blocks have no classes, only conversions; what they require is not kept.
            blocks[member] = {"nesting": re.search(r'type: "(\w+)"', hcl[member])[1], "min_items": 0, "max_items": 0}
            blocks[member]["block"] = converted(classes, struct[1])
            continue
        if not nested:
            attributes[member] = {"type": attribute_type(code, hcl.get(member, ""), f"{name}.{member}"), **flags}
            continue
        target, is_set = nested[1], nested[2] == "true"
        parent = classes[target][0]
        if parent == "ComplexObject":
            mode, of = "single", target
        elif parent in ("ComplexList", "ComplexMap"):
            mode = "map" if parent == "ComplexMap" else "set" if is_set else "list"
            of = target.removesuffix("List" if parent == "ComplexList" else "Map") + "OutputReference"
        elif parent in ("StringMapList", "NumberMapList", "BooleanMapList"):
            scalar = {"StringMapList": "string", "NumberMapList": "number", "BooleanMapList": "bool"}[parent]
            attributes[member] = {"type": ["set" if is_set else "list", ["map", scalar]], **flags}
            continue
        else:
            attributes[member] = {"type": "dynamic", **flags}
            continue
        if of not in classes:
            raise Unreadable(f"{name}.{member}: no class {of}")
        inner = block(classes, of)
        if "isBlock: true" in hcl.get(member, ""):
            # A block of one is written in HCL as it is, whatever collection the provider keeps it in.
            kept = re.search(r'type: "(\w+)"', hcl[member])[1]
            nesting = kept if kept in ("list", "set", "map") else "single"
            blocks[member] = {
                "nesting": nesting,
                "min_items": 1 if required == "true" else 0,
                "max_items": 1 if mode == "single" and nesting in ("list", "set") else 0,
                "block": inner,
            }
        else:
            attributes[member] = {"nested": mode, "block": inner, **flags}
    return {"attributes": attributes, "blocks": blocks}


def as_attributes(schema: dict) -> dict:
    """The same schema with attributes in the place of blocks."""
    attributes = dict(schema["attributes"])
    for name, nested in schema["blocks"].items():
        flags = {"computed": False, "optional": nested["min_items"] == 0, "required": nested["min_items"] > 0}
        attributes[name] = {"nested": nested["nesting"], "block": as_attributes(nested["block"]), **flags}
    return {"attributes": attributes, "blocks": {}}


def read(path: Path) -> tuple[dict, str]:
    """The classes of one file, and the one that is a resource, a data source, an ephemeral resource or a provider."""
    source = re.sub(r"^//#.*$", "", path.read_text(), flags=re.M).replace("cdktf.", "cdktn.")
    functions = {}
    for name, text in re.findall(r"^function (\w+?)ToHclTerraform\(struct\) \{$(.*?)^\}$", source, re.M | re.S):
        functions[name.lower()] = dict(re.findall(r"^        (\w+): \{\n(.*?)^        \}", text, re.M | re.S))
    classes, top = {"conversions": functions}, None
    for name, parent, body in CLASS.findall(source):
        classes[name] = (parent, body, functions.get(name.removesuffix("OutputReference").lower(), {}))
        if parent.startswith("Terraform"):
            top = name
    if top is None:
        raise Unreadable(f"{path}: no resource in it")
    return classes, top


def main() -> None:
    folder, provider = Path(sys.argv[1]), sys.argv[2]
    package = json.loads((folder / "package.json").read_text())
    about = (package.get("cdktn") or package.get("cdktf"))["provider"]
    out = {"name": about["name"], "version": about["version"], "provider": {}, "resource": {}, "data": {}, "ephemeral": {}}
    classes, top = read(folder / "lib" / "provider" / "index.js")
    out["provider"] = block(classes, top)
    # The bindings' own: every provider has an alias.
    out["provider"]["attributes"].pop("alias", None)
    write = (lambda schema: schema) if sys.argv[3] == "blocks" else as_attributes
    out["provider"] = write(out["provider"])
    for line in sorted(set(sys.stdin.read().split())):
        kind, _, name = line.partition(".")
        short = name.removeprefix(f"{provider}_")
        prefix = {"resource": "", "data": f"data-{provider}-", "ephemeral": f"ephemeral-{provider}-"}[kind]
        tail = re.sub("-+", "-", short.replace("_", "-"))
        path = folder / "lib" / (prefix + tail) / "index.js"
        if not path.is_file():
            raise Unreadable(f"{about['name']} {about['version']} has no {kind} {name} (no {path.parent.name} in its bindings)")
        classes, top = read(path)
        out[kind][name] = write(block(classes, top))
    json.dump(out, sys.stdout, indent=1, sort_keys=True)


if __name__ == "__main__":
    try:
        main()
    except Unreadable as problem:
        sys.exit(f"extract.py: {problem}")
