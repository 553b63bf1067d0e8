/** `version`: this program's version; under the name of AWS's helper, whose version it stands in for, and its own behind. */
import { HELPER_VERSION, VERSION } from '../platform/version.ts';
import type { RunCommand } from './command.ts';

export const run: RunCommand<'version'> = async ({ json }, io) => {
  if (json === true) return io.stdout(`${JSON.stringify(versions(), undefined, 2)}\n`);
  return io.stdout(io.compat ? `${HELPER_VERSION}+roles-anywhere.${VERSION}\n` : `${VERSION}\n`);
};

function versions(): Record<string, string> {
  const { versions: own, platform, arch } = process;
  return { version: VERSION, awsSigningHelper: HELPER_VERSION, node: own.node, openssl: own.openssl, platform, arch };
}
