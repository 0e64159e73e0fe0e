import { text } from "node:stream/consumers";

import { kinds, type Cast } from "./cast.js";
import { walk, type Row } from "./walk.js";

/*
 * Makes every call as everybody, inside the service's namespace. Standard input has where and with what, in JSON; standard output gets
 * the rows, those of certificates first.
 */

const { address, proofs } = JSON.parse(await text(process.stdin)) as { address: string; proofs: Cast["proofs"] };
const found: Row[][] = [];
for (const kind of kinds) found.push(await walk(address, { proofs }, kind));
process.stdout.write(JSON.stringify(found));
