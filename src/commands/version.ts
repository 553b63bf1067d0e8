/** `version`: this program's version; under the name of AWS's helper, whose version it stands in for, and its own behind. */
import { HELPER_VERSION, VERSION } from '../platform/version.ts';
import type { RunCommand } from './command.ts';

export const run: RunCommand<'version'> = async (_flags, io) => {
  io.stdout(io.compat ? `${HELPER_VERSION}+roles-anywhere.${VERSION}\n` : `${VERSION}\n`);
};
