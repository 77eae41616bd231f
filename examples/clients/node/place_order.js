// Places an order over gRPC: node place_order.js [SKU] [PENCE], with the address in ORDERING (127.0.0.1:50055).

import { randomUUID } from "node:crypto";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import { filesOf, includes } from "./contracts.js";
import { detailsOf } from "./errors.js";

const [sku = "TEA-01", pence = "350"] = process.argv.slice(2);
const definition = await loader.load(filesOf("commerce.ordering"), {
  includeDirs: includes,
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
});
const { OrderingService } = grpc.loadPackageDefinition(definition).commerce.ordering.v1;
const client = new OrderingService(process.env.ORDERING ?? "127.0.0.1:50055", grpc.credentials.createInsecure());

const UNKNOWN = [grpc.status.UNAVAILABLE, grpc.status.DEADLINE_EXCEEDED, grpc.status.CANCELLED];

// With these statuses nobody knows whether the command took effect. The same request_id with the same body is safe to
// repeat: if it did take effect, the answer is the one of that time.
async function untilAnswered(method, request, attempts = 10) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call(method, request);
    } catch (error) {
      if (!UNKNOWN.includes(error.code) || attempt === attempts) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.min(100 * 2 ** attempt, 5000)));
    }
  }
}

function call(method, request) {
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + 5000 };
    client[method](request, options, (error, reply) => (error ? reject(error) : resolve(reply)));
  });
}

const request = {
  request_id: randomUUID(),
  customer_id: "ada",
  lines: [{ sku, quantity: 2, unit_price: { minor_units: pence, currency: "GBP" } }],
  address: { name: "Ada", line1: "1 High Street", city: "Anytown", postal_code: "AB1 2CD", country: "GB" },
};

try {
  const { order, revision } = await untilAnswered("PlaceOrder", request);
  console.log(`${order.order_id} ${order.status} ${order.total.minor_units} ${order.total.currency} at ${revision}`);
  // A list is answered from a read model, a moment later; not_before waits for the commit of our own command.
  const { orders } = await untilAnswered("ListOrders", { customer_id: "ada", page_size: 1, not_before: revision });
  console.log(`the latest order of ada is ${orders[0].order_id}`);
} catch (error) {
  const { ErrorInfo, BadRequest } = detailsOf(error);
  console.error(`${grpc.status[error.code]} ${ErrorInfo?.reason ?? ""}: ${error.details}`);
  if (ErrorInfo?.metadata) console.error(`values: ${JSON.stringify(ErrorInfo.metadata)}`);
  for (const one of BadRequest?.field_violations ?? []) console.error(`${one.field}: ${one.description}`);
  process.exitCode = 1;
} finally {
  client.close();
}
