/**
 * Terraform's provider for AWS against the emulator, with the configuration of docs/emulator.md. Runs where `terraform`
 * is there and ROLES_ANYWHERE_TERRAFORM_MIRROR names a mirror of its plugins (`terraform providers mirror DIR`), and is
 * skipped elsewhere, in CI too: the provider has 700 MB.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';
import { cleanEnv, PKI } from '../support/cli.ts';
import { TERRAFORM_MIRROR, hasTerraform } from '../support/terraform.ts';

/** The configuration that the document shows. */
function documented(): string {
  const text = readFileSync(join(import.meta.dirname, '../../docs/emulator.md'), 'utf8');
  const [, block = ''] = /```hcl\n([\s\S]*?)```/.exec(text) ?? [];
  return block;
}

it('has a configuration in the document', () => {
  expect(documented()).toContain('provider "aws"');
});

describe.runIf(hasTerraform())('Terraform, where it and ROLES_ANYWHERE_TERRAFORM_MIRROR are there', () => {
  let emulator: Emulator;
  let folder: string;
  beforeAll(async () => {
    emulator = await startEmulator({ trustAnchors: [{ certificates: readFileSync(`${PKI}root.pem`, 'utf8') }] });
    folder = mkdtempSync(join(tmpdir(), 'roles-anywhere-terraform-'));
    writeFileSync(join(folder, 'root.pem'), readFileSync(`${PKI}root.pem`));
    writeFileSync(
      join(folder, 'terraform.rc'),
      `provider_installation {\n  filesystem_mirror {\n    path = ${JSON.stringify(TERRAFORM_MIRROR)}\n  }\n}\n`,
    );
    configure((text) => text);
  });
  afterAll(async () => {
    await emulator.close();
    rmSync(folder, { recursive: true });
  });

  function configure(change: (text: string) => string): void {
    writeFileSync(join(folder, 'main.tf'), change(documented().replaceAll('http://127.0.0.1:9912', emulator.url)));
  }

  /** The emulator is in this process, which must not wait while Terraform runs. */
  async function terraform(...args: string[]): Promise<number | null> {
    const env = cleanEnv({
      HOME: folder,
      TF_CLI_CONFIG_FILE: join(folder, 'terraform.rc'),
      TF_IN_AUTOMATION: '1',
      CHECKPOINT_DISABLE: '1',
      AWS_EC2_METADATA_DISABLED: 'true',
    });
    const child = spawn('terraform', [...args, '-no-color', '-input=false'], { cwd: folder, env });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const status = await new Promise<number | null>((resolve) => {
      child.on('close', resolve);
    });
    if (status === 1) throw new Error(`terraform ${args.join(' ')}: ${said}`);
    return status;
  }

  const names = (): string[] =>
    [...emulator.state.list('trustAnchors'), ...emulator.state.list('profiles')].map(({ name }) => name).toSorted();

  it('makes what is written, finds nothing to change, changes, refreshes and removes', async () => {
    const before = names();
    await terraform('init');
    expect(await terraform('apply', '-auto-approve')).toBe(0);
    expect(names()).toEqual([...before, 'corp', 'workers'].toSorted());
    expect(await terraform('plan', '-detailed-exitcode')).toBe(0);
    configure((text) => text.replace(/(name\s+= )"workers"/, '$1"others"').replace(/(name\s+= )"corp"/, '$1"corp-2"'));
    expect(await terraform('plan', '-detailed-exitcode')).toBe(2);
    expect(await terraform('apply', '-auto-approve')).toBe(0);
    expect(await terraform('apply', '-refresh-only', '-auto-approve')).toBe(0);
    expect(await terraform('plan', '-detailed-exitcode')).toBe(0);
    expect(names()).toEqual([...before, 'corp-2', 'others'].toSorted());
    expect(await terraform('destroy', '-auto-approve')).toBe(0);
    expect(names()).toEqual(before);
  }, 600_000);
});
