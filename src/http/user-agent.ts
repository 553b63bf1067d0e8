import { VERSION } from '../platform/version.ts';

/** The value of User-Agent. It is never signed. */
export const USER_AGENT = `roles-anywhere/${VERSION} node/${process.versions.node}`;
