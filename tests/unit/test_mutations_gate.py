"""Each guard of marking and unmarking is taken away or bent in turn: the expectation that names it must fail."""

from __future__ import annotations

import pytest

from mutants import Mutation, is_caught, named

RULES = "ansible_collections.kubeblocks.multicluster.plugins.module_utils._rules"
GATE, IDENTITY, QUORUM, RETURNING = (f"{RULES}.{name}" for name in ("gate", "identity", "quorum", "returning"))
CASES, SAYS, DOUBTS = "test_what_is_refused", "test_what_a_refusal_says", "test_what_speaks_against_an_identity"
ACCEPTED, NO_TEXT = "test_every_set_of_refusals_and_of_accepted_risks", "test_a_text_is_no_list_of_risks"
NO_RISK, SEVERAL = "test_names_that_are_no_risk", "test_a_database_in_several_contexts_is_named_once_with_all_of_them"
IN_NUMBERS = "test_a_lost_quorum_is_said_in_numbers_and_a_mark_does_not_bring_it_back"
DISKS, IN_ORDER = "test_disks_that_are_empty_together", "test_everything_at_once_by_rule_and_then_by_context"
PROOFS, DATABASES, PLANES = "test_proofs", "test_databases", "test_planes"
NAMES = "test_names_and_order_mean_nothing"
CALLED_OWN = "another is the control plane's, as it may be"
NO_CONTROL_PLANE, ELSEWHERE = "a control plane that is not there", "no quorum elsewhere"
API_ALONE = "an operation, and its API alone is silent"
# Where a database has members in what is newly marked.
WHERE = """\
[context for context in change.new if context in one.contexts]) for one in facts.databases]
    return sorted(((one, here) for one, here in found if here), key=lambda pair: change.new.index(pair[1][0]))
"""
FIRST_OF_LOST, FIRST_OF_SPARE = (
    f"here[0],\n{' ' * 20}what,\n{' ' * 20}{words}" for words in ('"marking does not', '"a change of its')
)

