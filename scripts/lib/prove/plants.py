"""Bugs to plant, to show that the proof finds them. Each is a small change in a copy of the code.

The text that a change replaces must occur exactly once in its file, so that a plant never silently changes nothing.
"""

from collections.abc import Mapping
from pathlib import Path

from scripts.lib.prove.bank.plants import BANK_PLANTS
from scripts.lib.prove.changes import Change, Plant, planted

PLANTS: Mapping[str, Plant] = {
    "ack_before_commit": Plant(
        "a message that is acknowledged before it took effect is lost if the process ends in between",
        [
            Change(
                "messaging/consumer.py",
                "                handled = await self._handle_or_keep(",
                "                await delivery.ack()\n                handled = await self._handle_or_keep(",
            )
        ],
    ),
    "ack_unfinished_prefix": Plant(
        "an acknowledgement that covers a message which has not taken effect yet loses it if the process ends",
        [
            Change(
                "messaging/ack_window.py",
                "        while self._open and (self._open[0] in finished or self._open[0] in self._alone):\n",
                "        while self._open and finished:\n",
            ),
            Change("messaging/ack_window.py", "[(last, count > 1)]", "[(last, True)]"),
        ],
    ),
    "confirm_ignored": Plant(
        "an event that the broker did not confirm may be lost",
        [
            Change(
                "followers/relay.py",
                "            except BrokerAway as error:\n",
                "            except BrokerAway as error:\n                return\n",
            )
        ],
    ),
    "dedup_removed": Plant(
        "the broker may deliver a message again, and the second delivery must be recognised",
        [
            Change(
                "messaging/dispatcher.py",
                'id=f"{envelope.key}/{subscription.name}"',
                'id=f"{envelope.key}/{subscription.name}/{next(self._numbers)}"',
            ),
            Change(
                "messaging/dispatcher.py",
                "        self._by_type: dict[str, list[Subscription]] = {}\n",
                "        self._by_type: dict[str, list[Subscription]] = {}\n"
                "        self._numbers = __import__('itertools').count(id(self))\n",
            ),
        ],
    ),
    "lane_removed": Plant(
        "messages of one aggregate that are handled concurrently overtake each other",
        [
            Change(
                "messaging/consumer.py",
                "            lanes.submit(envelope.partition_key, partial(self._process, first, delivery, envelope))",
                "            lanes.submit(envelope.id, partial(self._process, first, delivery, envelope))",
            )
        ],
    ),
    "checkpoint_too_early": Plant(
        "work that is not done when the checkpoint passes it is never done after a crash",
        [
            Change(
                "followers/track.py",
                "                if not work.done():\n                    return\n                if work.cancelled():",
                "                if not work.done():\n"
                "                    self.open.popleft()\n"
                "                    self.place = place\n"
                "                    continue\n"
                "                if work.cancelled():",
            )
        ],
    ),
    "shared_failure": Plant(
        "the failure of one follower ends the work of all the others",
        [
            Change(
                "followers/followers.py",
                "        except (LeaseLost, Superseded, StoreAway):\n            raise\n",
                "        except Exception:\n            raise\n",
            )
        ],
    ),
    "place_goes_back": Plant(
        "a place that goes back, such as in a scan after a lost token, lets work be done again",
        [
            Change(
                "followers/track.py",
                "            if place.token or place.position > self.place.position:\n",
                "            if True:\n                self.place = place\n                continue\n",
            ),
            Change(
                "memory/leases.py",
                "            self._places[name] = max(",
                "            self._places[name] = (lambda stored, place, key: place)(",
            ),
            Change("mongo/leases.py", '    ahead = {"$gte": [[position, token], stored]}\n', "    ahead = True\n"),
        ],
    ),
    "timer_before_inbox": Plant(
        "a timer that fires before the inbox has been read overtakes an answer that came in time",
        [
            Change(
                "followers/inbox.py",
                "        if not self.topology.subscribes:\n            return\n",
                "        return\n",
            )
        ],
    ),
    "unfair_pending": Plant(
        "calls to a dependency that hangs take all places, and calls to one that answers wait behind them",
        [
            Change(
                "followers/pending.py",
                '        return self.missing or str(self.body.get("type", self.kind))\n',
                '        return ""\n',
            )
        ],
    ),
    "gap_unseen": Plant(
        "a place of the audit that passes an event without a trace hides that it never arrived",
        [
            Change(
                "operations/expected.py",
                "        if self._batches and not self._batches[0][1]:\n",
                "        if self._batches:\n",
            )
        ],
    ),
    "frozen_consumer": Plant(
        "without a heartbeat the broker keeps the messages of a frozen process for minutes",
        [
            Change(
                "process/main.py",
                "        heartbeat=max(math.ceil(settings.lease_seconds), _SHORTEST_HEARTBEAT),\n",
                "        heartbeat=0,\n",
            )
        ],
        simulated=False,
    ),
    "hole_not_held": Plant(
        "the commits behind one that cannot be read come out before it when it is mended",
        [Change("commits/reader.py", "        if not self._held and not batch.unreadable:\n", "        if True:\n")],
    ),
    "hole_forgotten": Plant(
        "a place passes the closing of a hole with a crash before the work that was held back is done",
        [Change("commits/reader.py", "            elif hole.closed >= since:\n", "            elif False:\n")],
    ),
    "read_back_unknown": Plant(
        "a commit that the primary has is not yet a commit that a majority has",
        [
            Change(
                "commits/group_commit.py",
                '                self._probe.count("treaty.commit.unknown")\n',
                '                self._probe.count("treaty.commit.unknown")\n'
                "                if all([await self._is_ours(append.commit) for append in batch]):\n"
                "                    outcomes = [Inserted.STORED] * len(batch)\n"
                "                    break\n",
            ),
            Change(
                "memory/commits.py",
                "        found = [c for c in self._durable(stream) if c.version >= first and",
                "        known = [stored.commit for stored in self._streams.get(stream, ())]\n"
                "        found = [c for c in known if c.version >= first and",
            ),
            Change(
                "mongo/commits.py",
                "            found = self._commits.find(within(stream, first, last), ",
                "            found = self._local.find(within(stream, first, last), ",
            ),
        ],
    ),
    "reply_before_durable": Plant(
        "an OK that is sent before a majority has the commit becomes untrue after a failover",
        [
            Change(
                "commits/writer.py",
                "            if draft.commit is not None:\n                try:\n",
                "            for request, outcome in [*draft.accepted, *draft.failed]:\n"
                "                request.resolve(outcome)\n"
                "            if draft.commit is not None:\n                try:\n",
            )
        ],
    ),
    "cancel_before_ack": Plant(
        "if a consumer is cancelled while its channel holds messages, later messages go to the next consumer first",
        [
            Change(
                "memory/broker.py",
                "                queue.consumer = None\n                queue.requeue()\n\n    async def queued",
                "                queue.consumer = None\n"
                "                asyncio.get_running_loop().call_later(1.0, queue.requeue)\n\n    async def queued",
            ),
            Change(
                "rabbit/broker.py",
                "            await self._end(channel, CLOSE_SECONDS if window.count == prefetch "
                "else CLOSE_LARGE_SECONDS)\n",
                "            await underlay.basic_cancel(consuming.consumer_tag)\n"
                "            asyncio.get_running_loop().call_later(1.0, asyncio.ensure_future, close(channel))\n",
            ),
        ],
    ),
    "row_counted_twice": Plant(
        "a sum that several streams meet in counts a commit again that is read again",
        [
            Change(
                "projections/projector.py",
                "        if version <= known.get(mark, Row(mark, 0, None)).version:\n            continue\n",
                "",
            )
        ],
    ),
    "release_races_arrival": Plant(
        "messages that are released outside their lane are overtaken by messages that arrive",
        [
            Change(
                "messaging/consumer.py",
                "                lanes.submit(key, partial(self._release, lanes, key))\n",
                "                asyncio.get_running_loop().create_task(self._release(lanes, key))\n",
            ),
            Change(
                "messaging/quarantine_keeper.py",
                "        try:\n            with guarding():\n                async with self._turns",
                "        self._keys.replace(key, ())\n"
                "        try:\n            with guarding():\n                async with self._turns",
            ),
        ],
    ),
    **BANK_PLANTS,
}


def plant(name: str, folder: Path) -> Mapping[str, str]:
    """Plants a bug in a copy of the code in a folder; returns the environment that makes Python use the copy.

    Raises:
        Missed: if the code does not have the text that a change replaces.
    """
    return planted(name, PLANTS[name], folder)
