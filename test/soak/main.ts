/**
 * Serves twenty roles to two hundred clients while everything goes wrong at random.
 *
 *     npm run soak -- [--seed N] [--clients N]
 *     SOAK_SECONDS=N npm run soak          # default 3600
 *
 * A line each minute; the status is 1 at the first wrong answer, with what went before it, or when something grew.
 */
import { parseArgs } from 'node:util';
import { soak } from './soak.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '20261129' },
    clients: { type: 'string', default: '200' },
  },
});
for (const [name, text] of Object.entries(values))
  if (!(Number(text) >= 0)) throw Object.assign(new Error(`--${name} takes a number`), { code: 'ERR_USAGE' });
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
const { wrong, ...result } = await soak({
  seed: Number(values.seed),
  seconds: Number(process.env['SOAK_SECONDS'] ?? 3600),
  clients: Number(values.clients),
  print: (line) => console.log(line),
  stop: stopping.signal,
});
console.log(JSON.stringify(result));
if (wrong === undefined) console.log('nothing wrong');
else console.error(`wrong: ${wrong}`);
process.exit(wrong === undefined ? 0 : 1);