# In the gate: what stands there, what comes instead, the case of the table that fails.
BY_CASE = [
    # D3.1
    ("        if context not in facts.known\n    ]", "        if False\n    ]", "a stranger"),
    ("if context in facts.known and context not in facts.credentials", "if False", "no entry"),
    ("if context in facts.known and context not in", "if context not in", "a stranger is marked"),
    ("[*facts.known, *facts.marked] if change.new else []", "[]", "no entry for another"),
    ("[*facts.known, *facts.marked] if change.new", "[*facts.known] if change.new", "a stranger is marked"),
    (" if change.new else []", "", "no entry for another, and no restart"),
    ("dict.fromkeys([*restarted, *change.ours, *wanted])", "restarted", "no entry for one that is marked"),
    ("dict.fromkeys([*restarted, *change.ours, *wanted])", "[*restarted, *change.ours, *wanted]", "no entry"),
    ("*restarted, *change.ours, *wanted]", "*restarted, *change.ours]", "a stranger"),
    ("*restarted, *change.ours, *wanted]", "*restarted, *wanted]", "no entry for two that are marked"),
    ("return without_entry + strangers", "return strangers + without_entry", "everything"),
    # D3.2
    ("        *_of_control_plane(facts),\n", "", "another control plane"),
    ("    if uid and uid == before:", "    if uid:", "another control plane"),
    ("    if uid and uid == before:", "    if uid == before:", "a control plane that nobody knows"),
    ('{}).get("uid") or uid\n', '{}).get("uid")\n', "a control plane seen for the first time"),
    ('or (identity.recorded or {}).get("uid")', "", "the control plane's own cluster, as recorded"),
    ('(identity.seen or {}).get("uid") or', "", "it answers under another's name"),
    ('        return ""\n    return (identity.seen', '        return "?"\n    return (identity.seen', NO_CONTROL_PLANE),
    ("        *_of_identities(change, facts),\n", "", "rebuilt"),
    ("for context in change.new or change.ours}", "for context in change.new}", "rebuilt, and marked"),
    ("for context in change.new or change.ours}", "for context in facts.known}", "rebuilt, another"),
    ("for context in change.new or change.ours}", "for context in change.ours}", "another was marked and rebuilt"),
    (
        "one.recorded, one.seen, control)",
        'one.recorded, one.seen, "")',
        "the control plane's own cluster, as it may be",
    ),
    ("one.recorded, one.seen, control)", "one.seen, one.seen, control)", "rebuilt"),
    ("one.recorded, one.seen, control)", "one.recorded, one.recorded, control)", "silent at another address"),
    ("in change.new or change.ours}", "in change.new if context in facts.identities}", "unheard of"),
    # D3.3
    ("        *_of_duplicates(facts),\n", "", "two others are one"),
    ("[facts.control, *facts.known, *facts.identities]", "facts.known", "another is the control plane's"),
    ("*facts.known, *facts.identities])", "*facts.known])", "one of the inventory is another's"),
    ("[facts.control, *facts.known, *facts", "[facts.control, *facts", "two pairs, told in another order"),
    ("[facts.control, *facts.known,", "[*facts.known, facts.control,", "another is the control plane's"),
    ("for name, uid in uids.items() if uid}", "for name, uid in uids.items()}", "two of which nobody knows anything"),
    ("planes, facts.shared)", "planes)", CALLED_OWN),
    ("planes, facts.shared)", "planes, facts.known)", "another is the control plane's"),
    ('"control" if name == facts.control else "data"', '"data"', CALLED_OWN),
    ("sorted(found, key=lambda finding: order.index(finding.context))", "found", "two pairs"),
    # D3.4
    ("        *_of_majority(change, facts),\n", "", "half of all"),
    ("    if not change.new:\n        return []\n", "", "half of all, and all marked"),
    ("    if not left:", "    if False:", "the only one"),
    ("2 * (left + 1) > planes + 1", "2 * left > planes", "one of two"),
    ("2 * (left + 1) > planes + 1", "2 * (left + 1) >= planes + 1", "half of all"),
    ("2 * (left + 1) > planes + 1", "2 * (left + 1) > planes + 2", "one of two"),
    ("if context not in new and context not in facts.marked]", "if context not in new]", "half of all"),
    ("if context not in new and context not in facts.marked]", "if context not in facts.marked]", "the only one"),
    # D3.5
    ("        *_of_verdicts(change, facts, purpose),\n", "", "alive"),
    ("_SILENT = (DEAD, API_DOWN)", "_SILENT = (API_DOWN,)", "a dead context"),
    ("_SILENT = (DEAD, API_DOWN)", "_SILENT = (DEAD,)", "its API alone"),
    ("if purpose == MAINTENANCE else _SILENT", "if True else _SILENT", "alive"),
    ("if purpose == MAINTENANCE else _SILENT", "if purpose != FAILURE else _SILENT", "alive, for another purpose"),
    ("(*_SILENT, ALIVE) if purpose == MAINTENANCE else _SILENT", "_SILENT", "alive, for maintenance"),
    ("(*_SILENT, ALIVE) if", "(ALIVE,) if", "dead, for maintenance"),
    ("(*_SILENT, ALIVE) if", "(*_SILENT, ALIVE, DATA_DOWN) if", "its members alone, for maintenance"),
    ("(*_SILENT, ALIVE) if", "(*_SILENT, ALIVE, UNKNOWN) if", "unknown, for maintenance"),
    ('if database.unread or proof.get("verdict") == LOST:', 'if proof.get("verdict") == LOST:', "no member list"),
    ("facts.verdicts.get(context, UNKNOWN) for", "facts.verdicts.get(context, DEAD) for", "no verdict"),
    ("UNKNOWN) for context in change.new}", "UNKNOWN) for context in change.ours}", "alive and marked"),
    ("        if verdict in _LIVING\n", "        if verdict == ALIVE\n", "its members alone"),
    ("        if verdict in _LIVING\n", "        if verdict == DATA_DOWN\n", "alive"),
    ('WEAK_EVIDENCE if inside else "",', "WEAK_EVIDENCE,", "unknown, and nobody looked from inside"),
    ('WEAK_EVIDENCE if inside else "",', '"",', "this host is cut off"),
    ("inside=facts.seen_from_inside)", "inside=True)", "this host is cut off, and nobody looked from inside"),
    # D3.6
    ("        *_of_quorums(change, facts),\n", "", "no quorum"),
    ('proof.get("verdict") == LOST', "False", "no quorum"),
    ('proof.get("verdict") == LOST', 'proof.get("verdict") in (LOST, NO_SPARE)', "no spare"),
    ('proof.get("verdict") == NO_SPARE and', "", "some spare, and a change"),
    ('elif proof.get("verdict") == NO_SPARE and database.pending', 'elif proof.get("verdict") == NO_SPARE', "no spare"),
    ('elif proof.get("verdict") == NO_SPARE', 'elif proof.get("verdict") == LOST', "no spare, and a change"),
    ("QUORUM_LOST,\n                )", "NO_SPARE_RISK,\n                )", "no quorum"),
    ("NO_SPARE_RISK,\n                )", "QUORUM_LOST,\n                )", "no spare, and a change"),
    ("(one, here) for one, here in found if here)", "(one, here or change.new) for one, here in found)", ELSEWHERE),
    ("[context for context in change.new if context in one.contexts]", "[*change.new]", "an operation elsewhere"),
    (WHERE, WHERE.replace("change.new", "change.ours"), "no quorum where it is marked"),
    (
        "sorted(((one, here) for one, here in found if here), key=lambda pair: change.new.index(pair[1][0]))",
        "[(one, here) for one, here in found if here]",
        "everything",
    ),
    # D3.7
    ("        *_of_operations(change, facts),\n", "", "an operation"),
    (" if database.operations]", "]", "a dead context"),
    ("if database.operations]", "if database.operations and database.proof]", "an operation where nobody could prove"),
    ("RUNNING_OPERATION if endless else", '"" if endless else', "an operation"),
    ('RUNNING_OPERATION if endless else ""', "RUNNING_OPERATION", "an operation, for maintenance"),
    ("context) in _SILENT for", "context) == DEAD for", API_ALONE),
    ("endless = all(", "endless = any(", "an operation in a dead and a living context"),
    # D3.8
    ("        *_of_silent(change, facts),\n", "", "another is dead"),
    ("facts.verdicts.get(context) in _SILENT\n", "facts.verdicts.get(context) == DEAD\n", "another's API is silent"),
    ("facts.verdicts.get(context) in _SILENT\n", "facts.verdicts.get(context) == API_DOWN\n", "another is dead"),
    ("facts.verdicts.get(context) in _SILENT\n", "facts.verdicts.get(context) != ALIVE\n", "another is unknown"),
    ("for context in change.left\n", "for context in facts.known\n", "a dead context"),
    (
        "for context in change.left\n",
        "for context in facts.verdicts\n        if context not in facts.marked and context not in change.new\n",
        "a stranger is dead",
    ),
    ("if change.new and facts.verdicts", "if facts.verdicts", "another is dead, and nothing is new"),
    ("            ALLOW_PARTIAL,\n", "", "another is dead"),
    # D3.9
    ("        *_of_release(facts),\n", "", "more would be written"),
    ("    if not facts.release:", "    if True:", "more would be written"),
    ("    if not facts.release:", "    if False:", "a dead context"),
    # D3.10
    ("        *_of_number(change, facts),\n", "", "two at once"),
    ("len(change.new) < 2", "len(change.new) < 3", "two at once"),
    ("len(change.new) < 2", "len(change.ours) < 2", "two, of which one is marked"),
    ("            MULTIPLE,\n", "", "two at once"),
    # D3.12, and the order
    ("for context in ours if context not in facts.marked]", "for context in ours]", "alive and marked"),
    (
        "for context in facts.known if context in wanted]",
        "for context in wanted if context in facts.known]",
        "everything",
    ),
]

