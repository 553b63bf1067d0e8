import { describe, expect, it } from 'vitest';
import { EXIT_STATUS } from '../src/platform/errors.ts';
import { PKI, PROGRAM, runCli, runProgram } from './support/cli.ts';
import { requireTool } from './support/tools.ts';

/** Runs a shell line in which `"$0" "$@"` is the program. */
const shell = (line: string): ReturnType<typeof runProgram> => runProgram('/bin/bash', ['-c', line, ...PROGRAM]);

const python = requireTool('python3');

/** Runs a Python program whose arguments are Node and the program: Node itself cannot make a pipe such as these tests need. */
const inPython = (program: string): ReturnType<typeof runProgram> =>
  runProgram('python3', ['-c', `import fcntl, os, subprocess, sys, time\n${program}`, ...PROGRAM]);

describe('standard output and standard error', () => {
  it('help that was asked for is the result', async () => {
    for (const args of [['--help'], ['credential-process', '-h'], ['help', 'link']]) {
      const { status, stdout, stderr } = await runCli(args);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toMatch(/^usage: roles-anywhere .*\n$/s);
    }
  });

  it('help that was not asked for is not', async () => {
    const { status, stdout, stderr } = await runCli([]);
    expect({ status, stdout }).toEqual({ status: EXIT_STATUS.usage, stdout: '' });
    expect(stderr).toMatch(/^usage: /);
  });

  it('a failure says what and why in one voice, on standard error alone', async () => {
    expect(await runCli(['credential-process', '--certificat', 'c'])).toEqual({
      status: EXIT_STATUS.usage,
      stdout: '',
      stderr: 'roles-anywhere: error: unknown flag --certificat [ERR_UNKNOWN_FLAG]\nhint: did you mean --certificate\n',
    });
  });

  it('control characters of what is quoted do not reach the terminal', async () => {
    const { stderr } = await runCli(['read-certificate-data', '--certificate', '/nonexistent/\u001b[2J\n\u009b1m']);
    expect(stderr).toContain('ERR_FILE_NOT_FOUND');
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    expect(stderr.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
  });

  it('--debug shows where a failure came from', async () => {
    const line = ['read-certificate-data', '--certificate', '/nonexistent/c.pem'];
    expect((await runCli(line)).stderr).not.toMatch(/^ +at /m);
    expect((await runCli([...line, '--debug'])).stderr).toMatch(/^cause: Error: ENOENT.*\n +at /m);
  });
});

describe('the level of what is said', () => {
  const warned = { ROLES_ANYWHERE_REGOIN: 'x' };

  it('lets warnings through, as plain text', async () => {
    expect((await runCli(['version'], { env: warned })).stderr).toMatch(/^warning: ROLES_ANYWHERE_REGOIN is /);
  });

  it.each([
    ['a flag', ['--log-level', 'error'], {}],
    ['its variable', [], { ROLES_ANYWHERE_LOG_LEVEL: 'error' }],
  ])('set to error by %s makes a run that succeeds silent', async (_what, flags, env) => {
    const { status, stderr } = await runCli(['version', ...flags], { env: { ...warned, ...env } });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('set to error leaves a failure its words', async () => {
    const { status, stderr } = await runCli(['sign-string', '--private-key', '/nonexistent', '--log-level=error']);
    expect(status).toBe(EXIT_STATUS.identity);
    expect(stderr).toContain('[ERR_FILE_NOT_FOUND]');
  });

  it.each([[['--log-level=debug']], [['--debug', '--log-level=error']]])('is debug with %j', async (flags) => {
    const { stderr } = await runCli(['sign-string', '--private-key', '/nonexistent', ...flags]);
    expect(stderr).toMatch(/^cause: Error: ENOENT/m);
  });
});

describe('output that cannot be written', () => {
  it('for a full device is an error', async () => {
    const { status, stderr } = await shell('"$0" "$@" version >/dev/full');
    expect(status).toBe(EXIT_STATUS.internal);
    expect(stderr).toContain('ENOSPC [ERR_OUTPUT]');
  });

  it.runIf(python)('for a reader that is gone is an error', async () => {
    const { status, stdout, stderr } = await inPython(`
r, w = os.pipe()
os.close(r)
sys.exit(subprocess.run(sys.argv[1:] + ['version'], stdout=w).returncode)
`);
    expect({ status, stdout }).toEqual({ status: EXIT_STATUS.internal, stdout: '' });
    expect(stderr).toMatch(/its reader is gone \[ERR_OUTPUT\]\n$/);
  });

  it('to standard error changes no exit status', async () => {
    expect(await shell('"$0" "$@" serve 2>/dev/full')).toMatchObject({ status: EXIT_STATUS.usage, stdout: '' });
  });

  it.runIf(python)('waits for a slow reader of a pipe that is full and does not block', async () => {
    const { status, stdout } = await inPython(`
r, w = os.pipe()
os.set_blocking(w, False)
full = fcntl.fcntl(w, 1031, 4096)
os.write(w, b'x' * full)
child = subprocess.Popen(sys.argv[1:] + ['credential-process', '--help'], stdout=w)
os.close(w)
time.sleep(0.5)
data = b''
while chunk := os.read(r, 65536): data += chunk
sys.stdout.buffer.write(data[full:])
sys.exit(child.wait())
`);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: (await runCli(['credential-process', '--help'])).stdout,
    });
  });
});

describe('no descriptor left', () => {
  // Node itself opens some twenty; one more or less, and it is another file or socket that cannot be opened.
  const limits = Array.from({ length: 14 }, (_, index) => index + 16);
  const ID = '11111111-1111-1111-1111-111111111111';
  const line = [
    'credential-process',
    '--certificate',
    `${PKI}ec-p256.crt.pem`,
    '--private-key',
    `${PKI}ec-p256.key.pem`,
    '--trust-anchor-arn',
    `arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/${ID}`,
    '--profile-arn',
    `arn:aws:rolesanywhere:us-east-1:123456789012:profile/${ID}`,
    '--role-arn',
    'arn:aws:iam::123456789012:role/Workload',
    '--endpoint',
    'http://127.0.0.1:9',
    '--max-attempts',
    '1',
  ];

  it.runIf(requireTool('prlimit'))(
    'ends, whatever cannot be read then',
    async () => {
      for (const limit of limits) {
        // Node aborts by itself where it cannot even begin: only what has to be ended by us goes on for ever.
        const outcome = await runProgram('prlimit', [`--nofile=${limit}:${limit}`, ...PROGRAM, ...line], {
          timeout: 20_000,
        }).catch(({ cause }: Error) => ({ killed: (cause as { killed?: boolean }).killed, stdout: '', status: 1 }));
        expect(outcome).not.toMatchObject({ killed: true });
        expect({ failed: outcome.status > 0, stdout: outcome.stdout }).toEqual({ failed: true, stdout: '' });
      }
    },
    60_000,
  );
});
