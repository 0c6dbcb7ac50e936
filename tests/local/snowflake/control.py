"""What tests ask the stand-in for, in JSON: settings, faults and the record of a schema."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .faults import Fault

if TYPE_CHECKING:
    from .account import Account
    from .scope import Scope

Answer = dict[str, Any]


def run(account: Account, asked: Mapping[str, Any]) -> Answer:
    """Do what ``asked["ask"]`` names for the schema ``asked["schema"]``, and answer."""
    scope = account.scope(str(asked["schema"]))
    return ASKED[str(asked["ask"])](account, scope, asked)


def _set(account: Account, scope: Scope, asked: Mapping[str, Any]) -> Answer:
    for name in ("reading", "blind", "idle_seconds"):
        if asked.get(name) is not None:
            setattr(scope, name, asked[name])
    if asked.get("seed") is not None:
        scope.chance = random.Random(asked["seed"])
    if asked.get("parameters") is not None:
        scope.parameters = {key.upper(): str(one) for key, one in asked["parameters"].items()}
    return {}


def _fault(account: Account, scope: Scope, asked: Mapping[str, Any]) -> Answer:
    scope.faults.planned.append(Fault(**asked["fault"]))
    return {}


def _random(account: Account, scope: Scope, asked: Mapping[str, Any]) -> Answer:
    scope.faults.chance = random.Random(asked["seed"])
    scope.faults.rate, scope.faults.kinds = float(asked["rate"]), asked["kinds"]
    return {}


def _clear(account: Account, scope: Scope, asked: Mapping[str, Any]) -> Answer:
    scope.faults.planned.clear()
    scope.faults.rate = 0
    return {}


def _record(account: Account, scope: Scope, asked: Mapping[str, Any]) -> Answer:
    return {"statements": list(scope.sent), "happened": dict(scope.faults.happened)}


def _forget(account: Account, scope: Scope, asked: Mapping[str, Any]) -> Answer:
    scope.sent.clear()
    return {}


def _abort(account: Account, scope: Scope, asked: Mapping[str, Any]) -> Answer:
    """Abort the transaction of one session, or of all sessions of the schema."""
    found = [
        session
        for session in list(account.sessions.values())
        if session.scope is scope and asked.get("session") in (None, session.number)
    ]
    open_ones = [session.number for session in found if session.transaction]
    for session in found:
        session.abort()
    return {"aborted": open_ones}


def _sessions(account: Account, scope: Scope, asked: Mapping[str, Any]) -> Answer:
    return {
        "sessions": {
            str(session.number): session.transaction is not None
            for session in list(account.sessions.values())
            if session.scope is scope
        }
    }


ASKED: Mapping[str, Callable[..., Answer]] = {
    "set": _set,
    "fault": _fault,
    "random": _random,
    "clear": _clear,
    "record": _record,
    "forget": _forget,
    "abort": _abort,
    "sessions": _sessions,
}
