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


def servers(api):
    """The programs that answer requests; the others may not write to anybody's inbox."""
    return {s.binary for s in api.services if s.on_bus}


def as_json(api):
    users = {name: {kind: {"allow": p[kind]} for kind in ("publish", "subscribe")}
             for name, p in permissions(api).items()}
    for name in servers(api):
        users[name]["allow_responses"] = {"max": REPLIES_MAX, "expires": REPLY_EXPIRES}
    return json.dumps({"users": users}, indent=2) + "\n"


HEAD = """\
# Who may say and hear what on NATS. Generated from proto/ by tools/gen_api.py; nats-server 2.9 and
# later.
#
# It is used as it is, by `make up`, by the chart, and in a server of your own. Its users prove
# themselves with nkeys; the file nats-keys.conf beside it says which (the public keys only):
#
{keys}
#
# The server's own configuration takes it in, and brings TLS, so that nobody reads along:
#
#     include "./nats-accounts.conf"
#     tls {{ cert_file: "tls.crt", key_file: "tls.key" }}
#
# There must be no `no_auth_user` and no `authorization` besides: nobody comes in without a key. To
# change a key without a break, give the user a second line with the new one, reload the server
# (SIGHUP), restart the service with the new seed, and take the old line away.
include "./nats-keys.conf"
"""


def accounts_conf(api):
    """Accounts for nats-server: ours, and the system account for whoever runs the server."""
    rights = {name: (p["publish"], p["subscribe"], name in servers(api))
              for name, p in permissions(api).items()}
    rights["operator"] = ([f"$SRV.{verb}{rest}" for verb in DISCOVERY for rest in ("", ".>")],
                          [OPERATOR_INBOX], False)
    keys = "\n".join(f"#     {variable(name)}: U…" for name in [*rights, "sys"])
    users = "".join(f"      {{ nkey: ${variable(name)}, permissions: $MAY_{name.upper()} }}\n"
                    for name in rights)
    return "\n".join([
        HEAD.format(keys=keys),
        *(_rights(name, *given) for name, given in rights.items()),
        "system_account: SYS",
        "accounts {",
        "  TELEVISIT {",
        "    users: [",
        users + "    ]",
        "  }",
        f"  SYS {{ users: [ {{ nkey: ${variable('sys')} }} ] }}",
        "}", ""])


def variable(name):
    """That holds the public key of a user."""
    return f"NKEY_{name.upper()}"


def _rights(name, publish, subscribe, answers):
    lines = [f"MAY_{name.upper()} {{", f"  publish: {_allowed(publish)}",
             f"  subscribe: {_allowed(subscribe)}"]
    if answers:
        lines.append(f'  allow_responses: {{ max: {REPLIES_MAX}, expires: "{REPLY_EXPIRES}" }}')
    return "\n".join([*lines, "}", ""])


def _allowed(subjects):
    # An empty allow-list would allow everything.
    if not subjects:
        return '{ deny: [">"] }'
    return "{ allow: [\n" + "".join(f"    {json.dumps(s)}\n" for s in subjects) + "  ] }"
