"""What has to stay in step across files: roles and their specs, modules and their twins, options and their words."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.kubeblocks.multicluster.plugins.module_utils._runner import AUTH_SPEC
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from role_readmes import with_table

ROOT = Path(__file__).parents[2]
COLLECTION = "ansible_collections.kubeblocks.multicluster.plugins"
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
SOURCES = ("plugins", "lab", "roles", "playbooks", "tests")
MAX_LINES = 400


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


# Roles


def entry_points(role: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = read_yaml(ROOT / "roles" / role / "meta" / "argument_specs.yml")[
        "argument_specs"
    ]
    return found


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_argument_specs_have_the_same_keys(role: str) -> None:
    defaults = read_yaml(ROOT / "roles" / role / "defaults" / "main.yml")
    points = entry_points(role)
    assert "main" in points
    for name, point in points.items():
        assert set(point["options"]) == set(defaults), name
        assert all(isinstance(option["description"], str) for option in point["options"].values()), name


@pytest.mark.parametrize("role", ROLES)
def test_a_roles_readme_lists_its_variables(role: str) -> None:
    text = (ROOT / "roles" / role / "README.md").read_text()
    assert text == with_table(text, role), "run python tests/role_readmes.py"


@pytest.mark.parametrize("role", ROLES)
def test_variables_carry_their_roles_name_and_entry_points_exist(role: str) -> None:
    folder = ROOT / "roles" / role
    assert all(key.startswith(f"{role}_") for key in read_yaml(folder / "defaults" / "main.yml"))
    if (folder / "vars" / "main.yml").exists():
        assert all(key.startswith(f"__{role}_") for key in read_yaml(folder / "vars" / "main.yml"))
    assert all((folder / "tasks" / f"{name}.yml").exists() for name in entry_points(role))


# Modules


def util_of(path: Path) -> str:
    """The file of module_utils that a module or an action takes its SPEC and run from."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and {name.name for name in node.names} == {"SPEC", "run"}:
            return str(node.module)
    raise AssertionError(f"{path.name} takes SPEC and run from nowhere")


def test_modules_and_actions_are_twins_and_stand_in_the_action_group() -> None:
    actions = sorted(path.stem for path in (ROOT / "plugins" / "action").glob("*.py"))
    group = read_yaml(ROOT / "meta" / "runtime.yml")["action_groups"]["kubeblocks"]
    assert MODULES == actions == sorted(group)
    assert len(MODULES) >= 10


@pytest.mark.parametrize("name", MODULES)
def test_a_module_and_its_action_are_the_same_work(name: str) -> None:
    paths = [ROOT / "plugins" / kind / f"{name}.py" for kind in ("modules", "action")]
    first, second = (util_of(path) for path in paths)
    assert first == second
    assert first.startswith(f"{COLLECTION}.module_utils._")
    work = importlib.import_module(first)
    action = importlib.import_module(f"{COLLECTION}.action.{name}").ActionModule
    assert (work.SPEC, work.run) == (action.SPEC, action.RUN)


def documented(name: str) -> dict[str, Any]:
    """The options of a module's documentation, those of its fragments among them."""
    documentation = yaml.safe_load(importlib.import_module(f"{COLLECTION}.modules.{name}").DOCUMENTATION)
    assert documentation["module"] == name
    options: dict[str, Any] = dict(documentation.get("options", {}))
    for reference in documentation["extends_documentation_fragment"]:
        fragment, _, variant = reference.removeprefix("kubeblocks.multicluster.").partition(".")
        body = importlib.import_module(f"{COLLECTION}.doc_fragments.{fragment}").ModuleDocFragment
        text = getattr(body, variant.upper() or "DOCUMENTATION")
        more = yaml.safe_load(text).get("options", {})
        options |= {key: option | options.get(key, {}) for key, option in more.items()}  # the module's own word wins
    texts = [documentation["description"], *(option["description"] for option in options.values())]
    assert all(isinstance(line, str) for text in texts for line in ([text] if isinstance(text, str) else text))
    return options


def shape(option: dict[str, Any], inner: str) -> dict[str, Any]:
    """What a specification and a documentation both say of an option."""
    found = {key: option.get(key) for key in ("default", "elements", "choices")}
    nested = option.get(inner) or {}
    return {
        **found,
        "type": option.get("type", "str"),
        "required": bool(option.get("required")),
        "options": {name: shape(entry, inner) for name, entry in nested.items()},
    }


