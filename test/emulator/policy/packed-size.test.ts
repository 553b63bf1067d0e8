import { describe, expect, it } from 'vitest';
import { type Packed, packedPolicySize, tooLarge } from '../../../src/emulator/policy/packed-size.ts';

const of = (some: Partial<Packed>): Packed => ({ policies: [], policyArns: [], tags: {}, ...some });
const size = (some: Partial<Packed>): number => packedPolicySize(of(some));

const NINE = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`T${index + 1}`, 'a'.repeat(250)]));

/** Those of a CloudTrail event of AWS's EKS workshop. */
const POD = {
  'eks-cluster-arn': 'arn:aws:eks:us-west-2:123456789012:cluster/eksworkshop-eksctl',
  'eks-cluster-name': 'eksworkshop-eksctl',
  'kubernetes-namespace': 'ns-a',
  'kubernetes-service-account': 'sa1',
  'kubernetes-pod-name': 'app1',
  'kubernetes-pod-uid': '00000000-0000-0000-0000-000000000000',
};

/** A policy as the one that was measured: 18 actions in three statements. */
const EC2 = {
  Version: '2012-10-17',
  Statement: [
    allow('DescribeInstances DescribeImages DescribeSecurityGroups DescribeVpcs DescribeSubnets'),
    allow('RunInstances CreateSecurityGroup CreateKeyPair CreateTags'),
    {
      ...allow(
        'TerminateInstances StopInstances StartInstances AuthorizeSecurityGroupIngress RevokeSecurityGroupEgress DeleteSecurityGroup DeleteKeyPair GetConsoleOutput GetPasswordData',
      ),
      Condition: { StringEquals: { 'aws:ResourceTag/broker:connection': 'connection-1' } },
    },
  ],
};

function allow(actions: string): object {
  return { Effect: 'Allow', Action: actions.split(' ').map((action) => `ec2:${action}`), Resource: '*' };
}

const arn = (name: string): string => `arn:aws:iam::123456789012:policy/${name}`;

describe('the packed size', () => {
  it('is what AWS said of nine tags of 250 letters, and of the tags of a pod', () => {
    expect(size({ tags: NINE })).toBe(498);
    expect(size({ tags: POD })).toBe(56);
  });

  it('of a policy is about what was measured, whatever its spacing', () => {
    const tags = { 'broker:account': '123456789012', 'broker:app': 'com.example.desktop', 'broker:connection': 'c1' };
    const text = JSON.stringify(EC2);
    expect(size({ policies: [text], tags })).toBeGreaterThan(65);
    expect(size({ policies: [text], tags })).toBeLessThan(95);
    expect(size({ policies: [JSON.stringify(EC2, undefined, 4)] })).toBe(size({ policies: [text] }));
  });

  it('counts letters in UTF-8, managed policies, and nothing when there is nothing', () => {
    expect(size({})).toBe(0);
    expect(size({ tags: { a: 'ü'.repeat(100) } })).toBeGreaterThan(size({ tags: { a: 'u'.repeat(100) } }));
    expect(size({ policyArns: [arn('first')] })).toBeGreaterThan(0);
    expect(size({ policyArns: [arn('first'), arn('other')] })).toBeGreaterThan(size({ policyArns: [arn('first')] }));
  });

  it('is told in other words when there is a policy', () => {
    expect(tooLarge(142, of({ tags: POD }))).toBe('Packed size of session tags consumes 142% of allotted space.');
    expect(tooLarge(142, of({ policies: ['{}'] }))).toBe(
      'Packed policy consumes 142% of allotted space, please use smaller policy.',
    );
  });
});
