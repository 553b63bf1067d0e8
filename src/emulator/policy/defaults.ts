/** Policies that hold where a world has none. */
// Tests: test/emulator/services/create-session/authorization.test.ts

/**
 * The trust policy of a role that has none: Roles Anywhere may do what it needs (User
 * Guide, "Trust model"), and so may who the role's account gives the
 * permission to, which is what chaining within an account needs. Web identity
 * is not in it: what may come with a token is for each role to say.
 */
export function defaultTrustPolicy({ partition, account }: { partition: string; account: string }): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'Default',
        Effect: 'Allow',
        Principal: { Service: 'rolesanywhere.amazonaws.com', AWS: `arn:${partition}:iam::${account}:root` },
        Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
      },
    ],
  });
}

const allow = (action: string | readonly string[]): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: action, Resource: '*' }] });

/** The policy of a role or user that has none. It allows everything: tests here are about how a session comes to be. */
export const ALLOW_ALL = allow('*');

/** Some of AWS's own managed policies, those that are most used for trying, as far as the emulator has the actions. */
export const AWS_MANAGED_POLICIES: ReadonlyMap<string, string> = new Map([
  ['AdministratorAccess', ALLOW_ALL],
  ['ReadOnlyAccess', allow(['s3:List*', 's3:Get*', 'rolesanywhere:Get*', 'rolesanywhere:List*', 'sts:Get*'])],
  ['AmazonS3FullAccess', allow('s3:*')],
  ['AmazonS3ReadOnlyAccess', allow(['s3:Get*', 's3:List*'])],
]);
