"""Runs ``publish.sh`` with recorders in place of ``az`` and ``curl``, which answer as Azure."""

from __future__ import annotations

import os
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from local import azure_cli

REPOSITORY = Path(__file__).resolve().parent.parent.parent
ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/my-app"
# Each recorder writes down its call and prints the next line of its file of answers; the last line
# is printed again and again. A line "fail" is an error.
ANSWER = r"""#!/usr/bin/env bash
next() {
  local line
  line=$(head -n 1 "$FOLDER/$1")
  [ "$(wc -l < "$FOLDER/$1")" -le 1 ] || sed -i 1d "$FOLDER/$1"
  [ "$line" != fail ] || { echo "refused by $1" >&2; exit 1; }
  printf '%b\n' "$line"
}
"""
AZ = (
    ANSWER
    + azure_cli.PRINT_WORDS
    + r""" >> "$FOLDER/words"
echo "az $*" | tr -s '\n ' ' ' >> "$FOLDER/record"; echo >> "$FOLDER/record"
case "$*" in
  *get-access-token*) next token ;;
  "resource list"*) next resource ;;
  *"/host/default/sync?"*) next sync ;;
  *"/functions?"*) next functions ;;
  "rest --method GET"*) next site ;;
  *) echo "no such command: $*" >&2; exit 2 ;;
esac
"""
)
CURL = (
    ANSWER
    + r"""
while [ $# -gt 1 ]; do
  case $1 in
    --output) output=$2; shift ;;
    --header) [[ $2 != @* ]] || header=$(cat "${2#@}"); shift ;;
  esac
  shift
done
echo "curl $1 $header" >> "$FOLDER/record"
case $1 in */api/publish*) name=publish ;; *) name=deployment ;; esac
answer=$(next $name) || { printf 000; exit 7; }
echo "${answer#* }" > "$output"
printf '%s' "${answer%% *}"
"""
)
WORKING = {
    "token": ["secret"],
    "resource": [ID],
    "site": [r"my-app.scm.azurewebsites.net\n3.13"],
    "publish": ['202 "4711"'],
    "deployment": ['200 {"status": 4}'],
    "sync": [""],
    "functions": ["my-app/Timer"],
}
UPLOAD = (
    "curl https://my-app.scm.azurewebsites.net/api/publish?RemoteBuild=false&Deployer=publish.sh"
    " Authorization: Bearer secret"
)
STATUS = (
    "curl https://my-app.scm.azurewebsites.net/api/deployments/4711 Authorization: Bearer secret"
)


class Azure:
    """A folder with the recorders, a package and the answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in (("az", AZ), ("curl", CURL), ("sleep", "#!/bin/sh\n")):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        self.package("Timer/function.json", "x/y.cpython-313-x86_64-linux-gnu.so")

    def package(self, *names: str) -> None:
        """Make a package with these files."""
        with zipfile.ZipFile(self.folder / "x.zip", "w") as content:
            for name in names:
                content.writestr(name, "")

    def publish(self, **answers: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run the script. What is not given is answered as by an app that works."""
        told: Mapping[str, Sequence[str]] = {**WORKING, **answers}
        for name, lines in told.items():
            (self.folder / name).write_text("".join(f"{line}\n" for line in lines))
        path = f"{self.folder}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", str(REPOSITORY / "docs/setup/azure/publish.sh"), "my-app", "x.zip"],
            cwd=self.folder,
            env={**os.environ, "PATH": path, "FOLDER": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self, beginning: str) -> list[str]:
        """The recorded calls that begin so."""
        lines = (self.folder / "record").read_text().splitlines()
        return [line for line in lines if line.startswith(beginning)]


@pytest.fixture
def azure(tmp_path: Path) -> Azure:
    """Recorders and a package with one function."""
    return Azure(tmp_path)


def test_it_publishes_without_a_remote_build_and_waits_for_the_function(azure: Azure) -> None:
    """The triggers are synced after the package is there. Nothing shows the token."""
    ended = azure.publish()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "publish.sh: my-app runs Timer\n"
    assert [it.strip() for it in azure.calls("") if "get-access-token" not in it][2:] == [
        UPLOAD,
        STATUS,
        f"az rest --method POST --url {ID}/host/default/sync?api-version=2025-03-01",
        f"az rest --method GET --url {ID}/functions?api-version=2025-03-01"
        " --query value[].name --output tsv",
    ]


def test_it_tries_again_while_a_new_app_is_not_up_yet(azure: Azure) -> None:
    """No answer, a role that does not work yet, another publish, and 503 for some minutes."""
    refused = ["fail", "401 x", "403 x", "404 x", "409 x", "429 x", "503 x"]
    ended = azure.publish(publish=[*refused, '202 "4711"'])
    assert ended.returncode == 0, ended.stderr
    assert len(azure.calls(UPLOAD)) == 8
    assert "my-app.scm.azurewebsites.net answered 503; trying again in 15 s" in ended.stdout


