/** From a SPIFFE ID to the name of a role session. */
// Tests: test/identity/spiffe/session-name.test.ts

/** STS API Reference, "AssumeRoleWithWebIdentity", RoleSessionName: 2 to 64 letters, digits and characters of `_+=,.@-`. */
const MAX_NAME = 64;

/** Its end, which tells most of the workload: `spiffe://example.org/ns/web` is `example.org-ns-web`. */
export function sessionNameOf(id: string): string {
  const name = id.replace(/^spiffe:\/\//, '').replaceAll(/[^\w+=,.@-]/g, '-');
  return name.length < 2 ? `spiffe-${name}` : name.slice(-MAX_NAME);
}
