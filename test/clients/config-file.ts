import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface AwsHome {
  /** AWS_CONFIG_FILE and friends for a child process: this profile and nothing else. */
  env: Record<string, string>;
  dir: string;
  remove(): void;
}

/** A home directory whose only AWS configuration is one profile with `credential_process`. */
export function awsHome(command: (dir: string) => string, extra: Readonly<Record<string, string>> = {}): AwsHome {
  const dir = mkdtempSync(join(tmpdir(), 'ra aws home-'));
  const lines = ['[default]', 'region = us-east-1', `credential_process = ${command(dir)}`];
  for (const [name, value] of Object.entries(extra)) lines.push(`${name} = ${value}`);
  writeFileSync(join(dir, 'config'), `${lines.join('\n')}\n`, { mode: 0o600 });
  return {
    dir,
    env: {
      HOME: dir,
      AWS_CONFIG_FILE: join(dir, 'config'),
      AWS_SHARED_CREDENTIALS_FILE: join(dir, 'credentials'),
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}
