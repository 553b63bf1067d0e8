/** Words for people about every command of the table in flags.ts, and about exit statuses. Loaded for help and documentation only. */
// Tests: test/options/any-line.test.ts, test/docs/words.test.ts
import type { CommandName } from './flags.ts';

export interface CommandHelp {
  /** One line, for the list of commands. */
  readonly summary: string;
  /** More about it, in full sentences. */
  readonly text?: string;
  /** Positional arguments, as in `[DIR]`. */
  readonly args?: string;
  /** Lines to try: the usual one first. Each is parsed by a test. */
  readonly examples: readonly Example[];
}

/** A line to try. */
export interface Example {
  /** What it is for, in lower case and without a full stop. */
  readonly text: string;
  /** Without the program's name, in the parts that it is broken into. */
  readonly line: readonly string[];
}

const FILES = '--certificate certificate.pem --private-key key.pem';
const ARNS = [
  '--trust-anchor-arn arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/UUID',
  '--profile-arn arn:aws:rolesanywhere:us-east-1:123456789012:profile/UUID',
  '--role-arn arn:aws:iam::123456789012:role/Workload',
];

export const COMMAND_HELP: Readonly<Record<CommandName, CommandHelp>> = {
  'credential-process': {
    summary: 'print temporary credentials, in the form that the AWS CLI and SDKs read',
    text: 'Exchanges a certificate for temporary credentials and prints them as JSON. Meant for a line credential_process = ... in a profile of ~/.aws/config.',
    examples: [
      {
        text: 'with a certificate and a key in PEM files',
        line: [`credential-process ${FILES}`, ...ARNS],
      },
      {
        text: 'with the ARNs and files that a profile of ~/.aws/config names, and one session for all runs',
        line: ['credential-process --config-profile workload --cache'],
      },
      {
        text: 'with a key in a token, whose PIN is in a file',
        line: [
          "credential-process --certificate 'pkcs11:token=corp;object=workload'",
          '--pkcs11-pin-file pin.txt',
          ...ARNS,
        ],
      },
      {
        text: 'going on to a role of another account',
        line: [`credential-process ${FILES}`, ...ARNS, '--assume-role-arn arn:aws:iam::444455556666:role/Deploy'],
      },
    ],
  },
  'assume-role': {
    summary: 'assume one or more roles with credentials that you have already, and print those of the last',
    text: 'Starts from the environment, a profile of the AWS CLI, a container or the instance metadata service, whichever is found first. Prints what credential-process prints.',
    examples: [
      {
        text: "from a profile in the AWS CLI's files",
        line: ['assume-role --source-profile base', '--assume-role-arn arn:aws:iam::123456789012:role/Workload'],
      },
      {
        text: 'through one role to another, with a session tag for the last',
        line: [
          'assume-role --source env --assume-role-arn arn:aws:iam::123456789012:role/Hub',
          '--assume-role-arn arn:aws:iam::444455556666:role/Deploy --tag team=build',
        ],
      },
      {
        text: 'a role that requires MFA; its code is asked for at the terminal',
        line: [
          'assume-role --source-profile base',
          '--assume-role-arn arn:aws:iam::123456789012:role/Workload',
          '--mfa-serial arn:aws:iam::123456789012:mfa/me',
        ],
      },
    ],
  },
  'web-identity': {
    summary: 'assume a role with the token of an identity provider, and print the credentials',
    text: 'Understands AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME and AWS_WEB_IDENTITY_TOKEN_FILE. With --assume-role-arn, the flags of a session policy are for the last role.',
    examples: [
      {
        text: 'with a token in a file',
        line: [
          'web-identity --web-identity-token-file token.jwt',
          '--role-arn arn:aws:iam::123456789012:role/Workload --region us-east-1',
        ],
      },
      {
        text: 'with a token of a SPIFFE Workload API',
        line: [
          "web-identity --web-identity-token 'spiffe:?audience=sts.amazonaws.com'",
          '--role-arn arn:aws:iam::123456789012:role/Workload --region us-east-1',
        ],
      },
    ],
  },
  exec: {
    summary: 'run a command with credentials in its environment',
    args: '-- COMMAND [ARGUMENT...]',
    text: "Runs the command without a shell in between, with the credentials as variables and none of this environment that would lead an SDK to others. They end with the session: with --server the command has an endpoint of its own instead, which gives fresh ones for as long as it runs. The exit status is the command's; 128 and the number of the signal that ended it, 127 when it is not there, 126 when it cannot be run.",
    examples: [
      {
        text: 'one command, with credentials in its environment',
        line: [`exec ${FILES}`, ...ARNS, '-- aws sts get-caller-identity'],
      },
      {
        text: 'a command that runs for longer than a session',
        line: ['exec --config-profile workload --server -- terraform apply'],
      },
      {
        text: "from a profile in the AWS CLI's files instead of a certificate",
        line: ['exec --source profile --source-profile base -- aws s3 ls'],
      },
    ],
  },
  export: {
    summary: 'print temporary credentials in the form of a shell, a file or a CI system',
    text: 'Obtains credentials as credential-process does, or takes those of --source, and prints them. Without --format they are for the shell that this seems to be. Variables by which a program would find other credentials are removed, if they are set. github masks the values in the log and writes to the file that GITHUB_ENV names; gitlab is a dotenv report; ini is a profile of a credentials file, which --profile names.',
    examples: [
      { text: 'lines for a shell such as bash', line: ['export --config-profile workload --format env'] },
      {
        text: 'variables for the steps that follow in GitHub Actions',
        line: ['export --config-profile workload --format github'],
      },
      {
        text: 'a profile for a credentials file',
        line: ['export --config-profile workload --format ini --profile workload >>credentials'],
      },
    ],
  },
  unset: {
    summary: 'print the lines that remove what export has set',
    text: 'The forms are those of export. What only holds variables cannot remove one: there it is empty, and null in JSON.',
    examples: [
      { text: 'for a shell such as bash', line: ['unset --format env'] },
      { text: 'for PowerShell', line: ['unset --format powershell'] },
    ],
  },
  whoami: {
    summary: 'say whose credentials these are, and how long they last',
    text: 'Obtains credentials as credential-process does, or takes those of --source, and asks STS (GetCallerIdentity) whose they are: account, role, session, time left. No permission is needed for it.',
    examples: [
      { text: 'whose credentials a profile gives', line: ['whoami --config-profile workload'] },
      { text: 'the same for programs', line: ['whoami --config-profile workload --json'] },
      { text: 'whose credentials are in the environment', line: ['whoami --source env'] },
    ],
  },
  console: {
    summary: 'print a URL that signs a browser in to the AWS console',
    text: 'Whoever has the URL is signed in: it is as secret as credentials, and good for 15 minutes. --session-duration is also that of the console session, unless --assume-role-arn is given: AWS ends such a session after an hour.',
    examples: [
      { text: 'a link to one service', line: [`console ${FILES}`, ...ARNS, '--service s3'] },
      { text: 'the console in the browser of this machine', line: ['console --config-profile workload --open'] },
    ],
  },
  'read-certificate-data': {
    summary: 'print what Roles Anywhere reads in a certificate',
    text: 'Prints key type, certificate and serial number as JSON, or with --format text everything that matters about the certificate: names, validity, key, what is wrong with it, and the session tags and source identity that AWS derives from it.',
    examples: [
      {
        text: 'for people: names, validity, rules, session tags',
        line: ['read-certificate-data --certificate certificate.pem --format text'],
      },
      { text: 'the certificates in all tokens', line: ["read-certificate-data --certificate 'pkcs11:'"] },
      {
        text: 'what a selector matches in a folder',
        line: ['read-certificate-data --certificate certs', "--cert-selector 'Key=x509Subject,Value=CN=workload'"],
      },
    ],
  },
  'sign-string': {
    summary: 'sign a fixed text, to show that a key can be used',
    text: 'Signs "AWS Roles Anywhere Credential Helper Signing Test" || "1" || SHA256("IAM RA" || public key). The signature is in hexadecimal, except with --format bin.',
    examples: [
      { text: 'with a key in a file', line: ['sign-string --private-key key.pem --format text'] },
      {
        text: 'with a key in the TPM, and a digest of 384 bits',
        line: ['sign-string --private-key handle:0x81000001 --digest SHA384'],
      },
    ],
  },
  'trust-policy': {
    summary: 'print a trust policy for a certificate, or what sets up its trust anchor, role and profile',
    text: 'Prints the trust policy that lets this certificate alone assume a role: it names the trust anchor, and the subject and the alternative names as the session tags that AWS derives from them. With another --format, a script for the AWS CLI, a template of CloudFormation, a configuration of Terraform or a stack of the CDK that create the role with it, the profile, and with --certificate-bundle or --acm-pca-arn the trust anchor. The role may do nothing until permissions are attached. Nothing is sent, and of the files certificates alone are printed.',
    examples: [
      {
        text: 'the policy for a role, with a trust anchor that is there',
        line: [
          'trust-policy --certificate certificate.pem',
          '--trust-anchor-arn arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/UUID',
        ],
      },
      {
        text: 'everything from nothing, with the AWS CLI',
        line: [
          'trust-policy --certificate certificate.pem --certificate-bundle root.pem',
          '--format aws-cli >set-up.sh',
        ],
      },
      {
        text: 'with a CA of AWS Private CA, by Terraform',
        line: [
          'trust-policy --certificate certificate.pem --name Workload',
          '--acm-pca-arn arn:aws:acm-pca:us-east-1:123456789012:certificate-authority/UUID',
          '--format terraform >main.tf',
        ],
      },
    ],
  },
  emulator: {
    summary: 'run a local Roles Anywhere and STS to test against',
    text: 'Verifies what it is sent as the services do, and runs until it is interrupted.',
    examples: [
      { text: 'that trusts one CA', line: ['emulator --trust-anchor root.pem'] },
      {
        text: 'with the anchors, profiles and roles of a file',
        line: ['emulator --world world.yaml --state-dir state'],
      },
      {
        text: 'that other programs reach by TLS',
        line: ['emulator --trust-anchor root.pem --tls-dev ca.pem --port 0'],
      },
    ],
  },
  init: {
    summary: 'write a profile for the AWS CLI and SDKs into the AWS config file',
    text: 'Writes a credential_process line with the path of this program, and the settings that are given as rolesanywhere_ keys, between two marks in the profile --profile of ~/.aws/config (AWS_CONFIG_FILE): from then on every AWS tool gets its credentials here. Asks for what is missing at the terminal, shows the keys in tokens and in the TPM, runs the line as cron would and only then writes. What else is in the file stays as it is.',
    examples: [
      { text: 'all that is needed in one line', line: [`init ${FILES}`, ...ARNS] },
      { text: 'asking for what is missing', line: ['init --profile workload'] },
      { text: 'only what would change', line: [`init --profile workload ${FILES}`, ...ARNS, '--diff'] },
      { text: 'away with it', line: ['init --profile workload --remove'] },
    ],
  },
  link: {
    summary: 'make the link aws_signing_helper, so that existing lines call this program',
    args: '[DIR]',
    text: "Makes the link in DIR, or beside this program's own command when DIR is left out. A file of that name that is something else, such as AWS's own program, is left alone without --force. On Windows the link is a script, aws_signing_helper.cmd.",
    examples: [
      { text: "beside this program's own command", line: ['link'] },
      { text: 'in a folder of the PATH', line: ['link ~/bin'] },
    ],
  },
  doctor: {
    summary: 'look a set-up over, and say what is wrong with it and what to do',
    text: 'Looks at options, the line in ~/.aws/config, files, certificate, key, chain, clock, network and environment. Without flags it takes the profile that AWS tools take. Sends nothing signed but with --call, and prints no secret. Ends with 0 where nothing but warnings and notes was found, else as a command would for the first error.',
    examples: [
      { text: 'the profile that AWS tools take, and what the service says', line: ['doctor --call'] },
      {
        text: 'a line that does not work: doctor in the place of credential-process',
        line: [`doctor ${FILES}`, ...ARNS],
      },
      { text: 'a report for a ticket', line: ['doctor --profile workload --call --redact'] },
      {
        text: 'whether the chain leads to the certificate of the trust anchor',
        line: ['doctor --profile workload --trust-anchor root.pem'],
      },
    ],
  },
  cache: {
    summary: 'list or remove the credentials that --cache keeps, or say where they are',
    args: 'list|clear|path',
    text: 'list prints for each set when it ends, whether it is still used, its role and its certificate, and no secret; with --json as JSON. clear removes all that is kept. path prints the folder.',
    examples: [
      { text: 'what is kept', line: ['cache list'] },
      { text: 'remove it all', line: ['cache clear'] },
    ],
  },
  completion: {
    summary: 'print a script that completes command lines in a shell',
    args: 'SHELL',
    text: 'SHELL is bash, zsh, fish or powershell. The script completes commands, flags and their values: choices, files, profiles of the AWS config file.',
    examples: [
      {
        text: 'for bash',
        line: ['completion bash >~/.local/share/bash-completion/completions/roles-anywhere'],
      },
      { text: 'for fish', line: ['completion fish >~/.config/fish/completions/roles-anywhere.fish'] },
    ],
  },
  renew: {
    summary: 'renew the certificate, or get the first one',
    text: 'Does nothing while more than a third of its life is left (--at), unless --force is given. A new certificate takes the place of the old one when it is for the same names and the right key, ends no sooner, and is one that Roles Anywhere takes; the old one stays beside it as FILE.previous. Prints what it did as JSON.',
    examples: [
      {
        text: 'from step-ca, when it is time',
        line: [`renew ${FILES}`, '--renew-from step-ca:https://ca.example --renew-ca root.pem'],
      },
      {
        text: 'from a server for EST, again and again, until it is stopped',
        line: [`renew ${FILES}`, '--renew-from est:https://est.example --renew-ca root.pem --daemon'],
      },
      {
        text: 'the first certificate, from Vault',
        line: [
          `renew ${FILES}`,
          '--renew-from vault:https://vault.example:8200/v1/pki/sign/web --renew-token-file token',
          '--enroll --subject CN=workload --san dns:workload.example',
        ],
      },
    ],
  },
  serve: {
    summary: 'serve fresh credentials on this machine to every AWS SDK',
    text: 'Gets the first credentials, then opens the container credentials endpoint (/credentials, /role/NAME) and the instance metadata service on the loopback, and prints the lines to export. SIGHUP reads files again, SIGTERM and SIGINT end it.',
    examples: [
      { text: 'one role, at the usual port', line: [`serve ${FILES}`, ...ARNS] },
      {
        text: 'two roles, each under a name of its own',
        line: [
          'serve --config-profile workload --role app=arn:aws:iam::123456789012:role/App',
          '--role backup=arn:aws:iam::123456789012:role/Backup',
        ],
      },
      {
        text: 'container credentials alone, with metrics',
        line: ['serve --config-profile workload --no-imds --metrics-listen 9913'],
      },
    ],
  },
  update: {
    summary: 'write fresh credentials into a profile of the shared credentials file',
    text: 'Writes ~/.aws/credentials, or the file that AWS_SHARED_CREDENTIALS_FILE names, and renews what it wrote until it is stopped. Every other byte of the file stays as it is, and whoever else writes with this program is waited for. A file that the AWS CLI would refuse is left alone. SIGHUP reads files again, SIGTERM and SIGINT end it.',
    examples: [
      { text: 'until it is stopped', line: [`update --profile workload ${FILES}`, ...ARNS] },
      { text: 'once, for cron', line: ['update --profile workload --config-profile workload --once'] },
    ],
  },
  version: {
    summary: "print this program's version",
    text: "With --json also the versions of AWS's helper that it stands in for and of Node, and the platform.",
    examples: [
      { text: 'the version alone; also -v and --version', line: ['version'] },
      { text: 'for a report', line: ['version --json'] },
    ],
  },
};

/** Exit status and what it stands for (EXIT_STATUS in errors.ts), shown below every help. */
export const EXIT_STATUS_HELP: readonly (readonly [number, string])[] = [
  [0, 'done'],
  [1, 'a defect of this program, or output that could not be written'],
  [2, 'the command line, its environment or its configuration is wrong'],
  [3, 'the certificate, its chain or its private key cannot be used'],
  [4, 'Roles Anywhere said no: asking again changes nothing'],
  [5, 'no usable answer (network, TLS, throttling, failing service): asking later may work'],
  [126, 'the command of exec cannot be run'],
  [127, 'the command of exec is not there'],
  [130, 'interrupted'],
];
