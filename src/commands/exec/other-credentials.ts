/**
 * The profile that every SDK reads when none is named. Its credentials come before a container endpoint, so that a command
 * that is to have the endpoint's must not see them.
 */
// Tests: test/clients/exec-server.heavy.test.ts
import { devNull } from 'node:os';
import { CREDENTIAL_KEYS } from '../../options/config/credential-keys.ts';
import { ConfigFile, readConfigText } from '../../options/config/file.ts';
import { configPath, credentialsPath } from '../../options/config/shared.ts';
import { systemCode } from '../../platform/files.ts';
import type { Log } from '../../platform/log.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The files of profiles: what names each, where it is, and how the default profile's section is called there. */
const FILES = [
  { variable: 'AWS_SHARED_CREDENTIALS_FILE', pathOf: credentialsPath, kind: 'key' },
  { variable: 'AWS_CONFIG_FILE', pathOf: configPath, kind: 'profile' },
] as const;

/**
 * The variables that keep a command from a default profile with credentials: in place of the file that has it, nothing.
 * Files without one stay, with the profiles that a command may ask for by name.
 */
export function withoutDefaultProfile(env: Environment, log: Log): Readonly<Record<string, string>> {
  const hidden = FILES.flatMap(({ variable, pathOf, kind }) => {
    const path = pathOf(env);
    if (!hasCredentials(path, kind)) return [];
    log.warn(
      'the profile default has credentials, which SDKs take before the endpoint: the command does not see its file',
      {
        path,
      },
    );
    return [[variable, devNull] as const];
  });
  return Object.fromEntries(hidden);
}

/** One that cannot be read as the SDKs do may have them. */
function hasCredentials(path: string, kind: 'key' | 'profile'): boolean {
  try {
    const section = new ConfigFile(readConfigText(path)).find(kind, 'default');
    return section !== undefined && [...section.lines(CREDENTIAL_KEYS)].length > 0;
  } catch (error) {
    return !/^(?:ENOENT|ENOTDIR|EACCES)$/.test(systemCode(error) ?? '');
  }
}
