"""Real peers: what the tests may rely on, and what happens where one is not there."""

import subprocess
import sys
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.peers import lacking
from tools import nginx as web
from tools import postgres as peer
from tools.nginx import Nginx
from tools.postgres import Postgres

ROOT = Path(__file__).parent.parent


def libpq(url: str) -> str:
    return url.replace("+psycopg", "")


def asked(url: str, question: str) -> object:
    with psycopg.connect(libpq(url), autocommit=True) as connection:
        (answer,) = connection.execute(question).fetchone()  # type: ignore[call-overload, misc]
        return answer


def test_a_peer_that_is_not_there_skips_a_test_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no such server"):
        lacking("no such server")


def test_where_all_peers_are_meant_to_be_one_that_is_not_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=r"no such server.*CI"):
        lacking("no such server")


def test_without_postgresql_it_says_what_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(peer, "_DEBIAN", tmp_path)
    assert "make peers" in peer.missing()


def test_postgresql_is_as_careful_as_a_real_one(postgres_url: str) -> None:
    assert asked(postgres_url, "SHOW fsync") == "on"
    assert asked(postgres_url, "SHOW synchronous_commit") == "on"


def test_postgresql_sorts_text_as_people_do(postgres_url: str) -> None:
    """Not by bytes, as a database in the C locale would: whoever leans on that has to say so."""
    assert asked(postgres_url, "SELECT 'a' < 'B' AND 'B' < 'c'") is True


@pytest.mark.parametrize("_", range(2))
def test_each_test_has_an_empty_database(postgres_url: str, _: int) -> None:
    with psycopg.connect(libpq(postgres_url)) as connection:
        connection.execute("CREATE TABLE own (n int)")


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_what_was_committed_is_there_after_a_restart(postgres: Postgres, postgres_url: str, mode: str) -> None:
    with psycopg.connect(libpq(postgres_url), autocommit=True) as connection:
        connection.execute("CREATE TABLE own AS SELECT 7 AS n")
        postgres.stop(mode)  # type: ignore[arg-type]
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="refused"):
        asked(postgres_url, "SELECT 1")
    postgres.start()
    assert asked(postgres_url, "SELECT n FROM own") == 7


@pytest.mark.usefixtures("postgres")
def test_a_killed_run_leaves_nothing_behind() -> None:
    """Neither a server nor a folder: the guard sees that its pipe has ended."""
    code = "from tools.postgres import Postgres; p = Postgres(); print(p.folder, p.dsn(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        folder, dsn = run.stdout.readline().split()
        assert asked(dsn, "SELECT 1") == 1
        run.kill()
        assert run.stdout.read() == ""  # the guard holds the other end, and has now ended as well
    assert not Path(folder).exists()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        asked(dsn, "SELECT 1")


def installed(folder: Path, apt_get: str | None) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run `make peers` as root where no peer is; what was said, and what *apt_get* has written into its log."""
    (folder / "createcluster.conf").write_text("own = 1\n")
    if apt_get is not None:
        told = 'echo "$0 $@" >> log; while read -r line; do echo "$line" >> log; done'
        for name, script in (("apt-get", apt_get), ("update-rc.d", told), ("debconf-set-selections", told)):
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)
    code = (
        "import os, pathlib, mail, peers, postgres\n"
        "here = pathlib.Path.cwd()\n"
        "os.geteuid, postgres._DEBIAN, peers._SBIN = lambda: 0, here, here\n"
        "mail.programs._SBIN = ()\n"
        "peers._CREATION = here / 'createcluster.conf'\n"
        "peers.main()"
    )
    environment = {"PATH": str(folder), "PYTHONPATH": str(ROOT / "tools")}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    log = folder / "log"
    return done, log.read_text() if log.exists() else ""


def test_a_peer_is_installed_without_a_server_of_the_systems_own(tmp_path: Path) -> None:
    noted = """
echo "$@" >> log
for file in createcluster.conf policy-rc.d; do
    if [ -e $file ]; then while read -r line; do echo "$line" >> log; done < $file; fi
done
"""
    done, log = installed(tmp_path, noted)
    assert (done.returncode, done.stderr) == (0, "")
    *_, postgresql, ngircd, mail, kannel, prosody, ejabberd = log.split("-qq ")
    assert postgresql.startswith("install --yes --no-install-recommends postgresql-15")
    assert "create_main_cluster = false" in postgresql
    assert ngircd.startswith("install --yes --no-install-recommends ngircd")
    assert "exit 101" in ngircd
    assert "update-rc.d ngircd disable" in ngircd
    assert "postfix postfix/main_mailer_type select No configuration" in ngircd, "told before it is installed"
    assert mail.startswith("install --yes --no-install-recommends postfix dovecot-imapd dovecot-lmtpd")
    assert "exit 101" in mail
    assert "update-rc.d postfix disable" in mail
    assert "update-rc.d dovecot disable" in mail
    assert kannel.startswith("install --yes --no-install-recommends kannel kannel-extras")
    assert "exit 101" in kannel
    assert "update-rc.d kannel disable" in kannel
    assert prosody.startswith("install --yes --no-install-recommends prosody lua-dbi-sqlite3 prosody-modules")
    assert "exit 101" in prosody
    assert "update-rc.d prosody disable" in prosody
    assert ejabberd.startswith("install --yes --no-install-recommends ejabberd erlang-p1-sqlite3")
    assert "exit 101" in ejabberd
    assert "update-rc.d ejabberd disable" in ejabberd
    assert (tmp_path / "createcluster.conf").read_text() == "own = 1\n", "the machine's settings are as they were"
    assert not (tmp_path / "policy-rc.d").exists()


def test_a_machine_that_says_itself_what_may_be_started_goes_on_saying_it(tmp_path: Path) -> None:
    (tmp_path / "policy-rc.d").write_text("own\n")
    done, _ = installed(tmp_path, "exit 0")
    assert done.returncode == 0
    assert (tmp_path / "policy-rc.d").read_text() == "own\n"


@pytest.mark.parametrize("apt_get", [None, "echo no network; exit 100"])
def test_a_machine_that_cannot_install_a_peer_says_so_and_goes_on(tmp_path: Path, apt_get: str | None) -> None:
    done, _ = installed(tmp_path, apt_get)
    assert done.returncode == 0
    assert "are skipped" in done.stderr
    assert apt_get is None or "no network" in done.stderr


def test_one_peer_that_cannot_be_installed_keeps_no_other_away(tmp_path: Path) -> None:
    done, log = installed(tmp_path, 'echo "$@" >> log; case "$*" in *postgresql*) exit 100;; esac')
    assert "PostgreSQL could not be installed" in done.stderr
    assert "install --yes --no-install-recommends ngircd" in log
    assert "install --yes --no-install-recommends postfix" in log


def test_nginx_answers_at_each_of_its_hosts_and_counts(nginx: Nginx) -> None:
    """So what is measured against it can say how much of it has arrived."""
    before = nginx.requests

    answers = [httpx.post(url, content=b"{}", trust_env=False).status_code for url in (nginx.url, *nginx.urls)]

    assert answers == [204] * 5
    assert nginx.requests - before == 5 + 1


def test_nginx_is_gone_with_all_that_it_had() -> None:
    with Nginx() as server:
        folder, url = server.folder, server.url
    assert not folder.exists()
    with pytest.raises(httpx.ConnectError):
        httpx.post(url, trust_env=False)


def test_without_nginx_it_says_what_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(web, "_SBIN", str(tmp_path))
    assert "make peers" in web.missing()
