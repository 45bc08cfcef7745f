"""Generates order schemas and orders, and checks with PyPI's `jsonschema` whether each order is valid.

Prints one JSON object per line: the schema, the order as text, and the result. `cargo xtask schema` compares the results with those of
`oms`. Numbers are read as decimals. The formats and keywords of `oms` do not occur, nor do numbers beyond the limits of a typed number.
"""

import argparse
import json
import random
import sys
from decimal import Decimal, getcontext

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.validators import extend

# Remainders of decimals must be exact.
getcontext().prec = 400

WORDS = ["", "a", "b", "ab", "abc", "abcd", "A", "AB", "x-1", "x-ab", "12", "123", "é", "💩💩", "card", "cash"]
NAMES = ["a", "b", "c", "x-1", "x-ab", "card", "AB"]
NUMBERS = ["0", "-0", "1", "1.0", "1e0", "2", "3", "-1", "-2.5", "1.5", "2.50", "0.1", "0.01", "12.30", "1e2", "100", "1E-2", "0.5", "4.35", "7", "10"]
WHOLE = ["0", "1", "1.0", "2", "3", "-1", "1e2", "100", "7", "10", "9007199254740992", "9007199254740993"]
LIMITS = [0, 1, 2, 3, -1, 100, 0.5, 1.5, 2.5, 0.01, 12.3, 9007199254740993]
UNITS = [1, 2, 3, 0.5, 0.01, 0.05, 0.1, 1.5]
PATTERNS = ["^[A-Z]+$", "^a", "b$", "[0-9]{2}", "^x-", "^.{2}$"]
# Texts on which all implementations of a format agree.
FORMATS = {
    "date": (["2025-12-31", "2024-02-29"], ["2025-02-29", "2025-13-01", "yesterday"]),
    "date-time": (["2025-12-31T23:59:58Z", "2025-06-02T10:00:00.5+02:00"], ["2025-02-29T10:00:00Z", "2025-12-31", "now"]),
    "email": (["jo@example.com"], ["nobody"]),
    "ipv4": (["192.0.2.1"], ["192.0.2.256", "192.0.2"]),
    "ipv6": (["2001:db8::1"], ["2001:db8::1::2", "g::1"]),
    "uuid": (["2eb8aa08-aa98-11ea-b4aa-73b441d16380"], ["2eb8aa08-aa98-11ea", "2eb8aa08aa9811eab4aa73b441d16380"]),
    "regex": (["^a+$"], ["(", "[a"]),
}
TEXTS = WORDS + [text for good, bad in FORMATS.values() for text in good + bad]
TYPES = ["string", "integer", "number", "boolean", "array", "object", "null"]


class Number(str):
    """A number in its written form."""


def written(value):
    """Writes a value as JSON and keeps the written form of its numbers."""
    match value:
        case Number():
            return str(value)
        case list():
            return "[" + ",".join(map(written, value)) + "]"
        case dict():
            return "{" + ",".join(f"{json.dumps(name)}:{written(member)}" for name, member in value.items()) + "}"
        case _:
            return json.dumps(value)