MUTATIONS: list[Mutation] = [
    *((GATE, old, new, CASES, case) for old, new, case in BY_CASE),
    (GATE, "self.why[0].upper() + self.why[1:]", "self.why", SAYS, "unknown"),
    (GATE, ' if self.risk else ""', "", SAYS, "a stranger"),
    (GATE, '"" if inside else ", and', '"" if True else ", and', SAYS, "unknown, and nobody looked from inside"),
    (GATE, 'else proof.get("sentence", "")', 'else ""', IN_NUMBERS, None),
    (GATE, '"marking does not restore service"', '"it takes no writes"', IN_NUMBERS, None),
    (GATE, "{' and '.join(here)}: ", "{here[0]}: ", SEVERAL, ("LOST", "quorum_lost")),
    (GATE, FIRST_OF_LOST, FIRST_OF_LOST.replace("[0]", "[-1]"), SEVERAL, ("LOST", "quorum_lost")),
    (GATE, FIRST_OF_SPARE, FIRST_OF_SPARE.replace("[0]", "[-1]"), SEVERAL, ("NO_SPARE", "no_spare")),
    # D8
    (GATE, "not refusal.risk or refusal.risk not in risks]", "refusal.risk not in risks]", ACCEPTED, None),
    (GATE, "not refusal.risk or refusal.risk not in risks]", "not refusal.risk]", ACCEPTED, None),
    (GATE, "not refusal.risk or refusal.risk not in risks]", "not refusal.risk or not risks]", ACCEPTED, None),
    (GATE, "risks = set(accepted)", "risks = accepted", NO_TEXT, None),
    (GATE, "if risk not in RISKS]", "if risk and risk not in RISKS]", NO_RISK, None),
    (GATE, "if risk not in RISKS]", "if risk in RISKS]", NO_RISK, None),
    (GATE, "    TWO_VOTERS,\n", "", NO_RISK, None),
    # What the model finds by itself
    (GATE, "2 * (left + 1) > planes + 1", "left + 2 > planes", PLANES, (4, "failure")),
    (GATE, "2 * (left + 1) > planes + 1", "left > 1", PLANES, (2, "failure")),
    (GATE, "    if not left:", "    if left < 2:", PLANES, (2, "failure")),
    (GATE, "if context not in new and context not in facts.marked]", "if context not in ours]", PLANES, (2, "failure")),
    (GATE, "UNKNOWN) for context in change.new}", "UNKNOWN) for context in change.new[:1]}", PLANES, (2, "failure")),
    (GATE, "UNKNOWN) for context in change.new}", "UNKNOWN) for context in facts.known}", PLANES, (2, "maintenance")),
    (
        GATE,
        "        if verdict not in passing",
        "        if verdict not in facts.verdicts.values()",
        PLANES,
        (1, "failure"),
    ),
    (GATE, "for context in change.left\n", "for context in change.left[:1]\n", PLANES, (3, "failure")),
    (GATE, "len(change.new) < 2", "len(change.new) - len(facts.marked) < 2", PLANES, (3, "failure")),
    (GATE, "len(change.new) < 2", "len(change.new) != 2", PLANES, (3, "failure")),
    (
        GATE,
        "not refusal.risk or refusal.risk not in risks]",
        "not refusal.risk or len(risks) < 2]",
        PLANES,
        (2, "failure"),
    ),
    (GATE, "== NO_SPARE and database.pending", "== NO_SPARE or database.pending", DATABASES, 3),
    (GATE, "[context for context in change.new if context in one.contexts]", "[*change.new[:1]]", NAMES, None),
    (GATE, "for context in facts.known if context in wanted]", "for context in wanted]", NAMES, None),
    # Proofs
    (QUORUM, "voters // 2 + 1", "(voters + 1) // 2", PROOFS, 2),
    (QUORUM, 'if member["voter"]]', "]", PROOFS, 1),
    (QUORUM, 'if member["healthy"]]', "]", PROOFS, 1),
    (QUORUM, 'member["domain"] not in lost', "True", PROOFS, 1),
    (QUORUM, "SAFE if spare > 0", "SAFE if spare > -1", PROOFS, 1),
    (QUORUM, "NO_SPARE if spare == 0", "NO_SPARE if spare <= 0", PROOFS, 1),
    (QUORUM, "spare - count for", "spare for", PROOFS, 1),
    (QUORUM, "len(healthy) - needed", "len(outside) - needed", PROOFS, 1),
    (QUORUM, "len(members) - len(voters)", "len(members)", PROOFS, 1),
    (QUORUM, 'Counter(str(member["domain"]) for member in voters)', "by_domain", PROOFS, 1),
    (QUORUM, 'Counter(str(member["domain"]) for member in healthy)', "by_domain", PROOFS, 1),
    (QUORUM, "if left < needed:", "if left <= needed:", PROOFS, 1),
    # Which cluster it is
    (IDENTITY, "control_uid and control_uid in (before, now)", "control_uid in (before, now)", DOUBTS, "silent"),
    (IDENTITY, "control_uid in (before, now)", "control_uid in (before,)", DOUBTS, "seen as the control plane"),
    (IDENTITY, "control_uid in (before, now)", "control_uid in (now,)", DOUBTS, "recorded as the control plane"),
    (IDENTITY, "    if not recorded or not before:", "    if not recorded:", DOUBTS, "neither recorded nor seen"),
    (IDENTITY, "    if not recorded or not before:", "    if recorded is None:", DOUBTS, "recorded without a UID"),
    (IDENTITY, "    if now == before:\n        return None\n", "", DOUBTS, "as recorded"),
    (IDENTITY, "    if now:\n", "    if False:\n", DOUBTS, "another one"),
    (
        IDENTITY,
        '(("server", "address"), ("ca_hash", "CA"))',
        '(("ca_hash", "CA"),)',
        DOUBTS,
        "silent, at another address",
    ),
    (
        IDENTITY,
        '(("server", "address"), ("ca_hash", "CA"))',
        '(("server", "address"),)',
        DOUBTS,
        "silent, with another CA",
    ),
    (IDENTITY, " if seen[key] != recorded[key]]", "]", DOUBTS, "silent"),
    (IDENTITY, " if moved else None", "", DOUBTS, "silent"),
    # D4.1
    (
        RETURNING,
        "one.verdict != ALIVE or not one.steady",
        'one.verdict == "DEAD" or not one.steady',
        CASES,
        "its verdict is UNKNOWN",
    ),
    (RETURNING, "one.verdict != ALIVE or not one.steady", "one.verdict != ALIVE", CASES, "for a moment"),
    (RETURNING, "one.verdict != ALIVE or not one.steady", "not one.steady", CASES, "its verdict is DEAD"),
    (RETURNING, "if one.verdict != ALIVE else", "if True else", SAYS, "for a moment"),
    (RETURNING, "    if not one.seen_from_inside:", "    if False:", CASES, "seen by this host alone"),
    # D4.2
    (RETURNING, "    if before and now == before:", "    if now == before:", CASES, "neither recorded nor seen"),
    (RETURNING, "    if before and now == before:", "    if before:", CASES, "rebuilt"),
    (RETURNING, "    if before and now == before:", "    if before and now:", CASES, "rebuilt"),
    (RETURNING, "    if before and now == before:", "    if now:", CASES, "never recorded"),
    (RETURNING, "    if before and now:\n", "    if True:\n", SAYS, "silent"),
    (RETURNING, "    if before and now:\n", "    if False:\n", SAYS, "rebuilt"),
    (RETURNING, "if not before else", "if before else", SAYS, "silent"),
    # D4.3
    (RETURNING, "    if one.access:", "    if False:", CASES, "no access"),
    (RETURNING, 'seen["ca_hash"] != recorded["ca_hash"]', "False", CASES, "another CA"),
    (RETURNING, 'seen["ca_hash"] != recorded["ca_hash"]', "seen != recorded", CASES, "at another address"),
    # D4.4
    (RETURNING, "if leftovers == DELETE else []", "if False else []", CASES, "leftovers to delete, and both"),
    (RETURNING, "if leftovers == DELETE else []", "", CASES, "leftovers to adopt, and another is silent"),
    (RETURNING, "if leftovers not in (DELETE, ADOPT) else []", "if False else []", CASES, "leftovers"),
    (
        RETURNING,
        "if leftovers not in (DELETE, ADOPT) else []",
        "if leftovers == REPORT else []",
        CASES,
        "leftovers, and another word",
    ),
    (
        RETURNING,
        "if leftovers not in (DELETE, ADOPT) else []",
        "if leftovers != DELETE else []",
        CASES,
        "leftovers to adopt",
    ),
    (
        RETURNING,
        "if leftovers not in (DELETE, ADOPT) else []",
        "if leftovers != ADOPT else []",
        CASES,
        "leftovers to delete",
    ),
    (RETURNING, "    if not one.leftovers:", "    if False:", CASES, "well again"),
    (
        RETURNING,
        "if one.leftovers and not one.complete:",
        "if False:",
        CASES,
        "leftovers to delete, and another is silent",
    ),
    (
        RETURNING,
        "if one.leftovers and not one.complete:",
        "if not one.complete:",
        CASES,
        "nothing to delete, and another is silent",
    ),
    (RETURNING, "if one.leftovers and not one.complete:", "if one.leftovers:", CASES, "leftovers to delete"),
    (RETURNING, " if claim not in names]", " if not names]", CASES, "leftovers to delete, and a claim is not named"),
    (RETURNING, " if claim not in names]", "]", CASES, "leftovers to delete"),
    (
        RETURNING,
        "    if kept:",
        "    if kept == list(map(_without_kind, one.claims)):",
        CASES,
        "leftovers to delete, and only one of two claims is named",
    ),
    (
        RETURNING,
        "{_without_kind(claim) for claim in allowed}",
        "{*allowed}",
        CASES,
        "leftovers to delete, named with their kind",
    ),
    (RETURNING, "in map(_without_kind, one.claims)", "in one.claims", CASES, "leftovers to delete"),
    # D4.5
    (RETURNING, "if member.state == REMOVED:", "if False:", SAYS, "a member was removed"),
    (RETURNING, "elif member.state not in (ANSWERS, EMPTY):", "elif False:", CASES, "nobody can say of a member"),
    (
        RETURNING,
        "elif member.state not in (ANSWERS, EMPTY):",
        "elif member.state == SILENT:",
        CASES,
        "a member in a state that nobody thought of",
    ),
    (RETURNING, "not in (ANSWERS, EMPTY):", "not in (ANSWERS,):", CASES, "an empty disk"),
    (RETURNING, "not in (ANSWERS, EMPTY):", "not in (EMPTY,):", CASES, "well again"),
    # D4.6
    (RETURNING, "return found + _of_empty(wanted)", "return found", CASES, "an empty disk"),
    (RETURNING, "        if member.state != EMPTY:\n            continue\n", "", CASES, "well again"),
    (RETURNING, "empty >= min(2, quorum(voters))", "empty >= 2", DISKS, "one of one"),
    (RETURNING, "empty >= min(2, quorum(voters))", "empty >= quorum(voters)", DISKS, "two of nine"),
    (RETURNING, "empty >= min(2, quorum(voters))", "empty > min(2, quorum(voters))", DISKS, "two of three"),
    (RETURNING, "empty >= min(2, quorum(voters))", "empty >= min(1, quorum(voters))", DISKS, "one of three"),
    (RETURNING, ".get(member.database, 0)", ".get(member.database, 3)", DISKS, "one of an unknown number"),
    (RETURNING, "together[member.database], one", "len(together), one", DISKS, "one of each of two databases"),
    (RETURNING, " if member.state == EMPTY)", ")", DISKS, "one of three"),
    (RETURNING, "{number if many else ''}", "{number}", SAYS, "an empty disk"),
    (
        RETURNING,
        "for rule in (_of_verdict, _of_identity, _of_access):",
        "for rule in (_of_access, _of_identity, _of_verdict):",
        IN_ORDER,
        None,
    ),
]
TESTS = {GATE: "gate", IDENTITY: "clusters", RETURNING: "returning"}
TESTS |= dict.fromkeys((ACCEPTED, NO_TEXT, NO_RISK), "risks")
TESTS |= dict.fromkeys((PROOFS, DATABASES, PLANES, NAMES), "gate_model")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=named)
def test_an_expectation_fails_without_its_guard(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    module, _old, _new, test, _case = mutation
    assert is_caught(mutation, TESTS.get(test) or TESTS[module], monkeypatch)
