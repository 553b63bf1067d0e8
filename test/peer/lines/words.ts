/** Parts that most lines have. */
const ACCOUNT = '123456789012';
const ANCHOR_ID = 'trust-anchor/11111111-1111-1111-1111-111111111111';
const PROFILE_ID = 'profile/22222222-2222-2222-2222-222222222222';

/** The three ARNs, of any partition and region. */
export function arns({ partition = 'aws', region = 'us-east-1', role = 'path/Worker' } = {}): string[] {
  const ours = `arn:${partition}:rolesanywhere:${region}:${ACCOUNT}`;
  return [
    '--trust-anchor-arn',
    `${ours}:${ANCHOR_ID}`,
    '--profile-arn',
    `${ours}:${PROFILE_ID}`,
    '--role-arn',
    `arn:${partition}:iam::${ACCOUNT}:role/${role}`,
  ];
}

export const ARNS = arns();

/** A certificate of the development PKI with its key. */
export function pair(kind: string): string[] {
  return ['--certificate', `{pki}/${kind}.crt.pem`, '--private-key', `{pki}/${kind}.key.pem`];
}

export const EC = pair('ec-p256');
export const CHAIN = ['--intermediates', '{pki}/intermediate.pem'];
export const ENDPOINT = ['--endpoint', 'http://127.0.0.1:{port}'];

/** `credential-process` with everything that it takes, and more. */
export function vend(...more: string[]): string[] {
  return ['credential-process', ...ARNS, ...EC, ...ENDPOINT, ...more];
}
