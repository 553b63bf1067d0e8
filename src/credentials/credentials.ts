/** Temporary credentials, wherever they came from. */
export interface SessionCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** When they cease to work, as the service said. */
  readonly expiration: Date;
  /** The twelve digits of the account, when known. */
  readonly accountId?: string;
  /** `arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION`, when known. */
  readonly assumedRoleArn?: string;
}
