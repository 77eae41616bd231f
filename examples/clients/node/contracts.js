// The contracts of this repository: the folders that protos are imported from, and the files of one context.

import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

// The second folder has buf/validate/validate.proto, which the contracts import.
export const includes = [join(root, "protos"), join(root, "libs/treaty/include")];

// Returns the proto files of every version of a context, such as commerce.ordering.
export function filesOf(context) {
  const folder = context.replaceAll(".", "/");
  const all = readdirSync(join(includes[0], folder), { recursive: true });
  return all.filter((name) => name.endsWith(".proto")).map((name) => `${folder}/${name.replaceAll("\\", "/")}`);
}
