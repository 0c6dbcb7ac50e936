"""Every error message of both apps, read as the person who gets it at night.

``MESSAGES`` lists them. For each it quotes the words that name the thing, those that say what is
lost or kept, and those that say what to do. A new message fails the first test, until somebody has
read it and added its line.

Most classes of errors end each of their messages with a sentence about what is lost.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from delete_sync.src import errors as sync_errors
from delete_sync.src.warehouse.snowflake_errors import (
    ADVICE,
    IF_IT_STAYS,
    LOOK_IT_UP,
    START_EMULATORS,
)
from salesforce_client.src.app import errors as collector_errors
from salesforce_client.src.app.salesforce import rest_errors, rpc_errors, token_answers

REPOSITORY = Path(__file__).resolve().parent.parent
APPS = {"collector": "salesforce_client/src/app", "sync": "delete_sync/src"}
ERRORS = {"collector": collector_errors, "sync": sync_errors}
# Not of an app: the mock is for tests, and the stubs are generated.
NOT_OURS = ("mock_salesforce/", "wire/")


class Message(NamedTuple):
    """A message in the code. ``kind`` is the class, or a variable that holds one."""

    app: str
    module: str
    kind: str
    text: str

    @property
    def shown(self) -> str:
        """The message as it is shown, with what its class adds."""
        classes = ERRORS[self.app]
        if self.kind == "SweepFailedError":  # it joins whole messages
            return self.text
        if self.kind == "SettingsError":
            return str(classes.SettingsError([self.text]))
        # A variable may hold any class without a sentence of its own.
        return str(getattr(classes, self.kind, classes.ActionNeededError)(self.text))


def text_of(node: ast.expr) -> str:
    """The text of an expression, with what is computed in braces."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(text_of, node.values))
    if isinstance(node, ast.FormattedValue):
        return f"{{{ast.unparse(node.value)}}}"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return text_of(node.left) + text_of(node.right)
    return f"{{{ast.unparse(node)}}}"


def in_code() -> Iterator[Message]:
    """Every message with which the code of the apps makes an error that an operator may see."""
    for app, source in APPS.items():
        for path in sorted((REPOSITORY / source).rglob("*.py")):
            module = path.relative_to(REPOSITORY / source).as_posix()
            if module.startswith(NOT_OURS) or "/wire/" in module:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and node.args:
                    kind = node.func.id if isinstance(node.func, ast.Name) else ""
                    if kind == "kind" or reaches_an_operator(app, kind):
                        yield Message(app, module, kind, text_of(node.args[0]))


def reaches_an_operator(app: str, kind: str) -> bool:
    """Whether the class is one with which a run may fail."""
    classes = ERRORS[app]
    found = getattr(classes, kind, None)
    return inspect.isclass(found) and issubclass(
        found, (classes.TryAgainError, classes.ActionNeededError)
    )


