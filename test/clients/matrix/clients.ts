/**
 * The clients of the matrix: where each comes from, how to ask it who it is or
 * which buckets there are, and what it needs besides the variables of a way. A
 * client that is without a way knows none such. The tests run those that CI
 * installs, and `npm run clients` runs all and writes the page. What a need
 * sets is also left out once, and the client must fail then: so no need
 * outlives the version that had it.
 */
import { join } from 'node:path';
import { EC2_ADDRESS, type Way, type World } from './world.ts';

/** What a client needs for one way. */
export interface Need {
  readonly env?: ((world: World) => Readonly<Record<string, string>>) | undefined;
  /** It has EC2's address built in. */
  readonly ec2Address?: true | undefined;
  /** For the page. */
  readonly says: string;
}

/** Where a client comes from. Go builds each `command` by itself, and in the long form alone. */
export type Source =
  | { readonly kind: 'Debian'; readonly package: string; readonly module?: string | undefined }
  /** In the lock of test/clients/matrix/npm. */
  | { readonly kind: 'npm'; readonly package: string }
  /** Too large for CI. */
  | { readonly kind: 'large'; readonly package: string; readonly packages: readonly string[] }
  /** Of the project's own development dependencies. */
  | { readonly kind: 'dev'; readonly package: string }
  | { readonly kind: 'library'; readonly library: string }
  | { readonly kind: 'command'; readonly command: string; readonly path: string; readonly version: string }
  | { readonly kind: 'PATH'; readonly command: string };

export interface Client {
  readonly name: string;
  readonly source: Source;
  /** What to run, in the words of `files`: the folders that things were installed to. */
  command(world: World, files: Files, way: Way): { readonly file: string; readonly args: readonly string[] };
  /** Left out: there is no such way. `undefined`: nothing is needed. */
  readonly ways: Readonly<Partial<Record<Way, Need | undefined>>>;
  /** What it asks next, the emulator has not: how it ends says nothing. */
  readonly goesOn?: true | undefined;
}

export interface Files {
  /** Where the packages of npm and their programs are. */
  readonly npm: string;
  /** The same for large ones. */
  readonly large: string;
  /** Where Go's programs are. */
  readonly go: string;
}

const PROGRAMS = join(process.cwd(), 'test/clients/matrix/programs');
const JS = join(process.cwd(), 'test/clients');
const PYTHON = '/usr/bin/python3';

const ALL = { credential_process: undefined, container: undefined, IMDS: undefined };

const LOAD_CONFIG: Need = { env: () => ({ AWS_SDK_LOAD_CONFIG: '1' }), says: '`AWS_SDK_LOAD_CONFIG=1`' };

/** Their reader of the file ends a value that begins with a quote at the next one. */
const UNQUOTED: Need = {
  env: ({ unquoted }) => ({ AWS_CONFIG_FILE: unquoted }),
  says: 'a line that begins with no quote',
};

const GO_V1: Need = {
  env: ({ unquoted }) => ({ AWS_CONFIG_FILE: unquoted, AWS_SDK_LOAD_CONFIG: '1' }),
  says: `${LOAD_CONFIG.says}, and ${UNQUOTED.says}`,
};

const CREDENTIALS_FILE: Need = {
  env: ({ unquoted }) => ({ AWS_SHARED_CREDENTIALS_FILE: unquoted }),
  says: `the line in the credentials file (\`~/.aws/credentials\`), and ${UNQUOTED.says}`,
};

const PRINT_TOKEN: Need = {
  env: ({ token }) => ({ AWS_CONTAINER_AUTHORIZATION_TOKEN: token }),
  says: '`serve --print-token`',
};

const AT_EC2_ADDRESS: Need = { ec2Address: true, says: `\`serve --imds-address ${EC2_ADDRESS}\`` };

const SLASH: Need = {
  env: ({ imds }) => ({ AWS_EC2_METADATA_SERVICE_ENDPOINT: `${imds}/` }),
  says: 'a slash at the end of the endpoint',
};

