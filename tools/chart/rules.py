"""All rules for rendered objects: RULES, by name, and findings(release).

What kube-linter and polaris demand by default stands in rules_pods.py and rules_release.py: both
are programs that cannot be had everywhere, and their rules are small. What we demand ourselves
stands in rules_own.py and rules_network.py. Each adds its rules when it is imported, and
tests/tools/test_chart_rules.py breaks every single one.
"""

import rules_network  # noqa: F401
import rules_own  # noqa: F401
import rules_pods  # noqa: F401
import rules_release  # noqa: F401
from rulebook import RULES, findings, is_sentence  # noqa: F401
