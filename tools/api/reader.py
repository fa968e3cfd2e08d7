"""Reads the descriptor set and the error table into a model.Api."""

import re

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from . import check
from .model import Api, ApiError, Enum, F, Field, Message, Operation, Problem, Service

# Numbers of the lists in descriptor.proto, of which the paths of comments are made.
FILE_MESSAGES, FILE_ENUMS, FILE_SERVICES = 4, 5, 6
MESSAGE_FIELDS, MESSAGE_NESTED, MESSAGE_ENUMS = 2, 3, 4
SERVICE_METHODS = 2


def load(descriptors_file, errors_file):
    with open(descriptors_file, "rb") as f:
        data = f.read()
    with open(errors_file, encoding="utf-8") as f:
        problems = read_problems(f.read(), errors_file)
    return read(data, problems)


def read(data, problems):
    """`data` is a serialised FileDescriptorSet with imports and source info."""
    api = Api(problems)
    descriptor_set, extensions = parse_set(data)
    for f in descriptor_set.file:
        FileReader(api, f, extensions).read()
    for f in descriptor_set.file:
        FileReader(api, f, extensions).read_services()
    check.check(api)
    return api


def read_problems(text, name):
    """The rows of TV_ERR_MAP in lib/err.h, by slug."""
    row = re.compile(r'X\(\s*([A-Z_]+),\s*(\d+),\s*(true|false),\s*"([^"]*)",[\s\\]*"([^"]*)"\s*\)')
    found = [Problem(m[1], int(m[2]), m[3] == "true", m[4], m[5]) for m in row.finditer(text)]
    if not found:
        raise ApiError(f"{name}: no rows of TV_ERR_MAP")
    return {p.slug: p for p in found}


def parse_set(data):
    """The set, parsed by classes made from the set itself: they know the options that it defines.
    Returns it with the extensions by name."""
    plain = descriptor_pb2.FileDescriptorSet.FromString(data)
    pool = descriptor_pool.DescriptorPool()
    for f in plain.file:
        pool.Add(f)
    names = [f.name for f in plain.file]
    if "televisit/options.proto" not in names:
        raise ApiError("the descriptor set lacks televisit/options.proto")
    if hasattr(message_factory, "GetMessageClassesForFiles"):
        classes = message_factory.GetMessageClassesForFiles(names, pool)
    else:
        classes = message_factory.MessageFactory(pool).GetMessages(names)
    extensions = {name: pool.FindExtensionByName("televisit." + name)
                  for name in ("operation", "binary", "nudges", "rules")}
    return classes["google.protobuf.FileDescriptorSet"].FromString(data), extensions


def tidy(comment):
    """A comment as paragraphs: one line each, between them an empty one."""
    paragraphs = re.split(r"\n\s*\n", comment.strip("\n"))
    return "\n\n".join(" ".join(p.split()) for p in paragraphs).strip()


class FileReader:
    def __init__(self, api, file, extensions):
        self.api, self.file, self.extensions = api, file, extensions
        self.locations = {tuple(loc.path): loc for loc in file.source_code_info.location}

    def comment(self, *path):
        loc = self.locations.get(path)
        if loc is None:
            return ""
        return "\n\n".join(filter(None, map(tidy, (loc.leading_comments, loc.trailing_comments))))

    def line(self, *path):
        loc = self.locations.get(path)
        return loc.span[0] + 1 if loc is not None else 0

    def read(self):
        for i, m in enumerate(self.file.message_type):
            self.read_message(m, self.file.package, (FILE_MESSAGES, i))
        for i, e in enumerate(self.file.enum_type):
            self.read_enum(e, self.file.package, (FILE_ENUMS, i), "")

    def read_message(self, m, scope, path):
        full_name = f"{scope}.{m.name}"
        fields = [self.read_field(f, path + (MESSAGE_FIELDS, i)) for i, f in enumerate(m.field)]
        fields.sort(key=lambda f: f.number)
        comment = self.comment(*path)
        self.api.messages[full_name] = Message(full_name, self.file.name, self.line(*path),
                                               comment, fields)
        for i, n in enumerate(m.nested_type):
            self.read_message(n, full_name, path + (MESSAGE_NESTED, i))
        for i, e in enumerate(m.enum_type):
            self.read_enum(e, full_name, path + (MESSAGE_ENUMS, i), comment)

    def read_enum(self, e, scope, path, outer_comment):
        full_name = f"{scope}.{e.name}"
        self.api.enums[full_name] = Enum(full_name, self.comment(*path) or outer_comment,
                                         [v.name for v in e.value])

    def read_field(self, f, path):
        rules = self.extensions["rules"]
        return Field(name=f.name, json_name=f.json_name, number=f.number, type=f.type,
                     type_name=f.type_name.lstrip("."), repeated=f.label == F.LABEL_REPEATED,
                     comment=self.comment(*path), rules=f.options.Extensions[rules],
                     has_rules=f.options.HasExtension(rules), line=self.line(*path))

    def read_services(self):
        for i, s in enumerate(self.file.service):
            path = (FILE_SERVICES, i)
            where = f"{self.file.name}:{self.line(*path)}: {s.name}"
            if not s.options.HasExtension(self.extensions["binary"]):
                raise ApiError(f"{where}: the service lacks option (televisit.binary)")
            service = Service(api=self.api, name=s.name, full_name=f"{self.file.package}.{s.name}",
                              file=self.file.name, comment=self.comment(*path),
                              binary=s.options.Extensions[self.extensions["binary"]],
                              nudges=list(s.options.Extensions[self.extensions["nudges"]]))
            self.api.services.append(service)
            for j, m in enumerate(s.method):
                service.operations.append(self.read_method(service, j, m,
                                                           path + (SERVICE_METHODS, j)))

    def read_method(self, service, index, m, path):
        operation = self.extensions["operation"]
        if not m.options.HasExtension(operation):
            raise ApiError(f"{self.file.name}:{self.line(*path)}: {service.name}.{m.name}: "
                           "the method lacks option (televisit.operation)")
        options = m.options.Extensions[operation]
        names = options.DESCRIPTOR.fields_by_name["access"].enum_type.values_by_number
        return Operation(service=service, index=index, method_name=m.name,
                         comment=self.comment(*path), options=options,
                         input=self.api.messages[m.input_type.lstrip(".")],
                         output=self.api.messages[m.output_type.lstrip(".")],
                         file=self.file.name, line=self.line(*path),
                         access=[names[a].name for a in options.access])
