import { describe, expect, it } from 'vitest';
import { DerError, readChildren, readDer, readInteger, readObjectIdentifier, readTime } from '../../src/x509/der.ts';

const der = (hex: string) => readDer(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const time = (tag: string, text: string) =>
  der(`${tag}${text.length.toString(16).padStart(2, '0')}${Buffer.from(text).toString('hex')}`);

describe('readDer refuses', () => {
  it.each([
    ['nothing', ''],
    ['a tag alone', '30'],
    ['a length beyond the end', '30 01'],
    ['a length cut off', '30 82 01'],
    ['a length of four octets beyond the end', '30 84 ff ff ff ff'],
    ['a length of five octets', '30 85 00 00 00 00 01 00'],
    ['an indefinite length', '30 80 00 00'],
    ['a long form for a short length', '30 81 01 00'],
    ['a length with a leading zero', `30 82 00 80 ${'00'.repeat(128)}`],
    ['a tag of several octets', '1f 81 01 00'],
    ['data behind the end', '30 00 00'],
  ])('%s', (_name, hex) => {
    expect(() => der(hex)).toThrow(DerError);
  });

  it('a child that reaches beyond its parent', () => {
    expect(() => readChildren(der('30 02 04 01'))).toThrow(DerError);
  });

  it('more than 64 fields', () => {
    expect(readChildren(der(`30 81 80 ${'0500'.repeat(64)}`))).toHaveLength(64);
    expect(() => readChildren(der(`30 81 82 ${'0500'.repeat(65)}`))).toThrow(DerError);
  });
});

describe('readInteger', () => {
  it.each([
    ['02 01 00', 0n],
    ['02 01 01', 1n],
    ['02 01 7f', 127n],
    ['02 02 00 80', 128n],
    ['02 01 80', -128n],
    ['02 01 ff', -1n],
    ['02 02 ff 7f', -129n],
    ['02 15 00 ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff', 2n ** 160n - 1n],
  ])('reads %s', (hex, value) => {
    expect(readInteger(der(hex))).toBe(value);
  });

  it.each([
    ['no content', '02 00'],
    ['a leading zero octet', '02 02 00 7f'],
    ['a leading ff octet', '02 02 ff 80'],
    ['65 octets', `02 41 ${'11'.repeat(65)}`],
  ])('refuses %s', (_name, hex) => {
    expect(() => readInteger(der(hex))).toThrow(DerError);
  });
});

describe('readObjectIdentifier', () => {
  it.each([
    ['06 09 2a 86 48 86 f7 0d 01 01 01', '1.2.840.113549.1.1.1'],
    ['06 09 60 86 48 01 65 03 04 03 12', '2.16.840.1.101.3.4.3.18'],
    ['06 03 2b 65 70', '1.3.101.112'],
    ['06 03 88 37 03', '2.999.3'],
  ])('reads %s', (hex, dotted) => {
    expect(readObjectIdentifier(der(hex))).toBe(dotted);
  });

  it.each([
    ['no content', '06 00'],
    ['an arc that is cut off', '06 02 2a 86'],
    ['an arc that is not minimal', '06 03 2a 80 01'],
    ['an arc out of range', `06 0a 2a ${'ff'.repeat(8)} 7f`],
    ['65 octets', `06 41 ${'01'.repeat(65)}`],
  ])('refuses %s', (_name, hex) => {
    expect(() => readObjectIdentifier(der(hex))).toThrow(DerError);
  });
});

describe('readTime', () => {
  it.each([
    ['17', '491231235959Z', '2049-12-31T23:59:59.000Z'],
    ['17', '500101000000Z', '1950-01-01T00:00:00.000Z'],
    ['18', '20500101000000Z', '2050-01-01T00:00:00.000Z'],
    ['18', '99991231235959Z', '9999-12-31T23:59:59.000Z'],
    ['18', '00500101000000Z', '0050-01-01T00:00:00.000Z'],
    ['17', '240229120000Z', '2024-02-29T12:00:00.000Z'],
  ])('reads tag %s, %s', (tag, text, iso) => {
    expect(readTime(time(tag, text)).toISOString()).toBe(iso);
  });

  it.each([
    ['no seconds', '17', '2401011200Z'],
    ['an offset', '17', '240101120000+0100'],
    ['a fraction', '18', '20240101120000.5Z'],
    ['a month 13', '17', '241301120000Z'],
    ['a 30th of February', '17', '240230120000Z'],
    ['an hour 24', '17', '240101240000Z'],
    ['a second 60', '17', '240101235960Z'],
    ['a year of four digits in a UTCTime', '17', '20240101120000Z'],
    ['a year of two digits in a GeneralizedTime', '18', '240101120000Z'],
    ['another tag', '04', '240101120000Z'],
  ])('refuses %s', (_name, tag, text) => {
    expect(() => readTime(time(tag, text))).toThrow(DerError);
  });
});