class Generator:
    """Generates schemas and values from a seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.definitions = {}

    def chance(self, share):
        return self.random.random() < share

    def pick(self, values):
        return self.random.choice(values)

    def some(self, values, most):
        return self.random.sample(values, self.random.randint(1, min(most, len(values))))

    def order(self):
        """Generates the schema of an order."""
        self.definitions = {}
        plain = self.chance(0.35)
        if not plain and self.chance(0.4):
            for name in ["d1", "d2"]:
                self.definitions[name] = self.schema(1, plain)
            if self.chance(0.3):
                self.definitions["tree"] = {"type": "object", "properties": {"a": {"$ref": "#/$defs/tree"}, "b": {"type": "string"}}}
        member = self.schema(0, plain)
        schema = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}, "v": member}}
        if self.definitions:
            schema["$defs"] = self.definitions
        return schema

    def schema(self, depth, plain):
        if not plain and self.chance(0.04):
            return self.chance(0.7)
        schema = {}
        references = [f"#/$defs/{name}" for name in self.definitions]
        if not plain and references and self.chance(0.2):
            schema["$ref"] = self.pick(references)
            if self.chance(0.6):
                return schema
        kinds = [self.pick(TYPES if depth < 3 else TYPES[:4])]
        if not plain and self.chance(0.15):
            kinds = self.some(TYPES, 3)
        elif self.chance(0.15) and kinds != ["null"]:
            kinds.append("null")
        if "$ref" not in schema and (plain or self.chance(0.8)):
            schema["type"] = kinds[0] if len(kinds) == 1 else kinds
        for kind in kinds:
            getattr(self, kind)(schema, depth, plain)
        if not plain:
            self.anything(schema, kinds, depth)
        return schema

    def null(self, schema, depth, plain):
        pass

    def boolean(self, schema, depth, plain):
        if not plain and self.chance(0.2):
            schema["const"] = self.chance(0.5)

    def string(self, schema, depth, plain):
        if self.chance(0.2):
            schema["minLength"] = self.random.randint(0, 3)
        if self.chance(0.2):
            schema["maxLength"] = self.random.randint(1, 5)
        if self.chance(0.15) and not schema.keys() & {"minLength", "maxLength"}:
            schema["enum"] = self.some(WORDS, 3)
        elif self.chance(0.15):
            schema["format"] = self.pick(["date", "date-time", "email"] if plain else list(FORMATS))
        if not plain and self.chance(0.2):
            schema["pattern"] = self.pick(PATTERNS)

    def integer(self, schema, depth, plain):
        self.number(schema, depth, plain)

    def number(self, schema, depth, plain):
        limits = [limit for limit in LIMITS if isinstance(limit, int)] if plain else LIMITS
        keywords = ["minimum", "maximum"] if plain else ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]
        for keyword in keywords:
            if self.chance(0.2):
                schema[keyword] = self.pick(limits)
        if not plain and self.chance(0.2):
            schema["multipleOf"] = self.pick(UNITS)

    def array(self, schema, depth, plain):
        if self.chance(0.7):
            schema["items"] = self.schema(depth + 1, plain)
        for keyword in ["minItems", "maxItems"]:
            if self.chance(0.2):
                schema[keyword] = self.random.randint(0, 3)
        if plain:
            return
        if self.chance(0.25):
            schema["prefixItems"] = [self.schema(depth + 1, plain) for _ in range(self.random.randint(1, 2))]
        if self.chance(0.2):
            schema["uniqueItems"] = True
        if self.chance(0.2):
            schema["contains"] = self.schema(depth + 1, plain)
            for keyword in ["minContains", "maxContains"]:
                if self.chance(0.3):
                    schema[keyword] = self.random.randint(0, 2)
        if self.chance(0.1):
            schema["unevaluatedItems"] = self.schema(depth + 1, plain)

    def object(self, schema, depth, plain):
        if self.chance(0.8):
            names = self.some(NAMES, 3)
            schema["properties"] = {name: self.schema(depth + 1, plain) for name in names}
            if self.chance(0.6):
                schema["required"] = self.some(names, 2)
        if self.chance(0.25):
            schema["additionalProperties"] = False if plain or self.chance(0.5) else self.schema(depth + 1, plain)
        if plain:
            return
        if self.chance(0.15):
            schema["patternProperties"] = {self.pick(PATTERNS): self.schema(depth + 1, plain)}
        if self.chance(0.1):
            schema["propertyNames"] = {"maxLength": 3} if self.chance(0.5) else {"pattern": self.pick(PATTERNS)}
        for keyword in ["minProperties", "maxProperties"]:
            if self.chance(0.1):
                schema[keyword] = self.random.randint(0, 3)
        if self.chance(0.15):
            schema["dependentRequired"] = {self.pick(NAMES): self.some(NAMES, 2)}
        if self.chance(0.1):
            schema["dependentSchemas"] = {self.pick(NAMES): self.schema(depth + 1, plain)}
        if self.chance(0.1):
            schema["unevaluatedProperties"] = self.chance(0.3)

    def anything(self, schema, kinds, depth):
        if depth >= 3:
            return
        below = lambda: self.schema(depth + 1, False)
        if self.chance(0.08):
            schema["allOf"] = [below() for _ in range(self.random.randint(1, 2))]
        if self.chance(0.12):
            null = [{"type": "null"}] if self.chance(0.5) else [below()]
            schema[self.pick(["anyOf", "oneOf"])] = [below()] + null
            if null[0] == {"type": "null"} and self.chance(0.7):
                schema.pop("type", None)
        if self.chance(0.06):
            schema["not"] = below()
        if self.chance(0.08):
            schema["if"] = below()
            schema[self.pick(["then", "else"])] = below()
        if self.chance(0.05) and not schema.keys() & {"enum", "const"}:
            schema["enum"] = [self.constant(kind) for kind in self.some(kinds, 3)] + [None] * self.chance(0.3)
        if self.chance(0.04) and not schema.keys() & {"enum", "const"}:
            schema["const"] = self.constant(self.pick(kinds))

    def constant(self, kind):
        match kind:
            case "string":
                return self.pick(WORDS)
            case "integer" | "number":
                return self.pick([0, 1, 2, 1.5, 100, 9007199254740993])
            case "boolean":
                return self.chance(0.5)
            case "array":
                return [self.pick([0, 1, False, "a"])]
            case "object":
                return {self.pick(NAMES): self.pick([0, 1, "a", None])}
            case _:
                return None

    def value(self, schema, depth=0):
        """Generates a value that may be valid."""
        if not isinstance(schema, dict) or self.chance(0.05):
            return self.any(depth)
        if "const" in schema and self.chance(0.7):
            return literal(schema["const"])
        if "enum" in schema and self.chance(0.8):
            return literal(self.pick(schema["enum"]))
        for keyword in ["anyOf", "oneOf", "allOf"]:
            if keyword in schema and self.chance(0.5):
                return self.value(self.pick(schema[keyword]), depth)
        if "$ref" in schema and self.chance(0.8):
            return self.value(self.definitions[schema["$ref"].rsplit("/")[-1]], depth)
        kinds = schema.get("type", [kind for kind, keyword in GUESSES if keyword in schema] or TYPES)
        kind = kinds if isinstance(kinds, str) else self.pick(kinds)
        match kind:
            case "string" if "format" in schema and self.chance(0.8):
                good, bad = FORMATS[schema["format"]]
                return self.pick(good if self.chance(0.7) else bad)
            case "array":
                most = min(schema.get("maxItems", 3), 3) + self.chance(0.1)
                return [self.value(schema.get("items"), depth + 1) for _ in range(self.random.randint(min(schema.get("minItems", 0), most), most))] if depth < 5 else []
            case "object":
                return self.record(schema, depth) if depth < 5 else {}
            case "integer":
                return Number(self.pick(WHOLE))
            case _:
                return self.scalar(kind)

    def record(self, schema, depth):
        members = {}
        for name, member in schema.get("properties", {}).items():
            if self.chance(0.9 if name in schema.get("required", []) else 0.6):
                members[name] = self.value(member, depth + 1)
        while self.chance(0.25):
            members[self.pick(NAMES)] = self.any(depth + 1)
        return members

    def scalar(self, kind):
        match kind:
            case "string":
                return self.pick(TEXTS)
            case "number" | "integer":
                return Number(self.pick(NUMBERS))
            case "boolean":
                return self.chance(0.5)
            case _:
                return None

    def any(self, depth):
        kind = self.pick(TYPES)
        match kind:
            case "array":
                return [self.any(depth + 1) for _ in range(self.random.randint(0, 2))] if depth < 3 else []
            case "object":
                return {name: self.any(depth + 1) for name in self.some(NAMES, 2)} if depth < 3 else {}
            case _:
                return self.scalar(kind)


GUESSES = [("string", "minLength"), ("string", "pattern"), ("number", "minimum"), ("number", "multipleOf"), ("array", "items"), ("array", "contains"), ("object", "properties")]


def literal(value):
    """Converts the numbers of a constant to `Number`."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return [literal(element) for element in value]
    if isinstance(value, dict):
        return {name: literal(member) for name, member in value.items()}
    return Number(repr(value))


