import { describe, expect, it } from 'vitest';
import { Notebook } from '../../src/doctor/notebook.ts';
import { RolesAnywhereError } from '../../src/platform/errors.ts';

describe('Notebook', () => {
  it('puts errors before warnings and notes, and causes before what follows from them', () => {
    const notes = new Notebook();
    notes.find('NOTE_PROCESS_OTHER', 'another program');
    notes.find('WARN_CLOCK_OFFSET', 'the clock');
    notes.fail('service', new RolesAnywhereError('ERR_ACCESS_DENIED', 'refused'));
    notes.find('WARN_SECRET_VISIBLE', 'a password');
    notes.fail('certificate', new RolesAnywhereError('ERR_CERTIFICATE_EXPIRED', 'expired', { hint: 'renew it' }));
    expect(notes.findings().map(({ code }) => code)).toEqual([
      'ERR_CERTIFICATE_EXPIRED',
      'ERR_ACCESS_DENIED',
      'WARN_SECRET_VISIBLE',
      'WARN_CLOCK_OFFSET',
      'NOTE_PROCESS_OTHER',
    ]);
    expect(notes.findings()[0]).toMatchObject({ severity: 'error', cause: 'expired', remedy: 'renew it' });
    expect(notes.findings().filter(({ remedy }) => remedy === '')).toEqual([]);
    expect(notes.exitStatus()).toBe(3);
  });

  it('ends with 0 where there are warnings and notes alone, and says a thing once', () => {
    const notes = new Notebook();
    notes.find('WARN_CLOCK_OFFSET', 'the clock');
    notes.find('WARN_CLOCK_OFFSET', 'the clock');
    expect(notes.exitStatus()).toBe(0);
    expect(notes.findings()).toHaveLength(1);
  });

  it('throws what is no error of this project: that is a defect', () => {
    expect(() => new Notebook().fail('options', new TypeError('x'))).toThrow(TypeError);
    expect(() =>
      new Notebook().try('options', () => {
        throw new RangeError('x');
      }),
    ).toThrow(RangeError);
  });
});
