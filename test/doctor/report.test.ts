import { describe, expect, it } from 'vitest';
import { Notebook } from '../../src/doctor/notebook.ts';
import { jsonReport, redactor, textReport } from '../../src/doctor/report.ts';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { styleOf } from '../../src/platform/terminal-style.ts';

function example(): Notebook {
  const notes = new Notebook();
  notes.fail(
    'service',
    new RolesAnywhereError('ERR_ACCESS_DENIED', 'refused for arn:aws:iam::123456789012:role/Build', {
      hint: 'ask Build',
    }),
    ['one', 'two'],
  );
  notes.find('WARN_CLOCK_OFFSET', 'the clock \u001B[2J\nis off');
  notes.fact('options', '--role-arn', 'arn:aws:iam::123456789012:role/Build');
  notes.leave('the stores');
  return notes;
}

describe('the report', () => {
  it('is text, in which nothing that is quoted steers the terminal', () => {
    expect(textReport(example(), { subject: 'this' })).toBe(`doctor: this

error: refused for arn:aws:iam::123456789012:role/Build [ERR_ACCESS_DENIED]
  what to do: ask Build
  one
  two

warning: the clock \\u{1b}[2J is off [WARN_CLOCK_OFFSET]
  what to do: set the clock, and let NTP keep it: this program corrects for it, other programs do not

options
  --role-arn  arn:aws:iam::123456789012:role/Build

not looked at
  the stores

1 error, 1 warning
`);
  });

  it('has colour where it is asked for, and says when nothing is wrong', () => {
    expect(textReport(example(), { subject: 'this', style: styleOf(true, {}) })).toContain(
      '\u001B[1;31merror:\u001B[0m refused',
    );
    expect(textReport(new Notebook(), { subject: 'this' })).toBe('doctor: this\n\nnothing is wrong\n');
  });

  it('is JSON, with the exit status', () => {
    expect(JSON.parse(jsonReport(example(), { subject: 'this' }))).toMatchObject({
      subject: 'this',
      status: 4,
      findings: [{ code: 'ERR_ACCESS_DENIED', details: ['one', 'two'] }, { code: 'WARN_CLOCK_OFFSET' }],
      facts: [{ area: 'options', label: '--role-arn' }],
      notLookedAt: ['the stores'],
    });
  });

  it.each([
    ['arn:aws:iam::123456789012:role/Build', 'arn:aws:iam::<account>:role/<role>'],
    ['profile/22222222-2222-2222-2222-222222222222', 'profile/<id>'],
    ['CN=web-1.example.com', 'CN=<name>'],
    ['AROAEXAMPLEEXAMPLE12:session', '<id>:session'],
    ['serial 335378545487888951205214078623578747047', 'serial <number>'],
    ['10.1.2.3 and 127.0.0.1', '<address> and 127.0.0.1'],
    ['valid from 2026-11-29T01:31:08Z', 'valid from 2026-11-29T01:31:08Z'],
  ])('leaves out of %j what --redact takes out', (text, expected) => {
    expect(redactor({ role: ['Build'], name: ['web-1.example.com', undefined] })(text)).toBe(expected);
  });

  it('redacts the whole of both forms', () => {
    const redact = redactor({ role: ['Build'] });
    for (const text of [
      textReport(example(), { subject: 'Build', redact }),
      jsonReport(example(), { subject: 'Build', redact }),
    ])
      expect(text).not.toMatch(/Build|123456789012/);
  });
});