@pytest.mark.parametrize("name", MODULES)
def test_options_are_documented_as_they_are(name: str) -> None:
    spec = importlib.import_module(f"{COLLECTION}.action.{name}").ActionModule.SPEC
    words = documented(name)
    assert set(words) == set(spec)
    for option, entry in spec.items():
        assert shape(words[option], "suboptions") == shape(entry, "options"), option


def test_authentication_speaks_kubernetes_cores_language() -> None:
    assert {"kubeconfig", "context"} <= AUTH_SPEC.keys()
    assert {"kubeconfig", "context"} <= AUTH_ARG_SPEC.keys()


# Tasks that write stand behind the task that knows the cluster

Tasks = list[dict[str, Any]]
WRITERS = {name for name in MODULES if "._attributes.writes" in (ROOT / "plugins/modules" / f"{name}.py").read_text()}
PARTS = ("block", "rescue", "always")


def writes(module: str) -> bool:
    collection, _, name = module.rpartition(".")
    theirs = collection in ("kubernetes.core", "") and name.startswith(("k8s", "helm")) and not name.endswith("_info")
    return name in WRITERS or theirs


def module_of(task: dict[str, Any]) -> str:
    known = ("import_tasks", "include_tasks", "import_role", "include_role", "context_identity")
    return next((key for key in task if "." in key or key in known or writes(key)), "")


def flat(tasks: Tasks) -> Iterator[dict[str, Any]]:
    for task in tasks:
        yield task
        for part in PARTS:
            yield from flat(task.get(part, []))


def imported(task: dict[str, Any], kind: str) -> Any:
    """The arguments of an import or include of this kind (tasks or role), None for any other task."""
    module = module_of(task)
    if module.rpartition(".")[2] not in (f"import_{kind}", f"include_{kind}"):
        return None
    return task[module]["file"] if kind == "tasks" and isinstance(task[module], dict) else task[module]


def misplaced(arguments: Any, known: set[str]) -> str:
    """What is wrong with the options of a task that writes; empty if nothing is."""
    if not known:
        return "no context_identity stands before it"
    taken = set()
    for option in ("kubeconfig", "context"):
        value = arguments.get(option) if isinstance(arguments, dict) else None
        match = re.fullmatch(r"\{\{ (\w+)\.identity\.(\w+) \}\}", str(value))
        if match is None or match[1] not in known or match[2] != option:
            return f"{option} is {value}"
        taken.add(match[1])
    return "" if len(taken) == 1 else "kubeconfig and context are of two identities"


def complaints(files: dict[str, Tasks], entry: str) -> list[str]:
    """Every task that writes without knowing where, in the order in which an entry point runs its files."""
    known: set[str] = set()
    found: list[str] = []

    def walk(tasks: Tasks, always: bool) -> None:
        for task in tasks:
            certain, module = always and "when" not in task, module_of(task)
            for part in PARTS:
                walk(task.get(part, []), certain and part == "block")
            target, before = imported(task, "tasks"), set(known)
            if target is not None and "when" in task and "include" in module:
                walk(files[target], True)  # its condition is asked once, for all that it includes
                known.intersection_update(before)
            elif target is not None:
                walk(files[target], certain)
            elif writes(module):
                wrong = misplaced(task[module], known)
                found.extend([f"{task['name']}: {wrong}"] if wrong else [])
            if module.rpartition(".")[2] != "context_identity":
                known.discard(task.get("register", ""))
            elif certain:
                known.add(task.get("register", "nowhere"))

    walk(files[entry], True)
    return found


def task_files(role: str) -> dict[str, Tasks]:
    folder = ROOT / "roles" / role
    return {path.name: read_yaml(path) or [] for kind in ("tasks", "handlers") for path in folder.glob(f"{kind}/*.yml")}


def plays() -> Iterator[tuple[str, Tasks]]:
    """Each play's name and its own tasks, roles written as the tasks that import them."""
    for path in sorted((ROOT / "playbooks").glob("*.yml")):
        for play in read_yaml(path):
            roles = [entry if isinstance(entry, dict) else {"role": entry} for entry in play.get("roles", [])]
            tasks = [{"import_role": {"name": entry["role"]}} for entry in roles]
            for part in ("pre_tasks", "tasks", "post_tasks", "handlers"):
                tasks += play.get(part, [])
            yield f"{path.name}: {play['name']}", tasks


