/** The ways in which people and programs put a new certificate and its key in the place of the old ones. */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A certificate and its key, in PEM. */
export interface Pair {
  readonly serialNumber: string;
  readonly certificate: string;
  readonly key: string;
}

export const certificatePath = (dir: string): string => join(dir, 'tls.crt');
export const keyPath = (dir: string): string => join(dir, 'tls.key');

/** Puts a pair in place in one of the ways that people and programs do it. */
export type Rotate = (dir: string, next: Pair, step: number) => Promise<void>;

async function inOrder(keyFirst: boolean, key: () => Promise<void>, certificate: () => Promise<void>): Promise<void> {
  const [first, second] = keyFirst ? [key, certificate] : [certificate, key];
  await first();
  await sleep(1);
  await second();
}

async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

export const byRename: Rotate = async (dir, next, step) => {
  await inOrder(
    step % 2 === 0,
    () => replace(keyPath(dir), next.key),
    () => replace(certificatePath(dir), next.certificate),
  );
};

const inPlace: Rotate = async (dir, next, step) => {
  await inOrder(
    step % 2 === 0,
    () => writeFile(keyPath(dir), next.key),
    () => writeFile(certificatePath(dir), next.certificate),
  );
};

async function swapLink(target: string, path: string): Promise<void> {
  await symlink(target, `${path}.new`);
  await rename(`${path}.new`, path);
}

/** tls.crt -> ..data/tls.crt, ..data -> a folder for each version; the old folder is removed. */
const asKubernetes: Rotate = async (dir, next, step) => {
  const folder = `..version-${step}`;
  await mkdir(join(dir, folder));
  await writeFile(join(dir, folder, 'tls.crt'), next.certificate);
  await writeFile(join(dir, folder, 'tls.key'), next.key);
  await swapLink(folder, join(dir, '..data'));
  for (const name of ['tls.crt', 'tls.key']) {
    if (!existsSync(join(dir, name))) await symlink(`..data/${name}`, join(dir, name));
  }
  await rm(join(dir, `..version-${step - 1}`), { recursive: true, force: true });
};

/** tls.crt -> archive/certN.pem, one link after the other. */
const asCertbot: Rotate = async (dir, next, step) => {
  await mkdir(join(dir, 'archive'), { recursive: true });
  await writeFile(join(dir, 'archive', `cert${step}.pem`), next.certificate);
  await writeFile(join(dir, 'archive', `key${step}.pem`), next.key);
  await inOrder(
    step % 2 === 0,
    () => swapLink(`archive/key${step}.pem`, keyPath(dir)),
    () => swapLink(`archive/cert${step}.pem`, certificatePath(dir)),
  );
};

export const WAYS: readonly { readonly way: string; readonly rotate: Rotate }[] = [
  { way: 'by rename', rotate: byRename },
  { way: 'in place', rotate: inPlace },
  { way: 'as Kubernetes does', rotate: asKubernetes },
  { way: 'as certbot does', rotate: asCertbot },
];
