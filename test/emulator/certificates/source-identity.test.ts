/**
 * The source identity of a common name: one table for the client, which shows
 * it, and for the emulator, which sets it.
 *
 * Sources: IAM Roles Anywhere User Guide, "Trust model" (`CN=`, the common
 * name alone, `ID=`); STS API Reference, "AssumeRole", SourceIdentity (length
 * and characters). What the service does with a common name that STS refuses
 * is not documented; for `a(b)` it failed
 * (https://github.com/aws/rolesanywhere-credential-helper/issues/188).
 */
import { beforeAll, describe, expect, it } from 'vitest';
import type { Authority } from '../../../certs-dev/authority.ts';
import { readCertificate } from '../../../src/emulator/certificates/certificate.ts';
import { sourceIdentity } from '../../../src/emulator/certificates/session-tags.ts';
import { readCertificate as parseCertificate } from '../../../src/x509/certificate.ts';
import { sessionAttributes } from '../../../src/x509/session-attributes.ts';
import { draft, send, signed } from '../support/signed-request.ts';
import { makeAuthority, makeClient, startWith } from '../support/world.ts';

const long = (length: number): string => 'a'.repeat(length);

/** Subject, source identity, and whether STS takes it. */
const TABLE: [subject: string, identity: string, isTaken: boolean][] = [
  ['CN=Alice', 'CN=Alice', true],
  ['CN=web-1.example.com', 'CN=web-1.example.com', true],
  [`CN=${long(61)}`, `CN=${long(61)}`, true],
  [`CN=${long(62)}`, long(62), true],
  [`CN=${long(64)}`, long(64), true],
  [`CN=${long(65)}`, long(65), false],
  ['OU=Nobody', 'ID=0123', true],
  ['CN=First,CN=Second', 'CN=First', true],
  ['CN=a(b)', 'CN=a(b)', false],
  ['CN=Alice Example', 'CN=Alice Example', false],
  ['CN=Ä', 'CN=Ä', false],
];

let root: Authority;
beforeAll(async () => {
  root = await makeAuthority('root');
});

describe.each(TABLE)('the source identity of %s', (subject, identity, isTaken) => {
  it(`is ${identity}, for client and emulator alike`, async () => {
    const { certificate } = await makeClient(root, { subject, serialNumber: '0123' });
    const der = Buffer.from(certificate.rawData);
    const own = sessionAttributes(parseCertificate(der, 'leaf'));
    expect([own.sourceIdentity, own.sourceIdentityProblem === undefined]).toEqual([identity, isTaken]);
    const emulated = sourceIdentity(readCertificate(der)!);
    expect([emulated.identity, emulated.problem === undefined]).toEqual([identity, isTaken]);
  });

  it('is that of the session, or leaves the certificate without one', async () => {
    const client = await makeClient(root, { subject, serialNumber: '0123' });
    const emulator = await startWith(root);
    const { status, body } = await send(
      emulator.url,
      signed(draft(client, emulator.url, { now: new Date('2030-06-15T12:00:00Z') }), client),
    );
    const reason = expect.stringContaining(`the source identity "${identity}"`) as string;
    expect({ status, body: JSON.parse(body) as unknown, verdict: emulator.verdicts[0] }).toMatchObject(
      isTaken
        ? { status: 201, body: { credentialSet: [{ sourceIdentity: identity }] } }
        : { status: 403, verdict: { reason } },
    );
    await emulator.close();
  });
});