NOTHING = "Nothing is lost"
# By app and module: the beginning of each message, then the words that name the thing, the words
# that say what is lost or kept, and the words that say what to do.
MESSAGES: dict[tuple[str, str], list[tuple[str, str, str, str]]] = {
    ("collector", "backlog.py"): [
        ("{topic}: none of", "{topic}", "are kept as rejected events", "Report this message"),
        ("{topic}: Salesforce sent", "{topic}", NOTHING, "set MAX_RUN_SECONDS"),
    ],
    ("collector", "budget.py"): [
        ("{[f'functionTimeout in", "functionTimeout in host.json", NOTHING, "must be hh:mm:ss"),
        ("{[f'MAX_RUN_SECONDS", "MAX_RUN_SECONDS", NOTHING, "must be at most"),
    ],
    ("collector", "checks/one_object.py"): [
        ("{self._name}: Salesforce writes", "{self._name}", NOTHING, "write it so in CHECK"),
    ],
    ("collector", "checks/schedule.py"): [
        ("{len(lines)} object(s)", "{told}", "All events are stored", "Do what the reason says"),
    ],
    ("collector", "collect.py"): [
        ("{topic}: the drain did not", "{topic}", NOTHING, "the next poll tries again"),
    ],
    ("collector", "drain.py"): [
        ("{self._topic}: {'; '.join(told)}", "{self._topic}", "{'; '.join(told)}", "told"),
    ],
    ("collector", "publisher.py"): [
        ("cursor of {topic}", "{topic}", NOTHING, "the next poll continues"),
    ],
    ("collector", "decoding/event_plan.py"): [
        ("{self._topic}: ", "{self._topic}", NOTHING, "Correct {"),
    ],
    ("collector", "errors.py"): [
        ("{self.text} – the access token", "{self.text}", NOTHING, "switch that off, or let"),
    ],
    ("collector", "salesforce/clock.py"): [
        ("{route.host}: no answer – ", "{route.host}", NOTHING, "{cure}"),
        (
            "{route.host}: no answer (",
            "SALESFORCE_LOGIN_URL",
            NOTHING,
            "check SALESFORCE_LOGIN_URL",
        ),
        (
            "{route.host}: the answer has",
            "SALESFORCE_LOGIN_URL",
            NOTHING,
            "check SALESFORCE_LOGIN_URL",
        ),
    ],
    ("collector", "salesforce/login.py"): [
        ("no access token from", "SALESFORCE_LOGIN_URL", NOTHING, "if this stays"),
        ("the token response names no org", "SALESFORCE_LOGIN_URL", NOTHING, "Check that"),
        ("the token response of", "SALESFORCE_LOGIN_URL", NOTHING, "check that"),
        ("{login_url}: {failure}", "{login_url}", NOTHING, "{cure}"),
    ],
    ("collector", "salesforce/network.py"): [
        ("{host}: HTTPS_PROXY is not", "HTTPS_PROXY", NOTHING, "write http://"),
        ("{host}: HTTPS_PROXY names", "HTTPS_PROXY", NOTHING, "write http://"),
    ],
    ("collector", "salesforce/pubsub.py"): [
        ("{topic} exists, but", "{topic}", NOTHING, "grant '{right}'"),
    ],
    ("collector", "salesforce/rpc_errors.py"): [
        ("{f'{told} – {advice}'", "{told}", NOTHING, "{advice}"),
        ("{about}: {details} – {cure}", "{about}", NOTHING, "{cure}"),
    ],
    ("collector", "salesforce/queries.py"): [
        ("{about}: the answer lacks", "{about}", NOTHING, "report this message"),
    ],
    ("collector", "salesforce/rest.py"): [
        ("{about}: the answer is not", "{about}", NOTHING, "check whether a proxy"),
        ("{about}: {reason} – ", "{about}", NOTHING, "{cure}"),
        ("{about}: {reason}{route", "{about}", NOTHING, "allow the app to reach"),
    ],
    ("collector", "salesforce/rest_errors.py"): [
        ("{about}: Salesforce answers {code}; if", "{about}", NOTHING, "look at"),
        ("{about}: the org has used up", "{about}", NOTHING, "lower MAX_CHECK_CALLS"),
        ("{about}: Salesforce answers {code} – ", "{about}", NOTHING, "{cure}"),
    ],
    ("collector", "salesforce/subscription.py"): [
        ("{self._topic}: the server ended", "{self._topic}", NOTHING, "the next poll continues"),
        ("{self._topic}: {type(error)", "{self._topic}", NOTHING, "the next poll tries again"),
        ("{translated.text} – ", "{translated.text}", NOTHING, "{CURES[RequestRefusedError]}"),
    ],
    ("collector", "salesforce/token_answers.py"): [
        ("{login_url} refused the JWT", "{login_url}", NOTHING, "{advice(text)}"),
        ("{said} with the Location {_shown", "SALESFORCE_LOGIN_URL", NOTHING, "check that"),
        ("{said} with the Location {to}: set", "{said}", NOTHING, "set SALESFORCE_LOGIN_URL"),
        ("{said} with the Location {to}, which", "{said}", NOTHING, "{route.cure_of_status(302)}"),
        ("{said}{with_text}{route.through}", "SALESFORCE_LOGIN_URL", NOTHING, "check that"),
        ("{said}{with_text} – ", "{said}", NOTHING, "{route.cure_of_status(status)}"),
    ],
    ("collector", "scratch.py"): [
        ("{about}: {reason}. The disk", "{about}", NOTHING, "see 'LocalStorageError'"),
    ],
    ("collector", "settings_reader.py"): [
        ("{self.problems}", "{self.problems}", NOTHING, "{self.problems}"),
    ],
    ("collector", "storage/blob_errors.py"): [
        ("{about}: {brief(error)} – {CHECK", "{about}", NOTHING, "{CHECK_ACCESS}"),
        ("{about}: {brief(error)} – {advice}", "{about}", NOTHING, "{advice}"),
        ("{about}: {brief(error)} – {cure}", "{about}", NOTHING, "{cure}"),
        ("{about}: {reason} – {advice}", "{about}", NOTHING, "{advice}"),
        ("{about}: {error} – check", "EVENTS_STORAGE", NOTHING, "check EVENTS_STORAGE"),
        ("{about}: nobody is logged in to Azure", "{about}", NOTHING, "run az login"),
        ("{about}: the app's identity gets no token:", "{about}", NOTHING, "check that the"),
        ("{about}: the app's identity gets no token for", "{about}", NOTHING, "{IF_IT_STAYS}"),
    ],
    ("collector", "settings_sources.py"): [
        ("{[f'{file} cannot be read", "{file}", NOTHING, "cannot be read: {error.strerror}"),
        ("{[f'{file} is not JSON", "{file}", NOTHING, "correct it"),
        ("{[f'{file} is not UTF-8", "{file}", NOTHING, "save it as UTF-8"),
        ("{[f'{file} is encrypted", "{file}", NOTHING, "{HOW_TO_DECRYPT}"),
        ("{[f'{file} has no object", "{file}", NOTHING, "begin again with a copy"),
        ("{[f'{name} in {file} is", "{name}", NOTHING, "write it in double quotes"),
        ("{[_cure(problem", "problem", NOTHING, "_cure"),
    ],
    ("collector", "storage/blobs.py"): [
        ("no free name for", "EVENTS_CONTAINER", NOTHING, "find what else writes"),
        ("event file {blob", "{blob.blob_name}", NOTHING, "{slow}"),
        ("event file {name}: the container", "{name}", "cannot be decoded again", "Check the name"),
        ("event file {name}: its content", "{name}", "cannot be decoded again", "see"),
    ],
    ("collector", "storage/readable.py"): [
        ("{about}: {error}", "{about}", "Nothing is changed", "Check that this is an event file"),
    ],
    ("collector", "salesforce/limits.py"): [
        ("{ABOUT}: the answer lacks", "{ABOUT}", NOTHING, "report it"),
    ],
    ("collector", "storage/trial.py"): [
        ("event file {name}: Storage gave", "{name}", NOTHING, "find what changes"),
        ("cursor {name}: Storage gave", "{name}", NOTHING, "find what changes"),
    ],
    ("sync", "budget.py"): [
        ("{doing}: no time is left", "{doing}", NOTHING, "the next sweep goes on"),
        ("{[f'functionTimeout in", "functionTimeout in host.json", NOTHING, "must be hh:mm:ss"),
        ("{[f'MAX_RUN_SECONDS", "MAX_RUN_SECONDS", NOTHING, "must be at most"),
    ],
    ("sync", "culprits.py"): [
        ("Snowflake refuses each", "event files", NOTHING, "Compare the table"),
    ],
    ("sync", "event_files/blobs.py"): [
        ("{self._about} has blobs", "EVENTS_CONTAINER", NOTHING, "check EVENTS_CONTAINER"),
        ("{self._about} does not exist", "EVENTS_CONTAINER", NOTHING, "check EVENTS_CONTAINER"),
    ],
    ("sync", "freshness.py"): [
        ("{oldest_left.name} is", "{oldest_left.name}", NOTHING, "See 'BacklogError'"),
        ("the collector is silent", "MAX_SILENCE_HOURS", NOTHING, "See 'SilenceError'"),
    ],
    ("sync", "report.py"): [
        ("{failures}", "{failures}", "{failures}", "{failures}"),
        ("{[*failures, error]}", "failures", "failures", "failures"),
        ("the table holds", "{', '.join(self.duplicates[:3])}", NOTHING, "see 'Duplicate"),
        ("{len(self.refused)}", "{_listed(self.refused)}", "stay in the container", "See 'Files"),
        ("{len(self.unavail", "{_listed(self.unavailable)}", "They stay pending", "See 'Files"),
    ],
    ("sync", "warehouse/attempt.py"): [
        ("{batch.lines} lines were", "{batch.lines}", NOTHING, "see 'BooksDifferError'"),
        ("the merge inserted", "{inserted} rows", NOTHING, "see 'BooksDifferError'"),
        ("{recorded} of {len(files)}", "load records", NOTHING, "see 'BooksDifferError'"),
        ("after COMMIT, {len(kept)}", "load records", NOTHING, "see 'BooksDifferError'"),
        ("somebody has erased data", "event files", NOTHING, "the next sweep reads them again"),
    ],
    ("sync", "warehouse/erasure.py"): [
        ("after COMMIT, {len(missing)}", "{self._names", NOTHING, "run the command again"),
        ("rows of {', '.join", "{', '.join", NOTHING, "run the command again"),
    ],
    ("sync", "warehouse/compare.py"): [
        ("the comparison inserted", "{inserted} rows", NOTHING, "see 'BooksDifferError'"),
        ("{compared} of {due.ready}", "checks", NOTHING, "see 'BooksDifferError'"),
        ("after COMMIT, {left}", "checks", NOTHING, "see 'BooksDifferError'"),
    ],
    ("sync", "warehouse/move.py"): [
        ("{one.unmoved} rows of", "{one.table}", NOTHING, "see 'BooksDifferError'"),
    ],
    ("sync", "warehouse/guard.py"): [
        ("the lock row has lost", "lock row", NOTHING, "see 'BooksDifferError'"),
    ],
    ("sync", "warehouse/session.py"): [
        ("{doing}: no answer within", "{doing}", NOTHING, "status page"),
    ],
    ("sync", "warehouse/snowflake_errors.py"): [
        ("{doing}: {type(error)", "{doing}", NOTHING, "allow the app to reach"),
        ("{doing}: {error.strerror}", "{doing}", NOTHING, "see 'LocalStorageError'"),
        ("{doing}: Snowflake refuses a value", "{doing}", NOTHING, "See 'Warehouse"),
        ("{message} – {advice}", "{message}", NOTHING, "{advice}"),
        ("{message} – {ADVICE", "{message}", NOTHING, "{ADVICE.get(number, LOOK_IT_UP)}"),
    ],
    ("sync", "warehouse/tables.py"): [
        ("rows of the sync do not fit", "{problem}", NOTHING, "{problem}"),
        ("{self._names['lock']} has", "{self._names['lock']}", NOTHING, "then run, as the owner"),
        ("SNOWFLAKE_DATABASE and", "SNOWFLAKE_DATABASE", NOTHING, "create them, or grant USAGE"),
        ("{error.text}; or use", "{error.text}", NOTHING, "use a role that may run: {statement}"),
    ],
}
for module in ("scratch.py", "settings_reader.py", "settings_sources.py", "storage/blob_errors.py"):
    twin = module.replace("storage/", "event_files/")
    MESSAGES["sync", twin] = MESSAGES["collector", module]


