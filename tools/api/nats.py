"""NATS permissions of each program, from who answers what, who calls what, and the nudges.

A server may hear its own requests (in its queue group only), answer each of them once, and be
discovered (`$SRV`, ADR-32). A caller may send its requests and read its own inbox. Nobody has a
wildcard over another's subjects.

The answers to discovery go to the operator's inbox, which servers may write to: one `$SRV.PING` is
answered by each service of a program, and "several answers to one message" cannot be allowed
instead. nats-server forgets a message that was answered as often as is allowed, and keeps all
others until they expire: with more than one allowed it would keep every request of a minute, and
look through them again and again.
"""

import json

REPLIES_MAX = 1
REPLY_EXPIRES = "15s"
OPERATOR_INBOX = "_INBOX_operator.>"
DISCOVERY = ("PING", "INFO", "STATS")


def permissions(api):
    """{program: {"publish": [...], "subscribe": [...]}}, sorted."""
    users = {}

    def user(name):
        return users.setdefault(name, {"publish": set(), "subscribe": {f"_INBOX_{name}.>"}})

    for s in api.services:
        user(s.binary)
        if s.on_bus:
            serve(user(s.binary), s)
        for o in s.operations:
            for caller in callers(o):
                user(caller)["publish"].add(s.subject(o.method_name))
        for n in s.nudges:
            for name in n.tellers:
                user(name)["publish"].add(n.subject)
            for name in n.listeners:
                user(name)["subscribe"].add(n.subject)
    return {name: {kind: sorted(subjects) for kind, subjects in users[name].items()}
            for name in sorted(users)}


def callers(o):
    if o.local:
        return set()
    return set(o.options.callers) | ({"gateway"} if o.http else set())


def serve(user, s):
    user["publish"].add(OPERATOR_INBOX)
    user["subscribe"].add(f"{s.subject()} {s.binary}")
    for verb in DISCOVERY:
        user["subscribe"].add(f"$SRV.{verb}")
        for name in (s.binary, s.name.lower()):
            user["subscribe"] |= {f"$SRV.{verb}.{name}", f"$SRV.{verb}.{name}.*"}


def as_json(api):
    users = {name: {"publish": {"allow": p["publish"]}, "subscribe": {"allow": p["subscribe"]},
                    "allow_responses": {"max": REPLIES_MAX, "expires": REPLY_EXPIRES}}
             for name, p in permissions(api).items()}
    return json.dumps({"users": users}, indent=2) + "\n"


def server_conf(api, passwords):
    """An authorization block for nats-server; `passwords` by user name."""
    users = []
    for name, p in permissions(api).items():
        publish = "allow: " + json.dumps(p["publish"]) if p["publish"] else 'deny: [">"]'
        users.append(f"""    {{
      user: {json.dumps(name)}, password: {json.dumps(passwords[name])}
      permissions: {{
        publish: {{ {publish} }}
        subscribe: {{ allow: {json.dumps(p["subscribe"])} }}
        allow_responses: {{ max: {REPLIES_MAX}, expires: "{REPLY_EXPIRES}" }}
      }}
    }}
""")
    return "# Generated from proto/ by tools/gen_api.py.\nauthorization {\n  users: [\n" + \
        "".join(users) + "  ]\n}\n"
