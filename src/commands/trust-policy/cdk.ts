/** A set-up as a stack of the AWS CDK in TypeScript: its constructs that stand for CloudFormation's resources one to one. */
// Tests: test/commands/trust-policy.test.ts
import { trustPolicy } from '../../x509/trust-policy.ts';
import { Expression, type Language, type Value, written } from './language.ts';
import { type Setup, headOf, sourceOf } from './setup.ts';

const TYPESCRIPT: Language = {
  assign: ': ',
  ends: [',', ','],
  name: (name) => (/^[A-Za-z_]\w*$/.test(name) ? name : text(name)),
  string: text,
};

export function cdk(setup: Setup): string {
  const { name, anchor, tags } = setup;
  const arn = anchor.kind === 'existing' ? anchor.arn : new Expression('trustAnchor.attrTrustAnchorArn');
  const role = { roleName: name, assumeRolePolicyDocument: trustPolicy(tags, arn) };
  const profile = { name, enabled: true, roleArns: [new Expression('role.attrArn')] };
  return [
    headOf(setup, '//', ['Its outputs are the ARNs that roles-anywhere takes.']),
    `import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';\n`,
    `import { CfnRole } from 'aws-cdk-lib/aws-iam';\n`,
    `import { CfnProfile${anchor.kind === 'existing' ? '' : ', CfnTrustAnchor'} } from 'aws-cdk-lib/aws-rolesanywhere';\n`,
    `import type { Construct } from 'constructs';\n\n`,
    'export class WorkloadStack extends Stack {\n',
    '  constructor(scope: Construct, id: string, props?: StackProps) {\n    super(scope, id, props);\n',
    ...(anchor.kind === 'existing'
      ? []
      : [
          `    const trustAnchor = new CfnTrustAnchor(this, 'TrustAnchor', ${props({ name, enabled: true, source: sourceOf(anchor) })});\n`,
        ]),
    `    const role = new CfnRole(this, 'Role', ${props(role)});\n`,
    `    const profile = new CfnProfile(this, 'Profile', ${props(profile)});\n`,
    output('TrustAnchorArn', arn),
    output('ProfileArn', new Expression('profile.attrProfileArn')),
    output('RoleArn', new Expression('role.attrArn')),
    '  }\n}\n',
  ].join('');
}

function props(value: Value): string {
  return written(value, TYPESCRIPT, '    ');
}

function output(id: string, value: string | Expression): string {
  return `    new CfnOutput(this, '${id}', { value: ${written(value, TYPESCRIPT)} });\n`;
}

/** A string in the style of the language's own formatters. */
function text(value: string): string {
  return `'${JSON.stringify(value)
    .slice(1, -1)
    .replaceAll(String.raw`\"`, '"')
    .replaceAll("'", String.raw`\'`)}'`;
}
