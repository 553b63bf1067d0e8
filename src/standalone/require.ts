/**
 * What the standalone executable loads at run time: takes the place of src/platform/require.ts in it. Nothing is looked for
 * beside it, since what lies there is not of this program: the native part of PKCS#11 is inside.
 */
// Tests: test/standalone/bare-root.heavy.test.ts
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RolesAnywhereError } from '../platform/errors.ts';
import { HELPER_COMMAND } from './helper-command.ts';

/** Put in by the build: the digest of the native part. */
declare const KOFFI_SHA256: string;

type Require = ((name: string) => unknown) & { resolve: (specifier: string) => string };

/** A `require` that knows koffi's package, and the PKCS#11 helper, which is this executable by another command. */
export function requireBeside(): Require {
  return Object.assign(load, { resolve });
}

function resolve(specifier: string): string {
  if (specifier === 'roles-anywhere/pkcs11-helper') return HELPER_COMMAND;
  throw new Error(`the executable has no ${specifier}`);
}

function load(name: string): unknown {
  if (!name.startsWith('@koromix/koffi-')) throw new Error(`the executable has no ${name}`);
  const bytes = readFileSync(join(import.meta.dirname, 'koffi.node'));
  if (createHash('sha256').update(bytes).digest('hex') !== KOFFI_SHA256)
    throw new RolesAnywhereError('ERR_PKCS11_BINDING', 'this executable is damaged: its native part has changed', {
      hint: 'install it again',
    });
  let failure: unknown;
  for (const folder of new Set([tmpdir(), process.env['XDG_RUNTIME_DIR'] ?? '', '/dev/shm'])) {
    try {
      if (folder !== '') return loadFrom(folder, bytes);
    } catch (error) {
      // Folders for temporary files may forbid programs (noexec).
      failure = error;
    }
  }
  throw failure;
}

/** A dynamic loader wants a file: it gets one that nobody else could have touched, and that is gone right after. */
function loadFrom(parent: string, bytes: Uint8Array): unknown {
  const folder = mkdtempSync(join(parent, 'roles-anywhere-')); // of mode 0700
  try {
    const file = join(folder, 'koffi.node');
    writeFileSync(file, bytes, { mode: 0o700, flag: 'wx' });
    const module: { exports: unknown } = { exports: {} };
    process.dlopen(module, file);
    return module.exports;
  } finally {
    // Windows keeps a library that is loaded.
    if (process.platform !== 'win32') rmSync(folder, { recursive: true, force: true });
  }
}
