import type { Io } from '../../src/commands/command.ts';
import { createLog } from '../../src/platform/log.ts';
import type { LogLevel } from '../../src/platform/log.ts';
import { captureOutput } from './capture.ts';

/** An Io that keeps what a command writes. */
export function memoryIo(
  env: Io['env'] = {},
  options: { readonly level?: LogLevel } = {},
): Io & { out(): Buffer; err(): string } {
  const out: Buffer[] = [];
  let err = '';
  const write = (text: string): void => {
    captureOutput(text);
    err += text;
  };
  return {
    stdout: (text) => void out.push(Buffer.from(text)),
    log: createLog({ write, format: 'plain', ...options }),
    announce: write,
    env,
    args: [],
    program: '/usr/local/bin/roles-anywhere',
    compat: false,
    stop: async () => await new Promise(() => {}),
    out: () => Buffer.concat(out),
    err: () => err,
  };
}
