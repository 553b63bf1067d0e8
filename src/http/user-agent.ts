// Tests: test/aws/create-session.test.ts, test/http/user-agent.test.ts
import { HELPER_VERSION, VERSION } from '../platform/version.ts';

const NODE = `node/${process.versions.node}`;

/** The value of User-Agent. It is never signed. */
export const USER_AGENT = `roles-anywhere/${VERSION} ${NODE}`;

/**
 * The value of User-Agent for a command. Under the name of AWS's helper it begins as that one's, since filters of CloudTrail
 * look for it, and says in the comment (RFC 9110, section 10.1.5) which program it was.
 *
 * @param extra text to put behind it
 */
export function commandUserAgent(compat: boolean, extra: string | undefined): string {
  const own = compat
    ? `CredHelper/${HELPER_VERSION} (roles-anywhere/${VERSION}; ${NODE}; ${process.platform}; ${process.arch})`
    : USER_AGENT;
  return extra === undefined ? own : `${own} ${extra}`;
}
