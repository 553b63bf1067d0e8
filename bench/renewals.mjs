// The measured process of bench/library.ts: renewals with the built library, one after the other, as JSON on standard output.
// Each has a provider of its own, since a set of credentials that is a few seconds old is not renewed. Usage, below the top
// folder: node --expose-gc renewals.mjs COUNT OPTIONS_AS_JSON
import { fromRolesAnywhere } from '../dist/index.js';

const count = Number(process.argv[2]);
const options = JSON.parse(process.argv[3]);
const megabytes = () => {
  globalThis.gc();
  const { rss, heapUsed } = process.memoryUsage();
  return { rssMiB: rss / 2 ** 20, heapMiB: heapUsed / 2 ** 20 };
};

async function renew() {
  const credentials = fromRolesAnywhere(options);
  try {
    await credentials();
  } finally {
    credentials.close();
  }
}

const started = performance.now();
await renew();
const firstMs = performance.now() - started;
const wallMs = [];
const cpuMs = [];
const before = megabytes();
let after100 = before;
for (let done = 1; done <= count; done++) {
  const at = process.cpuUsage();
  const begun = performance.now();
  await renew();
  wallMs.push(performance.now() - begun);
  const { user, system } = process.cpuUsage(at);
  cpuMs.push((user + system) / 1000);
  if (done === 100) after100 = megabytes();
}
console.log(JSON.stringify({ firstMs, wallMs, cpuMs, before, after100, after: megabytes() }));
