"""The servers for development: one pair per folder, started once, ended completely, nobody else's process touched."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from pymongo import MongoClient

from scripts.lib import dev
from scripts.lib.dev import packages, ports, processes
from scripts.lib.dev.containers import Container
from scripts.lib.dev.server import Unavailable
from scripts.lib.test import infra_selected

MONGODB_ONLY = {"AMQP_URL": "amqp://elsewhere/"}
NOTHING = {**MONGODB_ONLY, "MONGODB_URI": "mongodb://elsewhere/"}

# Its broker answers every connection with the first byte of a handshake; the file beside it holds the broker's pid.
FAKE_DOCKER = """
import os, pathlib, signal, subprocess, sys
broker = pathlib.Path(__file__).with_name("broker")
greet = '''
import os, socket
with socket.create_server(("127.0.0.1", int(os.environ["AMQP_PORT"]))) as server:
    while True:
        connection, _ = server.accept()
        connection.recv(8)
        connection.sendall(bytes([1]))
        connection.close()
'''
if sys.argv[1:3] == ["compose", "--project-name"]:
    verb = sys.argv[6:]
    print(*verb, file=pathlib.Path(__file__).with_name("docker.log").open("a"))
    if verb[0] == "up":
        quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        broker.write_text(str(subprocess.Popen([sys.executable, "-c", greet], **quiet).pid))
    elif verb[0] == "ps" and broker.exists():
        print("id")
    elif verb[0] in ("stop", "kill") and broker.exists():
        os.kill(int(broker.read_text()), signal.SIGKILL)
        broker.unlink()
