/** PKCS#11 modules of Debian besides SoftHSM2, each with a token made for one suite that holds keys of the development PKI. */
import { execFile, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { PKI, cleanEnv } from './cli.ts';
import { SOFTHSM_MODULE, SoftHsm, hasSoftHsm } from './softhsm.ts';
import { requireTool } from './tools.ts';

const run = promisify(execFile);

/** Keys in each of them: labels, and base names of files. */
export const KEYS = ['ec-p256', 'rsa-2048'] as const;

export interface RealModule {
  readonly library: string;
  readonly env: Record<string, string>;
  /** The token's label. */
  readonly token: string;
  readonly pin: string;
  /** Whether the chain lies in the token. */
  readonly hasChain: boolean;
  remove(): void;
}

export interface RealModuleKind {
  readonly name: string;
  readonly isHere: () => boolean;
  readonly make: () => Promise<RealModule>;
}

const MULTIARCH = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu'];
const FOLDER = `${MULTIARCH[process.arch === 'arm64' ? 1 : 0]}/pkcs11`;

function folder(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `${name}-`));
  mkdirSync(join(directory, 'state'));
  return directory;
}

/** libnss3 and libnss3-tools: a database with a password, as browsers and many servers have. */
const nss: RealModuleKind = {
  name: "NSS's softoken",
  isHere: () => ['certutil', 'pk12util', 'openssl'].map((tool) => requireTool(tool)).every(Boolean),
  async make() {
    const directory = folder('nss');
    const pin = 'a password of NSS';
    const file = join(directory, 'password');
    writeFileSync(file, `${pin}\n`);
    const database = ['-d', `sql:${directory}`];
    await run('certutil', ['-N', ...database, '-f', file]);
    for (const key of KEYS) {
      const container = join(directory, `${key}.p12`);
      const pair = ['-in', join(PKI, `${key}.crt.pem`), '-inkey', join(PKI, `${key}.key.pem`)];
      await run('openssl', ['pkcs12', '-export', ...pair, '-name', key, '-passout', 'pass:x', '-out', container]);
      await run('pk12util', ['-i', container, ...database, '-W', 'x', '-k', file]);
    }
    await run('certutil', ['-A', ...database, '-n', 'intermediate', '-t', ',,', '-i', join(PKI, 'intermediate.pem')]);
    return {
      library: 'libsoftokn3.so',
      env: {
        ...cleanEnv(),
        ROLES_ANYWHERE_STATE_DIR: join(directory, 'state'),
        NSS_LIB_PARAMS: `configdir='sql:${directory}' certPrefix='' keyPrefix='' secmod='secmod.db' flags=readOnly`,
      },
      token: 'NSS Certificate DB',
      pin,
      hasChain: true,
      remove: () => rmSync(directory, { recursive: true, force: true }),
    };
  },
};

/** p11-kit's server, through its client module: a token in another process, as containers and sandboxes see it. */
const p11KitServer: RealModuleKind = {
  name: "p11-kit's server and client",
  isHere: hasSoftHsm,
  async make() {
    const hsm = new SoftHsm();
    await hsm.token('remote');
    for (const [index, key] of KEYS.entries()) await hsm.pair('remote', { pki: key, id: `0${index + 1}`, label: key });
    await hsm.certificate('remote', join(PKI, 'intermediate.pem'), 'intermediate', '40');
    const socket = join(hsm.directory, 'p11-kit.sock');
    const args = ['server', '--foreground', '-n', socket, '--provider', SOFTHSM_MODULE, 'pkcs11:token=remote'];
    const server = spawn('p11-kit', args, { env: hsm.env, stdio: 'ignore' });
    while (!existsSync(socket)) await sleep(10);
    return {
      library: join(FOLDER, 'p11-kit-client.so'),
      env: { ...hsm.env, P11_KIT_SERVER_ADDRESS: `unix:path=${socket}` },
      token: 'remote',
      pin: '1234',
      hasChain: true,
      remove() {
        server.kill();
        hsm.remove();
      },
    };
  },
};

/** libtpm2-pkcs11-1 and libtpm2-pkcs11-tools on a software TPM. */
const tpm2: RealModuleKind = {
  name: 'tpm2-pkcs11 on swtpm',
  isHere: () => ['tpm2_ptool', 'swtpm', 'tpm2_flushcontext', 'openssl'].map((tool) => requireTool(tool)).every(Boolean),
  async make() {
    const directory = folder('tpm2-pkcs11');
    const [state, store, tools] = ['tpm', 'store', 'tools'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    for (const path of [state, store, tools]) mkdirSync(path);
    const port = await freePorts();
    const pidFile = join(directory, 'pid');
    await run('swtpm', [
      'socket',
      '--tpm2',
      '--tpmstate',
      `dir=${state}`,
      '--server',
      `type=tcp,port=${port},bindaddr=127.0.0.1`,
      '--ctrl',
      `type=tcp,port=${port + 1},bindaddr=127.0.0.1`,
      '--flags',
      'not-need-init,startup-clear',
      '--pid',
      `file=${pidFile}`,
      '-d',
    ]);
    const tcti = `swtpm:host=127.0.0.1,port=${port}`;
    // There is no resource manager: what a tool leaves in the TPM fills its three places.
    for (const tool of readdirSync('/usr/bin').filter((name) => /^tpm2_(?!ptool)/.test(name))) {
      const path = join(tools, tool);
      writeFileSync(
        path,
        `#!/bin/sh\n/usr/bin/${tool} "$@"\ns=$?\n/usr/bin/tpm2_flushcontext -t >/dev/null 2>&1\nexit $s\n`,
      );
      chmodSync(path, 0o755);
    }
    const clean = cleanEnv();
    const env = {
      ...clean,
      TPM2TOOLS_TCTI: tcti,
      TPM2_PKCS11_TCTI: tcti,
      TPM2_PKCS11_STORE: store,
      // What it says of the FAPI store that is not there.
      TSS2_LOG: 'all+none',
      TPM2_PKCS11_LOG_LEVEL: '0',
      ROLES_ANYWHERE_STATE_DIR: join(directory, 'state'),
    };
    const ptool = (command: string, ...args: string[]) =>
      run('tpm2_ptool', [command, '--path', store, ...args], { env: { ...env, PATH: `${tools}:${clean['PATH']}` } });
    await ptool('init');
    await ptool('addtoken', '--pid', '1', '--label', 'tpm', '--sopin', '12345678', '--userpin', '1234');
    for (const key of KEYS) {
      const file = join(directory, `${key}.pem`);
      await run('openssl', ['pkey', '-in', join(PKI, `${key}.key.pem`), '-traditional', '-out', file]);
      const what = ['--privkey', file, '--algorithm', key.startsWith('ec') ? 'ecc' : 'rsa'];
      await ptool('import', '--label', 'tpm', '--key-label', key, '--userpin', '1234', ...what);
      await ptool('addcert', '--label', 'tpm', '--key-label', key, join(PKI, `${key}.crt.pem`));
    }
    return {
      library: join(FOLDER, 'libtpm2_pkcs11.so'),
      env,
      token: 'tpm',
      pin: '1234',
      hasChain: false,
      remove() {
        process.kill(Number(readFileSync(pidFile, 'utf8')));
        rmSync(directory, { recursive: true, force: true });
      },
    };
  },
};

/** Two ports in a row, as the TCTI of swtpm wants them. */
async function freePorts(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    if ((await isFree(port)) && (await isFree(port + 1))) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

export const REAL_MODULES: readonly RealModuleKind[] = [nss, p11KitServer, tpm2];
