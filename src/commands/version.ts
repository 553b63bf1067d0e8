/** `version`: this program's version. */
import { VERSION } from '../platform/version.ts';
import type { RunCommand } from './command.ts';

export const run: RunCommand<'version'> = async (_flags, io) => {
  io.stdout(`${VERSION}\n`);
};
