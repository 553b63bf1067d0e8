/** Credentials, wherever they came from. */

/** Credentials of AWS: an access key, of a user or of a session, and what is known of it. AWS SDK v3 providers give such. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** The session's token; a user's own key has none. */
  readonly sessionToken?: string | undefined;
  /** When they cease to work, as the service said. Left out: never. */
  readonly expiration?: Date | undefined;
  /** The twelve digits of the account, when known. */
  readonly accountId?: string | undefined;
  /** `arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION`, of a role session, when known. */
  readonly assumedRoleArn?: string | undefined;
}

/** Temporary credentials. What is not known is left out, and never undefined: the types of the AWS SDK want it so. */
export interface SessionCredentials extends AwsCredentials {
  readonly sessionToken: string;
  readonly expiration: Date;
  readonly accountId?: string;
  readonly assumedRoleArn?: string;
}
