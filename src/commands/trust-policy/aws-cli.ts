/** A set-up as a script for the AWS CLI, in the language of any POSIX shell. */
// Tests: test/commands/trust-policy.test.ts, test/clients/trust-policy.heavy.test.ts
import { trustPolicy } from '../../x509/trust-policy.ts';
import { Expression } from './language.ts';
import { type Setup, headOf, sourceOf } from './setup.ts';

/** Stands in JSON for what a variable of the shell holds. No name of a certificate holds a NUL: STS takes none. */
const PLACE = '\u0000';

export function awsCli(setup: Setup): string {
  const { name, anchor, tags } = setup;
  const region = anchor.kind === 'bundle' ? '' : ` --region ${anchor.region}`;
  const policy = trustPolicy(tags, anchor.kind === 'existing' ? anchor.arn : new Expression(PLACE));
  const document = quoted(
    JSON.stringify(policy, (_, value: unknown) => (value instanceof Expression ? value.code : value), 2).replace(
      JSON.stringify(PLACE),
      `"${PLACE}"`,
    ),
  ).replace(PLACE, `'"$trust_anchor_arn"'`);
  return [
    '#!/bin/sh\n',
    headOf(setup, '#', ['It prints the flags that roles-anywhere takes for them.']),
    'set -eu\n\n',
    anchor.kind === 'existing'
      ? `trust_anchor_arn=${quoted(anchor.arn)}\n\n`
      : [
          `trust_anchor_arn=$(aws rolesanywhere create-trust-anchor${region} --name ${name} --enabled \\\n`,
          `  --source ${quoted(JSON.stringify(sourceOf(anchor)))} \\\n`,
          '  --query trustAnchor.trustAnchorArn --output text)\n\n',
        ].join(''),
    `role_arn=$(aws iam create-role --role-name ${name} \\\n`,
    `  --assume-role-policy-document ${document} \\\n`,
    '  --query Role.Arn --output text)\n\n',
    `profile_arn=$(aws rolesanywhere create-profile${region} --name ${name} --enabled \\\n`,
    '  --role-arns "$role_arn" --query profile.profileArn --output text)\n\n',
    `printf '%s %s\\n' --trust-anchor-arn "$trust_anchor_arn" --profile-arn "$profile_arn" --role-arn "$role_arn"\n`,
  ].join('');
}

/** A word of a shell that stands for a text as it is. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
