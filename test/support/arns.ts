/** The ARNs of the tests' own account, where nothing depends on what they name. */
export const TRUST_ANCHOR_ARN =
  'arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/11111111-1111-1111-1111-111111111111';
export const PROFILE_ARN = 'arn:aws:rolesanywhere:us-east-1:123456789012:profile/22222222-2222-2222-2222-222222222222';
export const ROLE_ARN = 'arn:aws:iam::123456789012:role/path/Demo';
