"""A picture can kill its worker, and nothing else: not the service, not another picture."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from inspect import signature
from pathlib import Path

import psutil
import pytest
import uvloop
from PIL import Image

from scripts.lib import pictures as make
from scripts.lib.paths import ROOT
from services.media.assets.external.pictures.client import PictureWorkers, WorkersFailed
from services.media.assets.external.pictures.messages import MIN_MEMORY, Inspected, Limits, Reason, Unreadable
from tests.services.media.assets.pictures.made import inspected, jpeg

pytestmark = pytest.mark.slow

LONG = 60.0
"""The seconds after which a test gives up to wait."""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.jpg"
    path.write_bytes(jpeg(200, 100))
    return path


@pytest.fixture
def strange(tmp_path: Path, good: Path) -> Path:
    """The good picture with a name that is no text."""
    path = tmp_path / os.fsdecode(b"a\n\xff \xc3\xa9.jpg")
    path.write_bytes(good.read_bytes())
    return path


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A file that never comes to an end, as nobody writes to it: a worker that opens it hangs."""
    path = tmp_path / "endless"
    os.mkfifo(path)
    return path


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG):
        while not true():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)


@asynccontextmanager
async def hanging(workers: PictureWorkers, path: Path) -> AsyncIterator[asyncio.Task[Inspected]]:
    """Begins an inspection of the endless file, and waits until a worker hangs in it."""
    task = asyncio.create_task(workers.inspect(path))
    end = await _other_end(path)
    try:
        yield task
    finally:
        os.close(end)
        task.cancel()
        await asyncio.wait([task])


async def _other_end(path: Path) -> int:
    """Opens a pipe as its writer, which is possible as soon as a reader waits for one."""
    async with asyncio.timeout(LONG):
        while True:
            try:
                return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            except OSError:
                await asyncio.sleep(0.01)


async def refused(workers: PictureWorkers, path: Path) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        await workers.inspect(path)
    return caught.value


def inside(workers: PictureWorkers, path: Path) -> set[int]:
    """Returns the workers that have a file open."""
    return {pid for pid in workers.pids if str(path) in _open_files(pid)}


