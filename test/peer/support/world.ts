/** The world that both programs are run in: made once for a suite. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeAuthority } from '../../http/support/pki.ts';
import { PIN, SoftHsm } from '../../support/softhsm.ts';
import { startTestEmulator } from '../../support/vending.ts';
import { ARNS } from '../lines/words.ts';
import type { World } from './compare.ts';
import { makeFiles } from './files.ts';

/**
 * Makes a world for AWS's helper at the path `helper`.
 *
 * @param tokens whether there is SoftHSM here, and a token is to be made
 */
export async function makeWorld(helper: string, tokens: boolean): Promise<World & { end: () => Promise<void> }> {
  const files = await makeFiles();
  const authority = await makeAuthority('Inspection');
  const root = join(files, 'inspection.pem');
  writeFileSync(root, `${authority.root}\n`);
  // A folder as update-ca-certificates leaves it, and one of plain files, which OpenSSL does not read and Go does.
  for (const folder of ['roots', 'plain-roots']) mkdirSync(join(files, folder));
  copyFileSync(root, join(files, 'plain-roots', 'inspection.crt'));
  const hash = execFileSync('openssl', ['x509', '-noout', '-hash', '-in', root], { encoding: 'utf8' }).trim();
  symlinkSync(root, join(files, 'roots', `${hash}.0`));
  const emulator = await startTestEmulator({ roles: [{ arn: 'arn:aws:iam::123456789012:role/path/Worker' }] });
  const strangers = [emulator.trustAnchorArns, emulator.profileArns, emulator.roleArns].filter(
    ([arn = '']) => !ARNS.includes(arn),
  );
  if (strangers.length > 0) throw new Error(`the emulator has other ARNs than the lines: ${strangers.join(', ')}`);
  const softhsm = tokens ? await makeToken(files) : undefined;
  return {
    helper,
    files,
    authority,
    emulator: emulator.port,
    softhsm: softhsm?.env ?? {},
    async end() {
      await emulator.close();
      softhsm?.remove();
      rmSync(files, { recursive: true });
    },
  };
}

/** A token with two pairs, and a certificate whose subject has what is easy to get wrong. */
async function makeToken(files: string): Promise<SoftHsm> {
  const softhsm = new SoftHsm();
  await softhsm.token('tok');
  await softhsm.pair('tok', { pki: 'ec-p256', id: '01', label: 'ec-p256' });
  await softhsm.pair('tok', { pki: 'rsa-2048', id: '02', label: 'rsa-2048' });
  await softhsm.certificate('tok', join(files, 'many-rdns.crt.pem'), 'many-rdns', '03');
  writeFileSync(join(files, 'pin'), `${PIN}\n`, { mode: 0o600 });
  return softhsm;
}
