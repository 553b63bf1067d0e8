/** A set-up as a template of CloudFormation: its User Guide, "AWS::RolesAnywhere::TrustAnchor", "::Profile" and "AWS::IAM::Role". */
// Tests: test/commands/trust-policy.test.ts
import { stringify } from 'yaml';
import { trustPolicy } from '../../x509/trust-policy.ts';
import { type Anchor, type Setup, headOf } from './setup.ts';

export function cloudFormation(setup: Setup): string {
  const { name, anchor, tags } = setup;
  const created = anchor.kind === 'existing' ? undefined : 'TrustAnchor';
  // Put in below: a function of the template is a map, which no string of a policy is.
  const policy = trustPolicy(tags, anchor.kind === 'existing' ? anchor.arn : '');
  const template = {
    AWSTemplateFormatVersion: '2010-09-09',
    Resources: {
      ...(anchor.kind !== 'existing' && {
        TrustAnchor: {
          Type: 'AWS::RolesAnywhere::TrustAnchor',
          Properties: { Name: name, Enabled: true, Source: source(anchor) },
        },
      }),
      Role: {
        Type: 'AWS::IAM::Role',
        Properties: {
          RoleName: name,
          AssumeRolePolicyDocument:
            created === undefined ? policy : withAnchor(policy, attribute(created, 'TrustAnchorArn')),
        },
      },
      Profile: {
        Type: 'AWS::RolesAnywhere::Profile',
        Properties: { Name: name, Enabled: true, RoleArns: [attribute('Role', 'Arn')] },
      },
    },
    Outputs: {
      TrustAnchorArn: {
        Value: anchor.kind === 'existing' ? anchor.arn : attribute('TrustAnchor', 'TrustAnchorArn'),
      },
      ProfileArn: { Value: attribute('Profile', 'ProfileArn') },
      RoleArn: { Value: attribute('Role', 'Arn') },
    },
  };
  const head = headOf(setup, '#', [
    'Deploy it with --capabilities CAPABILITY_NAMED_IAM; its outputs are the ARNs that roles-anywhere takes.',
  ]);
  // By YAML 1.1, which many tools read: there a name such as `on` or a date has quotes.
  return head + stringify(template, { lineWidth: 0, version: '1.1' });
}

function attribute(resource: string, name: string): { readonly 'Fn::GetAtt': readonly [string, string] } {
  return { 'Fn::GetAtt': [resource, name] };
}

function withAnchor(policy: object, anchor: object): unknown {
  return JSON.parse(JSON.stringify(policy), (name, value: unknown) => (name === 'aws:SourceArn' ? anchor : value));
}

function source(anchor: Exclude<Anchor, { kind: 'existing' }>): object {
  return anchor.kind === 'bundle'
    ? { SourceType: 'CERTIFICATE_BUNDLE', SourceData: { X509CertificateData: anchor.pem } }
    : { SourceType: 'AWS_ACM_PCA', SourceData: { AcmPcaArn: anchor.arn } };
}
