/** The files of docs/deploy/, each checked by a tool that knows its format. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { validate as validateDockerfile } from 'dockerfile-utils';
import { DaemonSet } from 'kubernetes-models/apps/v1/DaemonSet';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { Namespace } from 'kubernetes-models/v1/Namespace';
import { Pod } from 'kubernetes-models/v1/Pod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { commandRow } from '../../src/options/flags.ts';
import { EXIT_STATUS } from '../../src/platform/errors.ts';
import { cleanEnv, runProgram } from '../support/cli.ts';
import { requireTool } from '../support/tools.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const DEPLOY = `${ROOT}docs/deploy/`;

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(ROOT, 'node_modules/.cache-deploy-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

describe.runIf(requireTool('systemd-analyze'))('the systemd units', () => {
  const units = [
    'roles-anywhere.service',
    'roles-anywhere.socket',
    'roles-anywhere-renew.service',
    'roles-anywhere-renew.timer',
    'roles-anywhere-update.service',
  ];

  it('pass systemd-analyze verify, and the sandbox is one', async () => {
    const own = mkdtempSync(join(tmpdir(), 'ra-units-'));
    for (const unit of units) {
      const text = readFileSync(`${DEPLOY}systemd/${unit}`, 'utf8');
      // The program need not be installed where this runs.
      writeFileSync(join(own, unit), text.replace('ExecStart=/usr/local/bin/roles-anywhere', 'ExecStart=/usr/bin/env'));
    }
    const paths = units.map((unit) => join(own, unit));
    expect(await runProgram('systemd-analyze', ['verify', ...paths])).toEqual({ status: 0, stdout: '', stderr: '' });
    // Exposure in tenths, from 0 (best) to 100.
    const security = ['security', '--offline=true', '--no-pager', '--threshold=20'];
    for (const unit of units.filter((name) => name.endsWith('.service')))
      expect((await runProgram('systemd-analyze', [...security, join(own, unit)])).status).toBe(0);
    rmSync(own, { recursive: true });
  });
});

it('the Dockerfile passes the linter, runs as nobody in particular and has no shell form', () => {
  const text = readFileSync(`${DEPLOY}Dockerfile`, 'utf8');
  expect(validateDockerfile(text)).toEqual([]);
  expect(text).toMatch(/^USER 65532:65532$/m);
  expect(text).toMatch(/^ENTRYPOINT \[/m);
});

type Manifest = Record<string, unknown> & { kind: string; apiVersion: string };

const KINDS: Record<string, { new (data: never): { validate(): void }; type: string; module: string }> = {
  DaemonSet: Object.assign(DaemonSet, { type: 'IDaemonSet', module: 'kubernetes-models/apps/v1/DaemonSet' }),
  Deployment: Object.assign(Deployment, { type: 'IDeployment', module: 'kubernetes-models/apps/v1/Deployment' }),
  Namespace: Object.assign(Namespace, { type: 'INamespace', module: 'kubernetes-models/v1/Namespace' }),
  Pod: Object.assign(Pod, { type: 'IPod', module: 'kubernetes-models/v1/Pod' }),
};

function manifests(file: string): Manifest[] {
  return parseAllDocuments(readFileSync(`${DEPLOY}kubernetes/${file}`, 'utf8')).map((document) => {
    expect([...document.errors, ...document.warnings]).toEqual([]);
    return document.toJS() as Manifest;
  });
}

describe.each(['sidecar.yaml', 'node.yaml'])('the Kubernetes manifests of %s', (file) => {
  it("hold to the API's schema", () => {
    for (const manifest of manifests(file)) {
      const Kind = KINDS[manifest.kind];
      if (Kind === undefined) throw new Error(`${manifest.kind} is not checked`);
      expect(() => new Kind(manifest as never).validate()).not.toThrow();
    }
  });

  it('have no field that the API does not know', () => {
    // The schema lets unknown fields pass; the compiler does not, in a literal of the API's type.
    const lines = manifests(file).flatMap((manifest, index) => {
      const { type = '', module = '' } = KINDS[manifest.kind] ?? {};
      return [
        `import type { ${type} as T${index} } from '${module}';`,
        `export const m${index}: T${index} = ${JSON.stringify(manifest, undefined, 2)};`,
      ];
    });
    const source = join(dir, `${file}.ts`);
    writeFileSync(source, lines.join('\n'));
    const tsc = join(ROOT, 'node_modules/.bin/tsc');
    const flags = [
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--module',
      'nodenext',
      '--types',
      'node',
      '--ignoreConfig',
    ];
    expect(() =>
      execFileSync(tsc, [...flags, source], { env: cleanEnv({ PATH: process.env['PATH'] ?? '' }) }),
    ).not.toThrow();
  });

  it('give the server flags that it takes', () => {
    const containers = manifests(file).flatMap((manifest) => findArgs(manifest));
    expect(containers).toHaveLength(1);
    for (const [command, ...flags] of containers) {
      expect(command).toBe('serve');
      for (const flag of flags) expect(commandRow('serve').flags).toContain(/^--([a-z0-9-]+)/.exec(flag)?.[1]);
    }
  });
});

/** Every `args` of a manifest. */
function findArgs(value: unknown): string[][] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => (key === 'args' ? [inner as string[]] : findArgs(inner)));
}

