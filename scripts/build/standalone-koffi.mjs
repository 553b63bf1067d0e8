// The native part of PKCS#11 for a target: from node_modules where it is this machine's, else from the npm registry, as the
// lockfile pins it.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fetchArchive } from './standalone-runtime.mjs';

/**
 * @param {import('./standalone-targets.mjs').Target} target
 * @returns {{ file: string, name: string, version: string, license: string, integrity: string, texts: string[] }}
 */
export function nativePart(root, target, folder) {
  const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const { version, integrity, license } = locked[`node_modules/${target.koffi}`];
  const archive = fetchArchive(target.koffi, version, integrity);
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-xzf', archive, '-C', folder]);
  const unpacked = join(folder, 'package');
  const libc = target.runsOn.libc?.[0] === 'musl' ? 'musl' : target.runsOn.os[0];
  const cpu = target.runsOn.cpu[0];
  const file = join(unpacked, `${libc}_${cpu}`, 'koffi.node');
  if (!existsSync(file)) throw new Error(`${target.koffi}@${version} has no ${libc}_${cpu}/koffi.node`);
  const texts = readdirSync(unpacked)
    .filter((name) => /^licen[cs]e/i.test(name))
    .map((name) => readFileSync(join(unpacked, name), 'utf8').trim());
  return {
    file,
    name: target.koffi,
    version,
    license,
    integrity,
    texts,
  };
}