def entry_files(role: str) -> set[str]:
    """Where a role can be entered: its entry points, what playbooks name, and files that no other file imports."""
    files = task_files(role)
    inner = {imported(task, "tasks") for tasks in files.values() for task in flat(tasks)}
    named = {f"{name}.yml" for name in entry_points(role)} | (files.keys() - inner)
    for _, tasks in plays():
        for arguments in filter(None, (imported(task, "role") for task in flat(tasks))):
            if arguments["name"].rpartition(".")[2] == role:
                named.add(f"{arguments.get('tasks_from', 'main').removesuffix('.yml')}.yml")
    return named


@pytest.mark.parametrize("role", ROLES)
def test_whoever_writes_knows_the_cluster(role: str) -> None:
    files = task_files(role)
    assert {name: complaints(files, name) for name in entry_files(role)} == {name: [] for name in entry_files(role)}


def test_plays_write_through_roles_only() -> None:
    for name, tasks in plays():
        assert [task for task in flat(tasks) if writes(module_of(task))] == [], name
        for arguments in filter(None, (imported(task, "role") for task in flat(tasks))):
            assert arguments["name"].removeprefix("kubeblocks.multicluster.") in ROLES, name


def test_every_kind_of_writing_task_was_seen() -> None:
    ours = {"context_record", "crd_bundle", "cluster_role_replica", "helm_release_claim", "operator_kubeconfig"}
    ours |= {"context_mark", "etcd_cluster", "member_services", "mesh_certificates", "mesh_peers"}
    ours |= {"metallb_configuration"}
    assert ours == WRITERS
    seen = {module_of(task) for role in ROLES for tasks in task_files(role).values() for task in flat(tasks)}
    expected = {f"kubeblocks.multicluster.{name}" for name in ours} | {"kubernetes.core.k8s", "kubernetes.core.helm"}
    assert {module for module in seen if writes(module)} == expected


WHO = "{name: who, kubeblocks.multicluster.context_identity: {context: a}, register: who}"
OPTIONS = "kubeconfig: '{{ who.identity.kubeconfig }}', context: '{{ who.identity.context }}'"
WRITE = f"{{name: write, kubernetes.core.k8s: {{{OPTIONS}}}}}"
OURS = WRITE.replace("kubernetes.core.k8s", "kubeblocks.multicluster.crd_bundle")
NOBODY = "write: no context_identity stands before it"
# Name → files of a role, main.yml first; what is said.
WALKED: dict[str, tuple[dict[str, str], list[str]]] = {
    "as it should be": ({"main.yml": f"[{WHO}, {WRITE}, {OURS}]"}, []),
    "imported, both": (
        {
            "main.yml": "[{import_tasks: a.yml}, {include_tasks: {file: b.yml}}]",
            "a.yml": f"[{WHO}]",
            "b.yml": f"[{WRITE}]",
        },
        [],
    ),
    "in a block": ({"main.yml": f"[{{block: [{WHO}, {WRITE}], always: [{OURS}]}}]"}, []),
    "who only reads": ({"main.yml": "[{name: read, kubernetes.core.k8s_info: {context: a}}]"}, []),
    "nobody asked": ({"main.yml": f"[{WRITE}]"}, [NOBODY]),
    "nobody asked, ours": ({"main.yml": f"[{OURS}]"}, [NOBODY]),
    "asked too late": ({"main.yml": f"[{WRITE}, {WHO}]"}, [NOBODY]),
    "asked in another file": ({"main.yml": f"[{WRITE}]", "other.yml": f"[{WHO}]"}, [NOBODY]),
    "written in an imported file, too early": (
        {"main.yml": f"[{{ansible.builtin.import_tasks: a.yml}}, {WHO}]", "a.yml": f"[{WRITE}]"},
        [NOBODY],
    ),
    "written in a rescue": ({"main.yml": f"[{{block: [{{name: x}}], rescue: [{WRITE}]}}]"}, [NOBODY]),
    "asked in a rescue": ({"main.yml": f"[{{block: [{{name: x}}], rescue: [{WHO}]}}, {WRITE}]"}, [NOBODY]),
    "asked only sometimes": ({"main.yml": f"[{WHO[:-1]}, when: x}}, {WRITE}]"}, [NOBODY]),
    "asked in a file for some": (
        {"main.yml": f"[{{import_tasks: a.yml, when: x}}, {WRITE}]", "a.yml": f"[{WHO}]"},
        [NOBODY],
    ),
    "asked and written in a file for some": (
        {"main.yml": "[{include_tasks: a.yml, when: x}]", "a.yml": f"[{WHO}, {WRITE}]"},
        [],
    ),
    "asked and written in an imported file for some": (
        {"main.yml": "[{import_tasks: a.yml, when: x}]", "a.yml": f"[{WHO}, {WRITE}]"},
        [NOBODY],
    ),
    "asked in an included file for some": (
        {"main.yml": f"[{{include_tasks: a.yml, when: x}}, {WRITE}]", "a.yml": f"[{WHO}]"},
        [NOBODY],
    ),
    "asked and not registered": (
        {"main.yml": f"[{WHO.replace(', register: who', '')}, {WRITE}]"},
        ["write: kubeconfig is {{ who.identity.kubeconfig }}"],
    ),
    "forgotten since": ({"main.yml": f"[{WHO}, {{name: x, debug: y, register: who}}, {WRITE}]"}, [NOBODY]),
    "another context": (
        {"main.yml": f"[{WHO}, {WRITE.replace('{{ who.identity.context }}', 'k8s-1')}]"},
        ["write: context is k8s-1"],
    ),
    "another variable": (
        {"main.yml": f"[{WHO}, {WRITE.replace('who.identity.kubeconfig', 'x.identity.kubeconfig')}]"},
        ["write: kubeconfig is {{ x.identity.kubeconfig }}"],
    ),
    "options swapped": (
        {"main.yml": f"[{WHO}, {WRITE.replace('identity.context', 'identity.kubeconfig')}]"},
        ["write: context is {{ who.identity.kubeconfig }}"],
    ),
    "no kubeconfig": ({"main.yml": f"[{WHO}, {{name: write, k8s: {{context: a}}}}]"}, ["write: kubeconfig is None"]),
    "a line of text": ({"main.yml": f"[{WHO}, {{name: write, helm: context=a}}]"}, ["write: kubeconfig is None"]),
    "of two identities": (
        {"main.yml": f"[{WHO}, {WHO.replace('who', 'you')}, {WRITE.replace('who.identity.c', 'you.identity.c')}]"},
        ["write: kubeconfig and context are of two identities"],
    ),
}


