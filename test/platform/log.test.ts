import { expect, it } from 'vitest';
import { createLog } from '../../src/platform/log.ts';
import type { LogOptions } from '../../src/platform/log.ts';

function lines(options: Partial<LogOptions> = {}) {
  const written: string[] = [];
  const log = createLog({ write: (line) => void written.push(line), now: () => Date.UTC(2026, 0, 1), ...options });
  return { log, written };
}

it('text is one line, with values that cannot be mistaken', () => {
  const { log, written } = lines();
  log.info('new credentials', { role: 'Demo', count: 2, reason: 'it is "due"', none: undefined, odd: 'a\nb=c' });
  expect(written).toEqual([
    '2026-01-01T00:00:00Z info  new credentials role=Demo count=2 reason="it is \\"due\\"" odd="a\\nb=c"\n',
  ]);
});

it('what a message quotes cannot begin a new line or drive the terminal', () => {
  const { log, written } = lines();
  log.warn('bad\n2026-01-01T00:00:00Z info  forged \u001b[2J');
  expect(written[0]?.split('\n')).toHaveLength(2);
  expect(written[0]).not.toContain('\u001b');
});

it.each(['text', 'json'] as const)('no value drives the terminal or turns a line around (%s)', (format) => {
  const host = 'a\u009b31m\u0085\u202eb';
  let said = '';
  createLog({ write: (line) => (said += line), format }).warn(`refused ${host}`, { host });
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  expect(said.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
  const read = format === 'json' ? (JSON.parse(said) as { host: string }).host : host;
  expect(read).toBe(host);
});

it('JSON is an object a line', () => {
  const { log, written } = lines({ format: 'json' });
  log.error('broken\nhere', { code: 'ERR_INTERNAL', none: undefined });
  expect(written).toHaveLength(1);
  expect(JSON.parse(written[0] ?? '')).toEqual({
    time: '2026-01-01T00:00:00.000Z',
    level: 'error',
    message: 'broken\nhere',
    code: 'ERR_INTERNAL',
  });
});

it.each([
  ['debug', 4],
  ['info', 3],
  ['warn', 2],
  ['error', 1],
] as const)('at the level %s, %i of four levels are written', (level, count) => {
  const { log, written } = lines({ level });
  log.debug('a');
  log.info('b');
  log.warn('c');
  log.error('d');
  expect(written).toHaveLength(count);
});

it('plain text is the message behind its level, without a time', () => {
  const { log, written } = lines({ format: 'plain', level: 'debug' });
  log.debug('trying', { count: 2 });
  log.info('it is there already');
  log.warn('one\ntwo');
  expect(written).toEqual(['debug: trying count=2\n', 'it is there already\n', 'warning: one\ntwo\n']);
});

it('a list is lines below the message, and stays a list in JSON', () => {
  const text = lines();
  text.log.info('refused', { code: 'X', explained: ['first', 'second \u001b[2J'] });
  expect(text.written).toEqual(['2026-01-01T00:00:00Z info  refused code=X\n  first\n  second  [2J\n']);
  const json = lines({ format: 'json' });
  json.log.info('refused', { explained: ['first'] });
  expect(JSON.parse(json.written[0] ?? '')).toMatchObject({ explained: ['first'] });
});

it('a log says which level it writes', () => {
  expect([lines().log.level, lines({ level: 'debug' }).log.level]).toEqual(['info', 'debug']);
});
