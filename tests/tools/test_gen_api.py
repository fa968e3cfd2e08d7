"""The API generator: what it writes for a small API, and what it refuses."""

import base64
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from api import model, nats, openapi, reader, reference, routes  # noqa: E402
from stack import nkeys  # noqa: E402

with open(os.path.join(ROOT, "lib/err.h"), encoding="utf-8") as err_h:
    PROBLEMS = reader.read_problems(err_h.read(), "lib/err.h")

# A small API. Tests replace a piece of it by another and look at what comes out.
PROTO = '''
syntax = "proto3";
package televisit.v1;
import "google/protobuf/empty.proto";
import "google/protobuf/timestamp.proto";
import "televisit/options.proto";

// Keeps things.
service Things {
  option (televisit.binary) = "store";
  option (televisit.nudges) = {
    subject: "tv.v1.told.*", tellers: ["gateway"], listeners: ["watcher"]
  };

  // Makes a thing. It stays.
  rpc Make(MakeRequest) returns (MakeReply) {
    option (televisit.operation) = {
      method: "POST", path: "/v1/things", access: [PATIENT, STAFF], body_bytes_max: 1024,
      idempotency_key: true, rate: WRITE, success: 201, response: "thing",
      location: "/v1/things/{id}", problems: ["conflict"]
    };
  }
  rpc Rename(RenameRequest) returns (Thing) {
    option (televisit.operation) = {
      method: "PATCH", path: "/v1/things/{thing_id}", access: STAFF, body_bytes_max: 64,
      if_match: true, rate: WRITE
    };
  }
  rpc List(ListRequest) returns (ListReply) {
    option (televisit.operation) = {
      method: "GET", path: "/v1/things", access: ANYONE, rate: READ, retry_safe: true
    };
  }
  rpc Sweep(google.protobuf.Empty) returns (google.protobuf.Empty) {
    option (televisit.operation) = {access: SERVICE, callers: ["watcher"], success: 204};
  }
}

service Door {
  option (televisit.binary) = "gateway";
  rpc Knock(google.protobuf.Empty) returns (google.protobuf.Empty) {
    option (televisit.operation) = {
      method: "DELETE", path: "/v1/door", access: ANONYMOUS, rate: LOG_IN, flow: LOCAL,
      success: 204
    };
  }
  // What another program tells.
  rpc Tell(TellRequest) returns (Part) {
    option (televisit.operation) = {
      method: "POST", path: "/v1/tell", access: ANONYMOUS, body_bytes_max: 512, rate: WEBHOOK,
      flow: LOCAL, raw_body: "application/news+json"
    };
  }
}

message TellRequest {
  bytes body = 1 [(televisit.rules) = {hidden: true}];
  string authorization = 2 [(televisit.rules) = {hidden: true, secret: true}];
}
message Colour { enum Value { UNSPECIFIED = 0; RED = 1; BLUE = 2; } }
message Thing {
  string id = 1;
  int32 version = 2;
  Colour.Value colour = 3;
  int64 weight = 4;  // in grams
  google.protobuf.Timestamp made_at = 5;
  repeated Part parts = 6;
}
message Part { string part_name = 1 [(televisit.rules) = {required: true, length_max: 9}]; }
message MakeRequest {
  repeated Part parts = 4;
  string idempotency_key = 1 [(televisit.rules) = {hidden: true}];
  int32 size_mm = 2 [(televisit.rules) = {min: 1, max: 70}];
  string password = 3 [(televisit.rules) = {secret: true, length_min: 8, length_max: 64}];
}
message MakeReply { Thing thing = 1; repeated Thing others = 2; }
message RenameRequest {
  string thing_id = 1 [(televisit.rules) = {required: true, pattern: "uuid"}];
  int32 if_match = 2 [(televisit.rules) = {hidden: true}];
  string slug = 3 [(televisit.rules) = {pattern: "slug"}];
}
message ListRequest {
  Colour.Value colour = 1;
  google.protobuf.Timestamp since = 2;
  string cursor = 3;
  int64 after = 4 [(televisit.rules) = {min: -5}];
}
message ListReply { repeated Thing things = 1; string next_cursor = 2; }

// RFC 9457.
message Problem { string type = 1; string title = 2; uint32 status = 3; string detail = 4; }
'''