it('no manifest holds a secret: to apply it would empty the one that is there', () => {
  for (const file of ['sidecar.yaml', 'node.yaml'])
    expect(manifests(file).map(({ kind }) => kind)).not.toContain('Secret');
});

describe.each([
  ['serve', 'roles-anywhere.service'],
  ['update', 'roles-anywhere-update.service'],
] as const)('the unit of %s', (command, unit) => {
  const text = readFileSync(`${DEPLOY}systemd/${unit}`, 'utf8');

  it('has the variables that its first lines write', () => {
    const names = [...text.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name);
    const [, written = '', path] = /^# {3}printf '([^']*)' .* >(\S+)$/m.exec(text) ?? [];
    expect([...written.matchAll(/(\w+)=%s\\n/g)].map(([, name]) => name)).toEqual(names);
    expect(text).toContain(`\nEnvironmentFile=${path}\n`);
  });

  it('has flags of its command', () => {
    expect(text).toContain(`/roles-anywhere ${command} \\\n`);
    const flags = [...text.matchAll(/^ {4}--([a-z0-9-]+)/gm)].map(([, flag]) => flag);
    expect(flags.length).toBeGreaterThan(5);
    expect(commandRow(command).flags).toEqual(expect.arrayContaining(flags));
  });
});

describe('the unit', () => {
  const unit = readFileSync(`${DEPLOY}systemd/roles-anywhere.service`, 'utf8');
  const setting = (name: string): string[] =>
    [...unit.matchAll(/^(\w+)=(.*)$/gm)].flatMap(([, key, value = '']) => (key === name ? [value] : []));

  it('leaves no core dump, which would hold the private key', () => {
    expect(setting('LimitCORE')).toEqual(['0']);
  });

  it('reloads by the signal at which serve reads its files again', () => {
    expect(setting('ExecReload')).toEqual(['/bin/kill -HUP $MAINPID']);
  });

  it('is not started again after a certificate that is not valid: the hook of a renewal that the docs name does that', () => {
    expect(setting('Restart')).toEqual(['on-failure']);
    expect(setting('RestartPreventExitStatus').join(' ').split(' ')).toContain(String(EXIT_STATUS.identity));
    const docs = readFileSync(`${ROOT}docs/server.md`, 'utf8');
    const [, hook, name] = /`(systemctl [\w-]+) ([\w-]+)`, which starts a unit that has ended/.exec(docs) ?? [];
    // Plain `reload` fails for a unit that has ended.
    expect(hook).toBe('systemctl reload-or-restart');
    expect(readdirSync(`${DEPLOY}systemd`)).toContain(`${name}.service`);
  });
});
