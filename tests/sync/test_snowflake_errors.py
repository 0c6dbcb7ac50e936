"""How the sync sorts the errors of Snowflake: by number, then by class, never by SQLSTATE."""

from __future__ import annotations

import pytest
from snowflake.connector import errors

from delete_sync.src.errors import (
    DataRefusedError,
    WarehouseRefusedError,
    WarehouseUnavailableError,
)
from delete_sync.src.warehouse.snowflake_errors import (
    ADVICE,
    IF_IT_STAYS,
    LOOK_IT_UP,
    OF_A_VALUE,
    TRANSIENT,
    UNANSWERED,
    translate,
    translated,
)

CATCH_ALLS = ("22000", "57014", "")
PEOPLE = (
    *(606, 608, 666, 904, 1003, 2003, 2014, 2043, 3001, 3041, 90073, 90105),
    *(100067, 100080, 100090, 390100, 390144, 390186, 390189, 390201, 390303, 390309),
    *(390420, 390422, 390913, 394300, 394306, 394400),
)


def error(
    number: int, state: str = "", kind: type = errors.ProgrammingError, text: str = ""
) -> object:
    return kind(msg=text or "Snowflake's words", errno=number, sqlstate=state)


@pytest.mark.parametrize("state", CATCH_ALLS)
@pytest.mark.parametrize("number", sorted(OF_A_VALUE))
def test_a_value_is_at_fault_only_for_its_numbers(number: int, state: str) -> None:
    """The error keeps the number, so that the sweep can tell a table at fault from a file."""
    for kind in (errors.ProgrammingError, errors.IntegrityError, errors.OperationalError):
        raised = translate(error(number, state, kind), "merge")
        assert isinstance(raised, DataRefusedError)
        assert raised.number == number


@pytest.mark.parametrize("state", CATCH_ALLS)
@pytest.mark.parametrize("number", sorted(TRANSIENT))
def test_what_may_pass_is_tried_again(number: int, state: str) -> None:
    """For example a statement that was cancelled, or a session that has ended."""
    raised = translate(error(number, state), "merge")
    assert isinstance(raised, WarehouseUnavailableError)
    assert raised.text.endswith(f" – {ADVICE.get(number, IF_IT_STAYS)}")


@pytest.mark.parametrize("state", CATCH_ALLS)
@pytest.mark.parametrize("number", PEOPLE)
def test_what_a_person_must_mend_is_refused_with_advice(number: int, state: str) -> None:
    """Neither the class nor the SQLSTATE of the error makes it transient or a value's fault."""
    for kind in (errors.ProgrammingError, errors.OperationalError, errors.DatabaseError):
        raised = translate(error(number, state, kind), "merge")
        assert type(raised) is WarehouseRefusedError
        assert raised.text.endswith(f" – {ADVICE[number]}")


@pytest.mark.parametrize("kind", UNANSWERED)
def test_a_server_that_does_not_answer_is_tried_again(kind: type) -> None:
    """The connector has its own numbers for that."""
    assert isinstance(translate(error(290503, kind=kind), "merge"), WarehouseUnavailableError)
    assert isinstance(translate(error(250001, kind=kind), "merge"), WarehouseUnavailableError)


def test_a_server_on_this_machine_that_does_not_answer_is_an_emulator_that_is_not_started() -> None:
    """Only an emulator runs on this machine. Other errors of it have their usual advice."""
    silent = error(250001, kind=errors.OperationalError)
    raised = translate(silent, "connecting to Snowflake", emulator=True)
    assert type(raised) is WarehouseUnavailableError
    assert raised.text.endswith(
        " – nothing answers at SNOWFLAKE_HOST and SNOWFLAKE_PORT: start the emulators"
        " (python3 tests/demo.py --keep)"
    )
    assert translate(silent, "connecting").text.endswith(f" – {ADVICE[250001]}")
    assert translate(error(390100), "x", emulator=True).text.endswith(f" – {ADVICE[390100]}")


def test_a_login_that_is_forbidden_needs_a_person() -> None:
    """The connector makes its number from that of a failed login and that of an HTTP status."""
    raised = translate(error(540001, kind=errors.DatabaseError), "connecting to Snowflake")
    assert type(raised) is WarehouseRefusedError
    assert raised.text.endswith(f" – {ADVICE[540001]}")


@pytest.mark.parametrize("state", ["22000", "22018", "42601", "57014"])
def test_an_unknown_number_of_a_statement_needs_a_person(state: str) -> None:
    """It is neither retried for ever, nor does it cost a file."""
    assert type(translate(error(2999, state), "merge")) is WarehouseRefusedError


def test_the_message_has_statement_text_number_and_sqlstate() -> None:
    raised = translate(error(2999, "42000", text="SQL error:\n  odd"), "insert_gaps")
    assert raised.text == (
        f"insert_gaps: SQL error: odd (error 2999, SQLSTATE 42000) – {LOOK_IT_UP}"
    )


def test_the_message_about_a_value_names_the_column_and_not_the_value() -> None:
    """The value may be personal data, and the message goes into the log."""
    text = (
        "DML operation to table DELETE_TRACKER failed on column OWNER_ID with error: "
        "String 'Jane Doe' is too long and would be truncated"
    )
    assert translate(error(100078, "22000", text=text), "merge").text == (
        "merge: Snowflake refuses a value of the column OWNER_ID (error 100078, SQLSTATE 22000)"
    )
    assert translate(error(100069, text="Error parsing JSON: Jane"), "copy").text == (
        "copy: Snowflake refuses a value (error 100069, SQLSTATE n/a)"
    )


@pytest.mark.parametrize(
    ("number", "text", "kept"),
    [
        (
            100090,
            "Duplicate row detected during DML action\nRow Values: ['Jane Doe', 1, \"O'Neil\"]",
            "Duplicate row detected during DML action Row Values…",
        ),
        (100999, "Failed to read 'Jane' of 'O'Neil' here", "Failed to read …"),
        (100000, 'No value {"name": "Jane"} fits', "No value …"),
        (100051, "Division by zero", "Division by zero"),
        (100080, "Columns (Jane) do not match", "Columns …"),
        (2003, "Object 'DB.SCHEMA.T' does not exist", "Object 'DB.SCHEMA.T' does not exist"),
        (99999, "Object 'T' is odd", "Object 'T' is odd"),
        (101000, "Object 'T' is odd", "Object 'T' is odd"),
    ],
)
@pytest.mark.parametrize("kind", [errors.ProgrammingError, errors.OperationalError])
def test_the_message_about_data_of_a_statement_quotes_none(
    number: int, text: str, kept: str, kind: type
) -> None:
    """Erasing does not reach logs. Names of objects stay, because a person needs them."""
    raised = translate(error(number, "42P18", kind, text), "merge")
    assert raised.text.startswith(f"merge: {kept} (error {number}, SQLSTATE 42P18) – ")


def test_only_errors_of_the_connector_are_translated() -> None:
    with pytest.raises(WarehouseUnavailableError, match=r"^COMMIT: "), translated("COMMIT"):
        raise errors.OperationalError(msg="gone", errno=250003)
    with pytest.raises(KeyError), translated("COMMIT"):
        raise KeyError("a fault of ours")