# What is replaced, by what, and what the error must say besides the file.
FAULTS = [
    ("duplicate route", 'method: "GET", path: "/v1/things"',
     'method: "PATCH", body_bytes_max: 9, path: "/v1/things/{cursor}"',
     r"Things\.(List|Rename): the route PATCH .* is also that of Things\.(List|Rename)"),
    ("unknown field in path", "/v1/things/{thing_id}", "/v1/things/{thang_id}",
     r"Things\.Rename: the path has \{thang_id\}, but televisit\.v1\.RenameRequest has no field"),
    ("message in path", 'path: "/v1/things", access: ANYONE', 'path: "/v1/{since}", access: ANYONE',
     r"Things\.List: the path has \{since\}, which is repeated, hidden or a message"),
    ("malformed path", 'path: "/v1/things", access: ANYONE', 'path: "v1/things", access: ANYONE',
     r'Things\.List: malformed path "v1/things"'),
    ("body on GET", "access: ANYONE, rate: READ", "access: ANYONE, rate: READ, body_bytes_max: 5",
     r"Things\.List: a body on GET"),
    ("POST without a body", "access: [PATIENT, STAFF], body_bytes_max: 1024",
     "access: [PATIENT, STAFF]", r"Things\.Make: POST without body_bytes_max"),
    ("unknown problem", '"conflict"', '"conflikt"', r'Things\.Make: unknown problem "conflikt"'),
    ("unknown response field", 'response: "thing"', 'response: "think"',
     r"Things\.Make: response: televisit\.v1\.MakeReply has no field think"),
    ("repeated response field", 'response: "thing"', 'response: "others"',
     r"Things\.Make: response: others is not a single message"),
    ("unknown location field", "/v1/things/{id}", "/v1/things/{ident}",
     r"Things\.Make: location has \{ident\}"),
    ("location without 201", "success: 201, ", "", r"Things\.Make: location goes with success 201"),
    ("no access", "access: STAFF, ", "", r"Things\.Rename: no access"),
    ("a role twice", "[PATIENT, STAFF]", "[STAFF, STAFF]", r"Things\.Make: a role is listed twice"),
    ("anyone and a role", "access: ANYONE", "access: [ANYONE, STAFF]", r"Things\.List: .* alone"),
    ("service on HTTP", "access: ANYONE", "access: SERVICE", r"Things\.List: access SERVICE"),
    ("bus only for people", "{access: SERVICE, callers", "{access: STAFF, callers",
     r"Things\.Sweep: no method, so access is SERVICE"),
    ("no callers", 'callers: ["watcher"], ', "", r"Things\.Sweep: no callers"),
    ("bad caller", 'callers: ["watcher"]', 'callers: ["a.>"]', r'Things\.Sweep: caller "a\.>"'),
    ("unknown method", 'method: "DELETE"', 'method: "FETCH"', r'Door\.Knock: unknown method'),
    ("no rate", ", rate: READ", "", r"Things\.List: no rate class"),
    ("no operation", "option (televisit.operation) = {access: SERVICE, callers: [\"watcher\"], "
     "success: 204};", "", r"Things\.Sweep: the method lacks option"),
    ("no binary", 'option (televisit.binary) = "store";', "", r"Things: the service lacks option"),
    ("empty without 204", "flow: LOCAL,\n      success: 204", "flow: LOCAL",
     r"Door\.Knock: an empty reply goes with success 204"),
    ("stream over the bus", "retry_safe: true\n", "event_stream: true\n",
     r"Things\.List: event_stream is for GET with flow LOCAL"),
    ("key not hidden", "string idempotency_key = 1 [(televisit.rules) = {hidden: true}];",
     "string idempotency_key = 1;",
     r"Things\.Make: idempotency_key needs a hidden string"),
    ("key without the option", "idempotency_key: true, ", "",
     r"Things\.Make: .* has a field idempotency_key, but the option"),
    ("secret in a URL", "string cursor = 3;",
     "string cursor = 3 [(televisit.rules) = {secret: true}];",
     r"Things\.List: the secret field cursor would stand in a URL"),
    ("message in the query", "string cursor = 3;", "Part cursor = 3;",
     r"Things\.List: field cursor is a message"),
    ("unknown pattern", '"slug"', '"slog"', r'RenameRequest\.slug: unknown pattern "slog"'),
    ("pattern of a number", "{min: 1, max: 70}", '{pattern: "uuid"}',
     r"MakeRequest\.size_mm: pattern and length are for strings"),
    ("min above max", "{min: 1, max: 70}", "{min: 71, max: 70}",
     r"MakeRequest\.size_mm: min is above max"),
    ("length_min above length_max", "length_min: 8", "length_min: 80",
     r"MakeRequest\.password: length_min is above length_max"),
    ("raw body on PATCH", 'method: "POST", path: "/v1/tell"', 'method: "PATCH", path: "/v1/tell"',
     r"Door\.Tell: raw_body is for POST with flow LOCAL"),
    ("raw body over the bus", "flow: LOCAL, raw_body", "raw_body",
     r"Door\.Tell: raw_body is for POST with flow LOCAL"),
    ("raw body of a session", 'path: "/v1/tell", access: ANONYMOUS',
     'path: "/v1/tell", access: ANYONE', r"Door\.Tell: raw_body goes with access ANONYMOUS"),
    ("raw body of no type", '"application/news+json"', '"news"',
     r'Door\.Tell: raw_body "news" is no media type'),
    ("raw body without its field", "bytes body = 1", "bytes bytes = 1",
     r"Door\.Tell: raw_body needs a hidden bytes field body in televisit\.v1\.TellRequest"),
    ("raw body as text", "bytes body = 1", "string body = 1",
     r"Door\.Tell: raw_body needs a hidden bytes field body"),
    ("raw body that is not hidden", "bytes body = 1 [(televisit.rules) = {hidden: true}];",
     "bytes body = 1;", r"Door\.Tell: raw_body needs a hidden bytes field body"),
    ("raw body without a signature", "string authorization = 2", "string author = 2",
     r"Door\.Tell: raw_body needs a hidden string field authorization"),
    ("raw body and more", "{hidden: true, secret: true}];",
     "{hidden: true, secret: true}]; int32 more = 3;",
     r"Door\.Tell: raw_body: nobody could set the field more"),
    ("raw body without a route", '{access: SERVICE, callers: ["watcher"], success: 204}',
     '{access: SERVICE, callers: ["watcher"], success: 204, raw_body: "a/b"}',
     r"Things\.Sweep: a raw_body without a method"),
    ("deadline too long", "retry_safe: true\n", "deadline_ms: 60001\n",
     r"Things\.List: deadline_ms is above 60000"),
]


