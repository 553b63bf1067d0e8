/**
 * Runs one target in a process of its own: mutates inputs that went new ways, and tells its parent of finds. The
 * input that is being run stands in a file, so that the parent has it however this process ends.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { RolesAnywhereError } from '../../../src/platform/errors.ts';
import { TARGETS } from '../targets.ts';
import { type Find, HEADER_BYTES, type Job, type Report } from './job.ts';
import { largeInputs } from './large.ts';
import { mutate } from './mutate.ts';
import { Random } from './random.ts';
import { Broken, type Target, textOf } from './target.ts';

/** By instrument.ts: the counters of the sources. */
const { edgeCounters } = globalThis as unknown as { readonly edgeCounters: Uint8Array };

/** A hang, as the parent sees it, is longer than this. */
const SLOW_MS = 1000;
/** How many different finds end a run. */
const MAX_FINDS = 8;
const MAX_CORPUS = 4000;

/** Counts that differ in kind, as AFL has it: once, twice, thrice, and then by powers of two. */
const BUCKETS = Uint8Array.from({ length: 256 }, (_, count) => {
  if (count < 4) return [0, 1, 2, 4][count] ?? 0;
  return count < 8 ? 8 : count < 16 ? 16 : count < 32 ? 32 : count < 128 ? 64 : 128;
});

class Fuzzer {
  readonly #job: Job;
  readonly #target: Target;
  readonly #random: Random;
  readonly #edges: Uint8Array;
  readonly #edgeWords: Uint32Array;
  readonly #seen: Uint8Array;
  readonly #file: number;
  /** The number of the input that is being run, its length, the number of the run, and the bytes, as they go into the file. */
  #frame = Buffer.alloc(1 << 16);
  readonly #corpus: Uint8Array[] = [];
  readonly #words: Uint8Array[] = [];
  readonly #secrets: readonly string[];
  /** What ran since the event loop last turned: whence a rejection that nobody handled came. */
  readonly #recent: Uint8Array[] = [];
  readonly #finds = new Map<string, Find>();
  #rejection: { readonly error: unknown } | undefined;
  #inputs = 0;
  /** Some inputs are run more than once, and each run may take its time. */
  #runs = 0;
  /** Whether going on would only cost the machine. */
  #isIll = false;
  #covered = 0;
  #slowest = { ms: 0, input: new Uint8Array() };

