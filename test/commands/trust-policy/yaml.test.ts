import { array, assert, boolean, constantFrom, dictionary, double, letrec, oneof, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { yaml } from '../../../src/commands/trust-policy/yaml.ts';
import type { Value } from '../../../src/commands/trust-policy/yaml.ts';

const { value } = letrec<{ value: Value; text: string }>((tie) => ({
  value: oneof(
    { maxDepth: 5 },
    tie('text'),
    boolean(),
    double({ noNaN: true, noDefaultInfinity: true }).filter((number) => !Object.is(number, -0)),
    array(tie('value'), { maxLength: 4 }),
    dictionary(tie('text'), tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
  text: oneof(
    string({ unit: 'grapheme' }),
    string({ unit: constantFrom(...'aZ0:-#/.*&!|>%@`\'"?,[]{}~ \n\t\r\u0085\u2028\ufeff\\'.match(/./gs)!) }),
    constantFrom('y', 'No', 'ON', 'null', '~', '2025-01-31', '1e3', '0x1f', '1:30', '.inf', '---', '...', '<<', '='),
    constantFrom('a: b', 'a #b', 'a:', '- a', '-----BEGIN X-----\nMII=\n-----END X-----\n', 'a\nb', ' a\n', '\n'),
  ),
}));

describe('YAML of a template', () => {
  it.each(['1.1', '1.2'] as const)('is read by YAML %s as what was written', (version) => {
    assert(
      property(value, (written) => {
        expect(parse(yaml({ written }), { version, logLevel: 'error' })).toEqual({ written });
      }),
      { numRuns: 500 },
    );
  });

  it('looks as people write it', () => {
    const template = {
      AWSTemplateFormatVersion: '2010-09-09',
      Resources: {
        Role: {
          Type: 'AWS::IAM::Role',
          Properties: {
            Statement: [
              { Effect: 'Allow', Action: ['sts:AssumeRole', 'sts:TagSession'], Principal: { Service: 'on' } },
            ],
            Enabled: true,
            Arn: { 'Fn::GetAtt': ['Role', 'Arn'] },
            Pem: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
            Lists: [[], {}, [[1]]],
          },
        },
      },
    };
    expect(yaml(template)).toBe(stringify(template, { lineWidth: 0, version: '1.1' }));
  });
});
