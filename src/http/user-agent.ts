import { VERSION } from '../platform/version.ts';

/** The value of User-Agent. It is never signed. */
// Tests: test/aws/create-session.test.ts
export const USER_AGENT = `roles-anywhere/${VERSION} node/${process.versions.node}`;