def compile_proto(text):
    """The descriptor set of `text` as televisit/v1/things.proto."""
    with tempfile.TemporaryDirectory() as d:
        os.makedirs(os.path.join(d, "televisit/v1"))
        with open(os.path.join(d, "televisit/v1/things.proto"), "w", encoding="utf-8") as f:
            f.write(text)
        out = os.path.join(d, "set.binpb")
        subprocess.run(["protoc", f"-I{d}", f"-I{ROOT}/proto", "-I/usr/include",
                        "--include_imports", "--include_source_info",
                        f"--descriptor_set_out={out}", "televisit/v1/things.proto"], check=True)
        with open(out, "rb") as f:
            return f.read()


class Faults(unittest.TestCase):
    def test_each_is_told_with_file_line_and_name(self):
        for title, old, new, message in FAULTS:
            with self.subTest(title):
                self.assertIn(old, PROTO)
                with self.assertRaises(model.ApiError) as caught:
                    reader.read(compile_proto(PROTO.replace(old, new)), PROBLEMS)
                self.assertRegex(str(caught.exception), r"^televisit/v1/things\.proto:[1-9]\d*: ")
                self.assertRegex(str(caught.exception), message)

    def test_a_set_without_options(self):
        with self.assertRaisesRegex(model.ApiError, "lacks televisit/options.proto"):
            reader.read(b"", PROBLEMS)

    def test_an_error_table_without_rows(self):
        with self.assertRaisesRegex(model.ApiError, "no rows"):
            reader.read_problems("#define TV_ERR_MAP(X)", "err.h")