def test_it_waits_until_the_package_is_taken_over_and_the_function_is_listed(
    azure: Azure,
) -> None:
    """The status is missed while the app restarts; the sync fails until the host has started."""
    ended = azure.publish(
        deployment=["404 x", "503 x", '200 {"status": 1}', '200 {"status": 4}'],
        sync=["fail", ""],
        functions=["", "my-app/Other", "my-app/Other\\nmy-app/Timer"],
    )
    assert ended.returncode == 0, ended.stderr
    assert len(azure.calls(STATUS)) == 4
    assert len(azure.calls(f"az rest --method POST --url {ID}/host/default/sync")) == 4


@pytest.mark.parametrize(
    ("answers", "tries", "told"),
    [
        (
            {"publish": ["503 busy"]},
            40,
            "my-app did not accept the package: my-app.scm.azurewebsites.net answered 503."
            " It is not known whether the package was published, so my-app may run either version:"
            " publish again, or publish the version before. The answer: busy",
        ),
        (
            {"publish": ["504 x", "409 x", "400 bad zip"]},
            3,
            "my-app did not accept the package: my-app.scm.azurewebsites.net answered 400."
            " It is not known whether the package was published, so my-app may run either version:"
            " publish again, or publish the version before. The answer: bad zip",
        ),
        (
            {"publish": ["000 x"]},
            40,
            "my-app did not accept the package: my-app.scm.azurewebsites.net answered 000."
            " It is not known whether the package was published, so my-app may run either version:"
            " publish again, or publish the version before. The answer: x",
        ),
        (
            {"publish": ["409 x"]},
            40,
            "my-app did not accept the package: my-app.scm.azurewebsites.net answered 409."
            " Nothing was published. The answer: x",
        ),
        (
            {"publish": ["400 bad zip"]},
            1,
            "my-app did not accept the package: my-app.scm.azurewebsites.net answered 400."
            " Nothing was published. The answer: bad zip",
        ),
        (
            {"deployment": ['200 {"status": 1}', '200 {"id": "x", "status": 3}']},
            1,
            "my-app has not taken the package over: deployment 4711 has status 3. my-app may run"
            " the version before: see the deployment's log in the Azure portal, and publish again.",
        ),
        (
            {"deployment": ["503 x"]},
            1,
            "my-app has not taken the package over: deployment 4711 has status unknown. my-app may"
            " run the version before: see the deployment's log in the Azure portal, and publish"
            " again.",
        ),
        (
            {"functions": ["my-app/TimerOther"]},
            1,
            "my-app has the package, but Azure does not list Timer: it does not run. Read the"
            " app's log stream in the Azure portal, and publish again. The last answer:",
        ),
        (
            {"sync": ["fail"]},
            1,
            "my-app has the package, but Azure does not list Timer: it does not run. Read the"
            " app's log stream in the Azure portal, and publish again. The last answer: refused"
            " by sync",
        ),
        (
            {"resource": [""]},
            0,
            "there is no app my-app, or this login has no role on it: give it the role Website"
            " Contributor on the app, or correct the name.",
        ),
        (
            {"site": [r"my-app.scm.azurewebsites.net\n3.12"]},
            0,
            "x.zip has compiled code for cpython-313, and my-app runs Python 3.12: make the"
            " package with PYTHON=python3.12.",
        ),
        (
            {"token": ["fail"]},
            0,
            "az has no token for my-app.scm.azurewebsites.net. Nothing was published.",
        ),
    ],
    ids=[
        *("never up", "lost answer", "no answer", "busy", "refused", "failed", "lost"),
        *("never listed", "never synced"),
        *("no app", "another Python", "no login"),
    ],
)
def test_it_fails_if_the_app_does_not_run_what_was_published(
    answers: Mapping[str, Sequence[str]], tries: int, told: str, azure: Azure
) -> None:
    """The message says what is lost and what to do. It fails at once if waiting does not help."""
    ended = azure.publish(**answers)
    assert ended.returncode == 1
    assert len(azure.calls(UPLOAD)) == tries
    assert ended.stderr.removeprefix("refused by token\n").strip() == f"publish.sh: {told}"


@pytest.mark.parametrize("names", [[], ["src/function.json/x", "function.json"]])
def test_it_refuses_a_package_without_a_function(names: list[str], azure: Azure) -> None:
    """Azure accepts one, and then the app does nothing."""
    azure.package(*names)
    ended = azure.publish()
    assert ended.returncode == 1
    assert "publish.sh: x.zip " in ended.stderr
    assert "make it with package.sh.\n" in ended.stderr
    assert not (azure.folder / "record").exists()
