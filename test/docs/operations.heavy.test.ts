/** docs/operations.md: its blocks as printed, and the files of docs/deploy that it names, each by the program that reads it. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../../src/emulator/certificates/authority.ts';
import { startEmulator } from '../../src/emulator/emulator.ts';
import { createMetrics } from '../../src/server/metrics.ts';
import { identityFlags, startServe } from '../clients/serve-process.ts';
import { CLI, type CliResult, runCli, runProgram } from '../support/cli.ts';
import { requireTool } from '../support/tools.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';
import { blocksOf, ROOT } from './read-blocks.ts';

const DEPLOY = join(ROOT, 'docs/deploy');
const RULES = join(DEPLOY, 'prometheus/roles-anywhere.rules.yml');
const page = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8');
const blocks = blocksOf('docs/operations.md').filter(({ mark }) => mark === '<!-- run -->');
const blockWith = (text: string): string => blocks.find((block) => block.text.includes(text))?.text ?? '';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ra-operations-'));
  for (const made of ['bin', 'home', 'home/.aws', 'prefix']) mkdirSync(join(folder, made));
  symlinkSync(CLI, join(folder, 'bin/roles-anywhere'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const env = (extra: Record<string, string> = {}): Record<string, string> => ({
  PATH: `${join(folder, 'bin')}:${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
  HOME: join(folder, 'home'),
  npm_config_prefix: join(folder, 'prefix'),
  ...extra,
});

describe.skipIf(!requireTool('/usr/bin/aws'))('the blocks of operations', () => {
  it('are each run here', () => {
    expect(blocks).toHaveLength(3);
  });

  it(
    'let two roots be trusted while a CA is rotated, and take a revoked certificate out',
    { timeout: 120_000 },
    async () => {
      const [old, fresh] = [await createAuthority(), await createAuthority()];
      const emulator = await startEmulator({ trustAnchors: [{ certificates: old.certificate }] });
      try {
        writeFileSync(join(folder, 'old-ca.pem'), old.certificate);
        writeFileSync(join(folder, 'new-ca.pem'), fresh.certificate);
        writeFileSync(join(folder, 'bin/aws'), `#!/bin/sh\nexec /usr/bin/aws --endpoint-url ${emulator.url} "$@"\n`);
        chmodSync(join(folder, 'bin/aws'), 0o755);
        const shell = (text: string): Promise<CliResult> =>
          runProgram('/bin/sh', ['-ec', text], {
            cwd: folder,
            env: env({
              AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
              AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
              AWS_DEFAULT_REGION: 'us-east-1',
              TRUST_ANCHOR_ARN: emulator.trustAnchorArns[0] ?? '',
            }),
          });
        const issued = await Promise.all([old, fresh].map((authority) => authority.issue({ subject: 'CN=workload' })));
        const vend = async (index: number): Promise<string> => {
          const { certificate, privateKey } = issued[index] ?? { certificate: '', privateKey: '' };
          writeFileSync(join(folder, 'certificate.pem'), certificate + privateKey, { mode: 0o600 });
          const { status, stderr } = await runCli([
            'credential-process',
            '--certificate',
            join(folder, 'certificate.pem'),
            ...worldFlags(emulator),
          ]);
          return status === 0 ? 'vended' : stderr;
        };
        expect(await vend(1)).toContain('Untrusted signing certificate');
        const rotated = await shell(blockWith('update-trust-anchor'));
        expect(rotated).toMatchObject({ status: 0, stderr: '' });
        expect([await vend(0), await vend(1)]).toEqual(['vended', 'vended']);

        writeFileSync(join(folder, 'crl.pem'), await old.revoke(issued.slice(0, 1)));
        expect(await shell(blockWith('import-crl'))).toMatchObject({ status: 0, stderr: '' });
        expect(await vend(0)).toContain('ERR_ACCESS_DENIED');
        expect(emulator.verdicts.at(-1)?.reason).toMatch(/revoked/i);
        expect(await vend(1)).toBe('vended');
      } finally {
        await emulator.close();
      }
    },
  );

  it('remove what init wrote, and the program', { timeout: 120_000 }, async () => {
    const config = join(folder, 'home/.aws/config');
    const before = '[profile other]\nregion = eu-central-1\n';
    const block = [
      '# >>> roles-anywhere init --profile workload >>>',
      '# <<< roles-anywhere init --profile workload <<<',
    ];
    writeFileSync(config, `${before}\n[profile workload]\n${block[0]}\nregion = us-east-1\n${block[1]}\n`);
    // What npm would have installed.
    const own = join(folder, 'prefix/lib/node_modules/roles-anywhere');
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, 'package.json'), '{"name":"roles-anywhere","version":"0.1.0"}');
    const { status, stderr } = await runProgram('/bin/sh', ['-ec', blockWith('uninstall')], {
      cwd: folder,
      env: env(),
    });
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    expect(readFileSync(config, 'utf8')).toContain(before);
    expect(readFileSync(config, 'utf8')).not.toContain('roles-anywhere');
    expect(existsSync(own)).toBe(false);
  });
});

const promtool = (...args: string[]): string => execFileSync('promtool', args, { encoding: 'utf8', stdio: 'pipe' });

describe('the alerts', () => {
  const rules = readFileSync(RULES, 'utf8');
  const alerts = [...rules.matchAll(/^ +- alert: (\w+)$/gm)].map(([, name = '']) => name);
  const metrics = [...new Set([...rules.matchAll(/\broles_anywhere_\w+/g)].map(([name]) => name))];

  it.runIf(requireTool('promtool'))('are taken by promtool, and fire in their cases alone', () => {
    expect(promtool('check', 'rules', RULES)).toContain(`SUCCESS: ${alerts.length} rules found`);
    expect(promtool('test', 'rules', join(import.meta.dirname, 'deploy/alerts.test.yml'))).toContain('SUCCESS');
  });

  it('are each in a case, and in the table of the page', () => {
    const cases = readFileSync(join(import.meta.dirname, 'deploy/alerts.test.yml'), 'utf8');
    expect(alerts.filter((name) => !cases.includes(`alertname: ${name}\n        exp_alerts:\n`))).toEqual([]);
    expect([...page.matchAll(/^\| (RolesAnywhere\w+) \|/gm)].map(([, name]) => name)).toEqual(alerts);
  });

  it.runIf(requireTool('promtool'))('are of metrics that serve exposes, in a form that promtool takes', async () => {
    const emulator = await startTestEmulator();
    const serve = await startServe([...identityFlags(emulator), '--port', '0', '--metrics-listen', '0']);
    try {
      const [, port] = /are served","address":"127.0.0.1","port":(\d+)/.exec(serve.log()) ?? [];
      const text = await fetchText(`http://127.0.0.1:${port}/metrics`);
      execFileSync('promtool', ['check', 'metrics'], { input: text, stdio: 'pipe' });
      // With a refusal and with `--renew`, too.
      const all = createMetrics();
      all.refused('host');
      const renewal = { succeeded: 1, failed: 0, failures: 0, lastSuccess: 0, next: 0 };
      const names = namesIn(text + all.expose([], 0, 0, renewal));
      expect(metrics.filter((name) => !names.has(name))).toEqual([]);
      // And so does the table of docs/server.md, of each of them.
      const table = readFileSync(join(ROOT, 'docs/server.md'), 'utf8');
      const families = [...(text + all.expose([], 0, 0, renewal)).matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name);
      expect(families.filter((name) => !table.includes(`\`${name}\``))).toEqual([]);
    } finally {
      serve.kill('SIGTERM');
      await serve.exited;
      await emulator.close();
    }
  });
});

describe('the other files', () => {
  it.runIf(requireTool('logrotate'))('rotate the audit log: logrotate takes its file', async () => {
    const file = join(folder, 'rotate');
    // The user is not there where this runs.
    writeFileSync(file, readFileSync(join(DEPLOY, 'logrotate/roles-anywhere'), 'utf8').replace(/^ +su .*\n/m, ''));
    const said = await runProgram('logrotate', ['--debug', '--state', join(folder, 'state'), file], {
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
    expect(said.status).toBe(0);
    expect(said.stderr).not.toMatch(/error:/);
  });

  it.runIf(requireTool('python3'))('start serve on macOS: the property list is one, with flags of serve', async () => {
    const path = join(DEPLOY, 'launchd/com.example.roles-anywhere.plist');
    const read = 'import json,plistlib,sys; print(json.dumps(plistlib.load(open(sys.argv[1],"rb"))))';
    const list = JSON.parse(execFileSync('python3', ['-c', read, path], { encoding: 'utf8' })) as {
      Label: string;
      ProgramArguments: string[];
    };
    expect(path).toContain(`${list.Label}.plist`);
    writeFileSync(join(folder, 'home/.aws/config'), '[profile workload]\nregion = us-east-1\n');
    const { status, stdout, stderr } = await runCli([...list.ProgramArguments.slice(1), '--print-config'], {
      env: { HOME: join(folder, 'home') },
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^--token-file +\S+ +\(command line\)$/m);
  });
});

function namesIn(text: string): Set<string> {
  return new Set(
    [...text.matchAll(/^(?:# TYPE )?(roles_anywhere_\w+)/gm)].flatMap(([, name = '']) => [name, `${name}_bucket`]),
  );
}

function fetchText(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
}
