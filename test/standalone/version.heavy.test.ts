/** The executable's version, which its first file prints by the runtime's own call: as the common code would have printed it. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_STATUS } from '../../src/platform/errors.ts';
import { HELPER_VERSION, VERSION } from '../../src/platform/version.ts';
import { runProgram } from '../support/cli.ts';
import { requireStandalone, STANDALONE } from '../support/standalone.ts';

const OWN = `${VERSION}\n`;
const HELPERS = `${HELPER_VERSION}+roles-anywhere.${VERSION}\n`;

describe.runIf(requireStandalone())("the executable's version", () => {
  let dir: string;
  let asHelper: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'ra-version-'));
    asHelper = join(dir, 'aws_signing_helper');
    symlinkSync(STANDALONE, asHelper);
    mkdirSync(join(dir, 'file'));
    try {
      linkSync(STANDALONE, join(dir, 'file/aws_signing_helper'));
    } catch {
      copyFileSync(STANDALONE, join(dir, 'file/aws_signing_helper')); // another file system
    }
  });
  afterAll(() => {
    rmSync(dir, { recursive: true });
  });

  const bash = async (script: string): Promise<Awaited<ReturnType<typeof runProgram>>> =>
    await runProgram('/bin/bash', ['-c', script, STANDALONE], { env: { PATH: `${dir}:/usr/bin:/bin` } });

  it.each([
    ['its own name', () => '"$0" version', OWN],
    ['a link with the name of the helper', () => `${asHelper} version`, HELPERS],
    ['that link, found on the PATH', () => 'aws_signing_helper version', HELPERS],
    ['a file with that name, found on the PATH', () => `PATH=${dir}/file aws_signing_helper version`, HELPERS],
    [
      'another first word, for a file with that name',
      () => `exec -a other ${dir}/file/aws_signing_helper version`,
      HELPERS,
    ],
    ['that first word, for the file with its own name', () => 'exec -a aws_signing_helper "$0" version', HELPERS],
    ['another first word', () => 'exec -a other "$0" version', OWN],
  ])('by %s', async (_, script, expected) => {
    expect(await bash(script())).toMatchObject({ status: 0, stdout: expected, stderr: '' });
  });

  it('goes where the output of others has come to in a file', async () => {
    const file = join(dir, 'output');
    await bash(`(echo before; "$0" version; echo between; "$0" version) >${file}; "$0" version >>${file}`);
    expect(readFileSync(file, 'utf8')).toBe(`before\n${OWN}between\n${OWN}${OWN}`);
  });

  it.each([
    ['is full', '"$0" version >/dev/full', 'ENOSPC'],
    ['can only be read', '"$0" version 1</dev/null', 'EBADF'],
    ['has no reader any more', 'set -o pipefail; { sleep 0.2; "$0" version; } | true', 'its reader is gone'],
  ])('is an error when standard output %s', async (_, script, cause) => {
    const { status, stdout, stderr } = await bash(script);
    expect({ status, stdout }).toEqual({ status: EXIT_STATUS.internal, stdout: '' });
    expect(stderr).toContain(`${cause} [ERR_OUTPUT]`);
  });

  it('waits for the reader of a pipe that is full and does not block', () => {
    const seen = execFileSync('python3', ['-c', FULL_PIPE, STANDALONE], { encoding: 'utf8' });
    expect(seen).toBe(`0 ${JSON.stringify(OWN)}`);
  });

  it('is printed as ever when the environment has something to say about it', async () => {
    expect(await bash('ROLES_ANYWHERE_REGOIN=x "$0" version')).toMatchObject({
      status: 0,
      stdout: OWN,
      stderr: expect.stringContaining('ROLES_ANYWHERE_REGOIN') as string,
    });
  });
});

/** Runs it with a pipe that takes nothing at first; prints its status and what came behind what had filled the pipe. */
const FULL_PIPE = `
import json, os, subprocess, sys, time
r, w = os.pipe()
os.set_blocking(w, False)
filled = 0
try:
    while True: filled += os.write(w, b'x' * 4096)
except BlockingIOError: pass
child = subprocess.Popen([sys.argv[1], 'version'], stdout=w)
os.close(w)
time.sleep(0.5)
data = b''
while chunk := os.read(r, 65536): data += chunk
sys.stdout.write(f'{child.wait()} {json.dumps(data[filled:].decode())}')
`;
