"""Runs the steps of the workflows that decide what is published, against real git repositories."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SCRIPT = ".github/scripts/published.sh"
PUBLISH = "docs/setup/azure/publish.sh"
APPS = ["delete_sync", "salesforce_client"]
APP = APPS[0]
MAIN = "refs/heads/main"
PUBLISHED = f"refs/tags/published/{APP}"
PUBLISHING = f"refs/tags/publishing/{APP}"
# Azure in the tests: the file LIVE has what runs.
UPLOAD = r"""#!/usr/bin/env bash
[ "$1" = name-of-the-app ] && [ "$2" = delete_sync.zip ] || exit 2
cat delete_sync/x > "$LIVE"
[ "$OUTCOME" = ok ]
"""

# Events in a row, after each of five beginnings.
LENGTH = 2


def job(workflow: str, name: str) -> Mapping[str, Any]:
    """A job of a workflow."""
    text = (REPOSITORY / ".github/workflows" / f"{workflow}.yml").read_text()
    found: Mapping[str, Any] = YAML(typ="safe").load(text)["jobs"][name]
    return found


CHANGES = job("deploy", "changes")
PUBLISHES = job("publish", "publish")


class GitHub:
    """The repository at GitHub, and a runner that does what the steps of a job say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.origin, self.runner, self.live = (folder / it for it in ("origin", "runner", "live"))
        self.live.write_text("")
        self.run("git", "init", "--quiet", "--bare", str(self.origin))
        self.run("git", "init", "--quiet", "--initial-branch=work", str(self.runner))
        self.git("remote", "add", "origin", str(self.origin))
        for path, text in ((SCRIPT, (REPOSITORY / SCRIPT).read_text()), (PUBLISH, UPLOAD)):
            (self.runner / path).parent.mkdir(parents=True)
            (self.runner / path).write_text(text)
        for app in APPS:
            (self.runner / app).mkdir()
        self.first = self.push({f"{app}/x": "first" for app in APPS})

    def run(self, *command: str) -> str:
        """What this command prints."""
        environment = {**os.environ, "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        return done.stdout.strip()

    def git(self, *arguments: str) -> str:
        """What git prints on the runner."""
        return self.run("git", "-C", str(self.runner), *arguments)

    def push(self, files: Mapping[str, str], parent: str | None = None) -> str:
        """Push a commit that changes these files to main, and return it."""
        if parent:
            self.git("checkout", "--quiet", "--force", parent)
        for name, text in files.items():
            (self.runner / name).parent.mkdir(parents=True, exist_ok=True)
            (self.runner / name).write_text(text)
        self.git("add", ".")
        # The same changes are the same commit, so that a state can come again.
        who = ["user.name=x", "user.email=x@example.com"]
        who = [part for it in who for part in ("-c", it)]
        date = "--date=2026-01-01T00:00:00Z"
        self.git(*who, "commit", "--quiet", "--allow-empty", "--message", "x", date)
        made = self.git("rev-parse", "HEAD")
        self.main(made)
        return made

    def main(self, commit: str) -> None:
        """Push this commit to main, also if main was elsewhere."""
        self.git("push", "--quiet", "--force", "origin", f"{commit}:{MAIN}")

    def published(self, commit: str, *apps: str) -> None:
        """Mark this commit as published."""
        for app in apps:
            self.git("push", "--quiet", "--force", "origin", f"{commit}:refs/tags/published/{app}")

    def refs(self) -> dict[str, str]:
        """The commits of main and of the tags."""
        lines = self.run("git", "-C", str(self.origin), "show-ref").splitlines()
        return {name: commit for commit, name in (line.split(" ") for line in lines)}

    def checkout(self, commit: str) -> None:
        """What actions/checkout does: afterwards origin/main is the commit of the run."""
        everything = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
        self.git("fetch", "--quiet", "--prune", "origin", *everything)
        self.git("update-ref", "refs/remotes/origin/main", commit)
        self.git("checkout", "--quiet", "--force", commit)

    def steps(
        self, of: Mapping[str, Any], commit: str, force: bool = False, outcome: str = "ok"
    ) -> tuple[bool, dict[str, str], str]:
        """Run the steps of a job: did it succeed, the outputs, and what it told."""
        outputs: dict[str, str] = {}
        told = ""
        for step in of["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["fetch-depth"] == 0
                self.checkout(commit)
            if "run" not in step:
                continue
            condition = step.get("if")
            assert condition in (None, "steps.begin.outputs.publish == 'true'")
            if condition and outputs["begin.publish"] != "true":
                continue
            done = self.shell(step["run"], self.environment(step.get("env", {}), force, outcome))
            told += done.stderr
            if done.returncode:
                return False, outputs, told
            for line in (self.folder / "outputs").read_text().splitlines():
                name, _, value = line.partition("=")
                outputs[f"{step['id']}.{name}"] = value
        return True, outputs, told

    def environment(self, of: Mapping[str, str], force: bool, outcome: str) -> dict[str, str]:
        """The environment of a step, and what the test's Azure needs."""
        output = self.folder / "outputs"
        output.write_text("")
        values = {
            "inputs.app": APP,
            "github.event_name == 'workflow_dispatch'": str(force).lower(),
            "github.token": "token",
        }
        given = {}
        for name, value in of.items():
            expression = re.fullmatch(r"\$\{\{ (.*) \}\}", value)
            assert expression
            given[name] = values.get(expression[1], "name-of-the-app")
        own = {"GITHUB_OUTPUT": str(output), "LIVE": str(self.live), "OUTCOME": outcome}
        return {**os.environ, **own, **given}

    def shell(
        self, script: str, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Run a step as GitHub does."""
        return subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self.runner,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def apps(self, commit: str, force: bool = False) -> list[str]:
        """The apps that the run of this commit publishes."""
        succeeded, outputs, told = self.steps(CHANGES, commit, force)
        assert succeeded, told
        found: list[str] = json.loads(outputs["changed.apps"])
        return found


@pytest.fixture
def github(tmp_path: Path) -> GitHub:
    """A repository with one commit on main, of which nothing is published."""
    return GitHub(tmp_path)


def test_everything_is_published_first(github: GitHub) -> None:
    """There is no tag yet. The reader of event files comes before their writer."""
    assert github.apps(github.first) == APPS
    github.published(github.first, "delete_sync")
    assert github.apps(github.first) == ["salesforce_client"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("salesforce_client/src/x.py", ["salesforce_client"]),
        ("delete_sync/host.json", ["delete_sync"]),
        ("docs/x.md", []),
        ("docs/setup/azure/package.sh", APPS),
        (".github/workflows/publish.yml", APPS),
    ],
)
def test_an_app_that_differs_from_its_tag_is_published(
    changed: str, expected: list[str], github: GitHub
) -> None:
    """What makes the package counts as part of both apps."""
    github.published(github.first, *APPS)
    assert github.apps(github.push({changed: "new"})) == expected


def test_a_change_behind_a_failed_run_is_published_later(github: GitHub) -> None:
    """The run of the first commit failed. The second commit does not touch the app."""
    github.published(github.first, *APPS)
    github.push({"delete_sync/x": "new"})
    assert github.apps(github.push({"docs/x.md": "new"})) == ["delete_sync"]


def test_a_change_that_was_taken_back_is_published_if_its_publish_may_have_begun(
    github: GitHub,
) -> None:
    """If no publish began, what is live has the files of the new commit."""
    github.published(github.first, *APPS)
    changed = github.push({"delete_sync/x": "new"})
    back = github.push({"delete_sync/x": "first"})
    assert github.apps(back) == []
    github.main(changed)
    assert not github.steps(PUBLISHES, changed, outcome="lost")[0]
    assert github.live.read_text() == "new"
    github.main(back)
    assert github.apps(back) == ["delete_sync"]
    assert github.steps(PUBLISHES, back)[0]
    assert github.live.read_text() == "first"
    assert github.refs()[PUBLISHED] == back
    assert PUBLISHING not in github.refs()


def test_an_older_commit_does_not_replace_a_newer_one(github: GitHub) -> None:
    """A late approval starts the last job alone. By hand, the newest commit is published."""
    older = github.push({"delete_sync/x": "older"})
    newer = github.push({"delete_sync/x": "newer"})
    github.published(github.first, "salesforce_client")
    assert github.apps(older) == ["delete_sync"]
    assert github.steps(PUBLISHES, newer)[0]
    succeeded, outputs, told = github.steps(PUBLISHES, older)
    assert (succeeded, outputs) == (True, {"begin.publish": "false"})
    assert told == (
        f"published.sh: delete_sync is not published: what is live has the files of {newer}\n"
    )
    succeeded, _, told = github.steps(PUBLISHES, older, force=True)
    assert not succeeded
    assert told == (
        f"published.sh: delete_sync is not published: {newer}, a later commit of main, has the"
        " files that were published last. Start this workflow by hand: it publishes the newest"
        " commit.\n"
    )
    assert github.live.read_text() == "newer"


def test_a_run_again_is_red_while_nobody_knows_what_is_live(github: GitHub) -> None:
    """The answer to its upload was lost, and main has gone back since."""
    github.published(github.first, *APPS)
    changed = github.push({"delete_sync/x": "new"})
    assert not github.steps(PUBLISHES, changed, outcome="lost")[0]
    github.push({"delete_sync/x": "first"})
    succeeded, _, told = github.steps(PUBLISHES, changed)
    assert not succeeded
    assert told.endswith("Start this workflow by hand: it publishes the newest commit.\n")


def test_main_can_go_back_to_an_older_commit(github: GitHub) -> None:
    """The tag keeps the commit that is no longer on main. Its run must not publish it again."""
    newer = github.push({"delete_sync/x": "newer"})
    assert github.steps(PUBLISHES, newer)[0]
    github.main(github.first)
    assert github.apps(github.first) == APPS
    assert github.steps(PUBLISHES, github.first)[0]
    assert github.live.read_text() == "first"
    succeeded, _, told = github.steps(PUBLISHES, newer)
    assert not succeeded
    assert told == (
        "published.sh: delete_sync is not published: this commit is not on main. Publish a commit"
        " of main.\n"
    )


def test_by_hand_both_apps_are_published(github: GitHub) -> None:
    """Also if nothing differs."""
    github.published(github.first, *APPS)
    assert github.apps(github.first, force=True) == APPS
    assert github.steps(PUBLISHES, github.first, force=True)[0]
    assert github.live.read_text() == "first"


@pytest.mark.parametrize(
    ("refused", "live", "told"),
    [
        (
            "publishing",
            "",
            "published.sh: delete_sync is not published: the tag publishing/delete_sync cannot be"
            " set. GitHub refuses that if a later commit of main has other workflows: then the run"
            " of the newest commit publishes.\n",
        ),
        (
            "published",
            "first",
            "published.sh: delete_sync runs this commit, but the tag published/delete_sync cannot"
            " be moved. Run this job again, or the next run of main publishes again.\n",
        ),
    ],
)
def test_a_tag_that_cannot_be_moved_fails_the_run(
    refused: str, live: str, told: str, github: GitHub
) -> None:
    """Nothing is uploaded before it is noted. What was not noted counts as not published."""
    hook = github.origin / "hooks/update"
    hook.write_text(f"#!/bin/sh\ncase $1 in refs/tags/{refused}/*) exit 1 ;; esac\n")
    hook.chmod(0o755)
    succeeded, _, said = github.steps(PUBLISHES, github.first)
    assert not succeeded
    assert said.endswith(told)
    assert github.live.read_text() == live
    assert (PUBLISHING in github.refs()) == (refused == "published")
    assert "delete_sync" in github.apps(github.first)


@dataclass(frozen=True)
class State:
    """What is on GitHub and in Azure."""

    main: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    live: str
    """The commit that was uploaded last. Nobody but the test knows it for certain."""
    runs: tuple[tuple[str, str], ...]
    """How the last attempt of each commit's run ended: pending, green or red."""
    waiting: frozenset[str]
    """The commits whose last job can be started, after an approval or again."""

    def ended(self, commit: str, how: str, **changes: Any) -> State:
        """The state after this commit's run ended so."""
        runs = {**dict(self.runs), commit: how}
        return replace(self, runs=tuple(sorted(runs.items())), **changes)


class Sequences:
    """What people, GitHub and Azure can do. Each job runs once for each state of the refs."""

    def __init__(self, github: GitHub) -> None:
        self.github = github
        self.texts = {github.first: "first"}
        self.pushed: dict[tuple[str, str], str] = {}
        self.known: dict[object, tuple[bool, bool, bool, tuple[tuple[str, str], ...]]] = {}

    def job(
        self, state: State, of: Mapping[str, Any], commit: str, force: bool, outcome: str
    ) -> tuple[bool, bool, bool, tuple[tuple[str, str], ...]]:
        """Run a job: did it succeed, has it to publish, did it upload, and the tags after it."""
        key = (id(of), commit, force, outcome, state.main[-1], state.tags)
        if key not in self.known:
            github = self.github
            github.live.write_text("")
            wanted = {MAIN: state.main[-1], **dict(state.tags)}
            for ref in (MAIN, PUBLISHED, PUBLISHING):
                change = ["update-ref", ref, wanted[ref]] if ref in wanted else None
                github.run("git", "-C", str(github.origin), *(change or ["update-ref", "-d", ref]))
            succeeded, outputs, _ = github.steps(of, commit, force, outcome)
            tags = {ref: it for ref, it in github.refs().items() if ref in (PUBLISHED, PUBLISHING)}
            publishes = APP in outputs.get("changed.apps", "")
            uploaded = bool(github.live.read_text())
            self.known[key] = (succeeded, publishes, uploaded, tuple(sorted(tags.items())))
        return self.known[key]

    def push(self, state: State, text: str) -> State:
        """A person pushes a commit with this text."""
        key = (state.main[-1], text)
        if key not in self.pushed:
            self.pushed[key] = self.github.push({f"{APP}/x": text}, parent=state.main[-1])
            self.texts[self.pushed[key]] = text
        made = self.pushed[key]
        return state.ended(made, "pending", main=(*state.main, made))

    def changes(self, state: State, commit: str, force: bool = False) -> State:
        """The run of a commit begins, perhaps again."""
        succeeded, publishes, _, _ = self.job(state, CHANGES, commit, force, "ok")
        tip = commit == state.main[-1]
        assert succeeded or not tip, "the newest commit is never refused"
        assert publishes or not (force and tip), "a run by hand publishes"
        if succeeded and publishes:
            return state.ended(commit, "pending", waiting=state.waiting | {commit})
        return state.ended(commit, "green" if succeeded else "red")

    def publish(self, state: State, commit: str, outcome: str, force: bool = False) -> State:
        """The last job of a commit's run. An upload can fail after or before it is live."""
        told = "ok" if outcome == "ok" else "failed"
        succeeded, _, uploaded, tags = self.job(state, PUBLISHES, commit, force, told)
        tip = commit == state.main[-1]
        assert succeeded or outcome != "ok" or not tip, "the newest commit is never refused"
        live = commit if uploaded and outcome != "refused" else state.live
        return state.ended(commit, "green" if succeeded else "red", live=live, tags=tags)

    def next(self, state: State) -> Iterator[tuple[str, State]]:
        """Each state that can follow, and what happened."""
        tip = state.main[-1]
        changed = {"push": self.push(state, f"text {len(state.main)}")}
        if len(state.main) > 1:
            before = state.main[-2]
            changed["revert"] = self.push(state, self.texts[before])
            changed["force-push"] = state.ended(before, "pending", main=state.main[:-1])
        for name, after in changed.items():
            yield f"{name} (tests fail or wait)", after
            yield name, self.changes(after, after.main[-1])
        for commit in dict(state.runs):
            name = f"of {self.texts[commit]} {commit[:7]}"
            yield f"run {name}", self.changes(state, commit)
        for outcome in ("ok", "lost", "refused"):
            for commit in state.waiting:
                name = f"of {self.texts[commit]} {commit[:7]}"
                yield f"publish {name} {outcome}", self.publish(state, commit, outcome)
            by_hand = self.changes(state, tip, force=True)
            yield f"by hand {outcome}", self.publish(by_hand, tip, outcome, force=True)

    def claims(self, state: State) -> str:
        """What is green and not true in this state."""
        how, live = dict(state.runs), self.texts[state.live]
        if how[state.main[-1]] == "green" and live != self.texts[state.main[-1]]:
            return "the run of the newest commit is green, and another is live"
        green = [place for place, commit in enumerate(state.main) if how[commit] == "green"]
        newer = {self.texts[commit] for commit in state.main[green[-1] :]} if green else {live}
        if live not in newer and state.live in state.main:
            return "a commit is live that is older than a green one"
        return ""


def test_a_green_run_never_leaves_an_older_commit_live(github: GitHub) -> None:
    """Pushes, force-pushes, failures, late approvals and runs again, in every order.

    What is live is the newest commit whose run is green, or a newer one whose run is not green.
    """
    github.published(github.first, *APPS[1:])
    sequences, first = Sequences(github), github.first
    nothing = State((first,), (), first, ((first, "pending"),), frozenset())
    one = sequences.publish(sequences.changes(nothing, first), first, "ok")
    pushed = sequences.push(one, "second")
    second = pushed.main[-1]
    waiting = sequences.changes(pushed, second)
    two = sequences.publish(waiting, second, "ok")
    third = sequences.changes(sequences.push(two, "third"), sequences.pushed[second, "third"])
    lost = sequences.publish(third, third.main[-1], "lost")
    begun = {nothing: "nothing", one: "one", waiting: "one, one waits", two: "two"}
    states = {**begun, lost: "two, one lost"}
    seen = set(states)
    for _ in range(LENGTH):
        following: dict[State, str] = {}
        for state, story in states.items():
            for event, after in sequences.next(state):
                if after not in seen:
                    seen.add(after)
                    following[after] = f"{story}, {event}"
                    assert sequences.claims(after) == "", following[after]
        states = following
    assert len(seen) > 100, "the events lead to few states"
