"""How a rule on rendered objects is written, and how a chart is exempted from one.

A rule is a small function that yields a sentence for every fault. A fault that is meant to be is
exempted in the chart, on the object, by an annotation that says why in a sentence:
`ignore-check.kube-linter.io/RULE: Why.` for rules of kube-linter (its own key), and
`exempt.televisit/RULE: Why.` for all others.
"""

import re

from objects import WORKLOADS, Pod, dig, label

RULES = {}  # name: Rule
KUBE_LINTER = "kube-linter"
POLARIS = "polaris"
OWN = "televisit"
SENTENCE = re.compile(r"[A-Z][^\n]*\s\S+\s[^\n]*\s\S+[.]")


class Rule:
    def __init__(self, tool, name, faults):
        self.tool, self.name, self.faults = tool, name, faults

    @property
    def annotation(self):
        owner = "ignore-check.kube-linter.io" if self.tool == KUBE_LINTER else "exempt.televisit"
        return f"{owner}/{self.name}"


class Finding:
    def __init__(self, rule, obj, text, reason):
        self.rule, self.object, self.text, self.reason = rule, label(obj), text, reason

    def __str__(self):
        return f"{self.object}: {self.rule.tool} {self.rule.name}: {self.text}"


def rule(tool, name, *kinds):
    """For a function of (release, object), on objects of these kinds."""
    def add(function):
        def faults(release):
            for obj in release.of(*kinds) if kinds else release.objects:
                for text in function(release, obj):
                    yield obj, text
        assert name not in RULES, name
        RULES[name] = Rule(tool, name, faults)
        return function
    return add


def pod_rule(tool, name, serving=False):
    """For a function of (release, pod); `serving` leaves out what runs once."""
    def add(function):
        def each(release, obj):
            pod = Pod(obj)
            return function(release, pod) if pod.serves or not serving else ()
        rule(tool, name, *WORKLOADS)(each)
        return function
    return add


def container_rule(tool, name, serving=False, init=True):
    """For a function of (pod, container); `init` takes init containers too."""
    def add(function):
        def each(release, pod):
            for container in pod.containers if init else pod.main:
                for text in function(pod, container):
                    yield f"container {container.get('name')} {text}"
        pod_rule(tool, name, serving)(each)
        return function
    return add


def findings(release, rules=None):
    """What the rules find; a finding that the chart exempts carries the reason."""
    for r in (rules or RULES).values():
        for obj, text in r.faults(release):
            reason = dig(obj, "metadata.annotations", {}).get(r.annotation)
            yield Finding(r, obj, text, reason)


def is_sentence(reason):
    """At least four words, a capital and a full stop: something a reader can weigh."""
    return bool(SENTENCE.fullmatch(str(reason)))


def fault_if(bad, text):
    return (text,) if bad else ()
