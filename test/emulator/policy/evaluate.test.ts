import { describe, expect, it } from 'vitest';
import { PolicyError, parsePolicy } from '../../../src/emulator/policy/document.ts';
import { evaluate } from '../../../src/emulator/policy/evaluate.ts';
import { ContextKeys } from '../../../src/emulator/policy/keys.ts';
import { POLICY_CASES, type PolicyCase } from './cases.ts';

function verdictOf({ policy, kind, action, resource, principal, keys }: PolicyCase): string {
  try {
    const text = typeof policy === 'string' ? policy : JSON.stringify(policy);
    return evaluate([parsePolicy(text, kind)], { action, resource, principal, keys: new ContextKeys(keys) }).effect;
  } catch (error) {
    if (error instanceof PolicyError) return 'malformed';
    throw error;
  }
}

describe('policies, by the documentation', () => {
  it('are in the table, eighty cases at least, each another', () => {
    const names = POLICY_CASES.map(({ page, kind, name }) => `${page} ${kind} ${name}`);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThanOrEqual(80);
  });

  it.each(POLICY_CASES.map((item) => [item.page, item.name, item] as const))('%s: %s', (_page, _name, item) => {
    expect(verdictOf(item)).toBe(item.expected);
  });
});

const policy = (...statements: object[]) =>
  parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: statements }), 'permissions');

const ask = (...statements: object[]) =>
  evaluate([policy(...statements)], {
    action: 's3:ListBucket',
    resource: 'arn:aws:s3:::logs',
    keys: new ContextKeys({ 'aws:username': 'alice' }),
  }).reason;

describe('the reason of a decision', () => {
  it('names the statement that denies', () => {
    expect(ask({ Sid: 'No', Effect: 'Deny', Action: '*', Resource: '*' })).toBe('statement No denies s3:ListBucket');
  });

  it('names the condition that does not hold, and what is in the request', () => {
    const Condition = { StringEquals: { 'aws:username': ['bob', 'eve'] } };
    expect(ask({ Effect: 'Allow', Action: '*', Resource: '*', Condition })).toBe(
      'nothing allows s3:ListBucket: statement number 1: StringEquals aws:username of ["bob", "eve"] does not hold, since the key is "alice"',
    );
  });

  it('says that no statement is about the action', () => {
    expect(ask({ Effect: 'Allow', Action: 'sts:*', Resource: '*' })).toBe(
      'nothing allows s3:ListBucket: no statement is about it',
    );
  });
});