def _open_files(pid: int) -> set[str]:
    try:
        return {str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return set()


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_a_worker_finds_the_same_as_the_program_in_this_process(tmp_path: Path, good: Path) -> None:
    here = inspected(tmp_path, jpeg(200, 100))
    async with PictureWorkers() as workers:
        assert workers.pids == ()
        assert await workers.inspect(good) == here
        assert len(workers.pids) == 1


async def test_many_pictures_share_few_workers(tmp_path: Path) -> None:
    paths = [tmp_path / f"{width}.jpg" for width in range(100, 112)]
    for width, path in enumerate(paths, 100):
        path.write_bytes(jpeg(width, 90))
    async with PictureWorkers(workers=2) as workers:
        found = await asyncio.gather(*map(workers.inspect, paths))
        assert [one.picture.width for one in found] == list(range(100, 112))
        assert len(workers.pids) == 2


async def test_a_file_that_is_refused_costs_no_worker(tmp_path: Path, good: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    async with PictureWorkers(workers=1) as workers:
        await workers.inspect(good)
        before = workers.pids
        assert (await refused(workers, bad)).reason is Reason.NOT_A_PICTURE
        await workers.inspect(good)
        assert workers.pids == before


async def test_a_file_that_is_not_there_is_the_fault_of_the_caller(tmp_path: Path) -> None:
    async with PictureWorkers() as workers:
        with pytest.raises(FileNotFoundError):
            await workers.inspect(tmp_path / "none.jpg")


async def test_any_name_of_a_file_can_be_asked_for(strange: Path) -> None:
    async with PictureWorkers() as workers:
        assert (await workers.inspect(strange)).picture.width == 200


async def test_a_picture_whose_worker_was_killed_is_tried_again(endless: Path, good: Path) -> None:
    async with PictureWorkers(workers=1) as workers, hanging(workers, endless) as task:
        first = workers.pids
        good.replace(endless)  # noqa: ASYNC240 - in no time
        os.kill(first[0], signal.SIGKILL)
        assert (await task).picture.width == 200
        assert workers.pids != first


async def test_a_picture_that_kills_its_workers_is_refused_and_others_go_on(endless: Path, good: Path) -> None:
    async with PictureWorkers(workers=2, tries=3) as workers, hanging(workers, endless) as task:
        await workers.inspect(good)
        (other,) = set(workers.pids) - inside(workers, endless)
        killed: set[int] = set()
        for _ in range(3):
            await until(lambda: bool(inside(workers, endless) - killed))
            (bad,) = inside(workers, endless) - killed
            os.kill(bad, signal.SIGKILL)
            killed.add(bad)
            await workers.inspect(good)
            assert other in workers.pids
        with pytest.raises(Unreadable) as caught:
            await task
        assert caught.value.reason is Reason.KILLED_ITS_WORKER
        assert "3 times" in caught.value.sentence


async def test_a_worker_that_was_killed_while_it_waited_is_replaced(good: Path) -> None:
    async with PictureWorkers(workers=1) as workers:
        await workers.inspect(good)
        (before,) = workers.pids
        os.kill(before, signal.SIGKILL)
        assert (await workers.inspect(good)).picture.width == 200
        assert before not in workers.pids


async def test_a_picture_that_takes_too_long_is_refused(endless: Path, good: Path) -> None:
    async with (
        PictureWorkers(workers=1, tries=2, limits=Limits(seconds=0.2)) as workers,
        hanging(workers, endless) as task,
    ):
        with pytest.raises(Unreadable) as caught:
            await task
        assert caught.value.reason is Reason.KILLED_ITS_WORKER
        assert "2 times" in caught.value.sentence


async def test_a_picture_that_computes_too_long_is_refused(tmp_path: Path, good: Path) -> None:
    """A small file with very many scans: seconds of computation in the decoder, which no handler interrupts."""
    bomb = tmp_path / "bomb.jpg"
    bomb.write_bytes(make.scan_bomb_jpeg(4000, 4000, 20_000))
    async with PictureWorkers(workers=1, tries=1, limits=Limits(cpu_seconds=1, seconds=LONG)) as workers:
        assert (await refused(workers, bomb)).reason is Reason.KILLED_ITS_WORKER
        assert (await workers.inspect(good)).picture.width == 200


async def test_the_bound_of_computation_is_one_for_each_picture(good: Path) -> None:
    """A worker computes for longer than the bound in all; each time it begins again."""
    async with PictureWorkers(workers=1, limits=Limits(cpu_seconds=1, pictures=1_000_000)) as workers:
        await workers.inspect(good)
        (pid,) = workers.pids
        while sum(psutil.Process(pid).cpu_times()[:2]) < 2.5:
            await workers.inspect(good)
            assert workers.pids == (pid,)


async def test_a_picture_that_needs_too_much_memory_is_refused_at_once(tmp_path: Path, good: Path) -> None:
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(make.black_png(14_000, 14_000, colours=3))
    async with PictureWorkers(workers=1) as workers:
        await workers.inspect(good)
        before = workers.pids
        refusal = await refused(workers, bomb)
        assert (refusal.reason, "700 MB" in refusal.sentence) == (Reason.TOO_MANY_PIXELS, True)
        assert (await workers.inspect(good)).picture.width == 200
        assert workers.pids != before


async def test_a_jpeg_that_is_larger_than_the_memory_is_decoded_smaller(tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    large.write_bytes(jpeg(image=Image.new("RGB", (9000, 8000), "red")))
    async with PictureWorkers(workers=1, limits=Limits(memory=MIN_MEMORY)) as workers:
        assert (await workers.inspect(large)).picture.width == 9000


async def test_the_limit_of_pixels_reaches_the_workers(good: Path) -> None:
    async with PictureWorkers(workers=1, limits=Limits(pixels=200 * 100 - 1)) as workers:
        assert (await refused(workers, good)).reason is Reason.TOO_MANY_PIXELS


async def test_a_worker_ends_after_its_number_of_pictures(good: Path) -> None:
    async with PictureWorkers(workers=1, limits=Limits(pictures=2)) as workers:
        for _ in range(2):
            await workers.inspect(good)
        assert workers.pids == ()
        assert (await workers.inspect(good)).picture.width == 200


async def test_the_end_of_the_service_ends_its_workers(good: Path, endless: Path) -> None:
    workers = PictureWorkers(workers=2)
    async with workers, hanging(workers, endless) as task:
        await workers.inspect(good)
        pids = workers.pids
        waiting = [asyncio.create_task(workers.inspect(endless)) for _ in range(3)]
        await until(lambda: inside(workers, endless) == set(pids))
        await workers.close()
        assert all(map(ended, pids))
        assert workers.pids == ()
        results = await asyncio.gather(task, *waiting, return_exceptions=True)
        assert [type(one) for one in results] == [WorkersFailed] * 4
        with pytest.raises(WorkersFailed):
            await workers.inspect(good)


async def test_an_inspection_that_is_cancelled_ends_its_worker(good: Path, endless: Path) -> None:
    async with PictureWorkers(workers=1) as workers, hanging(workers, endless) as task:
        (pid,) = workers.pids
        task.cancel()
        await asyncio.wait([task])
        assert ended(pid)
        assert (await workers.inspect(good)).picture.width == 200


SERVICE = """
import asyncio, sys
from pathlib import Path
import uvloop
from services.media.assets.external.pictures.client import PictureWorkers
from services.media.assets.external.pictures.messages import Limits

async def main():
    async with PictureWorkers(workers=2, limits=Limits(seconds=float(sys.argv[3]))) as workers:
        busy = asyncio.create_task(workers.inspect(Path(sys.argv[2])))
        while not workers.pids:
            await asyncio.sleep(0.01)
        await workers.inspect(Path(sys.argv[1]))
        print(*workers.pids, flush=True)
        await busy

with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(main())
"""


async def test_workers_end_with_a_service_that_was_killed(good: Path, endless: Path) -> None:
    command = (sys.executable, "-c", SERVICE, str(good), str(endless), "3")
    service = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    assert service.stdout
    end = await _other_end(endless)
    try:
        pids = [int(pid) for pid in (await service.stdout.readline()).split()]
        assert len(pids) == 2
        service.kill()
        await service.wait()
        await until(lambda: all(map(ended, pids)))
    finally:
        os.close(end)


def _python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


NO_WORKERS = [["/no/such/program"], _python("raise SystemExit(1)"), _python("print('hello')")]


@pytest.mark.parametrize("command", NO_WORKERS)
async def test_workers_that_do_not_start_are_not_the_fault_of_a_picture(good: Path, command: list[str]) -> None:
    async with PictureWorkers(command=command) as workers:
        for _ in range(3):
            with pytest.raises(WorkersFailed):
                await workers.inspect(good)
        assert workers.pids == ()


async def test_a_disk_that_cannot_be_read_is_not_the_fault_of_a_picture(tmp_path: Path) -> None:
    """The file of the memory of a process gives an error to whoever reads its beginning."""
    async with PictureWorkers(workers=1) as workers:
        with pytest.raises(WorkersFailed, match="cannot be read"):
            await workers.inspect(Path("/proc/self/mem"))


READY = "import os; w = lambda data: os.write(1, data); w(b'\\0\\0\\0\\x07\"ready\"'); os.read(0, 999); "


@pytest.mark.parametrize("answer", [r"b'\xff\xff\xff\xff'", r"b'\0\0\0\2{}'", r"b'\0\0\0\2['", r"b'\0\0'", "b''"])
async def test_a_worker_that_sends_something_else_is_ended(good: Path, answer: str) -> None:
    """It may be in the hands of the picture."""
    async with PictureWorkers(workers=1, tries=1, command=_python(f"{READY} w({answer})")) as workers:
        assert (await refused(workers, good)).reason is Reason.KILLED_ITS_WORKER
        assert workers.pids == ()


async def test_an_answer_that_is_too_long_is_not_waited_for(good: Path) -> None:
    command = _python(rf"{READY} w(b'\xff\xff\xff\xff'); os.read(0, 1)")
    async with PictureWorkers(workers=1, tries=1, command=command, limits=Limits(seconds=10 * LONG)) as workers:
        async with asyncio.timeout(LONG):
            assert (await refused(workers, good)).reason is Reason.KILLED_ITS_WORKER


async def test_a_worker_sees_no_secret_of_the_service(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb://user:password@host")
    async with PictureWorkers(workers=1) as workers:
        await workers.inspect(good)
        environment = psutil.Process(workers.pids[0]).environ()
    assert "PYTHONPATH" in environment
    assert "password" not in str(environment)


async def test_a_worker_has_no_file_of_the_service_open(good: Path) -> None:
    """Only the two ends of its pipes, and nowhere in place of the standard streams."""
    async with PictureWorkers(workers=1) as workers:
        await workers.inspect(good)
        files = [str(one.readlink()) for one in Path(f"/proc/{workers.pids[0]}/fd").iterdir()]  # noqa: ASYNC240
    assert files.count(os.devnull) == 3
    assert len(files) == 5


ON_UVLOOP = [
    test_many_pictures_share_few_workers,
    test_a_picture_that_kills_its_workers_is_refused_and_others_go_on,
    test_a_worker_that_was_killed_while_it_waited_is_replaced,
    test_a_picture_that_takes_too_long_is_refused,
    test_a_worker_ends_after_its_number_of_pictures,
    test_the_end_of_the_service_ends_its_workers,
    test_an_inspection_that_is_cancelled_ends_its_worker,
    test_a_worker_sees_no_secret_of_the_service,
    test_a_worker_has_no_file_of_the_service_open,
]


@pytest.mark.parametrize("test", ON_UVLOOP)
def test_it_is_the_same_on_uvloop(
    request: pytest.FixtureRequest, test: Callable[..., Coroutine[object, object, None]]
) -> None:
    """Services run on uvloop, which starts and ends processes in its own way."""
    given = {name: request.getfixturevalue(name) for name in signature(test).parameters}
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test(**given))


@pytest.mark.parametrize("command", NO_WORKERS)
def test_workers_do_not_start_on_uvloop_either(good: Path, command: list[str]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test_workers_that_do_not_start_are_not_the_fault_of_a_picture(good, command))
