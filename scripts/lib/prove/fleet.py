"""The service processes of a proof, and clients that repeat each command until it is answered."""

import asyncio
import math
import os
import random
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from treaty.process.crashes import VARIABLE
from treaty.rpc.client import channel

from scripts.lib.dev.ports import free_ports
from scripts.lib.processes import end, ready, start
from scripts.lib.prove.checker import Operation
from scripts.lib.prove.ground import accounts_pb2 as pb
from scripts.lib.prove.ground import accounts_pb2_grpc as pb_grpc

LEASE_SECONDS = 2.0

REFUSED = (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)


@dataclass(eq=False, slots=True)
class Service:
    """One process of a context."""

    context: str
    port: int
    process: asyncio.subprocess.Process
    stopped: bool = False

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    def signal(self, number: signal.Signals) -> None:
        if self.alive:
            self.process.send_signal(number)


@dataclass(slots=True)
class Fleet:
    """Starts and ends service processes.

    Attributes:
        environ: the environment of every process.
        logs: the folder for their output.
    """

    environ: Mapping[str, str]
    logs: Path
    services: list[Service] = field(default_factory=list)

    async def start(self, context: str, environ: Mapping[str, str] | None = None, *, wait: bool = True) -> Service:
        """Starts a process; returns when it is ready, or at once without `wait`. `environ` adds to its environment."""
        [port] = free_ports(1)
        own = {**self.environ, **(environ or {}), "GRPC_PORT": str(port)}
        log = self.logs / f"{context}-{len(self.services)}.log"
        running = await start([sys.executable, "-m", "scripts.lib.prove.serve", context], own, log)
        service = Service(context, port, running)
        self.services.append(service)
        if wait:
            await ready(f"127.0.0.1:{port}")
        return service

    async def operate(self, *arguments: str) -> asyncio.subprocess.Process:
        """Starts a process of an operator, with the arguments of `scripts.lib.prove.operate`."""
        command = [sys.executable, "-m", "scripts.lib.prove.operate", *arguments]
        return await start(command, self.environ, self.logs / "operators.log")

    async def kill(self, service: Service) -> None:
        """Ends a process as a power cut would."""
        service.signal(signal.SIGKILL)
        await service.process.wait()

    async def drain(self, service: Service) -> None:
        """Ends a process as a deployment does."""
        service.signal(signal.SIGCONT)
        await end(service.process)

    def living(self, context: str) -> list[Service]:
        return [s for s in self.services if s.context == context and s.alive and not s.stopped]

    async def stop(self) -> None:
        for service in self.services:
            service.signal(signal.SIGCONT)
        await asyncio.gather(*(end(service.process) for service in self.services))


@asynccontextmanager
async def fleet(mongodb_uri: str, amqp_url: str, logs: Path, **settings: str) -> AsyncIterator[Fleet]:
    """Runs service processes inside the block."""
    environ = {
        **os.environ,
        "MONGODB_URI": mongodb_uri,
        "AMQP_URL": amqp_url,
        "TREATY_LEASE_SECONDS": str(LEASE_SECONDS),
        "GRPC_HOST": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": "0",
        "LOG_LEVEL": "info",
        "GRPC_ENABLE_FORK_SUPPORT": "0",
        **settings,
    }
    environ.pop(VARIABLE, None)
    found = Fleet(environ, logs)
    try:
        yield found
    finally:
        await found.stop()


@dataclass(slots=True)
class Clients:
    """Sends movements and transfers, repeats each until it is answered, and records all commands and answers.

    Attributes:
        address: returns the address of the accounts; called for every attempt.
        accounts: the number of accounts.
        operations: the commands, with their outcomes.
        successes: the times of the OK answers, by the loop's clock.
        pause: about how many seconds a client waits before its next command.
        numbers: the number of the latest movement of each account that was answered with OK.
        most: the movements after which the clients wait.
        held: whether the clients wait before their next commands.
    """

    address: Callable[[], str]
    accounts: int = 40
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    operations: list[Operation] = field(default_factory=list)
    successes: list[float] = field(default_factory=list)
    pause: float = 0.0
    numbers: dict[str, int] = field(default_factory=dict)
    most: float = math.inf
    held: bool = False
    _channels: dict[str, Any] = field(default_factory=dict)
    _enough: bool = False

    def stop(self) -> None:
        """Makes every client end after the answer that it waits for."""
        self._enough = True

    async def run(self, clients: int) -> None:
        try:
            await asyncio.gather(*(self._ask_on() for _ in range(clients)))
        finally:
            for opened in self._channels.values():
                await opened.close()
            self._channels.clear()

    async def _ask_on(self) -> None:
        while not self._enough:
            if self.pause:
                await asyncio.sleep(self.pause * self.chance.uniform(0.5, 1.5))
            if self.held:
                await asyncio.sleep(0.1)
                continue
            if self.chance.random() < 0.1:
                await self._transfer()
            else:
                await self._move()

    async def _move(self) -> None:
        amount = self.chance.choice([5, 10, 20, 50, -5, -15])
        request = pb.MoveRequest(request_id=str(uuid.uuid4()), account_id=self._account(), amount=amount)
        operation = Operation(f"Move/{request.request_id}")
        await self._until_answered(operation, "Move", request)
        account = request.account_id
        self.numbers[account] = max(self.numbers.get(account, 0), operation.answer)

    async def _transfer(self) -> None:
        request = pb.TransferRequest(
            request_id=str(uuid.uuid4()), source=self._account(), target=self._account(), amount=5
        )
        await self._until_answered(Operation(f"Transfer/{request.request_id}"), "Transfer", request)

    def _account(self) -> str:
        return f"a{self.chance.randrange(self.accounts)}"

    async def _until_answered(self, operation: Operation, method: str, request: Any) -> None:
        self.operations.append(operation)
        while True:
            operation.asked += 1
            try:
                answer = await getattr(self._stub(), method)(request, timeout=3.0)
            except grpc.aio.AioRpcError as error:
                if error.code() in REFUSED:
                    operation.outcome = "refused"
                    return
                await asyncio.sleep(self.chance.uniform(0.05, 0.2))
            else:
                operation.outcome, operation.answer = "ok", getattr(answer, "number", 0)
                self.successes.append(asyncio.get_running_loop().time())
                return

    def _stub(self) -> pb_grpc.AccountsServiceStub:
        address = self.address()
        if address not in self._channels:
            self._channels[address] = channel(address)
        return pb_grpc.AccountsServiceStub(self._channels[address])