@pytest.mark.parametrize("name", WALKED)
def test_the_walker_sees_what_is_wrong(name: str) -> None:
    files, expected = WALKED[name]
    assert complaints({name: yaml.safe_load(text) for name, text in files.items()}, "main.yml") == expected


# Files


def texts() -> Iterator[tuple[Path, str]]:
    """Every file that is or could be in git, except binary ones."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in sorted({*listed} - {""}):
        path = ROOT / name
        if path.is_file():
            try:
                yield path.relative_to(ROOT), path.read_text()
            except UnicodeDecodeError:
                continue


def test_no_file_is_longer_than_one_can_read() -> None:
    """Lists of checksums, which Go writes, are not read."""
    lines = {path: len(text.splitlines()) for path, text in texts() if path.parts[0] in SOURCES}
    assert len(lines) > 100
    assert [path for path, count in lines.items() if count > MAX_LINES and path.name != "go.sum"] == []


# Put together here, or this file would name them.
_FOLDERS = re.compile(r"(?<![\w.:/$}-])/(?:%s)/" % "|".join(["work", "root"]))  # noqa: UP031 - braces all over


def test_what_counts_as_a_folder_of_one_machine() -> None:
    work, root = ("/" + name + "/" for name in ("work", "root"))
    for text in (work, f"see {root}x", f"'{work}main'", f"({root}.cache)"):
        assert _FOLDERS.search(text), text
    for text in (f"home{work}", f"https://example.org{work}", f"$HOME{work}x", f"..{root}", work[:-1], "/workshop/"):
        assert not _FOLDERS.search(text), text


def test_no_file_names_a_folder_of_one_machine() -> None:
    found = [f"{path}: {match[0]}" for path, text in texts() for match in _FOLDERS.finditer(text)]
    assert found == []


def test_git_ignores_no_source() -> None:
    """A rule for some build folder must not hide a package of that name."""
    paths = [path.relative_to(ROOT) for top in SOURCES for path in (ROOT / top).rglob("*")]
    sources = [
        path for path in paths if path.suffix in (".py", ".yml", ".go") and path.parts[:2] != ("tests", "output")
    ]
    names = "\0".join(map(str, sources))
    command = ["git", "check-ignore", "--stdin", "-z"]
    done = subprocess.run(command, cwd=ROOT, input=names, capture_output=True, text=True, check=False)
    assert sorted(done.stdout.split("\0"))[1:] == []
