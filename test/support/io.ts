import type { Io } from '../../src/commands/command.ts';
import { captureOutput } from './capture.ts';

/** An Io that keeps what a command writes. */
export function memoryIo(env: Io['env'] = {}): Io & { out(): Buffer; err(): string } {
  const out: Buffer[] = [];
  let err = '';
  return {
    stdout: (text) => void out.push(Buffer.from(text)),
    stderr(text) {
      captureOutput(text);
      err += text;
    },
    env,
    args: [],
    program: '/usr/local/bin/roles-anywhere',
    compat: false,
    stop: async () => await new Promise(() => {}),
    out: () => Buffer.concat(out),
    err: () => err,
  };
}
