"""Every error message of both apps, read as the person who gets it at night.

``MESSAGES`` lists them. For each it quotes the words that name the thing, those that say what is
lost or kept, and those that say what to do. A new message fails the first test, until somebody has
read it and added its line.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from delete_sync.src import errors as sync_errors
from delete_sync.src.warehouse.snowflake_errors import ADVICE
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


LATER = "the next poll"
SECTION = "docs/operations.md"
# By app and module: the beginning of each message, then the words that name the thing, the words
# that say what is lost or kept, and the words that say what to do. An empty text means that the
# message does not say it: the section of its class in docs/operations.md does, and
# ``tests/test_docs.py`` holds each section to it.
MESSAGES: dict[tuple[str, str], list[tuple[str, str, str, str]]] = {
    ("collector", "backlog.py"): [
        ("{topic}: none of", "{topic}", "are kept as rejected events", "Report this message"),
        ("{topic}: Salesforce sent", "{topic}", "may miss events", "set MAX_RUN_SECONDS"),
    ],
    ("collector", "budget.py"): [
        ("{[f'functionTimeout in", "functionTimeout in host.json", "", "must be hh:mm:ss"),
        ("{[f'MAX_RUN_SECONDS", "MAX_RUN_SECONDS", "", "must be at most"),
    ],
    ("collector", "checks/all_objects.py"): [
        ("{len(late)} object(s)", "{lines}", "All events are stored", "Do what the reason says"),
    ],
    ("collector", "collect.py"): [
        ("{topic}: the drain did not", "{topic}", LATER, "the next poll tries again"),
    ],
    ("collector", "drain.py"): [
        ("{self._topic}: {'; '.join(told)}", "{self._topic}", "{'; '.join(told)}", "told"),
    ],
    ("collector", "publisher.py"): [
        ("cursor of {topic}", "{topic}", LATER, "the next poll continues"),
    ],
    ("collector", "decoding/event_plan.py"): [
        ("{self._topic}: ", "{self._topic}", "nothing is lost for 72 hours", "Correct {"),
    ],
    ("collector", "errors.py"): [
        ("{self} – the access token", "{self}", "", "switch that off, or let"),
    ],
    ("collector", "salesforce/clock.py"): [
        ("{route.host}: no answer – ", "{route.host}", "", "{cure}"),
        ("{route.host}: no answer (", "SALESFORCE_LOGIN_URL", "", "check SALESFORCE_LOGIN_URL"),
        ("{route.host}: the answer has", "SALESFORCE_LOGIN_URL", "", "check SALESFORCE_LOGIN_URL"),
    ],
    ("collector", "salesforce/login.py"): [
        ("no access token from", "SALESFORCE_LOGIN_URL", "nothing is lost if", "if this stays"),
        ("the token response names no org", "SALESFORCE_LOGIN_URL", "", "Check that"),
        ("the token response of", "SALESFORCE_LOGIN_URL", "", "check that"),
        ("{login_url}: {failure}", "{login_url}", "", "{cure}"),
    ],
    ("collector", "salesforce/network.py"): [
        ("{host}: HTTPS_PROXY is not", "HTTPS_PROXY", "", "write http://"),
        ("{host}: HTTPS_PROXY names", "HTTPS_PROXY", "", "write http://"),
    ],
    ("collector", "salesforce/pubsub.py"): [
        ("{topic} exists, but", "{topic}", "", "grant '{right}'"),
    ],
    ("collector", "salesforce/rpc_errors.py"): [
        ("{f'{told} – {advice}'", "{told}", "", "{advice}"),
        ("{about}: {details} – {cure}", "{about}", "", "{cure}"),
    ],
    ("collector", "salesforce/lists.py"): [
        ("{about}: the answer lacks", "{about}", "{NO_PROOF}", "report this message"),
    ],
    ("collector", "salesforce/rest.py"): [
        ("{about}: the answer is not", "{about}", "{NO_PROOF}", "check whether a proxy"),
        ("{about}: {reason} – {NO_PROOF}:", "{about}", "{NO_PROOF}", "{cure}"),
        ("{about}: {reason}{route", "{about}", "{NO_PROOF}", "allow the app to reach"),
    ],
    ("collector", "salesforce/rest_errors.py"): [
        ("{about}: Salesforce answers {code} – {NO_PROOF} until", "{about}", "{NO_PROOF}", "look"),
        ("{about}: the org has used up", "{about}", "{NO_PROOF}", "lower MAX_CHECK_CALLS"),
        ("{about}: Salesforce answers {code} – {NO_PROOF}: ", "{about}", "{NO_PROOF}", "{cure}"),
    ],
    ("collector", "salesforce/subscription.py"): [
        ("{self._topic}: the server ended", "{self._topic}", LATER, "the next poll continues"),
        ("{self._topic}: {type(error)", "{self._topic}", "", ""),
        ("{str(translated)}", "{str(translated)}", "", ""),
    ],
    ("collector", "salesforce/token_answers.py"): [
        ("{login_url} refused the JWT", "{login_url}", "", "{advice(text)}"),
        ("{said} with the Location {_shown", "SALESFORCE_LOGIN_URL", "", "check that"),
        ("{said} with the Location {to}: set", "SALESFORCE_LOGIN_URL", "", "set SALESFORCE"),
        ("{said} with the Location {to}, which", "{said}", "", "{route.cure_of_status(302)}"),
        ("{said}{with_text}{route.through}", "SALESFORCE_LOGIN_URL", "", "check that"),
        ("{said}{with_text} – ", "{said}", "", "{route.cure_of_status(status)}"),
        # These two are parts of the message "no access token from".
        ("HTTP {status}, {text}", "", "", ""),
        ("HTTP {status}{with_text}", "", "", ""),
    ],
    ("collector", "scratch.py"): [
        ("{about}: {reason}. The disk", "{about}", SECTION, "see 'LocalStorageError'"),
    ],
    ("collector", "settings_reader.py"): [
        ("{self.problems}", "{self.problems}", "", "{self.problems}"),
    ],
    ("collector", "storage/blob_errors.py"): [
        ("{about}: {brief(error)} – {CHECK", "{about}", "", "{CHECK_ACCESS}"),
        ("{about}: {brief(error)} – {advice}", "{about}", "", "{advice}"),
        ("{about}: {brief(error)} – {cure}", "{about}", "", "{cure}"),
        ("{about}: {reason} – {advice}", "{about}", "", "{advice}"),
        ("{about}: {error} – check", "EVENTS_STORAGE", "", "check EVENTS_STORAGE"),
        ("{about}: nobody is logged in to Azure", "{about}", "", "run az login"),
        ("{about}: the app's identity gets no token:", "{about}", "", "check that the identity"),
        ("{about}: the app's identity gets no token for", "{about}", "", "{IF_IT_STAYS}"),
    ],
    ("collector", "settings_sources.py"): [
        ("{[f'{file} cannot be read", "{file}", "", "cannot be read: {error.strerror}"),
        ("{[f'{file} is not JSON", "{file}", "", "correct it"),
        ("{[f'{file} is not UTF-8", "{file}", "", "save it as UTF-8"),
        ("{[f'{file} is encrypted", "{file}", "", "{HOW_TO_DECRYPT}"),
        ("{[f'{file} has no object", "{file}", "", "begin again with a copy"),
        ("{[f'{name} in {file} is", "{name}", "", "write it in double quotes"),
        ("{[_cure(problem", "problem", "", "_cure"),
    ],
    ("collector", "storage/blobs.py"): [
        ("no free name for", "EVENTS_CONTAINER", LATER, "find what else writes"),
        ("event file {blob", "{blob.blob_name}", "{slow}", "{slow}"),
        ("event file {name}: the container", "{name}", "cannot be decoded again", "Check the name"),
        ("event file {name}: its content", "{name}", "cannot be decoded again", SECTION),
    ],
    ("collector", "storage/rejected_events.py"): [
        ("{about}: {error}", "{about}", "Nothing is changed", "Check that this is an event file"),
    ],
    ("collector", "salesforce/limits.py"): [
        ("{ABOUT}: the answer lacks", "{ABOUT}", "", "report it"),
    ],
    ("collector", "storage/trial.py"): [
        ("event file {name}: Storage gave", "{name}", "", "find what changes"),
        ("cursor {name}: Storage gave", "{name}", "", "find what changes"),
    ],
    ("sync", "budget.py"): [
        ("{[f'functionTimeout in", "functionTimeout in host.json", "", "must be hh:mm:ss"),
        ("{[f'MAX_RUN_SECONDS", "MAX_RUN_SECONDS", "", "must be at most"),
    ],
    ("sync", "culprits.py"): [
        ("Snowflake refuses each", "event files", "no file is refused", "Compare the table"),
    ],
    ("sync", "event_files/blobs.py"): [
        ("{self._about} has blobs", "EVENTS_CONTAINER", "", "check EVENTS_CONTAINER"),
        ("{self._about} does not exist", "EVENTS_CONTAINER", "", "check EVENTS_CONTAINER"),
    ],
    ("sync", "freshness.py"): [
        ("{oldest_left.name} is", "{oldest_left.name}", "still pending", "See 'BacklogError'"),
        ("the collector is silent", "MAX_SILENCE_HOURS", SECTION, "See 'SilenceError'"),
    ],
    ("sync", "report.py"): [
        ("{failures}", "{failures}", "{failures}", "{failures}"),
        ("{[*failures, error]}", "failures", "failures", "failures"),
        ("the table holds", "{', '.join(self.duplicates[:3])}", SECTION, "see 'Duplicate"),
        ("{len(self.refused)}", "{_listed(self.refused)}", "stay in the container", "See 'Files"),
        ("{len(self.unavail", "{_listed(self.unavailable)}", "tries again", "See 'Files"),
    ],
    ("sync", "warehouse/attempt.py"): [
        ("{batch.lines} lines were", "{batch.lines}", "", ""),
        ("the lock row has lost", "lock row", "", "{ENDED_FROM_OUTSIDE}"),
        ("the merge inserted", "{inserted} rows", "", "{ENDED_FROM_OUTSIDE}"),
        ("{recorded} of {len(files)}", "load records", "", "{ENDED_FROM_OUTSIDE}"),
        ("after COMMIT, {len(kept)}", "load records", "", "{ENDED_FROM_OUTSIDE}"),
    ],
    ("sync", "warehouse/session.py"): [
        ("{doing}: no time is left", "{doing}", "nothing is lost", "the next sweep goes on"),
    ],
    ("sync", "warehouse/snowflake_errors.py"): [
        ("{doing}: {type(error)", "{doing}", "", "allow the app to reach"),
        ("{doing}: {error.strerror}", "{doing}", SECTION, "see 'LocalStorageError'"),
        ("{doing}: Snowflake refuses a value", "{doing}", "", "{about}"),
        ("{message}", "{message}", "{message}", "{message}"),
    ],
    ("sync", "warehouse/tables.py"): [
        ("rows of the sync do not fit", "{problem}", "no file is loaded", "{problem}"),
        ("{self._names['lock']} has", "{self._names['lock']}", "", "then run, as the owner"),
        ("SNOWFLAKE_DATABASE and", "SNOWFLAKE_DATABASE", "", "create them, or grant USAGE"),
        ("{error}; or use", "{error}", "", "use a role that may run: {statement}"),
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
        texts = [
            message.text for message in found if (message.app, message.module) == (app, module)
        ]
        for beginning, *words in lines:
            fitting = [text for text in texts if text.startswith(beginning)]
            assert fitting, (app, module, beginning)
            for text in fitting:
                assert [word for word in words if word not in text] == [], text


def advice() -> Iterator[str]:
    yield from ADVICE.values()
    yield from rpc_errors.CURES.values()
    yield rpc_errors.NO_SERVER
    yield from (text for _, text in rest_errors.CURES.values())
    yield rest_errors.OTHER_CURE
    yield from (text for _, text in token_answers.ADVICE)


IMPERATIVE = re.compile(
    r"\b(check|set|grant|GRANT|give|see|create|deploy|add|ask|resume|raise|look|use|unlock"
    r"|pre-authorize|enable|unblock|report)\b"
)


@pytest.mark.parametrize("text", sorted(set(advice())))
def test_every_piece_of_advice_says_what_to_do(text: str) -> None:
    """The tables of advice are parts of messages that quote the foreign system."""
    assert IMPERATIVE.search(text), text
