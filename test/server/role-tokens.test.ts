import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLog, silentLog } from '../../src/platform/log.ts';
import { defaultTokenFile, prepareTokens } from '../../src/server/role-tokens.ts';
import type { TokensOptions } from '../../src/server/role-tokens.ts';
import { refusal, refusalCode } from '../support/refusal.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ra-token-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const at = (name: string): string => join(dir, name);

describe('the tokens of a server', () => {
  it('are shared, but for the roles with their own file', async () => {
    const tokens = await prepareTokens({
      roles: [{ name: 'a' }, { name: 'b' }, { name: 'c', tokenFile: at('own') }],
      tokenFile: at('shared'),
      env: {},
      log: silentLog,
    });
    expect(existsSync(at('shared'))).toBe(false);
    await tokens.write(9911);
    expect(tokens.of('a')).toBe(tokens.of('b'));
    expect(readFileSync(tokens.fileOf('b') ?? '', 'utf8')).toBe(tokens.of('b').token);
    expect(readFileSync(tokens.fileOf('c') ?? '', 'utf8')).toBe(tokens.of('c').token);
    expect(tokens.of('c').token).not.toBe(tokens.of('a').token);
    await tokens.remove();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('are checked for before they are written: their own, the shared one, and the usual place', async () => {
    const roles = [{ name: 'a' }, { name: 'b', tokenFile: at('own') }];
    const check = async (options: Partial<TokensOptions>): Promise<void> =>
      (await prepareTokens({ roles, env: {}, log: silentLog, ...options })).check(9911);
    await check({ tokenFile: at('shared') });
    expect(readdirSync(dir)).toEqual([]);
    writeFileSync(at('note'), 'not a token');
    expect(await refusalCode(() => check({ tokenFile: at('note') }))).toBe('ERR_TOKEN_FILE');
    expect(await refusalCode(() => check({ roles: [{ name: 'a', tokenFile: at('note') }] }))).toBe('ERR_TOKEN_FILE');
    mkdirSync(at('run'));
    writeFileSync(at('run/token'), 'not a token');
    expect(await refusalCode(() => check({ env: { RUNTIME_DIRECTORY: at('run') } }))).toBe('ERR_TOKEN_FILE');
    // The usual place is not used when every role has its own file, nor when clients read the source.
    await check({ roles: [{ name: 'a', tokenFile: at('own') }], env: { RUNTIME_DIRECTORY: at('run') } });
    writeFileSync(at('source'), 'first-token-0123456789\n');
    await check({ tokenSource: at('source'), env: { RUNTIME_DIRECTORY: at('run') } });
    expect(readFileSync(at('run/token'), 'utf8')).toBe('not a token');
  });

  it('go to the usual place, unless every role has its own file', async () => {
    mkdirSync(at('run'));
    const env = { RUNTIME_DIRECTORY: at('run') };
    const own = await prepareTokens({ roles: [{ name: 'a', tokenFile: at('own') }], env, log: silentLog });
    await own.write(9911);
    expect(readdirSync(at('run'))).toEqual([]);
    const shared = await prepareTokens({ roles: [{ name: 'a' }], env, log: silentLog });
    await shared.write(9911);
    expect(shared.fileOf('a')).toBe(at('run/token'));
    expect(readFileSync(at('run/token'), 'utf8')).toBe(shared.of('a').token);
    await shared.remove();
    await own.remove();
    expect(readdirSync(dir)).toEqual(['run']);
  });

  it('stay as they are, without a word, where there is no source or it says the same', async () => {
    const logged: string[] = [];
    const log = createLog({ write: (line) => void logged.push(line) });
    const made = await prepareTokens({ roles: [{ name: 'a' }], tokenFile: at('shared'), env: {}, log });
    writeFileSync(at('source'), 'first-token-0123456789');
    const sourced = await prepareTokens({ roles: [{ name: 'a' }], tokenSource: at('source'), env: {}, log });
    for (const tokens of [made, sourced]) {
      await tokens.write(9911);
      const before = tokens.of('a');
      await tokens.reload();
      expect(tokens.of('a')).toBe(before);
    }
    expect(logged).toEqual([]);
    writeFileSync(at('source'), 'second-token-0123456789');
    await sourced.reload();
    expect(sourced.of('a').accepts('second-token-0123456789')).toBe(true);
    expect(readFileSync(at('source'), 'utf8')).toBe('second-token-0123456789');
    await made.remove();
  });

  it('go to a folder of their own where there is no runtime directory, which goes with them', async () => {
    const tokens = await prepareTokens({ roles: [{ name: 'a' }], env: {}, log: silentLog });
    await tokens.write(9911);
    const path = tokens.fileOf('a') ?? '';
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700);
    await tokens.remove();
    expect(existsSync(join(path, '..'))).toBe(false);
  });

  it('go to that folder too where the runtime directory cannot be written to', async () => {
    writeFileSync(at('note'), 'no directory');
    const tokens = await prepareTokens({
      roles: [{ name: 'a' }],
      env: { RUNTIME_DIRECTORY: at('note') },
      log: silentLog,
    });
    await tokens.check(9911);
    await tokens.write(9911);
    expect(readFileSync(tokens.fileOf('a') ?? '', 'utf8')).toBe(tokens.of('a').token);
    await tokens.remove();
  });

  describe('where nothing can be written', () => {
    const { TMPDIR } = process.env;
    beforeEach(() => void (process.env['TMPDIR'] = at('nowhere')));
    afterEach(() => {
      if (TMPDIR === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = TMPDIR;
    });

    it('are left out with a warning that names the flag', async () => {
      const logged: string[] = [];
      const log = createLog({ write: (line) => void logged.push(line) });
      const tokens = await prepareTokens({ roles: [{ name: 'a' }], env: {}, log });
      await tokens.check(0);
      await tokens.write(9911);
      expect(tokens.fileOf('a')).toBeUndefined();
      expect(logged.join('')).toMatch(/ warn .*container endpoint.*--token-file/);
      await tokens.remove();
    });

    it('are an error when there is no other way to credentials', async () => {
      const tokens = await prepareTokens({ roles: [{ name: 'a' }], required: true, env: {}, log: silentLog });
      const { code, hint } = await refusal(() => tokens.check(0));
      expect({ code, hint }).toEqual({ code: 'ERR_TOKEN_FILE', hint: 'name one with --token-file' });
    });
  });

  it('follow their source when it is read again, and stay when it is bad', async () => {
    const logged: string[] = [];
    const log = createLog({ write: (line) => void logged.push(line) });
    writeFileSync(at('source'), 'first-token-0123456789\n');
    const tokens = await prepareTokens({
      roles: [{ name: 'a' }],
      tokenSource: at('source'),
      tokenFile: at('copy'),
      env: {},
      log,
    });
    await tokens.write(9911);
    writeFileSync(at('source'), 'second-token-0123456789');
    await tokens.reload();
    expect(tokens.of('a').accepts('second-token-0123456789')).toBe(true);
    expect(readFileSync(at('copy'), 'utf8')).toBe('second-token-0123456789');
    writeFileSync(at('source'), 'bad');
    await tokens.reload();
    expect(tokens.of('a').accepts('second-token-0123456789')).toBe(true);
    expect(logged.join('')).toContain('the token stays as it was');
    expect(logged.join('')).not.toContain('-token-0123456789');
    await tokens.remove();
    expect(readdirSync(dir)).toEqual(['source']);
  });

  it('of a source that clients read too must not end with a line end', async () => {
    const logged: string[] = [];
    writeFileSync(at('source'), 'first-token-0123456789\n');
    const log = createLog({ write: (line) => void logged.push(line) });
    const tokens = await prepareTokens({ roles: [{ name: 'a' }], tokenSource: at('source'), env: {}, log });
    await tokens.write(9911);
    expect(tokens.fileOf('a')).toBe(at('source'));
    expect(logged.join('')).toContain('--token-file');
    await tokens.remove();
    expect(existsSync(at('source'))).toBe(true);
  });

  it('have a usual place: of the service, of the user, or none', () => {
    expect(defaultTokenFile({ RUNTIME_DIRECTORY: '/run/x:/run/y', XDG_RUNTIME_DIR: '/run/user/1' }, 1)).toBe(
      '/run/x/token',
    );
    expect(defaultTokenFile({ XDG_RUNTIME_DIR: '/run/user/1' }, 9911)).toBe(
      '/run/user/1/roles-anywhere/serve-9911.token',
    );
    expect(defaultTokenFile({}, 9911)).toBeUndefined();
  });
});