"""


@contextmanager
def running(folder: Path, environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    try:
        yield dev.up(folder, environ=environ)
    finally:
        dev.down(folder)


@contextmanager
def notes(uris: Mapping[str, str]) -> Iterator[Any]:
    client: MongoClient[dict[str, Any]]
    with MongoClient(uris["MONGODB_URI"], serverSelectionTimeoutMS=5000) as client:
        yield client["dev_servers"]["notes"]


def pids(folder: Path) -> list[int | None]:
    return [line.pid for line in dev.status(folder)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("second checkout")


@pytest.fixture(scope="module")
def uris(folder: Path) -> Iterator[dict[str, str]]:
    with running(folder, environ={}) as uris:
        yield uris


@pytest.mark.infra
@pytest.mark.slow
class TestBothServers:
    def test_a_second_up_changes_nothing(self, folder: Path, uris: dict[str, str]) -> None:
        before = pids(folder)
        assert None not in before
        assert dev.up(folder, environ={}) == uris
        assert pids(folder) == before

    def test_status_says_what_is_ready_where(self, folder: Path, uris: dict[str, str]) -> None:
        lines = dev.status(folder)
        assert [line.server for line in lines] == ["mongodb", "rabbitmq"]
        assert all(line.ready for line in lines)
        assert all(f":{line.port}/" in uri for line, uri in zip(lines, uris.values(), strict=True))

    @pytest.mark.parametrize("preset", [{}, {"AMQP_URL": "amqp://mine/"}])
    def test_a_shell_can_source_the_addresses(self, folder: Path, uris: dict[str, str], preset: dict[str, str]) -> None:
        script = f'set -u; . "{dev.env_file(folder)}"; printenv MONGODB_URI AMQP_URL'
        printed = subprocess.run(["sh", "-c", script], env=preset, capture_output=True, text=True, check=True).stdout
        assert printed.split() == list({**uris, **preset}.values())

    async def test_messages_survive_a_kill(self, folder: Path, uris: dict[str, str]) -> None:
        async with await aio_pika.connect(uris["AMQP_URL"]) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
            await channel.declare_exchange("by-key", "x-consistent-hash")
            await channel.default_exchange.publish(aio_pika.Message(b"still here", delivery_mode=2), queue.name)
            dev.rabbitmqctl("eval", dev.SYNC_QUEUE_NAMES, folder=folder)
            dev.kill("rabbitmq", folder)
        assert not dev.status(folder)[1].ready
        dev.restart("rabbitmq", folder)
        async with await aio_pika.connect(uris["AMQP_URL"]) as connection:
            channel = await connection.channel()
            message = await (await channel.get_queue("kept")).get(timeout=5)
            assert message.body == b"still here"
            await message.ack()


@pytest.mark.infra
@pytest.mark.slow
class TestMongoDB:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "checkout"

    @pytest.fixture
    def uris(self, folder: Path) -> Iterator[dict[str, str]]:
        with running(folder, environ=MONGODB_ONLY) as uris:
            yield uris

    @pytest.mark.parametrize("end", [dev.kill, lambda *_: None])
    def test_documents_survive_a_kill_and_a_restart(self, folder: Path, uris: dict[str, str], end: Any) -> None:
        before = pids(folder)
        with notes(uris) as collection:
            collection.insert_one({"_id": 1})
            end("mongodb", folder)
            dev.restart("mongodb", folder)
            assert pids(folder) != before
            assert collection.find_one() == {"_id": 1}

    def test_failpoints_can_be_set(self, uris: dict[str, str]) -> None:
        with notes(uris) as collection:
            off = {"configureFailPoint": "failCommand", "mode": "off", "data": {"failCommands": ["insert"]}}
            assert collection.database.client.admin.command(off)["ok"] == 1

    def test_a_port_that_was_taken_meanwhile_is_left_to_its_owner(self, folder: Path, uris: dict[str, str]) -> None:
        with notes(uris) as collection:
            collection.insert_one({"_id": 1})
        dev.down(folder)
        port = dev.servers(folder)[0].port()
        with socket.socket() as taken:
            taken.bind((ports.HOST, port or 0))
            moved = dev.up(folder, environ=MONGODB_ONLY)
            assert moved["MONGODB_URI"] != uris["MONGODB_URI"]
            with notes(moved) as collection:
                assert collection.find_one() == {"_id": 1}

    def test_down_leaves_no_process_and_wipe_no_data(self, folder: Path, uris: dict[str, str]) -> None:
        assert processes.owned(folder / "mongodb")
        dev.down(folder)
        assert not processes.owned(folder / "mongodb")
        assert (folder / "mongodb" / "data").exists()
        dev.down(folder, wipe=True)
        assert not (folder / "mongodb").exists()
        assert not dev.env_file(folder).read_text()

    def test_the_last_borrower_ends_what_was_borrowed(self, folder: Path) -> None:
        with dev.borrow(folder, environ=MONGODB_ONLY):
            with dev.borrow(folder, environ=MONGODB_ONLY) as inner:
                assert set(inner) == {"MONGODB_URI", "AMQP_URL"}
            assert dev.status(folder)[0].ready
        assert pids(folder) == [None, None]

    def test_a_borrower_leaves_running_what_ran_before(self, folder: Path, uris: dict[str, str]) -> None:
        with dev.borrow(folder, environ=MONGODB_ONLY) as borrowed:
            assert borrowed["MONGODB_URI"] == uris["MONGODB_URI"]
        assert dev.status(folder)[0].ready

    def test_an_interrupted_up_leaves_nothing_behind(self, folder: Path) -> None:
        script = "import sys, pathlib, scripts.lib.dev as d; d.up(pathlib.Path(sys.argv[1]), environ={})"
        starting = subprocess.Popen([sys.executable, "-c", script, folder], stderr=subprocess.DEVNULL)
        rabbitmq = folder / "rabbitmq"
        assert processes.wait_until(lambda: bool(processes.named("beam.smp", processes.owned(rabbitmq))), 20)
        starting.send_signal(signal.SIGINT)
        assert starting.wait(timeout=30) != 0
        assert processes.owned(rabbitmq) == processes.owned(folder / "mongodb") == []
        with running(folder, environ={}):
            assert all(line.ready for line in dev.status(folder))


@pytest.mark.infra
@pytest.mark.slow
def test_a_process_that_is_not_ours_is_never_ended(tmp_path: Path) -> None:
    """Not even one that has the pid in a stale pid file, names our folder, and serves a neighbouring folder."""
    ours, theirs = tmp_path / "dev" / "mongodb", tmp_path / "dev" / "mongodb2"
    for made in (ours, theirs, tmp_path / "dev" / "rabbitmq"):
        made.mkdir(parents=True)
    foreign = ["sh", "-c", "while :; do sleep 1; done", f"--dbpath={ours / 'data'}"]
    with subprocess.Popen(foreign, env={**os.environ, processes.MARK: str(theirs)}) as bystander:
        try:
            (ours / "mongod.lock").write_text(f"{bystander.pid}\n")
            (tmp_path / "dev" / "rabbitmq" / "rabbitmq.pid").write_text(f"{bystander.pid}\n")
            dev.kill("mongodb", tmp_path / "dev")
            dev.kill("rabbitmq", tmp_path / "dev")
            dev.down(tmp_path / "dev", wipe=True)
            assert bystander.poll() is None
        finally:
            processes.kill(theirs)


def test_servers_that_the_environment_names_are_not_started(tmp_path: Path) -> None:
    assert dev.up(tmp_path, environ=NOTHING) == {
        "MONGODB_URI": "mongodb://elsewhere/",
        "AMQP_URL": "amqp://elsewhere/",
    }
    assert pids(tmp_path) == [None, None]


def test_two_checkouts_get_different_ports(tmp_path: Path) -> None:
    files = [tmp_path / checkout / "rabbitmq" / "ports.json" for checkout in ("one", "two")]
    for file in files:
        file.parent.mkdir(parents=True)
    one, two = (ports.settle(file, ["amqp", "dist", "epmd"]) for file in files)
    assert len({*one.values()}) == 3
    assert ports.settle(files[0], ["amqp", "dist", "epmd"]) == one
    assert one != two


def test_a_policy_about_starting_services_is_put_back(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with packages.services_stay_off(policy):
        assert subprocess.run([policy], check=False).returncode == 101
    assert not policy.exists()

    permissive = "#!/bin/sh\nexit 0\n"
    policy.write_text(permissive)
    policy.chmod(0o755)
    with packages.services_stay_off(policy):
        assert subprocess.run([policy], check=False).returncode == 101
    assert policy.read_text() == permissive
    assert [policy] == list(tmp_path.iterdir())


def test_without_a_docker_engine_a_container_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    container = Container(dev.servers(tmp_path)[0])
    with pytest.raises(Unavailable, match="Docker"):
        container.prepare()
    assert not container.chosen


@pytest.mark.slow
def test_where_only_docker_answers_compose_runs_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f"#!{sys.executable}\n{FAKE_DOCKER}")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    folder = tmp_path / "dev"
    (folder / "rabbitmq").mkdir(parents=True)
    Container(dev.servers(folder)[1]).prepare()
    rabbitmq_only = {"MONGODB_URI": "mongodb://elsewhere/"}
    with running(folder, rabbitmq_only) as uris:
        assert f":{dev.status(folder)[1].port}/" in uris["AMQP_URL"]
        assert dev.status(folder)[1].ready
        dev.kill("rabbitmq", folder)
        assert not dev.status(folder)[1].ready
        assert dev.up(folder, environ=rabbitmq_only) == uris
    assert not dev.status(folder)[1].ready
    dev.down(folder, wipe=True)
    verbs = [line.split()[0] for line in (tmp_path / "docker.log").read_text().splitlines()]
    assert [verb for verb in verbs if verb != "ps"] == ["up", "kill", "up", "stop", "stop", "rm"]


@pytest.mark.slow
@pytest.mark.parametrize(("selection", "needed"), [("infra or not infra", True), ("not infra", False)])
def test_servers_are_needed_only_by_the_tests_that_say_so(tmp_path: Path, selection: str, needed: bool) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = infra\n")
    tests = "import pytest\ndef test_a(): ...\n@pytest.mark.infra\ndef test_b(): ...\n"
    (tmp_path / "test_sample.py").write_text(tests)
    collect = ["-m", "pytest", "-p", infra_selected.__name__, "-m", selection, "--collect-only"]
    finished = subprocess.run([sys.executable, *collect], cwd=tmp_path, capture_output=True, check=False)
    assert (finished.returncode == infra_selected.YES) is needed
