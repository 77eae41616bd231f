// Prints the integration events of Ordering: node subscribe.js [COUNT], with the broker in AMQP_URL. It ends after COUNT.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import amqp from "amqplib";
import protobuf from "protobufjs";
import { filesOf, includes } from "./contracts.js";

const count = Number(process.argv[2] ?? Infinity);
const CONTEXT = "commerce.ordering";
const QUEUE = "examples.node";

// protobufjs brings the protos of google.protobuf along, but knows descriptor.proto only when it is told.
const descriptor = createRequire(import.meta.url)("protobufjs/google/protobuf/descriptor.json");
protobuf.common("descriptor", descriptor.nested.google.nested.protobuf.nested);

const root = new protobuf.Root();
const resolve = root.resolvePath;
root.resolvePath = (origin, target) => {
  const found = includes.map((folder) => `${folder}/${target}`).find((path) => existsSync(path));
  return found ?? resolve(origin, target);
};
await root.load(filesOf(CONTEXT), { keepCase: true });

const connection = await amqp.connect(process.env.AMQP_URL ?? "amqp://guest:guest@127.0.0.1:5672/");
const channel = await connection.createChannel();

// A queue of our own, bound to the exchange of the context. A quorum queue survives the loss of a broker; with one
// consumer at a time (x-single-active-consumer) the events of an order are handled in their order.
await channel.assertQueue(QUEUE, {
  durable: true,
  arguments: { "x-queue-type": "quorum", "x-single-active-consumer": true },
});
await channel.bindQueue(QUEUE, `${CONTEXT}.events`, `${CONTEXT}.v1.#`);
await channel.prefetch(20);
console.log(`listening to ${CONTEXT}.events`);

// Every event comes at least once. A real subscriber keeps these ids beside its own data, in the same transaction.
const seen = new Set();

await channel.consume(QUEUE, async (message) => {
  const headers = message.properties.headers;
  const id = String(headers["ce-id"]);
  const type = root.lookup(String(headers["ce-type"]));
  if (!seen.has(id) && type) {
    seen.add(id);
    const event = type.decode(message.content).toJSON();
    console.log(`${type.name} ${headers["ce-subject"]} ${headers["ce-time"]} ${JSON.stringify(event)}`);
  }
  channel.ack(message);
  if (seen.size >= count) {
    await channel.close();
    await connection.close();
  }
});
