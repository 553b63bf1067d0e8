/** The C module with faults (test/identity/pkcs11/module/faulty.c), compiled for one suite. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pkiPath } from './pki.ts';
import { type KeyInToken, SOFTHSM_MODULE, SoftHsm } from './softhsm.ts';

const SOURCE = fileURLToPath(new URL('../identity/pkcs11/module/faulty.c', import.meta.url));

/** A pair that signs as often as it is asked, and one that wants the PIN each time. */
export const P256: KeyInToken = { pki: 'ec-p256', id: '01', label: 'p256' };
export const ALWAYS: KeyInToken = { pki: 'serial-1', id: '06', label: 'always', alwaysAuthenticate: true };

/** A token `main` with these pairs and the intermediate, `ca`, and the module with faults in front of it. */
export async function faultyToken(
  pairs: readonly KeyInToken[] = [P256],
): Promise<{ readonly hsm: SoftHsm; readonly faulty: FaultyModule }> {
  const hsm = new SoftHsm();
  const faulty = new FaultyModule(hsm.directory);
  await hsm.token('main');
  for (const pair of pairs) await hsm.pair('main', pair);
  await hsm.certificate('main', pkiPath('intermediate.pem'), 'ca', '40');
  return { hsm, faulty };
}

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
