/** Identities that a SPIFFE Workload API gives to this process: X.509-SVIDs and JWT-SVIDs. */
// Tests: test/identity/spiffe/load.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { Contents } from '../contents.ts';
import type { MaterialFlag } from '../material.ts';
import { readReference } from './reference.ts';
import { SvidStream } from './stream.ts';
import type { SvidStreamOptions } from './stream.ts';
import { svidContents } from './svid.ts';
import { DEFAULT_TIMEOUT_MS, chooseSvid, fetchJwtSvids, fetchX509Svids } from './workload-api.ts';
import type { JwtSvid } from './workload-api.ts';

export { sessionNameOf } from './session-name.ts';
export type { SvidStream } from './stream.ts';

/** How a Workload API is asked. */
export interface SpiffeDeps {
  /** How long an answer may take, in milliseconds. Default 10,000. */
  timeoutMs?: (() => number) | undefined;
  /** Gives the newest SVID of a stream that is open, in place of a question of its own. */
  stream?: Pick<SvidStream, 'contents'> | undefined;
  /** For SPIFFE_ENDPOINT_SOCKET. Default `process.env`. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
}

/**
 * Asks for the X.509-SVID that `value` names, once.
 *
 * @throws RolesAnywhereError `ERR_SPIFFE_...`; `ERR_UNSUPPORTED` for flags other than that of the certificate
 */
export async function readSvid(flag: MaterialFlag, value: string, deps: SpiffeDeps): Promise<Contents> {
  if (flag !== '--certificate')
    throw new RolesAnywhereError('ERR_UNSUPPORTED', `${flag} is a Workload API, which gives whole identities`, {
      hint: 'leave it out: --certificate spiffe: has certificate, chain and key',
      flag,
    });
  if (deps.stream !== undefined) return deps.stream.contents();
  const reference = readReference(value, flag, deps.env);
  const svids = await fetchX509Svids(reference, deps.timeoutMs?.() ?? DEFAULT_TIMEOUT_MS);
  try {
    const svid = chooseSvid(svids, reference);
    return svidContents({ ...svid, key: Uint8Array.from(svid.key) }, value);
  } finally {
    for (const { key } of svids) key.fill(0);
  }
}

/**
 * Opens the stream of X.509-SVIDs that `value` names, with its first answer.
 *
 * @throws RolesAnywhereError `ERR_SPIFFE_...`
 */
export async function openSvidStream(
  value: string,
  { env, ...options }: SvidStreamOptions & Pick<SpiffeDeps, 'env'>,
): Promise<SvidStream> {
  const stream = new SvidStream(value, readReference(value, '--certificate', env), options);
  await stream.open();
  return stream;
}

/**
 * Asks for the JWT-SVID that `value` names, such as `spiffe:?audience=sts.amazonaws.com`.
 *
 * @throws RolesAnywhereError `ERR_SPIFFE_...`
 */
export async function readJwtSvid(value: string, deps: SpiffeDeps): Promise<JwtSvid> {
  const reference = readReference(value, '--web-identity-token', deps.env);
  return chooseSvid(await fetchJwtSvids(reference, deps.timeoutMs?.() ?? DEFAULT_TIMEOUT_MS), reference);
}
