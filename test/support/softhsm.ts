/** Tokens of SoftHSM2, made for one suite and gone with it. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { PKI, cleanEnv } from './cli.ts';
import { requireTool } from './tools.ts';

const run = promisify(execFile);

export const SOFTHSM_MODULE = '/usr/lib/softhsm/libsofthsm2.so';
export const P11_KIT_PROXY = 'p11-kit-proxy.so';
export const PIN = '1234';

/** The built helper program. */
export const HELPER = fileURLToPath(new URL('../../dist/pkcs11-helper.cjs', import.meta.url));

/** Whether SoftHSM2, p11-kit and the tools of OpenSC and GnuTLS are here. */
export function hasSoftHsm(): boolean {
  return ['softhsm2-util', 'pkcs11-tool', 'p11tool', 'p11-kit'].map((tool) => requireTool(tool)).every(Boolean);
}

/** A key of the development PKI, as it is written to a token. */
export interface KeyInToken {
  /** The base name of its files, for example `rsa-2048`. */
  pki: string;
  /** In hexadecimal. */
  id: string;
  label: string;
  alwaysAuthenticate?: boolean;
}

export class SoftHsm {
  readonly directory: string;
  readonly env: Record<string, string>;

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), 'softhsm-'));
    mkdirSync(join(this.directory, 'tokens'));
    mkdirSync(join(this.directory, 'state'));
    const conf = join(this.directory, 'softhsm2.conf');
    writeFileSync(
      conf,
      [
        `directories.tokendir = ${this.tokens}`,
        'objectstore.backend = file',
        'log.level = ERROR',
        'slots.removable = true',
        '',
      ].join('\n'),
    );
    this.env = { ...cleanEnv(), SOFTHSM2_CONF: conf, ROLES_ANYWHERE_STATE_DIR: join(this.directory, 'state') };
  }

  get tokens(): string {
    return join(this.directory, 'tokens');
  }

  async token(label: string, pin = PIN): Promise<void> {
    await this.#util(['--init-token', '--free', '--label', label, '--so-pin', '12345678', '--pin', pin]);
  }

  /** Writes a private key, with its public key beside it unless it is one that asks for the PIN each time. */
  async key(token: string, { pki, id, label, alwaysAuthenticate = false }: KeyInToken, pin = PIN): Promise<void> {
    const file = join(PKI, `${pki}.key.pem`);
    if (!alwaysAuthenticate) return this.importKey(token, file, label, id, pin);
    await this.tool([
      '--token-label',
      token,
      '--login',
      '--pin',
      pin,
      '--write-object',
      file,
      '--type',
      'privkey',
      '--label',
      label,
      '--id',
      id,
      '--usage-sign',
      '--always-auth',
    ]);
  }

  /** @param file a private key in PKCS#8 */
  async importKey(token: string, file: string, label: string, id: string, pin = PIN): Promise<void> {
    const force = ['--force']; // a second copy of a key
    await this.#util(['--token', token, '--pin', pin, '--import', file, '--label', label, '--id', id, ...force]);
  }

  /** @param file a PEM file with one certificate */
  async certificate(token: string, file: string, label: string, id: string): Promise<void> {
    const what = ['--write-object', file, '--type', 'cert', '--label', label, '--id', id];
    await this.tool(['--token-label', token, '--login', '--pin', PIN, ...what]);
  }

  /** A certificate that is seen after a login only. */
  async privateCertificate(token: string, file: string, label: string, id: string): Promise<void> {
    const login = ['--provider', SOFTHSM_MODULE, '--batch', '--login', '--set-pin', PIN];
    const what = ['--write', '--load-certificate', file, '--label', label, '--id', id, '--mark-private'];
    await run('p11tool', [...login, ...what, `pkcs11:token=${token}`], { env: this.env });
  }

  /** A key and its certificate. */
  async pair(token: string, pair: KeyInToken): Promise<void> {
    await this.key(token, pair);
    await this.certificate(token, join(PKI, `${pair.pki}.crt.pem`), pair.label, pair.id);
  }

  /** OpenSC's pkcs11-tool on these tokens. */
  async tool(args: readonly string[]): Promise<string> {
    return (await run('pkcs11-tool', ['--module', SOFTHSM_MODULE, ...args], { env: this.env })).stdout;
  }

  async #util(args: readonly string[]): Promise<void> {
    await run('softhsm2-util', args, { env: this.env });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
