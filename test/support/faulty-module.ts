/** The C module with faults (test/identity/pkcs11/module/faulty.c), compiled for one suite. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SOFTHSM_MODULE } from './softhsm.ts';

const SOURCE = fileURLToPath(new URL('../identity/pkcs11/module/faulty.c', import.meta.url));

export class FaultyModule {
  readonly path: string;

  constructor(directory: string) {
    this.path = join(directory, 'faulty.so');
    const options = ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', `-DSOFTHSM="${SOFTHSM_MODULE}"`];
    execFileSync('gcc', [...options, '-o', this.path, SOURCE, '-ldl']);
    this.behave();
  }

  /** Sets the faults, for example `sign=segv flags=low`; without any, behaves. */
  behave(faults = ''): void {
    writeFileSync(`${this.path}.control`, faults);
  }

  /** How often a function was called since the last {@link forget}, with this argument if one is given. */
  count(name: string, detail?: number): number {
    return this.#log().filter((line) =>
      detail === undefined ? line.startsWith(`${name} `) : line === `${name} ${detail}`,
    ).length;
  }

  /** The arguments of each call. */
  details(name: string): number[] {
    return this.#log().flatMap((line) => (line.startsWith(`${name} `) ? [Number(line.slice(name.length))] : []));
  }

  forget(): void {
    rmSync(`${this.path}.log`, { force: true });
  }

  #log(): string[] {
    try {
      return readFileSync(`${this.path}.log`, 'utf8').split('\n');
    } catch {
      return [];
    }
  }
}