def test_every_message_was_read() -> None:
    """Read a new message as the person who gets it at night, then add its line to MESSAGES."""
    found = list(in_code())
    assert len(found) > 50
    for message in found:
        lines = MESSAGES.get((message.app, message.module), [])
        assert any(message.text.startswith(beginning) for beginning, *_ in lines), message


def test_every_line_of_the_list_is_a_message() -> None:
    """A message that was changed or removed is read again."""
    found = list(in_code())
    for (app, module), lines in MESSAGES.items():
        messages = [message for message in found if (message.app, message.module) == (app, module)]
        for beginning, *words in lines:
            fitting = [message for message in messages if message.text.startswith(beginning)]
            assert fitting, (app, module, beginning)
            for message in fitting:
                assert all(words), message
                assert [word for word in words if word not in message.shown] == [], message
                assert message.shown.lower().count(NOTHING.lower()) == (NOTHING in words), message


@pytest.mark.parametrize("classes", ERRORS.values(), ids=ERRORS)
def test_the_end_of_a_message_says_what_is_lost(classes: ModuleType) -> None:
    """A class without such a sentence is one whose text says it, or that never ends a run."""
    assert classes.TryAgainError.lost == classes.ActionNeededError.lost
    ours = (collector_errors.CollectorError, sync_errors.SyncError)
    for kind in vars(classes).values():
        if inspect.isclass(kind) and issubclass(kind, ours) and kind.lost:
            assert kind.lost.startswith(NOTHING), kind
            assert not kind.lost.endswith("."), kind


