import { describe, expect, it } from 'vitest';
import { VERSION } from '../../src/platform/version.ts';
import { quickAnswer } from '../../src/output/quick-answer.ts';

describe('an answer of the first file alone', () => {
  it('is the version, for the bare line', () => {
    expect(quickAnswer('roles-anywhere', ['version'], { PATH: '/bin', HOME: '/' })).toBe(`${VERSION}\n`);
  });

  it.each<[string, string, string[], Record<string, string>]>([
    ['with a flag', 'roles-anywhere', ['version', '--json'], {}],
    ['that asks by a flag', 'roles-anywhere', ['--version'], {}],
    ['of another command', 'roles-anywhere', ['credential-process'], {}],
    ['that is empty', 'roles-anywhere', [], {}],
    ["under the name of AWS's helper", 'aws_signing_helper', ['version'], {}],
    ["under the name of AWS's helper on Windows", 'aws_signing_helper.exe', ['version'], {}],
    ['with a variable that may be wrong', 'roles-anywhere', ['version'], { ROLES_ANYWHERE_LOG_LEVEL: 'loud' }],
    ['with a file that may be unreadable', 'roles-anywhere', ['version'], { AWS_CONFIG_FILE: '/nowhere' }],
    ['with options of Node', 'roles-anywhere', ['version'], { NODE_OPTIONS: '--inspect' }],
  ])('is none for a line %s', (_what, program, tokens, env) => {
    expect(quickAnswer(program, tokens, env)).toBeUndefined();
  });
});