def exact(text):
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def is_integer(_, value):
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool) and value == int(value)


def unique(validator, wanted, value, schema):
    """Compares elements by value, because the library's implementation treats true as 1."""
    if wanted and isinstance(value, list) and len({key(element) for element in value}) < len(value):
        from jsonschema import ValidationError

        yield ValidationError("not unique")


def key(value):
    match value:
        case bool() | None:
            return str(value)
        case Decimal():
            return ("number", value)
        case str():
            return ("text", value)
        case list():
            return ("list", tuple(map(key, value)))
        case dict():
            return ("object", frozenset((name, key(member)) for name, member in value.items()))


Validator = extend(
    Draft202012Validator,
    validators={"uniqueItems": unique},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", is_integer),
)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=1000, help="number of schemas")
    arguments.add_argument("--seed", type=int, default=1)
    arguments = arguments.parse_args()
    formats = Draft202012Validator.FORMAT_CHECKER
    missing = FORMATS.keys() - formats.checkers.keys()
    assert not missing, f"no checker for {missing}"
    generator = Generator(arguments.seed)
    for _ in range(arguments.count):
        schema = generator.order()
        text = json.dumps(schema)
        validator = Validator(exact(text), format_checker=formats)
        for _ in range(3):
            order = '{"id":"A","v":' + written(generator.value(schema["properties"]["v"])) + "}"
            line = {"schema": schema, "order": order, "valid": validator.is_valid(exact(order))}
            sys.stdout.write(json.dumps(line) + "\n")


main()
