/** Programs in the place of the PKCS#11 helper, which say into its channel what the test wants. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBridge } from '../../src/identity/pkcs11/bridge.ts';
import type { Connect } from '../../src/identity/pkcs11/port.ts';
import { VERSION } from '../../src/platform/version.ts';

/** Code that says where the helper runs, for {@link StandIns.pid}. */
export const NOTE_PID = `require('node:fs').writeFileSync(require('node:path').join(__dirname, 'pid'), String(process.pid))`;

export class StandIns {
  readonly directory = mkdtempSync(join(tmpdir(), 'stand-ins-'));

  /** A program of its own; the path of it. */
  program(name: string, code: string): string {
    const path = join(this.directory, `${name}.cjs`);
    writeFileSync(path, code);
    return path;
  }

  /**
   * A helper that says that it is there, and then does something at each question: `id` and `operation` are those of
   * it, `asked` its number; `say(TEXT)` writes into the channel, and `wait()` does nothing ever after.
   */
  helper(name: string, code: string, ready: object = { ready: VERSION }): string {
    return this.program(
      name,
      String.raw`const { readSync, writeSync } = require('node:fs');
const say = (what) => {
  const bytes = Buffer.from(what);
  for (let at = 0; at < bytes.length;) at += writeSync(3, bytes, at);
};
const wait = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
say(${JSON.stringify(JSON.stringify(ready))} + '\n');
const chunk = Buffer.alloc(65536);
let [text, asked] = ['', 0];
for (let count; (count = readSync(3, chunk)) > 0;) {
  const lines = (text += chunk.toString('utf8', 0, count)).split('\n');
  text = lines.pop();
  for (const line of lines) {
    const { id, operation, ask } = JSON.parse(line);
    asked += 1;
    ${code};
  }
}
`,
    );
  }

  /** The process of the helper that ran {@link NOTE_PID} last. */
  pid(): number {
    return Number(readFileSync(join(this.directory, 'pid'), 'utf8'));
  }

  remove(): void {
    rmSync(this.directory, { recursive: true });
  }
}

/** Opens ports by a helper program. */
export function connect(helperPath: string): Connect {
  return createBridge({ libraries: ['/nonexistent.so'], env: { ...process.env }, helperPath, backoffMs: 1 }).connect;
}

export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