def test_the_end_of_a_message_follows_its_text() -> None:
    """A list keeps its form, and a statement or a sentence gets no second stop."""
    for classes in (collector_errors, sync_errors):
        error, end = classes.StorageRefusedError, classes.ActionNeededError.lost
        assert str(error("check it")) == f"check it. {end}"
        assert str(error("Check it.")) == f"Check it. {end}"
        assert str(error("run: CREATE TABLE t (n INT);")) == f"run: CREATE TABLE t (n INT); {end}"
        assert str(error("two:\n  - one\n  - two")) == f"two:\n  - one\n  - two\n{end}"
        assert error("check it").text == "check it"


def advice() -> Iterator[str]:
    yield from (*ADVICE.values(), IF_IT_STAYS, LOOK_IT_UP, START_EMULATORS)
    yield from rpc_errors.CURES.values()
    yield rpc_errors.NO_SERVER
    yield from (text for _, text in rest_errors.CURES.values())
    yield rest_errors.OTHER_CURE
    yield from (text for _, text in token_answers.ADVICE)


IMPERATIVE = re.compile(
    r"\b(check|set|grant|GRANT|give|see|create|deploy|add|ask|resume|raise|look|use|unlock"
    r"|pre-authorize|start|enable|unblock|report)\b"
)


@pytest.mark.parametrize("text", sorted(set(advice())))
def test_every_piece_of_advice_says_what_to_do(text: str) -> None:
    """The tables of advice are parts of messages that quote the foreign system."""
    assert IMPERATIVE.search(text), text
    assert NOTHING.lower() not in text.lower()  # the class says it
