import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { TokenRequest } from '../../src/sources/mfa.ts';
import { commandTokenProvider, stdinTokenProvider, terminalTokenProvider } from '../../src/sources/token-providers.ts';
import { settle } from '../support/fake-clock.ts';
import { refusal } from '../support/refusal.ts';

function request(extra: Partial<TokenRequest> = {}): TokenRequest {
  return { serialNumber: 'GAHT12345678', used: false, signal: new AbortController().signal, ...extra };
}

describe('stdinTokenProvider', () => {
  it('takes a line for each code, however they arrive, and leaves the rest', async () => {
    const input = new PassThrough();
    const provider = stdinTokenProvider(input);
    const first = provider(request());
    input.write('111');
    await settle();
    input.write('111\r\n222222\n33');
    expect(await first).toBe('111111');
    expect(await provider(request())).toBe('222222');
    input.end('3333');
    expect(await provider(request())).toBe('333333');
    expect((await refusal(() => provider(request()))).code).toBe('ERR_MFA_CODE');
  });

  it('refuses a line that cannot be a code before it has filled the memory', async () => {
    const input = new PassThrough();
    const code = refusal(() => stdinTokenProvider(input)(request()));
    input.write('1'.repeat(100));
    expect((await code).code).toBe('ERR_MFA_CODE');
  });

  it('lets go of the stream when nobody waits any more', async () => {
    const input = new PassThrough();
    const controller = new AbortController();
    void stdinTokenProvider(input)(request({ signal: controller.signal }));
    controller.abort();
    await settle();
    expect(input.isPaused()).toBe(true);
    expect(input.listenerCount('data')).toBe(0);
  });
});

describe('terminalTokenProvider', () => {
  it('asks for the code of the device, and for the next one when it was used', async () => {
    const questions: string[] = [];
    const provider = terminalTokenProvider((question) => {
      questions.push(question);
      return Promise.resolve(Buffer.from(' 123456 '));
    });
    expect(await provider(request())).toBe('123456');
    await provider(request({ used: true }));
    expect(questions).toEqual(['the MFA code of GAHT12345678', 'the next MFA code of GAHT12345678']);
  });

  it('is an error without a terminal', async () => {
    const provider = terminalTokenProvider(() => Promise.resolve(undefined));
    expect((await refusal(() => provider(request()))).code).toBe('ERR_MFA_CODE');
  });
});

const node = (script: string): readonly [string, ...string[]] => [process.execPath, '-e', script];

describe('commandTokenProvider', () => {
  it('takes the first line that a program prints', async () => {
    expect(await commandTokenProvider(node('console.log("123456\\nmore")'))(request())).toBe('123456');
  });

  it('gives a text to the shell', async () => {
    expect(await commandTokenProvider('echo 123 | tr -d "\\n"; echo 456')(request())).toBe('123456');
  });

  it('says how a program failed, and nothing of what it printed', async () => {
    const error = await refusal(() => commandTokenProvider(node('console.log(654321); process.exit(7)'))(request()));
    expect(error).toMatchObject({ code: 'ERR_MFA_CODE', message: expect.stringContaining('status 7') as string });
    expect(`${error.message} ${error.hint}`).not.toContain('654321');
  });

  it('is an error for a program that is not there', async () => {
    const provider = commandTokenProvider(['/no/such/program']);
    expect((await refusal(() => provider(request()))).code).toBe('ERR_MFA_CODE');
  });

  it('ends a program that nobody waits for', async () => {
    const controller = new AbortController();
    const failed = refusal(() =>
      commandTokenProvider(node('setInterval(() => {}, 1000)'))(request({ signal: controller.signal })),
    );
    setImmediate(() => controller.abort());
    expect((await failed).message).toContain('SIGTERM');
  });

  it('holds no more of an endless output than a code is long', async () => {
    const controller = new AbortController();
    const script = 'const t = setInterval(() => process.stdout.write("9".repeat(65536)), 1)';
    const failed = refusal(() => commandTokenProvider(node(script))(request({ signal: controller.signal })));
    setTimeout(() => controller.abort(), 200);
    expect((await failed).code).toBe('ERR_MFA_CODE');
  });
});