export const CLIENTS: readonly Client[] = [
  {
    name: 'AWS CLI 2',
    source: { kind: 'Debian', package: 'awscli' },
    command: ({ endpoint }) => ({
      file: '/usr/bin/aws',
      args: ['--endpoint-url', endpoint, 'sts', 'get-caller-identity'],
    }),
    ways: { credential_process: undefined, container: PRINT_TOKEN, IMDS: SLASH },
  },
  {
    name: 'botocore',
    source: { kind: 'Debian', package: 'python3-botocore', module: 'botocore' },
    command: ({ endpoint }) => ({ file: PYTHON, args: [join(JS, 'who-am-i.py'), endpoint] }),
    ways: { ...ALL, container: PRINT_TOKEN },
  },
  {
    name: 'boto3',
    source: { kind: 'Debian', package: 'python3-boto3', module: 'boto3' },
    command: ({ endpoint }) => ({ file: PYTHON, args: [join(PROGRAMS, 'who-am-i-boto3.py'), endpoint] }),
    ways: { ...ALL, container: PRINT_TOKEN },
  },
  {
    name: 'AWS Common Runtime (Python)',
    source: { kind: 'Debian', package: 'python3-awscrt', module: 'awscrt' },
    command: ({ endpoint }) => ({ file: PYTHON, args: [join(PROGRAMS, 'who-am-i-crt.py'), endpoint] }),
    ways: { container: PRINT_TOKEN, IMDS: AT_EC2_ADDRESS },
  },
  {
    name: 'AWS Common Runtime (JavaScript)',
    source: { kind: 'npm', package: 'aws-crt' },
    command: ({ endpoint }, { npm }) => ({ file: process.execPath, args: [join(npm, 'who-am-i-crt.mjs'), endpoint] }),
    ways: ALL,
  },
  {
    name: 'AWS SDK for JavaScript v3',
    source: { kind: 'dev', package: '@aws-sdk/client-sts' },
    command: ({ endpoint }) => ({ file: process.execPath, args: [join(JS, 'who-am-i.mjs'), endpoint] }),
    ways: ALL,
  },
  {
    name: 'AWS SDK for JavaScript v2',
    source: { kind: 'npm', package: 'aws-sdk' },
    command: ({ endpoint }, { npm }) => ({ file: process.execPath, args: [join(npm, 'who-am-i-v2.cjs'), endpoint] }),
    ways: { ...ALL, credential_process: LOAD_CONFIG },
  },
  {
    name: 'AWS CDK CLI',
    source: { kind: 'npm', package: 'aws-cdk' },
    command: (_world, { npm }) => ({
      file: process.execPath,
      args: [join(npm, 'node_modules/aws-cdk/bin/cdk'), 'bootstrap', 'aws://123456789012/us-east-1'],
    }),
    ways: {
      ...ALL,
      IMDS: { env: () => ({ AWS_EC2_METADATA_DISABLED: 'false' }), says: '`AWS_EC2_METADATA_DISABLED=false`' },
    },
    goesOn: true,
  },
  {
    name: 'AWS SDK for Ruby',
    source: { kind: 'Debian', package: 'ruby-aws-sdk-core' },
    command: ({ endpoint }) => ({ file: '/usr/bin/ruby', args: [join(PROGRAMS, 'who-am-i.rb'), endpoint] }),
    ways: { credential_process: undefined, IMDS: AT_EC2_ADDRESS },
  },
  {
    name: 'AWS SDK for Rust (LanceDB)',
    source: { kind: 'large', package: '@lancedb/lancedb', packages: ['@lancedb/lancedb@0.39.0'] },
    command: ({ endpoint }, { large }) => ({
      file: process.execPath,
      args: [join(large, 'list-tables-lancedb.cjs'), endpoint],
    }),
    ways: ALL,
    goesOn: true,
  },
  {
    name: 'object_store for Rust (Polars)',
    source: {
      kind: 'large',
      package: 'nodejs-polars',
      packages: ['nodejs-polars@0.26.1', 'nodejs-polars-linux-x64-gnu@0.26.1'],
    },
    command: ({ endpoint, imds }, { large }, way) => ({
      file: process.execPath,
      args: [join(large, 'scan-polars.cjs'), endpoint, ...(way === 'IMDS' ? [imds] : [])],
    }),
    ways: { container: undefined, IMDS: { says: 'its option `aws_metadata_endpoint`' } },
    goesOn: true,
  },
  { name: 'AWS SDK for Go v2', ...library('sdk-v2'), ways: ALL },
  { name: 'AWS SDK for Go v1', ...library('sdk-v1'), ways: { ...ALL, credential_process: GO_V1 } },
  { name: 'MinIO client for Go', ...library('minio'), ways: { ...ALL, credential_process: CREDENTIALS_FILE } },
  { name: 'aws-sdk-go-base (Terraform)', ...library('awsbase'), ways: ALL },
  { name: 'awsutil (Vault)', ...library('awsutil'), ways: ALL },
  {
    name: 'google-auth-library (AWS federation)',
    source: { kind: 'npm', package: 'google-auth-library' },
    command: ({ endpoint, imds }, { npm }) => ({
      file: process.execPath,
      args: [join(npm, 'who-am-i-google.mjs'), endpoint, imds],
    }),
    ways: { IMDS: { says: 'its URLs in `credential_source`' } },
  },
  {
    name: 's3cmd',
    source: { kind: 'Debian', package: 's3cmd' },
    command: ({ s3cmdConfig }) => ({ file: '/usr/bin/s3cmd', args: ['-c', s3cmdConfig, 'ls'] }),
    ways: { IMDS: AT_EC2_ADDRESS },
  },
  {
    name: 's3fs',
    source: { kind: 'Debian', package: 's3fs' },
    command: ({ endpoint, home, role }) => ({
      file: '/usr/bin/s3fs',
      args: [
        'bucket',
        join(home, 'mount'),
        '-f',
        '-o',
        `iam_role=${role},url=${endpoint},use_path_request_style,retries=1`,
      ],
    }),
    ways: {
      IMDS: {
        ec2Address: true,
        says: `${AT_EC2_ADDRESS.says}, and \`-o iam_role=ROLE\`: it asks for the list without a token`,
      },
    },
    goesOn: true,
  },
  {
    name: 'rclone (SDK v1)',
    source: { kind: 'Debian', package: 'rclone' },
    command: ({ rcloneConfig }) => ({
      file: '/usr/bin/rclone',
      args: ['--config', rcloneConfig, '--low-level-retries', '1', 'lsd', 'emulator:'],
    }),
    ways: { credential_process: UNQUOTED, container: PRINT_TOKEN, IMDS: undefined },
  },
  {
    name: 'restic',
    source: { kind: 'Debian', package: 'restic' },
    command: ({ endpoint }) => ({ file: '/usr/bin/restic', args: ['-r', `s3:${endpoint}/bucket`, 'snapshots'] }),
    ways: { credential_process: CREDENTIALS_FILE, IMDS: AT_EC2_ADDRESS },
    goesOn: true,
  },
  {
    name: 'GDAL',
    source: { kind: 'Debian', package: 'gdal-bin' },
    command: ({ endpoint }) => ({
      file: '/usr/bin/gdalinfo',
      args: [
        '--config',
        'AWS_S3_ENDPOINT',
        new URL(endpoint).host,
        '--config',
        'AWS_HTTPS',
        'NO',
        '--config',
        'AWS_VIRTUAL_HOSTING',
        'FALSE',
        '/vsis3/bucket/image.tif',
      ],
    }),
    ways: { IMDS: { env: ({ imds }) => ({ CPL_AWS_EC2_API_ROOT_URL: imds }), says: '`CPL_AWS_EC2_API_ROOT_URL`' } },
    goesOn: true,
  },
  {
    name: 'curl',
    source: { kind: 'Debian', package: 'curl' },
    command: ({ endpoint }) => ({ file: '/bin/sh', args: [join(PROGRAMS, 'who-am-i.sh'), endpoint] }),
    ways: { container: undefined, IMDS: undefined },
  },
  {
    name: 'rclone',
    source: { kind: 'command', command: 'rclone', path: 'github.com/rclone/rclone', version: 'v1.76.0' },
    command: ({ rcloneConfig }, { go }) => ({
      file: join(go, 'rclone-v1.76.0'),
      args: ['--config', rcloneConfig, '--low-level-retries', '1', 'lsd', 'emulator:'],
    }),
    ways: ALL,
  },
  {
    name: 'docker-credential-ecr-login',
    source: {
      kind: 'command',
      command: 'docker-credential-ecr-login',
      path: 'github.com/awslabs/amazon-ecr-credential-helper/ecr-login/cli/docker-credential-ecr-login',
      version: 'v0.12.0',
    },
    command: ({ endpoint }, { go }) => ({
      file: process.execPath,
      args: [join(PROGRAMS, 'ecr-login.mjs'), endpoint, join(go, 'docker-credential-ecr-login-v0.12.0')],
    }),
    ways: ALL,
  },
  {
    name: 'aws-iam-authenticator',
    source: {
      kind: 'command',
      command: 'aws-iam-authenticator',
      path: 'sigs.k8s.io/aws-iam-authenticator/cmd/aws-iam-authenticator',
      version: 'v0.6.13',
    },
    command: ({ endpoint }, { go }) => ({
      file: process.execPath,
      args: [join(PROGRAMS, 'eks-token.mjs'), endpoint, join(go, 'aws-iam-authenticator-v0.6.13')],
    }),
    ways: { credential_process: UNQUOTED, container: PRINT_TOKEN, IMDS: undefined },
  },
  {
    name: 'Terraform (S3 backend)',
    source: { kind: 'PATH', command: 'terraform' },
    command: ({ terraform }) => ({
      file: 'terraform',
      args: [`-chdir=${terraform}`, 'init', '-input=false', '-no-color'],
    }),
    ways: ALL,
    goesOn: true,
  },
];

function library(name: string): Pick<Client, 'source' | 'command'> {
  return {
    source: { kind: 'library', library: name },
    command: ({ endpoint }, { go }) => ({ file: join(go, 'go-sdks'), args: [name, endpoint] }),
  };
}

/** Whether a client is left to the long form: what takes Go minutes to build, and what CI cannot install. */
export function isLong({ source }: Client): boolean {
  return source.kind === 'command' || source.kind === 'PATH' || source.kind === 'large';
}
