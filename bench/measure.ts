/** Wall time of whole processes, interleaved so that what else the machine does falls on all variants alike. */
import { execFileSync, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';

/** One thing to measure. The first variant of a list is what the others are compared to. */
export interface Variant {
  name: string;
  /** What is run; default Node. */
  program?: string | undefined;
  args: readonly string[];
  /** Besides the bare environment that all have. */
  env?: Readonly<Record<string, string>> | undefined;
}

export interface Result {
  name: string;
  /** From spawn to exit, in milliseconds. */
  medianMs: number;
  /** Median over the first variant's median. */
  ratio: number;
  /** First and third quartile, over the first variant's median. */
  quartiles: [number, number];
}

export interface Results {
  node: string;
  runs: number;
  variants: Result[];
}

/** NODE_EXTRA_CA_CERTS alone makes bare Node 20 three times slower: nothing of the shell's environment is passed on. */
const CLEAN_ENV = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/nonexistent', LANG: 'C.UTF-8' };
const WARM_UP_ROUNDS = 2;

/** @throws Error when a run does not exit with 0: a failure is fast, and no measurement */
export async function measure(node: string, variants: readonly Variant[], runs: number): Promise<Results> {
  const times = variants.map((): number[] => []);
  for (let round = -WARM_UP_ROUNDS; round < runs; round += 1) {
    for (const index of shuffled(variants.length)) {
      const elapsed = await timeOnce(node, variants[index]!);
      if (round >= 0) times[index]!.push(elapsed);
    }
  }
  const base = quantile(times[0]!, 0.5);
  return {
    node: execFileSync(node, ['-p', 'process.versions.node'], { env: CLEAN_ENV, encoding: 'utf8' }).trim(),
    runs,
    variants: variants.map(({ name }, index) => {
      const samples = times[index]!;
      const medianMs = quantile(samples, 0.5);
      return {
        name,
        medianMs,
        ratio: medianMs / base,
        quartiles: [quantile(samples, 0.25) / base, quantile(samples, 0.75) / base],
      };
    }),
  };
}

async function timeOnce(node: string, { name, program = node, args, env }: Variant): Promise<number> {
  const started = performance.now();
  const child = spawn(program, args, { env: { ...CLEAN_ENV, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const [status] = (await once(child, 'exit')) as [number | null];
  const elapsed = performance.now() - started;
  if (status !== 0) throw new Error(`${name} ended with status ${status}\n${errors}`);
  return elapsed;
}

function shuffled(length: number): number[] {
  const order = Array.from({ length }, (_, index) => index);
  for (let last = length - 1; last > 0; last -= 1) {
    const other = randomInt(last + 1);
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}

/** By linear interpolation. */
function quantile(samples: readonly number[], fraction: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(position)]!;
  const above = sorted[Math.ceil(position)]!;
  return below + (above - below) * (position - Math.floor(position));
}
