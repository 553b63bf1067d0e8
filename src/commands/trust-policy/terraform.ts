/** A set-up as a configuration of Terraform: the AWS provider's `aws_rolesanywhere_trust_anchor`, `_profile` and `aws_iam_role`. */
// Tests: test/commands/trust-policy.test.ts
import { trustPolicy } from '../../x509/trust-policy.ts';
import { Expression, type Language, written } from './language.ts';
import { type Anchor, type Setup, headOf } from './setup.ts';

const HCL: Language = {
  assign: ' = ',
  ends: ['', ','],
  name: (name) => (/^\w+$/.test(name) ? name : text(name)),
  string: text,
  aligns: true,
};

export function terraform(setup: Setup): string {
  const { name, anchor, tags } = setup;
  const arn = anchor.kind === 'existing' ? anchor.arn : new Expression('aws_rolesanywhere_trust_anchor.workload.arn');
  const policy = written(trustPolicy(tags, arn), HCL, '  ');
  const blocks = [
    ...(anchor.kind === 'existing' ? [] : [trustAnchor(name, anchor)]),
    `resource "aws_iam_role" "workload" {\n  name = ${text(name)}\n  assume_role_policy = jsonencode(${policy})\n}\n`,
    `resource "aws_rolesanywhere_profile" "workload" {\n  name      = ${text(name)}\n  enabled   = true\n  role_arns = [aws_iam_role.workload.arn]\n}\n`,
    output('trust_anchor_arn', arn),
    output('profile_arn', new Expression('aws_rolesanywhere_profile.workload.arn')),
    output('role_arn', new Expression('aws_iam_role.workload.arn')),
  ];
  return [headOf(setup, '#', ['Its outputs are the ARNs that roles-anywhere takes.']), ...blocks].join('\n');
}

function trustAnchor(name: string, anchor: Exclude<Anchor, { kind: 'existing' }>): string {
  const [type, data] =
    anchor.kind === 'bundle'
      ? ['CERTIFICATE_BUNDLE', `x509_certificate_data = ${text(anchor.pem)}`]
      : ['AWS_ACM_PCA', `acm_pca_arn = ${text(anchor.arn)}`];
  return [
    'resource "aws_rolesanywhere_trust_anchor" "workload" {\n',
    `  name    = ${text(name)}\n  enabled = true\n\n`,
    `  source {\n    source_type = "${type}"\n\n    source_data {\n      ${data}\n    }\n  }\n}\n`,
  ].join('');
}

function output(name: string, value: string | Expression): string {
  return `output "${name}" {\n  value = ${written(value, HCL)}\n}\n`;
}

/** A string of HCL, in which `\${` and `%{` begin templates. JSON's other escapes are HCL's. */
function text(value: string): string {
  return JSON.stringify(value).replaceAll(/[$%](?=\{)/g, '$&$&');
}
