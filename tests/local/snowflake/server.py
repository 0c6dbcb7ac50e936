"""The HTTP paths of Snowflake that the connector uses, versions 4 and 5.

Source: the connector's source. Its version 5 needs more fields in some answers than version 4.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import uuid
from pathlib import Path
from typing import Any, Optional
from urllib.parse import quote

from fakesnow.converter import from_binding
from fakesnow.server import _write_bucket_file
from fakesnow.transforms import SERVER_VERSION, stage
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from . import control, statements
from .account import Account, Login
from .errors import StatementError, gone
from .results import Result
from .sessions import Session

THREADS = 200  # statements that wait for a lock keep a thread
ANSWERS = 200  # answers that are kept, because a client repeats a request with the same id


class Server:
    """The HTTP side of one account. ``threads`` is as in ``Account``."""

    def __init__(self, threads: int | None) -> None:
        self.account = Account(threads)
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._running: dict[str, Session] = {}
        self.app = Router(
            routes=[
                Route("/session/v1/login-request", self.log_in, methods=["POST"]),
                Route("/session/token-request", self.renew, methods=["POST"]),
                Route("/session/heartbeat", self.heartbeat, methods=["POST"]),
                Route("/session", self.end_session, methods=["POST"]),
                Route("/queries/v1/query-request", self.query, methods=["POST"]),
                Route("/queries/v1/abort-request", self.abort_request, methods=["POST"]),
                Route("/fs_bucket/{path:path}", self.upload, methods=["PUT"]),
                Route("/fs_bucket/{path:path}", _not_there, methods=["HEAD", "GET"]),
                Route("/telemetry/send", _nothing, methods=["POST"]),
                Route("/stand-in", self.control, methods=["POST"]),
            ]
        )

    async def log_in(self, request: Request) -> JSONResponse:
        """Open a session. The answer has what both majors of the connector need."""
        data = (await _body(request))["data"]
        query = request.query_params
        try:
            login = Login(
                user=str(data.get("LOGIN_NAME") or "").upper(),
                database=_name(query.get("databaseName")),
                schema=_name(query.get("schemaName")),
                role=_name(query.get("roleName")),
                warehouse=_name(query.get("warehouse")),
                parameters=data.get("SESSION_PARAMETERS") or {},
            )
            session = await run_in_threadpool(self.account.log_in, login)
        except StatementError as error:
            return JSONResponse(_refusal(error))
        return JSONResponse(
            {
                "success": True,
                "data": {
                    "token": session.token,
                    "masterToken": f"master-{session.token}",
                    "validityInSeconds": 3600,
                    "masterValidityInSeconds": 14400,
                    "sessionId": session.number,
                    "serverVersion": SERVER_VERSION,
                    "parameters": [
                        {"name": "AUTOCOMMIT", "value": session.autocommit},
                        {"name": "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "value": 3600},
                        {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 0},
                    ],
                    "sessionInfo": {
                        "databaseName": session.database,
                        "schemaName": session.schema,
                        "roleName": session.who.role,
                        "warehouseName": session.who.warehouse,
                    },
                },
            }
        )

    async def renew(self, request: Request) -> JSONResponse:
        """A session that ended cannot be renewed."""
        return JSONResponse(_refusal(gone()))

    async def heartbeat(self, request: Request) -> JSONResponse:
        """Tell whether a session is still open."""
        found = self._session(request)
        return JSONResponse({"success": True, "data": None} if found else _refusal(gone()))

    async def end_session(self, request: Request) -> JSONResponse:
        """Close a session, which rolls its transaction back. Source: page "Transactions"."""
        session = self._session(request)
        if session and request.query_params.get("delete"):
            await run_in_threadpool(self.account.log_out, session)
        return JSONResponse({"success": True, "data": None})

    async def query(self, request: Request) -> JSONResponse:
        """Run a statement. A request that comes again with the same id gets the same answer."""
        body = await _body(request)
        session = self._session(request)
        if session is None:
            return JSONResponse(_refusal(gone()))
        number = f"{session.token} {request.query_params.get('requestId') or uuid.uuid4()}"
        if number not in self._answers:
            while len(self._answers) > ANSWERS:
                self._answers.pop(next(iter(self._answers)))
            self._running[number] = session
            # As a task of its own: the statement goes on if the client is gone.
            self._answers[number] = asyncio.ensure_future(self._answer(session, body, request))
            self._answers[number].add_done_callback(lambda _: self._running.pop(number, None))
        return JSONResponse(await asyncio.shield(self._answers[number]))

    async def _answer(self, session: Session, body: Any, request: Request) -> dict[str, Any]:
        query_id = str(uuid.uuid4())
        try:
            result, answer = await run_in_threadpool(answered, session, body)
        except StatementError as error:
            return _refusal(error, query_id)
        if result.upload:
            return {"success": True, "data": _upload(request, result.upload)}
        return {
            "success": True,
            "data": {
                "parameters": [{"name": "TIMEZONE", "value": "Etc/UTC"}],
                "queryId": query_id,
                "statementTypeId": result.type_id,
                "finalDatabaseName": session.database,
                "finalSchemaName": session.schema,
                **answer,
            },
        }

    async def abort_request(self, request: Request) -> JSONResponse:
        """Cancel a running statement."""
        body = await _body(request)
        wanted = str(body.get("requestId") or request.query_params.get("requestId"))
        for number, session in list(self._running.items()):
            if number.endswith(wanted):
                await run_in_threadpool(session.cancel)
        return JSONResponse({"success": True, "data": None})

    async def control(self, request: Request) -> JSONResponse:
        """Do what a test asks for. The server listens on 127.0.0.1 only."""
        asked = await _body(request)
        return JSONResponse(await run_in_threadpool(control.run, self.account, asked))

    async def upload(self, request: Request) -> Response:
        """Store a file on a stage."""
        body = await request.body()
        stored = await run_in_threadpool(_write_bucket_file, request.path_params["path"], body)
        return Response(status_code=200 if stored else 400)

    def _session(self, request: Request) -> Optional[Session]:
        return self.account.sessions.get(request.headers.get("Authorization", "")[17:-1])


def answered(session: Session, body: dict[str, Any]) -> tuple[Result, dict[str, Any]]:
    """Run the statement of a request. Returns its result, also in the form of an answer."""
    result = run(session, body)
    return result, {} if result.upload else result.answer()


def run(session: Session, body: dict[str, Any]) -> Result:
    """Run the statement of a request, once for each row of its values."""
    sql = str(body["sqlText"])
    if body.get("describeOnly"):
        return statements.describe(session, sql)
    given = body.get("bindings") or {}
    columns = [given[str(number)] for number in range(1, len(given) + 1)]
    if not any(isinstance(one["value"], list) for one in columns):
        return statements.execute(session, sql, [from_binding(one) for one in columns])
    rows = zip(*([from_binding({**one, "value": v}) for v in one["value"]] for one in columns))
    done = 0
    for row in rows:
        result = statements.execute(session, sql, row)
        done += int((result.rows or [["0"]])[0][0] or 0)
    result.rows = [[str(done)]]
    return result


def _refusal(error: StatementError, query_id: str = "") -> dict[str, Any]:
    return {
        "success": False,
        "code": error.number,
        "message": error.message,
        "data": {"errorCode": error.number, "sqlState": error.sqlstate, "queryId": query_id},
    }


def _upload(request: Request, data: dict[str, Any]) -> dict[str, Any]:
    """Let the client upload by plain HTTP, as to a stage on Google Cloud with a presigned URL."""
    folder = data["stageInfo"]["location"]
    target = Path(folder) / Path(data["src_locations"][0]).name
    path = quote(target.relative_to(stage.LOCAL_BUCKET_PATH).as_posix())
    info = {
        "locationType": "GCS",
        "location": f"{data['stage']}/",
        "creds": {},
        "presignedUrl": f"{request.url.scheme}://{request.url.netloc}/fs_bucket/{path}",
        "region": "",
        "path": "",
        "isClientSideEncrypted": False,
    }
    return {**data, "stageInfo": info, "overwrite": True}


def _name(text: Optional[str]) -> str:
    if not text:
        return ""
    return text[1:-1] if text.startswith('"') else text.upper()


async def _body(request: Request) -> Any:
    body = await request.body()
    if request.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    return json.loads(body or b"{}")


async def _nothing(request: Request) -> JSONResponse:
    return JSONResponse({"success": True, "data": None})


async def _not_there(request: Request) -> Response:
    return Response(status_code=404)
