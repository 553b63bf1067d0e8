import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SOFTHSM_MODULE, SoftHsm, hasSoftHsm } from '../../support/softhsm.ts';
import { requireTool } from '../../support/tools.ts';

const LIBRARY = fileURLToPath(new URL('../../../dist/index.js', import.meta.url));

/** Counts how often the content of a file is in the memory of a process of the same user. */
const SCAN = `
import sys
pid, needle = sys.argv[1], open(sys.argv[2], 'rb').read()
found = 0
for line in open(f'/proc/{pid}/maps'):
    place, mode = line.split()[:2]
    if 'r' not in mode or '[v' in line: continue
    start, end = (int(part, 16) for part in place.split('-'))
    try:
        with open(f'/proc/{pid}/mem', 'rb', 0) as memory:
            memory.seek(start)
            data = b''
            while len(data) < end - start:
                chunk = memory.read(end - start - len(data))
                if not chunk: break
                data += chunk
            found += data.count(needle)
    except OSError: continue
print(found)
`;

describe.skipIf(!hasSoftHsm() || !requireTool('python3') || process.platform !== 'linux')('the memory', () => {
  const pin = 'aPinThatIsFoundNowhereElse';
  let hsm: SoftHsm;
  beforeAll(async () => {
    hsm = new SoftHsm();
    await hsm.token('main', pin);
    await hsm.key('main', { pki: 'ec-p256', id: '01', label: 'p256' }, pin);
    writeFileSync(join(hsm.directory, 'pin'), pin);
  }, 60_000);
  afterAll(() => hsm.remove());

  it('of a program that signs with a PIN from a file holds no copy of it', async () => {
    const certificate = fileURLToPath(new URL('../../../certs-dev/out/ec-p256.crt.pem', import.meta.url));
    const options = {
      certificate,
      privateKey: 'pkcs11:token=main;object=p256',
      pkcs11: { library: SOFTHSM_MODULE, pinFile: join(hsm.directory, 'pin') },
    };
    const code = `import { loadIdentity } from ${JSON.stringify(LIBRARY)};
      const identity = await loadIdentity(${JSON.stringify(options)});
      await identity.signer.sign(Buffer.from('x'));
      console.log('ready');
      process.stdin.resume();`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      env: hsm.env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    await once(child.stdout, 'data');
    const scan = ['-c', SCAN, String(child.pid), join(hsm.directory, 'pin')];
    const { stdout } = await promisify(execFile)('python3', scan);
    child.kill();
    await ended;
    expect(stdout).toBe('0\n');
  });
});
