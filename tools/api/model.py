"""The API as plain objects: services, operations, messages, fields, problems.

reader.py fills them from a descriptor set, check.py proves them sound, and the writers (routes.py,
openapi.py, nats.py, reference.py) only read them: no writer asks whether an option makes sense.
"""

from dataclasses import dataclass, field

from google.protobuf import descriptor_pb2

PACKAGE = "televisit.v1"
ROLES = ["PATIENT", "DOCTOR", "STAFF", "ADMIN", "INTERPRETER", "GUEST"]  # of sessions
TIMESTAMP = "google.protobuf.Timestamp"
EMPTY = "google.protobuf.Empty"
STRING_MAX = 200
DEADLINE_MS = 5000

F = descriptor_pb2.FieldDescriptorProto
INT_RANGES = {
    F.TYPE_INT32: (-(2**31), 2**31 - 1),
    F.TYPE_SINT32: (-(2**31), 2**31 - 1),
    F.TYPE_UINT32: (0, 2**32 - 1),
    F.TYPE_INT64: (-(2**63), 2**63 - 1),
    F.TYPE_SINT64: (-(2**63), 2**63 - 1),
}


class ApiError(Exception):
    """A fault in the .proto files, said to the person who wrote them: file, line, name, what."""


@dataclass
class Enum:
    full_name: str
    comment: str
    values: list  # names, in order, with the UNSPECIFIED one first


@dataclass
class Field:
    name: str
    json_name: str
    number: int
    type: int
    type_name: str  # full name of a message or enum, else ""
    repeated: bool
    comment: str
    rules: object  # televisit.Rules; all defaults when none were given
    has_rules: bool
    line: int

    @property
    def is_message(self):
        return self.type == F.TYPE_MESSAGE

    @property
    def is_int(self):
        return self.type in INT_RANGES

    def bounds(self):
        """Smallest and largest number allowed."""
        low, high = INT_RANGES[self.type]
        if self.has_rules:
            low = max(low, self.rules.min)
            high = self.rules.max or high
        return low, high


@dataclass
class Message:
    full_name: str
    file: str
    line: int
    comment: str
    fields: list  # by number, as protobuf-c sorts them

    def field(self, name):
        return next((f for f in self.fields if f.name == name), None)


@dataclass
class Operation:
    service: "Service"
    index: int  # of the method in its service
    method_name: str
    comment: str
    options: object  # televisit.Operation
    input: Message
    output: Message
    file: str
    line: int
    access: list  # names of enum Access

    @property
    def name(self):
        return f"{self.service.name}.{self.method_name}"

    @property
    def label(self):
        return self.name.lower()

    @property
    def http(self):
        return bool(self.options.method)

    @property
    def anonymous(self):
        return "ANONYMOUS" in self.access

    @property
    def roles(self):
        """Roles of sessions that may call it from outside, in the order of ROLES."""
        everybody = self.anonymous or "ANYONE" in self.access
        return [r for r in ROLES if everybody or r in self.access]

    @property
    def path_fields(self):
        return template_fields(self.options.path)

    @property
    def local(self):
        return self.options.flow == 1

    @property
    def success(self):
        return self.options.success or 200

    @property
    def deadline_ms(self):
        return self.options.deadline_ms or DEADLINE_MS

    @property
    def rate(self):
        values = self.options.DESCRIPTOR.fields_by_name["rate"].enum_type.values_by_number
        return values[self.options.rate].name

    @property
    def body(self):
        """The message that is the body of a good answer; None for an empty one."""
        if self.success == 204:
            return None
        if self.options.response:
            return self.service.api.messages[self.output.field(self.options.response).type_name]
        return self.output

    def outside_fields(self):
        """Fields of the request that come in the body (or the query), not in the path."""
        return [f for f in self.input.fields
                if not f.rules.hidden and f.name not in self.path_fields]


@dataclass
class Service:
    api: "Api"
    name: str
    full_name: str
    file: str
    comment: str
    binary: str
    nudges: list
    operations: list = field(default_factory=list)

    @property
    def on_bus(self):
        return any(not o.local for o in self.operations)

    def subject(self, method="*"):
        return f"tv.v1.{self.name.lower()}.{method.lower()}"


@dataclass
class Problem:
    """A row of TV_ERR_MAP."""

    name: str
    status: int
    retryable: bool
    slug: str
    title: str


class Api:
    """All of it. Messages and enums are found by their full name."""

    def __init__(self, problems):
        self.messages = {}
        self.enums = {}
        self.services = []
        self.problems = problems  # by slug

    @property
    def operations(self):
        return [o for s in self.services for o in s.operations]

    def routes(self):
        """Operations with an HTTP method, by path and method; fixed parts stand before fields."""
        return sorted((o for o in self.operations if o.http),
                      key=lambda o: (o.options.path.split("/"), o.options.method))

    def closure(self, messages):
        """These messages and all of ours that they hold, by full name."""
        found, todo = {}, list(messages)
        while todo:
            m = todo.pop()
            if m.full_name not in found and m.full_name.startswith(PACKAGE + "."):
                found[m.full_name] = m
                todo += [self.messages[f.type_name] for f in m.fields if f.is_message]
        return [found[name] for name in sorted(found)]


def template_fields(template):
    """Names of the {parts} of a path."""
    return [part[1:-1] for part in template.split("/")
            if part.startswith("{") and part.endswith("}")]
