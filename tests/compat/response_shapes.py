# SPDX-License-Identifier: MIT
"""Responses held against botocore's service models, more strictly than botocore itself does.

botocore leaves out what it does not know and takes what it is given. Here an unknown member, another
type, a missing required member, a value outside its enumeration or length is a failure.
"""

import base64
import json
import math
import re
import xml.etree.ElementTree as ElementTree


class Mismatch(AssertionError):
    pass


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_length(shape, size, where):
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max", math.inf)
    if not low <= size <= high:
        raise Mismatch(f"{where}: size {size} is not from {low} to {high}")


def _check_text(shape, value, where):
    if not isinstance(value, str):
        raise Mismatch(f"{where}: {value!r} is no string")
    allowed = getattr(shape, "enum", None)
    if allowed and value not in allowed:
        raise Mismatch(f"{where}: {value!r} is none of {allowed}")
    _check_length(shape, len(value), where)


def _check_json(shape, value, where):
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            raise Mismatch(f"{where}: {value!r} is no object")
        for name in shape.required_members:
            if value.get(name) is None:
                raise Mismatch(f"{where}: required member {name} is missing")
        for name, member in value.items():
            if name not in shape.members:
                raise Mismatch(f"{where}: unknown member {name}")
            _check_json(shape.members[name], member, f"{where}.{name}")
    elif kind == "list":
        if not isinstance(value, list):
            raise Mismatch(f"{where}: {value!r} is no array")
        _check_length(shape, len(value), where)
        for i, element in enumerate(value):
            _check_json(shape.member, element, f"{where}[{i}]")
    elif kind == "map":
        if not isinstance(value, dict):
            raise Mismatch(f"{where}: {value!r} is no object")
        for key, element in value.items():
            _check_text(shape.key, key, f"{where} key")
            _check_json(shape.value, element, f"{where}.{key}")
    elif kind in ("integer", "long"):
        if not isinstance(value, int) or isinstance(value, bool):
            raise Mismatch(f"{where}: {value!r} is no integer")
        if kind == "integer" and not -2**31 <= value < 2**31:
            raise Mismatch(f"{where}: {value!r} has more than 32 bits")
        if value < shape.metadata.get("min", -math.inf):
            raise Mismatch(f"{where}: {value!r} is too small")
    elif kind in ("double", "float", "timestamp"):
        if not _is_number(value):
            raise Mismatch(f"{where}: {value!r} is no number")
        # Seconds of this century: milliseconds in their place would be another millennium.
        if kind == "timestamp" and not 946684800 <= value < 4102444800:
            raise Mismatch(f"{where}: {value!r} is no moment in seconds")
    elif kind == "boolean":
        if not isinstance(value, bool):
            raise Mismatch(f"{where}: {value!r} is no boolean")
    elif kind == "blob":
        _check_text(shape, value, where)
        base64.b64decode(value, validate=True)
    else:
        _check_text(shape, value, where)


_ISO_MOMENT = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def _check_xml(shape, element, namespace, where):
    kind = shape.type_name
    text = element.text or ""
    if kind == "structure":
        known = {member.serialization.get("name", name): (name, member)
                 for name, member in shape.members.items()}
        seen = set()
        for child in element:
            name = child.tag.removeprefix(f"{{{namespace}}}")
            if name not in known:
                raise Mismatch(f"{where}: unknown element {child.tag}")
            if name in seen:
                raise Mismatch(f"{where}: {name} is there twice")
            seen.add(name)
            _check_xml(known[name][1], child, namespace, f"{where}.{name}")
        for name in shape.required_members:
            if name not in {known[element_name][0] for element_name in seen}:
                raise Mismatch(f"{where}: required {name} is missing")
        if text.strip():
            raise Mismatch(f"{where}: stray text {text!r}")
    elif kind == "timestamp":
        if not _ISO_MOMENT.fullmatch(text):
            raise Mismatch(f"{where}: {text!r} is no ISO 8601 moment")
    elif kind in ("integer", "long"):
        int(text)
    elif kind == "boolean":
        if text not in ("true", "false"):
            raise Mismatch(f"{where}: {text!r} is no boolean")
    elif kind in ("list", "map"):
        raise Mismatch(f"{where}: no operation of the simulated AWS answers with a {kind} in XML")
    else:
        _check_text(shape, text, where)


def check_json_response(operation, headers, body):
    content_type = headers.get("Content-Type")
    wanted = f"application/x-amz-json-{operation.service_model.metadata['jsonVersion']}"
    if content_type != wanted:
        raise Mismatch(f"{operation.name}: Content-Type {content_type}, not {wanted}")
    if operation.output_shape is None or not operation.output_shape.members:
        # AWS sends nothing at all, or an empty object.
        if body.strip() not in (b"", b"{}"):
            raise Mismatch(f"{operation.name}: {body!r} where nothing is to be said")
        return
    _check_json(operation.output_shape, json.loads(body), operation.name)


def check_xml_response(operation, headers, body):
    if not headers.get("Content-Type", "").startswith("text/xml"):
        raise Mismatch(f"{operation.name}: Content-Type {headers.get('Content-Type')}")
    namespace = operation.service_model.metadata["xmlNamespace"]
    root = ElementTree.fromstring(body)
    if root.tag != f"{{{namespace}}}{operation.name}Response":
        raise Mismatch(f"{operation.name}: root element {root.tag}")
    wrapper = operation.output_shape.serialization["resultWrapper"]
    tags = sorted(child.tag.removeprefix(f"{{{namespace}}}") for child in root)
    if tags != sorted((wrapper, "ResponseMetadata")):
        raise Mismatch(f"{operation.name}: elements {tags}")
    result = root.find(f"{{{namespace}}}{wrapper}")
    _check_xml(operation.output_shape, result, namespace, operation.name)
    if not root.findtext(f"{{{namespace}}}ResponseMetadata/{{{namespace}}}RequestId"):
        raise Mismatch(f"{operation.name}: no RequestId")


def check_response(operation, headers, body):
    """body: bytes of a successful response; raises Mismatch."""
    if operation.service_model.metadata["protocol"] == "query":
        check_xml_response(operation, headers, body)
    else:
        check_json_response(operation, headers, body)