class Small(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.api = reader.read(compile_proto(PROTO), PROBLEMS)
        cls.doc = openapi.document(cls.api, "1.2.3")
        cls.schemas = cls.doc["components"]["schemas"]

    def operation(self, name):
        return next(o for o in self.api.operations if o.name == name)

    def test_routes_are_sorted_with_fixed_parts_first(self):
        self.assertEqual([o.name for o in self.api.routes()],
                         ["Door.Knock", "Door.Tell", "Things.List", "Things.Make",
                          "Things.Rename"])

    def test_roles(self):
        self.assertEqual(self.operation("Things.Make").roles, ["PATIENT", "STAFF"])
        self.assertEqual(self.operation("Things.List").roles, model.ROLES)
        self.assertTrue(self.operation("Door.Knock").anonymous)
        self.assertEqual(self.operation("Things.Sweep").roles, [])

    def test_route_in_c(self):
        text = routes.source(self.api)
        make = text[text.index("[TV_ROUTE_THINGS_MAKE]"):]
        for line in ('.method = "POST"', '.path = "/v1/things"', ".method_index = 0",
                     ".service = &televisit__v1__things__descriptor",
                     ".request = &televisit__v1__make_request__descriptor",
                     ".rules = &rules_televisit__v1__make_request", ".success = 201",
                     ".rate = TV_RATE_WRITE", ".flow = TV_FLOW_CALL", ".deadline_ms = 5000",
                     '.response = "thing"', '.location = "/v1/things/{id}"'):
            self.assertIn(line, make[:make.index("},")])
        self.assertNotIn("Sweep", text)
        self.assertIn('#include "google/protobuf/empty.pb-c.h"', text)

    def test_raw_body(self):
        text = routes.source(self.api)
        tell = text[text.index("[TV_ROUTE_DOOR_TELL]"):]
        self.assertIn('.raw_body = "application/news+json"', tell[:tell.index("},")])
        self.assertIn(".rate = TV_RATE_WEBHOOK", tell[:tell.index("},")])
        make = text[text.index("[TV_ROUTE_THINGS_MAKE]"):]
        self.assertIn(".raw_body = NULL", make[:make.index("},")])
        self.assertIn('{.name = "body", .hidden = true},', text)

        said = self.doc["paths"]["/v1/tell"]["post"]
        self.assertEqual(said["security"], [{"signature": []}])
        self.assertNotIn("parameters", said)
        scheme = self.doc["components"]["securitySchemes"]["signature"]
        self.assertEqual((scheme["in"], scheme["name"]), ("header", "Authorization"))
        self.assertTrue(said["requestBody"]["required"])
        self.assertIn("At most 512 bytes.", said["requestBody"]["description"])
        self.assertIn("exact bytes", said["requestBody"]["description"])
        content = {"schema": {"type": "object", "additionalProperties": True}}
        self.assertEqual(said["requestBody"]["content"],
                         {"application/news+json": content, "application/json": content})
        for status in ("401", "413", "415", "422", "429", "503"):
            self.assertIn(status, said["responses"])
        self.assertNotIn("403", said["responses"])  # cross-site is for cookies
        self.assertNotIn("TellRequest", self.schemas)

        page = reference.page(self.api)
        self.assertIn("- Body: `application/news+json` or `application/json`, at most 512 bytes\n"
                      "- Signed: `Authorization` holds", page)

    def test_no_signature_where_nothing_is_signed(self):
        api = reader.read(compile_proto(PROTO.replace(', raw_body: "application/news+json"', "")),
                          PROBLEMS)
        self.assertNotIn("signature", openapi.document(api, "1")["components"]["securitySchemes"])

    def test_rules_stand_in_the_order_of_field_numbers(self):
        text = routes.source(self.api)
        rows = re.search(r"fields_televisit__v1__make_request\[\] = \{\n(.*?)\n\};", text, re.S)[1]
        self.assertEqual(rows.splitlines(), [
            '    {.name = "idempotency_key", .length_max = 200, .hidden = true},',
            '    {.name = "size_mm", .min = INT64_C(1), .max = INT64_C(70)},',
            '    {.name = "password", .length_max = 64, .length_min = 8, .secret = true},',
            '    {.name = "parts", .message = &rules_televisit__v1__part},'])
        self.assertIn('{.name = "thing_id", .length_max = 200, .pattern = TV_PATTERN_UUID, '
                      '.required = true, .in_path = true}', text)
        self.assertIn(".min = INT64_C(-5), .max = INT64_C(9223372036854775807)", text)

    def test_c_names_are_those_of_protobuf_c(self):
        for name, wanted in (("televisit.v1.BookRequest", "televisit__v1__book_request"),
                             ("a.HTTPThing.Value", "a__httpthing__value")):
            self.assertEqual(routes.c_name(name), wanted)

    def test_permissions(self):
        p = nats.permissions(self.api)
        self.assertEqual(list(p), ["gateway", "store", "watcher"])
        self.assertEqual(p["gateway"], {
            "publish": ["tv.v1.things.list", "tv.v1.things.make", "tv.v1.things.rename",
                        "tv.v1.told.*"],
            "subscribe": ["_INBOX_gateway.>"]})
        self.assertEqual(p["watcher"], {"publish": ["tv.v1.things.sweep"],
                                        "subscribe": ["_INBOX_watcher.>", "tv.v1.told.*"]})
        self.assertEqual(p["store"]["publish"], ["_INBOX_operator.>"])
        self.assertIn("tv.v1.things.* store", p["store"]["subscribe"])
        self.assertIn("$SRV.PING.things.*", p["store"]["subscribe"])
        for user in p.values():
            self.assertNotIn(">", user["publish"] + user["subscribe"])

    def test_accounts_deny_what_is_not_listed(self):
        text = nats.accounts_conf(self.api)
        self.assertIn('MAY_STORE {\n  publish: { allow: [\n    "_INBOX_operator.>"\n  ] }', text)
        silent = compile_proto(PROTO.replace('tellers: ["gateway"]', 'tellers: ["store"]')
                               .replace('callers: ["watcher"]', 'callers: ["gateway"]'))
        text = nats.accounts_conf(reader.read(silent, PROBLEMS))
        self.assertIn('MAY_WATCHER {\n  publish: { deny: [">"] }', text)
        self.assertNotIn("allow: [\n  ]", text)
        self.assertNotIn("no_auth_user:", text)

    def test_only_who_is_asked_may_answer(self):
        users = json.loads(nats.as_json(self.api))["users"]
        self.assertEqual([n for n in users if "allow_responses" in users[n]], ["store"])
        self.assertEqual(nats.accounts_conf(self.api).count("allow_responses"), 1)

    def test_every_operation_tells_who_may_call_it(self):
        for path in self.doc["paths"].values():
            for o in path.values():
                self.assertTrue(o["x-access"])
                signed = o["security"] == [{"signature": []}]
                self.assertEqual(o["security"] == [] or signed, o["x-access"] == ["anonymous"])

    def test_operation(self):
        make = self.doc["paths"]["/v1/things"]["post"]
        self.assertEqual((make["operationId"], make["summary"], make["description"]),
                         ("Things.Make", "Makes a thing", "Makes a thing. It stays."))
        self.assertEqual([p["name"] for p in make["parameters"]], ["Idempotency-Key"])
        self.assertEqual(sorted(make["responses"]["201"]["headers"]),
                         ["ETag", "Location", "RateLimit"])
        self.assertEqual(make["responses"]["409"]["$ref"], "#/components/responses/409.conflict")
        self.assertIn("/v1/things/{thingId}", self.doc["paths"])
        self.assertNotIn("content", self.doc["paths"]["/v1/door"]["delete"]["responses"]["204"])
        rename = self.doc["paths"]["/v1/things/{thingId}"]["patch"]
        self.assertEqual([p["name"] for p in rename["parameters"]], ["thingId", "If-Match"])
        for status in ("404", "412", "415", "428"):
            self.assertIn(status, rename["responses"])

    def test_query(self):
        got = self.doc["paths"]["/v1/things"]["get"]
        self.assertEqual([(p["name"], p["in"]) for p in got["parameters"]],
                         [(n, "query") for n in ("colour", "since", "cursor", "after")])
        self.assertIn("Link", got["responses"]["200"]["headers"])
        self.assertNotIn("requestBody", got)

    def test_schemas_follow_protojson(self):
        thing = self.schemas["Thing"]
        self.assertEqual(thing["properties"]["weight"],
                         {"description": "in grams", "type": "string", "format": "int64",
                          "pattern": "^-?[0-9]+$"})
        self.assertEqual(thing["properties"]["madeAt"], {"type": "string", "format": "date-time"})
        self.assertEqual(thing["required"], ["id", "version", "colour", "weight", "parts"])
        self.assertNotIn("additionalProperties", thing)
        self.assertEqual(self.schemas["Colour"]["enum"], ["RED", "BLUE"])

    def test_schemas_of_requests(self):
        self.assertEqual(self.schemas["MakeRequest"], {
            "type": "object",
            "properties": {
                "sizeMm": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 70},
                "password": {"type": "string", "minLength": 8, "maxLength": 64, "writeOnly": True},
                "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}}},
            "required": ["sizeMm"], "additionalProperties": False})
        self.assertEqual(list(self.schemas["RenameRequest"]["properties"]), ["slug"])
        self.assertEqual(self.schemas["Part"]["required"], ["partName"])
        self.assertNotIn("ListRequest", self.schemas)

    def test_every_reference_leads_somewhere(self):
        text = json.dumps(self.doc)
        for kind, name in set(re.findall(r'"#/components/(\w+)/([^"]+)"', text)):
            self.assertIn(name, self.doc["components"][kind])

    def test_c_array_holds_the_document(self):
        text = openapi.as_c(self.doc)
        pieces = re.findall(r'^    "(.*)"', text, re.M)
        joined = re.sub(r"\\(.)", r"\1", "".join(pieces))
        self.assertEqual(json.loads(joined), self.doc)

    def test_reference_names_every_operation_and_problem(self):
        text = reference.page(self.api)
        for o in self.api.routes():
            self.assertIn(f"### {o.name}\n\n`{o.options.method} {o.options.path}`", text)
        for slug in PROBLEMS:
            self.assertIn(f"| {slug} |", text)


class Client:
    """As much of a NATS client as is needed to see what a user is refused."""

    def __init__(self, port, seed, public=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.file = self.socket.makefile("rb")
        info = json.loads(self.file.readline().partition(b" ")[2])
        options = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True}
        if seed:
            signature = nkeys.sign(seed, info["nonce"].encode())
            options["nkey"] = public or nkeys.public_key(seed)
            options["sig"] = base64.urlsafe_b64encode(signature).decode().rstrip("=")
        self.socket.sendall(b"CONNECT " + json.dumps(options).encode() + b"\r\n")

    def allowed(self, line):
        """Whether the server takes this command without an error."""
        self.socket.sendall(line.encode() + b"\r\nPING\r\n")
        errors = []
        while (answer := self.file.readline()) != b"PONG\r\n":
            if not answer:
                raise ConnectionError(f"closed after {line!r}: {errors}")
            errors.append(answer)
        return not any(e.startswith(b"-ERR") for e in errors)

    def close(self):
        self.file.close()
        self.socket.close()


class LeastPrivilege(unittest.TestCase):
    """A real nats-server with the permissions that we generate."""

    def setUp(self):
        api = reader.read(compile_proto(PROTO), PROBLEMS)
        self.permissions = nats.permissions(api)
        keys = {name: nkeys.make_nkey() for name in [*self.permissions, "operator", "sys"]}
        self.seeds = {name: seed for name, (seed, _) in keys.items()}
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (
                    ("nats.conf", 'listen: 127.0.0.1:-1\ninclude "./nats-accounts.conf"\n'),
                    ("nats-accounts.conf", nats.accounts_conf(api)),
                    ("nats-keys.conf", "".join(f"{nats.variable(name)}: {public}\n"
                                               for name, (_, public) in keys.items()))):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as conf:
                    conf.write(text)
            server = subprocess.Popen(["nats-server", "-c", os.path.join(folder, "nats.conf")],
                                      stderr=subprocess.PIPE, text=True)
            self.addCleanup(server.stderr.close)
            self.addCleanup(server.wait, 10)
            self.addCleanup(server.terminate)
            for line in server.stderr:
                found = re.search(r"client connections on 127\.0\.0\.1:(\d+)", line)
                if found:
                    self.port = int(found[1])
                if "Server is ready" in line:
                    break

    def client(self, user):
        c = Client(self.port, self.seeds[user])
        self.addCleanup(c.close)
        return c

    def test_nobody_comes_in_without_their_key(self):
        stranger, _ = nkeys.make_nkey()
        for seed, public in ((None, None), (stranger, None),
                             (stranger, nkeys.public_key(self.seeds["gateway"]))):
            c = Client(self.port, seed, public)
            self.addCleanup(c.close)
            with self.assertRaisesRegex(ConnectionError, "Authorization Violation|reset"):
                c.allowed("PUB x 0\r\n")

    def test_the_operator_discovers_and_no_more(self):
        client = self.client("operator")
        for line, allowed in (("PUB $SRV.PING 0\r\n", True), ("SUB _INBOX_operator.a.> 1", True),
                              ("PUB $SRV.STATS.things.x 0\r\n", True), ("PUB $SRV.X 0\r\n", False),
                              ("PUB tv.v1.things.list 0\r\n", False), ("SUB $SRV.> 2", False),
                              ("PUB _INBOX_gateway.x 0\r\n", False), ("SUB > 3", False),
                              ("SUB tv.> 4", False), ("PUB $SYS.REQ.SERVER.PING 0\r\n", False)):
            self.assertEqual(client.allowed(line), allowed, line)

    def test_the_system_account_is_another_world(self):
        sys_user, store = self.client("sys"), self.client("store")
        self.assertTrue(store.allowed("SUB $SRV.PING 1"))
        self.assertTrue(sys_user.allowed("SUB _INBOX.> 1"))
        self.assertTrue(sys_user.allowed("PUB $SRV.PING 0\r\n"))
        self.assertTrue(store.allowed("UNSUB 1"))  # nothing had come, or it were a line too many
        sys_user.socket.sendall(b"PUB $SYS.REQ.SERVER.PING _INBOX.a 0\r\n\r\n")
        self.assertRegex(sys_user.file.readline(), rb"^MSG _INBOX.a 1 ")

    def test_everyone_may_do_what_is_theirs_and_nothing_else(self):
        def concrete(subjects):
            return {s.replace("*", "x").replace(">", "x.y") for s in subjects}

        publish = {n: concrete(p["publish"]) for n, p in self.permissions.items()}
        subscribe = {n: concrete(p["subscribe"]) for n, p in self.permissions.items()}
        foreign = {"tv.v1.x", "_INBOX.x", "$SYS.REQ.SERVER.PING"}
        for user in self.permissions:
            client = self.client(user)
            for subject in set().union(foreign, *publish.values()):
                self.assertEqual(client.allowed(f"PUB {subject} 0\r\n"), subject in publish[user],
                                 f"{user} publishes {subject}")
            for subject in set().union(foreign, *subscribe.values()):
                self.assertEqual(client.allowed(f"SUB {subject} 1"), subject in subscribe[user],
                                 f"{user} subscribes {subject}")

    def test_a_server_hears_requests_in_its_queue_group_only(self):
        client = self.client("store")
        self.assertTrue(client.allowed("SUB tv.v1.things.* store 1"))
        self.assertFalse(client.allowed("SUB tv.v1.things.* 2"))
        self.assertFalse(client.allowed("SUB tv.v1.things.* spies 3"))

    def test_a_server_answers_once_and_only_who_asked(self):
        store, gateway = self.client("store"), self.client("gateway")
        self.assertTrue(store.allowed("SUB tv.v1.things.* store 1"))
        self.assertTrue(gateway.allowed("SUB _INBOX_gateway.a.* 1"))
        self.assertTrue(gateway.allowed("PUB tv.v1.things.list _INBOX_gateway.a.7 0\r\n"))
        self.assertRegex(store.file.readline(), rb"^MSG tv.v1.things.list 1 _INBOX_gateway.a.7 0")
        self.assertEqual(store.file.readline(), b"\r\n")
        self.assertFalse(store.allowed("PUB _INBOX_gateway.a.8 0\r\n"))
        self.assertTrue(store.allowed("PUB _INBOX_gateway.a.7 2\r\nok"))
        self.assertRegex(gateway.file.readline(), rb"^MSG _INBOX_gateway.a.7 1 2")
        self.assertFalse(store.allowed("PUB _INBOX_gateway.a.7 2\r\nok"))


class Program(unittest.TestCase):
    """The command line, over our own protos and over bad input."""

    def run_tool(self, *args):
        return subprocess.run(["/usr/bin/python3", os.path.join(ROOT, "tools/gen_api.py"),
                               "--errors", os.path.join(ROOT, "lib/err.h"), *args],
                              capture_output=True, text=True, check=False)

    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.set = os.path.join(self.dir.name, "set.binpb")
        with open(self.set, "wb") as f:
            f.write(compile_proto(PROTO))

    def test_writes_the_same_bytes_twice(self):
        seen = []
        for name in ("a", "b"):
            out = os.path.join(self.dir.name, name)
            os.mkdir(out)
            done = self.run_tool("--descriptors", self.set, "--out", out, "--version", "1.0.0")
            self.assertEqual(done.returncode, 0, done.stderr)
            files = {}
            for f in sorted(os.listdir(out)):
                with open(os.path.join(out, f), "rb") as opened:
                    files[f] = opened.read()
            seen.append(files)
        self.assertEqual(seen[0], seen[1])
        self.assertEqual(list(seen[0]), ["API.md", "nats-accounts.conf", "nats.json", "openapi.c",
                                         "openapi.json", "routes.c", "routes.h"])

    def test_a_missing_descriptor_set(self):
        done = self.run_tool("--descriptors", self.set + "x", "--out", self.dir.name)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No such file", done.stderr)


if __name__ == "__main__":
    unittest.main()