  constructor(job: Job, target: Target) {
    this.#job = job;
    this.#target = target;
    this.#random = new Random(`${job.seed} ${job.target}`);
    const length = Math.ceil(job.edges / 4) * 4;
    this.#edges = edgeCounters.subarray(0, length);
    this.#edgeWords = new Uint32Array(this.#edges.buffer, 0, length / 4);
    this.#seen = new Uint8Array(length);
    this.#file = openSync(job.file, 'w');
    this.#words = (target.words ?? []).map((word) => Buffer.from(word));
    this.#secrets = (target.secrets ?? []).flatMap((secret) =>
      Array.from({ length: Math.max(1, secret.length - 11) }, (_, at) => secret.slice(at, at + 12)),
    );
    Error.stackTraceLimit = 0;
    process.on('unhandledRejection', (error) => (this.#rejection ??= { error }));
    process.on('uncaughtException', (error) => (this.#rejection ??= { error }));
  }

  async run(): Promise<void> {
    const { inputs, seconds, input: only } = this.#job;
    const began = performance.now();
    const cpuBefore = process.cpuUsage();
    const seeds = only === undefined ? this.#target.seeds : [readFileSync(only)];
    for (const seed of seeds) await this.#try(Buffer.from(seed));
    if (only === undefined) {
      for (const large of largeInputs(this.#target)) {
        if (this.#finds.size >= MAX_FINDS || this.#isIll) break;
        await this.#try(large, false);
        await this.#turn();
      }
      if (this.#corpus.length === 0) this.#corpus.push(new Uint8Array());
      while (this.#inputs < inputs && this.#finds.size < MAX_FINDS && !this.#isIll) {
        if (this.#inputs % 16 === 0 && (performance.now() - began) / 1000 >= seconds) break;
        if (this.#inputs % 256 === 0) await this.#turn();
        await this.#try(this.#next());
      }
    }
    await this.#turn();
    closeSync(this.#file);
    const cpu = process.cpuUsage(cpuBefore);
    const report: Report = {
      inputs: this.#inputs,
      seconds: (performance.now() - began) / 1000,
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
      edges: this.#covered,
      corpus: this.#corpus.length,
      slowestMs: this.#slowest.ms,
      peakMib: process.resourceUsage().maxRSS / 1024,
      finds: [...this.#finds.values()],
    };
    await new Promise<void>((done, fail) => {
      process.send?.(report, undefined, undefined, (error) => (error === null ? done() : fail(error)));
    });
    process.exit(0);
  }

  #next(): Uint8Array {
    const corpus = this.#corpus;
    // What went a new way lately is not worn out yet.
    const lately = this.#random.chance(2) ? Math.max(0, corpus.length - 16) : 0;
    const one = (): Uint8Array => corpus[lately + this.#random.below(corpus.length - lately)] ?? new Uint8Array();
    // The shorter of two, half of the time: it is read sooner, and a change hits more often what decides.
    const [first, second] = [one(), this.#random.chance(2) ? one() : undefined];
    const input = second !== undefined && second.length < first.length ? second : first;
    return mutate(input, {
      random: this.#random,
      corpus,
      words: this.#words,
      forms: this.#target.forms ?? [],
      maxLength: this.#target.maxLength ?? 4096,
    });
  }

  /** @param mayBeKept whether others are made of it, should it go new ways */
  async #try(input: Uint8Array, mayBeKept = true): Promise<void> {
    this.#inputs++;
    this.#recent.push(input);
    this.#edges.fill(0);
    const before = performance.now();
    const problem = await this.#problemWith(input);
    const took = performance.now() - before;
    if (mayBeKept && this.#goesNewWays() && this.#corpus.length < MAX_CORPUS) this.#corpus.push(input.slice());
    if (problem !== undefined) this.#note(problem, input);
    if (took > this.#slowest.ms && took > 2) await this.#time(input, took);
    if (took > 5 || this.#inputs % 128 === 0) {
      const mib = process.resourceUsage().maxRSS / 1024;
      if (mib > this.#job.maxMib) this.#note({ kind: 'memory', text: `${mib.toFixed(0)} MiB resident` }, input);
    }
  }

  /** Tells the parent what is run next, in one call of the system: on the quickest readers it is most of the work. */
  #tell(input: Uint8Array): void {
    const length = HEADER_BYTES + input.length;
    if (length > this.#frame.length) this.#frame = Buffer.alloc(2 * length);
    this.#frame.writeUInt32LE(this.#inputs, 0);
    this.#frame.writeUInt32LE(input.length, 4);
    this.#frame.writeUInt32LE(++this.#runs >>> 0, 8);
    this.#frame.set(input, HEADER_BYTES);
    writeSync(this.#file, this.#frame, 0, length, 0);
  }

  /** Runs an input, and says what is wrong with what came of it. */
  async #problemWith(input: Uint8Array): Promise<Problem | undefined> {
    const found = await this.#judged(input);
    if (found === undefined) return undefined;
    // Stack traces are most of what a refusal costs: only a find gets one.
    Error.stackTraceLimit = 20;
    const traced = await this.#judged(input);
    Error.stackTraceLimit = 0;
    return traced ?? { ...found, text: `${found.text} (once, and not when it was run again)` };
  }

  async #judged(input: Uint8Array): Promise<Problem | undefined> {
    this.#tell(input);
    try {
      // A copy: what a reader does to its input must not reach the corpus.
      const result = this.#target.run(input.slice());
      if (result instanceof Promise) await result;
      return undefined;
    } catch (error) {
      return this.#judge(error, input);
    }
  }

  #judge(error: unknown, input: Uint8Array): Problem | undefined {
    const known = error instanceof RolesAnywhereError || this.#target.expects?.(error) === true;
    if (!known) {
      const text = error instanceof Error ? (error.stack ?? error.message) : `not an Error: ${String(error)}`;
      return { kind: error instanceof Broken ? 'broken' : 'error', text };
    }
    if (this.#secrets.length === 0) return undefined;
    const told = textsOf(error).join('\n');
    const { names } = this.#target;
    const leaked = this.#secrets.find(
      (secret) =>
        told.includes(secret) &&
        (names === undefined || !(textOf(input).match(names) ?? []).some((name) => name.includes(secret))),
    );
    return leaked === undefined ? undefined : { kind: 'secret', text: `an error tells "${leaked}": ${told}` };
  }

  /** Compares the counters with all that was seen before. */
  #goesNewWays(): boolean {
    const [edges, words, seen] = [this.#edges, this.#edgeWords, this.#seen];
    let fresh = false;
    for (let word = 0; word < words.length; word++) {
      if (words[word] === 0) continue;
      for (let edge = word * 4; edge < word * 4 + 4; edge++) {
        const bucket = BUCKETS[edges[edge] ?? 0] ?? 0;
        const before = seen[edge] ?? 0;
        if ((before | bucket) === before) continue;
        if (before === 0) {
          this.#covered++;
          for (const text of this.#job.words[edge] ?? []) this.#learn(text);
        }
        seen[edge] = before | bucket;
        fresh = true;
      }
    }
    return fresh;
  }

  #learn(word: string | number): void {
    if (typeof word === 'string') this.#words.push(Buffer.from(word));
    else if (word >= 0 && word <= 0xff) this.#words.push(Uint8Array.of(word), Buffer.from(`${word}`));
    else if (word > 0 && word <= 0xffff_ffff) {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(word);
      this.#words.push(word <= 0xffff ? bytes.subarray(2) : bytes, Buffer.from(`${word}`));
    }
  }

  #note({ kind, text }: Problem, input: Uint8Array): void {
    if (kind === 'memory' || kind === 'hang') this.#isIll = true;
    const [first = '', ...frames] = text.split('\n');
    const where = frames.find((line) => /^\s+at /.test(line))?.replace(/:\d+:\d+\)?$/, '') ?? '';
    const key = `${kind} ${kind === 'memory' ? '' : first.replaceAll(/["'`].*["'`]|\d+/g, '').slice(0, 60)} ${where}`;
    if (this.#finds.has(key)) return;
    this.#finds.set(key, { kind, text, input: Buffer.from(input).toString('base64') });
  }

  /** Keeps the slowest input. What took long is timed again: the machine has others to serve. */
  async #time(input: Uint8Array, took: number): Promise<void> {
    let [ms, cpuMs] = [took, took];
    for (let again = 0; again < 3 && ms > this.#slowest.ms; again++) {
      const [before, cpuBefore] = [performance.now(), process.cpuUsage()];
      await this.#problemWith(input);
      const cpu = process.cpuUsage(cpuBefore);
      ms = Math.min(ms, performance.now() - before);
      cpuMs = Math.min(cpuMs, (cpu.user + cpu.system) / 1000);
    }
    if (ms <= this.#slowest.ms) return;
    this.#slowest = { ms, input: input.slice() };
    // Work counts as it is. What is waited for, such as another process, takes as much longer as the machine is overloaded.
    const overload = Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());
    if (cpuMs > SLOW_MS || ms > SLOW_MS * overload)
      this.#note({ kind: 'hang', text: `took ${ms.toFixed(0)} ms` }, input);
  }

  /** Has a second reader asked, lets the event loop turn, and finds whose rejection it was when nobody handled one. */
  async #turn(): Promise<void> {
    for (const { input, error } of (await this.#target.settle?.()) ?? []) {
      const problem = this.#judge(error, input);
      if (problem !== undefined) this.#note(problem, input);
    }
    const recent = this.#recent.splice(0);
    await setImmediate();
    if (this.#rejection === undefined) return;
    const { error } = this.#rejection;
    const text = `left alone: ${error instanceof Error ? error.stack : String(error)}`;
    for (const input of recent) {
      this.#rejection = undefined;
      await this.#problemWith(input);
      await setImmediate();
      if (this.#rejection !== undefined) {
        this.#note({ kind: 'rejection', text }, input);
        this.#rejection = undefined;
        return;
      }
    }
    this.#rejection = undefined;
    this.#note(
      { kind: 'rejection', text: `(of one of ${recent.length} inputs) ${text}` },
      recent.at(-1) ?? Buffer.of(),
    );
  }
}

type Problem = Pick<Find, 'kind' | 'text'>;

/** All that an error says, to its causes. */
function textsOf(error: unknown, depth = 4): string[] {
  if (depth === 0 || typeof error !== 'object' || error === null) return [String(error)];
  const { message, hint, cause } = error as { message?: unknown; hint?: unknown; cause?: unknown };
  return [String(message), String(hint), ...(cause === undefined ? [] : textsOf(cause, depth - 1))];
}

process.once('message', (job: Job) => {
  run(job).catch((error: unknown) => {
    // Of the fuzzer itself, or of opening a target: the parent shows it.
    console.error(error);
    process.exit(70);
  });
});

async function run(job: Job): Promise<void> {
  const open = TARGETS[job.target];
  if (open === undefined) throw new Error(`no target ${job.target}`);
  const target = await open();
  if (typeof target !== 'string') await new Fuzzer(job, target).run();
  else process.send?.({ skipped: target }, undefined, undefined, () => process.exit(0));
}
